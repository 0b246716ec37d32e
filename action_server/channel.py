"""What a server and its worker process say to each other: length-prefixed msgpack on a socket.

The server's end never blocks (`worker`), the worker's does (`execute`). Both are one installation,
so there is no protocol number; still, what cannot be understood is an error in words.
"""

import struct
from dataclasses import dataclass, fields
from typing import Final, cast

import msgpack

from shotline.common.errors import MalformedMessage

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Job:
    """Server → worker: execute this task."""

    task: bytes  # JSON of a trees.tree.Task
    tree: str
    shot: int
    path: str
    number: int
    folder: str | None
    url: str | None  # of the mdsip server that it runs on
    keeper: str | None = None  # address of that url's keeper
    url_wait_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker → server: I take jobs."""

    pid: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Worker → server: the job has ended; its output is in the pipes."""

    ok: bool
    code: int | None
    text: str
    connection_lost: bool
    notes: tuple[str, ...]
    spent: bool
    url_busy: bool = False


Frame = Job | Ready | Ended
_KINDS: Final[dict[str, type[Frame]]] = {cls.__name__: cls for cls in (Job, Ready, Ended)}
_FIELDS: Final = {cls: tuple(field.name for field in fields(cls)) for cls in (Job, Ready, Ended)}


def pack(frame: Frame) -> bytes:
    """Return the bytes of a frame."""
    kind = type(frame)
    values = [getattr(frame, name) for name in _FIELDS[kind]]
    body = cast(bytes, msgpack.packb((kind.__name__, values)))
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Turns a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes and return the frames that they complete. Raise MalformedMessage."""
        self._buffer += data
        frames: list[Frame] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > FRAME_BYTES_MAX:
                raise MalformedMessage(f"a frame of {length} bytes, at most {FRAME_BYTES_MAX}")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            frames.append(_unpack(bytes(self._buffer[_LENGTH.size : end])))
            del self._buffer[:end]
        return frames


def _unpack(body: bytes) -> Frame:
    try:
        kind, values = msgpack.unpackb(body, use_list=False)
        return _KINDS[kind](*values)
    except Exception as error:  # whatever a task wrote into our socket by mistake
        raise MalformedMessage(f"not a frame of a worker: {error}") from error
