"""What all state machines share: the instant of an event and the tick of a due deadline.

A machine is `handle(now, event) -> effects` and `wake_at()`; it never reads a clock (DESIGN §6).
"""

from typing import NamedTuple

from shotline.common.base import Value


class Instant(NamedTuple):
    """When an event is handled: `mono` for deadlines, `wall` only for display. Both in seconds."""

    mono: float
    wall: float


class Tick(Value):
    """A deadline that `wake_at` named may be due."""
