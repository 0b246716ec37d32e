"""Whether a dispatcher's term still stands, and when a new one may take a term. Pure.

Redis refuses the commits of a term below the one that was claimed last. The spill file asks nobody:
what is confirmed there must not be of a dispatcher that was replaced. So a new dispatcher that
cannot know that the one before it has ended first asks for its place, in Redis, and gives it
`patience_s` to hear of that. A dispatcher looks into Redis each `retry_s`, and leaves when somebody
asks. One that may have missed that, for it has stood still or has not been answered, confirms
nothing on its spill file until Redis has said that its term still stands.

Times are seconds of a clock that goes on while the machine sleeps.
"""

from math import ceil, inf
from typing import Final, NamedTuple

from shotline.common.base import Value
from shotline.common.settings.sections.redis import RedisSection
from shotline.dispatcher.journal.layout import CommitId

_SLACK_S: Final = 2.0  # by which a busy machine is late
_LEFT: Final = "left"  # in place of the spill file's name: nobody works with this term any more


def still_s(redis: RedisSection) -> float:
    """Return how long a dispatcher may hear nothing before its term is in doubt."""
    return redis.retry_s + redis.timeout_s + _SLACK_S


def patience_s(redis: RedisSection) -> float:
    """Return how long a new dispatcher gives the one before it.

    By then that one has heard of it, or is in doubt, or is cut off from Redis.
    """
    return 2 * still_s(redis)


class Holder(NamedTuple):
    """Who has claimed a term last: the name of its spill file, and its own for people."""

    term: int
    spill: str
    name: str

    @classmethod
    def parse(cls, text: bytes) -> "Holder | None":
        """Return what Redis keeps; None for anything else."""
        term, _, rest = text.decode(errors="replace").partition(" ")
        spill, _, name = rest.partition(" ")
        return cls(int(term), spill, name) if term.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.term} {self.spill} {self.name}"

    @property
    def having_left(self) -> "Holder":
        """The same once it has ended, with everything in Redis."""
        return self._replace(spill=_LEFT)

    def has_ended(self, last: CommitId, spill: str) -> bool:
        """Return whether it is proven to have ended, to whoever holds this spill file.

        A file is held by one process at a time.
        """
        is_over = self.spill == _LEFT or (bool(spill) and self.spill == spill)
        return is_over and self.term == last.term


class Place(Value):
    """What a new dispatcher finds in Redis."""

    last: CommitId
    holder: Holder | None
    asks: str  # who asks for the place
    process: bytes  # of Redis


class Succession:
    """A new dispatcher: may it claim a term now?"""

    def __init__(self, redis: RedisSection, name: str, spill: str) -> None:
        """Begin; `name` is this process's alone, `spill` that of the file that it holds."""
        self.name = name
        self.spill = spill
        self._still_s = still_s(redis)
        self.patience_s = patience_s(redis)
        self._seen: tuple[int, bytes] | None = None  # the term, and the process of Redis
        self._since = self._looked_at = -inf

    @property
    def asks_for_s(self) -> int:
        """How long Redis is to keep that it asks."""
        return ceil(2 * self.patience_s)

    def must_ask(self, found: Place) -> bool:
        """Return whether somebody else may be at work."""
        if not found.last.term:
            return False
        return found.holder is None or not found.holder.has_ended(found.last, self.spill)

    def may_claim(self, now: float, found: Place) -> bool:
        """Return whether it has asked for long enough, in one Redis that was there throughout."""
        seen = (found.last.term, found.process)
        is_same = self._seen == seen and now - self._looked_at <= self._still_s
        if not is_same or found.asks != self.name:
            self._since = now
        self._seen, self._looked_at = seen, now
        return found.asks == self.name and now - self._since >= self.patience_s

    def why(self, found: Place) -> str:
        """Say for what it waits."""
        if found.asks != self.name:
            return f"another dispatcher ({found.asks}) is about to take over: this one waits for it"
        who = f"the dispatcher before this one, {found.holder.name}," if found.holder else "one"
        return (
            f"{who} may still be at work: it is given {self.patience_s:g} s to hear of this one "
            "and to leave"
        )


class Standing:
    """A dispatcher at work: does its term still stand?"""

    def __init__(self, redis: RedisSection) -> None:
        self._still_s = still_s(redis)
        self._awake_at = -inf
        self._heard_at = -inf  # when what Redis has answered last was asked, or it was connected
        self._doubted_at = -inf
        self.doubt = ""
        """Why it may have been replaced, in words; "": its term stands."""

    def wakes(self, now: float) -> bool:
        """Take note that it is awake; return whether that casts a doubt."""
        asleep_s = now - self._awake_at
        self._awake_at = now
        if not self._still_s < asleep_s < inf:
            return False
        self._doubts(now, f"this dispatcher stood still for {asleep_s:.0f} s")
        return True

    def connected(self, now: float) -> None:
        """Redis is there, and can be asked."""
        self._heard_at = max(self._heard_at, now)

    def stands(self, asked_at: float) -> None:
        """Redis has said that it stands, asked then: that ends a doubt from before."""
        self._heard_at = max(self._heard_at, asked_at)
        if asked_at >= self._doubted_at:
            self.doubt = ""

    def cut_off(self, now: float) -> None:
        """Redis is away."""
        unheard_s = now - self._heard_at
        if self._still_s < unheard_s < inf:
            self._doubts(now, f"Redis has not answered for {unheard_s:.0f} s")

    def _doubts(self, now: float, why: str) -> None:
        self._doubted_at = now
        self.doubt = self.doubt or f"{why}, in which another may have taken over"
