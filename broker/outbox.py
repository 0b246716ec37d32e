"""What leaves the broker's machine: effects, and the gathering of batches by destination. Pure.

What one wake-up has for a destination leaves as one multipart, in its order. Only what a server
gets from the broker itself leaves apart: it is not given back where it cannot be sent.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from shotline.common.codec import BROKER, encode, in_protocol_1
from shotline.common.messages import LogLevel, LogLine, Message

_FRAMES_MAX: Final = 256


class ToServer(NamedTuple):
    """Send to a server's connection.

    `server`: whose they are, of those of the dispatcher's, which come back when not sent; empty for
    the broker's own.
    """

    peer: bytes
    batches: list[bytes]
    server: bytes


class ToClient(NamedTuple):
    """Send to a client's connection: batches; or to a dispatcher's: addresses and batches."""

    peer: bytes
    frames: list[bytes]


class Publish(NamedTuple):
    """Publish on the event feed."""

    topic: bytes
    batch: bytes


class Log(NamedTuple):
    """Write to the broker's log."""

    level: LogLevel
    text: str


Effect = ToServer | ToClient | Publish | Log


class Outbox:
    """Gathers the effects of one `handle`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._effects: list[Effect] = []
        self._to_dispatcher: list[bytes] = []  # addresses and batches in turn
        self._towards: dict[bytes, tuple[bytes, list[bytes]]] = {}  # by connection: whose, what
        # Where forwarded batches go. Without one they are dropped: servers send again (I2).
        self.dispatcher: bytes | None = None

    def seat(self, dispatcher: bytes | None) -> None:
        """Set where forwarded batches go from now on."""
        self._flush_dispatcher()
        self.dispatcher = dispatcher

    def forward_to_dispatcher(self, source: bytes, batch: bytes) -> None:
        """Gather an undecoded batch of a server or client, or (`BROKER`) our own."""
        if self.dispatcher is None:
            return
        self._to_dispatcher += (source, batch)
        if len(self._to_dispatcher) >= _FRAMES_MAX:
            self._flush_dispatcher()

    def forward_to_server(self, peer: bytes, server: bytes, batch: bytes) -> None:
        """Gather an undecoded batch of the dispatcher for a server, by its connection."""
        towards = self._towards.get(peer)
        if towards is None:
            self._towards[peer] = (server, [batch])
        elif len(towards[1]) < _FRAMES_MAX:
            towards[1].append(batch)
        else:
            self._effects.append(ToServer(peer, towards[1], server))
            self._towards[peer] = (server, [batch])

    def forward_to_client(self, target: bytes, batch: bytes) -> None:
        """Pass a batch of the dispatcher on to a client."""
        self._effects.append(ToClient(target, [batch]))

    def publish(self, topic: bytes, batch: bytes) -> None:
        """Publish events."""
        self._effects.append(Publish(topic, batch))

    def to_server(self, peer: bytes, *messages: Message) -> None:
        """Send messages of the broker's own to a server."""
        before = self._towards.pop(peer, None)
        if before is not None:
            self._effects.append(ToServer(peer, before[1], before[0]))
        self._effects.append(ToServer(peer, [encode(messages)], b""))

    def to_old_server(self, peer: bytes, text: str) -> None:
        """Tell a server of protocol 1 why it is refused, in its words."""
        refused = in_protocol_1("registration_refused", text=text, fatal=True)
        self._effects.append(ToServer(peer, refused, b""))

    def to_old_client(self, peer: bytes, text: str) -> None:
        """Tell a client of protocol 1 why it is refused, in its words."""
        self._effects.append(ToClient(peer, in_protocol_1("problem", text=text)))

    def to_client(self, peer: bytes, *messages: Message) -> None:
        """Send messages of the broker's own to a client."""
        self._effects.append(ToClient(peer, [encode(messages)]))

    def to_a_dispatcher(self, peer: bytes, *messages: Message) -> None:
        """Send messages of the broker's own to a dispatcher, accepted or not."""
        if peer == self.dispatcher:
            self.forward_to_dispatcher(BROKER, encode(messages))
        else:
            self._effects.append(ToClient(peer, [BROKER, encode(messages)]))

    def to_dispatcher(self, *messages: Message) -> None:
        """Send messages of the broker's own to the accepted dispatcher, where there is one."""
        if self.dispatcher is not None:
            self.to_a_dispatcher(self.dispatcher, *messages)

    def log(self, wall: float, level: LogLevel, text: str) -> None:
        """Log a line, here and through the dispatcher at the observers'."""
        self._effects.append(Log(level, text))
        if level != "debug":
            self.to_dispatcher(LogLine(source=self._name, level=level, text=text, at=wall))

    def take(self) -> Sequence[Effect]:
        """Return all effects in their order."""
        self._flush_dispatcher()
        for peer, (server, batches) in self._towards.items():
            self._effects.append(ToServer(peer, batches, server))
        self._towards = {}
        effects, self._effects = self._effects, []
        return effects

    def _flush_dispatcher(self) -> None:
        if self._to_dispatcher:
            assert self.dispatcher is not None
            self._effects.append(ToClient(self.dispatcher, self._to_dispatcher))
            self._to_dispatcher = []
