"""The daemons in a storm: a dispatcher on its real journal, servers with stubborn tasks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.daemons import Client, DispatcherDaemon, ServerDaemon, Task, Timer
from tests.simulation.storm.redis import SimJournal

from shotline.action_server import events as srv
from shotline.broker.outbox import Publish
from shotline.client.observer import News, Observer, Whole
from shotline.common.actions import AttemptId
from shotline.common.channels import FEED, shot_channel
from shotline.common.codec import decode
from shotline.common.commands import Snapshot
from shotline.common.messages import Dispatch, Event, Outcome, Reply
from shotline.common.records import RunOpened, ShotKey, TableBuilt, Transition
from shotline.common.views import ShotEvent, SnapshotResult, decode_result
from shotline.dispatcher import effects as d
from shotline.dispatcher.journal import (
    EncodedCommit,
    HistoryLost,
    JournalQuery,
    Loaded,
    VouchForRedis,
    Written,
)

if TYPE_CHECKING:
    from tests.simulation.storm.scenario import Storm


class StormDispatcher(DispatcherDaemon):
    """One life of the dispatcher, on the real journal over what the storm leaves of Redis."""

    scenario: "Storm"
    above = 0
    journal: SimJournal

    def _load(self) -> tuple[int, Loaded]:
        scenario = self.scenario
        self._journal_timer = Timer(self.world, lambda: self.do(self._poll))
        self.journal = SimJournal(
            self.world,
            scenario.redis,
            scenario.spill,
            lambda: self.do(self._poll),
            scenario.place,
        )
        term, loaded = self.journal.begin(self.above)
        scenario.loaded(term, loaded, self.instant.wall)
        return term, loaded

    def kill(self) -> None:
        """End at once, with what was under way to Redis and to the disk."""
        super().kill()
        self.journal.kill()

    def _write(self, commit: EncodedCommit) -> None:
        self.journal.write_at(self.world.now, commit)
        self._journal_timer.set(self.journal.wake_at())

    def _poll(self) -> None:
        if self.is_dead:
            return
        events = self.journal.poll(self.world.now)
        self._journal_timer.set(self.journal.wake_at())
        for event in events:
            if isinstance(event, HistoryLost):
                self.world.tell(f"journal: {event.text}")
                if event.shots is None or event.shots:
                    self.scenario.checks.writes_anew = True
            elif isinstance(event, Written):
                self.scenario.checks.written(self.machine.core.term, event.number)
        if events:
            self.handle(*events)

    def _ask(self, effect: d.Effect) -> None:
        if isinstance(effect, VouchForRedis):
            self.journal.vouch(self.world.now)
        elif isinstance(effect, JournalQuery):
            self.journal.ask(effect)
            self._journal_timer.set(self.journal.wake_at())
        else:
            super()._ask(effect)


@dataclass(frozen=True, slots=True)
class StormTask(Task):
    """What happens when an action is executed, and what its processes do when they are ended."""

    dies: bool = False  # the worker does, instead of an end
    ignores_term: bool = False
    gone_s: float = 0.02  # after KILL


class StormServer(ServerDaemon):
    """One life of a server. `tasks` of its slots may ignore TERM, outlive KILL, or die."""

    on_end: Callable[[AttemptId, bool], None]
    results_max: int

    def _start(self, slot: int, attempt: AttemptId) -> None:
        task = self._task_of(attempt)
        assert slot not in self.runs, (
            f"slots: {self.name} starts {attempt} beside {self.runs[slot]}"
        )
        if not (isinstance(task, StormTask) and task.dies):
            super()._start(slot, attempt)
            return
        self.runs[slot] = attempt
        self._on_start(attempt, ":".join(self.name))
        self._later(slot, task.duration_s, srv.WorkerExited(slot, "died"))

    def _take(self, events: tuple[srv.Event, ...]) -> None:
        for event in events:
            if isinstance(event, srv.TaskEnded):
                attempt = self.runs.get(event.slot)
                if attempt is not None:
                    self.on_end(attempt, event.how.ok)
        super()._take(events)
        if not any(isinstance(event, Dispatch) for event in events):
            return
        machine = self.machine
        held = machine.unanswered + machine.busy + machine._attempts.queued
        assert held <= self.results_max, (
            f"I2: {self.name} has taken {held}, its limit is {self.results_max}"
        )

    def _one(self, effect: srv.Effect) -> None:
        if not isinstance(effect, srv.SignalGroup):
            super()._one(effect)
            return
        slot = effect.slot
        attempt = self.runs.get(slot)
        task = None if attempt is None else self._task_of(attempt)
        if isinstance(task, StormTask):
            if effect.signal is srv.GroupSignal.TERM and task.ignores_term:
                return
            self._workers[slot] += 1
            self._later(slot, 0.01, srv.WorkerExited(slot, "was killed"))
            self._later(slot, task.gone_s, srv.GroupGone(slot))
        else:
            super()._one(effect)


class SimObserver:
    """A page, say: it follows one shot as all observers do, over a feed that may lose events."""

    def __init__(self, scenario: "Storm", key: ShotKey) -> None:
        self.scenario, self.key = scenario, key
        self.channel = shot_channel(key)
        self._topics = (self.channel.encode(), FEED.encode())
        self.machine = Observer(self.channel, scenario.world.now)
        self.shown: dict[str, Transition] = {}
        self.is_cut = False
        self._client = Client(scenario.world, scenario.clients, "observer-")
        self._free_at = 0.0
        self._tick()

    def published(self, effect: Publish) -> None:
        """An event leaves the broker; it arrives, or not."""
        if self.is_cut or effect.topic not in self._topics:
            return
        world = self.scenario.world
        self._free_at = at = max(self._free_at, world.now + world.random.uniform(0.0, 0.05))
        world.at(at, lambda: self._take(effect.batch))

    def _take(self, batch: bytes) -> None:
        now = self.scenario.world.now
        for event in decode(batch):
            assert isinstance(event, Event)
            if event.channel == FEED:
                self._shown(self.machine.beat(now, event))
            else:
                self._shown(self.machine.event(now, event))
        self._ask()

    def _tick(self) -> None:
        self._shown(self.machine.tick(self.scenario.world.now))
        self._ask()
        self.scenario.world.after(1.0, self._tick)

    def _ask(self) -> None:
        if self.machine.wants_snapshot(self.scenario.world.now):
            self._client.ask(Snapshot(channel=self.channel), self._told, 5.0)

    def _told(self, reply: Reply) -> None:
        result = decode_result(reply.result) if reply.outcome is Outcome.OK else None
        if isinstance(result, SnapshotResult):
            self._shown(self.machine.snapshot(self.scenario.world.now, result))

    def _shown(self, updates: object) -> None:
        assert isinstance(updates, list)
        for update in updates:
            if isinstance(update, Whole):
                self.shown = {one.path: one.last for one in update.snapshot.actions}
            elif isinstance(update, News) and isinstance(update.payload, ShotEvent):
                for record in update.payload.records:
                    if isinstance(record, Transition):
                        self.shown[record.path] = record
                    elif isinstance(record, TableBuilt | RunOpened):
                        self.machine.refresh()
        self._ask()

    def check(self, live: dict[str, Transition]) -> None:
        """What is shown is what is journalled (I6)."""
        assert self.machine.has_snapshot, f"I6: {self.channel} is not shown"
        for path, true in live.items():
            shown = self.shown.get(path)
            assert shown == true, f"I6: shown is {shown}, journalled {true}"
