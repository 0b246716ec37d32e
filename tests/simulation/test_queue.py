"""Histories of a programme of pulse plans while daemons die; planted bugs must be caught."""

from typing import cast

import pytest
from tests.simulation.daemons import DispatcherDaemon
from tests.simulation.queue_checks import QueueChecks
from tests.simulation.scenario import PHASES, Scenario
from tests.simulation.seeds import run_seed

from shotline.client.testing.journal import MemoryJournal
from shotline.common.base import Struct
from shotline.common.channels import QUEUE
from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome, Reply
from shotline.common.queue import commands as q
from shotline.common.queue.fold import QueueFold
from shotline.common.queue.plans import EntryState, PhaseWhen, PlanPhase, PulsePlan
from shotline.common.queue.records import PlanEnding, QueueRecord
from shotline.common.records import ShotKey, ShotRecord
from shotline.dispatcher import effects as d
from shotline.dispatcher.trees import jobs as t

SEEDS = 60
GROUP = 20
KEY = "mine"


class QueueDispatcher(DispatcherDaemon):
    """A dispatcher whose tree knows which pulses there are."""

    pulses: set[ShotKey]

    def _carry_out(self, effect: d.Effect) -> None:
        if isinstance(effect, t.CreatePulseJob):
            exists = effect.key in self.pulses and not effect.replace
            self.pulses.add(effect.key)
            self._later(t.TreeDone(job=effect.job, exists=exists))
        else:
            super()._carry_out(effect)


class QueueScenario(Scenario):
    """One seed's programme: its plans, its operators, its faults."""

    end_s = 900.0

    def __init__(self, seed: int) -> None:
        self.queue_checks = QueueChecks()
        self.pulses: set[ShotKey] = set()
        self.versions = 0
        self.locked_since: float | None = None  # until nobody can tell any more
        self.unlocked_at = -1000.0
        super().__init__(seed)

    def _new_store(self) -> MemoryJournal:
        def record(key: ShotKey, one: ShotRecord) -> None:
            self.checks.record(key, one)
            self.queue_checks.record(key, one)

        def hosted(stream: str, records: tuple[Struct, ...]) -> None:
            if stream == QUEUE:
                self.queue_checks.records(cast("tuple[QueueRecord, ...]", records))

        return MemoryJournal(on_record=record, on_hosted=hosted)

    def _new_dispatcher(self) -> DispatcherDaemon:
        made = QueueDispatcher.__new__(QueueDispatcher)
        made.pulses = self.pulses
        made.__init__(  # type: ignore[misc]
            self.world,
            self.clients,
            self.store,
            {"T": self.nodes},
            self._make,
            self.checks.effect,
            lambda: self.world.after(0.2, self._start_dispatcher),
        )
        self._check_versions(made.machine.plans.queue.core.fold)
        return made

    def _check_versions(self, fold: QueueFold) -> None:
        assert fold.versions.status >= self.versions, "Q9: a version has fallen"
        self.versions = fold.versions.status

    def run(self) -> None:
        """Let it happen; then check what must hold at the end."""
        super().run()
        self.queue_checks.at_end()

    # The operators

    def _supervise(self) -> None:
        plans = tuple(self._draw_plan() for _ in range(self.chance.randint(1, 4)))
        self._order(q.QueueAdd(plans=plans))
        # Not before the dispatcher has begun, so that faults find plans that run.
        self.world.after(3.0, lambda: self._order(q.QueueStart()))
        self.world.after(3.0, self._look)

    def _draw_plan(self) -> PulsePlan:
        chosen = sorted(self.chance.sample(range(3), self.chance.randint(1, 3)))
        phases = tuple(
            PlanPhase(
                phase=PHASES[number],
                when=self.chance.choice(list(PhaseWhen)),
                closing=self.chance.random() < 0.3,
            )
            for number in chosen
        )
        return PulsePlan(experiment="T", phases=phases, repeat=self.chance.choice((1, 1, 2)))

    def _plan_orders(self) -> None:
        for _ in range(self.chance.randint(0, 8)):
            at_s = self.chance.uniform(1.0, 30.0)
            if self.has(f"order at {at_s:.3f} s"):
                self.world.after(at_s, self._some_queue_order)

    def _some_queue_order(self) -> None:
        order = self.queue_checks.order
        uid = self.chance.choice(order) if order else "nothing"
        position = self.chance.choice(("front", "back", 1))
        orders: tuple[AnyCommand, ...] = (
            q.QueueAdd(plans=(self._draw_plan(),), position=position),
            q.QueueMove(uids=(uid,), position=position),
            q.QueueRemove(uids=(uid,)),
            q.QueuePause(),
            q.QueuePause(immediate=True),
            q.QueueResume(aborted=self.chance.choice(("again", "leave"))),
            q.QueueStop(),
            q.QueueStop(cancel=True),
            q.QueueStart(),
            *(q.QueueEnd(how=how) for how in PlanEnding),
            q.QueueMode(ignore_failures=self.chance.random() < 0.5),
            q.QueueAutostart(enable=self.chance.random() < 0.5),
            q.QueueLock(key=KEY, queue=True),
            q.QueueUnlock(key=KEY),
        )
        self._give(self.chance.choice(orders))

    def _give(self, order: AnyCommand) -> None:
        """Give an order; while the queue is locked, those without the key change nothing (Q8)."""
        asked_at = self.world.now
        if isinstance(order, q.QueueUnlock):
            self.locked_since = None

        def told(reply: Reply) -> None:
            self.world.tell(f"operator is told {reply.outcome}: {reply.message}")
            since = self.locked_since
            is_edit = isinstance(order, q.QueueAdd | q.QueueMove | q.QueueRemove)
            if is_edit and since is not None and since <= asked_at:
                assert reply.outcome is not Outcome.OK, (
                    f"Q8: {order.verb} has changed what is locked"
                )
            if isinstance(order, q.QueueLock) and reply.outcome is Outcome.OK and since is None:
                self.locked_since = self.world.now if not self._unlocks(asked_at) else None

        if isinstance(order, q.QueueUnlock):
            self.unlocked_at = asked_at
        self.world.tell(f"operator: {order!r}"[:200])
        self.client.ask(order, told)

    def _unlocks(self, since: float) -> bool:
        """Return whether somebody has asked to unlock since then."""
        return self.unlocked_at >= since - 100.0

    def _look(self) -> None:
        """Once faults are over, see to it that the programme comes to its end."""
        self.world.after(2.0, self._look)
        dispatcher = self.dispatcher
        if dispatcher is None or dispatcher.is_paused or dispatcher.machine.core.recovering:
            return
        fold = dispatcher.machine.plans.queue.core.fold
        self._check_versions(fold)
        if not self._is_calm():
            return
        if fold.lock is not None:
            self._give(q.QueueUnlock(key=KEY))
        running = fold.running
        if running is not None and running.paused:
            self._order(q.QueueResume(aborted="leave"))
        elif running is None and fold.order:
            head = fold.entries[fold.order[0]]
            if head.state is EntryState.HELD:
                self._order(q.QueueRemove(uids=(head.uid,)))
            elif not fold.armed:
                self._order(q.QueueStart())
        elif running is None:
            self.is_done = True


class KilledEarly(QueueScenario):
    """The dispatcher dies while the first plan runs, whatever else happens."""

    def _plan_faults(self) -> None:
        super()._plan_faults()
        self.world.after(self.chance.uniform(3.0, 6.0), self._kill_dispatcher)


class LockedQueue(KilledEarly):
    """Somebody has locked the queue before that, and others go on trying."""

    def _plan_orders(self) -> None:
        self.world.after(2.0, lambda: self._give(q.QueueLock(key=KEY, queue=True)))
        for _ in range(4):
            plan = self._draw_plan()
            at_s = self.chance.uniform(3.0, 40.0)
            self.world.after(at_s, lambda one=plan: self._give(q.QueueAdd(plans=(one,))))


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_the_programme_holds_from_seed(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(QueueScenario, seed)


@pytest.mark.parametrize("first", range(0, GROUP, GROUP))
def test_a_lock_outlives_the_dispatcher_from_seed(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(LockedQueue, seed)


@pytest.mark.parametrize("first", range(120, 180, GROUP))
def test_a_programme_whose_dispatcher_dies_early_comes_to_its_end(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(KilledEarly, seed)
