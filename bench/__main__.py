"""`make bench`: all workloads on both baselines and on Shotline, in turns, and how they compare.

A round starts everything anew. Within a round each workload runs on one stack after the other,
short ones several times, so that what else the machine does hits all alike; a ratio is one of
neighbours in time, and the median of all is shown, with the lowest and the highest.
"""

import argparse
import json
import pstats
import statistics
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.baseline import Baseline
from bench.shotline_run import DAEMONS, Shotline
from bench.workloads import GOALS, Figure, Sizes, Stack, Workload, measure, median
from shotline.client.local.redis_server import RedisServer
from shotline.common.secret_file import read_secret

B1: Final = "B1"
B2: Final = "B2"
SHOTLINE: Final = "Shotline"
MEMORY_SHOTS: Final = 11
MEMORY_SPAN: Final = 4  # so many shots are compared with as many before them
PROFILE_LINES: Final = 40
WIDTH_MIN: Final = 160  # a table that is piped into a file is not folded


@dataclass
class Outcome:
    """All that was measured."""

    sizes: Sizes
    figures: dict[Workload, dict[str, list[Figure]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    table_s: list[float] = field(default_factory=list)
    memory_per_action_bytes: list[float] = field(default_factory=list)

    def ratios(self, workload: Workload) -> list[float]:
        """Return Shotline's ratios to the second baseline, each of measurements close in time."""
        stacks = self.figures[workload]
        return [
            ours.value / theirs.value
            for ours, theirs in zip(stacks[SHOTLINE], stacks[B2], strict=True)
        ]


def run_round(outcome: Outcome, workloads: list[Workload], *, shotline: bool) -> None:
    """Start all stacks, run the workloads on them in turns, end them."""
    sizes = outcome.sizes
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="shotline-bench-")))
        stacks: dict[str, Stack] = {
            B1: running.enter_context(Baseline(sizes)),
            B2: running.enter_context(Baseline(sizes, _redis(running, folder / "b2"))),
        }
        ours: Shotline | None = None
        if shotline:
            ours = Shotline(sizes, _redis(running, folder / "redis"), folder)
            stacks[SHOTLINE] = running.enter_context(ours)
        for workload in workloads:
            for _ in range(GOALS[workload].repeats):
                figures = measure(list(stacks.values()), workload, sizes)
                for name, figure in zip(stacks, figures, strict=True):
                    outcome.figures[workload][name].append(figure)
                    print(f"  {workload} {name:8} {_text(workload, figure)}", flush=True)
        if ours is not None and Workload.W2 in workloads:
            _measure_memory(outcome, ours)


def _measure_memory(outcome: Outcome, shotline: Shotline) -> None:
    """Measure what settled actions leave in the dispatcher once their shots are closed."""
    sizes_bytes = []
    for _ in range(MEMORY_SHOTS):
        shotline.prepare(Workload.W2)
        if shotline.table_s is not None:
            outcome.table_s.append(shotline.table_s)
        shotline.run(Workload.W2)
        sizes_bytes.append(shotline.dispatcher_bytes())
    # The first shots fill what may be held; from then on nothing may grow. What a shot in the
    # making needs goes up and down with the moment of the measurement, so the highest values are
    # compared.
    steady = sizes_bytes[-2 * MEMORY_SPAN :]
    before, after = max(steady[:MEMORY_SPAN]), max(steady[MEMORY_SPAN:])
    settled = outcome.sizes.independent * MEMORY_SPAN
    outcome.memory_per_action_bytes.append((after - before) / settled)


def show(outcome: Outcome, console: Console) -> None:
    """Print the table of results."""
    table = Table(title="Medians of all rounds; ratios of neighbours in time, lowest to highest")
    table.add_column("workload", no_wrap=True)
    for heading in (B1, B2, SHOTLINE, "ratio to B2", "target", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for workload, stacks in outcome.figures.items():
        goal = GOALS[workload]
        cells = [_text(workload, median(stacks[name])) for name in (B1, B2) if name in stacks]
        if SHOTLINE in stacks:
            ratios = outcome.ratios(workload)
            ratio = statistics.median(ratios)
            cells += [
                _text(workload, median(stacks[SHOTLINE])),
                f"{ratio:.2f} ({min(ratios):.2f}–{max(ratios):.2f})",
                goal.text,
                "met" if goal.is_met(ratio) else "NOT MET",
            ]
        table.add_row(f"{workload} {goal.title}", *cells)
    console.print(table)
    if outcome.table_s:
        console.print(
            f"Table of {outcome.sizes.independent} actions: built in "
            f"{statistics.median(outcome.table_s):.2f} s (target: 1 s)"
        )
    if outcome.memory_per_action_bytes:
        console.print(
            "Dispatcher memory that a settled action of a closed shot leaves: "
            f"{statistics.median(outcome.memory_per_action_bytes):.0f} bytes (target: none)"
        )


def save(outcome: Outcome, file: Path) -> None:
    """Write everything that was measured as JSON."""
    content = {
        "sizes": asdict(outcome.sizes),
        "workloads": {
            workload: {
                "title": GOALS[workload].title,
                "unit": GOALS[workload].unit,
                "target": GOALS[workload].text,
                "rounds": {name: [asdict(one) for one in got] for name, got in stacks.items()},
                "ratios": outcome.ratios(workload) if SHOTLINE in stacks else [],
            }
            for workload, stacks in outcome.figures.items()
        },
        "table_s": outcome.table_s,
        "memory_per_action_bytes": outcome.memory_per_action_bytes,
    }
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def profile(workload: Workload, sizes: Sizes, daemon: str, file: Path) -> None:
    """Run one workload on Shotline alone, one daemon under cProfile, and show the top."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="shotline-bench-")))
        address = _redis(running, folder / "redis")
        shotline = running.enter_context(Shotline(sizes, address, folder, {daemon: file}))
        (figure,) = measure([shotline], workload, sizes)
    print(f"{workload}, {daemon} under the profiler: {_text(workload, figure)}")
    pstats.Stats(str(file)).sort_stats("tottime").print_stats(PROFILE_LINES)
    print(f"all of it: {file}")


def _redis(running: ExitStack, folder: Path) -> str:
    server = running.enter_context(RedisServer(folder))
    return server.url.replace("//", f"//:{read_secret(server.password_file)}@")


def _text(workload: Workload, figure: Figure) -> str:
    value = f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.3f}"
    p99 = "" if figure.p99 is None else f", p99 {figure.p99:.2f}"
    return f"{value} {GOALS[workload].unit}{p99}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", type=Workload, nargs="+", choices=list(Workload), default=list(Workload)
    )
    parser.add_argument("--scale", type=float, default=1.0, help="do less, or more, of everything")
    parser.add_argument("--baselines-only", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FILE",
        help="run each workload of --only once on Shotline, a daemon under cProfile; {workload} "
        "and {daemon} in FILE become their names",
    )
    parser.add_argument(
        "--daemon", choices=DAEMONS, nargs="+", default=["dispatcher"], help="what to profile"
    )
    return parser.parse_args()


def main() -> None:
    """Run the suite, or profile."""
    options = _options()
    sizes = Sizes().scaled(options.scale)
    if options.profile is not None:
        for workload, daemon in product(options.only, options.daemon):
            file = str(options.profile.absolute())
            named = file.replace("{workload}", workload).replace("{daemon}", daemon)
            profile(workload, sizes, daemon, Path(named))
        return
    outcome = Outcome(sizes)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", flush=True)
        run_round(outcome, options.only, shotline=not options.baselines_only)
    console = Console()
    show(outcome, Console(width=max(console.width, WIDTH_MIN)))
    if options.json is not None:
        save(outcome, options.json)


if __name__ == "__main__":
    main()
