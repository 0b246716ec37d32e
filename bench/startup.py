"""What the start of our programs costs, beside that of the interpreter itself.

    python -m bench.startup

Each is run as a process of its own, in turns with `python -c pass`, so that what else the machine
does hits both alike; a ratio is one of neighbours in time.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.table import Table

_CLI: Final = ("-m", "shotline.client.cli")
_NOBODY: Final = {"SHOTLINE_BROKER": "tcp://127.0.0.1:9"}


@dataclass(frozen=True)
class Start:
    """A process to run: its name, the interpreter's arguments, and what it may take at most."""

    name: str
    arguments: Sequence[str]
    goal_s: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def _completing(line: str, goal_s: float) -> Start:
    asked = {"_SHOTLINE_COMPLETE": "bash_complete", "COMP_LINE": line, "COMP_WORDBREAKS": " :="}
    return Start(f"{line.replace(' ', '␣')}<Tab>", _CLI, goal_s, asked | _NOBODY)


PASS: Final = Start("python -c pass", ("-c", "pass"))
STARTS: Final = (
    Start("shotline --help", (*_CLI, "--help"), 0.15),
    _completing("shotline do-p", 0.15),
    _completing("shotline logs --", 0.15),
    Start("import shotline.client.supervisor", ("-c", "import shotline.client.supervisor"), 0.1),
)


def took(start: Start) -> float:
    """Return how long a process takes from its start to its end."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, *start.arguments],
        env=os.environ | dict(start.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - begin


def main() -> None:
    """Measure, and show a row for each."""
    options = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    options.add_argument("--runs", type=int, default=15)
    runs = options.parse_args().runs
    table = Table("start", "median", "lowest", "goal, idle", "× python -c pass")
    bare: list[float] = []
    for start in STARTS:
        took(start)  # what is compiled once, is compiled now
        pairs = [(took(PASS), took(start)) for _ in range(runs)]
        bare += [before for before, _ in pairs]
        times = [own for _, own in pairs]
        ratio = statistics.median(own / before for before, own in pairs)
        table.add_row(start.name, _ms(times), _lowest(times), _goal(start), f"{ratio:.1f}")
    table.add_row(PASS.name, _ms(bare), _lowest(bare), "", "1.0")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _ms(times: Sequence[float]) -> str:
    return f"{statistics.median(times) * 1000:.0f} ms"


def _lowest(times: Sequence[float]) -> str:
    return f"{min(times) * 1000:.0f} ms"


def _goal(start: Start) -> str:
    return "" if start.goal_s is None else f"≤ {start.goal_s * 1000:.0f} ms"


if __name__ == "__main__":
    main()
