"""Looks at all of a volume, folder by folder and in pieces: a rescan is the truth (V2).

Neither a million files nor a slow disk holds the daemon up: what the disk does is done in a thread,
and no more than one piece of one folder is in memory at a time.
"""

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from shotline.volumes.watcher.candidates import Look
from shotline.volumes.watcher.memory import Memory, joined

PIECE: Final = 2_000  # files looked at in one go
FOLDERS_MAX: Final = 1_000_000


class Entry(NamedTuple):
    """A file of a folder as it is now."""

    name: str
    look: Look


class Piece(NamedTuple):
    """Some files of a folder; with `is_last` all of them were named."""

    folder: str
    entries: list[Entry]
    is_last: bool
    is_unread: bool = False  # the folder is there, but cannot be read


class _Listing:
    """A folder that is read bit by bit. Used from one thread at a time."""

    def __init__(self, root: Path, folder: str) -> None:
        self.folders: list[str] = []
        self._folder = folder
        self._scan = os.scandir(root / folder)

    def piece(self) -> tuple[list[Entry], bool]:
        found: list[Entry] = []
        for entry in self._scan:
            try:
                if entry.is_dir(follow_symlinks=False):
                    self.folders.append(joined(self._folder, entry.name))
                    continue
                told = entry.stat()
            except OSError:
                continue  # it went, or is a link to nowhere
            if stat.S_ISREG(told.st_mode) and _is_text(entry.name):
                found.append(Entry(entry.name, Look(told.st_size, told.st_mtime_ns)))
            if len(found) >= PIECE:
                return found, False
        self._scan.close()
        return found, True


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False  # it cannot be told of
    return True


async def pieces(root: Path, files_per_s: int) -> AsyncIterator[Piece]:
    """Yield all files of a volume. Raise OSError when its own folder cannot be read."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            listing = await asyncio.to_thread(_Listing, root, folder)
        except OSError as error:
            if not folder:
                raise
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                yield Piece(folder, [], is_last=True, is_unread=True)
            continue
        is_last = False
        while not is_last:
            began = time.monotonic()
            entries, is_last = await asyncio.to_thread(listing.piece)
            yield Piece(folder, entries, is_last)
            spare_s = len(entries) / files_per_s - (time.monotonic() - began)
            await asyncio.sleep(max(spare_s, 0.0))
        waiting += listing.folders[: FOLDERS_MAX - len(waiting)]


def gone_of(memory: Memory, volume: str, root: Path, folder: str) -> Iterator[list[str]]:
    """Yield the known paths of a folder that are not there, in pieces."""
    after = ""
    while names := memory.names(volume, folder, after, PIECE):
        after = names[-1]
        paths = [joined(folder, name) for name in names]
        yield [path for path in paths if not os.path.lexists(root / path)]


def root_of(root: Path) -> str | None:
    """Return which folder is there, as its file system tells; None: none is."""
    try:
        told = root.stat()
    except OSError:
        return None
    return f"{told.st_dev}:{told.st_ino}" if stat.S_ISDIR(told.st_mode) else None


def is_another(memory: Memory, volume: str, root: Path, seen: str) -> bool:
    """Return whether another folder is there than the one whose files are known, and has none.

    So it is where a disk is not mounted: what is on it is not gone.
    """
    known, _ = memory.root(volume)
    if known in ("", seen):
        return False
    some = memory.some(volume, 100)
    return bool(some) and not any(os.path.lexists(root / path) for path in some)
