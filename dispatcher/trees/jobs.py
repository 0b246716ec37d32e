"""What tree workers are asked and what they answer, for the machine and on the pipe. Pure."""

from typing import Final

import msgspec

from shotline.common.base import Json, Struct
from shotline.common.nodes import ActionNode, DispatchOptions, Phase, SourceMark
from shotline.common.records import ShotKey


class _Job(Struct, tag_field="action"):
    """The base of all jobs."""

    job: int
    key: ShotKey


class CreatePulseJob(_Job, tag="create_pulse"):
    """Make the pulse in the tree worker."""

    replace: bool


class ReadTableJob(_Job, tag="read_table"):
    """Read all action nodes of a shot in the tree worker."""


class ReadNodeJob(_Job, tag="read_node"):
    """Read one action node again, and look at the sources; see LookAtSourcesJob for `known`."""

    path: str
    known: tuple[str, ...] = ()


class LookAtSourcesJob(_Job, tag="look"):
    """Look how the sources of a table stand. After `wait_s` nobody waits for it any more.

    `known`: the marks that they had; what has another one is told in more detail.
    """

    known: tuple[str, ...]
    wait_s: float


class RaiseEventJob(_Job, tag="raise_event"):
    """Raise a completion event (D13)."""

    event: str


class WriteStatusJob(_Job, tag="write_status"):
    """Write an action's status back to its node, as the C dispatcher does."""

    path: str
    code: int


class CurrentShotJob(_Job, tag="current_shot"):
    """Read the experiment's current shot number; write it first where `set_to` is given.

    `increment`: write the next one.
    """

    set_to: int | None
    increment: bool


class WriteNodesJob(_Job, tag="write_nodes"):
    """Write values into nodes of a pulse, by path."""

    values: dict[str, Json]


TreeJob = (
    CreatePulseJob
    | ReadTableJob
    | ReadNodeJob
    | LookAtSourcesJob
    | RaiseEventJob
    | WriteStatusJob
    | CurrentShotJob
    | WriteNodesJob
)


class TreeDone(Struct):
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


_JOBS: Final[msgspec.json.Decoder[TreeJob]] = msgspec.json.Decoder(TreeJob)
_ANSWERS: Final = msgspec.json.Decoder(TreeDone)


def decode_job(line: bytes) -> TreeJob:
    """Return the job of a line. Raise ValueError."""
    return _JOBS.decode(line)


def decode_answer(line: bytes) -> TreeDone:
    """Return the answer of a line. Raise ValueError."""
    return _ANSWERS.decode(line)
