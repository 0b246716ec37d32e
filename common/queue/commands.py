"""The commands about the pulse queue, one class each. Pure.

All that change something take who asks, what they have seen (`version`), and the key of a lock.
Positions count from 0; negative ones from behind: as a place to add to, -1 is before the last.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from shotline.common.base import Json
from shotline.common.command import Command
from shotline.common.queue.plans import PulsePlan, Uid, Who, Words
from shotline.common.queue.records import PlanEnding, QueueGroup
from shotline.common.ranges import NUMBER_MAX, Count
from shotline.common.scopes import Scope

Position = Literal["front", "back"] | Annotated[int, Meta(ge=-NUMBER_MAX, le=NUMBER_MAX)]
Uids = Annotated[tuple[Uid, ...], Meta(max_length=100_000)]
Plans = Annotated[tuple[PulsePlan, ...], Meta(min_length=1, max_length=100_000)]
LockKey = Annotated[str, Meta(max_length=200)]
GroupName = Annotated[str, Meta(max_length=64)]


class QueueCommand(Command):
    """The base of those that change something.

    `version`: of the list `queue` (see status), where the command rests on what it was then; it is
    refused when something else was changed since.
    """

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = "queue"  # by which part of a lock
    user: Who = ""  # who asks; empty: as the connection says
    group: GroupName = ""  # of whose rights; empty: the configuration's default
    lock_key: LockKey = ""
    version: Count | None = None


class Placing(QueueCommand):
    """The base of those that put entries somewhere: at a position, or beside another entry."""

    position: Position | None = None  # None: back
    before: Uid | None = None
    after: Uid | None = None


class QueueAdd(Placing, tag="queue_add"):
    """Add plans to the queue, all or none, one behind the other."""

    plans: Plans


class QueuePropose(QueueCommand, tag="queue_propose"):
    """Propose plans, all or none: they wait until somebody approves them."""

    SCOPE: ClassVar[Scope] = Scope.PROPOSE
    ALWAYS: ClassVar[bool] = True  # whoever proposes could not take the control
    plans: Plans


class QueueApprove(Placing, tag="queue_approve"):
    """Put proposals into the queue."""

    uids: Uids


class QueueUpdate(QueueCommand, tag="queue_update"):
    """Give an entry or a proposal another plan; with `replace` it gets a new uid."""

    uid: Uid
    plan: PulsePlan
    replace: bool = False


class QueueMove(Placing, tag="queue_move"):
    """Move entries, all or none; with `reorder` in the queue's order, else in the given one."""

    uids: Uids = ()
    source: Position | None = None  # the one at this position
    reorder: bool = False


class QueueRemove(QueueCommand, tag="queue_remove"):
    """Take entries or proposals out; without any the last entry."""

    uids: Uids | None = None
    position: Position | None = None
    ignore_missing: bool = False


class QueueClear(QueueCommand, tag="queue_clear"):
    """Take all entries out of the queue; proposals stay."""


class QueueRelease(QueueCommand, tag="queue_release"):
    """Let HELD entries run again; the person who asks is named with them."""

    uids: Uids


class QueueMode(QueueCommand, tag="queue_mode"):
    """Set how the queue goes on by itself; what is left out stays as it is."""

    loop: bool | None = None
    ignore_failures: bool | None = None


class QueueAutostart(QueueCommand, tag="queue_autostart"):
    """Arm the queue by itself whenever something may run, or do so no longer."""

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = "environment"
    enable: bool


class QueueStart(QueueCommand, tag="queue_start"):
    """Arm the queue: its entries run one after the other."""

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = "environment"
    wait: bool = False  # for the queue's coming to rest


class QueueStop(QueueCommand, tag="queue_stop"):
    """Stop the queue after the running plan; `cancel`: do not, after all."""

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = "environment"
    cancel: bool = False


class QueueExecute(QueueCommand, tag="queue_execute"):
    """Run one plan now, past the queue, which is untouched."""

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = "environment"
    plan: PulsePlan
    wait: bool = False


class QueuePause(QueueCommand, tag="queue_pause"):
    """Pause the running plan: before its next phase or sequence number, or at once.

    At once aborts what runs.
    """

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = "environment"
    immediate: bool = False


class QueueResume(QueueCommand, tag="queue_resume"):
    """Let the paused plan go on. What was aborted for the pause is run again, or left as it is."""

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = "environment"
    aborted: Literal["again", "leave"] | None = None


class QueueEnd(QueueCommand, tag="queue_end"):
    """End the running plan: stop it in order, abort it, or halt everything of it."""

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = ""
    ENDS: ClassVar[str] = "it ends the running plan"
    ALWAYS: ClassVar[bool] = True
    how: PlanEnding
    reason: Words = ""
    wait: bool = False


class QueueEnvironment(QueueCommand, tag="queue_environment"):
    """Open, close, destroy or reload the workers of the servers that the queue needs."""

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = "environment"
    SCOPE: ClassVar[Scope] = Scope.SERVERS
    act: Literal["open", "close", "destroy", "reload"]
    classes: Annotated[tuple[str, ...], Meta(max_length=1000)] = ()  # none: those that it needs
    wait: bool = False


class QueueLock(QueueCommand, tag="queue_lock"):
    """Lock the queue, or what runs, or both, for all who have not this key."""

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = ""
    key: Annotated[str, Meta(min_length=1, max_length=200)]
    queue: bool = False
    environment: bool = False
    note: Words = ""


class QueueUnlock(QueueCommand, tag="queue_unlock"):
    """Take the lock away, with its key or the emergency key."""

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = ""
    key: LockKey


class QueueSetGroups(QueueCommand, tag="queue_set_groups"):
    """Let these groups count, whatever the configuration says; null: its own again."""

    groups: dict[str, QueueGroup] | None


class QueueHideHistory(QueueCommand, tag="queue_hide_history"):
    """Begin the view of the history anew; nothing is lost, and `all` of a list shows it still.

    `keep`: so many last items stay; `until`: those behind this entry do.
    """

    keep: Count | None = None
    until: Uid | None = None


class QueueRunTask(QueueCommand, tag="queue_run_task"):
    """Have a server's worker call a function that the configuration names.

    While a plan runs, only in the `background`.
    """

    LOCKED: ClassVar[Literal["", "queue", "environment"]] = "environment"
    function: Annotated[str, Meta(min_length=1, max_length=200)]
    positional: tuple[Json, ...] = ()  # those without a name, in the function's order
    arguments: dict[str, Json] = {}
    background: bool = False
    wait: bool = False


# Reading


class QueueStatus(Command, tag="queue_status"):
    """How the queue stands, what it does and why, and the version of each list."""

    SCOPE: ClassVar[Scope] = Scope.READ


class QueueList(Command, tag="queue_list"):
    """The entries of the queue in their order, the running one, and the proposals."""

    SCOPE: ClassVar[Scope] = Scope.READ
    since: Count = 0


class QueueGet(Command, tag="queue_get"):
    """One entry, by uid or position; without either the last one."""

    SCOPE: ClassVar[Scope] = Scope.READ
    uid: Uid | None = None
    position: Position | None = None


class QueueKinds(Command, tag="queue_kinds"):
    """The kinds of plans, with the schema of their parameters.

    With `phases` the models of their experiments are read first, where that was not done.
    """

    SCOPE: ClassVar[Scope] = Scope.READ
    phases: bool = False


class QueueAllowed(Command, tag="queue_allowed"):
    """What a group may use: kinds, experiments, server classes, functions."""

    SCOPE: ClassVar[Scope] = Scope.READ
    group: GroupName = ""


class QueueHistory(Command, tag="queue_history"):
    """What has ended, the latest last. `last`: only so many; `all`: also what is hidden."""

    SCOPE: ClassVar[Scope] = Scope.READ
    since: Count = 0
    last: Count | None = None
    all: bool = False
    uid: Uid | None = None


class QueueTasks(Command, tag="queue_tasks"):
    """Tasks with their states and results; without uids all that are kept."""

    SCOPE: ClassVar[Scope] = Scope.READ
    uids: Uids | None = None


class QueueLockInfo(Command, tag="queue_lock_info"):
    """Who has locked what; with `key`, whether that is the lock's."""

    SCOPE: ClassVar[Scope] = Scope.READ
    key: LockKey = ""


AnyQueueCommand = (
    QueueAdd
    | QueuePropose
    | QueueApprove
    | QueueUpdate
    | QueueMove
    | QueueRemove
    | QueueClear
    | QueueRelease
    | QueueMode
    | QueueAutostart
    | QueueStart
    | QueueStop
    | QueueExecute
    | QueuePause
    | QueueResume
    | QueueEnd
    | QueueEnvironment
    | QueueLock
    | QueueUnlock
    | QueueSetGroups
    | QueueHideHistory
    | QueueRunTask
    | QueueStatus
    | QueueList
    | QueueGet
    | QueueKinds
    | QueueAllowed
    | QueueHistory
    | QueueTasks
    | QueueLockInfo
)
