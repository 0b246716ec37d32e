"""What commands answer with: views of shots, runs, actions and servers for people and programs.

They are computed by the dispatcher from its state and shown by the CLI, the client library and the
monitor. `…_at` is wall clock for display.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, Final, Literal, Self

import msgspec
from msgspec import structs

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.alarms.views import AlarmsAnswered, AlarmsEvent, AlarmsResult
from shotline.common.base import Struct, to_json
from shotline.common.fleet.facts import LoggedLine, ServerFacts
from shotline.common.fleet.settings import ServerSettings
from shotline.common.fleet.views import Flag, FleetAnswers, FleetExpectedResult, FleetView
from shotline.common.nodes import ActionNode, Contact, Help
from shotline.common.paged import Paged, Result
from shotline.common.past.views import AnyPastResult, LookedBack
from shotline.common.pilots import ClassDemand
from shotline.common.queue.views import AnyQueueResult, QueueSnapshot
from shotline.common.ranges import (
    Change,
    Count,
    Duration,
    Fraction,
    SequenceNumber,
    ShotNumber,
    Small,
    StreamNumber,
    Term,
    Wall,
)
from shotline.common.records import (
    Audited,
    Counts,
    NoteWritten,
    Record,
    RunKind,
    RunOutcome,
    Transition,
)
from shotline.common.volumes.views import AnyRecordsResult, LedgerView


class JournalState(StrEnum):
    """How the dispatcher's journal stands; the words are shown to operators."""

    OK = "ok"
    DEGRADED = "degraded"  # Redis is away or lags behind; commits go to the spill file
    STOPPED = "stopped"  # neither Redis nor the file takes a commit: start nothing new


class ActionView(Struct):
    """One action as it stands: what the tree declares, and what has become of it."""

    path: str
    name: str
    nid: Small | None = None  # of an MDSplus node
    server_class: str
    phase: str
    when: str = ""  # as written
    number: SequenceNumber | None = None  # sequence number
    references: tuple[str, ...] = ()  # paths that its condition refers to
    on: bool = True
    asynchronous: bool = False
    essential: bool = False
    label: str | None = None  # that a server must have to run it
    timeout_s: Duration | None = None
    completion_event: str | None = None
    event_trouble: str = ""  # why its completion event was not, or perhaps not, raised
    unreadable: str | None = None
    help: Help = ""  # what to do when it fails
    contact: Contact = ""  # whom to call then
    never: Cause | None = None  # why it is never dispatched, and no run resets it
    text: str = ""
    last: Transition  # its live state
    failed: bool = False  # counts as failed (exit codes, check, reports)
    waits_for: str = ""  # why an unsettled action does not go on, in words
    progress: Fraction | None = None  # 0 to 1
    progress_text: str = ""


class RunView(Struct):
    """One run of a shot."""

    tree: str
    shot: ShotNumber
    run: Small
    kind: RunKind
    phase: str
    first: SequenceNumber | None = None
    last: SequenceNumber | None = None
    state: Literal["open", "aborting", "held", "ended"]
    outcome: RunOutcome | None = None
    reason: str = ""
    opened_at: Wall
    ended_at: Wall | None = None
    duration_s: Duration | None = None
    counts: Counts
    who: str = ""  # has asked for it


class ShotView(Struct):
    """One shot in short."""

    tree: str
    shot: ShotNumber
    built_at: Wall | None = None
    phases: tuple[str, ...] = ()
    actions: Count = 0
    counts: Counts = Counts()
    runs: tuple[RunView, ...] = ()
    essential_failures: tuple[str, ...] = ()
    source_changed: str = ""  # what has changed since its tables were built, as last seen
    current: bool = False  # the current pulse (D16)
    loaded: bool = True  # False: stored, and not looked at yet; nothing else is known of it here
    notes: tuple[NoteWritten, ...] = ()  # as they stand, also those on its actions
    changed_at: Wall | None = None  # when its last record was written
    kept: Literal["", "kept", "imported"] = ""  # a file has it: it is only looked at
    kept_words: str = ""  # where that has come from


class ServerView(Struct):
    """One action server."""

    server: str
    server_class: str
    server_id: str
    liveness: Literal["alive", "suspect", "lost", "absent"]
    draining: bool = False
    why: str = ""
    host: str = ""
    address: str = ""  # network address that the broker's connection comes from
    pid: Small = 0
    version: str = ""
    slots: Small = 0
    stuck: Small = 0
    broken: Small = 0  # slots that have no worker because none starts
    trouble: str = ""  # why none starts
    busy: tuple[str, ...] = ()  # paths of what it has, running or sent
    unanswered: Small = 0
    incarnation: str = ""
    epoch: Small = 0
    started_at: Wall | None = None
    last_seen_at: Wall | None = None
    round_trip_s: Duration | None = None
    url: str | None = None  # mdsip server of its own
    bound: tuple[str, ...] = ()  # what mdsip servers are busy with that it asked, in words
    flags: tuple[Flag, ...] = ()
    settings: ServerSettings | None = None  # None: nobody has set anything
    usable: Small = 0  # slots that may take an action now
    labels: tuple[str, ...] = ()
    facts: ServerFacts | None = None  # the last that it told of itself and of its host


class RunReport(Paged, tag="run_report"):
    """Answer to do_phase, do_sequence, dispatch and wait: the run and each of its actions."""

    LIST: ClassVar[str] = "actions"
    run: RunView
    actions: tuple[ActionView, ...] = ()


class StatusResult(Result, tag="status"):
    """Answer to `status`."""

    term: Term
    dispatcher: str
    started_at: Wall
    broker: str = ""
    journal: JournalState
    journal_text: str = ""
    recovering: bool = False
    keep_trouble: str = ""  # why old shots cannot be written into files, and stay in Redis
    current: tuple[str, ShotNumber] | None = None
    shots: tuple[ShotView, ...] = ()
    servers: tuple[ServerView, ...] = ()


class ServersResult(Result, tag="servers"):
    """Answer to `servers`."""

    servers: tuple[ServerView, ...]


class FleetResult(Paged, tag="fleet"):
    """Answer to `fleet`: the servers, by name, and what there is beside them."""

    LIST: ClassVar[str] = "servers"
    servers: tuple[ServerView, ...] = ()
    fleet: FleetView | None = None  # on the first page


class ServerLogResult(Result, tag="server_log"):
    """Answer to `server_log`: the newest last; of a server that is gone its last words."""

    server: str
    lines: tuple[LoggedLine, ...] = ()


class ActionsResult(Paged, tag="actions"):
    """Answer to `actions`, `build_tables` and `print_pending`."""

    LIST: ClassVar[str] = "actions"
    shots: tuple[ShotView, ...]  # on the first page
    actions: tuple[ActionView, ...]  # of one shot, in the table's order; pending: of all shots


class StoryResult(Paged, tag="story"):
    """Answer to `show`: the action and all records about it, oldest first."""

    LIST: ClassVar[str] = "records"
    action: ActionView
    records: tuple[Record, ...]
    notes: tuple[NoteWritten, ...] = ()  # on it, as they stand


class OutputLine(Struct):
    """One line of an action's output; bytes that are not UTF-8 are shown as \\xNN."""

    number: Count
    at: Wall
    stream: Literal[0, 1, 2]  # 1 standard output, 2 standard error, 0 a note of Shotline's
    text: str


class LogsResult(Paged, tag="logs"):
    """Answer to `logs`: lines of one attempt. `more` when others follow the last of these."""

    LIST: ClassVar[str] = "lines"
    path: str
    attempt: Small
    attempts: tuple[Small, ...] = ()
    lines: tuple[OutputLine, ...]
    more: bool = False
    tails: tuple[OutputLine, ...] = ()
    """Behind the last line, of each stream the one that has not ended, and may change."""

    def followed_by(self, page: "Paged") -> Self:
        """Return this with the lines of the page that follows."""
        assert isinstance(page, LogsResult)
        rest = {"more": page.more, "tails": page.tails}
        return structs.replace(super().followed_by(page), **rest)


class CheckResult(Paged, tag="check"):
    """Answer to `check`: essential actions that failed since the last reset."""

    LIST: ClassVar[str] = "failures"
    failures: tuple[ActionView, ...]


class Severity(StrEnum):
    """How much a problem matters."""

    ERROR = "error"  # something cannot work as it was meant
    WARNING = "warning"  # perhaps meant so


class TreeProblem(Struct):
    """Something to look at in a tree; `path` is empty where it concerns no single action."""

    severity: Severity
    path: str
    text: str


class TreeResult(Paged, tag="tree"):
    """Answer to `tree`: what the tree declares, and what is wrong or odd about it."""

    LIST: ClassVar[str] = "actions"
    tree: str
    shot: ShotNumber
    phases: tuple[str, ...]  # the site's in their order, then those that only actions name
    actions: tuple[ActionNode, ...]  # in the tree's order
    never: dict[str, str] = {}  # path → why it is never dispatched
    problems: tuple[TreeProblem, ...] = ()  # of the whole tree, on its first page

    def followed_by(self, page: "Paged") -> Self:
        """Return this with the actions of the page that follows, and why some never run."""
        assert isinstance(page, TreeResult)
        never = {**self.never, **page.never}
        return structs.replace(super().followed_by(page), never=never)


class CurrentResult(Result, tag="current"):
    """Answer to `current`."""

    tree: str
    shot: ShotNumber


class ShotsResult(Paged, tag="shots"):
    """Answer to `shots`."""

    LIST: ClassVar[str] = "shots"
    shots: tuple[ShotView, ...]


class FoundShotsResult(LookedBack, tag="find_shots"):
    """Answer to `find_shots`: the newest first, without their sources."""

    shots: tuple[ShotView, ...] = ()


class ComparedSide(Struct):
    """An action as it has ended in one of two shots."""

    state: ActionState
    status: Status | None = None
    cause: Cause | None = None
    failed: bool = False
    reason: str = ""
    server: str | None = None
    attempt: Small = 0
    duration_s: Duration | None = None


class ComparedAction(Struct):
    """An action of two shots; a side is missing where the shot has no such action."""

    path: str
    name: str
    phase: str
    left: ComparedSide | None = None
    right: ComparedSide | None = None
    differs: tuple[Literal["outcome", "duration", "reason", "declaration"], ...] = ()
    change_s: Change | None = None  # by how much the second took longer


class CompareResult(Paged, tag="compare"):
    """Answer to `compare`; `totals` counts actions by what is different."""

    LIST: ClassVar[str] = "actions"
    left: ShotView | None = None  # both on the first page
    right: ShotView | None = None
    totals: dict[str, Count] = {}  # on the first page
    actions: tuple[ComparedAction, ...] = ()


class AuditResult(Result, tag="audit"):
    """Answer to `audit`: lines, the newest first.

    Where `next` is there, older ones may follow: ask again with it as `before`, also where there
    are fewer lines than were asked for.
    """

    lines: tuple[Audited, ...]
    next: str | None = None


class DemandResult(Result, tag="demand"):
    """Answer to `provider_report`: what each of its classes needs.

    `recovering`: what servers hold is not known yet, nor what is needed.
    """

    recovering: bool = False
    classes: tuple[ClassDemand, ...] = ()


class SnapshotResult(Paged, tag="snapshot"):
    """Answer to `snapshot`: the channel's state up to and with event `seq` of `term`."""

    LIST: ClassVar[str] = "actions"
    channel: str
    term: Term
    seq: Count
    shot: ShotView | None = None  # on the first page
    actions: tuple[ActionView, ...] = ()
    servers: tuple[ServerView, ...] = ()
    fleet: FleetView | None = None  # with the servers
    logs: LogsResult | None = None
    queue: QueueSnapshot | None = None
    ledger: LedgerView | None = None
    alarms: AlarmsEvent | None = None  # all of them


AnyResult = (
    RunReport
    | StatusResult
    | ServersResult
    | ServerLogResult
    | FleetResult
    | FleetAnswers
    | FleetExpectedResult
    | ActionsResult
    | StoryResult
    | LogsResult
    | CheckResult
    | TreeResult
    | CurrentResult
    | ShotsResult
    | AuditResult
    | DemandResult
    | SnapshotResult
    | AnyQueueResult
    | AnyRecordsResult
    | AlarmsResult
    | AlarmsAnswered
    | FoundShotsResult
    | CompareResult
    | AnyPastResult
)

_DECODER: Final[msgspec.json.Decoder[AnyResult]] = msgspec.json.Decoder(AnyResult)


def encode_result(result: AnyResult) -> bytes:
    """Return a result as JSON."""
    return to_json(result)


def encode_page(result: Paged, items: Sequence[bytes]) -> bytes:
    """Return a result as JSON, with these items, as JSON, in its list."""
    listed = tuple(map(msgspec.Raw, items))
    return to_json(structs.replace(result, **{result.LIST: listed}))


def decode_result(data: bytes | str) -> AnyResult:
    """Return the result of a JSON object. Raise ValueError when it is none."""
    return _DECODER.decode(data)


class ShotEvent(Struct):
    """Payload on `shot/TREE/SHOT`: journal records, progress, or what pending actions wait for."""

    records: tuple[Record, ...] = ()
    progress: tuple[tuple[str, Fraction, str], ...] = ()  # path, fraction, text
    waits: tuple[tuple[str, str], ...] = ()  # path, text


class OutputEvent(Struct):
    """Payload on `output/TREE/SHOT/PATH`: what was stored; `first` numbers the first line.

    Each piece: time, stream, and one or more lines joined by line feeds. Bytes that are not UTF-8
    stand as \\xNN.
    """

    attempt: Small
    first: Count
    pieces: tuple[tuple[Wall, StreamNumber, str], ...]
    tail: OutputLine | None = None  # behind these: it has not ended, and may change


class ServersEvent(Struct):
    """Payload on `servers`: those that changed."""

    servers: tuple[ServerView, ...]
    fleet: FleetView | None = None  # None: as before
    gone: tuple[str, ...] = ()  # that somebody has dismissed


class LogEvent(Struct):
    """Payload on `log`: lines of the daemons' logs."""

    lines: tuple[tuple[Wall, str, str, str], ...]  # time, level, source, text
    about: tuple[str, ShotNumber, str, Small] | None = None  # attempt: tree, shot, path, number


class AuditEvent(Struct):
    """Payload on `audit`: there are lines up to this one, for those who may ask for them."""

    last: str


class FeedBeat(Struct):
    """Payload on `feed`, once a second: the last number of each channel in use."""

    last: dict[str, Count]
    journal: JournalState
    leaving: bool = False  # the dispatcher's last one: it ends
