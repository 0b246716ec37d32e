"""One seed of a storm: a large table, many servers, and everything breaks, often at once."""

import random
from collections.abc import Callable
from typing import Final

from tests.simulation.daemons import BrokerDaemon, DispatcherDaemon, ServerDaemon, Task
from tests.simulation.scenario import PHASES, Scenario, _draw_condition
from tests.simulation.storm.checks import StormChecks
from tests.simulation.storm.daemons import SimObserver, StormDispatcher, StormServer, StormTask
from tests.simulation.storm.redis import SECTION, SimRedis, SimSpill
from tests.simulation.storm.weather import FAULTS_UNTIL_S, Weather
from tests.simulation.world import Network

from shotline.broker.outbox import Publish
from shotline.client.testing.journal import MemoryJournal
from shotline.common.actions import AttemptId
from shotline.common.commands import (
    Abort,
    AbortPending,
    AnyCommand,
    DispatchAction,
    Hold,
    Resume,
    ServerAbort,
    ServerQuit,
    ServerRestart,
    ServerStop,
)
from shotline.common.fleet import commands as f
from shotline.common.fleet.settings import Select
from shotline.common.nodes import (
    ActionNode,
    ConditionWhen,
    DispatchOptions,
    SequenceWhen,
    SleepTask,
)
from shotline.common.records import ShotKey
from shotline.common.settings.sections.action_server import ActionServerSection
from shotline.common.settings.sections.broker import BrokerSection
from shotline.dispatcher import effects as d
from shotline.dispatcher.journal import EncodedCommit, Loaded
from shotline.dispatcher.journal.standing import Succession
from shotline.dispatcher.machine import Dispatcher

ACTIONS: Final = 50
SERVERS: Final = (("SRV_A", 2), ("SRV_B", 1), ("SRV_C", 1))
KEY: Final = ShotKey("T", 1)
HUB: Final = "hub"  # the host of broker and dispatcher
HEARTBEATS_S: Final = (2.0, 3.0)
BUSY_S: Final = (0.0, 0.0, 0.005, 0.05)
DURATIONS_S: Final = (0.001, 0.1, 0.5, 2.0, 11.0)
DURATIONS_WEIGHTS: Final = (3, 6, 6, 5, 2)
QUIET_S: Final = 8.0


class Storm(Scenario):
    """One seed. What breaks is the weather's."""

    end_s = 300.0
    quiet_s = QUIET_S
    actions = ACTIONS
    checks: StormChecks
    dispatcher_kind = StormDispatcher
    server_kind: type[StormServer] = StormServer
    shots: tuple[int, ...] = (KEY.shot,)  # that people give orders about

    def __init__(self, seed: int, make: type[Dispatcher] = Dispatcher) -> None:
        self.observer: SimObserver | None = None
        self.is_hub = False
        self.place = "here"  # of the spill file of whoever dispatches
        self.standby: Succession | None = (
            None  # another dispatcher, from when it asks for its place
        )
        super().__init__(seed, make)
        self.observer = SimObserver(self, KEY)

    # What is drawn

    def _draw(self) -> tuple[ActionNode, ...]:
        chance, world = self.chance, self.world
        self.storm_checks = StormChecks()
        self.heartbeat_s = chance.choice(HEARTBEATS_S)
        self.broker_section = BrokerSection(heartbeat_s=self.heartbeat_s)
        self.server_section = ActionServerSection(
            results_max=chance.choice((5, 10_000)), on_return=chance.choice(("finish", "end"))
        )
        self.options = DispatchOptions(
            barrier=chance.choice(("class", "class", "global")),
            synchronize_at=chance.choice(((), (), (20,))),
            test=chance.choice(("success", "success", "completion")),
            completion_events=chance.choice(("all", "success")),
        )
        self.is_hub = self._draw_is_hub()
        self.busy_s = chance.choice(BUSY_S)
        self.redis = SimRedis(world, self._safe)
        self.spill = SimSpill(world, self._safe)
        self.storm_checks.may_have_stopped = lambda: self.spill.has_failed
        self.weather = Weather(self)
        paths = [f"\\T::TOP:A{number}" for number in range(self.actions)]
        return self._without(tuple(self._draw_node(path, paths) for path in paths))

    def _draw_is_hub(self) -> bool:
        """Return whether broker and dispatcher are one process."""
        return self.chance.random() < 0.3

    def _draw_node(self, path: str, paths: list[str]) -> ActionNode:
        chance = self.chance
        when: ConditionWhen | SequenceWhen
        if chance.random() < 0.3:
            when = ConditionWhen(expression=_draw_condition(chance, paths, 3), text="condition")
        else:
            number = chance.choice((-1, 10, 10, 10, 20, 20, 30))
            when = SequenceWhen(number=number, text=str(number))
        return ActionNode(
            path=path,
            name=path.rpartition(":")[2],
            server_class=chance.choice(("SRV_A", "SRV_A", "SRV_B", "SRV_C")),
            phase=chance.choice(PHASES),
            when=when,
            task=SleepTask(seconds=0),
            timeout_s=chance.choice((None, None, 1.0)),
            completion_event=chance.choice((None, None, "EVENT")),
            essential=chance.random() < 0.1,
            on=chance.random() > 0.05,
        )

    def _task_of(self, attempt: AttemptId) -> Task:
        found = self.tasks.get(attempt)
        if found is None:
            chance = self.own_chance(attempt)
            found = self.tasks[attempt] = StormTask(
                duration_s=chance.choices(DURATIONS_S, DURATIONS_WEIGHTS)[0],
                ok=chance.random() < 0.85,
                lines=chance.choice((0, 0, 3)),
                dies=chance.random() < 0.03,
                ignores_term=chance.random() < 0.1,
                gone_s=chance.choice((0.02, 0.02, 0.02, 8.0)),
            )
        return found

    # Daemons

    def _new_store(self) -> MemoryJournal:
        self.checks = self.storm_checks
        return MemoryJournal()

    def host_of(self, name: tuple[str, str]) -> str:
        """Return the host of a server: two share one, and one shares the hub's."""
        return {("SRV_A", "1"): "a", ("SRV_A", "2"): "b", ("SRV_B", "1"): "b"}.get(name, HUB)

    def _new_broker(self) -> BrokerDaemon:
        return BrokerDaemon(
            self.world, self.clients, self.servers_net, HUB, self.broker_section, self._watch_broker
        )

    def _start_broker(self) -> None:
        self.world.tell("broker starts")
        self.broker = self._new_broker()

    def _watch_broker(self, event: Publish) -> None:
        if self.observer is not None:
            self.observer.published(event)

    def _new_networks(self, delay_s_max: float) -> tuple[Network, Network]:
        resent = self.chance.choice((0.0, 0.3))
        return (
            Network(self.world, delay_s_max, resent=resent),
            Network(self.world, delay_s_max, resent=resent),
        )

    def _start_dispatcher(self, above: int = 0) -> None:
        redis = self.redis
        if self.dispatcher is not None and not self.dispatcher.is_dead:
            return
        if not redis.is_up or redis.error or redis.stalled_until > self.world.now:
            self.world.after(1.0, lambda: self._start_dispatcher(above))
            return
        self.world.tell("dispatcher starts")
        self.dispatcher = self._begin_dispatcher(above)

    def stand_by(self) -> None:
        """Let another dispatcher begin, elsewhere, as soon as it may."""
        self.standby = Succession(SECTION, f"elsewhere{self.world.next_life('standby')}", "")
        self.world.tell("another dispatcher asks for the place")
        self._stand_by(self.standby)

    def _stand_by(self, waits: Succession) -> None:
        redis = self.redis
        self.weather.lasts(15.0)
        if redis.is_up and not redis.error and redis.stalled_until <= self.world.now:
            must_ask = waits.must_ask(redis.found())
            if must_ask:
                redis.asks = redis.asks or waits.name
            may_claim = waits.may_claim(self.world.now, redis.found()) or not must_ask
            if may_claim and not self.spill.size:  # what is there nobody elsewhere knows
                first, self.standby, self.place = self.dispatcher, None, waits.name
                self.world.tell("another dispatcher begins")
                self.dispatcher = self._begin_dispatcher(0)
                if first is not None:
                    self.world.after(10.0, first.kill)
                return
        self.world.after(SECTION.retry_s, lambda: self._stand_by(waits))

    def _begin_dispatcher(self, above: int) -> StormDispatcher:
        made = self._newest = self.dispatcher_kind.__new__(self.dispatcher_kind)
        self.programme.prepare(made)
        made.scenario, made.above, made.options = self, above, self.options
        made.busy_s = self.busy_s
        made.__init__(  # type: ignore[misc]
            self.world,
            self.clients,
            self.store,
            {"T": self.nodes},
            self._make,
            lambda effect: self._effect_of(made, effect),
            lambda: self._dispatcher_ended(made),
            host=HUB,
            broker={"heartbeat_s": self.heartbeat_s},
            action_server={"on_return": self.server_section.on_return},
            **self.programme.sections,
        )
        return made

    def _effect_of(self, made: StormDispatcher, effect: d.Effect) -> None:
        # Where Redis has lost a claim two may have the same term, and number their events.
        if not isinstance(effect, d.Publish) or made is self._newest:
            self._effect(effect)

    def _dispatcher_ended(self, ended: DispatcherDaemon) -> None:
        if ended is not self.dispatcher:
            return
        above = ended.exit.claim_above if ended.exit is not None else None
        self.dispatcher = None
        if self.standby is not None and ended.exit is not None and ended.exit.taken_over:
            return  # it begins as soon as it may
        self.world.after(0.2, lambda: self._start_dispatcher(above or 0))

    def _new_server(self, name: tuple[str, str], ended: tuple[str, ...]) -> ServerDaemon:
        made = self.server_kind.__new__(self.server_kind)
        self.programme.prepare_server(made)
        made.on_end = self._on_end
        made.results_max = self.server_section.results_max
        made.__init__(  # type: ignore[misc]
            self.world,
            self.servers_net,
            name,
            self.chance.randint(1, 3),
            self._task_of,
            self._on_start,
            lambda gone, restart: self._server_ended(gone, restart=restart),
            ended,
            host=self.host_of(name),
            section=self.server_section,
            broker=self.broker_section,
        )
        self.checks.lives.append(made)
        self.checks.slots[made.incarnation] = made.slots
        return made

    def _on_start(self, attempt: AttemptId, server: str) -> None:
        super()._on_start(attempt, server)
        name, _, id_ = server.partition(":")
        if (began_on := self.servers[name, id_]) is not None:
            self.checks.began_on[attempt] = began_on

    def _on_end(self, attempt: AttemptId, good: bool) -> None:  # noqa: FBT001
        self.checks.end(attempt, good=good)

    def _some_server(self) -> ServerDaemon | None:
        """Return one that works, where there is one."""
        working = [one for one in self.servers.values() if one is not None and one.runs]
        if working and self.chance.random() < 0.7:
            return self.chance.choice(working)
        return super()._some_server()

    def _restart_server(self, name: tuple[str, str], away_s: float | None = None) -> None:
        self.servers[name] = None
        wait_s = self.chance.choice((0.1, 1.0, 3.0, 3.0, 16.0)) if away_s is None else away_s
        self.weather.lasts(wait_s + 5.0)
        self.world.after(wait_s, lambda: self._start_server(name))

    def _server_ended(self, gone: ServerDaemon, *, restart: bool) -> None:
        if self.servers.get(gone.name) is gone:
            self._restart_server(gone.name)

    def _class_servers(self) -> list[tuple[str, str]]:
        return [(name, str(number + 1)) for name, many in SERVERS for number in range(many)]

    # The journal

    def loaded(self, term: int, loaded: Loaded, wall: float) -> None:
        """A dispatcher has read the journal."""
        checks = self.checks
        if self.redis.has_lost and self._is_behind(loaded):
            assert self.redis.has_hole or checks.is_forgiven, (
                "I9: redis has not what the journal had said that it has again"
            )
            self.redis.has_hole = False
            self.world.tell("what redis has lost nobody knows any more")
            checks.forgive([one.incarnation for one in loaded.servers])
        checks.begins(term, wall, has_lost=self.redis.has_lost)

    def _is_behind(self, loaded: Loaded) -> bool:
        if self.checks.is_forgiven:
            return True
        for key, shot in self.checks.shots.items():
            found = loaded.shots.get(key)
            if found is None or not shot.is_told_by(found.records):
                return True
        return not self.programme.is_told_by(loaded.hosted)

    def _safe(self, commit: EncodedCommit) -> None:
        if self.recorded is not None:
            for key, encoded in commit.shots.items():
                for record in encoded.records:
                    self.recorded(key, record)
        if self.storm_checks.commit(commit):
            self._tell_programme(commit)

    def _tell_programme(self, commit: EncodedCommit) -> None:
        for stream, hosted in commit.hosted.items():
            self.programme.hosted(stream, hosted.records)
        for key, encoded in commit.shots.items():
            for record in encoded.records:
                self.programme.record(key, record)

    # People

    def _plan_faults(self) -> None:
        self.weather.plan()

    def _plan_orders(self) -> None:
        for _ in range(self.chance.choice((0, 2, 6, 15))):
            at_s = self.chance.uniform(2.0, FAULTS_UNTIL_S)
            if self.has(f"order at {at_s:.3f} s"):
                self.world.after(at_s, lambda at_s=at_s: self._some_order(self.own_chance(at_s)))

    def _some_order(self, chance: random.Random) -> None:
        path = chance.choice(self.nodes).path
        name = chance.choice(list(self.servers))
        server = ":".join(name)
        shot = chance.choice(self.shots) if len(self.shots) > 1 else self.shots[0]
        orders: tuple[Callable[[], AnyCommand], ...] = (
            Abort,
            lambda: Abort(tree="T", shot=shot, path=path),
            lambda: AbortPending(tree="T", shot=shot),
            lambda: DispatchAction(tree="T", shot=shot, path=path),
            lambda: DispatchAction(tree="T", shot=shot, path=path),
            lambda: DispatchAction(tree="T", shot=shot, path=path, even_if_running=True),
            Hold,
            Hold,
            lambda: Resume(tree="T", shot=shot),
            lambda: ServerRestart(server=server),
            lambda: ServerQuit(server=server),
            lambda: ServerStop(server=server),
            lambda: ServerAbort(server=server),
            lambda: f.FleetSlots(
                select=Select(servers=(server,)), slots=chance.choice((0, 1, None))
            ),
            lambda: f.FleetDrain(
                select=Select(servers=(server,)),
                mode=chance.choice(("finish", "now")),
                then=chance.choice(("stay", "resume", "restart")),
            ),
            lambda: f.FleetResume(select=Select(servers=("*",))),
        )
        self._order(chance.choice(orders)())

    def send_again(self, attempt: AttemptId) -> None:
        """Somebody does not want to wait until a silent server is back."""
        if self.programme.redispatches:
            self._order(
                DispatchAction(
                    tree=attempt.tree, shot=attempt.shot, path=attempt.path, even_if_running=True
                )
            )

    # The end

    def _is_calm(self) -> bool:
        return self.weather.is_over

    def run(self) -> None:
        """Let it happen; then check what must hold at the end."""
        super().run()
        if self.redis.has_lost and not self.checks.is_forgiven:
            assert not self.redis.has_hole, "I9: redis has not got again what it had lost"
            term = self.checks.term
            dispatcher = self.dispatcher
            assert isinstance(dispatcher, StormDispatcher)
            assert not self._is_behind(dispatcher.journal.loaded_now(term)), "I9: redis has not all"
        if self.observer is not None and not self.checks.is_forgiven and KEY in self.checks.shots:
            self.observer.check(self.checks.shots[KEY].live)

    def _settle_down(self) -> None:
        """Wait until nothing is open any more, resuming what is held."""
        dispatcher = self.dispatcher
        ready = (
            self.weather.is_over
            and dispatcher is not None
            and not dispatcher.is_paused
            and not dispatcher.machine.core.recovering
        )
        if ready and not self._is_anything_open():
            self.is_done = True
        else:
            self.world.after(1.0, self._settle_down)

    def _is_anything_open(self) -> bool:
        dispatcher = self.dispatcher
        assert dispatcher is not None
        is_open = False
        for shot, run in dispatcher.machine.core.open_runs():
            is_open = True
            if run.held is not None:
                self.client.ask(Resume(tree=shot.key.tree, shot=shot.key.shot), lambda _r: None)
        return is_open
