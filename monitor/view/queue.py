"""The pulse queue as pages have it: the fold of its records, and what is told of each. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import structs

from shotline.client.observer import News, Update, Whole
from shotline.common.channels import QUEUE
from shotline.common.machine import Instant
from shotline.common.queue.fold import QueueFold
from shotline.common.queue.plans import Entry, EntryState, HistoryItem, PulsePlan
from shotline.common.queue.records import (
    EndAsked,
    EntriesAdded,
    EntriesApproved,
    EntriesMoved,
    EntriesRemoved,
    EntryChanged,
    EnvironmentChanged,
    GroupsSet,
    HistoryHidden,
    LockChanged,
    PauseAsked,
    PlanEnded,
    PlanPaused,
    PlanResumed,
    PlanStarted,
    QueueRecord,
    QueueSwitched,
    TaskChanged,
    TaskState,
)
from shotline.common.queue.views import QueueChange, QueueEvent, QueueSnapshot, QueueView
from shotline.monitor.messages import (
    Body,
    Written,
    queue_message,
    queue_progress_message,
    short,
    whole_queue,
)
from shotline.monitor.view.effects import Effect, Post

HISTORY_MAX: Final = 200  # ended plans that a page begins with; it asks for earlier ones
CHANGES_MAX: Final = 200  # of who did what
FAILED_MAX: Final = 5  # actions of a run that are named
NAMED_MAX: Final = 3  # plans in one sentence


class QueueBoard:
    """The queue as the dispatcher told of it last."""

    def __init__(self) -> None:
        self.fold = QueueFold(HISTORY_MAX)
        self.view: QueueView | None = None  # None: nothing was told yet
        self.changes: deque[QueueChange] = deque(maxlen=CHANGES_MAX)
        self._written: dict[str, tuple[Entry, Written]] = {}

    def whole(self, time: float) -> Body | None:
        """Return the whole state."""
        if self.view is None:
            return None
        fold = self.fold
        entries = [self._entry(uid) for uid in fold.order]
        proposals = [self._entry(uid) for uid in fold.proposals]
        self._written = {uid: one for uid, one in self._written.items() if uid in fold.entries}
        history = [short(item) for item in fold.history]
        return whole_queue(time, self.view, entries, proposals, history, self.changes)

    def _entry(self, uid: str) -> Written:
        """Return an entry as JSON; each is written once, however many pages come."""
        entry = self.fold.entries[uid]
        known = self._written.get(uid)
        if known is None or known[0] is not entry:
            known = self._written[uid] = (entry, short(entry))
        return known[1]

    def take(self, now: Instant, update: Update) -> Iterator[Effect]:
        """Take an update of the feed; yield what pages are told."""
        match update:
            case Whole(snapshot=snapshot) if snapshot.queue is not None:
                yield self._begin(now, snapshot.queue)
            case News(payload=QueueEvent() as event) if self.view is not None:
                yield from self._event(now, event)
            case _:
                pass

    def _begin(self, now: Instant, snapshot: QueueSnapshot) -> Effect:
        self.fold = QueueFold(HISTORY_MAX)
        self.fold.apply(snapshot.kept)
        for item in snapshot.history:
            self.fold.history.append(brief(item))
        self.view = snapshot.queue
        body = self.whole(now.wall)
        assert body is not None
        return Post(QUEUE, body, "whole")

    def _event(self, now: Instant, event: QueueEvent) -> Iterator[Effect]:
        assert self.view is not None
        if not event.records:
            if event.progress is not None:
                self.view = structs.replace(self.view, progress=event.progress)
                yield Post(QUEUE, queue_progress_message(now.wall, event.progress), "progress")
            return
        changes: list[QueueChange] = []
        listed: list[QueueRecord] = []
        for given in event.records:
            record = given
            if isinstance(record, PlanEnded):
                record = structs.replace(record, item=brief(record.item))
            text, uids = said(self.fold, record)
            self.fold.apply(record)
            if text:
                version = self.fold.versions.queue
                changes.append(
                    QueueChange(
                        version=version, time=record.time, by=record.by, text=text, uids=uids
                    )
                )
            if isinstance(record, LISTED):
                listed.append(record)
        self.changes += changes
        if event.queue is not None:
            self.view = event.queue
        yield Post(QUEUE, queue_message(now.wall, self.view, listed, changes))


LISTED: Final = (
    EntriesAdded,
    EntryChanged,
    EntriesMoved,
    EntriesApproved,
    EntriesRemoved,
    PlanStarted,
    PlanEnded,
)
"""The records that pages fold themselves; what the others change is in the queue's view."""


def brief(item: HistoryItem) -> HistoryItem:
    """Return an ended plan with as many failed actions as a list has room for."""
    runs = tuple(structs.replace(run, failed=run.failed[:FAILED_MAX]) for run in item.result.runs)
    return structs.replace(item, result=structs.replace(item.result, runs=runs))


def said(fold: QueueFold, record: QueueRecord) -> tuple[str, tuple[str, ...]]:
    """Return in words what is about to be done, and to which entries; nothing: not worth it."""
    match record:
        case EntriesAdded(entries=entries):
            proposed = bool(entries) and entries[0].state is EntryState.PROPOSED
            verb = "proposed" if proposed else "added"
            return _of(verb, [one.plan for one in entries], tuple(one.uid for one in entries))
        case EntryChanged(entry=entry, what=what):
            verb = {"updated": "changed", "replaced": "replaced", "released": "released"}[what]
            return _of(verb, [entry.plan], (entry.uid,))
        case EntriesMoved(uids=uids, at=at):
            text, _ = _of("moved", _plans(fold, uids), uids)
            return f"{text} to place {at + 1}", uids
        case EntriesApproved(uids=uids):
            return _of("approved", _plans(fold, uids), uids)
        case EntriesRemoved(uids=uids):
            return _of("removed", _plans(fold, uids), uids)
        case PlanStarted(entry=entry):
            return f"{named(entry.plan)} began to run", (entry.uid,)
        case PlanEnded(item=item):
            status = item.result.exit_status.value
            return f"{named(item.entry.plan)} ended: {status}", (item.entry.uid,)
        case QueueSwitched():
            return "; ".join(_switched(fold, record)), ()
        case _:
            return _of_the_queue(record), ()


def _of_the_queue(record: QueueRecord) -> str:
    """Return in words what concerns no entry in particular."""
    match record:
        case PauseAsked(immediate=immediate):
            return "paused at once" if immediate else "asked for a pause"
        case PlanPaused(why=why):
            return why or "paused"
        case PlanResumed():
            return "resumed"
        case EndAsked(how=how, reason=reason):
            return f"ended the running plan ({how.value})" + (f": {reason}" if reason else "")
        case LockChanged(lock=None):
            return "unlocked"
        case LockChanged(lock=lock) if lock is not None:
            parts = " and ".join(one for one in ("queue", "environment") if getattr(lock, one))
            return f"locked the {parts}" + (f": {lock.note}" if lock.note else "")
        case GroupsSet(groups=groups):
            return "set the groups" if groups is not None else "let the configured groups count"
        case EnvironmentChanged(state=state, by=by) if by:
            return f"environment: {state.value}"
        case HistoryHidden():
            return "began the view of the history anew"
        case TaskChanged(task=task) if task.state is TaskState.RUNNING:
            return f"had {task.function} run"
        case _:
            return ""


def _switched(fold: QueueFold, record: QueueSwitched) -> Iterator[str]:
    if record.armed and not fold.armed:
        yield "armed the queue"
    elif fold.armed and not record.armed:
        yield f"stopped the queue: {record.why}" if record.why else "stopped the queue"
    if record.stop_pending != fold.stop_pending and record.armed == fold.armed:
        stops = record.stop_pending
        yield "let the queue stop after this plan" if stops else "took the queue's stop back"
    for name, title in _MODES.items():
        value = getattr(record.modes, name)
        if value != getattr(fold.modes, name):
            yield f"switched {title} {'on' if value else 'off'}"


_MODES: Final = {"loop": "loop", "ignore_failures": "ignore failures", "autostart": "autostart"}


def _plans(fold: QueueFold, uids: Iterable[str]) -> list[PulsePlan]:
    return [fold.entries[uid].plan for uid in uids if uid in fold.entries]


def _of(verb: str, plans: list[PulsePlan], uids: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    names = ", ".join(named(plan) for plan in plans[:NAMED_MAX])
    if len(plans) == 1:
        return f"{verb} {names}", uids
    more = ", …" if len(plans) > NAMED_MAX else ""
    return f"{verb} {len(plans)} plans: {names}{more}", uids


def named(plan: PulsePlan) -> str:
    """Return what a plan is called: by its kind, else by its experiment."""
    if plan.type == "stop":
        return "stop"
    name = plan.kind or plan.experiment or "a plan"
    return name if plan.shot == "next" else f"{name} {plan.shot}"
