"""A commit's bytes: each record is serialised once, for the journal, Redis's hashes and observers.

Also the form in which the spill file holds a commit. Pure.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgpack

from shotline.common.base import Struct, to_json
from shotline.common.errors import JournalError
from shotline.common.queue.records import QueueRecord, decode_queue_records
from shotline.common.records import (
    Commit,
    Record,
    ShotKey,
    StoredOutput,
    decode_records,
)

_FORMAT: Final = 1
_WITH_QUEUE: Final = 2


class EncodedRecords(NamedTuple):
    """Records with the JSON of each; `body` is their JSON array, as stored and as published."""

    records: tuple[Record, ...]
    parts: tuple[bytes, ...]
    body: bytes


class EncodedQueue(NamedTuple):
    """Records of the pulse queue, as `EncodedRecords`."""

    records: tuple[QueueRecord, ...]
    body: bytes


NO_QUEUE: Final = EncodedQueue((), b"[]")


class EncodedCommit(NamedTuple):
    """A commit with its bytes. `shots[key].body` is what an event carries as payload."""

    term: int
    number: int
    shots: dict[ShotKey, EncodedRecords]
    system: EncodedRecords
    outputs: tuple[StoredOutput, ...]
    queue: EncodedQueue = NO_QUEUE

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
        EncodedQueue(commit.queue, _array(commit.queue)) if commit.queue else NO_QUEUE,
    )


def _encode(records: tuple[Record, ...]) -> EncodedRecords:
    parts = tuple(map(to_json, records))
    return EncodedRecords(records, parts, b"[" + b",".join(parts) + b"]")


def _array(records: Sequence[Struct]) -> bytes:
    return b"[" + b",".join(map(to_json, records)) + b"]"


def pack_commit(commit: EncodedCommit) -> bytes:
    """Return a commit in the form that the spill file holds."""
    queue = (commit.queue.body,) if commit.queue.records else ()
    packed: bytes = msgpack.packb(
        (
            _WITH_QUEUE if queue else _FORMAT,
            commit.term,
            commit.number,
            [(*key, encoded.body) for key, encoded in commit.shots.items()],
            commit.system.body,
            commit.outputs,
            *queue,
        )
    )
    return packed


def unpack_commit(data: bytes) -> EncodedCommit:
    """Return the commit of `pack_commit`. Raise JournalError when the bytes are none."""
    try:
        form, term, number, shots, system, outputs, *rest = msgpack.unpackb(data, use_list=False)
        if form not in (_FORMAT, _WITH_QUEUE):
            raise JournalError(f"the spill file holds a commit in the unknown form {form!r}")
        return EncodedCommit(
            term,
            number,
            {ShotKey(tree, shot): _decode(body) for tree, shot, body in shots},
            _decode(system),
            tuple(StoredOutput(*output) for output in outputs),
            EncodedQueue(decode_queue_records(rest[0]), rest[0]) if rest else NO_QUEUE,
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise JournalError(f"the spill file holds something that is no commit: {error}") from error


def _decode(body: bytes) -> EncodedRecords:
    return _encode(decode_records(body))
