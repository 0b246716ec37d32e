"""When a file is complete: closed, renamed, stable for a while, or marked by another file. Pure.

A candidate is a file that a rule fits and that was not announced as it is now.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from shotline.volumes.watcher.rules import Found

CANDIDATES_MAX: Final = 50_000
"""More are looked at when some of these are complete: the next scan finds them (I8)."""

MARKER_S: Final = 1.0  # how often a marker is looked for that no event has told of


class How(StrEnum):
    """What has told of a file."""

    SCANNED = "scanned"
    CHANGED = "changed"  # made, or written to
    CLOSED = "closed"  # by somebody who could write
    MOVED = "moved"  # here, from another name


class Look(NamedTuple):
    """A file as it is now; of several that belong together their sum, and the latest time."""

    size_b: int
    mtime_ns: int

    @property
    def generation(self) -> str:
        """Which content it is."""
        return f"{self.mtime_ns}-{self.size_b}"


@dataclass(slots=True)
class Candidate:
    """A file that is not complete yet, as far as is known."""

    found: Found
    look: Look
    since: float  # when it was first seen as it is now (monotonic)
    due: float  # when it is looked at again


class Candidates:
    """The candidates of a volume. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._all: dict[str, Candidate] = {}
        self._markers: dict[str, str] = {}  # marker → whose it is
        self.is_full = False  # some were left out since it was last asked

    def __len__(self) -> int:
        return len(self._all)

    def of_marker(self, path: str) -> str | None:
        """Return the file that a path is the marker of, where that is a candidate."""
        return self._markers.get(path)

    def forget(self, path: str) -> None:
        """Leave a file out: it is gone, or was announced."""
        candidate = self._all.pop(path, None)
        if candidate is not None and candidate.found.marker is not None:
            self._markers.pop(candidate.found.marker, None)

    def take_full(self) -> bool:
        """Return whether some were left out since this was last asked."""
        was, self.is_full = self.is_full, False
        return was

    def seen(self, now: float, found: Found, look: Look, how: How, *, marked: bool) -> bool:
        """Take how a file is now. Return whether it is complete, and no candidate any more.

        `marked`: its marker is there.
        """
        complete = found.rule.section.complete
        before = self._all.get(found.path)
        if before is None and len(self._all) >= CANDIDATES_MAX:
            self.is_full = True
            return False
        is_same = before is not None and before.look == look
        since = before.since if before is not None and is_same else now
        if self._is_complete(found, how, now - since, marked=marked):
            self.forget(found.path)
            return True
        due = now + MARKER_S if complete.when == "marker" else since + complete.stable_s
        self._all[found.path] = Candidate(found, look, since, max(due, now))
        if found.marker is not None:
            self._markers[found.marker] = found.path
        return False

    def _is_complete(self, found: Found, how: How, stable_s: float, *, marked: bool) -> bool:
        complete = found.rule.section.complete
        if complete.when == "marker":
            return marked
        if stable_s > 0 and stable_s >= complete.stable_s:
            return True
        if found.companions:
            return False  # one of them tells nothing of the others
        if complete.when == "closed":
            return how in (How.CLOSED, How.MOVED)
        return complete.when == "renamed" and how is How.MOVED

    def due_at(self) -> float | None:
        """Return when the first of them is to be looked at."""
        return min((one.due for one in self._all.values()), default=None)

    def due(self, now: float) -> list[Found]:
        """Return those that are to be looked at now."""
        return [one.found for one in self._all.values() if one.due <= now]
