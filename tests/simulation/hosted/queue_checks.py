"""What must hold of the pulse queue, checked from outside: from its records, and from dispatches.

A violation is an AssertionError that names the rule.
"""

from collections import Counter
from collections.abc import Sequence

from shotline.common.actions import ActionState
from shotline.common.queue.plans import Entry, EntryState
from shotline.common.queue.records import (
    EndAsked,
    EntriesAdded,
    EntriesApproved,
    EntriesMoved,
    EntriesRemoved,
    EntryChanged,
    LockChanged,
    PlanEnded,
    PlanPaused,
    PlanResumed,
    PlanStarted,
    QueueKept,
    QueueRecord,
    QueueSwitched,
    RunBegun,
    StepBegun,
)
from shotline.common.records import ShotKey, ShotRecord, Transition


class QueueChecks:
    """The queue as its records tell it, folded in the plainest way. `is_read`: they are those of
    the journal, which may begin with the whole state.
    """

    def __init__(self, *, is_read: bool = False) -> None:
        self._is_read = is_read
        self.order: list[str] = []
        self.entries: dict[str, Entry] = {}
        self.armed = False
        self.running: str | None = None
        self.shot: ShotKey | None = None
        self.is_paused = self.was_paused = False
        self.is_ending = self.is_locked = False
        self.added: set[str] = set()
        self.gone: set[str] = set()
        self.started: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.runs: Counter[tuple[str, int]] = Counter()
        self.phases: Counter[tuple[str, int]] = Counter()
        self.version = 0

    def records(self, records: Sequence[QueueRecord]) -> None:
        """What one commit has of the queue; its records of shots follow."""
        self.was_paused = self.is_paused
        for record in records:
            self._take(record)
        if any(isinstance(record, PlanEnded) for record in records) and self.armed:
            head = self.entries[self.order[0]] if self.order else None
            may_run = head is not None and head.state is EntryState.QUEUED
            assert self.running is not None or not may_run, "Q10: idle between two plans"

    def _take(self, record: QueueRecord) -> None:
        match record:
            case EntriesAdded(entries=entries, at=at):
                uids = [entry.uid for entry in entries]
                assert not self.added & set(uids), "Q2: a uid was given twice"
                self.added |= set(uids)
                self.entries.update((entry.uid, entry) for entry in entries)
                if entries[0].state is not EntryState.PROPOSED:
                    self.order[at:at] = uids
            case EntryChanged(entry=entry, was=was):
                self.entries[entry.uid] = entry
                if was and was in self.order:
                    self.order[self.order.index(was)] = entry.uid
                    self.added.add(entry.uid)
                    self.gone.add(was)
            case EntriesMoved(uids=uids, at=at):
                before = sorted(self.order)
                rest = [uid for uid in self.order if uid not in uids]
                self.order = [*rest[:at], *uids, *rest[at:]]
                assert sorted(self.order) == before, "Q2: a move has lost or doubled an entry"
            case EntriesApproved(uids=uids, at=at):
                self.order[at:at] = uids
            case EntriesRemoved(uids=uids):
                self.gone |= set(uids)
                self.order = [uid for uid in self.order if uid not in uids]
            case QueueSwitched(armed=armed):
                self.armed = armed
            case PlanStarted(entry=entry, executed=executed):
                self._started(entry, executed=executed)
            case StepBegun():
                if self.shot is not None and record.shot:
                    self.shot = ShotKey("T", record.shot)
                if record.step == "phase":
                    assert self.running is not None
                    self.phases[self.running, record.phase] += 1
                    assert self.phases[self.running, record.phase] == 1, "Q1: a phase ran twice"
                    assert not self.is_paused, "Q6: a phase began while the plan was paused"
            case RunBegun(run=run):
                assert self.running is not None
                self.runs[self.running, run.run] += 1
                assert self.runs[self.running, run.run] == 1, "Q1: a run was begun twice"
            case PlanPaused():
                self.is_paused = True
            case PlanResumed():
                self.is_paused = False
            case EndAsked():
                self.is_paused, self.is_ending = False, True
            case PlanEnded():
                self._ended(record)
            case LockChanged(lock=lock):
                self.is_locked = lock is not None
            case QueueKept() if self._is_read:
                self.order = [one.uid for one in record.entries]
                self.entries = {one.uid: one for one in record.entries}
                self.armed, running = record.armed, record.running
                self.running = None if running is None else running.entry.uid
                self.is_paused = running is not None and bool(running.paused)
                self.is_locked = record.lock is not None
            case QueueKept():
                assert [one.uid for one in record.entries] == self.order, "Q1: kept otherwise"
                assert record.versions.status >= self.version, "Q9: a version has fallen"
            case _:
                pass

    def _started(self, entry: Entry, *, executed: bool) -> None:
        assert self.running is None, "Q10: two plans at a time"
        self.started[entry.uid] += 1
        assert self.started[entry.uid] == 1, f"Q1: {entry.uid} was started twice"
        if not executed:
            assert self.armed, "Q4: a plan began that nobody has armed"
            assert self.order[0] == entry.uid, "Q2: another entry began than the first"
            assert entry.state is EntryState.QUEUED, f"Q5: a {entry.state} entry began"
            del self.order[0]
        self.running, self.shot = entry.uid, ShotKey("T", 0)
        self.is_paused = self.is_ending = False

    def _ended(self, record: PlanEnded) -> None:
        uid = record.item.entry.uid
        assert self.running == uid, "Q1: another plan ended than the one that ran"
        self.ended[uid] += 1
        self.running = self.shot = None
        self.is_paused = False
        back = record.back
        if back is not None:
            assert back.uid not in self.added, "Q2: a uid was given twice"
            self.added.add(back.uid)
            self.entries[back.uid] = back
            self.order.insert(len(self.order) if record.at_back else 0, back.uid)

    def record(self, key: ShotKey, record: ShotRecord) -> None:
        """A record of a shot: what is sent is of the plan that runs, and not while it pauses."""
        if not isinstance(record, Transition) or record.state is not ActionState.DISPATCHED:
            return
        if record.aborting:
            return
        assert self.shot == key, f"Q4: {key} {record.path} was sent, and runs for no plan"
        assert not (self.is_paused and self.was_paused), f"Q6: {record.path} was sent while paused"

    def is_told_by(self, records: Sequence[QueueRecord]) -> bool:
        """Return whether the journal's records come to the same."""
        told = QueueChecks(is_read=True)
        try:
            for record in records:
                told._take(record)
        except (AssertionError, KeyError, IndexError):  # their beginning is not among them
            return False
        return told.state == self.state

    @property
    def state(self) -> tuple[object, ...]:
        """What nobody may forget of it."""
        return tuple(self.order), self.running, self.armed, self.is_paused, self.is_locked

    def at_end(self) -> None:
        """Nothing is lost: each entry has ended, was removed, or is still there."""
        assert self.started == self.ended, "Q1: a plan that began has not ended"
        lost = self.added - set(self.order) - self.gone - set(self.started)
        assert not lost, f"Q1: entries were lost: {lost}"
