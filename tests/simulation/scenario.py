"""A seed's shot: its actions, its servers, its supervisor, its faults. Runs it and checks it."""

import random
from collections.abc import Callable, Mapping

from msgspec import structs
from tests.simulation.checks import Checks
from tests.simulation.daemons import (
    BrokerDaemon,
    Client,
    DispatcherDaemon,
    ServerDaemon,
    Task,
)
from tests.simulation.programme import Programme
from tests.simulation.supervisor import Supervisor
from tests.simulation.world import Network, World

from shotline.client.testing.journal import MemoryJournal
from shotline.common.actions import AttemptId
from shotline.common.commands import (
    Abort,
    AnyCommand,
    BuildTables,
    CreatePulse,
    DispatchAction,
    DoPhase,
    DoSequence,
    Hold,
    Resume,
    ServerQuit,
    ServerRestart,
)
from shotline.common.nodes import (
    ActionNode,
    And,
    ConditionWhen,
    Not,
    Or,
    Reference,
    SequenceWhen,
    SleepTask,
)
from shotline.common.records import ShotKey, ShotRecord
from shotline.dispatcher import effects as d
from shotline.dispatcher.machine import Dispatcher

PHASES = ("INIT", "PULSE", "STORE")
BEGIN_S = 100.0
FAULTS_UNTIL_S = 30.0
CALM_S = 25.0  # longer than it takes until a silent server is lost, and its actions settle


def draw_nodes(chance: random.Random) -> tuple[ActionNode, ...]:
    """Draw a table: several classes, sequences, conditions across phases, off nodes."""
    count = chance.randint(3, 14)
    paths = [f"\\T::TOP:A{number}" for number in range(count)]
    classes = ["SRV_A", "SRV_B", "SRV_C"][: chance.randint(1, 3)]
    nodes = []
    for path in paths:
        if chance.random() < 0.4:
            text = "condition"
            when = ConditionWhen(expression=_draw_condition(chance, paths, 2), text=text)
        else:
            number = chance.choice((-1, 10, 10, 20, 20, 30))
            when = SequenceWhen(number=number, text=str(number))  # type: ignore[assignment]
        nodes.append(
            ActionNode(
                path=path,
                name=path.rpartition(":")[2],
                server_class=chance.choice(classes),
                phase=chance.choice(PHASES),
                when=when,
                task=SleepTask(seconds=0),
                timeout_s=chance.choice((None, None, 1.0)),
                completion_event=chance.choice((None, "EVENT")),
                on=chance.random() > 0.1,
            )
        )
    return tuple(nodes)


def _draw_condition(
    chance: random.Random, paths: list[str], depth: int
) -> Reference | Not | And | Or:
    kind = chance.random()
    if depth == 0 or kind < 0.4:
        path = chance.choice([*paths, "\\T::TOP:MISSING"])
        return Reference(path=path, missing=path.endswith("MISSING"))
    if kind < 0.55:
        return Not(operand=_draw_condition(chance, paths, depth - 1))
    operands = tuple(_draw_condition(chance, paths, depth - 1) for _ in range(chance.randint(1, 3)))
    return And(operands=operands) if kind < 0.8 else Or(operands=operands)


class Scenario:
    """One seed. `make` may be a dispatcher with a planted bug."""

    end_s = 400.0
    quiet_s = 30.0  # at the end
    sections: Mapping[str, Mapping[str, object]] = {}  # of the dispatcher's configuration
    programme_kind: type[Programme] = Programme
    dispatcher_kind: type[DispatcherDaemon] = DispatcherDaemon
    server_kind: type[ServerDaemon] = ServerDaemon
    left_out: frozenset[str] = frozenset()  # parts of the seed that do not happen

    def __init__(self, seed: int, make: type[Dispatcher] = Dispatcher) -> None:
        self.seed = seed
        self._calm_at = 0.0
        self.parts: list[str] = []  # what the seed has that may be left out
        self.recorded: Callable[[ShotKey, ShotRecord], None] | None = None
        self.world = World(seed)
        self.chance = self.world.random
        self.nodes = self._draw()
        self.checks = Checks()
        self.programme = self.programme_kind(self)
        self.store = self._new_store()
        delay_s_max = self.chance.choice((0.001, 0.02, 0.3))
        self.clients, self.servers_net = self._new_networks(delay_s_max)
        self.tasks: dict[AttemptId, Task] = {}
        self._make = make
        self.broker: BrokerDaemon | None = self._new_broker()
        self.dispatcher: DispatcherDaemon | None = None
        self._start_dispatcher()
        self.servers: dict[tuple[str, str], ServerDaemon | None] = {}
        self.lives: dict[tuple[str, str], list[str]] = {}  # incarnations, the last one at the end
        for name in self._class_servers():
            self._start_server(name)
        self.client = Client(self.world, self.clients)
        self.is_done = False
        self.faults = True
        self._plan_faults()
        self.programme.plan_orders()
        self.programme.supervise()

    def run(self) -> None:
        """Let it happen; then check what must hold at the end."""
        self.world.run(self.world.now + self.end_s, lambda: self.is_done)
        assert self.is_done, "I5: the supervisor still waits"
        dispatcher = self.dispatcher
        assert dispatcher is not None
        # What is on its way arrives: late results, events, the last commit.
        self.world.run(self.world.now + self.quiet_s, lambda: False)
        shots = dispatcher.machine.core.shots
        self.checks.at_end({key: shot.actions for key, shot in shots.items()})
        if not self.checks.is_forgiven:
            self.programme.at_end()

    def has(self, part: str) -> bool:
        """Take note of a part of the seed. Return whether it happens."""
        self.parts.append(part)
        return part not in self.left_out

    def own_chance(self, what: object) -> random.Random:
        """Return chances of a part's own: they are the same whatever else happens."""
        return random.Random(f"{self.seed} {what}")

    def _record(self, key: ShotKey, record: ShotRecord) -> None:
        if self.recorded is not None:
            self.recorded(key, record)
        self.checks.record(key, record)
        self.programme.record(key, record)

    def _effect(self, effect: d.Effect) -> None:
        self.checks.effect(effect)
        self.programme.effect(effect)

    def _draw(self) -> tuple[ActionNode, ...]:
        return self._without(draw_nodes(self.chance))

    def _without(self, nodes: tuple[ActionNode, ...]) -> tuple[ActionNode, ...]:
        """Return the table where the actions that are left out are off."""
        return tuple(
            node if self.has(f"action {node.name}") else structs.replace(node, on=False)
            for node in nodes
        )

    # Daemons

    def _new_networks(self, delay_s_max: float) -> tuple[Network, Network]:
        """Return that of clients and dispatchers, and that of servers."""
        return Network(self.world, delay_s_max), Network(self.world, delay_s_max)

    def _new_broker(self) -> BrokerDaemon:
        return BrokerDaemon(self.world, self.clients, self.servers_net)

    def _class_servers(self) -> list[tuple[str, str]]:
        return [
            (name, str(number + 1))
            for name in sorted({node.server_class for node in self.nodes})
            for number in range(self.chance.randint(1, 2))
        ]

    def _start_dispatcher(self) -> None:
        self.world.tell("dispatcher starts")
        self.dispatcher = self._new_dispatcher()

    def _new_store(self) -> MemoryJournal:
        return MemoryJournal(on_record=self._record, on_hosted=self.programme.hosted)

    def _new_dispatcher(self) -> DispatcherDaemon:
        made = self.dispatcher_kind.__new__(self.dispatcher_kind)
        self.programme.prepare(made)
        made.__init__(  # type: ignore[misc]
            self.world,
            self.clients,
            self.store,
            {"T": self.nodes},
            self._make,
            self._effect,
            lambda: self.world.after(0.2, self._start_dispatcher),
            **self.sections,
            **self.programme.sections,
        )
        return made

    def _start_broker(self) -> None:
        self.world.tell("broker starts")
        self.broker = self._new_broker()

    def _start_server(self, name: tuple[str, str]) -> None:
        self.world.tell(f"server {name} starts")
        lives = self.lives.setdefault(name, [])
        server = self.servers[name] = self._new_server(name, tuple(lives[-2:]))
        lives.append(server.incarnation)

    def _new_server(self, name: tuple[str, str], ended: tuple[str, ...]) -> ServerDaemon:
        made = self.server_kind.__new__(self.server_kind)
        self.programme.prepare_server(made)
        made.__init__(  # type: ignore[misc]
            self.world,
            self.servers_net,
            name,
            self.chance.randint(1, 2),
            self._task_of,
            self._on_start,
            lambda gone, _restart: self._restart_server(gone.name),
            ended,
        )
        return made

    def _restart_server(self, name: tuple[str, str]) -> None:
        self.servers[name] = None
        self.world.after(self.chance.uniform(0.1, 3.0), lambda: self._start_server(name))

    def _task_of(self, attempt: AttemptId) -> Task:
        return self.tasks.setdefault(
            attempt,
            Task(
                self.chance.choice((0.001, 0.1, 0.5, 2.0)),
                self.chance.random() < 0.8,
                self.chance.choice((0, 0, 3)),
            ),
        )

    def _on_start(self, attempt: AttemptId, server: str) -> None:
        self.world.tell(f"{server} starts {attempt}")
        self.checks.start(attempt)

    def _on_end(self, attempt: AttemptId, good: bool) -> None:  # noqa: FBT001
        """A task has come to its end by itself."""

    # Faults

    def _plan_faults(self) -> None:
        for _ in range(self.chance.randint(0, 5)):
            fault = self.chance.choice(
                (
                    self._kill_dispatcher,
                    self._kill_broker,
                    self._kill_server,
                    self._kill_server,
                    self._cut_server,
                    self._cut_dispatcher,
                    self._pause_server,
                    self._pause_broker,
                    self._pause_dispatcher,
                )
            )
            at_s = self.chance.uniform(0.5, FAULTS_UNTIL_S)
            if self.has(f"fault at {at_s:.3f} s"):
                self.world.after(at_s, fault)

    def _kill_dispatcher(self) -> None:
        if self.dispatcher is not None:
            self.world.tell("dispatcher killed")
            self.dispatcher.kill()
            self.dispatcher = None
            wait_s = self.chance.choice((0.1, 2.0, 2.0, 90.0))
            self.world.after(wait_s, self._start_dispatcher)

    def _kill_broker(self) -> None:
        if self.broker is not None:
            self.world.tell("broker killed")
            self.broker.kill()
            self.broker = None
            self.world.after(self.chance.choice((0.1, 3.0, 12.0)), self._start_broker)

    def _some_server(self) -> ServerDaemon | None:
        alive = [server for server in self.servers.values() if server is not None]
        return self.chance.choice(alive) if alive else None

    def _kill_server(self) -> None:
        server = self._some_server()
        if server is not None:
            self.world.tell(f"server {server.name} killed")
            server.kill()
            self._restart_server(server.name)

    def _cut_server(self) -> None:
        server = self._some_server()
        if server is not None:
            self.world.tell(f"link of server {server.name} cut")
            server.cut()

    def _cut_dispatcher(self) -> None:
        if self.dispatcher is not None:
            self.world.tell("link of dispatcher cut")
            self.dispatcher.cut()

    def _pause_server(self) -> None:
        server = self._some_server()
        if server is not None:
            duration_s = self.chance.choice((1.5, 5.0, 15.0))
            self.world.tell(f"server {server.name} paused for {duration_s} s")
            server.pause(duration_s)

    def _pause_broker(self) -> None:
        if self.broker is not None:
            self.world.tell("broker paused")
            self.broker.pause(self.chance.choice((1.5, 5.0, 15.0)))

    def _pause_dispatcher(self) -> None:
        if self.dispatcher is not None:
            self.world.tell("dispatcher paused")
            self.dispatcher.pause(self.chance.choice((1.5, 5.0, 15.0)))

    # The operator

    def _plan_orders(self) -> None:
        path = self.chance.choice(self.nodes).path
        server = f"{self.chance.choice(self.nodes).server_class}:1"
        orders: tuple[AnyCommand, ...] = (
            Abort(),
            Abort(tree="T", shot=1, path=path),
            DispatchAction(tree="T", shot=1, path=path),
            DispatchAction(tree="T", shot=1, path=path, even_if_running=True),
            Hold(),
            ServerRestart(server=server),
            ServerQuit(server=server),
        )
        for _ in range(self.chance.randint(0, 3)):
            order = self.chance.choice(orders)
            at_s = self.chance.uniform(3.0, FAULTS_UNTIL_S)
            if self.has(f"order at {at_s:.3f} s"):
                self.world.after(at_s, lambda o=order: self._order(o))

    def _order(self, command: AnyCommand) -> None:
        self.world.tell(f"operator: {command!r}"[:200])
        self.client.ask(command, lambda reply: self.world.tell(f"operator is told {reply.message}"))

    # The supervisor

    def _supervise(self) -> None:
        steps: list[AnyCommand] = [
            CreatePulse(tree="T", shot=1),
            BuildTables(tree="T", shot=1),
            *(DoPhase(tree="T", shot=1, phase=phase, wait=True) for phase in PHASES),
        ]
        if self.chance.random() < 0.4:
            first, last = sorted((self.chance.choice((10, 20)), self.chance.choice((20, 30))))
            steps.append(
                DoSequence(tree="T", shot=1, phase="INIT", first=first, last=last, wait=True)
            )
        steps.append(DoPhase(tree="T", shot=1, phase="STORE", wait=True, even_if_running=True))
        kept = [one for number, one in enumerate(steps) if self.has(f"step {number}")]
        Supervisor(self, 1, kept, self._settle_down)

    def _settle_down(self) -> None:
        """Wait until nothing is open any more, resuming what is held."""
        dispatcher = self.dispatcher
        busy = dispatcher is None or dispatcher.is_paused or dispatcher.machine.core.recovering
        if dispatcher is not None and not busy:
            for shot, run in dispatcher.machine.core.open_runs():
                busy = True
                if run.held is not None:
                    self.client.ask(Resume(tree=shot.key.tree, shot=shot.key.shot), lambda _r: None)
        if busy or not self._is_calm():
            self.world.after(2.0, self._settle_down)
        else:
            self.is_done = True

    def _is_calm(self) -> bool:
        """Whether faults are over, and what they have broken is there again, for a while."""
        daemons = (self.broker, self.dispatcher, *self.servers.values())
        if not all(one is not None and not one.is_paused for one in daemons):
            self._calm_at = self.world.now + CALM_S
        return self.world.now >= max(self._calm_at, BEGIN_S + FAULTS_UNTIL_S + CALM_S)
