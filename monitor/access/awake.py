"""Whether the monitor has just stood still: what waits in its sockets was asked long ago. Pure.

Whoever asked has gone away, or has asked again: an order of yesterday is not carried out today.
"""

from math import inf
from typing import Final

STILL_S: Final = 5.0
_SETTLES_S: Final = 1.0  # until all that had waited is read


class Awake:
    """Is looked at once a second, and with each order. Times go on while the machine sleeps."""

    def __init__(self, now: float) -> None:
        self._looked_at = now
        self._woken_at = -inf
        self._asleep_s = 0.0

    def look(self, now: float) -> None:
        """Take note that it is awake."""
        if now - self._looked_at >= STILL_S:
            self._woken_at, self._asleep_s = now, now - self._looked_at
        self._looked_at = now

    def refuses(self, now: float) -> str | None:
        """Return why nothing is ordered now."""
        self.look(now)
        if now >= self._woken_at + _SETTLES_S:
            return None
        return (
            f"the monitor stood still for {self._asleep_s:.0f} s, and this may have been asked "
            "before: nothing was done, ask again"
        )
