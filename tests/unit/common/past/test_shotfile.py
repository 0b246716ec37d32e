"""A shot's file: what was written is read again, and what is cut, damaged or foreign is refused."""

import gzip
import json
from collections.abc import Iterator

import pytest

from shotline.common.base import to_json
from shotline.common.past.shotfile import (
    FORMAT,
    BadShotFile,
    FileEnd,
    FileEntry,
    FileHead,
    Line,
    OutputPart,
    ShotFileWriter,
    read_head,
    read_lines,
)
from shotline.common.records import PulseCreated
from shotline.common.views import ShotView

HEAD = FileHead(
    format=FORMAT,
    tree="TEST",
    shot=42,
    made_at=5.0,
    last="1-1",
    view=ShotView(tree="TEST", shot=42),
)
ENTRY = FileEntry(id="1-1", records=(PulseCreated(time=1.0),))
OUTPUT = OutputPart.of("A", 1, [b"0 2024-11-22T14:27:15.2500000Z out \xff\xfe", b"more"])


def packed(*lines: Line) -> bytes:
    pieces: list[bytes] = []
    writer = ShotFileWriter(pieces.append)
    for line in lines:
        writer.line(to_json(line))
    writer.finish()
    return b"".join(pieces)


WHOLE = packed(HEAD, ENTRY, OUTPUT)


def small_pieces(data: bytes, size: int = 7) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def read(data: bytes) -> list[Line]:
    return [line for _, line in read_lines(small_pieces(data))]


def test_what_was_written_is_read_byte_by_byte() -> None:
    *lines, end = read(WHOLE)
    assert lines == [HEAD, ENTRY, OUTPUT]
    assert isinstance(end, FileEnd)
    assert end.lines == 3
    part = lines[2]
    assert isinstance(part, OutputPart)
    assert part.stored == (b"0 2024-11-22T14:27:15.2500000Z out \xff\xfe", b"more")


def test_the_head_is_read_without_the_rest() -> None:
    assert read_head(small_pieces(WHOLE)) == HEAD


def test_the_same_shot_has_the_same_content_whoever_writes_it_and_when() -> None:
    later = packed(FileHead(**{**_fields(HEAD), "made_at": 9.0, "version": "2"}), ENTRY, OUTPUT)
    first, second = read(WHOLE)[-1], read(later)[-1]
    assert isinstance(first, FileEnd)
    assert isinstance(second, FileEnd)
    assert first.content == second.content
    assert first.sha256 != second.sha256


def _fields(head: FileHead) -> dict[str, object]:
    return {name: getattr(head, name) for name in head.__struct_fields__}


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_a_file_that_is_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(BadShotFile, match=r"cut|empty|no gzip"):
        read(WHOLE[:length])


@pytest.mark.parametrize("place", range(10, len(WHOLE)))
def test_a_byte_that_is_damaged_anywhere_is_found(place: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] ^= 0x55
    with pytest.raises(BadShotFile):
        read(bytes(damaged))


def zipped(*lines: bytes) -> bytes:
    return gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cut"),
        (b"no gzip file", "no gzip file"),
        (gzip.compress(b"", mtime=0), "empty"),
        (zipped(b"hello"), "first line is no JSON object"),
        (zipped(b"[" * 100_000), "first line is no JSON object"),
        (zipped(b'{"type":"entry"}'), "does not say so"),
        (zipped(to_json(HEAD).replace(b'"format":1', b'"format":2')), "its format is 2"),
        (zipped(to_json(HEAD).replace(b'"shot":42', b'"shot":0', 1)), "line 1 is not one"),
        (zipped(to_json(HEAD).replace(b'"tree":"TEST"', b'"tree":"../X"', 1)), "line 1 is not one"),
        (zipped(to_json(HEAD).replace(b'"shot":42', b'"shot":43', 1)), "two different shots"),
        (zipped(to_json(HEAD), b"{}"), "line 2 is not one of this version's"),
        (zipped(to_json(HEAD), b'{"type":"entry","id":"1-1","records":[{}]}'), "line 2 is not one"),
        (zipped(to_json(HEAD), to_json(HEAD)), "a second head"),
        (WHOLE + b"behind", "behind its end"),
        (WHOLE + WHOLE, "behind its end"),
    ],
)
def test_what_is_no_shots_file_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(BadShotFile, match=words):
        read(data)


def test_lines_that_were_left_out_are_missed() -> None:
    lines = gzip.decompress(WHOLE).splitlines()
    with pytest.raises(BadShotFile, match="checksum differs"):
        read(zipped(lines[0], lines[2], lines[3]))
    end = json.loads(lines[3])
    with pytest.raises(BadShotFile, match="behind its last line"):
        read(zipped(*lines, json.dumps(end).encode()))


def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shotline.common.past.shotfile.LINE_BYTES_MAX", 1 << 20)
    with pytest.raises(BadShotFile, match="a line of more than"):
        read_head(small_pieces(gzip.compress(b"x" * (1 << 26)), 1 << 16))
