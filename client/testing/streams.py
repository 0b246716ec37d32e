"""What happens on channels of `FakeShotline`, as its observers have it; nobody waits in earnest.

What an observer makes of events is the library's own (`feed`). Pure.
"""

from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator
from types import coroutine
from typing import Final

from shotline.client.calls import fetched
from shotline.client.errors import SupervisorError
from shotline.client.observer import News, Observer, Update, payload_of
from shotline.client.testing.system import FakeSystem
from shotline.client.verbs import shot_verbs
from shotline.common.channels import FEED
from shotline.common.closable import AsyncClosable, Closable
from shotline.common.messages import Event

_TURNS: Final = 20  # of an event loop: what one task does may reach another by a few steps


@coroutine
def others() -> Generator[None, None, None]:
    """Let the other tasks of an event loop, whichever it is, do their part."""
    for _ in range(_TURNS):
        yield


class FakeStream(Closable):
    """Updates of some channels, as `supervisor.EventStream`; time passes while `get` waits."""

    def __init__(
        self, system: FakeSystem, channels: tuple[str, ...], taps: tuple[str, ...]
    ) -> None:
        self.system = system
        self._observers = {channel: Observer(channel, system.now) for channel in channels}
        self._taps = taps
        self._updates: deque[Update] = deque()
        self._error: SupervisorError | None = None
        system.listeners.append(self._hear)
        self._look()

    @property
    def ready(self) -> bool:
        """Whether `get` returns, or raises, at once."""
        return bool(self._updates or self._error)

    def get(self, timeout_s: float | None = None) -> Update | None:
        """Return the next update, None when there is none in time or will be none.

        Raise Refused when the channel is of nothing that is known.
        """
        for _ in self.system.until(lambda: self.ready, timeout_s):
            pass
        return self.take()

    def take(self) -> Update | None:
        """Return the next update that is there."""
        if self._error is not None:
            raise self._error
        return self._updates.popleft() if self._updates else None

    def refresh(self) -> None:
        """Have a `Whole` of each channel follow."""
        for observer in self._observers.values():
            observer.refresh()
        self._look()

    def _look(self) -> None:
        for channel, observer in self._observers.items():
            if not observer.wants_snapshot(self.system.now):
                continue
            call = shot_verbs.snapshot(channel)
            try:
                whole = fetched(call, self.system.look(call.command), self.system.look)
            except SupervisorError as error:
                self._error = error
            else:
                self._updates += observer.snapshot(self.system.now, whole)

    def _hear(self, event: Event) -> None:
        if event.channel == FEED:
            for observer in self._observers.values():
                self._updates += observer.beat(self.system.now, event)
        elif (found := self._observers.get(event.channel)) is not None:
            self._updates += found.event(self.system.now, event)
            return
        if event.channel.startswith(self._taps):
            self._updates.append(News(event.channel, event.at, payload_of(event)))

    def __iter__(self) -> Iterator[Update]:
        while (update := self.get()) is not None:
            yield update

    def close(self) -> None:
        """Listen no longer."""
        if self._hear in self.system.listeners:
            self.system.listeners.remove(self._hear)


class AsyncFakeStream(AsyncClosable):
    """A FakeStream for asynchronous supervisors: other tasks run while it is waited for."""

    def __init__(self, stream: FakeStream) -> None:
        self._stream = stream

    async def get(self, timeout_s: float | None = None) -> Update | None:
        """Return the next update, None when there is none in time or will be none."""
        for _ in self._stream.system.until(lambda: self._stream.ready, timeout_s):
            await others()
        return self._stream.take()

    def refresh(self) -> None:
        """Have a `Whole` of each channel follow."""
        self._stream.refresh()

    async def __aiter__(self) -> AsyncIterator[Update]:
        while (update := await self.get()) is not None:
            yield update

    def close(self) -> None:
        """Listen no longer."""
        self._stream.close()
