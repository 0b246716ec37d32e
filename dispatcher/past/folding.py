"""Shots of a store, folded, and how far an answer has looked back. Pure."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from msgspec import structs

from shotline.common.machine import Instant
from shotline.common.past.commands import LookBack
from shotline.common.records import ShotKey, ShotRecord, Transition
from shotline.common.settings.configuration import Config
from shotline.common.views import ShotView
from shotline.dispatcher.core import Core
from shotline.dispatcher.journal.layout import readable_history
from shotline.dispatcher.past.cursor import Cursor, in_order
from shotline.dispatcher.past.store import Store, Stored, Unreadable
from shotline.dispatcher.reading.views import Views
from shotline.dispatcher.shots import Shot

RECORDS_MAX: Final = 60_000  # of one answer: about a second of work
OUTPUT_BYTES_MAX: Final = 16 << 20  # likewise
SUMMARIES_MAX: Final = 5000
SHOTS_MAX: Final = 4  # whole ones in memory
UNREAD_MAX: Final = 20


class NotAnswered(Exception):
    """It cannot be answered; the text says why."""


class Nowhere(NotAnswered):
    """What is asked about does not exist."""


class Folded(NamedTuple):
    """A shot with its records; `version` is another text whenever it has changed."""

    version: str
    shot: Shot
    records: tuple[ShotRecord, ...]


class KeptViews(Views):
    """The views of a shot that goes on no more, however it stood."""

    def waits_for(self, shot: Shot, live: Transition) -> str:
        """Return what an unsettled action waits for."""
        if shot.open_run is not None and live.cause is None:
            return "nothing: the shot was kept while it ran"
        return super().waits_for(shot, live)


@dataclass(slots=True)
class Looked:
    """The work of one answer, and how far it came."""

    shots: int = 0
    back_to: float | None = None
    next: Cursor | None = None
    records: int = 0
    size: int = 0
    unread: list[str] = field(default_factory=list)

    @property
    def fields(self) -> dict[str, object]:
        """What the result says of it."""
        return {
            "looked_at": self.shots,
            "back_to": self.back_to,
            "next": None if self.next is None else str(self.next),
            "unread": tuple(self.unread),
        }


class Folds:
    """Reads one store; keeps a few shots, and short forms of many, for the next question."""

    def __init__(self, store: Store, config: Config | None = None) -> None:
        self.store = store
        self._folded: OrderedDict[ShotKey, Folded] = OrderedDict()
        self._short: OrderedDict[ShotKey, tuple[str, ShotView]] = OrderedDict()
        self.core = Core(config or Config(), "", 0, 0, Instant(0.0, 0.0))
        self.views = KeptViews(self.core)

    def fold(self, key: ShotKey, looked: Looked | None = None) -> Folded:
        """Return a shot with all its records. Raise Unreadable, or Nowhere where there is none."""
        version = self.store.version(key)
        if not version:
            raise Nowhere(f"nothing is known of {key}")
        known = self._folded.get(key)
        if known is not None and known.version == version:
            self._folded.move_to_end(key)
            return known
        records: list[ShotRecord] = []
        for entry in self.store.entries(key):
            records += entry.records
        shot = Shot(key)
        history = readable_history(records)
        try:
            for record in history:
                shot.apply(record)
        except (KeyError, IndexError, AssertionError) as error:
            raise Unreadable(f"the journal of {key} cannot be followed: {error!r}") from error
        shot.lines.update(self.store.outputs(key))
        if looked is not None:
            looked.records += len(records)
        folded = self._folded[key] = Folded(version, shot, history)
        while len(self._folded) > SHOTS_MAX:
            self._folded.popitem(last=False)
        return folded

    def summary(self, stored: Stored, looked: Looked | None = None) -> ShotView:
        """Return a shot in short. Raise Unreadable."""
        if stored.head is not None:
            return structs.replace(
                stored.head.view, kept=stored.kept, kept_words=stored.words, loaded=True
            )
        version = self.store.version(stored.key)
        known = self._short.get(stored.key)
        if known is not None and known[0] == version:
            return known[1]
        view = self.views.shot(self.fold(stored.key, looked).shot)
        self._short[stored.key] = (version, view)
        while len(self._short) > SUMMARIES_MAX:
            self._short.popitem(last=False)
        return view

    def key_of(self, name: str) -> ShotKey:
        """Return the shot of a name as TEST/42."""
        tree, _, shot = name.strip().upper().partition("/")
        return ShotKey(tree, int(shot))

    def stored(self, key: ShotKey) -> Stored:
        """Return where a shot is. Raise Nowhere."""
        for one in self.store.shots():
            if one.key == key:
                return one
        raise Nowhere(f"nothing is known of {key}")

    def back(self, asked: LookBack, looked: Looked) -> Iterator[tuple[Stored, Cursor]]:
        """Yield shots as long as the answer has room for more work; then note where to go on."""
        for stored, cursor in in_order(self.store.shots(), asked):
            if looked.next is not None:
                return
            if looked.records >= RECORDS_MAX or looked.size >= OUTPUT_BYTES_MAX:
                looked.next = cursor
                return
            yield stored, cursor
            if looked.next is None or looked.next.key == stored.key:
                looked.back_to = stored.at
            if looked.next is None:
                looked.shots += 1

    def unread(self, looked: Looked, stored: Stored, why: Exception) -> None:
        """Note a shot that cannot be read."""
        if len(looked.unread) < UNREAD_MAX:
            looked.unread.append(f"{stored.key}: {why}")


def matches(text: str, words: Iterable[str]) -> bool:
    """Return whether a text has all of these words, which are in small letters."""
    folded = text.casefold()
    return all(word in folded for word in words)
