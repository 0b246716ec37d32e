"""WebSockets: who is connected, what each is sent and when.

What is due to whom is `channels`' decision; what a client may say is in `forms`.
"""

import asyncio
import itertools
import logging
import struct
import time
from collections import Counter
from collections.abc import Awaitable
from typing import Final, Protocol

from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from shotline.common.errors import MalformedMessage
from shotline.common.scopes import Scope
from shotline.monitor.access import Identity, Refusal
from shotline.monitor.channels import (
    Channels,
    CloseCode,
    Due,
    Subscribed,
    answer_frame,
    left_frame,
    pong_frame,
)
from shotline.monitor.channels.forms import SubscribeForm, listed, parsed, ping_of
from shotline.monitor.messages import quoted

log = logging.getLogger(__name__)

FRAME_BYTES_MAX: Final = 64 * 1024  # of what a client sends
SHARED_BYTES: Final = 16 * 1024  # a larger frame is not copied for each WebSocket
SILENT_S: Final = 60.0  # for the first frame of a client
_REASON_BYTES_MAX: Final = 120
_TEXT: Final = 0x81  # a whole text message


class Requires(Protocol):
    """Makes sure that a channel is there, as `Follower.require` does. Raises LookupError's text."""

    def __call__(self, channel: str) -> Awaitable[str | None]:
        """Return why there is no such channel, None when there is."""


class Admits(Protocol):
    """Decides who may look on, as `access.gate` does."""

    def admit(
        self, request: HTTPServerRequest, scope: Scope | None, *, changes: bool
    ) -> Identity | Refusal | None:
        """Return who asks, or why they may not."""

    def still(self, who: Identity, since: float) -> bool:
        """Return whether somebody who was let in, then, may still look on."""


class Readers:
    """All WebSockets, and the one timer that gathers what is sent to them."""

    def __init__(
        self,
        channels: Channels,
        *,
        gather_s: float,
        viewers_max: int,
        address_viewers_max: int,
        require: Requires,
    ) -> None:
        self.channels = channels
        self.require = require
        self._viewers_max = viewers_max
        self._address_viewers_max = address_viewers_max
        self._by_address: Counter[str] = Counter()
        self.refused = 0
        self.malformed = 0
        self._gather_s = gather_s
        self._sockets: dict[int, Socket] = {}
        self._numbers = itertools.count(1)
        self._pumped_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, socket: "Socket") -> int | None:
        """Let a WebSocket come; return its number, None where there are too many."""
        full = len(self) >= self._viewers_max
        if full or self._by_address[socket.address] >= self._address_viewers_max:
            self.refused += 1
            return None
        self._by_address[socket.address] += 1
        number = next(self._numbers)
        self._sockets[number] = socket
        return number

    def remove(self, number: int) -> None:
        """Forget a WebSocket."""
        socket = self._sockets.pop(number, None)
        if socket is not None:
            self._by_address[socket.address] -= 1
            if not self._by_address[socket.address]:
                del self._by_address[socket.address]
        self.channels.leave(number)

    def pump_soon(self) -> None:
        """Send what is due after the gathering time; at once when nothing was sent lately."""
        if self._timer is None:
            due = self._pumped_at + self._gather_s - time.monotonic()
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due), self._pump)

    def close(self) -> None:
        """Close all WebSockets: the monitor ends."""
        if self._timer is not None:
            self._timer.cancel()
        for number, socket in list(self._sockets.items()):
            self.remove(number)
            socket.close(CloseCode.GOING, "the monitor ends")

    def tick(self) -> None:
        """Drop channels that were kept long enough, and WebSockets of who may look no longer."""
        self.channels.tick(time.monotonic())
        for number, socket in list(self._sockets.items()):
            if (due := socket.over()) is not None:
                self._close(number, due)
        self.pump_soon()

    def _pump(self) -> None:
        self._timer = None
        self._pumped_at = time.monotonic()
        for number in self.channels.slow():
            self._close(number, self.channels.close_slow(number))
        for number in self.channels.waiting():
            self._send(number)

    def _send(self, number: int) -> None:
        socket = self._sockets[number]
        due = self.channels.due(number)
        last: asyncio.Future[None] | None = None
        try:
            for frame in due.frames:
                last = socket.send(frame)
        except (WebSocketClosedError, StreamClosedError):
            self.remove(number)
            return
        if due.close is not None:
            self._close(number, due)
        elif last is not None:
            last.add_done_callback(lambda _: self._sent(number, more=due.more))

    def _sent(self, number: int, *, more: bool) -> None:
        self.channels.sent(number)
        if more or self.channels.is_dirty(number):
            self.pump_soon()

    def _close(self, number: int, due: Due) -> None:
        socket = self._sockets.get(number)
        self.remove(number)
        if socket is not None and due.close is not None:
            socket.close(due.close, due.reason)


def _taken(future: "asyncio.Future[None]") -> None:
    """Take a write's error: its WebSocket has closed, and that is told by `on_close`."""
    if not future.cancelled():
        future.exception()


class Socket(WebSocketHandler):
    """One WebSocket. The first text frame decides its form."""

    def initialize(self, readers: Readers, gate: Admits) -> None:
        """Take what all WebSockets share."""
        self._readers = readers
        self._gate = gate
        self._who: Identity | None = None
        self._opened_at = time.monotonic()
        self._number: int | None = None
        self._form: bool | None = None
        self._work: asyncio.Queue[str | bytes] = asyncio.Queue(maxsize=100)
        self._worker: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Refuse who may not look."""
        who = self._gate.admit(self.request, Scope.READ, changes=False)
        if isinstance(who, Refusal):
            self.set_status(who.status)
            await self.finish({"outcome": "refused", "message": who.text})
        else:
            self._who = who

    def check_origin(self, origin: str) -> bool:  # noqa: ARG002
        """Leave it to the gate, which has judged already."""
        return True

    @property
    def address(self) -> str:
        """Where it comes from: beyond a proxy that is believed, what that says."""
        return "" if self._who is None else self._who.address

    def over(self) -> Due | None:
        """Return how it is closed, where its time is over."""
        if self._who is not None and not self._gate.still(self._who, self._opened_at):
            return Due((), CloseCode.LOGGED_OUT, "the login has ended")
        if self._form is None and time.monotonic() - self._opened_at > SILENT_S:
            return Due((), CloseCode.MALFORMED, "nothing was subscribed to")
        return None

    def get_compression_options(self) -> None:
        """Compress nothing: for small frames it costs more than it saves."""
        return

    def open(self, *_: str) -> None:
        """Take the WebSocket in, unless there are too many."""
        self._number = self._readers.add(self)
        if self._number is None:
            self.close(CloseCode.TOO_MANY, "too many are connected; try again later")
            return
        self.set_nodelay(True)
        self._worker = asyncio.get_running_loop().create_task(self._serve())

    def send(self, text: bytes) -> "asyncio.Future[None]":
        """Send a text frame; return when it has left.

        Tornado's own `write_message` copies every frame for every WebSocket. This writes the same
        bytes for all of them, so that many that do not read hold one frame between them. Raise
        WebSocketClosedError, StreamClosedError.
        """
        connection = self.ws_connection
        stream = None if connection is None or connection.is_closing() else connection.stream
        if stream is None:
            raise WebSocketClosedError
        head = _head(len(text))
        if len(text) < SHARED_BYTES:
            sent = stream.write(head + text)
        else:
            stream.write(head).add_done_callback(_taken)
            sent = stream.write(text)
        sent.add_done_callback(_taken)
        return sent

    async def on_message(self, message: str | bytes) -> None:
        """Take a frame; they are served in order, and the client waits when there are many.

        A ping asks whether this connection lives: no frame that takes its time is before it.
        """
        if self._number is None:
            return
        ping = ping_of(message)
        if ping is None or self._form is False:
            await self._work.put(message)
        else:
            await self.write_message(pong_frame(ping, time.time()))

    def on_close(self) -> None:
        """Forget the WebSocket."""
        if self._worker is not None:
            self._worker.cancel()
        if self._number is not None:
            self._readers.remove(self._number)
            self._number = None

    async def _serve(self) -> None:
        try:
            while self._number is not None:
                await self._frame(self._number, await self._work.get())
        except WebSocketClosedError:
            pass

    async def _frame(self, number: int, frame: str | bytes) -> None:
        try:
            said = parsed(frame)
            if self._form is None:
                self._form = isinstance(said, SubscribeForm)
                self._readers.channels.enter(number, form=self._form)
                if isinstance(said, str):
                    await self._read_channel(number, said)
                    return
            if not self._form:
                raise MalformedMessage("the plain form reads one channel; nothing else is said")
            if isinstance(said, str):
                raise MalformedMessage("after a subscribe form come subscribe forms")
            await self._take_form(number, said)
        except MalformedMessage as error:
            self._readers.malformed += 1
            if self._form:
                await self.write_message(
                    b'{"error":%s,"code":%d}' % (quoted(str(error)), CloseCode.MALFORMED)
                )
            else:
                self._end(CloseCode.MALFORMED, str(error))

    async def _read_channel(self, number: int, channel: str) -> None:
        why = await self._readers.require(channel)
        if self._number is None:
            return
        if why is None:
            answer = self._readers.channels.subscribe(number, channel)
            if isinstance(answer, Subscribed):
                self._readers.pump_soon()
                return
        self._end(CloseCode.UNKNOWN, why or "there is no such channel")

    async def _take_form(self, number: int, form: SubscribeForm) -> None:
        channels = self._readers.channels
        for channel in listed(form.unsubscribe):
            was_there = channels.unsubscribe(number, channel)
            await self.write_message(left_frame(channel, was_there=was_there))
        for channel in listed(form.subscribe):
            why = await self._readers.require(channel)
            if self._number is None:
                return
            answer: Subscribed | CloseCode = CloseCode.UNKNOWN
            if why is None:
                answer = channels.subscribe(
                    number, channel, since=form.since, life=form.life, whole=form.state
                )
            await self.write_message(answer_frame(channels.life, channel, answer, why))
            self._readers.pump_soon()

    def _end(self, code: CloseCode, reason: str) -> None:
        if self._number is not None:
            self._readers.remove(self._number)
            self._number = None
        self.close(code, _shortened(reason))


def _head(length: int) -> bytes:
    """Return what stands before a server's text frame of this length (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((_TEXT, length))
    if length < 1 << 16:
        return struct.pack("!BBH", _TEXT, 126, length)
    return struct.pack("!BBQ", _TEXT, 127, length)


def _shortened(reason: str) -> str:
    """Return what fits into a closing frame."""
    return reason.encode()[:_REASON_BYTES_MAX].decode(errors="ignore")
