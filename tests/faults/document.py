"""`make faults-doc`: writes the table of docs/reliability.md from the results of the last runs."""

import sys
from pathlib import Path
from typing import Final

from bench.results import lines
from tests.faults import TRIALS
from tests.faults.results import RESULTS, kept

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN: Final = "<!-- The trials: written by `make faults-doc` from the last runs. -->\n"
END: Final = "<!-- The end of the trials. -->\n"
HEADINGS: Final = ("trial", "what was broken", "tried", "what was counted", "held", "when (UTC)")


def written(document: str, file: Path = RESULTS) -> str:
    """Return the document with its table as the results are now. Raise ValueError."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the document lacks the marks between which the table stands")
    results, rows = kept(file), [HEADINGS]
    for trial in TRIALS:
        one = results.get(trial.name)
        if one is None:
            rows.append((trial.name, trial.broken, "", "", "not run yet", ""))
            continue
        told = ", ".join(f"{name} {number}" for name, number in one.counted.items())
        part = "" if one.scale == 1 else f" (a part: {one.scale:g})"
        held = "yes" if not one.wrong else "; ".join(one.wrong)
        rows.append((trial.name, trial.broken, f"{one.tried}{part}", told, held, one.day))
    return before + BEGIN + "\n" + "".join(lines(rows)) + "\n" + END + after


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(written(file.read_text()))
