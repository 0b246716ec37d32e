"""How far the running plan is, and how long it has to go by the medians of earlier ones. Pure."""

from collections import deque
from statistics import median
from typing import Final

from shotline.common.queue.plans import HistoryItem
from shotline.common.queue.records import PlanProgress
from shotline.common.queue.views import ProgressView
from shotline.pulse_queue.core import QueueCore
from shotline.pulse_queue.running import next_phases

RUNS_KEPT: Final = 10  # of each phase of an experiment


class Durations:
    """The last durations of each phase, from the history."""

    def __init__(self, core: QueueCore) -> None:
        self._core = core
        self._kept: dict[tuple[str, str], deque[float]] = {}
        self._taken = 0  # items of the history ever

    def median_s(self, tree: str, phase: str) -> float | None:
        """Return how long a phase takes usually; None where it has never run."""
        self._take()
        found = self._kept.get((tree, phase))
        return median(found) if found else None

    def _take(self) -> None:
        fold = self._core.fold
        new = min(fold.history_total - self._taken, len(fold.history))
        if new > 0:
            for index in range(len(fold.history) - new, len(fold.history)):
                self._note(fold.history[index])
        self._taken = fold.history_total

    def _note(self, item: HistoryItem) -> None:
        for run in item.result.runs:
            if run.duration_s is not None and run.outcome == "completed":
                key = (run.tree, run.phase)
                self._kept.setdefault(key, deque(maxlen=RUNS_KEPT)).append(run.duration_s)


def progress_of(core: QueueCore, durations: Durations) -> ProgressView | None:
    """Return how far the running plan is; None while none runs."""
    running = core.fold.running
    if running is None:
        return None
    phases = running.plan.phases or ()
    run = running.run
    state = None
    if run is not None:
        state = core.world.phase_state(run.tree, run.shot, run.run)
    return ProgressView(
        phase=run.phase if run is not None else "",
        phase_number=running.phase + 1 if run is not None else running.phases_done,
        phases=len(phases),
        done=state.done if state is not None else 0,
        total=state.total if state is not None else 0,
        elapsed_s=max(core.wall - running.began_at, 0.0),
        left_s=_left_s(core, running, durations),
    )


def _left_s(core: QueueCore, running: PlanProgress, durations: Durations) -> float | None:
    """Return the time to go; None where some phase has never run."""
    left = 0.0
    run = running.run
    if run is not None:
        usual = durations.median_s(run.tree, run.phase)
        if usual is None:
            return None
        left += max(usual - max(core.wall - run.opened_at, 0.0), 0.0)
    for phase in next_phases(running):
        usual = durations.median_s(running.tree, phase)
        if usual is None:
            return None
        left += usual
    return left
