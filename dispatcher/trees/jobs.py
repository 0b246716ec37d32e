"""What tree workers are asked and what they answer, for the machine and on the pipe. Pure."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from shotline.common.nodes import ActionNode, DispatchOptions, Phase, SourceMark
from shotline.common.records import ShotKey


@dataclass(frozen=True, slots=True)
class CreatePulseJob:
    """Make the pulse in the tree worker."""

    job: int
    key: ShotKey
    replace: bool
    action: Literal["create_pulse"] = "create_pulse"


@dataclass(frozen=True, slots=True)
class ReadTableJob:
    """Read all action nodes of a shot in the tree worker."""

    job: int
    key: ShotKey
    action: Literal["read_table"] = "read_table"


@dataclass(frozen=True, slots=True)
class ReadNodeJob:
    """Read one action node again, and look at the sources; see LookAtSourcesJob for `known`."""

    job: int
    key: ShotKey
    path: str
    known: tuple[str, ...] = ()
    action: Literal["read_node"] = "read_node"


@dataclass(frozen=True, slots=True)
class LookAtSourcesJob:
    """Look how the sources of a table stand. After `wait_s` nobody waits for it any more.

    `known`: the marks that they had; what has another one is told in more detail.
    """

    job: int
    key: ShotKey
    known: tuple[str, ...]
    wait_s: float
    action: Literal["look"] = "look"


@dataclass(frozen=True, slots=True)
class RaiseEventJob:
    """Raise a completion event (D13)."""

    job: int
    key: ShotKey
    event: str
    action: Literal["raise_event"] = "raise_event"


@dataclass(frozen=True, slots=True)
class WriteStatusJob:
    """Write an action's status back to its node, as the C dispatcher does."""

    job: int
    key: ShotKey
    path: str
    code: int
    action: Literal["write_status"] = "write_status"


@dataclass(frozen=True, slots=True)
class CurrentShotJob:
    """Read the experiment's current shot number; write it first where `set_to` is given.

    `increment`: write the next one.
    """

    job: int
    key: ShotKey
    set_to: int | None
    increment: bool
    action: Literal["current_shot"] = "current_shot"


TreeJob = (
    CreatePulseJob
    | ReadTableJob
    | ReadNodeJob
    | LookAtSourcesJob
    | RaiseEventJob
    | WriteStatusJob
    | CurrentShotJob
)


@dataclass(frozen=True, slots=True)
class TreeDone:
    """A tree job ended; `error` says in words why it failed.

    `nodes` and what belongs to them are there where they were asked for.
    """

    job: int
    error: str = ""
    exists: bool = False  # the pulse exists already
    nodes: tuple[ActionNode, ...] = ()
    phases: tuple[Phase, ...] = ()
    options: DispatchOptions | None = None  # as the tree itself declares them
    warnings: tuple[str, ...] = ()
    sources: tuple[SourceMark, ...] = ()
    current: int | None = None  # shot number


_JOBS: Final[TypeAdapter[TreeJob]] = TypeAdapter(Annotated[TreeJob, Field(discriminator="action")])
_ANSWERS: Final = TypeAdapter(TreeDone)


def encode_job(job: TreeJob) -> bytes:
    """Return a job as a line."""
    return _JOBS.dump_json(job) + b"\n"


def decode_job(line: bytes) -> TreeJob:
    """Return the job of a line. Raise ValueError."""
    return _JOBS.validate_json(line)


def encode_answer(done: TreeDone) -> bytes:
    """Return an answer as a line."""
    return _ANSWERS.dump_json(done) + b"\n"


def decode_answer(line: bytes) -> TreeDone:
    """Return the answer of a line. Raise ValueError."""
    return _ANSWERS.validate_json(line)
