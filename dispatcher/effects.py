"""What goes into the dispatcher's machine and what comes out of it: plain values.

The shell turns sockets, the journal and the tree worker into events, and carries the effects out.
What the journal is asked and what it tells is in `journal`, what tree workers are in `trees.jobs`,
what the worker of the past is in `past.jobs`.
"""

from typing import Literal

from shotline.common.actions import AttemptId
from shotline.common.base import Value
from shotline.common.machine import Tick
from shotline.common.messages import Event, Message
from shotline.common.records import ShotKey
from shotline.common.settings.configuration import Config
from shotline.dispatcher.journal import EncodedCommit, JournalEvent, JournalQuery, VouchForRedis
from shotline.dispatcher.past.jobs import AnyPastJob, PastDone
from shotline.dispatcher.trees.jobs import TreeDone, TreeJob


class ToPeer(Value):
    """Send messages through the broker; an empty target is the broker itself."""

    target: bytes
    messages: tuple[Message, ...]


class ToReader(ToPeer):
    """Answer somebody who only looks: it need not wait for a journal that has stopped (I9)."""


class Publish(Value):
    """Put an event on the feed."""

    event: Event


class WriteCommit(Value):
    """Journal this; `Written` answers. Never more than one is in flight."""

    commit: EncodedCommit


class Say(Value):
    """A line for the dispatcher's log; `about`: the attempt or the shot that it is about."""

    level: Literal["info", "warning", "error"]
    text: str
    about: AttemptId | ShotKey | None = None


class Exit(Value):
    """End the process; with `claim_above` begin again at once, with a term above it.

    `taken_over`: another dispatcher has the seat, and the journal; a hub goes on as its broker.
    """

    code: int
    why: str
    claim_above: int | None = None
    taken_over: bool = False


class RunProgram(Value):
    """Run a program of the site's, for a limited time; `ProgramDone` answers."""

    job: int
    script: str  # "": the packaged one
    arguments: tuple[str, ...]
    timeout_s: float
    given: bytes = b""  # what it can read
    environment: tuple[tuple[str, str], ...] = ()  # beside our own


Effect = (
    ToPeer
    | Publish
    | WriteCommit
    | VouchForRedis
    | TreeJob
    | AnyPastJob
    | JournalQuery
    | RunProgram
    | Say
    | Exit
)


class ProgramDone(Value):
    """A program has ended, or was ended since it took too long (no code)."""

    job: int
    code: int | None = None
    output: str = ""
    error: str = ""  # why it could not be run


class FromBroker(Value):
    """Messages that came through the broker; an empty source is the broker itself."""

    source: bytes
    messages: tuple[Message, ...]


class MalformedFrom(Value):
    """Something that is no message came from this peer (I7)."""

    source: bytes
    why: str


class BrokerReached(Value):
    """A connection to the broker was made; without it nothing could be sent."""


class BrokerGone(Value):
    """The connection to the broker broke; what was on its way may be lost."""


class Configured(Value):
    """The configuration was read again: this one counts from now on."""

    config: Config
    emergency_key: str = ""  # of the pulse queue's locks


class StopAsked(Value):
    """A signal asked the dispatcher to end; running actions go on in their servers."""


MachineEvent = (
    Tick
    | FromBroker
    | MalformedFrom
    | JournalEvent
    | TreeDone
    | PastDone
    | ProgramDone
    | BrokerReached
    | BrokerGone
    | Configured
    | StopAsked
)
