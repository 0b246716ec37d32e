"""One function per command of the pulse queue.

All that change something take who asks (`user`), of which group, the lock's key, and the version of
the list that they rest on. A refusal is errors.Refused; its `result` (QueueRefused) has the code.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict, Unpack

from shotline.client.calls import Call, make, result, waiting
from shotline.common.base import Json
from shotline.common.queue import commands as q
from shotline.common.queue import views as v
from shotline.common.queue.plans import PulsePlan
from shotline.common.queue.records import QueueGroup

Plan = PulsePlan | Mapping[str, Json]
"""A plan, or its fields as JSON would have them."""

Place = Literal["front", "back"] | int


class Asking(TypedDict, total=False):
    """What goes with every command that changes something."""

    user: str
    group: str
    lock_key: str
    version: int


def queue_add(
    plans: Plan | Sequence[Plan],
    position: Place | None = None,
    *,
    before: str | None = None,
    after: str | None = None,
    **asking: Unpack[Asking],
) -> Call[v.QueueEntriesResult]:
    """Add plans to the pulse queue, all or none; by default at its back."""
    command = make(
        q.QueueAdd, plans=_plans(plans), position=position, before=before, after=after, **asking
    )
    return result(command, v.QueueEntriesResult)


def queue_propose(
    plans: Plan | Sequence[Plan], **asking: Unpack[Asking]
) -> Call[v.QueueEntriesResult]:
    """Propose plans: they wait until somebody approves them."""
    return result(make(q.QueuePropose, plans=_plans(plans), **asking), v.QueueEntriesResult)


def queue_approve(
    uids: str | Sequence[str],
    position: Place | None = None,
    *,
    before: str | None = None,
    after: str | None = None,
    **asking: Unpack[Asking],
) -> Call[v.QueueEntriesResult]:
    """Put proposals into the queue."""
    command = make(
        q.QueueApprove, uids=_uids(uids), position=position, before=before, after=after, **asking
    )
    return result(command, v.QueueEntriesResult)


def queue_update(
    uid: str, plan: Plan, *, replace: bool = False, **asking: Unpack[Asking]
) -> Call[v.QueueEntriesResult]:
    """Give an entry another plan; with `replace` it gets a new uid."""
    command = make(q.QueueUpdate, uid=uid, plan=plan, replace=replace, **asking)
    return result(command, v.QueueEntriesResult)


def queue_move(
    uids: str | Sequence[str] = (),
    position: Place | None = None,
    *,
    source: Place | None = None,
    before: str | None = None,
    after: str | None = None,
    reorder: bool = False,
    **asking: Unpack[Asking],
) -> Call[v.QueueEntriesResult]:
    """Move entries to a position, or beside another one; `source`: the one at that position."""
    command = make(
        q.QueueMove,
        uids=_uids(uids),
        source=source,
        position=position,
        before=before,
        after=after,
        reorder=reorder,
        **asking,
    )
    return result(command, v.QueueEntriesResult)


def queue_remove(
    uids: str | Sequence[str] | None = None,
    *,
    position: Place | None = None,
    ignore_missing: bool = False,
    **asking: Unpack[Asking],
) -> Call[v.QueueEntriesResult]:
    """Take entries or proposals out of the queue; without any the last entry."""
    command = make(
        q.QueueRemove,
        uids=None if uids is None else _uids(uids),
        position=position,
        ignore_missing=ignore_missing,
        **asking,
    )
    return result(command, v.QueueEntriesResult)


def queue_clear(**asking: Unpack[Asking]) -> Call[v.QueueEntriesResult]:
    """Take all entries out of the queue."""
    return result(make(q.QueueClear, **asking), v.QueueEntriesResult)


def queue_release(
    uids: str | Sequence[str], **asking: Unpack[Asking]
) -> Call[v.QueueEntriesResult]:
    """Let HELD entries run again; `user` is named with them."""
    return result(make(q.QueueRelease, uids=_uids(uids), **asking), v.QueueEntriesResult)


def queue_mode(
    *,
    loop: bool | None = None,
    ignore_failures: bool | None = None,
    **asking: Unpack[Asking],
) -> Call[v.QueueStatusResult]:
    """Set how the queue goes on by itself; what is left out stays."""
    command = make(q.QueueMode, loop=loop, ignore_failures=ignore_failures, **asking)
    return result(command, v.QueueStatusResult)


def queue_autostart(*, enable: bool, **asking: Unpack[Asking]) -> Call[v.QueueStatusResult]:
    """Arm the queue by itself whenever something may run, or do so no longer."""
    return result(make(q.QueueAutostart, enable=enable, **asking), v.QueueStatusResult)


def queue_start(*, wait: bool = False, **asking: Unpack[Asking]) -> Call[v.QueueStatusResult]:
    """Arm the queue: its entries run one after the other; `wait` for its coming to rest.

    Then a last plan that has not completed raises Unsuccessful.
    """
    return waiting(make(q.QueueStart, wait=wait, **asking), v.QueueStatusResult)


def queue_stop(*, cancel: bool = False, **asking: Unpack[Asking]) -> Call[v.QueueStatusResult]:
    """Stop the queue after the running plan; `cancel`: do not, after all."""
    return result(make(q.QueueStop, cancel=cancel, **asking), v.QueueStatusResult)


def queue_execute(
    plan: Plan, *, wait: bool = False, **asking: Unpack[Asking]
) -> Call[v.QueueEntriesResult | v.PlanEndedResult]:
    """Run one plan now, past the queue; `wait` for its end."""
    command = make(q.QueueExecute, plan=plan, wait=wait, **asking)
    return waiting(command, v.QueueEntriesResult, v.PlanEndedResult)


def queue_pause(*, immediate: bool = False, **asking: Unpack[Asking]) -> Call[v.QueueStatusResult]:
    """Pause the running plan before its next phase or sequence number; or abort what runs."""
    return result(make(q.QueuePause, immediate=immediate, **asking), v.QueueStatusResult)


def queue_resume(
    aborted: Literal["again", "leave"] | None = None, **asking: Unpack[Asking]
) -> Call[v.QueueStatusResult]:
    """Let the paused plan go on; say what becomes of actions that were aborted for the pause."""
    return result(make(q.QueueResume, aborted=aborted, **asking), v.QueueStatusResult)


def queue_end(
    how: Literal["stop", "abort", "halt"],
    reason: str = "",
    *,
    wait: bool = False,
    **asking: Unpack[Asking],
) -> Call[v.QueueStatusResult | v.PlanEndedResult]:
    """End the running plan: in order, by aborting what runs, or at once and wholly."""
    command = make(q.QueueEnd, how=how, reason=reason, wait=wait, **asking)
    return waiting(command, v.QueueStatusResult, v.PlanEndedResult)


def queue_environment(
    act: Literal["open", "close", "destroy", "reload"],
    classes: Sequence[str] = (),
    *,
    wait: bool = False,
    **asking: Unpack[Asking],
) -> Call[v.QueueStatusResult]:
    """Open, close, destroy or reload the workers of the servers that the queue needs."""
    command = make(q.QueueEnvironment, act=act, classes=tuple(classes), wait=wait, **asking)
    return waiting(command, v.QueueStatusResult)


def queue_lock(
    key: str,
    *,
    queue: bool = False,
    environment: bool = False,
    note: str = "",
    **asking: Unpack[Asking],
) -> Call[v.QueueLockResult]:
    """Lock the queue, or what runs, or both, for all who have not this key."""
    command = make(q.QueueLock, key=key, queue=queue, environment=environment, note=note, **asking)
    return result(command, v.QueueLockResult)


def queue_unlock(key: str, **asking: Unpack[Asking]) -> Call[v.QueueLockResult]:
    """Take the lock away, with its key or the emergency key."""
    return result(make(q.QueueUnlock, key=key, **asking), v.QueueLockResult)


def queue_set_groups(
    groups: Mapping[str, QueueGroup] | None, **asking: Unpack[Asking]
) -> Call[v.QueueAllowedResult]:
    """Let these groups count, whatever the configuration says; None: its own again."""
    return result(make(q.QueueSetGroups, groups=groups, **asking), v.QueueAllowedResult)


def queue_hide_history(
    keep: int | None = None, *, until: str | None = None, **asking: Unpack[Asking]
) -> Call[v.QueueStatusResult]:
    """Begin the view of the history anew; nothing is lost."""
    return result(make(q.QueueHideHistory, keep=keep, until=until, **asking), v.QueueStatusResult)


def queue_run_task(
    function: str,
    arguments: Mapping[str, Json] | None = None,
    *,
    positional: Sequence[Json] = (),
    background: bool = False,
    wait: bool = False,
    **asking: Unpack[Asking],
) -> Call[v.QueueTasksResult]:
    """Have a server's worker call a function that the configuration names.

    `positional`: arguments without a name, in the function's order.
    """
    command = make(
        q.QueueRunTask,
        function=function,
        positional=tuple(positional),
        arguments=arguments or {},
        background=background,
        wait=wait,
        **asking,
    )
    return waiting(command, v.QueueTasksResult)


def queue_status() -> Call[v.QueueStatusResult]:
    """Return how the queue stands, what it does and why, and the version of each list."""
    return result(make(q.QueueStatus), v.QueueStatusResult)


def queue_list() -> Call[v.QueueListResult]:
    """Return the entries of the queue, the running one, and the proposals."""
    return result(make(q.QueueList), v.QueueListResult)


def queue_get(
    uid: str | None = None, *, position: Place | None = None
) -> Call[v.QueueEntriesResult]:
    """Return one entry, by uid or position; without either the last one."""
    return result(make(q.QueueGet, uid=uid, position=position), v.QueueEntriesResult)


def queue_kinds(*, phases: bool = False) -> Call[v.QueueKindsResult]:
    """Return the kinds of plans, with the schema of their parameters.

    With `phases` the models of their experiments are read first, where that was not done.
    """
    return result(make(q.QueueKinds, phases=phases), v.QueueKindsResult)


def queue_allowed(group: str = "") -> Call[v.QueueAllowedResult]:
    """Return what a group may use."""
    return result(make(q.QueueAllowed, group=group), v.QueueAllowedResult)


def queue_history(
    last: int | None = None,
    *,
    all: bool = False,  # noqa: A002  # the command's word
    uid: str | None = None,
) -> Call[v.QueueHistoryResult]:
    """Return what has ended, the latest last."""
    return result(make(q.QueueHistory, last=last, all=all, uid=uid), v.QueueHistoryResult)


def queue_tasks(uids: str | Sequence[str] | None = None) -> Call[v.QueueTasksResult]:
    """Return tasks with their states and results."""
    asked = None if uids is None else _uids(uids)
    return result(make(q.QueueTasks, uids=asked), v.QueueTasksResult)


def queue_lock_info(key: str = "") -> Call[v.QueueLockResult]:
    """Return who has locked what, and whether a key is the lock's."""
    return result(make(q.QueueLockInfo, key=key), v.QueueLockResult)


def _plans(plans: Plan | Sequence[Plan]) -> tuple[Plan, ...]:
    return (plans,) if isinstance(plans, PulsePlan | Mapping) else tuple(plans)


def _uids(uids: str | Sequence[str]) -> tuple[str, ...]:
    return (uids,) if isinstance(uids, str) else tuple(uids)
