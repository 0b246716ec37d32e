"""ZeroMQ sockets as all daemons use them: bounded, heartbeating, and never blocking.

Here are the options of every socket, CURVE, sending and draining. What the frames mean is
`codec`'s business, who may send what the broker's.

A peer that is gone is noticed in two ways: libzmq's own heartbeats close a dead connection (so that
sending to it is refused instead of queued), and the messages' heartbeats tell whether the process
behind a living connection still works; those are the machines' business.
"""

import contextlib
import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

import zmq
from msgspec import structs

from shotline.common.base import Value
from shotline.common.binding import ADVICE, BROKER_ADVICE, host_of, permit
from shotline.common.closable import Closable

if TYPE_CHECKING:
    from shotline.common.settings.sections.broker import BrokerSection

DRAIN_MAX: Final = 1000
# Plain numbers: the arithmetic of zmq's enumerations would cost as much as a frame.
_NOBLOCK: Final = int(zmq.NOBLOCK)
_NOBLOCK_MORE: Final = int(zmq.NOBLOCK) | int(zmq.SNDMORE)
_POLLIN: Final = int(zmq.POLLIN)
_RCVMORE: Final = int(zmq.RCVMORE)
_RECONNECT_MS: Final = 50
_RECONNECT_MAX_MS: Final = 1000
_HANDSHAKE_MS: Final = 5000
TOPIC_BYTES_MAX: Final = 2048
PEERS: Final = "peers"
_SUBSCRIPTIONS_WAITING: Final = 1000
_MONITORED: Final = struct.Struct("=hi")
_NAMED_BY_US: Final = (5, b"\0")  # length and begin of the ids that a ROUTER gives
_NOT_LET_IN: Final = 400  # ZAP's status
_TRY_AGAIN_S: Final = 0.5  # after a refused handshake
_REFUSALS: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


class SocketLimits(Value):
    """What bounds a socket (I8). `heartbeat_timeout_s`: a silent connection is closed then."""

    high_water_mark: int = 100_000
    message_bytes_max: int = 16 * 1024 * 1024
    heartbeat_s: float = 1.0
    heartbeat_timeout_s: float = 5.0

    @classmethod
    def of(cls, broker: "BrokerSection") -> "SocketLimits":
        """Return the limits of the broker's sockets, and of those that daemons reach it by.

        A dead connection is closed before its server is lost, a stalled one is not at once.
        """
        return cls(
            high_water_mark=broker.high_water_mark,
            message_bytes_max=broker.message_bytes_max,
            heartbeat_s=broker.heartbeat_s,
            heartbeat_timeout_s=max(broker.suspect_s, broker.server_lost_s / 2),
        )


class CurveServer(Value):
    """The key pair of a socket that binds; both as libzmq's 40 printable characters.

    `domain`: what whoever looks at keys (ZAP) is told of the socket.
    """

    public: bytes
    secret: bytes
    domain: str = PEERS


class CurveClient(Value):
    """The key pair of a socket that connects, and the public key of the one that it connects to.

    `name`: what people call the key. `also`: other public keys that the one at the other end may
    have. `again` reads all of it again; None: it cannot be read.
    """

    public: bytes
    secret: bytes
    server: bytes
    name: str
    also: tuple[bytes, ...] = ()
    again: "Callable[[], CurveClient | None] | None" = None


class Origin(Value):
    """Where a connection comes from, as libzmq has seen it itself.

    `key`: the public key whose secret it has proven to have, empty without CURVE. `number`: of the
    connection in this process, for `cut_off`.
    """

    key: str
    address: str
    number: int | None


class Delivery(Enum):
    """What became of a message to one peer of a Router."""

    SENT = auto()
    UNREACHABLE = auto()  # nobody is connected under this routing id
    FULL = auto()  # as much as is allowed already waits for it


DEFAULT_LIMITS: Final = SocketLimits()


class _Connected(Closable):
    """What all sockets share: options, draining, closing."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        kind: int,
        limits: SocketLimits,
        curve: CurveServer | CurveClient | None,
    ) -> None:
        socket = self.socket = context.socket(kind)
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = limits.high_water_mark
        socket.setsockopt(zmq.MAXMSGSIZE, limits.message_bytes_max)
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 30)
        socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 10)
        socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)
        socket.setsockopt(zmq.HEARTBEAT_IVL, round(limits.heartbeat_s * 1000))
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, round(limits.heartbeat_timeout_s * 1000))
        socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MAX_MS)
        self._has_keys = isinstance(curve, CurveServer)
        if curve is not None:
            socket.curve_publickey = curve.public
            socket.curve_secretkey = curve.secret
            if isinstance(curve, CurveServer):
                socket.curve_server = 1
                # Without somebody who looks at keys nobody is let in.
                socket.setsockopt_string(zmq.ZAP_DOMAIN, curve.domain)
                socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
            else:
                socket.curve_serverkey = curve.server

    def bind(self, address: str, *, insecure: bool = False) -> str:
        """Bind as `bind` does; the socket is closed where that fails."""
        try:
            insecure = insecure or self._has_keys
            return bind(self.socket, address, insecure=insecure, advice=BROKER_ADVICE)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the socket; what was not sent yet is dropped, unless its `linger` was raised."""
        self.socket.close()

    def _proven(self, frame: zmq.Frame) -> str:
        """Return the public key that a frame's sender has proven to have; empty without CURVE."""
        # Without it a peer may say there what it likes.
        return _told(frame, "User-Id") if self._has_keys else ""

    def _drain(
        self, limit: int, receive: Callable[[int], list[bytes]] | None = None
    ) -> list[list[bytes]]:
        receive = receive or self.socket.recv_multipart
        messages: list[list[bytes]] = []
        try:
            messages.append(receive(_NOBLOCK))
            # Mostly one message waits; asking for more is cheaper than the exception. When there
            # are several, the exception comes once for all of them.
            if int(self.socket.get(zmq.EVENTS)) & _POLLIN:
                while len(messages) < limit:
                    messages.append(receive(_NOBLOCK))
        except zmq.Again:
            pass
        return messages


def bind(
    socket: zmq.Socket[Any], address: str, *, insecure: bool = False, advice: str = ADVICE
) -> str:
    """Bind and return the actual address: a port of 0 or `*` is chosen by the system.

    Raise ConfigError where strangers would reach it, OSError in words when the address is taken or
    not this machine's.
    """
    permit(host_of(address), insecure=insecure, advice=advice)
    _speak(socket, address)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        raise OSError(error.errno, f"cannot bind to {address}: {error.strerror}") from error
    bound = socket.getsockopt(zmq.LAST_ENDPOINT)
    return bound.rstrip(b"\0").decode() if isinstance(bound, bytes) else address


def _speak(socket: zmq.Socket[Any], address: str) -> None:
    """Let a socket take an IPv6 address. For names IPv4 goes first: their order is not ours."""
    if "://[" in address:
        socket.setsockopt(zmq.IPV6, 1)


class Dealer(_Connected):
    """A socket that connects to a Router of the broker, which names the connection.

    It sends only over a connection that stands: without one, `send` returns False and nothing is
    queued (D15). libzmq reconnects by itself; `connection` tells when it has. A handshake that is
    refused is tried again by us: libzmq would never do so, or twenty times a second.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        limits: SocketLimits = DEFAULT_LIMITS,
        curve: CurveClient | None = None,
    ) -> None:
        super().__init__(context, zmq.DEALER, limits, curve)
        self.address = address
        self.refusal = ""
        """Why the last handshake failed, in words; empty after one that did not."""
        self.curve = curve
        """Its key, with the one of the broker's that is being tried, or has been right."""
        self._failures = 0
        self._tried: set[bytes] = set()  # keys of the broker's that were wrong
        self._try_at: float | None = None  # it is not connected until then
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        # Readable when the connection was made or lost; drain it with `connection`.
        self.connection_socket = self.socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | _REFUSALS
        )
        _speak(self.socket, address)
        self.socket.connect(address)

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send one multipart. False: no connection, or too much waits; it never left (I1).

        True is no proof of arrival: the connection may break before the frames have left.
        """
        if self._try_at is not None and time.monotonic() >= self._try_at:
            self._try_at = None
            self.socket.connect(self.address)
        send, last = self.socket.send, len(frames) - 1
        at = 0
        try:
            while at < last:
                send(frames[at], _NOBLOCK_MORE)
                at += 1
            send(frames[last], _NOBLOCK)
        except zmq.Again:
            # A connection that broke between two frames: libzmq drops all frames up to the
            # message's last one, which it must see, or it would drop the next message, too.
            if 0 < at < last:
                for frame in frames[at + 1 : last]:
                    send(frame, _NOBLOCK_MORE)
                send(frames[last], _NOBLOCK)
            return False
        return True

    def receive_all(self, limit: int = DRAIN_MAX) -> list[list[bytes]]:
        """Return what has arrived, at most `limit` messages."""
        return self._drain(limit)

    def connection(self) -> list[bool]:
        """Return what happened to the connection since the last call: True made, False lost."""
        changes = []
        while self.connection_socket.poll(0):
            event, value = _monitored(self.connection_socket)
            if event & _REFUSALS:
                self._refused(event, value)
                continue
            changes.append(event == zmq.EVENT_HANDSHAKE_SUCCEEDED)
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.refusal, self._failures = "", 0
                self._tried.clear()
        return changes

    def _refused(self, event: int, value: int) -> None:
        self._failures += 1
        for_no_reason = event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        if for_no_reason and self._failures == 1:
            return  # the other end may just have ended
        is_unknown = event == zmq.EVENT_HANDSHAKE_FAILED_AUTH and value == _NOT_LET_IN
        if self._take_another_key(is_wrong=not is_unknown) and not is_unknown:
            self._let_go()
            self._try_at = None
            self.socket.connect(self.address)
            return
        name = "" if self.curve is None else self.curve.name
        if is_unknown:
            self.refusal = (
                f"the broker at {self.address} refused this key ({name}): it does not know "
                "it, or it was revoked"
            )
        elif name:
            self.refusal = (
                f"the broker at {self.address} and this key ({name}) do not belong together: "
                "that broker has another key, or none; where its own was rotated, carry a new "
                f"bundle here (shotline keys bundle {name})"
            )
        else:
            self.refusal = (
                f"the broker at {self.address} asks for a key, and none was found for this program"
            )
        if self._try_at is None:
            self._let_go()
            self._try_at = time.monotonic() + _TRY_AGAIN_S

    def _take_another_key(self, *, is_wrong: bool) -> bool:
        """Read our key again; where the broker's is wrong try another. Return whether one is left.

        All of them are tried again and again.
        """
        if self.curve is None:
            return False
        if is_wrong:
            self._tried.add(self.curve.server)
        read = (self.curve.again and self.curve.again()) or self.curve
        known = (read.server, *read.also)
        left = [one for one in known if one not in self._tried]
        if self.curve.server in left:
            left = [self.curve.server]
        if not left:
            self._tried.clear()
        server = (left or known)[0]
        others = tuple(one for one in known if one != server)
        curve = self.curve = structs.replace(
            read, server=server, also=others, again=self.curve.again
        )
        self.socket.curve_publickey, self.socket.curve_secretkey = curve.public, curve.secret
        self.socket.curve_serverkey = curve.server
        return bool(left)

    def _let_go(self) -> None:
        with contextlib.suppress(zmq.ZMQError):  # libzmq has given up already
            self.socket.disconnect(self.address)

    def close(self) -> None:
        """Close the socket; what was not sent yet is dropped."""
        if not self.socket.closed:
            self.socket.disable_monitor()
            self.connection_socket.close(0)
        super().close()


class Router(_Connected):
    """A socket that binds, names its connections, and says what it cannot send.

    A connection's id is never given to another, and nobody can take one over. It must not be told
    to anybody: libzmq ends the process when somebody has taken the id that comes next. Who is
    behind a connection is said by `origins` and by what comes from it.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        limits: SocketLimits = DEFAULT_LIMITS,
        curve: CurveServer | None = None,
        *,
        insecure: bool = False,
    ) -> None:
        super().__init__(context, zmq.ROUTER, limits, curve)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.origins: dict[bytes, Origin] = {}
        """Of the connections that have said something and are not known to have ended."""
        self._by_number: dict[int, bytes] = {}
        # Readable when a connection has ended; drain it with `forget_ended`.
        self.ended_socket = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.address = self.bind(address, insecure=insecure)

    def send(self, peer: bytes, frames: Sequence[bytes]) -> Delivery:
        """Send one multipart to a peer. What is not SENT never left: that is proof (I1)."""
        try:
            send = self.socket.send
            send(peer, _NOBLOCK_MORE)
            for at in range(len(frames) - 1):
                send(frames[at], _NOBLOCK_MORE)
            send(frames[-1], _NOBLOCK)
        except zmq.Again:
            return Delivery.FULL
        except zmq.ZMQError as error:
            if error.errno == errno.EHOSTUNREACH:
                return Delivery.UNREACHABLE
            raise
        return Delivery.SENT

    def receive_all(self, limit: int = DRAIN_MAX) -> list[tuple[bytes, list[bytes]]]:
        """Return what has arrived with the ids of its connections, at most `limit` messages."""
        return [(frames[0], frames[1:]) for frames in self._drain(limit, self._receive)]

    def _receive(self, flags: int) -> list[bytes]:
        receive, get = self.socket.recv, self.socket.get
        frames = [receive(flags)]
        if frames[0] not in self.origins and get(_RCVMORE):
            # Only the first message is asked where it comes from: that takes its time.
            frame = receive(flags, copy=False)
            frames.append(frame.bytes)
            self._meet(frames[0], frame)
        while get(_RCVMORE):
            frames.append(receive(flags))
        return frames

    def _meet(self, connection: bytes, frame: zmq.Frame) -> None:
        number = _connection_of(frame)
        self.origins[connection] = Origin(self._proven(frame), _told(frame, "Peer-Address"), number)
        if number is not None:
            # A number is used again; whose connection had it before has ended, or is asked again.
            if (before := self._by_number.get(number)) is not None:
                self.origins.pop(before, None)
            self._by_number[number] = connection

    def forget_ended(self) -> None:
        """Forget the connections that have ended; what still comes from one is asked again."""
        while self.ended_socket.poll(0):
            if connection := self._by_number.pop(_monitored(self.ended_socket)[1], b""):
                self.origins.pop(connection, None)

    def cut_off(self, connection: bytes) -> None:
        """End a connection; one that is gone is no error."""
        self.forget_ended()
        origin = self.origins.get(connection)
        if origin is not None and origin.number is not None:
            cut_off(origin.number)

    def close(self) -> None:
        """Close the socket; what was not sent yet is dropped."""
        if not self.socket.closed:
            self.socket.disable_monitor()
            self.ended_socket.close(0)
        super().close()


def is_named_by_itself(connection: bytes) -> bool:
    """Return whether a peer has chosen the id of its connection, which is not for it to do."""
    return (len(connection), connection[:1]) != _NAMED_BY_US


class Publisher(_Connected):
    """A socket that binds and sends to whoever has subscribed; a slow subscriber misses messages.

    What it missed shows in the events' numbers (I6). How much is subscribed to is told by
    `subscribed`, so that it can be bounded: an observer is the number of its connection.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        limits: SocketLimits = DEFAULT_LIMITS,
        curve: CurveServer | None = None,
        *,
        insecure: bool = False,
    ) -> None:
        super().__init__(context, zmq.XPUB, limits, curve)
        self.socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        # All that comes in are topics: one that is longer closes its connection. Removing one costs
        # libzmq a level of its stack for each byte: a million bytes would end the process.
        self.socket.setsockopt(zmq.MAXMSGSIZE, TOPIC_BYTES_MAX)
        self.socket.rcvhwm = _SUBSCRIPTIONS_WAITING
        # Readable when an observer has left; drain it with `left`.
        self.left_socket = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.keys: dict[int, str] = {}
        """The public keys of the observers that have subscribed, empty without CURVE."""
        self.address = self.bind(address, insecure=insecure)

    def subscribed(self) -> list[tuple[int, int]]:
        """Return what was subscribed to: the observer, and the bytes of the topic.

        Bytes are negative where a subscription was taken back.
        """
        changes: list[tuple[int, int]] = []
        try:
            while len(changes) < DRAIN_MAX:
                frame = self.socket.recv(_NOBLOCK, copy=False)
                said = frame.bytes
                observer = _connection_of(frame)
                if observer is not None and said[:1] in (b"\0", b"\1"):
                    self.keys[observer] = self._proven(frame)
                    size = len(said) - 1
                    changes.append((observer, size if said[0] else -size))
        except zmq.Again:
            pass
        return changes

    def left(self) -> list[int]:
        """Return the observers that have gone."""
        found = []
        while self.left_socket.poll(0):
            found.append(_monitored(self.left_socket)[1])
            self.keys.pop(found[-1], None)
        return found

    def close(self) -> None:
        """Close the socket; what was not sent yet is dropped."""
        if not self.socket.closed:
            self.socket.disable_monitor()
            self.left_socket.close(0)
        super().close()

    def send(self, topic: bytes, body: bytes) -> None:
        """Send one message to all subscribers of a prefix of `topic`."""
        self.socket.send(topic, _NOBLOCK_MORE)
        self.socket.send(body, _NOBLOCK)


class Subscriber(_Connected):
    """A socket that connects to a Publisher. Raise OSError for what is no address."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        limits: SocketLimits = DEFAULT_LIMITS,
        curve: CurveClient | None = None,
    ) -> None:
        super().__init__(context, zmq.SUB, limits, curve)
        self.address = address
        self.curve = curve
        _speak(self.socket, address)
        try:
            self.socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise OSError(error.errno, f"cannot connect to {address}: {error.strerror}") from error

    def subscribe(self, topic: bytes) -> None:
        """Ask for all topics that begin with `topic`. It counts once the publisher has heard it."""
        self.socket.setsockopt(zmq.SUBSCRIBE, topic)

    def unsubscribe(self, topic: bytes) -> None:
        """Take one `subscribe` back."""
        self.socket.setsockopt(zmq.UNSUBSCRIBE, topic)

    def receive_all(self, limit: int = DRAIN_MAX) -> list[list[bytes]]:
        """Return what has arrived, at most `limit` messages of topic and body."""
        return self._drain(limit)


def _connection_of(frame: zmq.Frame) -> int | None:
    """Return the number of the connection that a frame came by; None when that one has ended."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return None


def _told(frame: zmq.Frame, what: str) -> str:
    """Return what libzmq knows of a frame's connection; of what is no network it knows nothing."""
    try:
        return str(frame.get(what))
    except zmq.ZMQError:
        return ""


def cut_off(number: int) -> None:
    """End a connection of this process; one that is gone is no error."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def _monitored(monitor: zmq.Socket[bytes]) -> tuple[int, int]:
    """Return the next event of a socket's monitor and its value (see zmq_socket_monitor).

    pyzmq has a function for it in a module that imports asyncio, which no command needs.
    """
    event, value = _MONITORED.unpack(monitor.recv_multipart()[0])
    return event, value
