"""The dispatcher's machine, driven directly: a broker, servers, a tree and a journal of few words.

    bench = Bench(action("ONE"), action("TWO", "ONE"))
    bench.register("SRV_A:1")
    reply = bench.build().ask(DoPhase(phase="INIT"))

The journal and the tree answer at once, unless the test withholds their answers. `restart` is a new
life of the dispatcher over what was journalled. Nothing here decides anything.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self, TypeVar

import msgspec
from msgspec import structs
from msgspec.structs import replace

from shotline.client.testing.dispatcher import (
    DrivenDispatcher,
    WakeUp,
    configured,
    next_id,
    with_keys,
)
from shotline.client.testing.journal import MemoryJournal
from shotline.common.actions import ActionState, AttemptId, Status
from shotline.common.codec import encode
from shotline.common.commands import AnyCommand, BuildTables, CreatePulse, Servers, Show
from shotline.common.messages import (
    Dispatch,
    EndedBy,
    Event,
    Finished,
    Held,
    Liveness,
    LivenessState,
    Message,
    Output,
    Register,
    Reply,
    Returned,
    ServerBeat,
    Started,
    Undeliverable,
)
from shotline.common.nodes import ActionNode, DispatchOptions, Phase, SourceMark
from shotline.common.records import GlobalRecord, ShotKey, ShotRecord, Transition
from shotline.common.settings.configuration import Config
from shotline.common.views import (
    ActionView,
    AnyResult,
    RunReport,
    ServersResult,
    ServerView,
    StoryResult,
    decode_result,
)
from shotline.dispatcher import effects as d
from shotline.dispatcher import journal as j
from shotline.dispatcher.commands.requests import ACCEPT_S
from shotline.dispatcher.past import jobs as p
from shotline.dispatcher.shots import Shot
from shotline.dispatcher.trees import jobs as t

M = TypeVar("M")
CLIENT = b"client/1"
KEY = ShotKey("T", 1)


class Bench(DrivenDispatcher):
    """One dispatcher and all that it speaks with. Times are in seconds, for the test to pass."""

    def __init__(
        self,
        *nodes: ActionNode,
        options: DispatchOptions | None = None,
        phases: Sequence[str] = (),
        store: MemoryJournal | None = None,
        now: float = 100.0,
        wall: float = 1_700_000_000.0,
        config: Config | None = None,
        recover: bool = True,
    ) -> None:
        self.nodes = nodes
        self.phases = tuple(Phase(name=name, number=at) for at, name in enumerate(phases, 1))
        self.store = store or MemoryJournal()
        self.marks: tuple[SourceMark, ...] = ()  # how the tree's sources stand
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
        super().__init__(
            config or configured("T", "U", options=options or DispatchOptions()),
            self.store,
            now=now,
            wall=wall,
        )
        if recover:
            self.recover()

    # Effects

    def carry_out(self, effect: d.Effect) -> Iterable[WakeUp]:
        """Note an effect, and answer it unless the test does."""
        self.left.append(effect)
        match effect:
            case d.ToPeer():
                if effect.target or self.broker_there:
                    yield from super().carry_out(effect)
            case d.WriteCommit():
                self.commits.append(effect)
                if self.writes:
                    yield from super().carry_out(effect)
            case (
                d.Publish()
                | j.ForgetShots()
                | j.TrimAudit()
                | j.VouchForRedis()
                | d.Say()
                | d.Exit()
            ):
                yield from super().carry_out(effect)
            case _ if self.answers_jobs:
                yield (self.answer_of(effect),)
            case _:
                self.jobs.append(effect)

    def to_server(self, identity: bytes, messages: tuple[Message, ...]) -> Iterable[WakeUp]:
        """Note what a server was sent."""
        name = identity.decode().rpartition("/")[0]
        self.sent += [(name, message) for message in messages]
        return ()

    def replied(self, client: bytes, reply: Reply) -> None:
        """Note a reply."""
        self.replies.append(reply)

    def published(self, event: Event) -> None:
        """Note an event."""
        self.events.append(event)

    def noted(self, effect: j.ForgetShots | d.Say | d.Exit) -> None:
        """Note it."""
        match effect:
            case j.ForgetShots():
                self.forgotten += effect.keys
            case d.Exit():
                self.exits.append(effect)
            case d.Say():
                self.said.append(effect)

    def answer_of(self, effect: d.Effect, error: str = "") -> d.MachineEvent:
        """Return what the tree worker or Redis answers."""
        match effect:
            case j.ReadShot():
                return replace(self.store.read_shot(effect), error=error)
            case j.ReadOutput():
                return replace(self.store.read_output(effect), error=error)
            case j.ReadAudit():
                return replace(self.store.read_audit(effect), error=error)
            case p.PastJob() | p.KeptJob() | p.KeepJob():
                return structs.replace(self.past_done(effect), error=error)
            case _:
                return structs.replace(self.tree_done(effect), error=error)

    def tree_done(self, job: t.TreeJob) -> t.TreeDone:
        """Return what the tree worker answers."""
        match job:
            case t.ReadTableJob():
                return t.TreeDone(
                    job=job.job, nodes=self.nodes, phases=self.phases, sources=self.marks
                )
            case t.LookAtSourcesJob():
                return t.TreeDone(job=job.job, sources=self.marks)
            case t.ReadNodeJob():
                found = tuple(node for node in self.nodes if node.path == job.path)
                return t.TreeDone(job=job.job, nodes=found, sources=self.marks)
            case t.CreatePulseJob():
                exists = job.key in self.machine.core.stored and not job.replace
                return t.TreeDone(job=job.job, exists=exists)
            case t.RaiseEventJob() | t.WriteStatusJob() | t.WriteNodesJob():
                return t.TreeDone(job=job.job)
        raise AssertionError(f"nobody answers {job}")

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
        return self.handle(j.Written(commit.number))

    def restart(self, after_s: float = 0.1, *, recover: bool = False) -> "Bench":
        """Return the dispatcher's next life, `after_s` of wall clock later."""
        return Bench(
            *self.nodes,
            phases=[phase.name for phase in self.phases],
            store=self.store,
            now=7.0,  # another process, another monotonic clock
            wall=self.wall + after_s,
            config=self.config,
            recover=recover,
        )

    def configure(self, **sections: Mapping[str, object]) -> Self:
        """Let the configuration be read again, after these keys of its sections were changed."""
        self.config = with_keys(self.config, **sections)
        return self.handle(d.Configured(self.config))

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
        request = self.request(command, id, lifetime_s=lifetime_s)
        before = len(self.replies)
        self.handle(d.FromBroker(client, (request,)))
        found = [reply for reply in self.replies[before:] if reply.id == request.id]
        return found[-1] if found else None

    def told(self, command: AnyCommand, id: str = "") -> Reply:  # noqa: A002
        """Send a command that is answered at once or in a moment, and return the answer."""
        id = id or next_id()  # noqa: A001
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
        labels: Sequence[str] = (),
        answered: Sequence[AttemptId] = (),
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
            labels=tuple(labels),
            answered=tuple(answered),
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
            msgspec.convert(
                {"sent_s": 0.0, "epoch": epoch, "last_number": last_number, "busy": 0, **fields},
                ServerBeat,
            ),
        )

    def undeliverable(self, name: str, *messages: Message) -> Self:
        """Let the broker bring messages back that were for a server."""
        target = f"{name}/{self._registers[name].incarnation}".encode()
        notice = Undeliverable(target=target, why="not routable", batches=(encode(messages),))
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

    def put_aside(self, key: ShotKey = KEY) -> Self:
        """Let a shot whose runs are over be forgotten in memory, for newer ones."""
        for shot in range(1, self.config.dispatcher.shots_loaded_max + 2):
            self.build(ShotKey(key.tree, 1000 + shot))
        assert key not in self.machine.core.shots
        return self

    def finish(self, *paths: str, ok: bool = True, text: str = "", key: ShotKey = KEY) -> Self:
        """Let servers report the results of the current attempts."""
        for path in paths:
            server = self.server_of(path, key)
            self.from_server(server, result(self.attempt(path, key=key), ok=ok, text=text))
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

    def view(self, path: str) -> ActionView:
        """Return an action as `show` tells it."""
        story = view_of(self.told(Show(path=path)))
        assert isinstance(story, StoryResult)
        return story.action

    def servers(self) -> tuple[ServerView, ...]:
        """Return the servers as `servers` tells them."""
        found = view_of(self.told(Servers()))
        assert isinstance(found, ServersResult)
        return found.servers

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
    text: str = "",
    ended_by: EndedBy = EndedBy.RESULT,
    unknown: bool = False,
) -> Finished:
    """Return the report of an attempt that has ended."""
    status = Status.SUCCESS if ok else Status.FAILURE
    return Finished(
        attempt=attempt,
        ended_by=ended_by,
        status=status if ended_by is EndedBy.RESULT else None,
        reason=text,
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
