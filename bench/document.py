"""`make bench-doc`: writes the tables of docs/performance.md from the results.

    python -m bench.document docs/performance.md

Everything between the two marks of the document is written anew; a test holds the committed page to
the committed results.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.results import HEADINGS, RESULTS, Results, lines
from bench.suite import WORKLOADS

BEGIN: Final = "<!-- The tables: written by `make bench-doc` from bench/results. -->\n"
END: Final = "<!-- The end of the tables. -->\n"

QUIET: Final = 0.2  # cores that others may take


def written(document: str, folder: Path = RESULTS) -> str:
    """Return the document with its tables as the results are now. Raise ValueError."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document lacks the marks between which the tables stand")
    return before + BEGIN + "\n" + "".join(_tables(folder)) + END + after


def _tables(folder: Path) -> Iterator[str]:
    found = [Results.read(folder, workload.name) for workload in WORKLOADS]
    results = [one for one in found if one is not None]
    yield from _measured(results)
    for one in results:
        yield f"### {_heading(one)}\n\n"
        if missed := one.missed():
            yield f"Goals not met: {len(missed)}.\n\n"
        yield from lines([HEADINGS, *one.table()])
        yield "\n"
        if one.parts():
            yield "By process:\n\n"
            yield from lines([("", "", *one.parts()), *one.shares()])
            yield "\n"


def _heading(one: Results) -> str:
    return f"{one.workload[0].upper()}{one.workload[1:]}: {one.title}"


def _measured(results: list[Results]) -> Iterator[str]:
    """Yield where and when all this was measured, and what others took meanwhile."""
    for place in dict.fromkeys(one.facts.place for one in results):
        yield f"Machine: {place}.\n\n"
    heading = ("", "when (UTC)", "of", "rounds", "scale", "cores that others took before each")
    rows = [
        (
            one.workload,
            one.facts.at,
            one.facts.commit,
            str(one.facts.rounds),
            f"{one.facts.scale:g}",
            ", ".join(f"{cores:g}" for cores in one.facts.others_cores),
        )
        for one in results
    ]
    yield from lines([heading, *rows])
    yield "\n"
    if any(cores > QUIET for one in results for cores in one.facts.others_cores):
        yield (
            "Others used the machine meanwhile. Then each of a dozen processes waits for its turn "
            "on the way of one action, and ratios are too high, those of W1 most of all: measure "
            "again on a quiet machine.\n\n"
        )


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
