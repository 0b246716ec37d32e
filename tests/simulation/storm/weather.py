"""What breaks in a storm, and when: one thing, a host with all that is on it, or one after another.

Most faults come in groups: while something recovers, something else breaks. Numbers go up to many.
"""

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from tests.simulation.daemons import Daemon, ServerDaemon
from tests.simulation.storm.rubbish import RUBBISH, Rubbish
from tests.simulation.world import Network

if TYPE_CHECKING:
    from tests.simulation.storm.scenario import Storm

FAULTS_UNTIL_S: Final = 20.0
COUNTS: Final = (0, 1, 3, 6, 12, 25)
PAUSES_S: Final = (0.5, 1.5, 5.0, 15.0)
AWAY_S: Final = (0.1, 0.5, 2.0, 2.0, 12.0)
SILENT_S: Final = 14.0  # longer than it takes to be lost
DEAF_S: Final = 3.0  # longer than that
LONG_AWAY_S: Final = 75.0  # a run is old by then
WORKS_LOOK_S: Final = 0.1
WORKS_LOOKS_MAX: Final = 100  # until a server works
HOSTS: Final = ("hub", "a", "b")
WALLS_S: Final = (-3600.0, -3.0, 0.0, 3.0, 3600.0)
WAYS: Final = (("in",), ("out",), ("in", "out"))

Fault = Callable[[], None]


class Weather:
    """Draws the faults of a seed, and carries them out."""

    def __init__(self, scenario: "Storm") -> None:
        self._scenario = scenario
        self._world, self._chance = scenario.world, scenario.chance
        self._clear_at = 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing breaks any more, and what was broken is mended."""
        return self._world.now > self._clear_at

    def lasts(self, for_s: float) -> None:
        """Let it not be over for a while."""
        self._clear_at = max(self._clear_at, self._world.now + for_s)

    def plan(self) -> None:
        """Plan all faults of the seed."""
        self.lasts(2.0)
        for _ in range(self._chance.choice(COUNTS)):
            at_s = self._chance.uniform(0.3, FAULTS_UNTIL_S)
            if self._scenario.has(f"fault at {at_s:.3f} s"):
                self.lasts(at_s + 1.0)
                self._world.after(at_s, lambda at_s=at_s: self._strike(at_s))

    def _strike(self, at_s: float) -> None:
        """Let something break; perhaps more at the same time, or while it recovers."""
        chance = self._scenario.own_chance(at_s)

        def some_fault() -> Fault:
            fault = chance.choice(self._faults())
            return lambda: self._let(fault, chance)

        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            fault = some_fault()
            if chance.random() < 0.5:
                fault()
            else:  # in the middle of something
                self._world.in_steps(chance.randint(1, 60), fault)
        if chance.random() < 0.3:
            after_s = chance.uniform(0.05, 4.0)
            self.lasts(after_s + 1.0)
            self._world.after(after_s, some_fault())

    def _let(self, fault: Fault, chance: random.Random) -> None:
        self._chance = chance
        fault()

    def _faults(self) -> Sequence[Fault]:
        return (
            self.kill_dispatcher,
            self.kill_dispatcher,
            self.kill_broker,
            self.kill_server,
            self.kill_server,
            self.kill_server,
            self.silence_one,
            self.silence_one,
            self.silence_one,
            self.silence_one_and_forget,
            self.be_away_for_long,
            self.kill_host,
            self.cut_one,
            self.cut_one,
            self.block_one,
            self.block_one,
            self.block_host,
            self.pause_one,
            self.pause_one,
            self.stand_by,
            self.end_redis,
            self.stall_redis,
            self.refuse_in_redis,
            self.lose_in_redis,
            self.fill_disk,
            self.jump_clock,
            self.cut_observer,
            self.send_rubbish,
        )

    # Daemons

    def kill_dispatcher(self, away_s: float | None = None) -> None:
        """The dispatcher, and in a hub the broker with it."""
        scenario, dispatcher = self._scenario, self._scenario.dispatcher
        if dispatcher is None:
            return
        self._world.tell("dispatcher killed")
        dispatcher.kill()
        scenario.dispatcher = None
        wait_s = self._chance.choice(AWAY_S) if away_s is None else away_s
        self.lasts(wait_s + 5.0)
        self._world.after(wait_s, scenario._start_dispatcher)
        if scenario.is_hub:
            self._kill_broker(wait_s)

    def kill_broker(self) -> None:
        """The broker, and in a hub the dispatcher with it."""
        if self._scenario.is_hub:
            self.kill_dispatcher()
        else:
            self._kill_broker(self._chance.choice(AWAY_S))

    def _kill_broker(self, wait_s: float) -> None:
        scenario = self._scenario
        if scenario.broker is None:
            return
        self._world.tell("broker killed")
        scenario.broker.kill()
        scenario.broker = None
        self.lasts(wait_s + 5.0)
        self._world.after(wait_s, scenario._start_broker)

    def kill_server(self) -> None:
        """One server."""
        server = self._scenario._some_server()
        if server is not None:
            self._kill_server(server.name)

    def _kill_server(self, name: tuple[str, str], away_s: float | None = None) -> None:
        server = self._scenario.servers.get(name)
        if server is None:
            return
        self._world.tell(f"server {name} killed")
        server.kill()
        self._scenario._restart_server(name, away_s)

    def silence_one(self) -> None:
        """A server that works is lost: it has ended, or is only silent."""
        self._once_one_works(self._silence)

    def silence_one_and_forget(self) -> None:
        """A server that works is silent, and whoever begins anew meanwhile hears nothing of it."""

        def act(server: ServerDaemon) -> None:
            self._pause(server, SILENT_S)
            self._world.after(self._chance.choice((0.1, 2.0)), lambda: self.kill_dispatcher(0.5))

        self._once_one_works(act)

    def be_away_for_long(self) -> None:
        """The dispatcher is away until what it runs is old."""
        if self._chance.random() < 0.5:  # it takes long, indeed
            self._once_one_works(lambda _server: self.kill_dispatcher(LONG_AWAY_S))

    def _once_one_works(self, act: Callable[[ServerDaemon], None], looks: int = 0) -> None:
        """Let it happen to a server that works, as soon as there is one."""
        chance = self._chance
        working = [one for one in self._scenario.servers.values() if one is not None and one.runs]
        if working:
            act(chance.choice(working))
        elif looks < WORKS_LOOKS_MAX:

            def look() -> None:
                self._chance = chance
                self._once_one_works(act, looks + 1)

            self.lasts(2 * WORKS_LOOK_S)
            self._world.after(WORKS_LOOK_S, look)

    def _silence(self, server: ServerDaemon) -> None:
        self.lasts(SILENT_S + 5.0)  # also where it is silent already
        for attempt in server.runs.values():
            self._world.after(
                self._chance.uniform(SILENT_S - 3.0, SILENT_S + 0.1),
                lambda attempt=attempt: self._scenario.send_again(attempt),
            )
        if self._chance.random() < 0.4:
            self._kill_server(server.name, SILENT_S)
        else:
            self._pause(server, SILENT_S)

    def _pause(self, server: ServerDaemon, for_s: float) -> None:
        if not server.is_paused:
            self._world.tell(f"server {server.name} is silent for {for_s} s")
            self.lasts(for_s + 5.0)
            server.pause(for_s)

    def kill_host(self) -> None:
        """A host with all daemons that are on it."""
        host = self._chance.choice(HOSTS)
        self._world.tell(f"host {host} is gone")
        for name in list(self._scenario.servers):
            if self._scenario.host_of(name) == host:
                self._kill_server(name)
        if host == "hub":
            self.kill_dispatcher()
            self._kill_broker(self._chance.choice(AWAY_S))
            if self._chance.random() < 0.5:
                self.end_redis()

    def pause_one(self) -> None:
        """A daemon, or a hub with both of its parts."""
        scenario = self._scenario
        alive: list[Daemon] = [one for one in scenario.servers.values() if one is not None]
        alive += [one for one in (scenario.broker, scenario.dispatcher) if one is not None]
        if not alive:
            return
        server = scenario._some_server()
        one: Daemon = self._chance.choice(alive)
        if server is not None and self._chance.random() < 0.5:
            one = server
        for_s = self._chance.choice(PAUSES_S)
        both = (scenario.broker, scenario.dispatcher)
        paused = (
            [two for two in both if two is not None] if scenario.is_hub and one in both else [one]
        )
        self.lasts(for_s + 5.0)
        for two in paused:
            self._world.tell(
                f"{type(two).__name__} {getattr(two, 'name', '')} paused for {for_s} s"
            )
            if not two.is_paused:
                two.pause(for_s)

    def stand_by(self) -> None:
        """A second dispatcher begins while the first may still be alive."""
        scenario, first = self._scenario, self._scenario.dispatcher
        if first is not None and not scenario.is_hub and scenario.standby is None:
            scenario.stand_by()

    def replace_unheard(self) -> None:
        """The dispatcher stands still until another has its place, and does not hear of that."""
        scenario, first = self._scenario, self._scenario.dispatcher
        if first is None or scenario.standby is not None or first.is_paused:
            return
        self._world.tell(f"dispatcher stands still for {SILENT_S} s, and hears nothing for longer")
        first.pause(SILENT_S)
        scenario.clients.block(first._link, ("out",), SILENT_S + DEAF_S, breaks=True)
        scenario.stand_by()

    # The network

    def cut_one(self) -> None:
        """A link of any daemon."""
        host = self._chance.choice(HOSTS)
        for network in self._networks():
            for link in network.links(host):
                if self._chance.random() < 0.5:
                    network.cut(link)

    def block_one(self) -> None:
        """Nothing gets on one way, or both, on some links of a host."""
        self._block(self._chance.choice(HOSTS), 0.4)

    def block_host(self) -> None:
        """A host is cut off."""
        self._block(self._chance.choice(HOSTS), 1.0)

    def _block(self, host: str, share: float) -> None:
        for_s = self._chance.choice((0.5, 2.0, 6.0, 14.0))
        ways = self._chance.choice(WAYS)
        breaks = self._chance.random() < 0.5
        self._world.tell(f"host {host}: nothing gets on {' and '.join(ways)} for {for_s} s")
        self.lasts(for_s + 8.0)
        for network in self._networks():
            for link in network.links(host):
                if self._chance.random() < share:
                    network.block(link, ways, for_s, breaks=breaks)

    def _networks(self) -> tuple[Network, Network]:
        return self._scenario.clients, self._scenario.servers_net

    def cut_observer(self) -> None:
        """The observer's subscription is away for a while; nobody tells it."""
        observer = self._scenario.observer
        if observer is not None:
            observer.is_cut = True
            self.lasts(8.0)
            self._world.after(self._chance.choice((0.3, 3.0, 7.0)), lambda: _join(observer))

    def send_rubbish(self) -> None:
        """Somebody sends the broker what is no message."""
        chance = self._chance
        Rubbish(self._scenario, chance.choice(self._networks()), chance.choice(RUBBISH))

    # Redis, the disk, the clocks

    def end_redis(self) -> None:
        """Redis ends and comes back, with all that it had."""
        away_s = self._chance.choice((0.2, 2.0, 10.0))
        self._world.tell(f"redis is away for {away_s} s")
        self.lasts(away_s + 5.0)
        self._scenario.redis.end(away_s, 0.0)

    def stall_redis(self) -> None:
        """Redis does not answer for a while."""
        for_s = self._chance.choice((0.2, 1.0, 8.0))
        self._world.tell(f"redis stalls for {for_s} s")
        self.lasts(for_s + 5.0)
        self._scenario.redis.stall(for_s)

    def refuse_in_redis(self) -> None:
        """Redis is full, or has become a replica."""
        error = self._chance.choice(("OOM it is full", "READONLY it is a replica"))
        for_s = self._chance.choice((0.5, 6.0))
        self._world.tell(f"redis refuses for {for_s} s: {error}")
        self.lasts(for_s + 5.0)
        self._scenario.redis.refuse(error, for_s)

    def lose_in_redis(self) -> None:
        """Redis comes back without what came last, or another takes its place that lagged."""
        if self._chance.random() < 0.6:
            return
        lose_s = self._chance.choice((0.05, 1.0, 2.0, 8.0, 20.0, 1000.0))
        away_s = self._chance.choice((0.1, 1.0, 5.0))
        self.lasts(away_s + 5.0)
        self._scenario.redis.end(away_s, lose_s)

    def fill_disk(self) -> None:
        """The spill file cannot be written for a while."""
        spill = self._scenario.spill
        self._world.tell("the disk is full")
        spill.full = True
        for_s = self._chance.choice((1.0, 6.0))
        self.lasts(for_s + 5.0)
        self._world.after(for_s, lambda: setattr(spill, "full", False))

    def jump_clock(self) -> None:
        """The wall clock of a host is set."""
        host, offset_s = self._chance.choice(HOSTS), self._chance.choice(WALLS_S)
        self._world.tell(f"the clock of {host} is {offset_s:g} s off")
        self._world.set_wall(host, offset_s)


def _join(observer: object) -> None:
    observer.is_cut = False  # type: ignore[attr-defined]
