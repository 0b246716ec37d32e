"""How the queue stands, in views and in words. Pure."""

from typing import Final

from msgspec import structs

from shotline.common.messages import Outcome
from shotline.common.queue.records import EnvironmentState, LockChanged, QueueKept, QueueRecord
from shotline.common.queue.views import (
    EnvironmentView,
    ProgressView,
    QueueListResult,
    QueueSnapshot,
    QueueStatusResult,
    QueueView,
)
from shotline.pulse_queue import locks
from shotline.pulse_queue.core import QueueCore
from shotline.pulse_queue.events import QueueAnswer
from shotline.pulse_queue.progress import Durations, progress_of
from shotline.pulse_queue.running import plan_words
from shotline.pulse_queue.table import allowed, state_of

HISTORY_TOLD: Final = 100  # items with a snapshot


class Telling:
    """Makes views of what the queue knows."""

    def __init__(self, core: QueueCore) -> None:
        self._core = core
        self._durations = Durations(core)

    def progress(self) -> ProgressView | None:
        """Return how far the running plan is; None while none runs."""
        return progress_of(self._core, self._durations)

    def median_s(self, tree: str, phase: str) -> float | None:
        """Return how long a phase takes usually; None where it has never run."""
        return self._durations.median_s(tree, phase)

    def status(self, text: str = "") -> QueueAnswer:
        """Return an answer that tells how the queue stands."""
        view = self.view()
        text = text or f"{view.state.value}: {view.text}"
        return QueueAnswer(Outcome.OK, text, QueueStatusResult(queue=view))

    def view(self) -> QueueView:
        """Return how the queue stands."""
        core, fold = self._core, self._core.fold
        running = fold.running
        first = fold.history_total - len(fold.history)
        return QueueView(
            state=state_of(fold),
            text=self._words(),
            versions=fold.versions,
            entries=len(fold.order),
            held=sum(1 for uid in fold.order if fold.entries[uid].held),
            proposals=len(fold.proposals),
            history=fold.history_total - max(first, fold.history_hidden),
            history_total=fold.history_total,
            running=running,
            progress=self.progress(),
            armed=fold.armed,
            stop_pending=fold.stop_pending,
            pause_pending=running is not None and bool(running.pause),
            modes=fold.modes,
            lock=locks.lock_view(fold.lock),
            emergency_key_set=bool(core.emergency_key),
            environment=EnvironmentView(
                state=fold.environment,
                servers=fold.servers,
                required=core.needs_environment,
            ),
            allowed=allowed(fold),
            return_as=core.config.queue.return_as,
        )

    def _words(self) -> str:
        """Say what the queue does, and why."""
        core, fold, running = self._core, self._core.fold, self._core.fold.running
        if running is None:
            if fold.armed:
                return "the next plan begins as soon as it may"
            words = fold.why or "it was not started"
            if core.needs_environment and fold.environment is EnvironmentState.CLOSED:
                words += "; the environment is closed: open it first"
            return words
        words = f"{plan_words(running.plan)} runs as {running.tree}/{running.shot or 'next'}"
        if running.step is not None:
            phase = (running.plan.phases or ())[running.phase].phase if running.run else ""
            words += f": phase {phase}" if phase else f": {running.step.value}"
        if running.paused:
            return f"{running.paused}; {words}"
        if running.ending is not None:
            return f"{words}; it is being ended ({running.ending.value}) by {running.ended_by}"
        if running.pause:
            return f"{words}; it pauses soon"
        if fold.stop_pending:
            return f"{words}; the queue stops after it"
        return words

    def listed(self) -> QueueListResult:
        """Return the list, without its entries, which come in pages."""
        fold = self._core.fold
        return QueueListResult(
            version=fold.versions.queue,
            proposals=tuple(fold.entries[uid] for uid in fold.proposals),
            running=fold.running.entry if fold.running is not None else None,
            total=len(fold.order),
        )

    def snapshot(self) -> QueueSnapshot:
        """Return the whole, for the channel `queue`."""
        fold = self._core.fold
        view = self.view()
        told = min(view.history, HISTORY_TOLD)
        items = tuple(fold.history[index] for index in range(-told, 0))
        kept = without_key(fold.kept(self._core.wall))
        assert isinstance(kept, QueueKept)
        return QueueSnapshot(kept=kept, queue=view, history=items)


def without_key(record: QueueRecord) -> QueueRecord:
    """Return a record as observers get it: without what a lock's key is checked by."""
    if isinstance(record, QueueKept | LockChanged) and record.lock is not None:
        return structs.replace(record, lock=structs.replace(record.lock, key_hash=""))
    return record
