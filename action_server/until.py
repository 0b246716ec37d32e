"""When a server has served what it was started for: `--until idle=60`, `--until actions=20`. Pure.

It then takes no more work, and asks the dispatcher to be ended: whatever was on its way to it has
come, or come back, before that is answered. Where nobody answers it ends by itself.
"""

import re
from collections.abc import Iterable
from math import inf
from typing import Final, Self

from shotline.common.base import Value
from shotline.common.machine import Instant
from shotline.common.ranges import NUMBER_MAX

ANSWER_S: Final = 10.0
"""The dispatcher is waited for this long; nobody else can have sent work meanwhile."""

_WORDS: Final = re.compile(r"(idle|actions)=([0-9]{1,9}(?:\.[0-9]{1,6})?)", re.ASCII)


class Term(Value):
    """How long a server serves: until it was idle so long, or for so many actions; both: the first
    of them. None: for ever.
    """

    idle_s: float | None = None
    actions: int | None = None

    @classmethod
    def of(cls, words: Iterable[str]) -> Self:
        """Return what `idle=60` and `actions=20` say. Raise ValueError."""
        found: dict[str, float] = {}
        for text in words:
            match = _WORDS.fullmatch(text.strip())
            if match is None or match[1] in found:
                raise ValueError(
                    f"{text!r} is neither idle=SECONDS nor actions=NUMBER, each at most once"
                )
            found[match[1]] = float(match[2])
        actions = found.get("actions")
        if actions is not None and not (1 <= actions <= NUMBER_MAX and actions.is_integer()):
            raise ValueError("actions must be a whole number, at least 1")
        return cls(found.get("idle"), None if actions is None else int(actions))


class Until:
    """Whether the time has come. Idle counts from the start, and from the end of the last task."""

    def __init__(self, term: Term) -> None:
        self._term = term
        self._idle_since = inf
        self._asked_at = inf
        self.reason = ""  # why it wants to be ended; "": it does not

    def left(self, taken: int) -> bool:
        """Return whether it may take one more, of which it has taken so many."""
        return not self.reason and (self._term.actions is None or taken < self._term.actions)

    def look(self, now: Instant, taken: int, *, has_work: bool) -> bool:
        """Look whether it has served enough. Return True once, when it has: ask to be ended."""
        if has_work or self.reason:
            self._idle_since = inf
            return False
        if self._idle_since == inf:
            self._idle_since = now.mono
        term = self._term
        if term.actions is not None and taken >= term.actions:
            self.reason = f"it has served its {taken} actions"
        elif term.idle_s is not None and now.mono >= self._idle_since + term.idle_s:
            self.reason = f"it was idle for {term.idle_s:g} s"
        if self.reason:
            self._asked_at = now.mono
        return bool(self.reason)

    def is_over(self, now: Instant) -> bool:
        """Whether nobody has answered: it may end by itself."""
        return now.mono >= self._asked_at + ANSWER_S

    def wake_at(self) -> float:
        """Return when to look again, `inf` for never."""
        if self.reason:
            return self._asked_at + ANSWER_S
        return inf if self._term.idle_s is None else self._idle_since + self._term.idle_s
