"""When the queue's plans are likely to run, and which classes they need, by the medians. Pure."""

from collections.abc import Iterator

from shotline.common.queue.plans import PulsePlan
from shotline.dispatcher.core import Core
from shotline.dispatcher.plans.catalogs import Catalogs
from shotline.fleet.world import PlanAhead
from shotline.pulse_queue.machine import PulseQueue
from shotline.pulse_queue.running import plan_words


class Ahead:
    """Looks ahead in the queue. What is not started yet counts as started now."""

    def __init__(self, core: Core, queue: PulseQueue, catalogs: Catalogs) -> None:
        self._core = core
        self._queue = queue
        self._catalogs = catalogs

    def plans(self) -> Iterator[PlanAhead]:
        """Yield the plans in their order, the running one first."""
        fold = self._queue.core.fold
        at = self._core.wall
        running = fold.running.plan if fold.running is not None else None
        plans = [running] if running is not None else []
        plans += [fold.entries[uid].plan for uid in fold.order]
        for plan in plans:
            if plan.type == "stop":
                continue
            took_s = self._left_s() if plan is running else self._usual_s(plan)
            ends_at = None if took_s is None else at + took_s
            yield PlanAhead(plan_words(plan), self._classes_of(plan), at, ends_at)
            at = at if ends_at is None else ends_at

    def _left_s(self) -> float | None:
        progress = self._queue.telling.progress()
        return progress.left_s if progress is not None else None

    def _usual_s(self, plan: PulsePlan) -> float | None:
        """Return how long a plan takes usually; None where one of its phases has never run."""
        tree, phases = self._tree_and_phases(plan)
        usual_s = 0.0
        for phase in phases:
            median_s = self._queue.telling.median_s(tree, phase)
            if median_s is None:
                return None
            usual_s += median_s
        return usual_s * plan.repeat if phases else None

    def _tree_and_phases(self, plan: PulsePlan) -> tuple[str, tuple[str, ...]]:
        kind = self._queue.core.kinds.get(plan.kind)
        tree = plan.experiment or (kind.experiment if kind is not None else None) or ""
        phases = plan.phases or (kind.phases if kind is not None else None) or ()
        return tree.strip().upper(), tuple(one.phase for one in phases)

    def _classes_of(self, plan: PulsePlan) -> frozenset[str]:
        tree, phases = self._tree_and_phases(plan)
        catalog = self._catalogs.of(tree)
        if catalog is None:
            return frozenset()
        found: set[str] = set()
        for phase in phases or catalog.phases:
            found |= catalog.classes.get(phase, frozenset())
        return frozenset(found)
