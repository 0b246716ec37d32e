"""Histories in which all servers come from an engine that lies; what is proven is true.

The engine starts pilots late or never, gives nodes up on which they run on, forgets, and starts a
job a second time. Seen from outside: what still runs when it is recorded that nothing does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Final

import pytest
from msgspec.structs import replace
from tests.simulation.daemons import Client, Daemon, ServerDaemon, Task, Timer
from tests.simulation.scenario import Scenario
from tests.simulation.seeds import run_seed
from tests.simulation.world import Network, World

from shotline.action_server.until import Term
from shotline.client.testing.journal import MemoryJournal
from shotline.common.actions import AttemptId, Cause
from shotline.common.messages import Outcome, Reply
from shotline.common.pilots import PilotState
from shotline.common.records import ShotKey, ShotRecord, Transition
from shotline.common.settings.sections.providers import ProvidedClass, ProvidersSection
from shotline.common.views import DemandResult, decode_result
from shotline.providers.events import (
    Cancel,
    Effect,
    Event,
    Heard,
    Job,
    Listed,
    Look,
    NotListed,
    NotStarted,
    Start,
    Started,
    Unheard,
)
from shotline.providers.machine import Provider

SEEDS = 60
GROUP = 30
MOST: Final = 2


@dataclass
class Engine:
    """An engine as bad as they come. `made` starts a server for a pilot's token."""

    scenario: "PilotScenario"
    jobs: dict[str, Job] = field(default_factory=dict)
    servers: dict[str, list[ServerDaemon]] = field(default_factory=dict)  # all lives of a job
    is_away: bool = False
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def start(self, asked: Start) -> Started | NotStarted:
        chance, world = self.scenario.chance, self.scenario.world
        if self.is_away:
            return NotStarted(asked.server, asked.token, "no answer", is_unsure=True)
        job = str(next(self.numbers))
        self.jobs[job] = Job(asked.server, asked.token, job, PilotState.QUEUED, "Priority")
        self.servers[job] = []
        server_class = asked.server.partition(":")[0]
        names = [
            one.server
            for one in self.jobs.values()
            if one.state is not PilotState.ENDED and one.server.startswith(f"{server_class}:")
        ]
        assert len(names) <= MOST, f"max: {names}"
        assert len(set(names)) == len(names), f"max: two in one place, {names}"
        wait_s = chance.choice((0.1, 1.0, 1.0, 10.0, 500.0))
        world.after(wait_s, lambda: self.begin(job))
        if chance.random() < 0.1:
            return NotStarted(asked.server, asked.token, "timed out", is_unsure=True)
        return Started(asked.server, asked.token, job)

    def begin(self, job: str) -> None:
        """Start a job's server, perhaps not for the first time."""
        found = self.jobs.get(job)
        if found is None or found.state is PilotState.ENDED:
            return
        started_at = self.scenario.world.instant.wall
        self.jobs[job] = replace(found, state=PilotState.STARTING, reason="", started_at=started_at)
        self.servers[job].append(self.scenario.new_pilot(found, job))

    def look(self) -> Listed | NotListed:
        if self.is_away:
            return NotListed("slurm", "no answer")
        return Listed("slurm", tuple(self.jobs.values()), self.scenario.world.now)

    def cancel(self, asked: Cancel) -> None:
        found = self.jobs.get(asked.job)
        if found is None or self.is_away:
            return
        if found.state is PilotState.QUEUED:
            self.over(asked.job, "CANCELLED", "never started")
        elif not asked.only_queued:
            self.servers[asked.job][-1].kill()
            self.over(asked.job, "CANCELLED", "0:15")

    def exited(self, job: str) -> None:
        """A server of the job has ended; it knows of the last that it has started."""
        if self.servers[job][-1].is_dead:
            self.over(job, "COMPLETED", "0:0")

    def over(self, job: str, reason: str, proof: str) -> None:
        found = self.jobs.get(job)
        if found is not None and found.state is not PilotState.ENDED:
            said = f"job {job} is {reason}, {proof}" if proof else ""
            self.jobs[job] = replace(found, state=PilotState.ENDED, reason=reason, proof=said)

    # Faults

    def running(self) -> list[str]:
        return [job for job, one in self.jobs.items() if one.state is PilotState.STARTING]

    def kill_one(self, job: str) -> None:
        self.servers[job][-1].kill()
        self.over(job, "FAILED", "0:9")

    def give_up(self, job: str) -> None:
        """Its node is not heard of; its server runs on, and perhaps nobody hears of that either."""
        self._silence(job)
        self.over(job, "NODE_FAIL", "")

    def _silence(self, job: str) -> None:
        if self.scenario.chance.random() < 0.7:
            self.servers[job][0].pause(20.0)

    def start_again(self, job: str) -> None:
        """It has forgotten that it had started the job; the first life may run on for a while."""
        self._silence(job)
        self.begin(job)
        first = self.servers[job][0]
        wait_s = self.scenario.chance.choice((0.1, 5.0, 30.0))
        self.scenario.world.after(wait_s, first.kill)

    def forget(self, job: str) -> None:
        """It knows nothing of the job any more; its server runs on."""
        self.jobs.pop(job, None)


class ProviderDaemon(Daemon):
    """One life of the provider."""

    def __init__(self, world: World, clients: Network, engine: Engine) -> None:
        super().__init__(world)
        classes = sorted({node.server_class for node in engine.scenario.nodes})
        one = ProvidedClass(
            provider="slurm",
            max=MOST,
            start_after_s=0.2,
            idle_s=8.0,
            back_off_s=2.0,
            start_wait_s=40.0,
            register_s=15.0,
        )
        section = ProvidersSection(classes=dict.fromkeys(classes, one), engine_look_s=2.0)
        life = world.next_life("provider")
        tokens = count(1)
        self.machine = Provider(section, f"life{life}", lambda: f"t{life}x{next(tokens)}")
        self.is_dead = False
        self._engine = engine
        self._client = Client(world, clients, f"provider{life}-")
        self._timer = Timer(world, self._tick)
        self._tick()

    def kill(self) -> None:
        self.is_dead = True

    def _tick(self) -> None:
        if self.is_dead:
            return
        self.do(self._report)
        self._timer.set(self.world.now + 1.0)

    def _report(self) -> None:
        self._handle()
        report = self.machine.report(self.world.instant)
        now = self.world.now
        self._client.ask(report, lambda reply: self.do(lambda: self._told(reply, now)), 3.0)

    def _told(self, reply: Reply, asked_at: float) -> None:
        result = decode_result(reply.result) if reply.outcome is Outcome.OK else None
        if isinstance(result, DemandResult):
            self._handle(Heard(result, asked_at))
        else:
            self._handle(Unheard(reply.message))

    def _handle(self, *events: Event) -> None:
        if not self.is_dead:
            for effect in self.machine.handle(self.world.instant, *events):
                self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Look():
                self._later(self._engine.look())
            case Start():
                self.world.tell(f"provider starts {effect.server}")
                self._later(self._engine.start(effect))
            case Cancel():
                self.world.tell(f"provider ends {effect.server}: {effect.why}")
                self._engine.cancel(effect)

    def _later(self, answer: Event) -> None:
        wait_s = self.world.random.choice((0.01, 0.5))
        self.world.after(wait_s, lambda: self.do(lambda: self._handle(answer)))


class PilotScenario(Scenario):
    """One seed."""

    end_s = 900.0

    def __init__(self, seed: int) -> None:
        self.pilots: list[ServerDaemon] = []
        self.proven = 0
        super().__init__(seed)
        self.engine = Engine(self)
        self.provider = ProviderDaemon(self.world, self.clients, self.engine)
        for _ in range(self.chance.randint(3, 8)):
            self.world.after(self.chance.uniform(1.0, 30.0), self._lie)

    def _new_store(self) -> MemoryJournal:
        return MemoryJournal(on_record=self._recorded)

    def _recorded(self, key: ShotKey, record: ShotRecord) -> None:
        self.checks.record(key, record)
        if (
            isinstance(record, Transition)
            and record.cause is Cause.SERVER_LOST
            and not record.outcome_unknown
        ):
            self.proven += 1
            attempt = AttemptId(key.tree, key.shot, record.path, record.attempt)
            still = [one.incarnation for one in self.pilots if attempt in one.runs.values()]
            assert not still, f"proof: {attempt} runs on {still}, and is said to be over"

    def _task_of(self, attempt: AttemptId) -> Task:
        # Some run for longer than it takes to lose their server.
        duration_s = self.chance.choice((0.1, 2.0, 20.0))
        return self.tasks.setdefault(attempt, Task(duration_s, self.chance.random() < 0.8))

    def _start_server(self, name: tuple[str, str]) -> None:
        """Servers come from the engine alone."""

    def _restart_server(self, name: tuple[str, str]) -> None:
        """Nobody but the engine."""

    def new_pilot(self, job: Job, number: str) -> ServerDaemon:
        """Start one life of a pilot."""
        server_class, _, server_id = job.server.partition(":")
        self.world.tell(f"engine starts {job.server}, job {number}, {job.token}")
        server = ServerDaemon(
            self.world,
            self.servers_net,
            (server_class, server_id),
            1,
            self._task_of,
            self._on_start,
            lambda _gone, _restart: self.engine.exited(number),
            pilot=job.token,
            term=Term(idle_s=8.0),
        )
        self.pilots.append(server)
        return server

    def _some_server(self) -> ServerDaemon | None:
        alive = [one for one in self.pilots if not one.is_dead]
        return self.chance.choice(alive) if alive else None

    def _kill_server(self) -> None:
        running = self.engine.running()
        if running:
            job = self.chance.choice(running)
            self.world.tell(f"job {job} killed")
            self.engine.kill_one(job)

    def _lie(self) -> None:
        engine = self.engine
        running = [
            job
            for job in engine.running()
            if any(server.runs for server in engine.servers[job]) or self.chance.random() < 0.3
        ]
        faults: dict[str, Callable[[], None]] = {
            "the provider is killed": self._kill_provider,
            "the engine is away": self._send_engine_away,
        }
        if running:
            job = self.chance.choice(running)
            deeds = (engine.give_up, engine.start_again, engine.forget, engine.kill_one)
            faults |= {f"{deed.__name__} job {job}": partial(deed, job) for deed in deeds}
        name = self.chance.choice(list(faults))
        self.world.tell(f"engine or provider: {name}")
        faults[name]()

    def _kill_provider(self) -> None:
        self.provider.kill()
        wait_s = self.chance.choice((0.1, 2.0, 20.0))
        self.world.after(wait_s, self._start_provider)

    def _start_provider(self) -> None:
        if self.provider.is_dead:
            self.provider = ProviderDaemon(self.world, self.clients, self.engine)

    def _send_engine_away(self) -> None:
        self.engine.is_away = True
        self.world.after(self.chance.choice((2.0, 20.0)), self._bring_engine_back)

    def _bring_engine_back(self) -> None:
        self.engine.is_away = False


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_what_is_proven_is_over_and_nothing_starts_twice_from_seed(first: int) -> None:
    found = [run_seed(PilotScenario, seed) for seed in range(first, first + GROUP)]
    assert sum(len(one.pilots) for one in found) > GROUP // 2
    assert sum(one.proven for one in found) > 0
