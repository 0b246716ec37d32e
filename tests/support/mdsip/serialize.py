"""Writes terms as MDSplus serializes them: records for tests that were not recorded."""

import struct

from shotline.trees.mdsplus_terms import (
    DEPENDENCY,
    DISPATCH,
    FUNCTION,
    MdsRecord,
    MdsTerm,
    MdsText,
    NodeRef,
    Nothing,
    Number,
    Other,
    PathRef,
)

CODE_BYTES = {FUNCTION: 2, DISPATCH: 1, DEPENDENCY: 1, 209: 1}


def serialized(term: MdsTerm) -> bytes:
    """Return the bytes of a term; Nothing only as a part of a record."""
    if isinstance(term, MdsRecord):
        return _record(term)
    if isinstance(term, Number):
        is_float = isinstance(term.value, float)
        return _scalar(53 if is_float else 9, struct.pack("<d" if is_float else "<q", term.value))
    if isinstance(term, MdsText):
        return _scalar(14, term.value.encode())
    if isinstance(term, PathRef):
        return _scalar(193, term.path.encode())
    if isinstance(term, NodeRef):
        return _scalar(192, struct.pack("<I", term.nid))
    assert isinstance(term, Other)
    return struct.pack("<HBBI", 0, term.dtype, 4, 0)


def _scalar(dtype: int, content: bytes) -> bytes:
    return struct.pack("<HBBI", len(content), dtype, 1, 8) + content


def _record(record: MdsRecord) -> bytes:
    length = CODE_BYTES.get(record.dtype, 0)
    start = 12 + 4 * len(record.parts)
    body = record.code.to_bytes(length, "little")
    offsets = []
    for part in record.parts:
        offsets.append(0 if isinstance(part, Nothing) else start + len(body))
        body += b"" if isinstance(part, Nothing) else serialized(part)
    head = struct.pack("<HBBII", length, record.dtype, 194, start if length else 0, len(offsets))
    return head + struct.pack(f"<{len(offsets)}I", *offsets) + body
