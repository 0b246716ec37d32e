"""The spill file: commits on disk while Redis is away, each synced, framed by length and CRC.

Nothing here knows what a commit holds. Every call may block on the disk: the journal makes the
slow ones in a thread of its own (I9).
"""

import contextlib
import fcntl
import os
import secrets
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from shotline.common.errors import JournalError
from shotline.common.files.own import GROUP_FOLDER, make_folder, private_opener
from shotline.common.files.replacing import replaced, sync_folder

_HEAD: Final = struct.Struct(">II")  # length and CRC-32 of what follows
_PIECE_BYTES: Final = 1 << 20


class SpillFull(JournalError):
    """The spill file has reached its largest size."""


def frame(data: bytes) -> bytes:
    """Return data with its length and checksum before it."""
    return _HEAD.pack(len(data), zlib.crc32(data)) + data


class SpillFile:
    """One file of framed commits, held by one process at a time.

    A frame that was cut by a crash is left out, with everything behind it: nothing behind it was
    ever confirmed. Should a disk have damaged what was, `keep_rest` keeps it. The file is made when
    it is opened and emptied by `clear`.
    """

    def __init__(self, path: Path, bytes_max: int) -> None:
        """Open the file and lock it. Raise JournalError, in words, when that is not possible."""
        self.path = path
        self.bytes_max = bytes_max
        try:
            make_folder(path.parent, GROUP_FOLDER)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.fchmod(self._file, 0o600)  # it may be there from other times
            sync_folder(path.parent)
        except OSError as error:
            raise JournalError(
                f"the spill file {path} cannot be opened: {error.strerror}; "
                "make its folder writable or name another file (journal.spill_file)"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise JournalError(
                f"another dispatcher uses the spill file {path}: end that one, "
                "or give this one a file of its own (journal.spill_file)"
            ) from error
        self.size = 0
        for end, _ in self.frames():
            self.size = end

    def name(self) -> str:
        """Return a name that no other spill file has, kept beside it; "" where it cannot be kept.

        A copy of that file is another one's: it stands in another place of its disk.
        """
        file = self.path.with_name(f"{self.path.name}.name")
        with contextlib.suppress(OSError):
            with contextlib.suppress(FileNotFoundError), file.open("rb") as kept:
                inode, _, name = kept.read().decode(errors="replace").partition(" ")
                if name and inode == str(os.fstat(kept.fileno()).st_ino):
                    return name
            name = secrets.token_hex(8)
            with replaced(file, private_opener) as made:
                made.write(f"{os.fstat(made.fileno()).st_ino} {name}".encode())
            return name
        return ""

    def frames(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield the whole frames from byte `start` on: where each ends, and its data."""
        while True:
            head = os.pread(self._file, _HEAD.size, start)
            if len(head) < _HEAD.size:
                return
            length, checksum = _HEAD.unpack(head)
            if length > self.bytes_max:
                return
            data = os.pread(self._file, length, start + _HEAD.size)
            if len(data) < length or zlib.crc32(data) != checksum:
                return
            start += _HEAD.size + length
            yield start, data

    def append(self, data: bytes) -> None:
        """Add a frame and sync it. Raise SpillFull or OSError; the file is then as before."""
        framed = frame(data)
        end = self.size + len(framed)
        if end > self.bytes_max:
            raise SpillFull(
                f"the spill file {self.path} is full ({self.size} of {self.bytes_max} bytes)"
            )
        # Cut off what a failed write or a crash has left, so that nothing stands between.
        os.ftruncate(self._file, self.size)
        written = 0
        while written < len(framed):
            written += os.pwrite(self._file, framed[written:], self.size + written)
        os.fsync(self._file)
        self.size = end

    def clear(self) -> None:
        """Forget all frames: they are in Redis now. After an OSError they are forgotten here."""
        self.size = 0
        os.ftruncate(self._file, 0)
        os.fsync(self._file)

    def set_aside(self) -> Path:
        """Keep the frames in a file beside this one, under a new name, and begin an empty one."""
        aside = self._keep(frame(data) for _, data in self.frames())
        self.clear()
        return aside

    def keep_rest(self) -> tuple[int, Path] | None:
        """Move what stands behind the whole frames to a file beside this one, should there be any.

        Return how many bytes, and the file.
        """
        size = os.fstat(self._file).st_size - self.size
        if not size:
            return None
        starts = range(self.size, self.size + size, _PIECE_BYTES)
        aside = self._keep(os.pread(self._file, _PIECE_BYTES, start) for start in starts)
        os.ftruncate(self._file, self.size)
        return size, aside

    def _keep(self, pieces: Iterable[bytes]) -> Path:
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.set-aside-{number}")).exists():
            number += 1
        with open(aside, "xb", opener=private_opener) as copy:
            copy.writelines(pieces)
            copy.flush()
            os.fsync(copy.fileno())
        sync_folder(aside.parent)
        return aside

    def close(self) -> None:
        """Close the file and give it free."""
        os.close(self._file)
