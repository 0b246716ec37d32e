"""How much is told of what anybody may cause as often as they like; the rest is counted. Pure."""

from typing import Final

EACH_S: Final = 1.0  # of one source, after its first ones
EACH_BURST: Final = 10
ALL_S: Final = 0.1  # of all sources together
ALL_BURST: Final = 100
SOURCES_MAX: Final = 1000


class Tellings:
    """Lets some be told, of each source and of all together. Times are monotonic."""

    def __init__(self) -> None:
        self._all = _Allowance(ALL_S, ALL_BURST)
        self._each: dict[str, _Allowance] = {}
        self._untold = 0

    def take(self, now: float, source: str) -> int | None:
        """Return how many were not told before this one; None: neither is this."""
        one = self._each.pop(source, None) or _Allowance(EACH_S, EACH_BURST)
        self._each[source] = one  # the last at the end
        if len(self._each) > SOURCES_MAX:
            del self._each[next(iter(self._each))]
        if not one.has(now) or not self._all.has(now):
            self._untold += 1
            return None
        one.use()
        self._all.use()
        untold, self._untold = self._untold, 0
        return untold


class _Allowance:
    """So many at once, and then one each `every_s`."""

    __slots__ = ("_at", "_burst", "_every_s", "_left")

    def __init__(self, every_s: float, burst: int) -> None:
        self._every_s, self._burst = every_s, burst
        self._left = float(burst)
        self._at: float | None = None

    def has(self, now: float) -> bool:
        """Return whether one more is allowed now."""
        if self._at is not None and now > self._at:
            self._left = min(self._burst, self._left + (now - self._at) / self._every_s)
        self._at = now
        return self._left >= 1

    def use(self) -> None:
        """Take one."""
        self._left -= 1
