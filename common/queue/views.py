"""What commands about the queue are answered with. Pure."""

from enum import StrEnum
from typing import ClassVar, Literal

from shotline.common.base import Struct
from shotline.common.paged import Paged, Result
from shotline.common.queue.kinds import FunctionView, KindView
from shotline.common.queue.plans import Entry, HistoryItem
from shotline.common.queue.records import (
    EnvironmentServer,
    EnvironmentState,
    PlanProgress,
    QueueGroup,
    QueueKept,
    QueueModes,
    QueueRecord,
    QueueTask,
    Versions,
)
from shotline.common.ranges import Count, Duration, Small, Wall


class QueueState(StrEnum):
    """What the queue does."""

    IDLE = "idle"
    ARMED = "armed"  # begins as soon as something may run
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"  # after this plan, or the plan itself


class RefusalCode(StrEnum):
    """Why the queue refuses; the words beside it are for people and may change."""

    WRONG_STATE = "wrong_state"  # not allowed in the queue's state
    UNKNOWN_ENTRY = "unknown_entry"
    RUNNING_ENTRY = "running_entry"  # it runs, and is not in the queue
    BAD_POSITION = "bad_position"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_EXPERIMENT = "unknown_experiment"
    UNKNOWN_PHASE = "unknown_phase"
    BAD_PARAMETER = "bad_parameter"
    BAD_PLAN = "bad_plan"
    NO_SERVERS = "no_servers"
    FULL = "full"
    CHANGED = "changed"  # somebody else has changed the queue meanwhile
    LOCKED = "locked"
    WRONG_KEY = "wrong_key"
    NOT_LOCKED = "not_locked"
    HELD = "held"
    NOT_HELD = "not_held"
    NOT_PROPOSED = "not_proposed"
    NOT_ALLOWED = "not_allowed"  # to this group
    UNKNOWN_GROUP = "unknown_group"
    ABORTED_ACTIONS = "aborted_actions"  # resume must say what becomes of them
    NO_ENVIRONMENT = "no_environment"
    UNKNOWN_FUNCTION = "unknown_function"
    UNKNOWN_TASK = "unknown_task"


class QueueChange(Struct):
    """What somebody has changed, for whom did not know it."""

    version: Count
    time: Wall
    by: str
    text: str
    uids: tuple[str, ...] = ()


class PlanAnswer(Struct):
    """What became of one plan of several."""

    ok: bool
    code: RefusalCode | None = None
    message: str = ""


class QueueRefused(Result, tag="queue_refused"):
    """A refusal: its code, the state that it rests on, and what else helps."""

    code: RefusalCode
    state: QueueState
    version: Count = 0  # of the list `queue`
    answers: tuple[PlanAnswer, ...] = ()  # of each plan that was to be added
    changes: tuple[QueueChange, ...] = ()  # since the version that was named
    aborted: tuple[str, ...] = ()  # actions that resume is to decide on


class QueueLockView(Struct):
    """A lock, without its key."""

    user: str
    note: str = ""
    queue: bool = False
    environment: bool = False
    time: Wall


class EnvironmentView(Struct):
    """How the workers of the servers stand that the queue needs."""

    state: EnvironmentState = EnvironmentState.CLOSED
    servers: tuple[EnvironmentServer, ...] = ()
    required: bool = False  # while it is not open nothing starts: configured, or somebody used it


class ProgressView(Struct):
    """How far the running plan is; times are measured where it runs."""

    phase: str = ""
    phase_number: Small = 0  # from 1
    phases: Small = 0
    done: Count = 0  # actions of the phase that have settled
    total: Count = 0
    elapsed_s: Duration = 0.0
    left_s: Duration | None = None  # until the plan's end, from the medians; None: not known


class QueueView(Struct):
    """The queue in short."""

    state: QueueState
    text: str  # what it does, and why, in words
    versions: Versions
    entries: Count = 0
    held: Count = 0
    proposals: Count = 0
    history: Count = 0  # items that are shown
    history_total: Count = 0  # ever
    running: PlanProgress | None = None
    progress: ProgressView | None = None
    armed: bool = False
    stop_pending: bool = False
    pause_pending: bool = False
    modes: QueueModes = QueueModes()
    lock: QueueLockView | None = None
    emergency_key_set: bool = False
    environment: EnvironmentView = EnvironmentView()
    allowed: tuple[str, ...] = ()  # operations that its state allows now
    return_as: Literal["held", "front"] = "held"


class QueueStatusResult(Result, tag="queue_status"):
    """Answer to `queue_status`, and to commands that change how the queue goes on."""

    queue: QueueView


class QueueListResult(Paged, tag="queue_list"):
    """Answer to `queue_list`."""

    LIST: ClassVar[str] = "entries"
    version: Count
    entries: tuple[Entry, ...] = ()
    proposals: tuple[Entry, ...] = ()  # on the first page
    running: Entry | None = None
    total: Count = 0


class QueueEntriesResult(Result, tag="queue_entries"):
    """Answer to commands about entries: those that it was about, as they are now."""

    entries: tuple[Entry, ...]
    positions: tuple[Count, ...] = ()  # of those that are in the queue
    answers: tuple[PlanAnswer, ...] = ()  # of each plan that was added
    total: Count = 0  # entries in the queue
    version: Count = 0
    state: QueueState = QueueState.IDLE


class QueueKindsResult(Result, tag="queue_kinds"):
    """Answer to `queue_kinds`."""

    version: Count
    kinds: tuple[KindView, ...]
    kinds_only: bool = False


class QueueAllowedResult(Result, tag="queue_allowed"):
    """Answer to `queue_allowed`."""

    version: Count
    group: str
    groups: dict[str, QueueGroup]
    kinds: tuple[KindView, ...]
    experiments: tuple[str, ...]
    classes: tuple[str, ...]
    functions: tuple[str, ...]
    function_views: tuple[FunctionView, ...] = ()


class QueueHistoryResult(Paged, tag="queue_history"):
    """Answer to `queue_history`."""

    LIST: ClassVar[str] = "items"
    version: Count
    items: tuple[HistoryItem, ...] = ()
    total: Count = 0  # ever


class QueueTasksResult(Result, tag="queue_tasks"):
    """Answer to `queue_tasks` and `queue_run_task`."""

    version: Count
    tasks: tuple[QueueTask, ...]


class QueueLockResult(Result, tag="queue_lock"):
    """Answer to `queue_lock_info`, `queue_lock` and `queue_unlock`."""

    version: Count
    lock: QueueLockView | None
    emergency_key_set: bool = False
    key_fits: bool | None = None  # None: none was given


class PlanEndedResult(Result, tag="queue_plan_ended"):
    """Answer to commands that waited for a plan's end."""

    item: HistoryItem
    queue: QueueView


class WorkersResult(Result, tag="workers"):
    """Answer to `server_workers`: what each server says."""

    servers: tuple[EnvironmentServer, ...]


AnyQueueResult = (
    WorkersResult
    | QueueRefused
    | QueueStatusResult
    | QueueListResult
    | QueueEntriesResult
    | QueueKindsResult
    | QueueAllowedResult
    | QueueHistoryResult
    | QueueTasksResult
    | QueueLockResult
    | PlanEndedResult
)


class QueueSnapshot(Struct):
    """The whole of the channel `queue`: fold `kept`, then the records of each event."""

    kept: QueueKept
    queue: QueueView
    history: tuple[HistoryItem, ...] = ()  # the last ones


class QueueEvent(Struct):
    """Payload on `queue`: records as they were journalled, or only how far the plan is."""

    records: tuple[QueueRecord, ...] = ()
    queue: QueueView | None = None  # after them; None: as before
    progress: ProgressView | None = None
