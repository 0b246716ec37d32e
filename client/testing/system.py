"""A whole Shotline in one object: the dispatcher's machine, servers, experiments, observers. Pure.

Time is its own: it passes only while somebody waits, at once, and only as far as something is to be
waited for.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from shotline.client.calls import Call, T
from shotline.client.errors import SupervisorError, TimedOut
from shotline.client.testing.dispatcher import DrivenDispatcher, WakeUp, configured, with_keys
from shotline.client.testing.experiments import ActionOfTree, FakeAction, FakeExperiments
from shotline.client.testing.journal import MemoryJournal
from shotline.client.testing.servers import FakeServer, Told
from shotline.common import commands as c
from shotline.common.actions import AttemptId
from shotline.common.machine import Tick
from shotline.common.messages import Event, Message, Outcome, Reply
from shotline.common.queue.kinds import PlanKind
from shotline.dispatcher import effects as d
from shotline.dispatcher import journal as j
from shotline.dispatcher.trees import jobs as t
from shotline.trees.experiment_file import Experiment

_SHOTS_MAX: Final = 100_000
_IDLE_S: Final = 120.0
"""Where nothing runs that ends by itself, time passes so far: longer than any patience of ours."""
_CLIENT: Final = b"client/supervisor"
_OPERATOR: Final = b"client/operator"


class FakeSystem(DrivenDispatcher):
    """Carries out commands; `listeners` are told of each event."""

    def __init__(
        self,
        experiments: Mapping[str, Sequence[FakeAction] | Experiment],
        kinds: Mapping[str, PlanKind] | None = None,
    ) -> None:
        self.experiments = FakeExperiments(experiments)
        self.listeners: list[Callable[[Event], None]] = []
        self.next_run: type[c.Hold] | type[c.Abort] | None = None  # what an operator does then
        self._told: dict[tuple[str, str], Told] = {}
        self._without_server: set[ActionOfTree] = set()
        self._replies: dict[str, Reply] = {}
        self._exit: d.Exit | None = None
        self._ended_at = 0.0  # the last time that anything ended
        self._servers = {
            name: FakeServer(name, self._told_of) for name in self.experiments.server_classes
        }
        config = with_keys(
            with_keys(configured(*self.experiments.names), queue={"kinds": dict(kinds or {})}),
            monitor={"expected_servers": tuple(f"{name}:1" for name in self._servers)},
            dispatcher={"shots_loaded_max": _SHOTS_MAX},
            journal={"keep_shots": _SHOTS_MAX},
        )
        super().__init__(config, MemoryJournal())
        self.handle(*(server.come(self.instant) for server in self._servers.values()))
        self.recover()

    # What the test says

    def tell(self, path: str, change: Callable[[Told], Told]) -> None:
        """Change how an action ends, in all experiments that have it. Raise ValueError."""
        for action in self.experiments.find(path):
            name = (action.tree, action.path)
            self._told[name] = change(self._told.get(name, Told()))
            self._without_server.discard(action)
        self._come_and_go()

    def take_server_of(self, path: str) -> None:
        """Let the class of an action have no server. Raise ValueError."""
        self._without_server.update(self.experiments.find(path))
        self._come_and_go()

    def _come_and_go(self) -> None:
        gone = {action.server_class for action in self._without_server}
        for name, server in self._servers.items():
            if server.is_there and name in gone:
                self.handle(*server.leave(self.instant, "the test has taken its server"))
            elif not server.is_there and name not in gone:
                self.handle(server.come(self.instant))
        self.settle()

    def _told_of(self, attempt: AttemptId) -> Told:
        return self._told.get((attempt.tree, attempt.path), Told())

    # Commands

    def begin(self, command: c.AnyCommand) -> str:
        """Take a command and do all that it makes due now; return its id for `final`."""
        request = self.request(command)
        if self._exit is not None:
            why = f"no dispatcher: {self._exit.why}"
            self._replies[request.id] = Reply(id=request.id, outcome=Outcome.NOBODY, message=why)
            return request.id
        events = [d.FromBroker(_CLIENT, (request,))]
        if isinstance(command, c.DoPhase | c.DoSequence):
            events += self._operator(command.tree, command.shot)
        self.handle(*events)
        self.settle()
        return request.id

    def is_answered(self, id_: str) -> bool:
        """Return whether the final reply is there."""
        return id_ in self._replies

    def final(self, id_: str) -> Reply | None:
        """Return the final reply once it is there, once."""
        return self._replies.pop(id_, None)

    def look(self, command: c.AnyCommand) -> Reply:
        """Return the reply to a command that only reads."""
        reply = self.final(self.begin(command))
        assert reply is not None, "what is only read is answered at once"
        return reply

    def late(self, call: Call[T]) -> SupervisorError:
        """Return the error for a call that is not answered in time, or never would be."""
        verb = call.command.verb.replace("_", "-")
        running = [name for server in self._servers.values() for name in server.running]
        return TimedOut(f"no answer to {verb}; still running: {', '.join(running) or 'nothing'}")

    def _operator(self, tree: str | None, shot: int | None) -> Iterable[d.FromBroker]:
        """Yield what an operator asks for in the moment in which a run is opened."""
        if self.next_run is not None:
            if tree is None and self.journal.current is not None:
                tree, shot = self.journal.current
            asked = self.request(self.next_run(tree=tree, shot=shot))
            yield d.FromBroker(_OPERATOR, (asked,))

    # Time

    def settle(self) -> None:
        """Do all that is due now."""
        while (due := self.wake_at()) is not None and due <= self.now:
            self.wake()

    def until(self, done: Callable[[], bool], timeout_s: float | None) -> Iterator[None]:
        """Let time pass, a step with each turn, until it is done or waiting is in vain."""
        since = self.now
        deadline = None if timeout_s is None else self.now + timeout_s
        while not done():
            yield
            if not done() and not self._go_on(since, deadline):
                return

    def wake_at(self) -> float | None:
        """Return when something is due."""
        if self._exit is not None:
            return None
        due = (self.machine.wake_at(), self._next_end())
        return min((at for at in due if at is not None), default=None)

    def wake(self) -> None:
        """Let end what ends now; then the dispatcher's deadlines."""
        ended = [one for server in self._servers.values() for one in server.end_due(self.instant)]
        if ended:
            self._ended_at = self.now
        self.handle(*ended, Tick())

    def _next_end(self) -> float | None:
        ends = [server.next_end() for server in self._servers.values()]
        return min((at for at in ends if at is not None), default=None)

    def _go_on(self, since: float, deadline: float | None) -> bool:
        """Do what is due next. False when it is not in time, or when nobody can wait for it."""
        due, end = self.wake_at(), self._next_end()
        in_vain = end is None and due is not None and due > max(since, self._ended_at) + _IDLE_S
        if due is None or in_vain or (deadline is not None and due > deadline):
            if deadline is not None:
                self.set_time(deadline)
            return False
        self.set_time(max(due, self.now))
        self.wake()
        return True

    # What leaves the dispatcher

    def carry_out(self, effect: d.Effect) -> Iterable[WakeUp]:
        """Carry out one effect; a node is read again just before its run is opened."""
        if isinstance(effect, t.ReadNodeJob):
            yield (self.tree_done(effect), *self._operator(*effect.key))
        else:
            yield from super().carry_out(effect)

    def tree_done(self, job: t.TreeJob) -> t.TreeDone:
        """Ask the experiments."""
        return self.experiments.answer(job)

    def to_server(self, identity: bytes, messages: tuple[Message, ...]) -> Iterable[WakeUp]:
        """Give a server what is for its present life."""
        server = self._servers[identity.decode().partition(":")[0]]
        if server.is_there and server.identity == identity:
            for said in server.take(self.instant, messages):
                yield (said,)

    def replied(self, client: bytes, reply: Reply) -> None:
        """Keep a final reply."""
        if client == _OPERATOR and reply.outcome is Outcome.OK:
            self.next_run = None
        elif client == _CLIENT and reply.outcome is not Outcome.ACCEPTED:
            self._replies[reply.id] = reply

    def published(self, event: Event) -> None:
        """Tell those who listen."""
        for listener in self.listeners:
            listener(event)

    def noted(self, effect: j.ForgetShots | d.Say | d.Exit) -> None:
        """Note the end."""
        if isinstance(effect, d.Exit):
            self._exit = effect
