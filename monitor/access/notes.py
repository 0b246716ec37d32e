"""What is done at the page that is no command: it is told to the dispatcher, for its audit.

Whoever does something leaves a note here and goes on; one task tells them, in order, when there is
a dispatcher. Pure.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from shotline.client.calls import Call
from shotline.common.codec import sendable
from shotline.common.commands import NoteAccess
from shotline.common.machine import Instant
from shotline.common.messages import Behalf, Outcome, Reply
from shotline.common.tellings import Tellings

WAITING_MAX: Final = 1000
TEXT_MAX: Final = 1000


class Note(NamedTuple):
    """What somebody has done, when (wall clock)."""

    behalf: Behalf
    command: NoteAccess


class Notes:
    """Notes that wait to be told; of very many the oldest are only counted."""

    def __init__(self) -> None:
        self._waiting: deque[Note] = deque()
        self._tellings = Tellings()
        self._untold = 0
        self.on_note: Callable[[], None] = lambda: None

    def add(
        self, behalf: Behalf, at: float, what: str, outcome: Outcome = Outcome.OK, **more: Any
    ) -> None:
        """Note what somebody has done; `more` is what a line of the audit has besides."""
        for name in more.keys() & {"message", "arguments"}:
            more[name] = sendable(str(more[name]))[:TEXT_MAX]
        untold = self._untold + more.pop("untold", 0)
        self._untold = 0
        made = NoteAccess(what=what, outcome=outcome, at=at, untold=untold, **more)
        self._waiting.append(Note(behalf, made))
        if len(self._waiting) > WAITING_MAX:
            self._untold += 1 + self._waiting.popleft().command.untold
        self.on_note()

    def refused(self, now: Instant, behalf: Behalf, what: str, **more: Any) -> None:
        """Note what was refused to somebody, who may try as often as they like."""
        untold = self._tellings.take(now.mono, behalf.address)
        if untold is not None:
            self.add(behalf, now.wall, what, Outcome.REFUSED, untold=untold, **more)

    @property
    def first(self) -> Note | None:
        """The one that is to be told next."""
        return self._waiting[0] if self._waiting else None

    def told(self, note: Note) -> None:
        """Forget a note, which the dispatcher has."""
        if self.first is note:
            self._waiting.popleft()


def call_of(note: Note) -> Call[Reply]:
    """Return the call that tells a note."""
    return Call(note.command, lambda reply, _: reply, raw=True, behalf=note.behalf)
