"""Shots in files: the folder of those that are kept, and how a file comes into it. It blocks.

A file counts from the moment that it has its name, which it is given when all of it is there and
was checked; what was on its way when a process died is removed at the next start.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import structs

from shotline.common.base import to_json
from shotline.common.files.own import make_folder, private_opener
from shotline.common.files.replacing import replaced
from shotline.common.past.shotfile import (
    SUFFIX,
    BadShotFile,
    FileEnd,
    FileEntry,
    FileHead,
    Imported,
    Line,
    OutputPart,
    ShotFileWriter,
    head_view,
    read_head,
    read_lines,
)
from shotline.common.records import ShotKey, ShotRecord, Transition
from shotline.dispatcher.journal.layout import parse_piece, readable_history
from shotline.dispatcher.past.store import JournalEntry, Stored, Unreadable
from shotline.dispatcher.reading.views import Views
from shotline.dispatcher.shots import Shot

UPLOADS_MAX: Final = 8
_READ_BYTES: Final = 1 << 16
_INDEXES_MAX: Final = 100
_LASTS_MAX: Final = 20_000
_PART: Final = ".part"


class _Known(NamedTuple):
    mtime_ns: int
    size: int
    stored: Stored | None  # None: it is no shot's file


class Folder:
    """The shots whose files are in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, _Known] = {}
        self._indexes: OrderedDict[tuple[ShotKey, str], dict[tuple[str, int], int]] = OrderedDict()
        self._lasts: OrderedDict[tuple[ShotKey, str, str], Transition | None] = OrderedDict()

    def file_of(self, key: ShotKey) -> Path:
        """Return the file that a shot is kept in."""
        return self.folder / f"{key.tree}-{key.shot}{SUFFIX}"

    def shots(self) -> Sequence[Stored]:
        """Return the shots that files have; a file that holds none is left out."""
        found: dict[str, _Known] = {}
        try:
            with os.scandir(self.folder) as names:
                for one in names:
                    if one.name.endswith(SUFFIX):
                        with suppress(OSError):  # it has just gone
                            found[one.name] = self._look(one)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise Unreadable(f"{self.folder} cannot be read: {error.strerror}") from error
        self._known = found
        return [one.stored for one in found.values() if one.stored is not None]

    def _look(self, entry: "os.DirEntry[str]") -> _Known:
        about = entry.stat()
        known = self._known.get(entry.name)
        if known is not None and (known.mtime_ns, known.size) == (about.st_mtime_ns, about.st_size):
            return known
        try:
            head = read_head(pieces_of(Path(entry.path)))
        except BadShotFile:
            return _Known(about.st_mtime_ns, about.st_size, None)
        if self.file_of(head.key).name != entry.name:
            return _Known(about.st_mtime_ns, about.st_size, None)
        return _Known(about.st_mtime_ns, about.st_size, _stored(head))

    def version(self, key: ShotKey) -> str:
        """Return when the file was written, and how large it is."""
        try:
            about = self.file_of(key).stat()
        except OSError:
            return ""
        return f"file {about.st_mtime_ns} {about.st_size}"

    def _lines(self, key: ShotKey) -> Iterator[Line]:
        file = self.file_of(key)
        try:
            for _, line in read_lines(pieces_of(file)):
                yield line
        except BadShotFile as error:
            raise Unreadable(f"{file}: {error}") from error
        except OSError as error:
            raise Unreadable(f"{file} cannot be read: {error.strerror}") from error

    def entries(self, key: ShotKey, after: str = "") -> Iterator[JournalEntry]:
        """Yield the entries of a shot's journal."""
        is_behind = not after
        for line in self._lines(key):
            if isinstance(line, OutputPart):
                return
            if isinstance(line, FileEntry):
                if is_behind:
                    yield JournalEntry(line.id, line.records)
                is_behind = is_behind or line.id == after

    def outputs(self, key: ShotKey) -> Mapping[tuple[str, int], int]:
        """Return the lines of each attempt."""
        about = (key, self.version(key))
        found = self._indexes.get(about)
        if found is None:
            found = {}
            for line in self._lines(key):
                if isinstance(line, OutputPart):
                    lines = [one for piece in line.stored for one in parse_piece(piece)]
                    if lines:
                        found[line.path, line.attempt] = lines[-1].number + 1
            self._indexes[about] = found
            while len(self._indexes) > _INDEXES_MAX:
                self._indexes.popitem(last=False)
        return found

    def output(self, key: ShotKey, path: str, attempt: int, since: int) -> Iterator[bytes]:
        """Yield pieces of an attempt's output."""
        seen = False
        for line in self._lines(key):
            if not isinstance(line, OutputPart):
                continue
            if (line.path, line.attempt) != (path, attempt):
                if seen:
                    return
                continue
            seen = True
            for piece in line.stored:
                lines = parse_piece(piece)
                if lines and lines[-1].number >= since:
                    yield piece

    def last(self, key: ShotKey, path: str) -> Transition | None:
        """Return an action's last transition."""
        about = (key, self.version(key), path)
        if about not in self._lasts:
            found: Transition | None = None
            for entry in self.entries(key):
                for record in entry.records:
                    if isinstance(record, Transition) and record.path == path:
                        found = record
            self._lasts[about] = found
            while len(self._lasts) > _LASTS_MAX:
                self._lasts.popitem(last=False)
        return self._lasts[about]


class Incoming:
    """Files on their way into a folder."""

    def __init__(self, folder: Path, bytes_max: int, views: Views) -> None:
        self._folder = folder
        self._bytes_max = bytes_max  # of all files there
        self._views = views

    def clear(self) -> None:
        """Remove what was on its way when somebody died. Raise OSError."""
        for file in self._folder.glob(f"*{_PART}"):
            file.unlink(missing_ok=True)

    def piece(self, upload: str, offset: int, data: bytes) -> int:
        """Take a piece of a file; return how much is there. Raise BadShotFile, OSError."""
        file = self._part(upload)
        make_folder(self._folder)
        there = file.stat().st_size if file.exists() else 0
        if offset > there:
            raise BadShotFile(f"a piece of the upload is missing: {there} bytes are there")
        if offset == 0 and not file.exists():
            waiting = sorted(self._folder.glob(f"*{_PART}"), key=lambda one: one.stat().st_mtime)
            for old in waiting[: max(len(waiting) - UPLOADS_MAX + 1, 0)]:
                old.unlink(missing_ok=True)
        used = sum(one.stat().st_size for one in self._folder.iterdir())
        if used + len(data) > self._bytes_max:
            raise BadShotFile(
                f"the folder of kept shots is full ({self._bytes_max} bytes, kept.bytes_max)"
            )
        with open(file, "r+b" if there else "wb", opener=private_opener) as out:
            out.seek(offset)
            out.write(data)
            out.truncate()
        return offset + len(data)

    def check(self, upload: str, size: int, sha256: str) -> tuple[FileHead, FileEnd, Shot]:
        """Read the whole file. Raise BadShotFile, in words, wherever something is wrong with it."""
        file = self._part(upload)
        if not file.exists():
            raise BadShotFile("nothing of this upload is there: send the file again")
        there = file.stat().st_size
        if there != size:
            raise BadShotFile(f"{there} of {size} bytes have come: send the file again")
        with file.open("rb") as opened:
            if sha256 and hashlib.file_digest(opened, "sha256").hexdigest() != sha256:
                raise BadShotFile("it was changed on its way: send it again")
        head: FileHead | None = None
        end: FileEnd | None = None
        records: list[ShotRecord] = []
        attempts: list[tuple[str, int]] = []
        last = ""
        for _, line in read_lines(pieces_of(file)):
            match line:
                case FileHead():
                    head = line
                case FileEntry():
                    records += line.records
                    last = line.id
                case OutputPart():
                    attempts = _checked(line, attempts)
                case FileEnd():
                    end = line
        assert head is not None
        assert end is not None
        if last != head.last:
            raise BadShotFile("its head names another last entry of the journal")
        shot = Shot(head.key)
        try:
            for record in readable_history(records):
                shot.apply(record)
        except (KeyError, IndexError, AssertionError) as error:
            raise BadShotFile(f"its records do not follow one another: {error!r}") from error
        return head, end, shot

    def take(self, upload: str, shot: Shot, by: str, wall: float, file: Path) -> None:
        """Give a file that was checked its name, marked as imported. Raise OSError."""
        part = self._part(upload)
        with replaced(file, private_opener) as out:
            writer = ShotFileWriter(out.write)
            for raw, line in read_lines(pieces_of(part)):
                if isinstance(line, FileHead):
                    head = structs.replace(
                        line,
                        imported=Imported(at=wall, by=by),
                        view=head_view(self._views.shot(shot)),
                    )
                    writer.line(to_json(head))
                elif not isinstance(line, FileEnd):
                    writer.line(raw)
            writer.finish()
        part.unlink(missing_ok=True)

    def drop(self, upload: str) -> None:
        """Forget an upload."""
        with suppress(OSError):
            self._part(upload).unlink(missing_ok=True)

    def _part(self, upload: str) -> Path:
        return self._folder / f"{upload}{_PART}"


def _checked(part: OutputPart, attempts: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the attempts that have output, with this one's. Raise BadShotFile."""
    try:
        pieces = part.stored
    except ValueError as error:
        raise BadShotFile(f"output of {part.path} cannot be read: {error}") from None
    if not all(map(parse_piece, pieces)):
        raise BadShotFile(f"output of {part.path} is not as it is stored")
    about = (part.path, part.attempt)
    if attempts and attempts[-1] == about:
        return attempts
    if attempts and attempts[-1] > about:
        raise BadShotFile("its outputs are not in their order")
    return [*attempts, about]


def _stored(head: FileHead) -> Stored:
    at = head.view.changed_at
    made = datetime.fromtimestamp(head.made_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    words = f"kept in a file of {made}"
    if head.state == "open":
        words += ", made while it ran"
    if head.imported is not None:
        by = f" by {head.imported.by}" if head.imported.by else ""
        came = datetime.fromtimestamp(head.imported.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
        words = f"imported{by} at {came} from a file of {made}"
        words += ", made while it ran" if head.state == "open" else ""
    kept = "kept" if head.imported is None else "imported"
    return Stored(head.made_at if at is None else at, head.key, kept, words, head)  # type: ignore[arg-type]


def pieces_of(file: Path) -> Iterator[bytes]:
    """Yield the bytes of a file. Raise OSError."""
    with file.open("rb") as opened:
        while piece := opened.read(_READ_BYTES):
            yield piece
