"""What leaves the broker's machine: effects, and the gathering of frames by destination. Pure.

Forwarded frames of one wake-up are gathered, so that each destination gets one multipart. Messages
of the broker's own go after what was gathered before them: order is never changed on a link.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from shotline.common.codec import BROKER, encode
from shotline.common.messages import LogLevel, LogLine, Message

_MERGED_FRAMES_MAX: Final = 256


class ToServer(NamedTuple):
    """Send to a server. `returnable`: the dispatcher's frames, which come back when not sent."""

    peer: bytes
    frames: list[bytes]
    returnable: bool


class ToClient(NamedTuple):
    """Send to a client or dispatcher."""

    peer: bytes
    frames: list[bytes]


class Publish(NamedTuple):
    """Publish on the event feed."""

    topic: bytes
    body: bytes


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
        self._from: dict[bytes, list[bytes]] = {}  # by source, towards the dispatcher
        self._towards: dict[bytes, list[bytes]] = {}  # by server
        # Where forwarded frames go. Without one they are dropped: servers send again (I2).
        self.dispatcher: bytes | None = None

    def seat(self, dispatcher: bytes | None) -> None:
        """Set where forwarded frames go from now on."""
        self._flush_dispatcher()
        self.dispatcher = dispatcher

    def forward_to_dispatcher(self, source: bytes, frames: list[bytes]) -> None:
        """Gather undecoded frames of a server or client."""
        if self.dispatcher is None:
            return
        gathered = self._from.get(source)
        if gathered is None:
            self._from[source] = [source, *frames]
        elif len(gathered) + len(frames) <= _MERGED_FRAMES_MAX:
            gathered += frames
        else:
            self._effects.append(ToClient(self.dispatcher, gathered))
            self._from[source] = [source, *frames]

    def forward_to_server(self, target: bytes, frames: list[bytes]) -> None:
        """Gather undecoded frames of the dispatcher."""
        gathered = self._towards.get(target)
        if gathered is None:
            self._towards[target] = frames
        elif len(gathered) + len(frames) <= _MERGED_FRAMES_MAX:
            gathered += frames
        else:
            self._effects.append(ToServer(target, gathered, True))
            self._towards[target] = frames

    def forward_to_client(self, target: bytes, frames: list[bytes]) -> None:
        """Pass frames of the dispatcher on to a client."""
        self._effects.append(ToClient(target, frames))

    def publish(self, topic: bytes, body: bytes) -> None:
        """Publish an event."""
        self._effects.append(Publish(topic, body))

    def to_server(self, peer: bytes, *messages: Message) -> None:
        """Send messages of the broker's own to a server."""
        before = self._towards.pop(peer, None)
        if before is not None:
            self._effects.append(ToServer(peer, before, True))
        self._effects.append(ToServer(peer, encode(messages), False))

    def to_client(self, peer: bytes, *messages: Message) -> None:
        """Send messages of the broker's own to a client."""
        self._effects.append(ToClient(peer, encode(messages)))

    def to_a_dispatcher(self, peer: bytes, *messages: Message) -> None:
        """Send messages of the broker's own to a dispatcher, accepted or not."""
        self._flush_dispatcher()
        self._effects.append(ToClient(peer, [BROKER, *encode(messages)]))

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
        for target, frames in self._towards.items():
            self._effects.append(ToServer(target, frames, True))
        self._towards = {}
        effects, self._effects = self._effects, []
        return effects

    def _flush_dispatcher(self) -> None:
        if self._from:
            assert self.dispatcher is not None
            for frames in self._from.values():
                self._effects.append(ToClient(self.dispatcher, frames))
            self._from = {}
