"""The file that one shot is kept in: JSON lines, compressed by gzip. Pure.

The first line is the head: the format's version, who wrote it, which shot, how it stood. Then come
the journal's entries in their order, then the output of each attempt, and last a line with the
number and the SHA-256 of all lines before. What is cut or damaged anywhere is refused (I7).
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, structs

from shotline.common.base import Struct, to_json
from shotline.common.errors import ShotlineError
from shotline.common.ranges import Count, Small, Wall
from shotline.common.records import ShotKey, ShotRecord
from shotline.common.views import ShotView

FORMAT: Final = 1
SUFFIX: Final = ".shot.gz"
LINE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of one line unpacked: what is read is held in memory line by line."""

NOTES_BYTES_MAX: Final = 16 * 1024  # of the notes in the head; all of them are among the records
_PIECE: Final = 64 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


class BadShotFile(ShotlineError):
    """The file holds no whole shot; the text says what is wrong with it."""


class Imported(Struct):
    """That a file was brought in from elsewhere."""

    at: Wall
    by: str = ""


class FileHead(Struct, tag_field="type", tag="shotline_shot"):
    """The first line: what the file holds, and what lists show of the shot."""

    format: Small
    version: str = ""  # of the Shotline that wrote it
    tree: Annotated[str, Meta(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=64)]
    shot: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    state: Literal["closed", "open"] = "closed"  # open: it was still running
    made_at: Wall
    last: str = ""  # id of the journal's last entry in it
    view: ShotView
    imported: Imported | None = None

    @property
    def key(self) -> ShotKey:
        """The shot."""
        return ShotKey(self.tree, self.shot)


class FileEntry(Struct, tag_field="type", tag="entry"):
    """One entry of the shot's journal."""

    id: str
    records: tuple[ShotRecord, ...]


class OutputPart(Struct, tag_field="type", tag="output"):
    """Some of an attempt's output, in pieces as they are stored; base64: some are no UTF-8 text."""

    path: str
    attempt: Small
    pieces: tuple[str, ...]
    base64: bool = False

    @classmethod
    def of(cls, path: str, attempt: int, pieces: Iterable[bytes]) -> "OutputPart":
        """Return the part that holds these bytes."""
        stored = tuple(pieces)
        try:
            texts = tuple(one.decode() for one in stored)
        except UnicodeDecodeError:
            texts = tuple(base64.b64encode(one).decode() for one in stored)
            return cls(path=path, attempt=attempt, pieces=texts, base64=True)
        return cls(path=path, attempt=attempt, pieces=texts)

    @property
    def stored(self) -> tuple[bytes, ...]:
        """Its pieces byte by byte. Raise ValueError."""
        if self.base64:
            return tuple(base64.b64decode(one, validate=True) for one in self.pieces)
        return tuple(one.encode() for one in self.pieces)


class FileEnd(Struct, tag_field="type", tag="end"):
    """The last line: how many lines stand before it, and their SHA-256.

    `content` is that of all but the head: the same for every copy of the same shot.
    """

    lines: Count
    sha256: str
    content: str


Line = FileHead | FileEntry | OutputPart | FileEnd
_LINE: Final[msgspec.json.Decoder[Line]] = msgspec.json.Decoder(Line)


def head_view(view: ShotView) -> ShotView:
    """Return what a head has of a shot: of its notes not more than a list shows."""
    size, kept = 0, []
    for note in view.notes:
        size += len(note.text) + 200
        if size > NOTES_BYTES_MAX:
            break
        kept.append(note)
    return structs.replace(view, notes=tuple(kept), current=False, kept="", kept_words="")


class ShotFileWriter:
    """Packs lines; `write` takes the file's bytes in their order."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._pack = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._all = hashlib.sha256()
        self._content = hashlib.sha256()
        self._lines = 0
        self._rest: list[str] = []  # of a line that has not ended

    def line(self, line: bytes) -> None:
        """Take the next line; the first one is the head."""
        framed = line + b"\n"
        self._all.update(framed)
        if self._lines:
            self._content.update(framed)
        self._lines += 1
        self._put(framed)

    def text(self, text: str) -> None:
        """Take the text of lines, cut anywhere."""
        *lines, rest = text.split("\n")
        for line in lines:
            self.line("".join((*self._rest, line)).encode())
            self._rest.clear()
        self._rest.append(rest)

    def finish(self) -> FileEnd:
        """Write the last line."""
        end = FileEnd(
            lines=self._lines, sha256=self._all.hexdigest(), content=self._content.hexdigest()
        )
        self._put(to_json(end) + b"\n")
        self._write(self._pack.flush())
        return end

    def _put(self, data: bytes) -> None:
        packed = self._pack.compress(data)
        if packed:
            self._write(packed)


def read_head(pieces: Iterable[bytes]) -> FileHead:
    """Return the head of a file of which only the beginning need be there. Raise BadShotFile."""
    line = next(_raw_lines(pieces), None)
    if line is None:
        raise BadShotFile("it is empty")
    return _head_of(line)


def read_lines(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, Line]]:
    """Yield all lines of a file, as they are and as they are meant; the FileEnd is the last.

    Nothing of it is true before the FileEnd was yielded. Raise BadShotFile, in words, wherever it
    is not as it was written.
    """
    content, everything = hashlib.sha256(), hashlib.sha256()
    count, seen_end = 0, False
    for line in _raw_lines(pieces):
        if seen_end:
            raise BadShotFile("something stands behind its last line")
        parsed: Line = _head_of(line) if count == 0 else _line_of(line, count + 1)
        if isinstance(parsed, FileHead) and count:
            raise BadShotFile(f"line {count + 1} is a second head")
        if isinstance(parsed, FileEnd):
            if (parsed.lines, parsed.sha256) != (count, everything.hexdigest()):
                raise BadShotFile("its lines are not those that were written: the checksum differs")
            if parsed.content != content.hexdigest():
                raise BadShotFile("the checksum of its content differs")
            seen_end = True
        else:
            everything.update(line + b"\n")
            if count:
                content.update(line + b"\n")
        count += 1
        yield line, parsed
    if not count:
        raise BadShotFile("it is empty")
    if not seen_end:
        raise BadShotFile(f"it is cut: after {count} lines its last line is missing")


def _head_of(line: bytes) -> FileHead:
    try:
        told = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        raise BadShotFile("it is not a shot's file: its first line is no JSON object") from None
    if not isinstance(told, dict) or told.get("type") != "shotline_shot":
        raise BadShotFile("it is not a shot's file: its first line does not say so")
    form = told.get("format")
    if form != FORMAT:
        raise BadShotFile(f"its format is {form!r}; this version of Shotline reads {FORMAT}")
    head = _line_of(line, 1)
    assert isinstance(head, FileHead)
    if (head.view.tree, head.view.shot) != head.key:
        raise BadShotFile("its head names two different shots")
    return head


def _line_of(line: bytes, number: int) -> Line:
    try:
        return _LINE.decode(line)
    except (ValueError, RecursionError) as error:
        raise BadShotFile(f"line {number} is not one of this version's: {error}") from None


def _raw_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the unpacked lines, without their ends."""
    unpack = zlib.decompressobj(_GZIP)
    rest = bytearray()
    try:
        for piece in pieces:
            data = piece
            while data:
                if unpack.eof:
                    raise BadShotFile("something stands behind its end")
                known = len(rest)
                rest += unpack.decompress(data, _PIECE)
                data = unpack.unconsumed_tail or unpack.unused_data
                yield from _taken(rest, known)
        while not unpack.eof:
            some = unpack.decompress(b"", _PIECE)
            if not some:
                break
            known = len(rest)
            rest += some
            yield from _taken(rest, known)
    except zlib.error as error:
        raise BadShotFile(f"it is damaged, or no gzip file: {error}") from None
    if not unpack.eof:
        raise BadShotFile("it is cut: the compressed data do not end")
    if rest:
        raise BadShotFile("it is cut: its last line does not end")


def _taken(rest: bytearray, known: int) -> Iterator[bytes]:
    """Take the whole lines out of `rest`, of which the first `known` bytes have no end of one."""
    start, look = 0, known
    while (end := rest.find(b"\n", look)) >= 0:
        yield bytes(rest[start:end])
        start = look = end + 1
    del rest[:start]
    if len(rest) > LINE_BYTES_MAX:
        raise BadShotFile(f"it has a line of more than {LINE_BYTES_MAX} bytes")
