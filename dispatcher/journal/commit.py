"""A commit's bytes: each record is serialised once, for the journal, Redis's hashes and observers.

Also the form in which the spill file holds a commit. Pure.
"""

from typing import Final, NamedTuple

import msgpack

from shotline.common.errors import JournalError
from shotline.common.records import (
    Commit,
    Record,
    ShotKey,
    StoredOutput,
    decode_records,
    encode_record,
)

_FORMAT: Final = 1


class EncodedRecords(NamedTuple):
    """Records with the JSON of each; `body` is their JSON array, as stored and as published."""

    records: tuple[Record, ...]
    parts: tuple[bytes, ...]
    body: bytes


class EncodedCommit(NamedTuple):
    """A commit with its bytes. `shots[key].body` is what an event carries as payload."""

    term: int
    number: int
    shots: dict[ShotKey, EncodedRecords]
    system: EncodedRecords
    outputs: tuple[StoredOutput, ...]

    @property
    def id(self) -> bytes:
        """Its id in the journal, `term-number`."""
        return b"%d-%d" % (self.term, self.number)


def encode_commit(commit: Commit) -> EncodedCommit:
    """Serialise each record of a commit once."""
    return EncodedCommit(
        commit.term,
        commit.number,
        {key: _encode(records) for key, records in commit.shots.items()},
        _encode(commit.system),
        commit.outputs,
    )


def _encode(records: tuple[Record, ...]) -> EncodedRecords:
    parts = tuple(map(encode_record, records))
    return EncodedRecords(records, parts, b"[" + b",".join(parts) + b"]")


def pack_commit(commit: EncodedCommit) -> bytes:
    """Return a commit in the form that the spill file holds."""
    packed: bytes = msgpack.packb(
        (
            _FORMAT,
            commit.term,
            commit.number,
            [(*key, encoded.body) for key, encoded in commit.shots.items()],
            commit.system.body,
            commit.outputs,
        )
    )
    return packed


def unpack_commit(data: bytes) -> EncodedCommit:
    """Return the commit of `pack_commit`. Raise JournalError when the bytes are none."""
    try:
        form, term, number, shots, system, outputs = msgpack.unpackb(data, use_list=False)
        if form != _FORMAT:
            raise JournalError(f"the spill file holds a commit in the unknown form {form!r}")
        return EncodedCommit(
            term,
            number,
            {ShotKey(tree, shot): _decode(body) for tree, shot, body in shots},
            _decode(system),
            tuple(StoredOutput(*output) for output in outputs),
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise JournalError(f"the spill file holds something that is no commit: {error}") from error


def _decode(body: bytes) -> EncodedRecords:
    return _encode(decode_records(body))
