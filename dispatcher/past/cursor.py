"""Where an answer about the past goes on: shots in their order, and a place inside of one. Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shotline.common.past.commands import LookBack
from shotline.common.records import ShotKey
from shotline.dispatcher.past.store import Stored


class BadCursor(Exception):
    """What was given as `before` is no `next` of an answer."""


class Cursor(NamedTuple):
    """The first shot that was not wholly looked at, and how far inside of it."""

    at: float
    key: ShotKey
    unit: int = 0  # 0: its records, then its outputs
    line: int = 0

    def __str__(self) -> str:
        return f"{self.at!r} {self.key} {self.unit} {self.line}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Return the cursor of its text. Raise BadCursor."""
        try:
            at, name, unit, line = text.split(" ")
            tree, _, shot = name.partition("/")
            found = cls(float(at), ShotKey(tree, int(shot)), int(unit), int(line))
        except ValueError:
            raise BadCursor from None
        if found.unit < 0 or found.line < 0 or found.at != found.at:
            raise BadCursor
        return found


def place(at: float, key: ShotKey) -> tuple[float, str, int]:
    """Return what shots are sorted by: the newest first."""
    return -at, key.tree, -key.shot


def in_order(shots: Iterable[Stored], asked: LookBack) -> Iterator[tuple[Stored, Cursor]]:
    """Yield the shots that an answer looks at, from where it begins; each with its own cursor."""
    begin = None if asked.before is None else Cursor.parse(asked.before)
    wanted = [
        one
        for one in shots
        if asked.tree in (None, one.key.tree)
        and (asked.since is None or one.at >= asked.since)
        and (asked.until is None or one.at < asked.until)
        and (begin is None or place(one.at, one.key) >= place(begin.at, begin.key))
    ]
    wanted.sort(key=lambda one: place(one.at, one.key))
    for one in wanted:
        is_begin = begin is not None and (begin.at, begin.key) == (one.at, one.key)
        yield one, begin if begin is not None and is_begin else Cursor(one.at, one.key)
