"""Writes a shot that Redis has into its file, before Redis forgets it. It blocks.

The file has its name only when all of it is on the disk; until then it is nobody's.
"""

from pathlib import Path

from shotline.common.files.own import GROUP_FOLDER, log_opener, make_folder
from shotline.common.files.replacing import replaced, sync_folder
from shotline.common.past.shotfile import (
    BadShotFile,
    FileEnd,
    FileHead,
    ShotFileWriter,
    read_lines,
)
from shotline.common.records import ShotKey
from shotline.dispatcher.past.exporting import Exporting
from shotline.dispatcher.past.folder import Folder, pieces_of
from shotline.dispatcher.past.store import Store


class Keeping:
    """Brings shots of one store into the folder of those that are kept."""

    def __init__(self, store: Store, folder: Folder, exporting: Exporting, bytes_max: int) -> None:
        self._store = store
        self._folder = folder
        self._exporting = exporting
        self._bytes_max = bytes_max  # of all files there

    def keep(self, key: ShotKey, wall: float) -> None:
        """Have the file hold all of a shot, as it is now, and be on the disk.

        Raise BadShotFile, Unreadable, Nowhere or OSError: then it may not be removed.
        """
        file = self._folder.file_of(key)
        if file.exists() and self._holds_it(file, key):
            sync_folder(file.parent)
            return
        folder = file.parent
        if not folder.exists():
            make_folder(folder, GROUP_FOLDER)
            sync_folder(folder.parent)
        room = self._bytes_max - sum(one.stat().st_size for one in folder.iterdir())
        with replaced(file, log_opener) as out:

            def write(data: bytes) -> None:
                nonlocal room
                room -= len(data)
                if room < 0:
                    words = f"{folder} is full ({self._bytes_max} bytes, kept.bytes_max)"
                    raise BadShotFile(words)
                out.write(data)

            writer = ShotFileWriter(write)
            for line in self._exporting.lines(key, wall):
                writer.line(line)
            writer.finish()

    def _holds_it(self, file: Path, key: ShotKey) -> bool:
        """Return whether a file has all of a shot; False: it has an older state of it."""
        try:
            lines = [line for _, line in read_lines(pieces_of(file)) if _frames(line)]
        except BadShotFile as error:
            raise BadShotFile(f"{file} is in the way: {error}") from error
        head, end = lines[0], lines[-1]
        assert isinstance(head, FileHead)
        assert isinstance(end, FileEnd)
        if end.content == self._exporting.content(key):
            return True
        known = any(entry.id == head.last for entry in self._store.entries(key))
        if head.imported is not None or not known:
            raise BadShotFile(f"{file} holds another {key}: look at both")
        return False


def _frames(line: object) -> bool:
    return isinstance(line, FileHead | FileEnd)
