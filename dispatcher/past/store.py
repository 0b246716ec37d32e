"""What the past is read from, and several such in one. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from shotline.common.errors import ShotlineError
from shotline.common.past.shotfile import FileHead
from shotline.common.records import ShotKey, ShotRecord, Transition

Kept = Literal["", "kept", "imported"]


class Unreadable(ShotlineError):
    """A shot, or a whole store, cannot be read now; the text says why."""


class Stored(NamedTuple):
    """A shot that is stored: when it has changed last, and in what."""

    at: float
    key: ShotKey
    kept: Kept = ""
    words: str = ""  # where it has come from
    head: FileHead | None = None  # of a file


class JournalEntry(NamedTuple):
    """What was journalled together."""

    id: str
    records: tuple[ShotRecord, ...]


class Store(Protocol):
    """Somewhere that shots are stored. Everything may raise Unreadable, and may block."""

    def shots(self) -> Sequence[Stored]:
        """Return all shots, in any order."""
        ...

    def version(self, key: ShotKey) -> str:
        """Return what is another text whenever the shot has changed; "" where it is not there."""
        ...

    def entries(self, key: ShotKey, after: str = "") -> Iterator[JournalEntry]:
        """Yield the entries of a shot's journal behind one, oldest first."""
        ...

    def outputs(self, key: ShotKey) -> Mapping[tuple[str, int], int]:
        """Return the stored lines of each attempt that has output."""
        ...

    def output(self, key: ShotKey, path: str, attempt: int, since: int) -> Iterator[bytes]:
        """Yield the stored pieces of an attempt from that with line `since` on."""
        ...

    def last(self, key: ShotKey, path: str) -> Transition | None:
        """Return an action's last transition; None where it has none."""
        ...


class Both:
    """Two stores in one; what both have is the first one's."""

    def __init__(self, first: Store, second: Store) -> None:
        self._first, self._second = first, second

    def shots(self) -> Sequence[Stored]:
        """Return the shots of both."""
        found = list(self._first.shots())
        known = {one.key for one in found}
        others = [one for one in self._second.shots() if one.key not in known]
        return [*found, *others]

    def of(self, key: ShotKey) -> Store:
        """Return the store that has a shot; the second where none has it."""
        return self._first if self._first.version(key) else self._second

    def version(self, key: ShotKey) -> str:
        """Return the version of the shot."""
        return self._first.version(key) or self._second.version(key)

    def entries(self, key: ShotKey, after: str = "") -> Iterator[JournalEntry]:
        """Yield the entries of the shot."""
        return self.of(key).entries(key, after)

    def outputs(self, key: ShotKey) -> Mapping[tuple[str, int], int]:
        """Return the outputs of the shot."""
        return self.of(key).outputs(key)

    def output(self, key: ShotKey, path: str, attempt: int, since: int) -> Iterator[bytes]:
        """Yield pieces of an output of the shot."""
        return self.of(key).output(key, path, attempt, since)

    def last(self, key: ShotKey, path: str) -> Transition | None:
        """Return an action's last transition in the shot."""
        return self.of(key).last(key, path)
