"""What a server and its worker process say to each other: length-prefixed msgpack on two pipes.

The server's end never blocks (`worker_process`), the worker's does (`execute`). Both are one
installation, so there is no protocol number; still, what cannot be understood is an error in words.
"""

import json
import struct
from typing import Final, NamedTuple

import msgpack

from shotline.common.errors import MalformedMessage
from shotline.common.settings.limits import TaskLimits

FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
_LENGTH: Final = struct.Struct("<I")
# One for all frames: a new one would cost more than a frame.
_PACKER: Final = msgpack.Packer()


class Setup(NamedTuple):
    """Server → worker, as the last argument of its command: what it begins with."""

    task_path: tuple[str, ...] = ()  # folders of the tasks' modules, behind all others
    limits: TaskLimits = TaskLimits()

    def as_argument(self) -> str:
        """Return it as one word."""
        return json.dumps((self.task_path, self.limits.model_dump()))

    @classmethod
    def from_argument(cls, word: str) -> "Setup":
        """Return what `as_argument` has made a word of."""
        path, limits = json.loads(word)
        return cls(tuple(path), TaskLimits(**limits))


class Job(NamedTuple):
    """Server → worker: execute this task."""

    task: bytes  # JSON of a nodes.Task
    tree: str
    shot: int
    path: str
    number: int
    folder: str | None
    url: str | None  # of the mdsip server that it runs on
    keeper: str | None  # address of that url's keeper
    url_wait_s: float


class Ready(NamedTuple):
    """Worker → server: I take jobs."""

    pid: int


class Ended(NamedTuple):
    """Worker → server: the job's task has returned or raised; its output is in the pipes.

    `notes` are shown in its output. `spent`: the worker must not be used again, something of the
    task is still in it.
    """

    ok: bool
    code: int | None = None
    text: str = ""
    connection_lost: bool = False  # of the mdsip server behind it: the outcome is unknown
    notes: tuple[str, ...] = ()
    spent: bool = False
    url_busy: bool = False  # never started: its mdsip server went on working for another shot


Frame = Job | Ready | Ended
_KINDS: Final[tuple[type[Frame], ...]] = (Job, Ready, Ended)
_NUMBERS: Final = {kind: number for number, kind in enumerate(_KINDS)}


def pack(frame: Frame) -> bytes:
    """Return the bytes of a frame."""
    body: bytes = _PACKER.pack((_NUMBERS[type(frame)], *frame))
    return _LENGTH.pack(len(body)) + body


class Unpacker:
    """Turns a stream of bytes into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes and return the frames that they complete. Raise MalformedMessage."""
        if self._rest:
            data = self._rest + data
        frames: list[Frame] = []
        at, size = 0, len(data)
        while size - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, at)
            if length > FRAME_BYTES_MAX:
                raise MalformedMessage(f"a frame of {length} bytes, at most {FRAME_BYTES_MAX}")
            begin, end = at + _LENGTH.size, at + _LENGTH.size + length
            if end > size:
                break
            frames.append(_unpack(data[begin:end]))
            at = end
        self._rest = data[at:]
        return frames


def _unpack(body: bytes) -> Frame:
    try:
        number, *values = msgpack.unpackb(body)
        frame: Frame = _KINDS[number]._make(values)
    except Exception as error:  # whatever a task wrote into our pipe by mistake
        raise MalformedMessage(f"not a frame of a worker: {error}") from error
    return frame
