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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

import zmq

from shotline.common.binding import host_of, permit
from shotline.common.closable import Closable

if TYPE_CHECKING:
    from shotline.common.settings.sections import BrokerSection

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
_SUBSCRIPTIONS_WAITING: Final = 1000
_MONITORED: Final = struct.Struct("=hi")


@dataclass(frozen=True, slots=True)
class SocketLimits:
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


@dataclass(frozen=True, slots=True)
class CurveServer:
    """The key pair of a socket that binds; both as libzmq's 40 printable characters."""

    public: bytes
    secret: bytes


@dataclass(frozen=True, slots=True)
class CurveClient:
    """The key pair of a socket that connects, and the public key of the one that it connects to."""

    public: bytes
    secret: bytes
    server: bytes


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
        if curve is not None:
            socket.curve_publickey = curve.public
            socket.curve_secretkey = curve.secret
            if isinstance(curve, CurveServer):
                socket.curve_server = 1
            else:
                socket.curve_serverkey = curve.server

    def bind(self, address: str, *, insecure: bool = False) -> str:
        """Bind as `bind` does; the socket is closed where that fails."""
        try:
            return bind(self.socket, address, insecure=insecure)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the socket; what was not sent yet is dropped, unless its `linger` was raised."""
        self.socket.close()

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


def bind(socket: zmq.Socket[Any], address: str, *, insecure: bool = False) -> str:
    """Bind and return the actual address: a port of 0 or `*` is chosen by the system.

    Raise ConfigError where strangers would reach it, OSError in words when the address is taken or
    not this machine's.
    """
    permit(host_of(address), insecure=insecure)
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
    """A socket that connects to a Router of the broker under an identity of its own.

    It sends only over a connection that stands: without one, `send` returns False and nothing is
    queued (D15). libzmq reconnects by itself; `connection` tells when it has.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        identity: bytes,
        limits: SocketLimits = DEFAULT_LIMITS,
        curve: CurveClient | None = None,
    ) -> None:
        super().__init__(context, zmq.DEALER, limits, curve)
        self.address = address
        self.identity = identity
        self.socket.setsockopt(zmq.ROUTING_ID, identity)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        # Readable when the connection was made or lost; drain it with `connection`.
        self.connection_socket = self.socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        )
        _speak(self.socket, address)
        self.socket.connect(address)

    def send(self, frames: Sequence[bytes]) -> bool:
        """Send one multipart. False: no connection, or too much waits; it never left (I1).

        True is no proof of arrival: the connection may break before the frames have left.
        """
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
            event, _ = _monitored(self.connection_socket)
            changes.append(event == zmq.EVENT_HANDSHAKE_SUCCEEDED)
        return changes

    def close(self) -> None:
        """Close the socket; what was not sent yet is dropped."""
        if not self.socket.closed:
            self.socket.disable_monitor()
            self.connection_socket.close(0)
        super().close()


class Router(_Connected):
    """A socket that binds, knows its peers by routing id, and says what it cannot send.

    A peer that connects under a routing id in use takes it over: after a broken connection the
    same process comes back before libzmq has noticed the break. That different processes do not
    take each other's is the incarnation's and the broker's business.
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
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
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
        """Return what has arrived with its senders' routing ids, at most `limit` messages."""
        return [(frames[0], frames[1:]) for frames in self._drain(limit)]

    def receive_addressed(
        self, mark: bytes, limit: int = DRAIN_MAX, *, but_not: bytes | None = None
    ) -> tuple[list[tuple[bytes, list[bytes]]], dict[bytes, str]]:
        """Return what has arrived, and the network addresses of some of its senders.

        They are told of those whose message has `mark` in its first frame: only they are asked for.
        `but_not`: how the routing ids of peers begin of whom nothing is looked at.
        """
        addresses: dict[bytes, str] = {}
        socket = self.socket

        def receive(flags: int) -> list[bytes]:
            peer = socket.recv(flags)
            if but_not is not None and peer.startswith(but_not):
                return [peer, *socket.recv_multipart(flags)]
            frame = socket.recv(flags, copy=False)
            frames = [peer, frame.bytes]
            if mark in frames[1]:
                addresses[peer] = _address_of(frame)
            while socket.get(_RCVMORE):
                frames.append(socket.recv(flags))
            return frames

        arrived = [(frames[0], frames[1:]) for frames in self._drain(limit, receive)]
        return arrived, addresses


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
        return found

    def cut_off(self, observer: int) -> None:
        """End an observer's connection; one that is gone is no error."""
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(observer)) as connection:
            connection.shutdown(socket.SHUT_RDWR)

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
    """A socket that connects to a Publisher."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        limits: SocketLimits = DEFAULT_LIMITS,
        curve: CurveClient | None = None,
    ) -> None:
        super().__init__(context, zmq.SUB, limits, curve)
        self.address = address
        _speak(self.socket, address)
        self.socket.connect(address)

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


def _address_of(frame: zmq.Frame) -> str:
    """Return the network address that a frame came from; none is known of what is no network."""
    try:
        return str(frame.get("Peer-Address"))
    except zmq.ZMQError:
        return ""


def _monitored(monitor: zmq.Socket[bytes]) -> tuple[int, int]:
    """Return the next event of a socket's monitor and its value (see zmq_socket_monitor).

    pyzmq has a function for it in a module that imports asyncio, which no command needs.
    """
    event, value = _MONITORED.unpack(monitor.recv_multipart()[0])
    return event, value
