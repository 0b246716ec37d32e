"""What all state machines share: the instant of an event and the tick of a due deadline.

A machine is `handle(now, event) -> effects` and `wake_at()`; it never reads a clock (DESIGN §6).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from shotline.common.base import Value


class Instant(NamedTuple):
    """When an event is handled: `mono` for deadlines, `wall` only for display. Both in seconds."""

    mono: float
    wall: float


def recurs_at(now: float, period_s: float) -> float:
    """Return when to do again what is done every so often: one wake-up is for all of that."""
    at = (now // period_s + 1.0) * period_s
    return at if at > now else at + period_s  # by a rounding it was not behind now


class Tick(Value):
    """A deadline that `wake_at` named may be due."""


@dataclass(slots=True)
class KeptDeadline:
    """What a machine's `wake_at` has said last: infinite for None.

    Whoever tells the machine something has it asked again; nothing else moves its deadline.
    """

    wake_at: Callable[[], float | None]
    at: float = inf

    def ask(self) -> None:
        """Ask the machine again."""
        due = self.wake_at()
        self.at = inf if due is None else due

    def check(self) -> None:
        """Assert that the machine has not moved its deadline unasked."""
        due = self.wake_at()
        is_kept = self.at == (inf if due is None else due)
        assert is_kept, f"deadline: {self.at} is kept, the machine says {due}"
