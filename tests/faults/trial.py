"""What a trial is: something is broken on purpose, many times, and what came of it is counted."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FIGURES: Final = ("starts", "started twice", "results lost", "ends journalled twice")


@dataclass
class Row:
    """What a trial has come to: `tried` faults, what was counted, and what should not have been.

    `wrong` are the sentences of what broke a promise; without one the trial has held.
    """

    tried: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)  # facts worth a word beside the figures
    wrong: list[str] = field(default_factory=list)

    def check(self, holds: bool, sentence: str) -> None:  # noqa: FBT001  # as `assert` has it
        """Take note of a promise that does not hold."""
        if not holds:
            self.wrong.append(sentence)


@dataclass(frozen=True)
class Trial:
    """A trial: its name, what is broken in it, what is promised, and the function that does it.

    `scale` says how much of it: 1 is all of it, less is for quick runs.
    """

    name: str
    broken: str
    promised: str
    function: Callable[[Path, float], Row]
    quick: float = (
        0.0  # the scale with which every test run does it; 0: it is left to `make faults`
    )

    def run(self, scale: float = 1.0) -> tuple[Row, float]:
        """Do it in a folder of its own; return what it came to and how many seconds it took."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="pytest-faults-") as folder:
            try:
                row = self.function(Path(folder), scale)
            except AssertionError as error:
                row = Row(wrong=[f"it did not come to its end: {error}"])
        return row, time.monotonic() - began
