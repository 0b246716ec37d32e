"""`FakeShotline`: a supervisor's Shotline for the tests of supervisors, without any process.

    shotline = FakeShotline({"TEST": [FakeAction("GAS:PUFF", "PULSE", "GAS", 10)]})
    shotline.fails("GAS:PUFF", "no pressure")
    my_supervisor.run(shotline)
    assert shotline.verbs == ["create_pulse", "build_tables", "do_phase"]

Commands, answers and errors are those of the library; phases run at once, in the order of their
sequence numbers. It evaluates no conditions, has no servers, and measures no time: what an action
does is what the test has said it does.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

from shotline.client.calls import Call
from shotline.client.errors import Refused, SupervisorError
from shotline.client.fake_dispatcher import FakeDispatcher
from shotline.client.fake_feed import AsyncFakeStream, FakeStream
from shotline.client.fake_shot import FakeAction, ToldOutcome
from shotline.client.feed import channel_of_shot
from shotline.client.methods import AsyncCommands, Commands
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome, Reply

__all__ = ["AsyncFakeShotline", "FakeAction", "FakeShotline"]

T = TypeVar("T")


class FakeShotline(Commands):
    """A blocking supervisor whose Shotline is in this object. `asked` has every command."""

    def __init__(self, experiments: Mapping[str, Sequence[FakeAction]]) -> None:
        self.asked: list[AnyCommand] = []
        self._errors: list[SupervisorError] = []
        self._dispatcher = FakeDispatcher(experiments)

    @property
    def verbs(self) -> list[str]:
        """The verbs of all commands that were asked, in order."""
        return [command.verb for command in self.asked]

    # What the test says

    def fails(self, path: str, reason: str = "failed as told", *lines: str) -> None:
        """Let an action fail from now on; `lines` are its output."""
        self._dispatcher.told[path] = ToldOutcome(status=Status.FAILURE, reason=reason, lines=lines)

    def succeeds(self, path: str, reason: str = "", *lines: str) -> None:
        """Let an action succeed (what all do that are not told otherwise), with this output."""
        self._dispatcher.told[path] = ToldOutcome(reason=reason, lines=lines)

    def times_out(self, path: str) -> None:
        """Let an action end by its time limit."""
        self._dispatcher.told[path] = ToldOutcome(
            status=Status.FAILURE, cause=Cause.TIMEOUT, reason="ended at its time limit"
        )

    def has_no_server(self, path: str) -> None:
        """Let an action become SERVER_OFF."""
        self._dispatcher.told[path] = ToldOutcome(
            ActionState.SERVER_OFF, None, Cause.NO_SERVER, "no server of its class is alive"
        )

    def holds_next_run(self, reason: str = "held as told") -> None:
        """Let the next run be HELD before anything of it starts."""
        self._dispatcher.hold = reason

    def aborts_next_run(self, reason: str = "aborted as told") -> None:
        """Let the next run be aborted before anything of it starts."""
        self._dispatcher.abort = reason

    def raises_next(self, error: SupervisorError) -> None:
        """Let the next command raise this: NoBroker, TimedOut…"""
        self._errors.append(error)

    # The same interface as Supervisor's

    def ask(self, call: Call[T], timeout_s: float | None = None) -> T:  # noqa: ARG002
        """Carry out a call at once. Raise what its reply stands for."""
        self.asked.append(call.command)
        if self._errors:
            raise self._errors.pop(0)
        try:
            reply = self._dispatcher.answer(call.command)
        except Refused as refused:
            reply = Reply(
                id="", outcome=Outcome.REFUSED, message=str(refused), dangers=refused.dangers
            )
        return call.outcome(reply)

    def connect(self) -> None:
        """Return at once, or raise what the test has said."""
        if self._errors:
            raise self._errors.pop(0)

    def events(self, *channels: str, taps: tuple[str, ...] = ()) -> FakeStream:
        """Return what happens on channels; `get` never waits."""
        wholes = [self._dispatcher.snapshot(channel) for channel in channels]
        return self._dispatcher.feed.stream(channels, taps, wholes)

    def watch(self, tree: str, shot: int) -> FakeStream:
        """Return what happens to a shot, and its actions' output."""
        tree = tree.upper()
        return self.events(channel_of_shot(tree, shot), taps=(f"output/{tree}/{shot}/",))

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncFakeShotline(AsyncCommands):
    """An asynchronous supervisor whose Shotline is a `FakeShotline`."""

    def __init__(self, fake: FakeShotline) -> None:
        self.fake = fake

    async def ask(self, call: Call[T], timeout_s: float | None = None) -> T:
        """Carry out a call at once."""
        return self.fake.ask(call, timeout_s)

    async def connect(self) -> None:
        """Return at once, or raise what the test has said."""
        self.fake.connect()

    async def events(self, *channels: str, taps: tuple[str, ...] = ()) -> AsyncFakeStream:
        """Return what happens on channels."""
        return AsyncFakeStream(self.fake.events(*channels, taps=taps))

    async def watch(self, tree: str, shot: int) -> AsyncFakeStream:
        """Return what happens to a shot, and its actions' output."""
        return AsyncFakeStream(self.fake.watch(tree, shot))

    def close(self) -> None:
        """Do nothing: there is no connection."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
