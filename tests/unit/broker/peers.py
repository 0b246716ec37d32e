"""The broker's machine with a clock, and peers whose mail can be read as messages."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from shotline.broker.machine import (
    Broker,
    Event,
    FromClients,
    FromServers,
    UnsentToClient,
    UnsentToServer,
)
from shotline.broker.outbox import Log, Publish, ToClient, ToServer
from shotline.broker.permissions import ANYBODY, Peer
from shotline.common.codec import addressed, decode, encode, is_addressed
from shotline.common.errors import MalformedMessage
from shotline.common.machine import Instant, Tick
from shotline.common.messages import (
    Claim,
    ClaimAccepted,
    Hello,
    Message,
    Ping,
    Register,
    Registered,
    Request,
    ServerBeat,
)
from shotline.common.settings.sections.broker import BrokerSection

SECTION = BrokerSection(clients_max=5, servers_max=5)
DISPATCHER = b"dispatcher/d1"
CLIENT = b"client/c1"
M = TypeVar("M", bound=Message)


def register(
    server: str = "SRV_A:1", incarnation: str = "x", epoch: int = 1, **more: object
) -> Register:
    server_class, _, server_id = server.partition(":")
    return msgspec.convert(
        {
            "server_class": server_class,
            "server_id": server_id,
            "incarnation": incarnation,
            "epoch": epoch,
            "slots": 1,
            "host": "here",
            "pid": 7,
            **more,
        },
        Register,
    )


def beat(epoch: int = 1) -> ServerBeat:
    return ServerBeat(sent_s=0.0, epoch=epoch, last_number=0, busy=0)


class World:
    """One broker; `mail` is what each peer got since it was read last."""

    def __init__(
        self,
        section: BrokerSection = SECTION,
        who: Callable[[bytes], Peer] = lambda _peer: ANYBODY,
    ) -> None:
        self.broker = Broker("b1", "tcp://host:1", "tcp://host:3", section, who, who)
        self.now = 1000.0
        self.mail: dict[bytes, list[tuple[bytes, Message]]] = {}
        self.multiparts: dict[bytes, list[list[bytes]]] = {}
        self.published: list[tuple[bytes, bytes]] = []
        self.logged: list[str] = []
        self.given: set[bytes] = set()  # frames of peers, which the broker may pass on unread
        self.unreachable: set[bytes] = set()
        self.full: set[bytes] = set()

    def handle(self, event: Event) -> None:
        if isinstance(event, FromServers | FromClients):
            self.given.update(frame for _, frames in event.messages for frame in frames)
        effects = list(self.broker.handle(Instant(self.now, 0.0), event))
        self.broker.check()
        for effect in effects:
            match effect:
                case Publish(topic, body):
                    self.published.append((topic, body))
                case Log(_, text):
                    self.logged.append(text)
                case ToServer(peer, batches, server):
                    if peer in self.unreachable | self.full:
                        full = peer in self.full
                        self.handle(UnsentToServer(peer, batches, server, full))
                    else:
                        self.deliver(peer, batches, [(b"", batch) for batch in batches])
                case ToClient(peer, frames):
                    if peer in self.unreachable | self.full:
                        self.handle(UnsentToClient(peer, frames, peer in self.full))
                    elif is_addressed(frames):
                        self.deliver(peer, frames, addressed(frames))
                    else:
                        self.deliver(peer, frames, [(b"", batch) for batch in frames])

    def deliver(self, peer: bytes, frames: list[bytes], letters: list[tuple[bytes, bytes]]) -> None:
        self.multiparts.setdefault(peer, []).append(frames)
        mail = self.mail.setdefault(peer, [])
        for source, batch in letters:
            try:
                mail += [(source, message) for message in decode(batch)]
            except MalformedMessage:
                if batch not in self.given:
                    raise  # it is the broker's own

    def read(self, peer: bytes) -> list[tuple[bytes, Message]]:
        return self.mail.pop(peer, [])

    def got(self, peer: bytes, kind: type[M]) -> list[M]:
        """Read a peer's mail and return the messages of one kind."""
        return [message for _, message in self.read(peer) if isinstance(message, kind)]

    def kinds(self, peer: bytes) -> list[str]:
        return [message.kind for _, message in self.read(peer) if message.kind != "log_line"]

    def server(self, peer: bytes, *messages: Message) -> None:
        self.handle(FromServers([(peer, [encode(messages)])]))

    def client(self, peer: bytes, *messages: Message) -> None:
        self.handle(FromClients([(peer, [encode(messages)])]))

    def dispatcher(self, target: bytes, *messages: Message, peer: bytes = DISPATCHER) -> None:
        self.handle(FromClients([(peer, [target, encode(messages)])]))

    def join(self, name: str = "SRV_A:1", incarnation: str = "x", **more: object) -> bytes:
        peer = f"{name}/{incarnation}".encode()
        self.server(peer, register(name, incarnation, **more))
        assert self.got(peer, Registered)
        return peer

    def seat(self, term: int = 1, peer: bytes = DISPATCHER) -> None:
        self.dispatcher(b"", Claim(term=term, name="d"), peer=peer)
        assert self.got(peer, ClaimAccepted)

    def greet(self, peer: bytes = CLIENT) -> None:
        self.client(peer, Hello(name="test"))
        self.read(peer)

    def pass_time(self, seconds: float, *alive: bytes, step_s: float = 0.5) -> None:
        """Let time pass, with a beat of each of `alive` in every step."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + step_s)
            for peer in alive:
                if peer.startswith(b"dispatcher/"):
                    self.dispatcher(b"", Ping(sent_s=0.0), peer=peer)
                elif peer.startswith(b"client/"):
                    self.client(peer, Ping(sent_s=0.0))
                else:
                    self.server(peer, beat())
            self.handle(Tick())

    def request(self, verb: str = "status", lifetime_s: float = 10.0) -> Request:
        return Request(
            id="request-1", verb=verb, deadline_s=self.now + lifetime_s, command=b'{"verb":"x"}'
        )
