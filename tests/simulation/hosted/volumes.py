"""Data records: a watcher who finds files, consumers who lease them, and what becomes of both."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, cast

from tests.simulation.daemons import Client
from tests.simulation.hosted.ledger_checks import MAX_ATTEMPTS, PER_CONSUMER, LedgerChecks
from tests.simulation.programme import Programme
from tests.simulation.scenario import FAULTS_UNTIL_S, Scenario

from shotline.common.base import Struct
from shotline.common.channels import VOLUMES
from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome, Reply
from shotline.common.views import decode_result
from shotline.common.volumes import commands as r
from shotline.common.volumes.files import FileSeen, Part
from shotline.common.volumes.records import LedgerRecord
from shotline.common.volumes.views import LeasesResult, LeaseView, RecordsCode, RecordsRefused

LATE_S = 40.0  # at the end nothing is killed or given back any more
DONE_AT = 100.0 + FAULTS_UNTIL_S + LATE_S
VOLUMES_SECTION: Mapping[str, object] = {
    "folders": {"RAW": {"folder": "/raw"}},
    "consumers": {
        "filter": {
            "lease_s": 3.0,
            "max_attempts": MAX_ATTEMPTS,
            "leases_per_consumer": PER_CONSUMER,
            "ordered": True,
            "retry_delays_s": [0.0, 1.0],
        }
    },
    "rules": {"files": {"volume": "RAW", "then": {"consumers": ["filter"]}}},
    "consumer_lost_s": 5.0,
}


class Watcher:
    """A watcher whose disk has a file more now and then, and whose memory outlives it."""

    def __init__(self, programme: "VolumesProgramme") -> None:
        self.programme = programme
        self.memory: list[FileSeen] = []  # in the order of their numbers
        self.sent = 0
        self.life = 0
        self._begin()

    def _begin(self) -> None:
        self.life += 1
        life, scenario = self.life, self.programme.scenario
        client = Client(scenario.world, scenario.clients, f"watcher{life}-")

        def look() -> None:
            if life != self.life:
                return
            waits = self.memory[self.sent : self.sent + scenario.chance.randint(1, 3)]
            if not waits:
                scenario.world.after(0.5, look)
                return
            command = r.RecordsAnnounce(
                volume="RAW",
                host="data1",
                folder="/raw",
                memory="m",
                number=self.sent + 1,
                files=tuple(waits),
            )
            client.ask(command, lambda reply: heard(reply, len(waits)))

        def heard(reply: Reply, count: int) -> None:
            if life != self.life:
                return
            scenario.world.tell(f"watcher is told {reply.outcome}: {reply.message}")
            if scenario.world.now < DONE_AT - LATE_S and scenario.chance.random() < 0.1:
                self.kill()  # just before it would have heard
                return
            refused = decode_result(reply.result) if reply.result else None
            if reply.outcome is Outcome.OK:
                self.sent += count
            elif isinstance(refused, RecordsRefused) and refused.code is RecordsCode.GAP:
                self.sent = refused.number  # what it had heard was lost
            scenario.world.after(0.1, look)

        # What was under way may have been leased and done by then.
        scenario.world.after(0.0 if life == 1 else scenario.chance.uniform(0.1, 4.0), look)

    def find(self, file: FileSeen) -> None:
        """Remember a file that is to be announced."""
        self.memory.append(file)

    def kill(self) -> None:
        """Begin anew, with the same memory; what was under way may have arrived."""
        self._begin()


class SimConsumer:
    """A consumer that leases, works, and completes, gives back, or is killed."""

    def __init__(self, programme: "VolumesProgramme") -> None:
        self.programme = programme
        self._begin()

    def _begin(self) -> None:
        scenario = self.programme.scenario
        self.name = name = f"consumer{scenario.world.next_life('consumer')}"
        client = Client(scenario.world, scenario.clients, f"{name}-")

        def lease() -> None:
            if name != self.name:
                return
            limit = scenario.chance.randint(1, 4)
            wait = scenario.chance.choice((0.0, 2.0, 10.0))
            command = r.RecordsLease(group="filter", consumer=name, limit=limit, wait=wait)
            client.ask(command, leased)

        def leased(reply: Reply) -> None:
            if name != self.name:
                return
            result = decode_result(reply.result) if reply.result else None
            leases = result.leases if isinstance(result, LeasesResult) else ()
            if not leases:
                scenario.world.after(0.5, lease)
            else:
                work_s = scenario.chance.choice((0.1, 1.0, 2.0, 5.0))
                scenario.world.after(work_s, lambda: end(leases))

        def end(leases: tuple[LeaseView, ...]) -> None:
            if name != self.name:
                return
            tokens = tuple(one.token for one in leases)
            is_late = scenario.world.now >= DONE_AT - LATE_S
            chance = scenario.chance.random()
            command: AnyCommand = r.RecordsComplete(consumer=name, tokens=tokens)
            if chance < 0.15 and not is_late:
                never = scenario.chance.random() < 0.3
                command = r.RecordsReturn(consumer=name, tokens=tokens, never=never, delay_s=0.5)
            client.ask(command, lambda _reply: lease())

        lease()

    def kill(self) -> None:
        """End at once; another one takes its place."""
        self._begin()


class VolumesProgramme(Programme):
    """One seed's data: its files, its watcher, its consumers."""

    sections: ClassVar[Mapping[str, Mapping[str, object]]] = {"volumes": VOLUMES_SECTION}

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.checks = LedgerChecks()
        self.files: dict[str, FileSeen] = {}
        self.found: set[tuple[str, str]] = set()

    def hosted(self, stream: str, records: Sequence[Struct]) -> None:
        """What one commit has of the ledger was journalled."""
        if stream == VOLUMES:
            self.checks.records(cast("Sequence[LedgerRecord]", records))

    def is_told_by(self, streams: Mapping[str, Sequence[Struct]]) -> bool:
        """Return whether the journal tells of the ledger what it was told."""
        return self.checks.is_told_by(cast("Sequence[LedgerRecord]", streams.get(VOLUMES, ())))

    def at_end(self) -> None:
        """All is over: everything was announced, and has ended."""
        self.checks.at_end(self.found)

    def supervise(self) -> None:
        """Begin to write files, and to lease them."""
        self.watcher = Watcher(self)
        self.consumers = [SimConsumer(self) for _ in range(self.chance.randint(1, 3))]
        for number in range(self.chance.randint(3, 25)):
            self.world.after(self.chance.uniform(0.0, 25.0), lambda n=number: self._write(n))
        self.world.after(3.0, self._look)

    def _write(self, number: int, generation: int = 1) -> None:
        parts = tuple(Part(name=str(one)) for one in range(self.chance.randint(1, 3)))
        path = f"f{number}.h5"
        self.files[path] = file = FileSeen(
            path=path,
            generation=str(generation),
            size_b=1,
            modified_at=0.0,
            rule="files",
            key=self.chance.choice(("", "run1", "run2")),
            parts=parts,
        )
        self.found.discard((path, str(generation - 1)))
        self.found.add((path, file.generation))
        self.watcher.find(file)

    def plan_orders(self) -> None:
        """Let things happen to files, watcher and consumers."""
        for _ in range(self.chance.randint(0, 8)):
            act = self.chance.choice(
                (
                    self._kill_watcher,
                    self._kill_watcher,
                    self._kill_consumer,
                    self._kill_consumer,
                    self._gone,
                    self._rewrite,
                    self._keep,
                    self._redrive,
                )
            )
            at_s = self.chance.uniform(1.0, FAULTS_UNTIL_S)
            if self.scenario.has(f"order at {at_s:.3f} s"):
                self.world.after(at_s, act)

    def _kill_watcher(self) -> None:
        self.world.tell("watcher killed")
        self.watcher.kill()

    def _kill_consumer(self) -> None:
        self.world.tell("consumer killed")
        self.chance.choice(self.consumers).kill()

    def _gone(self) -> None:
        told = self.watcher.memory[: self.watcher.sent]
        if told:
            path = self.chance.choice(told).path
            self.scenario._order(r.RecordsGone(volume="RAW", paths=(path,)))

    def _rewrite(self) -> None:
        if self.files:
            path = self.chance.choice(sorted(self.files))
            generation = int(self.files[path].generation) + 1
            self._write(int(path[1:-3]), generation)

    def _keep(self) -> None:
        dispatcher = self.scenario.dispatcher
        if dispatcher is not None and not dispatcher.is_paused:
            dispatcher.machine.volumes.write_anew()

    def _redrive(self) -> None:
        self.scenario._order(r.RecordsRedrive(group="filter"))

    def _look(self) -> None:
        """Once faults are over, wait until everything has ended."""
        self.world.after(2.0, self._look)
        dispatcher = self.scenario.dispatcher
        if dispatcher is None or dispatcher.is_paused or dispatcher.machine.core.recovering:
            return
        if not self.scenario._is_calm() or self.world.now < DONE_AT:
            return
        states = {one.state for one in dispatcher.machine.volumes.ledger.core.fold.items.values()}
        if "dead" in states:
            self._redrive()
        self.scenario.is_done = self.watcher.sent == len(self.watcher.memory) and not states


class VolumesScenario(Scenario):
    """One seed's data, with few faults."""

    end_s = 600.0
    quiet_s = 0.0
    programme_kind = VolumesProgramme
