"""`make sim-mutants`: plant each bug, and look for the first seed that catches it.

python -m tests.simulation.mutants --seeds 500 docs/reliability.md    writes the table there
python -m tests.simulation.mutants --only "lock"                      those with this in their words
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants.planting import SEEDS, Mutant, first_seed

MARK: Final = "<!-- planted bugs -->"
WORDS: Final = {
    "I1": "nothing starts twice",
    "I2": "output and results are kept",
    "I3": "the order is kept",
    "I4": "the journal comes first",
    "I5": "a run ends, once, behind its actions",
    "I6": "what is shown is true",
    "I9": "Redis gets again what it has lost",
    "F2": "a server serves no more than it is to",
    "Q1": "a plan runs once",
    "Q5": "what is HELD waits",
    "Q6": "a paused plan starts nothing",
    "Q8": "locks survive restarts",
    "Q10": "no idle moment between two plans",
    "Transition": "an action goes through its states in order",
    "V1": "sums are right",
    "V2": "a file is announced once",
    "V3": "a record is leased once, in its order",
    "alarms": "each cause has its alarm",
    "limit": "no more runs than the limits say",
    "HELD": "what is HELD starts nothing",
    "audit": "it is told who has asked for a run",
    "deadline": "what falls due is looked at",
    "honest": "what is said to be over runs no more",
    "mdsip": "an mdsip server works for one shot",
    "proof": "what is proven is true",
    "settled": "what is settled stays so",
    "slots": "no more is given than there are slots",
    "term": "the highest term dispatches",
    "truth": "a result is its own attempt's",
}
"""The rules in the words of those who read the page."""

HEAD: Final = """\
A simulation that has never failed proves little. So bugs are planted in the machines, one by one,
and the simulations must see each of them (`make sim-mutants` plants all, and writes this table):
"""


def table(found: dict[Mutant, int | None]) -> str:
    """Return the table for the page."""
    lines = ["| machine | planted bug | what it breaks | in seed |", "| --- | --- | --- | --- |"]
    for mutant, seed in found.items():
        with_it = "" if seed is None else "; or ".join(WORDS[rule] for rule in mutant.rules)
        at = "**not caught**" if seed is None else f"{seed} of `{mutant.kind}`"
        lines.append(f"| {mutant.machine} | {mutant.what} | {with_it} | {at} |")
    caught = sum(seed is not None for seed in found.values())
    return "\n".join((*lines, "", f"{caught} of {len(found)} are caught."))


def write(page: Path, text: str) -> None:
    """Put the section between its two marks."""
    head, mark, rest = page.read_text().partition(MARK)
    assert mark, f"{page} has no {MARK}"
    page.write_text(f"{head}{MARK}\n\n{HEAD}\n{text}\n\n{MARK}{rest.partition(MARK)[2]}")


def main(arguments: list[str]) -> int:
    """Try all. Return 1 where one is not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("page", nargs="?", type=Path)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--only", default="")
    asked = parser.parse_args(arguments)
    found: dict[Mutant, int | None] = {}
    for mutant in MUTANTS:
        if asked.only in mutant.what or asked.only == mutant.machine:
            known = mutant.seed if mutant.breaks(mutant.seed) else None
            found[mutant] = known if known is not None else first_seed(mutant, asked.seeds, say)
            say(f"{found[mutant]}: {mutant.machine}: {mutant.what}")
    text = table(found)
    if asked.page is not None:
        write(asked.page, text)
    else:
        say(text)
    return 0 if None not in found.values() else 1


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
