"""MDSplus records as plain terms, decoded from the bytes of `SerializeOut`. Pure.

Native MDSplus and an mdsip server serialize a record in the same way, so one decoder serves both
and they cannot disagree. What a term means is `mdsplus_records`'s. Nothing is evaluated here.

A serialized descriptor begins with length (2 bytes), data type, class and offset of the data (4).
A record (class R) goes on with the number of its parts and the offset of each part, 0 for one that
is missing; all offsets count from the record's own first byte. All numbers are little-endian.
"""

import struct
from typing import Final

from shotline.common.base import Value

DEPTH_MAX: Final = 200  # records inside each other; `A && B && C …` nests as deep as it is long
TERMS_MAX: Final = 100_000

# Data types of records.
FUNCTION: Final = 199
ACTION: Final = 202
DISPATCH: Final = 203
PROGRAM: Final = 204
ROUTINE: Final = 205
PROCEDURE: Final = 206
METHOD: Final = 207
DEPENDENCY: Final = 208
CONDITION: Final = 209
WRAPPERS: Final = frozenset({194, 211, 213})  # parameter, with units, with error: part 0 and more

_CLASS_S: Final = 1
_CLASS_A: Final = 4
_CLASS_R: Final = 194
_CLASS_APD: Final = 196
_BYTES: Final = 2
_LIST: Final = 214
_TEXT: Final = 14
_NID: Final = 192
_PATH: Final = 193
_NUMBERS: Final = {2: "B", 3: "H", 4: "I", 5: "Q", 6: "b", 7: "h", 8: "i", 9: "q", 52: "f", 53: "d"}
_HEADER: Final = struct.Struct("<HBBI")
_SIZE_AT: Final = 12  # where an array has the number of its bytes


class UndecodableRecord(ValueError):
    """The bytes are not a serialized MDSplus record."""


class Nothing(Value):
    """A part that is missing; MDSplus writes it as `*`."""


class Number(Value):
    """A number; floats stay floats."""

    value: int | float


class MdsText(Value):
    """Quoted text."""

    value: str


class NodeRef(Value):
    """A node that exists, by its number in the tree."""

    nid: int


class PathRef(Value):
    """A node by its path: the tree had no such node when the record was written."""

    path: str


class MdsRecord(Value):
    """A record of parts. `code` is a function's opcode, or what a dispatch or dependency is."""

    dtype: int
    code: int
    parts: tuple["MdsTerm", ...]

    def part(self, index: int) -> "MdsTerm":
        """Return a part, Nothing when the record is shorter."""
        return self.parts[index] if index < len(self.parts) else Nothing()


class Other(Value):
    """Something that is none of these, such as an array."""

    dtype: int


MdsTerm = Nothing | Number | MdsText | NodeRef | PathRef | MdsRecord | Other


def decode_term(content: bytes) -> MdsTerm:
    """Return the term that the bytes hold. Raise UndecodableRecord when they hold none."""
    try:
        return _Decoder(content).term(0, 0)
    except (struct.error, IndexError) as error:
        raise UndecodableRecord(f"the record ends too early or points outside: {error}") from None


def decode_list(content: bytes) -> list[str | bytes | None]:
    """Return the texts and bytes of a serialized list, None for what is neither.

    Raise UndecodableRecord when the bytes hold no list.
    """
    try:
        if _HEADER.unpack_from(content)[1:3] != (_LIST, _CLASS_APD):
            raise UndecodableRecord("the answer is no list")
        places = _array(content, 0)
        return [_text_or_bytes(content, place) for (place,) in struct.iter_unpack("<I", places)]
    except (struct.error, IndexError) as error:
        raise UndecodableRecord(f"the list ends too early or points outside: {error}") from None


def _text_or_bytes(content: bytes, start: int) -> str | bytes | None:
    if _HEADER.unpack_from(content, start)[1:3] == (_BYTES, _CLASS_A):
        return _array(content, start)
    term = _Decoder(content).term(start, 0)
    return term.value if isinstance(term, MdsText) else None


def _array(content: bytes, start: int) -> bytes:
    """Return the bytes of an array, whatever its elements are."""
    offset = _HEADER.unpack_from(content, start)[3]
    (size,) = struct.unpack_from("<I", content, start + _SIZE_AT)
    found: bytes
    (found,) = struct.unpack_from(f"{size}s", content, start + offset)
    return found


class _Decoder:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._count = 0

    def term(self, start: int, depth: int) -> MdsTerm:
        self._count += 1
        if depth > DEPTH_MAX or self._count > TERMS_MAX:
            raise UndecodableRecord(f"the record is nested deeper than {DEPTH_MAX} or too large")
        length, dtype, descriptor_class, offset = _HEADER.unpack_from(self._content, start)
        if descriptor_class == _CLASS_R:
            return self._record(start, length, dtype, offset, depth)
        if descriptor_class != _CLASS_S:
            return Other(dtype)
        return self._scalar(dtype, start + (offset or _HEADER.size), length)

    def _record(self, start: int, length: int, dtype: int, offset: int, depth: int) -> MdsRecord:
        count = self._content[start + 8]
        offsets = struct.unpack_from(f"<{count}I", self._content, start + 12)
        code = 0
        if length in (1, 2):
            (code,) = struct.unpack_from(
                "<B" if length == 1 else "<H", self._content, start + offset
            )
        parts = tuple(
            self.term(start + where, depth + 1) if where else Nothing() for where in offsets
        )
        return MdsRecord(dtype, code, parts)

    def _scalar(self, dtype: int, where: int, length: int) -> MdsTerm:
        if dtype in _NUMBERS:
            (number,) = struct.unpack_from("<" + _NUMBERS[dtype], self._content, where)
            return Number(number)
        if dtype == _NID:
            return NodeRef(struct.unpack_from("<I", self._content, where)[0])
        if dtype in (_TEXT, _PATH):
            content = self._content[where : where + length]
            if len(content) < length:
                raise UndecodableRecord("the record ends in the middle of a text")
            text = content.decode("utf-8", "backslashreplace")
            return MdsText(text.rstrip()) if dtype == _TEXT else PathRef(text.strip())
        return Nothing() if dtype == 0 else Other(dtype)
