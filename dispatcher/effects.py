"""What goes into the dispatcher's machine and what comes out of it: plain values.

The shell turns sockets, the journal and the tree worker into events, and carries the effects out.
What the journal is asked and what it tells is in `journal`.
"""

from dataclasses import dataclass
from typing import Literal

from shotline.common.machine import Tick
from shotline.common.messages import Event, Message
from shotline.common.nodes import ActionNode, DispatchOptions, Phase, SourceMark
from shotline.common.records import ShotKey
from shotline.dispatcher.journal import EncodedCommit, JournalEvent, JournalQuery
from shotline.dispatcher.settings import Settings


@dataclass(frozen=True, slots=True)
class ToPeer:
    """Send messages through the broker; an empty target is the broker itself."""

    target: bytes
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class ToReader(ToPeer):
    """Answer somebody who only looks: it need not wait for a journal that has stopped (I9)."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Put an event on the feed."""

    event: Event


@dataclass(frozen=True, slots=True)
class WriteCommit:
    """Journal this; `Written` answers. Never more than one is in flight."""

    commit: EncodedCommit


@dataclass(frozen=True, slots=True)
class CreatePulseJob:
    """Make the pulse in the tree worker."""

    job: int
    key: ShotKey
    replace: bool


@dataclass(frozen=True, slots=True)
class ReadTableJob:
    """Read all action nodes of a shot in the tree worker."""

    job: int
    key: ShotKey


@dataclass(frozen=True, slots=True)
class ReadNodeJob:
    """Read one action node again, and look at the sources; see LookAtSourcesJob for `known`."""

    job: int
    key: ShotKey
    path: str
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LookAtSourcesJob:
    """Look how the sources of a table stand. After `wait_s` nobody waits for it any more.

    `known`: the marks that they had; what has another one is told in more detail.
    """

    job: int
    key: ShotKey
    known: tuple[str, ...]
    wait_s: float


@dataclass(frozen=True, slots=True)
class RaiseEventJob:
    """Raise a completion event (D13)."""

    job: int
    key: ShotKey
    event: str


@dataclass(frozen=True, slots=True)
class WriteStatusJob:
    """Write an action's status back to its node, as the C dispatcher does."""

    job: int
    key: ShotKey
    path: str
    code: int


@dataclass(frozen=True, slots=True)
class CurrentShotJob:
    """Read the experiment's current shot number; write it first where `set_to` is given.

    `increment`: write the next one.
    """

    job: int
    key: ShotKey
    set_to: int | None
    increment: bool


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
class Say:
    """A line for the dispatcher's log."""

    level: Literal["info", "warning", "error"]
    text: str


@dataclass(frozen=True, slots=True)
class Exit:
    """End the process; with `claim_above` begin again at once, with a term above it."""

    code: int
    why: str
    claim_above: int | None = None


Effect = (
    ToPeer
    | Publish
    | WriteCommit
    | CreatePulseJob
    | ReadTableJob
    | ReadNodeJob
    | LookAtSourcesJob
    | RaiseEventJob
    | WriteStatusJob
    | CurrentShotJob
    | JournalQuery
    | Say
    | Exit
)


@dataclass(frozen=True, slots=True)
class FromBroker:
    """Messages that came through the broker; an empty source is the broker itself."""

    source: bytes
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class MalformedFrom:
    """Something that is no message came from this peer (I7)."""

    source: bytes
    why: str


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


@dataclass(frozen=True, slots=True)
class BrokerReached:
    """A connection to the broker was made; without it nothing could be sent."""


@dataclass(frozen=True, slots=True)
class BrokerGone:
    """The connection to the broker broke; what was on its way may be lost."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The configuration was read again: these settings count from now on."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A signal asked the dispatcher to end; running actions go on in their servers."""


MachineEvent = (
    Tick
    | FromBroker
    | MalformedFrom
    | JournalEvent
    | TreeDone
    | BrokerReached
    | BrokerGone
    | Configured
    | StopAsked
)
