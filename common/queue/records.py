"""The queue's records: everything that ever happened to it, one class each. Pure.

The queue's state is their fold (`fold`), as a shot's is that of its own. `by` is who asked, empty
where the queue went on by itself.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from shotline.common.base import Json, Struct, tag_of
from shotline.common.queue.plans import Entry, HistoryItem, PlanRun, PulsePlan, Uid, Who, Words
from shotline.common.ranges import Count, Duration, Small, Wall

TASKS: Final = "TASKS"
"""The experiment of the queue's tasks; no command without a tree means it."""


class _QueueRecord(Struct, tag_field="type"):
    """The base of the queue's records."""

    time: Wall
    by: Who = ""

    @property
    def type(self) -> str:
        """Its name in the journal."""
        return tag_of(self)


class EntriesAdded(_QueueRecord, tag="entries_added"):
    """Entries came in, one behind the other from position `at` on; proposals are a list apart."""

    entries: tuple[Entry, ...]
    at: Count


class EntryChanged(_QueueRecord, tag="entry_changed"):
    """An entry became another one in its place; `was` is its uid where it got a new one."""

    entry: Entry
    what: Literal["updated", "replaced", "released"]
    was: str = ""


class EntriesMoved(_QueueRecord, tag="entries_moved"):
    """Entries went to position `at` of the list without them, in this order."""

    uids: tuple[Uid, ...]
    at: Count


class EntriesApproved(_QueueRecord, tag="entries_approved"):
    """Proposals became entries of the queue, from position `at` on."""

    uids: tuple[Uid, ...]
    at: Count


class EntriesRemoved(_QueueRecord, tag="entries_removed"):
    """Entries or proposals were taken out; nothing of them runs."""

    uids: tuple[Uid, ...]


class QueueModes(Struct):
    """How the queue goes on by itself."""

    loop: bool = False  # what completed goes to the back again
    ignore_failures: bool = False  # what failed does not come back, and does not stop the queue
    autostart: bool = False  # armed by itself whenever something may run


class QueueSwitched(_QueueRecord, tag="queue_switched"):
    """The queue was armed or stopped, or goes on otherwise from now on; all of it, as it is then.

    `why` tells people why it does not run.
    """

    armed: bool
    stop_pending: bool = False  # it stops after the running plan
    modes: QueueModes = QueueModes()
    why: Words = ""


class PlanStarted(_QueueRecord, tag="plan_started"):
    """An entry left the queue and runs; `executed`: it was never in it, and never goes there.

    `plan` is what is run: with all that its kind has said when it began.
    """

    entry: Entry
    plan: PulsePlan
    executed: bool = False


class PlanStep(StrEnum):
    """What a running plan does, in this order."""

    NUMBER = "number"  # asks the site for its next shot number
    CREATE = "create"
    WRITE = "write"  # parameters into nodes of the pulse
    BUILD = "build"
    PHASE = "phase"


class StepBegun(_QueueRecord, tag="step_begun"):
    """The running plan has given a command; the same id is given again after a restart."""

    step: PlanStep
    command: str
    shot: Small = 0
    phase: Small = 0  # of the plan's phases, from 0


class StepEnded(_QueueRecord, tag="step_ended"):
    """What the running plan's step came to. `failure` is why the plan fails by it, if it does."""

    failure: Words = ""
    notice: Words = ""
    run: PlanRun | None = None


class RunBegun(_QueueRecord, tag="plan_run_begun"):
    """The running plan's phase has become this run."""

    run: PlanRun


class PauseAsked(_QueueRecord, tag="pause_asked"):
    """The running plan is to pause: at the next boundary, or at once."""

    immediate: bool = False


class PlanPaused(_QueueRecord, tag="plan_paused"):
    """Nothing more of the running plan starts until it is resumed. `aborted` was ended for it."""

    why: Words = ""
    aborted: tuple[str, ...] = ()


class PlanResumed(_QueueRecord, tag="plan_resumed"):
    """The running plan goes on, or a pause that had not come about was taken back."""


class PlanEnding(StrEnum):
    """How somebody ends the running plan."""

    STOP = "stop"  # what runs ends in order, then the closing phases
    ABORT = "abort"  # what runs is aborted, then the closing phases
    HALT = "halt"  # what runs is aborted, and nothing more runs


class EndAsked(_QueueRecord, tag="end_asked"):
    """Somebody ends the running plan."""

    how: PlanEnding
    reason: Words = ""


class PlanEnded(_QueueRecord, tag="plan_ended"):
    """The running plan has ended. `back` is a copy that goes to the queue, first or last."""

    item: HistoryItem
    back: Entry | None = None
    at_back: bool = False


class LockKept(Struct):
    """A lock. Its key is kept only as what it is checked by."""

    user: Who
    note: Words = ""
    queue: bool = False  # what is in the queue, and its modes
    environment: bool = False  # what runs
    key_hash: str
    time: Wall


class LockChanged(_QueueRecord, tag="lock_changed"):
    """The queue was locked, locked otherwise, or unlocked (None)."""

    lock: LockKept | None


class Patterns(Struct):
    """Names that may be used: those that an allowed pattern fits and no forbidden one.

    `*` stands for anything, `?` for one character; case counts.
    """

    allowed: Annotated[
        tuple[str, ...], Meta(max_length=1000, description="Patterns of names that may be used.")
    ] = ("*",)
    forbidden: Annotated[
        tuple[str, ...], Meta(max_length=1000, description="Patterns of those that may not.")
    ] = ()


class QueueGroup(Struct):
    """What a group sees and may use."""

    description: Annotated[str, Meta(max_length=1000, description="For people.")] = ""
    kinds: Annotated[Patterns, Meta(description="Kinds of plans.")] = Patterns()
    experiments: Annotated[Patterns, Meta(description="Experiments.")] = Patterns()
    classes: Annotated[Patterns, Meta(description="Server classes.")] = Patterns()
    functions: Annotated[Patterns, Meta(description="Functions of tasks.")] = Patterns()


class GroupsSet(_QueueRecord, tag="groups_set"):
    """These groups count from now on; None: those of the configuration again."""

    groups: dict[str, QueueGroup] | None


class TaskState(StrEnum):
    """How a task stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class QueueTask(Struct):
    """A function of the configuration that somebody had run, and what came of it."""

    uid: Uid
    function: str
    positional: tuple[Json, ...] = ()
    arguments: dict[str, Json] = {}
    user: Who = ""
    group: str = ""
    background: bool = False
    state: TaskState = TaskState.RUNNING
    server: str = ""
    message: Words = ""
    value: Json = None
    began_at: Wall
    ended_at: Wall | None = None
    duration_s: Duration | None = None


class TaskChanged(_QueueRecord, tag="task_changed"):
    """A task began or ended."""

    task: QueueTask


class TasksForgotten(_QueueRecord, tag="tasks_forgotten"):
    """Results that were kept long enough are gone."""

    uids: tuple[Uid, ...]


class EnvironmentState(StrEnum):
    """How the workers of the servers that the queue needs stand together."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    DESTROYING = "destroying"
    RELOADING = "reloading"
    FAILED = "failed"  # it was to be opened, and some server could not


class EnvironmentServer(Struct):
    """What a server has said to the last order about its workers."""

    server: str
    state: Literal["waiting", "ready", "ended", "failed", "away"]
    text: str = ""  # what happened, or why not
    workers: Small = 0


class EnvironmentChanged(_QueueRecord, tag="environment_changed"):
    """The environment was told something, or has answered."""

    state: EnvironmentState
    servers: tuple[EnvironmentServer, ...] = ()
    command: str = ""


class HistoryHidden(_QueueRecord, tag="history_hidden"):
    """Somebody cleared the view of the history up to and with this many items ever; it is kept."""

    before: Count


class QueueMark(_QueueRecord, tag="queue_mark"):
    """The dispatcher was alive at this time, with the queue armed or a plan running."""


class WaitBegun(_QueueRecord, tag="wait_begun"):
    """Whoever gave this command waits: for the queue's rest, or the end of a plan or a task."""

    command: str
    verb: str
    what: Literal["rest", "plan", "environment", "task"]
    uid: str = ""


class WaitEnded(_QueueRecord, tag="wait_ended"):
    """Those who gave these commands are answered."""

    commands: tuple[str, ...]


class KindsSeen(_QueueRecord, tag="kinds_seen"):
    """The kinds of the configuration, or its groups, are others than before."""

    kinds: str  # digests
    groups: str


class Versions(Struct):
    """A number for each list, that rises with its every change, and never falls."""

    queue: Count = 0  # entries and proposals
    running: Count = 0
    history: Count = 0
    status: Count = 0  # anything
    modes: Count = 0
    lock: Count = 0
    groups: Count = 0
    kinds: Count = 0
    tasks: Count = 0
    environment: Count = 0


class PlanProgress(Struct):
    """How far the running plan is, as the records tell."""

    entry: Entry
    plan: PulsePlan
    began_at: Wall
    executed: bool = False
    begun: Small = 0  # steps
    tree: str = ""
    shot: Small = 0
    step: PlanStep | None = None  # that is under way
    phase: Small = 0  # of the plan's phases: the one under way, or the last one
    command: str = ""  # of the step that is under way
    closing: bool = False  # which was begun for the plan's end
    done: tuple[PlanStep, ...] = ()
    phases_done: Small = 0
    runs: tuple[PlanRun, ...] = ()
    run: PlanRun | None = None  # that is open
    failure: Words = ""  # why it fails: the first reason
    notices: tuple[str, ...] = ()
    pause: Literal["", "asked", "immediate"] = ""
    paused: Words = ""  # why nothing more of it starts; empty: it goes on
    aborted: tuple[str, ...] = ()  # paths that were ended for the pause
    ending: PlanEnding | None = None
    ended_by: Who = ""
    ending_reason: Words = ""


class QueueKept(_QueueRecord, tag="queue_kept"):
    """The whole state: the journal of the queue may begin here."""

    entries: tuple[Entry, ...] = ()
    proposals: tuple[Entry, ...] = ()
    running: PlanProgress | None = None
    armed: bool = False
    stop_pending: bool = False
    modes: QueueModes = QueueModes()
    why: Words = ""
    lock: LockKept | None = None
    groups: dict[str, QueueGroup] | None = None
    tasks: tuple[QueueTask, ...] = ()
    environment: EnvironmentState = EnvironmentState.CLOSED
    servers: tuple[EnvironmentServer, ...] = ()
    environment_command: str = ""
    kinds_digest: str = ""
    groups_digest: str = ""
    history_total: Count = 0  # items ever
    history_hidden: Count = 0
    waits: tuple[WaitBegun, ...] = ()
    versions: Versions = Versions()


QueueRecord = (
    EntriesAdded
    | EntryChanged
    | EntriesMoved
    | EntriesApproved
    | EntriesRemoved
    | QueueSwitched
    | PlanStarted
    | StepBegun
    | StepEnded
    | RunBegun
    | PauseAsked
    | PlanPaused
    | PlanResumed
    | EndAsked
    | PlanEnded
    | LockChanged
    | GroupsSet
    | TaskChanged
    | TasksForgotten
    | EnvironmentChanged
    | HistoryHidden
    | QueueMark
    | WaitBegun
    | WaitEnded
    | KindsSeen
    | QueueKept
)

_MANY: Final[msgspec.json.Decoder[tuple[QueueRecord, ...]]] = msgspec.json.Decoder(
    tuple[QueueRecord, ...]
)


def decode_queue_records(data: bytes | str) -> tuple[QueueRecord, ...]:
    """Return the queue's records of a JSON array. Raise ValueError when one is none of ours."""
    return _MANY.decode(data)
