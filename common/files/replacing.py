"""A file that appears when all of it is there, in the place of the one before."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def replaced(file: Path, opener: Callable[[str, int], int]) -> Iterator[IO[bytes]]:
    """Give a file to write, which takes the other one's place at the end, synced. Raise OSError.

    Where the body raises, the other one stays as it was.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with open(part, "wb", opener=opener) as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(file)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make sure that a new file's name is on disk, too. Raise OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
