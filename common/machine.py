"""What all state machines share: the instant of an event and the tick of a due deadline.

A machine is `handle(now, event) -> effects` and `wake_at()`; it never reads a clock (DESIGN §6).
"""

from dataclasses import dataclass
from typing import NamedTuple


class Instant(NamedTuple):
    """When an event is handled: `mono` for deadlines, `wall` only for display. Both in seconds."""

    mono: float
    wall: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline that `wake_at` named may be due."""
