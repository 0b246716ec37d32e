"""A programme of pulse plans, and operators who reorder, pause, end and lock while daemons die."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

import msgspec
from tests.simulation.daemons import DispatcherDaemon
from tests.simulation.hosted.queue_checks import QueueChecks
from tests.simulation.programme import Programme
from tests.simulation.scenario import PHASES, Scenario

from shotline.common.base import Struct
from shotline.common.channels import QUEUE
from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome, Reply
from shotline.common.queue import commands as q
from shotline.common.queue.plans import EntryState, PhaseWhen, PlanPhase, PulsePlan
from shotline.common.queue.records import PlanEnding, QueueRecord
from shotline.common.queue.views import Versions
from shotline.common.records import ShotKey, ShotRecord
from shotline.dispatcher import effects as d
from shotline.dispatcher.trees import jobs as t

KEY = "mine"


class _Queue(msgspec.Struct):
    versions: Versions


class _Told(msgspec.Struct):
    queue: _Queue | None = None


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


class QueueProgramme(Programme):
    """One seed's plans, and their operators."""

    redispatches: ClassVar[bool] = False  # what is sent is of the plan that runs

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.checks = QueueChecks()
        self.pulses: set[ShotKey] = set()
        self.version = (0, 0)  # term, and the version that was told last
        self.locked_since: float | None = None  # until nobody can tell any more
        self.unlocked_at = -1000.0

    def prepare(self, dispatcher: DispatcherDaemon) -> None:
        """A dispatcher is made: its tree knows which pulses there are."""
        assert isinstance(dispatcher, QueueDispatcher)
        dispatcher.pulses = self.pulses

    def effect(self, effect: d.Effect) -> None:
        """An effect leaves the dispatcher: whoever sees the queue sees its version rise."""
        if not isinstance(effect, d.Publish) or effect.event.channel != QUEUE:
            return
        told = msgspec.json.decode(effect.event.payload, type=_Told)
        if told.queue is None:
            return
        version = (effect.event.term, told.queue.versions.status)
        is_less = version[1] < self.version[1] and version[0] >= self.version[0]
        assert not is_less or self.scenario.checks.is_forgiven, "Q9: a version has fallen"
        self.version = max(self.version, version)

    def record(self, key: ShotKey, record: ShotRecord) -> None:
        """A record of a shot was journalled."""
        self.checks.record(key, record)

    def hosted(self, stream: str, records: Sequence[Struct]) -> None:
        """What one commit has of the queue was journalled."""
        if stream == QUEUE:
            self.checks.records(cast("Sequence[QueueRecord]", records))

    def is_told_by(self, streams: Mapping[str, Sequence[Struct]]) -> bool:
        """Return whether the journal tells of the queue what it was told."""
        return self.checks.is_told_by(cast("Sequence[QueueRecord]", streams.get(QUEUE, ())))

    def at_end(self) -> None:
        """All is over: each plan has ended, or is still there."""
        self.checks.at_end()

    # The operators

    def supervise(self) -> None:
        """Add plans, start the queue, and see to it that it comes to its end."""
        plans = tuple(self._draw_plan() for _ in range(self.chance.randint(1, 4)))
        self._give(q.QueueAdd(plans=plans))
        # Not before the dispatcher has begun, so that faults find plans that run.
        self.world.after(3.0, lambda: self._give(q.QueueStart()))
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

    def plan_orders(self) -> None:
        """Let operators do anything."""
        for _ in range(self.chance.randint(0, 8)):
            at_s = self.chance.uniform(1.0, 30.0)
            if self.scenario.has(f"order at {at_s:.3f} s"):
                self.world.after(at_s, self._some_queue_order)

    def _some_queue_order(self) -> None:
        order = self.checks.order
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
            is_locked = since is not None and since <= asked_at
            if is_edit and is_locked and not self.scenario.checks.is_forgiven:
                assert reply.outcome is not Outcome.OK, (
                    f"Q8: {order.verb} has changed what is locked"
                )
            if isinstance(order, q.QueueLock) and reply.outcome is Outcome.OK and since is None:
                self.locked_since = self.world.now if not self._unlocks(asked_at) else None

        if isinstance(order, q.QueueUnlock):
            self.unlocked_at = asked_at
        self.world.tell(f"operator: {order!r}"[:200])
        self.scenario.client.ask(order, told)

    def _unlocks(self, since: float) -> bool:
        """Return whether somebody has asked to unlock since then."""
        return self.unlocked_at >= since - 100.0

    def _look(self) -> None:
        """Once faults are over, see to it that the programme comes to its end."""
        self.world.after(2.0, self._look)
        dispatcher = self.scenario.dispatcher
        if dispatcher is None or dispatcher.is_paused or dispatcher.machine.core.recovering:
            return
        fold = dispatcher.machine.plans.queue.core.fold
        if not self.scenario._is_calm():
            return
        if fold.lock is not None:
            self._give(q.QueueUnlock(key=KEY))
        running = fold.running
        if running is not None and running.paused:
            self._give(q.QueueResume(aborted="leave"))
        elif running is None and fold.order:
            head = fold.entries[fold.order[0]]
            if head.state is EntryState.HELD:
                self._give(q.QueueRemove(uids=(head.uid,)))
            elif not fold.armed:
                self._give(q.QueueStart())
        elif running is None:
            self.scenario.is_done = True


class QueueScenario(Scenario):
    """One seed's programme, with few faults."""

    end_s = 900.0
    programme_kind: type[Programme] = QueueProgramme
    dispatcher_kind = QueueDispatcher


class KilledEarly(QueueScenario):
    """The dispatcher dies while the first plan runs, whatever else happens."""

    def _plan_faults(self) -> None:
        super()._plan_faults()
        self.world.after(self.chance.uniform(3.0, 6.0), self._kill_dispatcher)


class LockedProgramme(QueueProgramme):
    """Somebody has locked the queue, and others go on trying."""

    def plan_orders(self) -> None:
        """Lock it, and try to add plans without the key."""
        self.world.after(2.0, lambda: self._give(q.QueueLock(key=KEY, queue=True)))
        for _ in range(4):
            plan = self._draw_plan()
            at_s = self.chance.uniform(3.0, 40.0)
            self.world.after(at_s, lambda one=plan: self._give(q.QueueAdd(plans=(one,))))


class LockedQueue(KilledEarly):
    """The queue is locked before that."""

    programme_kind = LockedProgramme
