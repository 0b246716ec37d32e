"""The broker's state machine: who sent what, where it goes, what is answered. Pure.

All that can change the broker's state is in `Broker.handle`; sockets and clock are the shell's
(`server`). It works on frames: what it passes on it never decodes. Malformed or forbidden input
changes nothing: a Problem to its sender, a count, a log line at most once a second (I7).

Servers are `registry`'s, the dispatcher's claim is `seat`'s business; here is what arrives on each
link and who may send it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import structs

from shotline.broker.liveness import PauseDetector, Watch
from shotline.broker.outbox import Effect, Outbox
from shotline.broker.permissions import EVERYBODY, Roles, may_command, may_send, shown_role
from shotline.broker.registry import Registry, Server
from shotline.broker.seat import Seat
from shotline.common.codec import BATCH_MAX, BROKER, PUBLISH, decode, decode_one, encode_body
from shotline.common.errors import MalformedMessage
from shotline.common.machine import Instant, Tick
from shotline.common.messages import (
    PROTOCOL,
    Claim,
    Goodbye,
    Hello,
    Message,
    Outcome,
    Ping,
    Pong,
    ProbeAnswer,
    Problem,
    Register,
    Reply,
    Request,
    ServerBeat,
    Undeliverable,
    Welcome,
)
from shotline.common.metrics import Metric, counter, counters, gauge
from shotline.common.sections import BrokerSection

DISPATCHER_PREFIX: Final = b"dispatcher/"
FROM_SERVERS: Final = frozenset(
    (b"started", b"progress", b"output", b"finished", b"returned", b"bound", b"log_line")
)
TO_SERVERS: Final = frozenset(
    (
        b"dispatch",
        b"abort_attempt",
        b"answered",
        b"output_stored",
        b"command_server",
        b"clear_binding",
        b"register_anew",
        b"problem",
    )
)
TO_CLIENTS: Final = frozenset((b"reply", b"problem"))
_COUNTED: Final = {
    "malformed": "Messages that were no messages, or not for their senders to send.",
    "refused": "Commands refused for their senders' role.",
    "undeliverable": "Messages returned to the dispatcher.",
    "replies_dropped": "Replies whose clients were gone, or too slow.",
    "slow_clients": "Messages dropped as too many waited for their client.",
    "unanswerable": "Commands that found no dispatcher.",
    "pauses": "Times that the broker itself stood still.",
}
"""`Counters` in the words of the metrics."""
_UNDELIVERABLE_BYTES_MAX: Final = 1024 * 1024
_COMPLAINT_S: Final = 1.0


class FromServers(NamedTuple):
    """What one wake-up drained from the servers' socket: routing id and frames of each.

    `addresses`: the network addresses of those that register, by routing id.
    """

    messages: Sequence[tuple[bytes, list[bytes]]]
    addresses: Mapping[bytes, str] = MappingProxyType({})


class FromClients(NamedTuple):
    """What one wake-up drained from the socket of clients and dispatchers."""

    messages: Sequence[tuple[bytes, list[bytes]]]


class UnsentToServer(NamedTuple):
    """A ToServer that could not be sent; these frames never left. `full`: too much waits there."""

    peer: bytes
    frames: list[bytes]
    returnable: bool
    full: bool


class UnsentToClient(NamedTuple):
    """A ToClient that could not be sent."""

    peer: bytes
    frames: list[bytes]
    full: bool


Event = FromServers | FromClients | UnsentToServer | UnsentToClient | Tick


@dataclass(slots=True)
class Counters:
    """What has happened since the start, in the words of `_COUNTED`."""

    malformed: int = 0
    refused: int = 0
    undeliverable: int = 0
    replies_dropped: int = 0
    slow_clients: int = 0
    unanswerable: int = 0
    pauses: int = 0

    def __str__(self) -> str:
        named = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ", ".join(f"{name} {count}" for name, count in named if count) or "no trouble"


class Broker:
    """Routes, judges who is alive, checks roles. It keeps nothing and makes no choice."""

    def __init__(
        self,
        name: str,
        clients_address: str,
        events_address: str,
        section: BrokerSection,
        roles: Callable[[bytes], Roles] = lambda _peer: EVERYBODY,
    ) -> None:
        """Make the broker of one life: `name` is new in each. `roles` of a peer, by routing id."""
        self.name = name
        self.counters = Counters()
        self._clients_address = clients_address
        self._events_address = events_address
        self._section = section
        self._roles = roles
        self._outbox = Outbox(f"broker/{name}")
        self._registry = Registry(section, name, self._outbox)
        self._seat = Seat(section, name, self._outbox, self._registry)
        self._clients: Watch[bytes] = Watch(section.suspect_s, section.server_lost_s)
        self._pauses = PauseDetector(section.heartbeat_s / 2)
        self._complaints_from: float | None = None  # not before this is the next one logged
        self._complaints_unsaid = 0
        self._from_servers = self._from_clients = 0  # messages taken, batches as one

    def handle(self, now: Instant, event: Event) -> Sequence[Effect]:
        """Take one event and return what is to be done, in this order.

        The lists of frames in the event are the machine's from now on: it passes them on.
        """
        if self._pauses.paused(now.mono):
            # Nobody is judged before what arrived meanwhile has been read: all deadlines are later.
            self.counters.pauses += 1
            self._registry.restart(now)
            self._seat.restart(now)
            self._clients.restart(now.mono)
            self._outbox.log(now.wall, "warning", "the broker was paused; deadlines start again")
        match event:
            case FromServers(messages, addresses):
                self._from_servers += len(messages)
                for peer, frames in messages:
                    self._from_server(now, peer, frames, addresses)
            case FromClients(messages):
                self._from_clients += len(messages)
                for peer, frames in messages:
                    self._from_client(now, peer, frames)
            case UnsentToServer():
                self._unsent_to_server(now, event)
            case UnsentToClient():
                self._unsent_to_client(now, event)
            case Tick():
                self._registry.expire(now)
                self._seat.expire(now)
                self._clients.expire(now.mono)
        self._seat.outranked(now)
        if not (self._registry.by_peer or self._clients or self._outbox.dispatcher):
            self._pauses.rest()
        return self._outbox.take()

    def wake_at(self) -> float | None:
        """Return the monotonic time of the next deadline, None without one."""
        due = self._pauses.wake_at()
        for at in (self._registry.wake_at(), self._seat.wake_at(), self._clients.wake_at()):
            if at is not None and (due is None or at < due):
                due = at
        return due

    def summary(self) -> str:
        """Return a line for `systemctl status`."""
        term = self._seat.term
        dispatcher = "no dispatcher" if term is None else f"dispatcher of term {term}"
        servers = len(self._registry.by_peer)
        return f"{dispatcher}, {servers} servers, {len(self._clients)} clients; {self.counters}"

    def metrics(self) -> Iterator[Metric]:
        """Yield what it has counted."""
        yield gauge("broker_servers", "Servers that are registered.", len(self._registry.by_peer))
        yield gauge("broker_clients", "Clients that are connected.", len(self._clients))
        yield gauge(
            "broker_dispatcher_up", "Whether a dispatcher answers.", self._seat.term is not None
        )
        yield counters(
            "broker_messages",
            "Multipart messages taken.",
            ("link",),
            [(("servers",), self._from_servers), (("clients",), self._from_clients)],
        )
        for field in fields(self.counters):
            words = _COUNTED[field.name]
            yield counter(f"broker_{field.name}", words, getattr(self.counters, field.name))

    def check(self) -> None:
        """Assert what must hold after every event."""
        self._registry.check()
        self._seat.check()
        assert len(self._clients) <= self._section.clients_max

    # The servers' link.

    def _from_server(
        self, now: Instant, peer: bytes, frames: list[bytes], addresses: Mapping[bytes, str]
    ) -> None:
        server = self._registry.by_peer.get(peer)
        kinds = frames[::2]
        if server is not None and frames and FROM_SERVERS.issuperset(kinds) and not len(frames) & 1:
            # The hot path: a known server's frames go on as they are.
            self._registry.hear(now, server)
            if server.introduced and len(frames) <= 2 * BATCH_MAX:
                self._outbox.forward_to_dispatcher(peer, frames)
            return
        try:
            batch = _partly_decoded(frames, FROM_SERVERS)
            self._check_roles(peer, kinds)
            if isinstance(batch[0][2], Register):
                register = batch.pop(0)[2]
                assert isinstance(register, Register)
                register = structs.replace(register, address=addresses.get(peer, ""))
                self._registry.register(now, peer, register, encode_body(register))
        except MalformedMessage as error:
            self._complain(now, f"server {peer!r}", error)
            self._outbox.to_server(peer, Problem(text=error.detail))
            return
        for kind, body, message in batch:
            self._take_from_server(now, peer, kind, body, message)

    def _take_from_server(
        self, now: Instant, peer: bytes, kind: bytes, body: bytes, message: Message | None
    ) -> None:
        if isinstance(message, Goodbye):
            self._registry.goodbye(now, peer, message.why)
            return
        if isinstance(message, Problem):
            self._note(now, f"server {peer!r} says: {message.text[:500]!r}")
            return
        server = self._registry.by_peer.get(peer)
        if server is None:
            self._registry.stranger(now, peer)
            return
        self._registry.hear(now, server)
        if isinstance(message, ServerBeat):
            self._take_beat(now, server, message, body)
        elif isinstance(message, ProbeAnswer):
            self._registry.probe_answer(now, server)
        elif server.introduced:
            self._outbox.forward_to_dispatcher(peer, [kind, body])

    def _take_beat(self, now: Instant, server: Server, beat: ServerBeat, body: bytes) -> None:
        self._outbox.to_server(server.peer, self._pong(now, beat.sent_s))
        self._registry.beat(now, server, beat.epoch)
        if server.introduced and beat.epoch == server.epoch:
            self._outbox.forward_to_dispatcher(server.peer, [b"server_beat", body])

    # The link of clients and dispatchers.

    def _from_client(self, now: Instant, peer: bytes, frames: list[bytes]) -> None:
        dispatcher = peer.startswith(DISPATCHER_PREFIX)
        try:
            if dispatcher:
                self._from_dispatcher(now, peer, frames)
                return
            messages = decode(frames)
            self._check_roles(peer, frames[::2])
            if not all(isinstance(one, Hello | Ping | Request | Goodbye) for one in messages):
                raise MalformedMessage("a client sends hello, ping, request and goodbye")
            if peer not in self._clients and len(self._clients) >= self._section.clients_max:
                raise MalformedMessage(
                    f"{self._section.clients_max} clients are connected, the limit clients_max"
                )
        except MalformedMessage as error:
            self._complain(now, f"{'dispatcher' if dispatcher else 'client'} {peer!r}", error)
            problem = Problem(text=error.detail)
            if dispatcher:
                self._outbox.to_a_dispatcher(peer, problem)
            else:
                self._outbox.to_client(peer, problem)
            return
        self._clients.hear(now.mono, peer)
        for message, body in zip(messages, frames[1::2], strict=True):
            self._take_from_client(now, peer, message, body)

    def _take_from_client(self, now: Instant, peer: bytes, message: Message, body: bytes) -> None:
        match message:
            case Hello():
                self._welcome(now, peer, message)
            case Ping():
                self._outbox.to_client(peer, self._pong(now, message.sent_s))
            case Request():
                self._take_request(now, peer, message, body)
            case Goodbye():
                self._clients.forget(peer)

    def _welcome(self, now: Instant, peer: bytes, hello: Hello) -> None:
        if hello.protocol != PROTOCOL:
            text = (
                f"{hello.name} speaks protocol {hello.protocol}, this broker {PROTOCOL}; "
                "install the same version of Shotline on both machines"
            )
            self._note(now, text)
            self._outbox.to_client(peer, Problem(text=text))
            return
        self._outbox.to_client(
            peer,
            Welcome(
                broker=self.name,
                clock_s=now.mono,
                events=self._events_address,
                term=self._seat.term,
                role=shown_role(self._roles(peer)),
            ),
        )

    def _take_request(self, now: Instant, peer: bytes, request: Request, body: bytes) -> None:
        absence = self._seat.absence
        if not may_command(self._roles(peer), request.verb):
            role = shown_role(self._roles(peer))
            self.counters.refused += 1
            self._note(now, f"client {peer!r} may not {request.verb!r} as {role}")
            text = f"{request.verb} is not for the role {role}"
            self._reply(peer, request, Outcome.REFUSED, text)
        elif request.deadline_s <= now.mono:
            late_s = now.mono - request.deadline_s
            text = (
                f"{request.verb} expired {late_s:.1f} s before it reached the broker and was not "
                "passed on; give it again if it is still wanted"
            )
            self._reply(peer, request, Outcome.REFUSED, text)
        elif absence is not None:
            self.counters.unanswerable += 1
            self._reply(peer, request, Outcome.NOBODY, f"{absence} at {self._clients_address}")
        else:
            self._outbox.forward_to_dispatcher(peer, [b"request", body])

    def _reply(self, peer: bytes, request: Request, outcome: Outcome, text: str) -> None:
        self._outbox.to_client(peer, Reply(id=request.id, outcome=outcome, message=text))

    def _from_dispatcher(self, now: Instant, peer: bytes, frames: list[bytes]) -> None:
        """Take one multipart of a dispatcher. Raise MalformedMessage before anything is changed."""
        if len(frames) < 3 or not len(frames) & 1 or len(frames) > 2 * BATCH_MAX:
            raise MalformedMessage(
                f"a dispatcher sends a target, then kind and body in turn, got {len(frames)} frames"
            )
        target = frames[0]
        if target == BROKER:
            messages = decode(frames[1:])
            self._check_roles(peer, frames[1::2])
            if not all(isinstance(one, Claim | Ping | Goodbye) for one in messages):
                raise MalformedMessage("a dispatcher tells the broker claim, ping and goodbye")
            for message in messages:
                self._take_from_dispatcher(now, peer, message)
            return
        if not self._seat.holds(peer):
            raise MalformedMessage("only the dispatcher that holds the term may send; claim first")
        del frames[0]
        if target == PUBLISH:
            for at in range(0, len(frames), 2):
                self._outbox.publish(frames[at], frames[at + 1])
        elif target in self._registry.by_peer:
            _require(TO_SERVERS, frames)
            self._outbox.forward_to_server(target, frames)
        elif target.startswith(DISPATCHER_PREFIX):
            raise MalformedMessage("a dispatcher is not a target")
        elif TO_CLIENTS.issuperset(frames[::2]):
            self._outbox.forward_to_client(target, frames)
        else:
            _require(TO_SERVERS, frames)
            self._return(target, frames, "no server is registered under this incarnation")
        self._seat.hear(now, peer)

    def _take_from_dispatcher(self, now: Instant, peer: bytes, message: Message) -> None:
        self._seat.hear(now, peer)
        match message:
            case Claim():
                self._seat.claim(now, peer, message)
            case Ping():
                self._seat.ping(peer, message.term)
                pong = self._pong(now, message.sent_s)
                self._outbox.to_a_dispatcher(peer, pong)
            case Goodbye():
                self._seat.goodbye(now, peer)

    # What could not be sent.

    def _unsent_to_server(self, now: Instant, unsent: UnsentToServer) -> None:
        why = "too many messages wait for it" if unsent.full else "it is not connected"
        if unsent.returnable:
            self._return(unsent.peer, unsent.frames, why)
        if not unsent.full:
            self._registry.doubt(now, unsent.peer)

    def _unsent_to_client(self, now: Instant, unsent: UnsentToClient) -> None:
        if not unsent.peer.startswith(DISPATCHER_PREFIX):
            self.counters.replies_dropped += unsent.frames[::2].count(b"reply")
            self.counters.slow_clients += unsent.full
            if not unsent.full:
                self._clients.forget(unsent.peer)
            return
        why = "too many messages wait for it" if unsent.full else "its connection is broken"
        self._seat.lost_frames(now, unsent.peer, why)
        client, *frames = unsent.frames
        for kind, body in zip(frames[::2], frames[1::2], strict=True):
            if kind == b"request":
                request = decode_one(kind, body)
                assert isinstance(request, Request)
                self.counters.unanswerable += 1
                text = f"the dispatcher cannot be reached: {why}"
                self._reply(client, request, Outcome.NOBODY, text)

    def _return(self, target: bytes, frames: list[bytes], why: str) -> None:
        """Give frames back to the dispatcher, in as many messages as their size asks for."""
        part: list[bytes] = []
        size = 0
        for at in range(0, len(frames), 2):
            if part and size + len(frames[at + 1]) > _UNDELIVERABLE_BYTES_MAX:
                self._outbox.to_dispatcher(
                    Undeliverable(target=target, why=why, frames=tuple(part))
                )
                part, size = [], 0
            part += frames[at : at + 2]
            size += len(frames[at + 1])
        self._outbox.to_dispatcher(Undeliverable(target=target, why=why, frames=tuple(part)))
        self.counters.undeliverable += len(frames) // 2

    # What all links share.

    def _pong(self, now: Instant, sent_s: float) -> Pong:
        return Pong(sent_s=sent_s, broker=self.name, clock_s=now.mono, term=self._seat.term)

    def _check_roles(self, peer: bytes, kinds: Sequence[bytes]) -> None:
        roles = self._roles(peer)
        for kind in kinds:
            if not may_send(roles, kind):
                raise MalformedMessage(f"{kind[:40]!r} is not for {shown_role(roles)} to send")

    def _complain(self, now: Instant, who: str, error: MalformedMessage) -> None:
        self.counters.malformed += 1
        self._note(now, f"{who} sent what is not allowed: {error.detail[:500]}")

    def _note(self, now: Instant, text: str) -> None:
        """Log what a peer can cause as often as it likes: one line a second."""
        if self._complaints_from is not None and now.mono < self._complaints_from:
            self._complaints_unsaid += 1
            return
        unsaid, self._complaints_unsaid = self._complaints_unsaid, 0
        self._complaints_from = now.mono + _COMPLAINT_S
        more = f" (and {unsaid} more since the last such line)" if unsaid else ""
        self._outbox.log(now.wall, "warning", text + more)


def _partly_decoded(
    frames: list[bytes], passed_on: frozenset[bytes]
) -> list[tuple[bytes, bytes, Message | None]]:
    """Return kind, body and message of a batch; None for the kinds that are passed on."""
    if not frames or len(frames) & 1 or len(frames) > 2 * BATCH_MAX:
        raise MalformedMessage(f"a batch is kind and body in turn, got {len(frames)} frames")
    batch = []
    for at in range(0, len(frames), 2):
        kind, body = frames[at], frames[at + 1]
        batch.append((kind, body, None if kind in passed_on else decode_one(kind, body)))
    if any(isinstance(message, Register) for _, _, message in batch[1:]):
        raise MalformedMessage("a registration is the first message of its batch")
    return batch


def _require(kinds: frozenset[bytes], frames: list[bytes]) -> None:
    for kind in frames[::2]:
        if kind not in kinds:
            raise MalformedMessage(f"{kind[:40]!r} is not for a dispatcher to send there")
