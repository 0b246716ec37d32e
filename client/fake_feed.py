"""The event feed of `FakeShotline`: numbered updates that wait to be taken; nobody waits."""

from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import Self

from shotline.client.feed import (
    News,
    Payload,
    Update,
    Whole,
    channel_of_output,
    channel_of_shot,
)
from shotline.common.records import Record
from shotline.common.views import (
    ActionView,
    OutputEvent,
    ShotEvent,
    ShotView,
    SnapshotResult,
)


class FakeFeed:
    """Tells its streams what happens; `now` counts the records instead of measuring time."""

    def __init__(self) -> None:
        self._streams: list[FakeStream] = []
        self._seq: dict[str, int] = {}

    def now(self) -> float:
        """Return a time that only grows."""
        return float(sum(self._seq.values()))

    def stream(
        self, channels: tuple[str, ...], taps: tuple[str, ...], wholes: Sequence[SnapshotResult]
    ) -> "FakeStream":
        """Return a new stream that begins with the channels' states."""
        made = FakeStream(self._streams, channels, taps)
        made.updates += [Whole(whole.channel, whole) for whole in wholes]
        return made

    def record(self, tree: str, shot: int, record: Record) -> None:
        """Tell of a record of a shot's."""
        self._tell(channel_of_shot(tree, shot), ShotEvent(records=(record,)))

    def output(self, tree: str, shot: int, path: str, attempt: int, lines: tuple[str, ...]) -> None:
        """Tell of an attempt's output."""
        if lines:
            pieces = ((self.now(), 1, "\n".join(lines)),)
            event = OutputEvent(attempt=attempt, first=0, pieces=pieces)
            self._tell(channel_of_output(tree, shot, path), event)

    def snapshot(
        self,
        channel: str,
        shot: ShotView | None = None,
        actions: tuple[ActionView, ...] = (),
    ) -> SnapshotResult:
        """Return a channel's state with the number of its last event."""
        seq = self._seq.get(channel, 0)
        return SnapshotResult(channel=channel, term=1, seq=seq, shot=shot, actions=actions)

    def _tell(self, channel: str, payload: Payload) -> None:
        self._seq[channel] = self._seq.get(channel, 0) + 1
        for stream in self._streams:
            if channel in stream.channels or channel.startswith(stream.taps):
                stream.updates.append(News(channel, self.now(), payload))


class FakeStream:
    """Updates as they were made; `get` returns None when there is none, and never waits."""

    def __init__(
        self, streams: "list[FakeStream]", channels: tuple[str, ...], taps: tuple[str, ...]
    ) -> None:
        self.channels = channels
        self.taps = taps
        self.updates: deque[Update] = deque()
        self._streams = streams
        streams.append(self)

    def get(self, timeout_s: float | None = None) -> Update | None:  # noqa: ARG002
        """Return the next update, None when nothing has happened."""
        return self.updates.popleft() if self.updates else None

    def __iter__(self) -> Iterator[Update]:
        while (update := self.get()) is not None:
            yield update

    def close(self) -> None:
        """Listen no longer."""
        if self in self._streams:
            self._streams.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncFakeStream:
    """A FakeStream for asynchronous supervisors."""

    def __init__(self, stream: FakeStream) -> None:
        self._stream = stream

    async def get(self, timeout_s: float | None = None) -> Update | None:
        """Return the next update, None when nothing has happened."""
        return self._stream.get(timeout_s)

    async def __aiter__(self) -> AsyncIterator[Update]:
        for update in self._stream:
            yield update

    def close(self) -> None:
        """Listen no longer."""
        self._stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
