"""What the monitor takes and answers beside the commands and views of `common`. Pure.

Messages of channels are written by `messages`, which is fast; here is what is in them.
"""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import field
from pydantic import Field

from shotline.common.actions import ActionState, Category, Colour
from shotline.common.alarms.alarm import Alarm
from shotline.common.base import Struct
from shotline.common.dangers import Danger, NamedDanger
from shotline.common.fleet.views import FleetView
from shotline.common.messages import Outcome
from shotline.common.queue.plans import Entry, HistoryItem
from shotline.common.queue.records import (
    EntriesAdded,
    EntriesApproved,
    EntriesMoved,
    EntriesRemoved,
    EntryChanged,
    PlanEnded,
    PlanStarted,
)
from shotline.common.queue.views import ProgressView, QueueChange, QueueView
from shotline.common.records import (
    CheckReset,
    EventRaised,
    LateResult,
    NoteWritten,
    PulseCreated,
    Redispatched,
    SourceSeen,
    Transition,
)
from shotline.common.settings.model import Model
from shotline.common.settings.sections.values import ServerClass, ServerId
from shotline.common.views import ActionView, AnyResult, JournalState, RunView, ServerView, ShotView
from shotline.common.volumes.views import LedgerView


class FieldProblem(Struct):
    """What is wrong with one field of a request."""

    field: str
    message: str


class CommandAnswer(Struct):
    """The answer to a command: how it ended, in words, and what it asked for."""

    outcome: Outcome
    message: str = ""
    notices: tuple[str, ...] = ()
    dangers: tuple[NamedDanger, ...] = ()  # refused, until somebody insists on each by its code
    result: AnyResult | None = None
    fields: tuple[FieldProblem, ...] = ()  # with status 422


Away = Literal["broker", "dispatcher"]


class SystemView(Struct):
    """What the monitor is connected to, and how that is."""

    broker: str
    version: str
    life: str  # of this monitor; message numbers count within it
    feed: Literal["connecting", "live", "stopped"]
    feed_stopped_at: float | None = None
    away: Away | None = None  # who does not answer, as far as is known
    dispatcher: str = ""
    term: int | None = None
    journal: JournalState = JournalState.OK
    journal_text: str = ""
    recovering: bool = False
    current: tuple[str, int] | None = None
    experiments: tuple[str, ...] = ()


CountsShown = dict[Category, int]  # what is left out is 0
Beats = tuple[tuple[float, float | None], ...]  # when, and the round trip in seconds


class ServerState(StrEnum):
    """How a server stands."""

    ON = "ON"
    SUSPECT = "SUSPECT"
    DRAINING = "DRAINING"
    OFF = "OFF"


class ShownAction(ActionView):
    """An action as pages have it: how it is shown, too (D7)."""

    colour: Colour
    category: Category


class ShownServer(ServerView):
    """An action server as pages have it."""

    state: ServerState


class HostSample(Struct, array_like=True):
    """What a server has told of its host at some time; shares in percent."""

    at: float
    cpu: float
    load: float
    memory: float
    swap: float
    disk: float  # of the fullest
    temperature: float | None
    busy: int  # actions that the server ran


class PendingAgain(Struct):
    """What the actions are that a run has reset."""

    state: ActionState
    run: int
    colour: Colour
    category: Category


class Estimate(Struct):
    """What is expected of a run; the time left and what limits it come by themselves."""

    run: int
    remaining_s: float | None = None
    known: float = 1.0  # share of the open actions whose usual duration is known
    critical: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()


ListRecord = (
    EntriesAdded
    | EntryChanged
    | EntriesMoved
    | EntriesApproved
    | EntriesRemoved
    | PlanStarted
    | PlanEnded
)


class ChannelMessage(Struct):
    """One message of a channel. Which fields it has depends on `command` (docs/websocket.md)."""

    command: str
    seq: int
    time: float = 0.0
    task_id: str = ""
    task_state: str = ""
    action: Transition | None = None
    failed: bool = False
    colour: Colour | None = None
    category: Category | None = None
    phase: str = ""
    counts: dict[str, CountsShown | int] = {}  # by phase, or of one
    shot: ShotView | int | None = None
    actions: tuple[ShownAction, ...] = ()
    view: ShownAction | None = None
    medians: dict[str, float] = {}
    estimate: Estimate | None = None
    run: RunView | int | None = None
    reset: tuple[tuple[int, int], ...] = ()  # places of actions that are pending now, from and to
    pending: PendingAgain | None = None
    remaining_s: float | None = None
    known: float = 1.0
    critical: tuple[str, ...] | None = None
    slow: tuple[str, ...] = ()
    waits: dict[str, str] = {}
    progress: float = 0.0
    text: str = ""
    trouble: str = ""  # why a completion event was not, or perhaps not, raised
    servers: tuple[ShownServer, ...] = ()
    heartbeats: dict[str, Beats] = {}
    fleet: FleetView | None = None
    samples: dict[str, tuple[HostSample, ...]] = {}
    server: ShownServer | str | None = None
    system: SystemView | None = None
    shots: tuple[ShotView, ...] = ()
    tree: str = ""
    last: str = ""  # line of the audit
    level: str = "info"
    source: str = ""
    to: int = 0
    reason: str = ""
    attempt: int = 0
    stream: int = 0
    first: int = 0
    lines: tuple[tuple[float, int, str], ...] = ()
    record: (
        EventRaised
        | LateResult
        | Redispatched
        | CheckReset
        | PulseCreated
        | SourceSeen
        | NoteWritten
        | None
    ) = None
    since: int = field(default=0, name="from")  # of what is missing
    queue: QueueView | None = None
    entries: tuple[Entry, ...] = ()
    proposals: tuple[Entry, ...] = ()
    history: tuple[HistoryItem, ...] = ()
    changes: tuple[QueueChange, ...] = ()
    records: tuple[ListRecord, ...] = ()
    running: ProgressView | None = None
    ledger: LedgerView | None = None
    alarms: tuple[Alarm, ...] = ()
    alarm: Alarm | None = None
    number: int = 0  # of an alarm that there is no longer
    newest: int = 0  # the highest number that an alarm was given


class MonitorAnswer(Struct):
    """Answer to `GET /api/monitor`."""

    system: SystemView
    shots: tuple[ShotView, ...] = ()


class RanAction(Struct):
    """An action that a server runs or has run, as it stands."""

    tree: str
    shot: int
    name: str
    colour: Colour
    last: Transition


class ServerPastAnswer(Struct):
    """Answer to `GET /api/server_past`: what a server has run of the shots that are held here."""

    actions: tuple[RanAction, ...] = ()  # the latest first


class LogRequest(Model):
    """A test message for the live log."""

    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    text: Annotated[str, Field(min_length=1, max_length=10_000)]


class LogAnswer(Struct):
    """The test message was written."""

    text: str


class ServerCommandRequest(Model):
    """Have the site's script, or `shotline up`, start, restart or end servers."""

    server_class: ServerClass
    command: Literal["START", "STOP", "RESTART", "KILL", "STATUS"]
    server_id: ServerId | None = None


class CommandLineRequest(Model):
    """A line as one would type it after `shotline`; the word `shotline` itself may stand first."""

    line: Annotated[str, Field(min_length=1, max_length=4_096)]
    careful: bool = False  # refuse what ends something, unless `insist` has `ends`
    insist: tuple[Danger, ...] = ()


class ProgramAnswer(Struct):
    """What a program of the site's, or of ours, wrote, and its exit code.

    The code is `null` when it was ended at its limit.
    """

    arguments: tuple[str, ...]
    exit_code: int | None
    output: str
    duration_s: float
    timed_out: bool = False
