"""`FakeShotline`, `AsyncFakeShotline`: the supervisors' interface, and what a test says. Pure."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from shotline.client.calls import Call, fetched, shot_of
from shotline.client.errors import SupervisorError
from shotline.client.methods import AsyncCommands, Commands
from shotline.client.opening import Opening
from shotline.client.testing.experiments import FakeAction
from shotline.client.testing.servers import Told
from shotline.client.testing.streams import AsyncFakeStream, FakeStream, others
from shotline.client.testing.system import FakeSystem
from shotline.common.actions import Status
from shotline.common.channels import output_channel, shot_channel
from shotline.common.closable import AsyncClosable, Closable
from shotline.common.commands import Abort, AnyCommand, Hold
from shotline.common.messages import EndedBy
from shotline.common.queue.kinds import PlanKind
from shotline.trees.experiment_file import Experiment

T = TypeVar("T")


class FakeShotline(Commands, Closable):
    """A blocking supervisor whose Shotline is in this object. `asked` has every command.

    Each experiment is given by its actions, or as `read_experiment` reads it from its file; `kinds`
    are those of the pulse queue's plans. What is
    said of a path that no experiment has raises ValueError.
    """

    def __init__(
        self,
        experiments: Mapping[str, Sequence[FakeAction] | Experiment],
        kinds: Mapping[str, PlanKind] | None = None,
    ) -> None:
        self.asked: list[AnyCommand] = []
        self.system = FakeSystem(experiments, kinds)
        self._errors: list[SupervisorError] = []

    def __repr__(self) -> str:
        return f"<FakeShotline of {', '.join(self.system.config.experiments)}>"

    @property
    def verbs(self) -> list[str]:
        """The verbs of all commands that were asked, in order."""
        return [command.verb for command in self.asked]

    # What the test says of an action counts whenever it ends: from now on, and for what runs

    def fails(self, path: str, reason: str = "failed as told", *lines: str) -> None:
        """Let an action fail; `lines` are its output."""
        self._tell(path, status=Status.FAILURE, reason=reason, lines=lines)

    def succeeds(self, path: str, reason: str = "", *lines: str) -> None:
        """Let an action succeed (what all do that are not told otherwise), with this output."""
        self._tell(path, status=Status.SUCCESS, reason=reason, lines=lines)

    def times_out(self, path: str) -> None:
        """Let an action end by its time limit."""
        reason = "ended at its time limit"
        self._tell(path, ended_by=EndedBy.TIMEOUT, status=None, reason=reason)

    def takes(self, path: str, seconds: float) -> None:
        """Let an action take so long; the time passes at once when somebody waits."""
        self.system.tell(path, lambda told: replace(told, takes_s=seconds))

    def never_ends(self, path: str) -> None:
        """Let an action run until it is aborted, its time limit has passed, or it is told to end.

        Who waits for it in vain gets TimedOut.
        """
        self.system.tell(path, lambda told: replace(told, takes_s=None))

    def has_no_server(self, path: str) -> None:
        """Let the class of an action have no server, until the action is told to end otherwise.

        What of the class is ready becomes SERVER_OFF; what runs is aborted.
        """
        self.system.take_server_of(path)

    def holds_next_run(self) -> None:
        """Let an operator hold the next run before anything of it starts."""
        self.system.next_run = Hold

    def aborts_next_run(self) -> None:
        """Let an operator abort the next run before anything of it starts."""
        self.system.next_run = Abort

    def raises_next(self, error: SupervisorError) -> None:
        """Let the next command raise this: NoBroker, TimedOut…"""
        self._errors.append(error)

    def _tell(
        self,
        path: str,
        *,
        ended_by: EndedBy = EndedBy.RESULT,
        status: Status | None,
        reason: str,
        lines: tuple[str, ...] = (),
    ) -> None:
        self.system.tell(
            path, lambda told: Told(ended_by, status, reason, lines, told.takes_s or 0.0)
        )

    # The same interface as Supervisor's

    def ask(self, call: Call[T], timeout_s: float | None = None) -> T:
        """Carry out a call. Raise what its reply stands for, TimedOut when none would ever come."""
        id_ = self.begin(call)
        for _ in self.system.until(lambda: self.system.is_answered(id_), timeout_s):
            pass
        return self.end(id_, call)

    def begin(self, call: Call[T]) -> str:
        """Give a command; return its id. Raise what the test has said."""
        self.asked.append(call.command)
        self.connect()
        return self.system.begin(call.command)

    def end(self, id_: str, call: Call[T]) -> T:
        """Return what a command's reply says. Raise what it stands for."""
        reply = self.system.final(id_)
        if reply is None:
            raise self.system.late(call)
        return fetched(call, reply, self.system.look)

    def connect(self) -> None:
        """Return at once, or raise what the test has said."""
        if self._errors:
            raise self._errors.pop(0)

    def events(self, *channels: str, taps: tuple[str, ...] = ()) -> FakeStream:
        """Return what happens on channels; each begins with its whole state."""
        return FakeStream(self.system, channels, taps)

    def watch(self, tree: str, shot: int | None = None) -> FakeStream:
        """Return what happens to a shot, and its actions' output."""
        key = shot_of(tree, shot)
        return self.events(shot_channel(key), taps=(output_channel(key, ""),))

    def close(self) -> None:
        """Do nothing: there is no connection."""


class AsyncFakeShotline(AsyncCommands, AsyncClosable):
    """An asynchronous supervisor whose Shotline is a `FakeShotline`; any number of tasks share it.

    While one task waits, the others do their part before any time passes.
    """

    def __init__(self, fake: FakeShotline) -> None:
        self.fake = fake

    async def ask(self, call: Call[T], timeout_s: float | None = None) -> T:
        """Carry out a call. Raise what its reply stands for, TimedOut when none would ever come."""
        system, id_ = self.fake.system, self.fake.begin(call)
        for _ in system.until(lambda: system.is_answered(id_), timeout_s):
            await others()
        return self.fake.end(id_, call)

    async def connect(self) -> None:
        """Return at once, or raise what the test has said."""
        self.fake.connect()

    def events(self, *channels: str, taps: tuple[str, ...] = ()) -> Opening[AsyncFakeStream]:
        """Return what happens on channels."""

        async def opened() -> AsyncFakeStream:
            return AsyncFakeStream(self.fake.events(*channels, taps=taps))

        return Opening(opened, ", ".join((*channels, *taps)))

    def watch(self, tree: str, shot: int | None = None) -> Opening[AsyncFakeStream]:
        """Return what happens to a shot, and its actions' output."""
        key = shot_of(tree, shot)
        return self.events(shot_channel(key), taps=(output_channel(key, ""),))

    def close(self) -> None:
        """Do nothing: there is no connection."""
