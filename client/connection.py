"""Waiting for a wire, in the caller's own thread: no event loop, no hidden threads."""

import math
import os
import time
from collections.abc import Callable, Iterator

import zmq

from shotline.client.calls import Call, T
from shotline.client.errors import Closed
from shotline.client.observer import Update
from shotline.client.patience import Patience
from shotline.client.wire import Stream, Wire
from shotline.common.closable import Closable
from shotline.common.messages import Behalf
from shotline.common.transport import CurveClient

POLL_MAX_S = 3600.0


class Connection:
    """A wire that is waited for. One thread uses it at a time."""

    def __init__(
        self,
        address: str,
        patience: Patience | None = None,
        behalf: Behalf | None = None,
        curve: CurveClient | None = None,
    ) -> None:
        self.wire = Wire(address, patience, behalf, curve)
        self._poller = zmq.Poller()
        self._polled: list[zmq.Socket[bytes]] = []
        self._process = os.getpid()

    @property
    def foreign(self) -> bool:
        """Whether another process made it: sockets do not survive a fork."""
        return os.getpid() != self._process

    def ask(self, call: Call[T], timeout_s: float | None) -> T:
        """Carry out a call. Raise the SupervisorError of its reply, or of its absence."""
        self._check()
        id_ = self.wire.begin(call)  # at once: what came while nobody looked is read afterwards
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            while (final := self.wire.final(id_)) is None:
                if deadline is not None and time.monotonic() >= deadline:
                    raise self.wire.late(id_, call, timeout_s or 0.0)
                self.step(deadline)
        except BaseException:
            self.wire.forget(id_)
            raise
        return call.outcome(*final)

    def connect(self, timeout_s: float) -> None:
        """Return once the broker has answered. Raise NoBroker."""
        deadline = time.monotonic() + timeout_s
        wire = self.wire
        self.until(lambda: wire.session.in_contact or bool(wire.dealer.refusal), deadline)
        if not self.wire.session.in_contact:
            raise self.wire.no_broker()

    def until(self, done: Callable[[], bool], deadline: float | None) -> None:
        """Go on until something is done, or the deadline has passed."""
        while not done() and (deadline is None or time.monotonic() < deadline):
            self.step(deadline)

    def step(self, deadline: float | None) -> None:
        """Wait for the next thing that happens, until the deadline at the latest, and take it."""
        self._check()
        sockets = self.wire.sockets
        if sockets != self._polled:
            for socket in self._polled:
                self._poller.unregister(socket)
            for socket in sockets:
                self._poller.register(socket, zmq.POLLIN)
            self._polled = sockets
        now = time.monotonic()
        due = [at for at in (deadline, self.wire.wake_at()) if at is not None]
        wait_s = max(0.0, min(min(due, default=now + POLL_MAX_S) - now, POLL_MAX_S))
        self._poller.poll(math.ceil(wait_s * 1000))
        self.wire.read()

    def _check(self) -> None:
        if self.foreign:
            raise Closed("this was made before a fork; subscribe anew in this process")
        if self.wire.closed:
            raise Closed

    def close(self) -> None:
        """Say goodbye and close the sockets."""
        self.wire.close()


class EventStream(Closable):
    """What happens on some channels, as `Whole`, `News` and `FeedStopped`.

    Iterate over it, or `get` with a timeout. Commands may be sent between two items.
    """

    def __init__(
        self, connection: Connection, channels: tuple[str, ...], taps: tuple[str, ...] = ()
    ) -> None:
        self._connection = connection
        self._stream: Stream = connection.wire.listen(channels, taps)

    def get(self, timeout_s: float | None = None) -> Update | None:
        """Return the next update, None when there was none in time.

        Raise Refused when the channel is of nothing that is known.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        stream = self._stream
        self._connection.until(lambda: bool(stream.updates or stream.error), deadline)
        if stream.error is not None:
            raise stream.error
        return stream.updates.popleft() if stream.updates else None

    def refresh(self) -> None:
        """Have a `Whole` of each channel follow."""
        for observer in self._stream.observers.values():
            observer.refresh()

    def __iter__(self) -> Iterator[Update]:
        while (update := self.get()) is not None:
            yield update

    def close(self) -> None:
        """Listen no longer."""
        if not self._connection.foreign and not self._connection.wire.closed:
            self._connection.wire.unlisten(self._stream)
