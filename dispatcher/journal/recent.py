"""The last commits that Redis has confirmed, kept for the case that it loses them. Pure.

With `appendfsync everysec` a killed Redis machine forgets about two seconds (I9).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from shotline.dispatcher.journal.layout import CommitId
from shotline.dispatcher.journal.projection import Argument


@dataclass(slots=True)
class Kept:
    """A commit's arguments; `at` is when Redis last confirmed it (monotonic), `size` its bytes."""

    at: float
    id: CommitId
    arguments: Sequence[Argument]
    size: int


class RecentCommits:
    """Confirmed commits of one term in order, bounded by age and by bytes."""

    def __init__(self, keep_s: float, bytes_max: int) -> None:
        self._keep_s = keep_s
        self._bytes_max = bytes_max
        self._kept: deque[Kept] = deque()
        self._bytes = 0

    def add(self, now: float, commit: CommitId, arguments: Sequence[Argument], size: int) -> None:
        """Keep a commit that is newer than all others, and drop what is too old or too much."""
        self._kept.append(Kept(now, commit, arguments, size))
        self._bytes += size
        while self._bytes > self._bytes_max or self._kept[0].at < now - self._keep_s:
            self._bytes -= self._kept.popleft().size
            if not self._kept:
                return

    def since(self, first: CommitId) -> list[Kept]:
        """Return what is kept from a commit on, in order."""
        return [one for one in self._kept if one.id >= first]
