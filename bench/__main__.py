"""`make bench`: all workloads, beside their baselines, and how they compare.

Each workload's results go to a file of their own, from which `make bench-doc` writes the tables in
docs/performance.md.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.daemons import PROGRAMS, USUAL, Form, is_there
from bench.harness import Measurement, Round
from bench.machine import facts, others_cores
from bench.results import HEADINGS, RESULTS, Results
from bench.suite import WORKLOADS
from bench.workloads import Sizes
from shotline.client.local.up import raise_descriptor_limit

WIDTH_MIN = 160  # a table that is piped into a file is not folded


def forms_of(asked: Sequence[Form]) -> list[Form]:
    """Return the forms to measure; the usual ones where none is named. Exit in words."""
    for form in asked:
        if not is_there(form):
            programs = " and ".join(f"shotline.{name}" for name in PROGRAMS[form])
            raise SystemExit(f"--daemons {form}: this Shotline has no {programs}")
    return list(asked) or [form for form in USUAL if is_there(form)]


def run(workload: Measurement, forms: Sequence[Form], rounds: int, scale: float) -> Results:
    """Measure one workload in some rounds."""
    rounds = min(rounds, workload.rounds_max)
    results = Results(workload.name, workload.title, facts(rounds, scale))
    for number in range(rounds):
        results.facts.others_cores.append(others_cores())
        print(f"{workload.name} {workload.title}: round {number + 1} of {rounds}", flush=True)
        with tempfile.TemporaryDirectory(prefix="shotline-bench-") as folder:
            workload.measure(Round(forms, Sizes().scaled(scale), Path(folder), results))
    return results


def show(results: Results, console: Console) -> None:
    """Print the tables of a workload."""
    headings = [HEADINGS, ("processes", "", *results.parts())]
    for heading, rows in zip(headings, (results.table(), results.shares()), strict=True):
        table = Table(*heading, title=f"{results.workload} {results.title}")
        for row in rows:
            table.add_row(*(cell.replace("**", "") for cell in row))
        if table.row_count:
            console.print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = [workload.name for workload in WORKLOADS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="do less, or more, of everything")
    parser.add_argument(
        "--daemons",
        type=Form,
        nargs="+",
        choices=list(Form),
        default=[],
        help="broker and dispatcher apart, in the hub, or in the hub with keys; by default the "
        "first two",
    )
    parser.add_argument("--results", type=Path, metavar="FOLDER", default=RESULTS)
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write the results."""
    options = _options()
    forms = forms_of(options.daemons)
    raise_descriptor_limit()
    console = Console()
    console = Console(width=max(console.width, WIDTH_MIN))
    for workload in WORKLOADS:
        if workload.name in options.only:
            results = run(workload, forms, options.rounds, options.scale)
            results.write(options.results)
            show(results, console)


if __name__ == "__main__":
    main()
