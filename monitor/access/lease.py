"""Who controls the experiment from pages, where only one may: the others watch. Pure."""

from shotline.common.base import Value
from shotline.monitor.access.identity import Identity


class Holding(Value):
    """The lease as somebody holds it. Times are wall clock, for display."""

    by: Identity
    since: float
    used_at: float


class Lease:
    """One lease; what is not used for `idle_s` is free again."""

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._held: Holding | None = None

    def held(self, now: float) -> Holding | None:
        """Return who holds it."""
        if self._held is not None and not 0 <= now - self._held.used_at < self._idle_s:
            self._held = None
        return self._held

    def refuses(self, now: float, who: Identity) -> str | None:
        """Return why somebody may change nothing now, None where they may; it is used then."""
        held = self.held(now)
        if held is None:
            return "nobody has the control: take it first"
        if held.by.key != who.key:
            return f"{held.by} has the control: take it over first"
        self._held = Holding(held.by, held.since, now)
        return None

    def take(self, now: float, who: Identity) -> Holding | None:
        """Give it to somebody, who says that they take it over; return whom it was taken from."""
        held = self.held(now)
        self._held = Holding(who, now, now)
        return None if held is None or held.by.key == who.key else held

    def release(self, now: float, who: Identity) -> bool:
        """Give it back; return whether they had it."""
        held = self.held(now)
        if held is None or held.by.key != who.key:
            return False
        self._held = None
        return True
