"""The queue's state: the fold of its records. All changes go through `apply`. Pure.

The dispatcher decides by making a record and applying it, recovery applies the stored ones, and
observers those that are published: so what is shown is what is stored.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from shotline.common.queue.plans import Entry, EntryState, HistoryItem, PlanRun
from shotline.common.queue.records import (
    EndAsked,
    EntriesAdded,
    EntriesApproved,
    EntriesMoved,
    EntriesRemoved,
    EntryChanged,
    EnvironmentChanged,
    EnvironmentServer,
    EnvironmentState,
    GroupsSet,
    HistoryHidden,
    KindsSeen,
    LockChanged,
    LockKept,
    PauseAsked,
    PlanEnded,
    PlanPaused,
    PlanProgress,
    PlanResumed,
    PlanStarted,
    PlanStep,
    QueueGroup,
    QueueKept,
    QueueMark,
    QueueModes,
    QueueRecord,
    QueueSwitched,
    QueueTask,
    RunBegun,
    StepBegun,
    StepEnded,
    TaskChanged,
    TasksForgotten,
    Versions,
    WaitBegun,
    WaitEnded,
)

NOTICES_MAX: Final = 50


@dataclass(slots=True)
class QueueFold:
    """Everything known of the queue. `history_max`: so many last items are held."""

    history_max: int = 1000
    entries: dict[str, Entry] = field(default_factory=dict)  # and proposals, by uid
    order: list[str] = field(default_factory=list)
    proposals: dict[str, None] = field(default_factory=dict)
    running: PlanProgress | None = None
    armed: bool = False
    stop_pending: bool = False
    modes: QueueModes = field(default_factory=QueueModes)
    why: str = ""
    lock: LockKept | None = None
    groups: dict[str, QueueGroup] | None = None
    tasks: dict[str, QueueTask] = field(default_factory=dict)
    environment: EnvironmentState = EnvironmentState.CLOSED
    servers: tuple[EnvironmentServer, ...] = ()
    environment_command: str = ""
    kinds_digest: str = ""
    groups_digest: str = ""
    history: deque[HistoryItem] = field(default_factory=deque)
    history_total: int = 0
    history_hidden: int = 0
    waits: dict[str, WaitBegun] = field(default_factory=dict)  # by the command's id
    versions: Versions = field(default_factory=Versions)
    last_at: float | None = None  # wall time of the last record

    def apply(self, record: QueueRecord) -> None:
        """Take one record into the state."""
        self.last_at = record.time
        touched = self._take(record)
        if touched:
            rise = {name: getattr(self.versions, name) + 1 for name in (*touched, "status")}
            self.versions = structs.replace(self.versions, **rise)

    def knows(self, record: QueueRecord) -> bool:
        """Return whether it knows what a record is about: in a journal of which Redis has lost
        the beginning, or what was between, it may not.
        """
        running = self.running
        match record:
            case EntryChanged(entry=entry, was=was):
                return (was or entry.uid) in self.entries
            case EntriesMoved(uids=uids):
                return set(uids) <= set(self.order)
            case EntriesApproved(uids=uids):
                return set(uids) <= set(self.proposals)
            case StepBegun(command=command):
                return running is not None and command == step_id(running)
            case RunBegun(run=run) | StepEnded(run=run):
                return running is not None and (run is None or _is_of(running, run))
            case PauseAsked() | PlanPaused() | PlanResumed() | EndAsked():
                return running is not None
            case _:
                return True

    def _take(self, record: QueueRecord) -> tuple[str, ...]:
        """Take a record; return the lists that it changes."""
        match record:
            case EntriesAdded():
                return self._added(record)
            case EntryChanged():
                return self._changed(record)
            case EntriesMoved(uids=uids, at=at):
                return self._moved(uids, at)
            case EntriesApproved():
                return self._approved(record)
            case EntriesRemoved(uids=uids):
                return self._removed(uids)
            case QueueSwitched():
                before = self.modes
                self.armed, self.stop_pending = record.armed, record.stop_pending
                self.modes, self.why = record.modes, record.why
                return ("modes",) if record.modes != before else ("running",)
            case LockChanged():
                self.lock = record.lock
                return ("lock",)
            case GroupsSet():
                self.groups = record.groups
                return ("groups",)
            case TaskChanged(task=task):
                self.tasks[task.uid] = task
                return ("tasks",)
            case TasksForgotten(uids=uids):
                for uid in uids:
                    self.tasks.pop(uid, None)
                return ("tasks",)
            case EnvironmentChanged():
                self.environment, self.servers = record.state, record.servers
                self.environment_command = record.command
                return ("environment",)
            case HistoryHidden(before=before_count):
                self.history_hidden = before_count
                return ("history",)
            case KindsSeen():
                return self._kinds_seen(record)
            case QueueMark():
                return ()
            case WaitBegun():
                self.waits[record.command] = record
                return ()
            case WaitEnded(commands=commands):
                for command in commands:
                    self.waits.pop(command, None)
                return ()
            case QueueKept():
                return self._kept(record)
            case _:
                return self._of_running(record)

    # The list

    def _added(self, record: EntriesAdded) -> tuple[str, ...]:
        uids = [entry.uid for entry in record.entries]
        self.entries.update((entry.uid, entry) for entry in record.entries)
        if record.entries and record.entries[0].state is EntryState.PROPOSED:
            self.proposals.update(dict.fromkeys(uids))
        else:
            self.order[record.at : record.at] = uids
        return ("queue",)

    def _changed(self, record: EntryChanged) -> tuple[str, ...]:
        entry, was = record.entry, record.was or record.entry.uid
        if was != entry.uid:
            self.entries.pop(was, None)
            if was in self.proposals:
                names = [entry.uid if uid == was else uid for uid in self.proposals]
                self.proposals = dict.fromkeys(names)
            else:
                self.order[self.order.index(was)] = entry.uid
        self.entries[entry.uid] = entry
        return ("queue",)

    def _moved(self, uids: Iterable[str], at: int) -> tuple[str, ...]:
        wanted = dict.fromkeys(uids)
        rest = [uid for uid in self.order if uid not in wanted]
        self.order = [*rest[:at], *wanted, *rest[at:]]
        return ("queue",)

    def _approved(self, record: EntriesApproved) -> tuple[str, ...]:
        for uid in record.uids:
            self.proposals.pop(uid, None)
            self.entries[uid] = structs.replace(
                self.entries[uid], state=EntryState.QUEUED, approved_by=record.by
            )
        self.order[record.at : record.at] = record.uids
        return ("queue",)

    def _removed(self, uids: Iterable[str]) -> tuple[str, ...]:
        gone = dict.fromkeys(uids)
        for uid in gone:
            self.entries.pop(uid, None)
            self.proposals.pop(uid, None)
        self.order = [uid for uid in self.order if uid not in gone]
        return ("queue",)

    def _kinds_seen(self, record: KindsSeen) -> tuple[str, ...]:
        touched = []
        if record.kinds != self.kinds_digest:
            touched.append("kinds")
        if record.groups != self.groups_digest:
            touched.append("groups")
        self.kinds_digest, self.groups_digest = record.kinds, record.groups
        return tuple(touched)

    # The running plan

    def _of_running(self, record: QueueRecord) -> tuple[str, ...]:
        if isinstance(record, PlanStarted):
            return self._started(record)
        if isinstance(record, PlanEnded):
            return self._ended(record)  # its beginning may be lost; it comes back all the same
        running = self.running
        assert running is not None, record
        match record:
            case StepBegun():
                self.running = structs.replace(
                    running,
                    step=record.step,
                    command=record.command,
                    shot=record.shot or running.shot,
                    phase=record.phase,
                    begun=running.begun + 1,
                    closing=running.ending is not None,
                )
            case RunBegun(run=run):
                self.running = structs.replace(running, run=run)
            case StepEnded():
                self.running = _step_ended(running, record)
            case PauseAsked(immediate=immediate):
                self.running = structs.replace(running, pause="immediate" if immediate else "asked")
            case PlanPaused(why=why, aborted=aborted):
                self.running = structs.replace(running, pause="", paused=why, aborted=aborted)
            case PlanResumed():
                self.running = structs.replace(running, pause="", paused="", aborted=())
            case EndAsked(how=how):
                self.running = structs.replace(
                    running,
                    ending=how,
                    ended_by=record.by,
                    ending_reason=record.reason,
                    pause="",
                    paused="",
                    aborted=(),
                )
            case _:
                raise AssertionError(record)
        return ("running",)

    def _started(self, record: PlanStarted) -> tuple[str, ...]:
        entry = structs.replace(record.entry, state=EntryState.RUNNING)
        self.running = PlanProgress(
            entry=entry,
            plan=record.plan,
            began_at=record.time,
            executed=record.executed,
            tree=record.plan.experiment or "",
        )
        if record.executed:
            return ("running",)
        self._removed((entry.uid,))
        return ("queue", "running")

    def _ended(self, record: PlanEnded) -> tuple[str, ...]:
        self.running = None
        self.add_history(record.item)
        if record.back is None:
            return ("running", "history")
        self.entries[record.back.uid] = record.back
        self.order.insert(len(self.order) if record.at_back else 0, record.back.uid)
        return ("queue", "running", "history")

    def add_history(self, item: HistoryItem) -> None:
        """Take an item of the history, as one that is stored apart."""
        self.history.append(item)
        self.history_total += 1
        while len(self.history) > self.history_max:
            self.history.popleft()

    # The whole

    def _kept(self, kept: QueueKept) -> tuple[str, ...]:
        self.entries = {one.uid: one for one in (*kept.entries, *kept.proposals)}
        self.order = [one.uid for one in kept.entries]
        self.proposals = dict.fromkeys(one.uid for one in kept.proposals)
        self.running = kept.running
        self.armed, self.stop_pending = kept.armed, kept.stop_pending
        self.modes, self.why, self.lock, self.groups = kept.modes, kept.why, kept.lock, kept.groups
        self.tasks = {task.uid: task for task in kept.tasks}
        self.environment, self.servers = kept.environment, kept.servers
        self.environment_command = kept.environment_command
        self.kinds_digest, self.groups_digest = kept.kinds_digest, kept.groups_digest
        self.history_total, self.history_hidden = kept.history_total, kept.history_hidden
        self.waits = {one.command: one for one in kept.waits}
        self.versions = kept.versions
        return ()

    def kept(self, time: float) -> QueueKept:
        """Return the record that makes this state again, but for the history's items."""
        return QueueKept(
            time=time,
            entries=tuple(self.entries[uid] for uid in self.order),
            proposals=tuple(self.entries[uid] for uid in self.proposals),
            running=self.running,
            armed=self.armed,
            stop_pending=self.stop_pending,
            modes=self.modes,
            why=self.why,
            lock=self.lock,
            groups=self.groups,
            tasks=tuple(self.tasks.values()),
            environment=self.environment,
            servers=self.servers,
            environment_command=self.environment_command,
            kinds_digest=self.kinds_digest,
            groups_digest=self.groups_digest,
            history_total=self.history_total,
            history_hidden=self.history_hidden,
            waits=tuple(self.waits.values()),
            versions=self.versions,
        )


def step_id(running: PlanProgress) -> str:
    """Return the id of the command of a plan's next step."""
    return f"queue-{running.entry.uid}-{running.begun + 1}"


def _is_of(running: PlanProgress, run: PlanRun) -> bool:
    return (run.tree, run.shot) == (running.tree, running.shot)


def _step_ended(running: PlanProgress, record: StepEnded) -> PlanProgress:
    step, run = running.step, record.run
    notices = running.notices
    if record.notice and record.notice not in notices:
        notices = (*notices, record.notice)[:NOTICES_MAX]
    return structs.replace(
        running,
        step=None,
        command="",
        done=(*running.done, *((step,) if step and step is not PlanStep.PHASE else ())),
        phases_done=running.phase + 1 if step is PlanStep.PHASE else running.phases_done,
        run=None,
        runs=(*running.runs, run) if run is not None else running.runs,
        failure=running.failure or record.failure,
        notices=notices,
    )
