"""The dispatcher's machine, driven directly: a broker, servers, a tree and a journal of few words.

    bench = Bench(action("ONE"), action("TWO", "ONE"))
    bench.register("SRV_A:1")
    reply = bench.build().ask(DoPhase(phase="INIT"))

The journal and the tree answer at once, unless the test withholds their answers. `restart` is a new
life of the dispatcher over what was journalled. Nothing here decides anything.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Self, TypeVar

from tests.simulation.redis import Store

from shotline.common.actions import ActionState, AttemptId, Status
from shotline.common.codec import encode
from shotline.common.commands import AnyCommand, BuildTables, CreatePulse, encode_command
from shotline.common.machine import Instant, Tick
from shotline.common.messages import (
    Claim,
    ClaimAccepted,
    Dispatch,
    EndedBy,
    Event,
    Finished,
    Held,
    Liveness,
    LivenessState,
    Message,
    Output,
    Ping,
    Pong,
    Register,
    Reply,
    Request,
    Returned,
    ServerBeat,
    Started,
    Undeliverable,
)
from shotline.common.records import GlobalRecord, ShotKey, ShotRecord, Transition
from shotline.common.views import AnyResult, RunReport, decode_result
from shotline.dispatcher import effects as d
from shotline.dispatcher.desk import ACCEPT_S
from shotline.dispatcher.machine import Dispatcher
from shotline.dispatcher.settings import Settings
from shotline.dispatcher.shots import Shot
from shotline.trees.options import DispatchOptions
from shotline.trees.tree import ActionNode, Phase

M = TypeVar("M")
CLIENT = b"client/1"
KEY = ShotKey("T", 1)
BROKER_AHEAD_S = 5000.0  # the broker's clock minus the dispatcher's


_ids = itertools.count(1)  # no two commands have the same, also across restarts


class Bench:
    """One dispatcher and all that it speaks with. Times are in seconds, for the test to pass."""

    def __init__(
        self,
        *nodes: ActionNode,
        options: DispatchOptions | None = None,
        phases: Sequence[str] = (),
        store: Store | None = None,
        now: float = 100.0,
        wall: float = 1_700_000_000.0,
        settings: Settings | None = None,
        recover: bool = True,
    ) -> None:
        self.nodes = nodes
        self.options = options or DispatchOptions()
        self.phases = tuple(Phase(name=name, number=at) for at, name in enumerate(phases, 1))
        self.store = store or Store()
        self.now, self.wall = now, wall
        self.settings = settings or Settings(name="bench", experiments=frozenset({"T", "U"}))
        self.writes = True  # whether the journal answers
        self.answers_jobs = True  # whether the tree worker and Redis answer
        self.broker_there = True
        self.left: list[d.Effect] = []  # all effects, in the order in which they left
        self.commits: list[d.WriteCommit] = []
        self.jobs: list[d.Effect] = []  # that wait for the test's answer
        self.replies: list[Reply] = []
        self.sent: list[tuple[str, Message]] = []  # server's name, what it was sent
        self.events: list[Event] = []
        self.forgotten: list[ShotKey] = []
        self.exits: list[d.Exit] = []
        self.said: list[d.Say] = []
        self._registers: dict[str, Register] = {}
        term = self.store.claim()
        self.machine = Dispatcher(self.instant, term, self.settings, lambda _tree: self.options)
        self.machine.load(
            {key: tuple(records) for key, records in self.store.shots.items()},
            lines=self.store.lines,
            stored=self.store.shots,
            newest=self.store.newest,
            current=self.store.current,
            commands=self.store.commands,
            servers=self.store.servers.values(),
        )
        self.handle(Tick())
        if recover:
            self.recover()

    # Time and events

    @property
    def instant(self) -> Instant:
        """The present."""
        return Instant(self.now, self.wall)

    def pass_time(self, seconds: float) -> Self:
        """Let time pass, waking the machine whenever it asks for it."""
        until = self.now + seconds
        while (due := self.machine.wake_at()) is not None and due <= until:
            self._set(max(due, self.now))
            self.handle(Tick())
        self._set(until)
        return self

    def _set(self, now: float) -> None:
        self.wall += now - self.now
        self.now = now

    def recover(self) -> Self:
        """Let the time pass in which reports are collected."""
        return self.pass_time(self.settings.recovery_s + 0.01)

    def handle(self, *events: d.MachineEvent) -> Self:
        """Let the machine handle events, and carry out what follows, until nothing does."""
        waiting: list[tuple[d.MachineEvent, ...]] = [events]
        while waiting:
            effects = self.machine.handle(self.instant, *waiting.pop(0))
            self.machine.check_invariants()
            for effect in effects:
                self.left.append(effect)
                waiting += [(answer,) for answer in self._carry_out(effect)]
        return self

    def _carry_out(self, effect: d.Effect) -> Iterable[d.MachineEvent]:
        match effect:
            case d.ToPeer():
                yield from self._to_peer(effect)
            case d.Publish():
                self.events.append(effect.event)
            case d.WriteCommit():
                self.commits.append(effect)
                if self.writes:
                    assert self.store.write(effect.commit)
                    yield d.Written(effect.commit.number)
            case d.ForgetShots():
                self.forgotten += effect.keys
            case d.Exit():
                self.exits.append(effect)
            case d.Say():
                self.said.append(effect)
            case _:
                if self.answers_jobs:
                    yield self.answer_of(effect)
                else:
                    self.jobs.append(effect)

    def _to_peer(self, effect: d.ToPeer) -> Iterable[d.MachineEvent]:
        if not effect.target:
            for message in effect.messages if self.broker_there else ():
                yield d.FromBroker(b"", (self._broker_says(message),))
        elif effect.target.startswith(b"client/"):
            for message in effect.messages:
                assert isinstance(message, Reply)
                self.replies.append(message)
        else:
            name = effect.target.decode().rpartition("/")[0]
            self.sent += [(name, message) for message in effect.messages]

    def _broker_says(self, message: Message) -> Message:
        clock_s = self.now + BROKER_AHEAD_S
        if isinstance(message, Claim):
            return ClaimAccepted(term=message.term, broker="broker", clock_s=clock_s)
        assert isinstance(message, Ping)
        return Pong(sent_s=message.sent_s, broker="broker", clock_s=clock_s, term=message.term)

    def answer_of(self, effect: d.Effect, error: str = "") -> d.MachineEvent:
        """Return what the tree worker or Redis answers."""
        match effect:
            case d.ReadTableJob():
                return d.TreeDone(effect.job, error, nodes=self.nodes, phases=self.phases)
            case d.ReadNodeJob():
                found = tuple(node for node in self.nodes if node.path == effect.path)
                return d.TreeDone(effect.job, error, nodes=found)
            case d.CreatePulseJob():
                exists = effect.key in self.machine.core.stored and not effect.replace
                return d.TreeDone(effect.job, error, exists=exists)
            case d.RaiseEventJob() | d.WriteStatusJob():
                return d.TreeDone(effect.job, error)
            case d.ReadShot():
                records = tuple(self.store.shots.get(effect.key, ()))
                return d.ShotRead(effect.query, records, error=error)
            case d.ReadOutput():
                return d.OutputRead(effect.query, effect.attempt or 0, error=error)
        raise AssertionError(f"nobody answers {effect}")

    def answer_jobs(self, error: str = "") -> Self:
        """Answer all that waits for the tree worker or Redis."""
        jobs, self.jobs = self.jobs, []
        for job in jobs:
            self.handle(self.answer_of(job, error))
        return self

    def written(self) -> Self:
        """Let the commit that is in flight be journalled."""
        commit = self.commits[-1].commit
        assert self.store.write(commit)
        return self.handle(d.Written(commit.number))

    def restart(self, after_s: float = 0.1, *, recover: bool = False) -> "Bench":
        """Return the dispatcher's next life, `after_s` of wall clock later."""
        return Bench(
            *self.nodes,
            options=self.options,
            phases=[phase.name for phase in self.phases],
            store=self.store,
            now=7.0,  # another process, another monotonic clock
            wall=self.wall + after_s,
            settings=self.settings,
            recover=recover,
        )

    # Clients

    def ask(
        self,
        command: AnyCommand,
        id: str = "",  # noqa: A002  # the wire's word
        *,
        client: bytes = CLIENT,
        lifetime_s: float = 60.0,
    ) -> Reply | None:
        """Send a command; return the last reply to it so far."""
        request = Request(
            id=id or f"command-{next(_ids):04d}",
            verb=command.verb,
            deadline_s=self.now + BROKER_AHEAD_S + lifetime_s,
            command=encode_command(command),
        )
        before = len(self.replies)
        self.handle(d.FromBroker(client, (request,)))
        found = [reply for reply in self.replies[before:] if reply.id == request.id]
        return found[-1] if found else None

    def told(self, command: AnyCommand, id: str = "") -> Reply:  # noqa: A002
        """Send a command that is answered at once or in a moment, and return the answer."""
        id = id or f"command-{next(_ids):04d}"  # noqa: A001
        reply = self.ask(command, id)
        if reply is None:
            self.pass_time(2 * ACCEPT_S)
            (reply,) = self.replies_to(id)
        return reply

    def replies_to(self, id: str) -> list[Reply]:  # noqa: A002
        """Return all replies to a command, in their order."""
        return [reply for reply in self.replies if reply.id == id]

    def build(self, key: ShotKey = KEY) -> Self:
        """Make a pulse and its tables."""
        assert self.told(CreatePulse(tree=key.tree, shot=key.shot)).outcome == "ok"
        assert self.told(BuildTables(tree=key.tree, shot=key.shot)).outcome == "ok"
        return self

    # Servers

    def register(
        self,
        name: str,
        *,
        slots: int = 1,
        incarnation: str = "one",
        epoch: int = 1,
        holding: Sequence[Held] = (),
        ended: Sequence[str] = (),
    ) -> Self:
        """Let a server register."""
        server_class, _, server_id = name.partition(":")
        register = self._registers[name] = Register(
            server_class=server_class,
            server_id=server_id,
            incarnation=incarnation,
            epoch=epoch,
            slots=slots,
            holding=tuple(holding),
            ended=tuple(ended),
        )
        return self.from_server(name, register)

    def from_server(self, name: str, *messages: Message) -> Self:
        """Let a server say something."""
        identity = f"{name}/{self._registers[name].incarnation}".encode()
        return self.handle(d.FromBroker(identity, messages))

    def judge(self, name: str, state: LivenessState, why: str = "silent") -> Self:
        """Let the broker judge a server."""
        incarnation = self._registers[name].incarnation
        liveness = Liveness(server=name, incarnation=incarnation, state=state, why=why)
        return self.handle(d.FromBroker(b"", (liveness,)))

    def beat(self, name: str, last_number: int = 0, **fields: object) -> Self:
        """Let a server's heartbeat come."""
        epoch = self._registers[name].epoch
        return self.from_server(
            name,
            ServerBeat.model_validate(
                {"sent_s": 0.0, "epoch": epoch, "last_number": last_number, "busy": 0, **fields}
            ),
        )

    def undeliverable(self, name: str, *messages: Message) -> Self:
        """Let the broker bring messages back that were for a server."""
        target = f"{name}/{self._registers[name].incarnation}".encode()
        notice = Undeliverable(target=target, why="not routable", frames=tuple(encode(messages)))
        return self.handle(d.FromBroker(b"", (notice,)))

    def dispatches(self, path: str = "") -> list[Dispatch]:
        """Return what was dispatched, or each attempt of one action, in order."""
        return [
            message
            for _, message in self.sent
            if isinstance(message, Dispatch) and path in ("", message.attempt.path)
        ]

    def dispatched(self) -> list[str]:
        """Return the paths that were dispatched, in order."""
        return [dispatch.attempt.path for dispatch in self.dispatches()]

    def attempt(self, path: str, number: int | None = None, key: ShotKey = KEY) -> AttemptId:
        """Return the current attempt of an action, or its numbered one."""
        current = self.shot(key).attempts[path]
        return AttemptId(*key, path, current if number is None else number)

    def server_of(self, path: str, key: ShotKey = KEY) -> str:
        """Return the server that has, or had, an action."""
        server = self.live(path, key).server
        assert server is not None, f"{path} has no server"
        return server

    def start(self, *paths: str, key: ShotKey = KEY) -> Self:
        """Let servers say that they have started what they were given."""
        for path in paths:
            started = Started(attempt=self.attempt(path, key=key), started_at=self.wall)
            self.from_server(self.server_of(path, key), started)
        return self

    def finish(self, *paths: str, ok: bool = True, key: ShotKey = KEY) -> Self:
        """Let servers report the results of the current attempts."""
        for path in paths:
            server = self.server_of(path, key)
            self.from_server(server, result(self.attempt(path, key=key), ok=ok))
        return self

    def give_back(self, path: str) -> Self:
        """Let a server return an attempt unstarted."""
        returned = Returned(attempt=self.attempt(path), why="it ends")
        return self.from_server(self.server_of(path), returned)

    def output(self, path: str, *lines: str, first: int = 0) -> Self:
        """Let a server send output of the current attempt."""
        piece = (self.wall, 1, "\n".join(lines).encode())
        message = Output(attempt=self.attempt(path), first=first, pieces=(piece,))
        return self.from_server(self.server_of(path), message)

    # What has become of it

    def shot(self, key: ShotKey = KEY) -> Shot:
        """Return a shot as the machine has it."""
        return self.machine.core.shots[key]

    def live(self, path: str, key: ShotKey = KEY) -> Transition:
        """Return the live state of an action."""
        return self.shot(key).actions[path]

    def states(self, key: ShotKey = KEY) -> dict[str, str]:
        """Return in one word how each action stands: status, cause or state."""
        return {path: _word(live) for path, live in self.shot(key).actions.items()}

    def records(self, kind: Callable[..., M], key: ShotKey = KEY) -> list[M]:
        """Return the journalled records of one kind, in their order."""
        assert isinstance(kind, type)
        return [record for record in self.store.shots.get(key, ()) if isinstance(record, kind)]

    def journalled(self) -> list[ShotRecord]:
        """Return all records of all shots."""
        return [record for records in self.store.shots.values() for record in records]

    def system(self) -> list[GlobalRecord]:
        """Return the system's records of all commits."""
        found: list[GlobalRecord] = []
        for effect in self.commits:
            found += effect.commit.system.records  # type: ignore[arg-type]
        return found


def _word(live: Transition) -> str:
    if live.cause is None:
        return live.state.value
    if live.state is ActionState.DONE and live.status is not None:
        return live.status.value
    return live.cause.value


def result(
    attempt: AttemptId,
    *,
    ok: bool = True,
    ended_by: EndedBy = EndedBy.RESULT,
    unknown: bool = False,
) -> Finished:
    """Return the report of an attempt that has ended."""
    status = Status.SUCCESS if ok else Status.FAILURE
    return Finished(
        attempt=attempt,
        ended_by=ended_by,
        status=status if ended_by is EndedBy.RESULT else None,
        started_at=1.0,
        ended_at=2.0,
        duration_s=1.0,
        outcome_unknown=unknown,
    )


def view_of(reply: Reply) -> AnyResult:
    """Return the result that a reply carries."""
    assert reply.result, reply
    return decode_result(reply.result)


def report_of(reply: Reply) -> RunReport:
    """Return the run report that a reply carries."""
    report = view_of(reply)
    assert isinstance(report, RunReport)
    return report
