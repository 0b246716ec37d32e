"""What a server and its worker process say to each other: length-prefixed msgpack on two pipes.

The server's end never blocks (`worker_process`), the worker's does (`execute`). Both are one
installation, so there is no protocol number; still, what cannot be understood is an error in words.
"""

import json
from typing import Final, NamedTuple

import msgspec

from shotline.common.codec import describe
from shotline.common.errors import MalformedMessage

FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
_LENGTH_BYTES: Final = 4  # little-endian, before each frame


class Limits(NamedTuple):
    """What a task may use: `TaskLimits` of the configuration, without what has checked them.

    To load that takes longer than all the rest of a worker's start.
    """

    memory_bytes: int | None = None
    cpu_s: int | None = None
    open_files: int | None = None
    processes: int | None = None


class Setup(NamedTuple):
    """Server → worker, as the last argument of its command: what it begins with."""

    task_path: tuple[str, ...] = ()  # folders of the tasks' modules, behind all others
    limits: Limits = Limits()
    preload: tuple[str, ...] = ()  # modules that are loaded before the first task
    nice: int = 0

    def as_argument(self) -> str:
        """Return it as one word."""
        return json.dumps((self.task_path, self.limits, self.preload, self.nice))

    @classmethod
    def from_argument(cls, word: str) -> "Setup":
        """Return what `as_argument` has made a word of."""
        path, limits, preload, nice = json.loads(word)
        return cls(tuple(path), Limits(*limits), tuple(preload), nice)


class Frame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The base of all frames: a list of its fields behind its number."""


class Job(Frame, frozen=True, tag=0):
    """Server → worker: execute this task."""

    task: bytes  # JSON of a nodes.Task
    tree: str
    shot: int
    path: str
    number: int
    folder: str | None
    variables: str | None  # JSON of an object
    url: str | None  # of the mdsip server that it runs on
    keeper: str | None  # address of that url's keeper
    url_wait_s: float


class Ready(Frame, frozen=True, tag=1):
    """Worker → server: I take jobs."""

    pid: int
    cpu_s: float = 0.0  # processor time that it has used so far


class Ended(Frame, frozen=True, tag=2):
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
    cpu_s: float = 0.0  # processor time of the worker and what it has started, since its start


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final[msgspec.msgpack.Decoder[Job | Ready | Ended]] = msgspec.msgpack.Decoder(
    Job | Ready | Ended
)


def pack(frame: Frame) -> bytes:
    """Return the bytes of a frame."""
    body = _ENCODER.encode(frame)
    return len(body).to_bytes(_LENGTH_BYTES, "little") + body


class Unpacker:
    """Turns a stream of bytes into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes and return the frames that they complete. Raise MalformedMessage."""
        if self._rest:
            data = self._rest + data
        frames: list[Frame] = []
        begin = _LENGTH_BYTES
        try:
            while len(data) >= begin:
                length = int.from_bytes(data[begin - _LENGTH_BYTES : begin], "little")
                if length > FRAME_BYTES_MAX:
                    raise MalformedMessage(f"a frame of {length} bytes, at most {FRAME_BYTES_MAX}")
                end = begin + length
                if len(data) < end:
                    break
                frames.append(_DECODER.decode(data[begin:end]))
                begin = end + _LENGTH_BYTES
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            # Whatever a task wrote into our pipe by mistake.
            raise MalformedMessage(f"not a frame of a worker: {describe(error)}") from error
        self._rest = data[begin - _LENGTH_BYTES :]
        return frames
