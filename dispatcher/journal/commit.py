"""A commit's bytes: each record is serialised once, for the journal, Redis's hashes and observers.

Also the form in which the spill file holds a commit. Pure.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgpack

from shotline.common.base import Struct, to_json
from shotline.common.channels import QUEUE
from shotline.common.errors import JournalError
from shotline.common.records import (
    Commit,
    Record,
    ShotKey,
    StoredOutput,
    decode_records,
)
from shotline.dispatcher.journal.hosted import HOSTED

_FORMAT: Final = 1
_WITH_QUEUE: Final = 2  # of former versions: of all hosted streams only the queue's
_WITH_HOSTED: Final = 3


class EncodedRecords(NamedTuple):
    """Records with the JSON of each; `body` is their JSON array, as stored and as published."""

    records: tuple[Record, ...]
    parts: tuple[bytes, ...]
    body: bytes


class EncodedHosted(NamedTuple):
    """Records of a machine that the dispatcher hosts, as `EncodedRecords`."""

    records: tuple[Struct, ...]
    body: bytes


class EncodedCommit(NamedTuple):
    """A commit with its bytes. `shots[key].body` is what an event carries as payload."""

    term: int
    number: int
    shots: dict[ShotKey, EncodedRecords]
    system: EncodedRecords
    outputs: tuple[StoredOutput, ...]
    hosted: Mapping[str, EncodedHosted] = MappingProxyType({})  # by the stream's name

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
        {name: EncodedHosted(records, _array(records)) for name, records in commit.hosted.items()},
    )


def _encode(records: tuple[Record, ...]) -> EncodedRecords:
    parts = tuple(map(to_json, records))
    return EncodedRecords(records, parts, b"[" + b",".join(parts) + b"]")


def _array(records: Sequence[Struct]) -> bytes:
    return b"[" + b",".join(map(to_json, records)) + b"]"


def pack_commit(commit: EncodedCommit) -> bytes:
    """Return a commit in the form that the spill file holds."""
    hosted = ({name: one.body for name, one in commit.hosted.items()},) if commit.hosted else ()
    packed: bytes = msgpack.packb(
        (
            _WITH_HOSTED if hosted else _FORMAT,
            commit.term,
            commit.number,
            [(*key, encoded.body) for key, encoded in commit.shots.items()],
            commit.system.body,
            commit.outputs,
            *hosted,
        )
    )
    return packed


def unpack_commit(data: bytes) -> EncodedCommit:
    """Return the commit of `pack_commit`. Raise JournalError when the bytes are none."""
    try:
        form, term, number, shots, system, outputs, *rest = msgpack.unpackb(data, use_list=False)
        if form not in (_FORMAT, _WITH_QUEUE, _WITH_HOSTED):
            raise JournalError(f"the spill file holds a commit in the unknown form {form!r}")
        hosted = {QUEUE: rest[0]} if form == _WITH_QUEUE else rest[0] if rest else {}
        return EncodedCommit(
            term,
            number,
            {ShotKey(tree, shot): _decode(body) for tree, shot, body in shots},
            _decode(system),
            tuple(StoredOutput(*output) for output in outputs),
            {name: EncodedHosted(HOSTED[name].decode(body), body) for name, body in hosted.items()},
        )
    except KeyError as error:
        raise JournalError(f"the spill file holds records of an unknown kind: {error}") from error
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise JournalError(f"the spill file holds something that is no commit: {error}") from error


def _decode(body: bytes) -> EncodedRecords:
    return _encode(decode_records(body))
