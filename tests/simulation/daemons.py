"""The real machines as daemons of the world, which may be killed, paused and restarted."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from msgspec import structs
from tests.simulation.world import Link, Network, World

from shotline.action_server import events as srv
from shotline.action_server.machine import ActionServer
from shotline.action_server.task.channel import Ended
from shotline.action_server.until import Term
from shotline.broker import outbox
from shotline.broker.machine import (
    Broker,
    FromClients,
    FromServers,
    UnsentToClient,
    UnsentToServer,
)
from shotline.client.testing.dispatcher import configured, with_keys
from shotline.client.testing.journal import MemoryJournal
from shotline.common.actions import AttemptId
from shotline.common.codec import addressed, decode, decode_all, encode
from shotline.common.commands import AnyCommand, encode_command
from shotline.common.machine import Instant, Tick
from shotline.common.messages import (
    Hello,
    Message,
    Outcome,
    Ping,
    Pong,
    Register,
    Reply,
    Request,
    Undeliverable,
)
from shotline.common.nodes import ActionNode, DispatchOptions, SourceMark
from shotline.common.pilots import incarnation_of
from shotline.common.settings.configuration import Config
from shotline.common.settings.sections.action_server import ActionServerSection
from shotline.common.settings.sections.broker import BrokerSection
from shotline.dispatcher import effects as d
from shotline.dispatcher import journal as j
from shotline.dispatcher.journal import EncodedCommit
from shotline.dispatcher.machine import Dispatcher
from shotline.dispatcher.outgoing import GATHER_S, Outgoing
from shotline.dispatcher.trees import jobs as t

URL_WAIT_S = 5.0
PING_S = 5.0  # of a client that knows the broker's clock
SOURCE_AWAY = 0.2  # share of the looks at a tree that nobody answers
HEARD_S = 2.0  # after a link was blocked, until what was said on it is taken in


class Timer:
    """Wakes a machine when it asks for it; a newer wish replaces an older one."""

    def __init__(self, world: World, wake: Callable[[], None]) -> None:
        self._world, self._wake = world, wake
        self._wanted: float | None = None
        self._armed: float | None = None  # when it looks whether that time has come

    def set(self, time: float | None) -> None:
        """Wake at this time."""
        if time is None:
            self._wanted = None
            return
        # Machines round up to whole milliseconds in their shells; so does this.
        self._wanted = wanted = max(time + 0.001, self._world.now)
        if self._armed is None or wanted < self._armed:
            self._arm(wanted)

    def _arm(self, at: float) -> None:
        self._armed = at
        self._world.at(at, lambda: self._look(at))

    def _look(self, at: float) -> None:
        if at != self._armed:
            return
        self._armed = None
        wanted = self._wanted
        if wanted is None:
            return
        if wanted > at:
            self._arm(wanted)
        else:
            self._wanted = None
            self._wake()


class Daemon:
    """A process that may be paused (SIGSTOP): what comes meanwhile waits."""

    def __init__(self, world: World, host: str = "") -> None:
        self.world = world
        self.host = host
        self.is_paused = False
        self._paused_at = self._paused_until = float("-inf")
        self._waiting: list[Callable[[], None]] = []

    @property
    def instant(self) -> Instant:
        """Now, by the clocks of its host."""
        return self.world.instant_at(self.host)

    def do(self, action: Callable[..., None], *about: object) -> None:
        """Do it now, or when the process goes on."""
        if self.is_paused:
            self._waiting.append(partial(action, *about))
        else:
            action(*about)

    def pause(self, duration_s: float) -> None:
        """Stop the process for a while."""
        self.is_paused = True
        self._paused_until = self.world.now + duration_s
        self._paused_at = self.world.now
        self.world.after(duration_s, self._go_on)

    def woken(self) -> None:
        """It goes on; what came meanwhile follows."""

    def was_paused_since(self, time: float) -> bool:
        """Return whether it has stood still since then."""
        return self._paused_until >= time

    def _go_on(self) -> None:
        self.is_paused = False
        self.woken()
        waiting, self._waiting = self._waiting, []
        for action in waiting:
            self.do(action)


class BrokerDaemon(Daemon):
    """One life of the broker. `watch` sees what it publishes."""

    def __init__(
        self,
        world: World,
        clients: Network,
        servers: Network,
        host: str = "",
        section: BrokerSection | None = None,
        watch: Callable[[outbox.Publish], None] = lambda _event: None,
    ) -> None:
        super().__init__(world, host)
        name = f"broker{world.next_life('broker')}"
        section = section or BrokerSection()
        self.machine = Broker(name, "inproc://c", "inproc://e", section)
        self._watch = watch
        self._clients, self._servers = clients, servers
        self._is_dead = False
        self._timer = Timer(world, lambda: self._handle(Tick()))
        clients.serve(lambda peer, frames: self._handle(FromClients([(peer, frames)])))
        servers.serve(lambda peer, frames: self._handle(FromServers([(peer, frames)])))
        self._handle(Tick())

    def kill(self) -> None:
        """End at once."""
        self._is_dead = True
        self._clients.serve(None)
        self._servers.serve(None)

    def _handle(self, event: object) -> None:
        self.do(self._take, event)

    def _take(self, event: object) -> None:
        if self._is_dead:
            return
        pending = deque(self.machine.handle(self.instant, event))  # type: ignore[arg-type]
        while pending:
            effect = pending.popleft()
            back: object = None
            if isinstance(effect, outbox.Publish):
                self._watch(effect)
            elif isinstance(effect, outbox.ToClient):
                if not self._clients.to_dealer(effect.peer, effect.frames):
                    back = UnsentToClient(effect.peer, effect.frames, False)
            elif isinstance(effect, outbox.ToServer) and not self._servers.to_dealer(
                effect.peer, effect.batches
            ):
                back = UnsentToServer(effect.peer, effect.batches, effect.server, False)
            if back is not None:
                pending += self.machine.handle(self.instant, back)  # type: ignore[arg-type]
        if self.world.is_time_to_check:
            self.machine.check()
        self._timer.set(self.machine.wake_at())


_CONFIGS: dict[str, Config] = {}  # nobody changes them, and to make one takes long


def _config(trees: Iterable[str], sections: Mapping[str, Mapping[str, object]]) -> Config:
    """Return the dispatcher's configuration with these experiments and keys."""
    name = repr((*trees, sections))
    if name not in _CONFIGS:
        times = {"recovery_s": 1.0, "url_wait_s": URL_WAIT_S}
        _CONFIGS[name] = with_keys(configured(*trees), dispatcher=times, **sections)
    return _CONFIGS[name]


class DispatcherDaemon(Daemon):
    """One life of the dispatcher. `watch` sees every effect before it is carried out, `sections`
    are keys of its configuration, `options` what the tree declares.
    """

    options: DispatchOptions | None = None
    busy_s = 0.0  # after each wake-up

    def __init__(
        self,
        world: World,
        network: Network,
        store: MemoryJournal,
        nodes: dict[str, tuple[ActionNode, ...]],
        make: type[Dispatcher] = Dispatcher,
        watch: Callable[[d.Effect], None] = lambda _effect: None,
        on_exit: Callable[[], None] = lambda: None,
        *,
        host: str = "",
        **sections: Mapping[str, object],
    ) -> None:
        super().__init__(world, host)
        self._network, self._store, self._nodes = network, store, nodes
        self._watch, self._on_exit = watch, on_exit
        self.is_dead = False
        self.exit: d.Exit | None = None
        self._events: list[d.MachineEvent] = []  # not handled yet
        self._busy_until = 0.0
        self._is_woken = False
        term, loaded = self._load()
        self.machine = make(self.instant, term, _config(nodes, sections), "dispatcher", term)
        self.machine.load(loaded)
        self._timer = Timer(world, lambda: self.handle(Tick()))
        self._link = network.open(self, host)
        self._outgoing = Outgoing(
            lambda frames: network.to_router(self._link, list(frames)),
            self._not_sent,
            self.machine.core.config.broker.message_bytes_max,
            world.tell,
        )
        self._idle_timer = Timer(world, lambda: self.do(self._flush_idle))
        self.handle(Tick())

    def _load(self) -> tuple[int, j.Loaded]:
        term = self._store.claim()
        return term, self._store.loaded()

    def kill(self) -> None:
        """End at once; a commit on its way may still arrive."""
        self.is_dead = True
        self._network.close(self._link)

    def cut(self) -> None:
        """Break its link."""
        self._network.cut(self._link)

    def connected(self) -> None:
        """Tell the machine."""
        self.handle(d.BrokerReached())

    def disconnected(self) -> None:
        """Tell the machine."""
        self.handle(d.BrokerGone())

    def receive(self, _peer: bytes, frames: list[bytes]) -> None:
        """Decode and hand on."""
        letters = addressed(frames)
        self.handle(*(d.FromBroker(source, tuple(decode(batch))) for source, batch in letters))

    def handle(self, *events: d.MachineEvent) -> None:
        """Let the machine decide, at once about all that has come while it was busy."""
        self._events += events
        if not self._is_woken:
            self._is_woken = True
            if self._busy_until > self.world.now:
                self.world.at(self._busy_until, lambda: self.do(self._take))
            else:
                self.do(self._take)

    def _take(self) -> None:
        self._is_woken = False
        if self.is_dead:
            return
        events, self._events = self._events, []
        self._busy_until = self.world.now + self.busy_s
        effects = self.machine.handle(self.instant, *events)
        if self.world.is_time_to_check:
            self.machine.check_invariants()
        for effect in effects:
            self._watch(effect)
            self._carry_out(effect)
        if self.exit is not None:
            self._outgoing.flush_all()
            self.kill()
            self._on_exit()
            return
        self._timer.set(self.machine.wake_at())
        if effects:
            self._outgoing.flush(self.world.now)
            self._wait_until_idle()

    def _wait_until_idle(self) -> None:
        """Let what nobody waits for leave in a moment: so long other input may come."""
        due = self._outgoing.due()
        if due == 0.0:
            due = self.world.now + self.world.random.uniform(0.0, GATHER_S)
        self._idle_timer.set(due)

    def _flush_idle(self) -> None:
        if not self.is_dead:
            self._outgoing.flush_idle(self.world.now)
            self._wait_until_idle()

    def _carry_out(self, effect: d.Effect) -> None:
        world = self.world
        match effect:
            case d.ToPeer():
                self._outgoing.to_peer(effect)
            case d.Publish():
                if self.machine.core.broker is not None:
                    self._outgoing.publish(effect)
            case d.WriteCommit(commit):
                self._write(commit)
            case d.Exit():
                world.tell(f"dispatcher ends: {effect.why}")
                self.exit = effect
            case d.Say():
                world.tell(f"dispatcher: {effect.text}")
            case _:
                self._ask(effect)

    def _ask(self, effect: d.Effect) -> None:
        """Let somebody else do it, who answers later."""
        world = self.world
        match effect:
            case t.ReadTableJob():
                nodes = self._nodes[effect.key.tree]
                marks = self._marks()
                self._later(
                    t.TreeDone(job=effect.job, nodes=nodes, sources=marks, options=self.options)
                )
            case t.LookAtSourcesJob():
                # Of a tree that is away nobody hears; what it has may be another thing by now.
                if world.random.random() > SOURCE_AWAY:
                    self._later(t.TreeDone(job=effect.job, sources=self._marks()))
            case t.ReadNodeJob():
                nodes = tuple(n for n in self._nodes[effect.key.tree] if n.path == effect.path)
                self._later(t.TreeDone(job=effect.job, nodes=nodes, sources=self._marks()))
            case t.CreatePulseJob() | t.RaiseEventJob() | t.WriteStatusJob():
                self._later(t.TreeDone(job=effect.job))
            case j.ReadShot():
                self._later(self._store.read_shot(effect))

    def _write(self, commit: EncodedCommit) -> None:
        def write() -> None:
            if self._store.write(commit):
                self.world.after(0.0005, lambda: self.handle(j.Written(commit.number)))
            else:
                self.handle(j.TermPassed(self._store.term))

        self.world.after(self.world.random.uniform(0.0002, 0.01), write)

    def _marks(self) -> tuple[SourceMark, ...]:
        return (SourceMark(what="the tree", mark=self.world.random.choice("AAAB")),)

    def _later(self, event: d.MachineEvent) -> None:
        self.world.after(self.world.random.uniform(0.001, 0.05), lambda: self.handle(event))

    def _not_sent(self, target: bytes, batch: bytes) -> None:
        notice = Undeliverable(target=target, why="no connection", batches=(batch,))
        self.world.after(0.0, lambda: self.handle(d.FromBroker(b"", (notice,))))


@dataclass(frozen=True, slots=True)
class Task:
    """What happens when an action is executed."""

    duration_s: float
    ok: bool
    lines: int = 0


class ServerDaemon(Daemon):
    """One life of an action server and its workers."""

    def __init__(
        self,
        world: World,
        network: Network,
        name: tuple[str, str],
        slots: int,
        task_of: Callable[[AttemptId], Task],
        on_start: Callable[[AttemptId, str], None],
        on_exit: Callable[["ServerDaemon", bool], None],
        ended: tuple[str, ...] = (),
        *,
        pilot: str = "",
        term: Term | None = None,
        host: str = "",
        section: ActionServerSection | None = None,
        broker: BrokerSection | None = None,
    ) -> None:
        super().__init__(world, host)
        self.name = name
        self.slots = slots
        self._network = network
        self._task_of, self._on_start, self._on_exit = task_of, on_start, on_exit
        self.is_dead = False
        self._outbox: list[Message] = []
        self._workers: dict[int, int] = {}  # slot → generation, so that a killed task ends nothing
        self.runs: dict[int, AttemptId] = {}  # by slot: from its start until nothing of it runs
        self.incarnation = incarnation = incarnation_of(pilot, f"life{world.next_life('server')}")
        self.machine = ActionServer(
            Register(
                server_class=name[0],
                server_id=name[1],
                incarnation=incarnation,
                epoch=0,
                slots=slots,
                started_at=self.instant.wall,
                ended=ended,
            ),
            section or ActionServerSection(),
            broker or BrokerSection(),
            term=term,
        )
        self._timer = Timer(world, lambda: self.handle(Tick()))
        self._link: Link = network.open(self, host)
        self._carry_out(self.machine.begin(self.instant))

    def kill(self) -> None:
        """End at once, with all worker processes."""
        self.is_dead = True
        self.runs.clear()
        self._network.close(self._link)

    def cut(self) -> None:
        """Break its link."""
        self._network.cut(self._link)

    @property
    def is_heard(self) -> bool:
        """Whether what it says arrives, and has for a while."""
        return not self.is_dead and self._link.is_open_since(self.world.now - HEARD_S)

    def connected(self) -> None:
        """Tell the machine."""
        self.handle(srv.Connected())

    def disconnected(self) -> None:
        """The machine notices by itself."""

    def woken(self) -> None:
        """Tell the machine."""
        self.handle(srv.StoodStill(self.world.now - self._paused_at))

    def receive(self, _peer: bytes, frames: list[bytes]) -> None:
        """Decode and hand on."""
        self.handle(*decode_all(frames))  # type: ignore[arg-type]

    def handle(self, *events: srv.Event) -> None:
        """Let the machine decide."""
        self.do(self._take, events)

    def _take(self, events: tuple[srv.Event, ...]) -> None:
        for event in events:
            if isinstance(event, srv.TaskEnded | srv.GroupGone):
                self.runs.pop(event.slot, None)
        if not self.is_dead:
            self._carry_out(self.machine.handle(self.instant, *events))

    def _carry_out(self, effects: Iterable[srv.Effect]) -> None:
        ends: srv.Exit | None = None
        for effect in effects:
            if isinstance(effect, srv.Exit):
                ends = effect
            else:
                self._one(effect)
        if self._outbox:
            outbox, self._outbox = self._outbox, []
            if not self._network.to_router(self._link, [encode(outbox)]):
                self.world.after(0.0, lambda: self.handle(srv.SendFailed()))
        if ends is not None:
            self.kill()
            self._on_exit(self, ends.restart)
        else:
            self._timer.set(self.machine.wake_at())

    def _one(self, effect: srv.Effect) -> None:
        match effect:
            case srv.Send():
                self._outbox.append(effect.message)
            case srv.StartWorker():
                slot = effect.slot
                self._workers[slot] = self._workers.get(slot, 0) + 1
                self._later(slot, 0.02, srv.WorkerReady(slot, 1000 + slot))
            case srv.StartTask():
                self._start(effect.slot, effect.dispatch.attempt)
            case srv.SignalGroup():
                slot = effect.slot
                self._workers[slot] += 1  # the task ends nothing any more
                self._later(slot, 0.01, srv.WorkerExited(slot, "was killed"))
                self._later(slot, 0.02, srv.GroupGone(slot))

    def _start(self, slot: int, attempt: AttemptId) -> None:
        self.runs[slot] = attempt
        self._on_start(attempt, ":".join(self.name))
        task = self._task_of(attempt)
        for number in range(task.lines):
            at = task.duration_s * number / (task.lines + 1)
            self._later(slot, at, srv.TaskOutput(slot, 1, b"line %d\n" % number))
        self._later(slot, task.duration_s, srv.TaskEnded(slot, Ended(task.ok)))

    def _later(self, slot: int, delay_s: float, event: srv.Event) -> None:
        generation = self._workers[slot]

        def happen() -> None:
            if self._workers[slot] == generation:
                self.handle(event)

        self.world.after(delay_s, happen)


@dataclass(slots=True)
class _Asked:
    request: Request
    on_reply: Callable[[Reply], None]
    lifetime_s: float
    sent_at: float = field(default=float("-inf"))


class Client:
    """A supervisor: repeats what is not answered, with the same id (D15).

    Ids of its commands begin with `name`, which no other client has.
    """

    def __init__(self, world: World, network: Network, name: str = "command") -> None:
        self._world, self._network, self._name = world, network, name
        self._numbers = itertools.count(1)
        self._offset_s: float | None = None
        self._asked: dict[str, _Asked] = {}
        self._ping_at = 0.0
        self._link = network.open(self)
        self._tick()

    def ask(
        self, command: AnyCommand, on_reply: Callable[[Reply], None], lifetime_s: float = 60.0
    ) -> None:
        """Send a command until its final reply comes."""
        request = Request(
            id=f"{self._name}{next(self._numbers):04d}",
            verb=command.verb,
            deadline_s=self._world.now + (self._offset_s or 0.0) + lifetime_s,
            command=encode_command(command),
        )
        self._asked[request.id] = _Asked(request, on_reply, lifetime_s)
        self._send()

    def connected(self) -> None:
        """Introduce itself, then repeat."""
        self._network.to_router(self._link, [encode([Hello(name="supervisor")])])
        self._send(everything=True)

    def disconnected(self) -> None:
        """It is made again by the network."""

    def receive(self, _peer: bytes, frames: list[bytes]) -> None:
        """Take replies."""
        for message in decode_all(frames):
            if isinstance(message, Pong):
                self._offset_s = message.clock_s - self._world.now
            if isinstance(message, Reply):
                self._reply(message)

    def _reply(self, reply: Reply) -> None:
        asked = self._asked.get(reply.id)
        if asked is None or reply.outcome in (Outcome.NOBODY, Outcome.ACCEPTED):
            return
        del self._asked[reply.id]
        asked.on_reply(reply)

    def _tick(self) -> None:
        if self._world.now >= self._ping_at:
            self._ping_at = self._world.now + (PING_S if self._offset_s is not None else 0.0)
            self._network.to_router(self._link, [encode([Ping(sent_s=self._world.now)])])
        self._send()
        self._world.after(1.0, self._tick)

    def _send(self, *, everything: bool = False) -> None:
        for asked in self._asked.values():
            if everything or self._world.now - asked.sent_at > 2.0:
                if asked.sent_at > 0:  # a repeat has a lifetime of its own
                    deadline_s = self._world.now + (self._offset_s or 0.0) + asked.lifetime_s
                    asked.request = structs.replace(asked.request, deadline_s=deadline_s)
                asked.sent_at = self._world.now
                self._network.to_router(self._link, [encode([asked.request])])
