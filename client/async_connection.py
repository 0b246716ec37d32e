"""Waiting for a wire in an asyncio event loop: its descriptors wake the loop, nothing polls."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import zmq

from shotline.client.calls import Call, T
from shotline.client.errors import Closed
from shotline.client.observer import Update
from shotline.client.patience import Patience
from shotline.client.wire import Stream, Wire
from shotline.common.closable import AsyncClosable
from shotline.common.messages import Behalf
from shotline.common.transport import CurveClient


class AsyncConnection:
    """A wire that an event loop drives. Made inside the running loop that it belongs to."""

    def __init__(
        self,
        address: str,
        patience: Patience | None = None,
        behalf: Behalf | None = None,
        curve: CurveClient | None = None,
    ) -> None:
        self.wire = Wire(address, patience, behalf, curve)
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._watched: dict[zmq.Socket[bytes], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._woken = False
        self._read()

    async def ask(self, call: Call[T], timeout_s: float | None) -> T:
        """Carry out a call. Raise the SupervisorError of its reply, or of its absence."""
        if self.wire.closed:
            raise Closed
        self._read()
        id_ = self.wire.begin(call)
        self._after_sending()
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            while (final := self.wire.final(id_)) is None:
                if deadline is not None and time.monotonic() >= deadline:
                    raise self.wire.late(id_, call, timeout_s or 0.0)
                await self.change(deadline)
        except BaseException:
            if not self.wire.closed:
                self.wire.forget(id_)
            raise
        return call.outcome(*final)

    async def connect(self, timeout_s: float) -> None:
        """Return once the broker has answered. Raise NoBroker."""
        deadline = time.monotonic() + timeout_s
        wire = self.wire
        await self.until(lambda: wire.session.in_contact or bool(wire.dealer.refusal), deadline)
        if not self.wire.session.in_contact:
            raise self.wire.no_broker()

    async def until(self, done: Callable[[], bool], deadline: float | None) -> None:
        """Go on until something is done, or the deadline has passed."""
        while not done() and (deadline is None or time.monotonic() < deadline):
            await self.change(deadline)

    async def change(self, deadline: float | None) -> None:
        """Wait until something has happened, until the deadline at the latest."""
        if self.wire.closed:
            raise Closed
        try:
            async with asyncio.timeout_at(
                None
                if deadline is None
                else self._loop.time() + max(0.0, deadline - time.monotonic())
            ):
                await self._changed.wait()
        except TimeoutError:
            pass

    def listen(
        self, channels: tuple[str, ...], taps: tuple[str, ...], follows: tuple[str, ...] = ()
    ) -> Stream:
        """Subscribe, then ask for snapshots."""
        stream = self.wire.listen(channels, taps, follows)
        self._after_sending()
        return stream

    def follow(self, stream: Stream, channel: str) -> None:
        """Observe one more channel of those that a stream follows."""
        self.wire.follow(stream, channel)
        self._after_sending()

    def wake(self) -> None:
        """Have what is due done soon."""
        self._after_sending()

    def close(self) -> None:
        """Say goodbye and close the sockets; who still waits gets Closed."""
        if self.wire.closed:
            return
        for descriptor in self._watched.values():
            self._loop.remove_reader(descriptor)
        self._watched.clear()
        if self._timer is not None:
            self._timer.cancel()
        self.wire.close()
        self._announce()

    def _read(self) -> None:
        self._woken = False
        if self.wire.closed:
            return
        self.wire.read()
        self._watch()
        due = self.wire.wake_at()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._loop.call_later(max(0.0, due - time.monotonic()), self._read)
        self._announce()
        # A descriptor of zmq's tells only of changes: what is still there must be asked for.
        if any(int(socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN for socket in self.wire.sockets):
            self._after_sending()

    def _after_sending(self) -> None:
        """Read once more soon: sending may have taken the news from the descriptor."""
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._read)

    def _announce(self) -> None:
        # Wakes all that wait now; who waits afterwards waits for the next change.
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _watch(self) -> None:
        sockets = self.wire.sockets
        for socket in [one for one in self._watched if one not in sockets]:
            self._loop.remove_reader(self._watched.pop(socket))
        for socket in sockets:
            if socket not in self._watched:
                descriptor = socket.get(zmq.FD)
                assert isinstance(descriptor, int)
                self._watched[socket] = descriptor
                self._loop.add_reader(descriptor, self._read)


class AsyncEventStream(AsyncClosable):
    """What happens on some channels, as `Whole`, `News` and `FeedStopped`.

    With `follows`, beginnings of channel names, also on those that come up later.
    """

    def __init__(
        self,
        connection: AsyncConnection,
        channels: tuple[str, ...],
        taps: tuple[str, ...] = (),
        follows: tuple[str, ...] = (),
    ) -> None:
        self._connection = connection
        self._stream = connection.listen(channels, taps, follows)

    def follow(self, channel: str) -> None:
        """Have a channel of those that are followed, although nothing has happened there yet."""
        self._connection.follow(self._stream, channel)

    def leave(self, channel: str) -> None:
        """Have a followed channel no longer, until something happens there."""
        self._connection.wire.leave(self._stream, channel)

    def tap(self, topic: str) -> None:
        """Hear one more beginning of channel names, without a state."""
        self._connection.wire.tap(self._stream, topic)

    def untap(self, topic: str) -> None:
        """Hear it no longer."""
        self._connection.wire.untap(self._stream, topic)

    def take(self) -> list[Update]:
        """Return what is there, without waiting."""
        found = list(self._stream.updates)
        self._stream.updates.clear()
        return found

    async def get(self, timeout_s: float | None = None) -> Update | None:
        """Return the next update, None when there was none in time.

        Raise Refused when the channel is of nothing that is known.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        stream = self._stream
        await self._connection.until(lambda: bool(stream.updates or stream.error), deadline)
        if stream.error is not None:
            raise stream.error
        return stream.updates.popleft() if stream.updates else None

    def refresh(self, channel: str | None = None) -> None:
        """Have a `Whole` of each channel follow, or of this one."""
        for name, observer in self._stream.observers.items():
            if channel in (None, name):
                observer.refresh()
        self._connection.wake()

    async def __aiter__(self) -> AsyncIterator[Update]:
        while (update := await self.get()) is not None:
            yield update

    def close(self) -> None:
        """Listen no longer."""
        if not self._connection.wire.closed:
            self._connection.wire.unlisten(self._stream)
