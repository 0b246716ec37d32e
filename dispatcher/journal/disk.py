"""The spill file behind a thread of its own: appended to, cleared, and still to be read back.

What a commit is, and when it goes to the file instead of to Redis, is `redis_journal`'s. A disk
that hangs keeps only the thread waiting (I9).
"""

from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path

from shotline.common.errors import JournalError
from shotline.dispatcher.journal.spill import SpillFile
from shotline.dispatcher.journal.worker import Failed, Worker


class DiskResult(Enum):
    """What the thread has done."""

    APPENDED = auto()
    NOT_APPENDED = auto()  # `trouble` says why; tried again from `retry_at` on
    CLEARED = auto()
    CLOSED = auto()  # nobody asks any more


class Disk:
    """The file and its thread: one call at a time.

    `trouble`: why the last append failed, in words. `replayed`: bytes of the file that Redis has.
    """

    def __init__(
        self, path: Path, bytes_max: int, retry_s: float, notify: Callable[[], None]
    ) -> None:
        self._path, self._bytes_max, self._retry_s = path, bytes_max, retry_s
        self._file: SpillFile | None = None
        self._worker: Worker[DiskResult] = Worker("journal-disk", notify, (OSError, JournalError))
        self._at_hand: DiskResult | None = None  # what the thread is to do
        self.trouble = ""
        self.retry_at = 0.0
        self.replayed = 0

    def open(self) -> SpillFile:
        """Open and lock the file unless it is. Raise JournalError when that cannot be."""
        if self._file is None:
            self._file = SpillFile(self._path, self._bytes_max)
        return self._file

    @property
    def file(self) -> SpillFile:
        """The file, once it is open."""
        if self._file is None:
            raise JournalError("the journal is used before it was loaded")
        return self._file

    @property
    def is_busy(self) -> bool:
        """Whether the thread is at the disk."""
        return self._at_hand is not None

    @property
    def backlog(self) -> int:
        """Bytes of the file that Redis does not have."""
        return max(self.file.size - self.replayed, 0)

    def is_ready(self, now: float) -> bool:
        """Whether a commit may be appended now."""
        return not self.is_busy and not (self.trouble and now < self.retry_at)

    def next_commit(self) -> tuple[int, bytes] | None:
        """Return where the first commit that Redis does not have ends, and its data."""
        return next(iter(self.file.frames(self.replayed)), None)

    def append(self, data: bytes) -> None:
        """Begin to append a commit."""
        file = self.file

        def append() -> DiskResult:
            file.append(data)
            return DiskResult.APPENDED

        self._at_hand = DiskResult.APPENDED
        self._worker.call(append)

    def clear(self) -> None:
        """Begin to empty the file: Redis has all that it holds."""
        file = self.file

        def clear() -> DiskResult:
            file.clear()
            return DiskResult.CLEARED

        self._at_hand = DiskResult.CLEARED
        self._worker.call(clear)

    def take(self, now: float) -> DiskResult | None:
        """Return what the thread has done meanwhile."""
        result = self._worker.take()
        if result is None:
            return None
        wanted, self._at_hand = self._at_hand, None
        if wanted is DiskResult.CLEARED:
            # Also after a failure: should the file keep what it holds, that is written once more at
            # the next start and changes nothing.
            self.replayed = 0
            return DiskResult.CLEARED
        if isinstance(result, Failed):
            self.retry_at = now + self._retry_s
            self.trouble = self._words(result.error)
            return DiskResult.NOT_APPENDED
        self.trouble = ""
        return DiskResult.APPENDED

    def close(self) -> None:
        """Give the file free; where the thread hangs at the disk, as soon as that lets it go."""
        file = self._file
        if file is None:
            return
        self._file = None

        def close() -> DiskResult:
            file.close()
            return DiskResult.CLOSED

        self._worker.call(close)
        self._worker.close()

    def _words(self, error: Exception) -> str:
        if isinstance(error, OSError):
            return f"the spill file {self._path} cannot be written ({error.strerror})"
        return str(error)
