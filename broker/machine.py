"""The broker's state machine: who sent what, where it goes, what is answered. Pure.

All that can change the broker's state is in `Broker.handle`; sockets and clock are the shell's
(`server`). It works on frames: what it passes on it never decodes. Malformed or forbidden input
changes nothing: a Problem to its sender, a count, a log line at most once a second (I7).

Servers are `registry`'s, the dispatcher's claim is `seat`'s business; here is what arrives on each
link and who may send it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Final, NamedTuple

from msgspec import Raw, structs

from shotline.broker.liveness import PauseDetector, Watch
from shotline.broker.outbox import Effect, Outbox
from shotline.broker.permissions import ANYBODY, Peer, may_command, may_send, shown_role
from shotline.broker.registry import Registry, Server, other_protocol
from shotline.broker.seat import Seat
from shotline.common.codec import (
    BROKER,
    PUBLISH,
    RequestHead,
    addressed,
    as_part,
    decode,
    decode_one,
    is_addressed,
    is_of_protocol_1,
    join,
    kinds_of,
    parts_of,
    request_head,
    split,
)
from shotline.common.commands import READING, VIEWING
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
    ServerBeat,
    TurnedAway,
    Undeliverable,
    Vouched,
    Welcome,
)
from shotline.common.metrics import Metric, counter, counters, gauge
from shotline.common.settings.sections.broker import BrokerSection
from shotline.common.tellings import Tellings

FROM_SERVERS: Final = frozenset(
    (
        "started",
        "progress",
        "tail",
        "output",
        "finished",
        "returned",
        "bound",
        "workers_told",
        "log_line",
    )
)
TO_SERVERS: Final = frozenset(
    (
        "dispatch",
        "abort_attempt",
        "answered",
        "output_stored",
        "command_server",
        "clear_binding",
        "command_beats",
        "command_workers",
        "register_anew",
        "problem",
    )
)
FROM_CLIENTS: Final = frozenset(("hello", "ping", "request", "goodbye"))
FROM_DISPATCHERS: Final = frozenset(("claim", "ping", "goodbye"))
EVENTS: Final = frozenset(("event",))
TO_CLIENTS: Final = frozenset(("reply", "problem"))
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
_TURNED_AWAY_BYTES_MAX: Final = 16 * 1024
_COMPLAINT_S: Final = 1.0


class FromServers(NamedTuple):
    """What one wake-up drained from the servers' socket: connection and frames of each."""

    messages: Sequence[tuple[bytes, list[bytes]]]


class FromClients(NamedTuple):
    """What one wake-up drained from the socket of clients and dispatchers."""

    messages: Sequence[tuple[bytes, list[bytes]]]


class UnsentToServer(NamedTuple):
    """A ToServer that could not be sent; these batches never left. `full`: too much waits there."""

    peer: bytes
    batches: list[bytes]
    server: bytes
    full: bool


class UnsentToClient(NamedTuple):
    """A ToClient that could not be sent."""

    peer: bytes
    frames: list[bytes]
    full: bool


class ServerCutOff(NamedTuple):
    """The connection of a server is ended, and nothing of it is taken any more."""

    peer: bytes
    why: str


class ClientCutOff(NamedTuple):
    """The connection of a client or dispatcher is ended, and nothing of it is taken any more."""

    peer: bytes
    why: str


class KeyUsed(NamedTuple):
    """A key was not let in (`connect`), or is from now on, or is no more: for the audit."""

    what: str
    key: str  # its name, empty where it has none
    outcome: Outcome
    text: str
    address: str = ""


Event = (
    FromServers
    | FromClients
    | UnsentToServer
    | UnsentToClient
    | ServerCutOff
    | ClientCutOff
    | KeyUsed
    | Tick
)


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
        client: Callable[[bytes], Peer] = lambda _peer: ANYBODY,
        server: Callable[[bytes], Peer] = lambda _peer: ANYBODY,
    ) -> None:
        """Make the broker of one life: `name` is new in each.

        `client` and `server` tell who is behind a connection of either link.
        """
        self.name = name
        self.counters = Counters()
        self._clients_address = clients_address
        self._events_address = events_address
        self._section = section
        self._client, self._server = client, server
        self._outbox = Outbox(f"broker/{name}")
        self._registry = Registry(section, name, self._outbox)
        self._seat = Seat(section, name, self._outbox, self._registry)
        self._clients: Watch[bytes] = Watch(section.suspect_s, section.server_lost_s)
        self._pauses = PauseDetector(section.heartbeat_s / 2)
        self._tellings = Tellings()
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
            case FromServers(messages):
                self._from_servers += len(messages)
                for peer, frames in messages:
                    self._from_server(now, peer, frames)
            case FromClients(messages):
                self._from_clients += len(messages)
                for peer, frames in messages:
                    self._from_client(now, peer, frames)
            case UnsentToServer():
                self._unsent_to_server(now, event)
            case UnsentToClient():
                self._unsent_to_client(now, event)
            case ServerCutOff(peer, why):
                self._registry.cut_off(now, peer, why)
            case ClientCutOff(peer, why):
                self._clients.forget(peer)
                self._seat.lost_frames(now, peer, why)
            case KeyUsed():
                self._tell_key_used(now, event)
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

    def _from_server(self, now: Instant, peer: bytes, batches: list[bytes]) -> None:
        server = self._registry.by_peer.get(peer)
        try:
            if not batches:
                raise MalformedMessage("a multipart without a batch")
            kinds = [kinds_of(batch) for batch in batches]
            if server is not None and all(map(FROM_SERVERS.issuperset, kinds)):
                # The hot path: a known server's batches go on as they are.
                self._registry.hear(now, server)
                if server.introduced:
                    for batch in batches:
                        self._outbox.forward_to_dispatcher(server.identity, batch)
                return
            who = self._server(peer)
            _check_roles(who, chain.from_iterable(kinds))
            parts = list(chain.from_iterable(map(_partly_decoded, batches, kinds)))
            if any(isinstance(message, Register) for _, message in parts[1:]):
                raise MalformedMessage("a registration is the first message of its batch")
            if isinstance(register := parts[0][1], Register):
                del parts[0]
                register = structs.replace(register, address=who.address)
                self._registry.register(now, peer, register, who)
        except MalformedMessage as error:
            self._complain(now, f"server {self._server(peer)}", error)
            if is_of_protocol_1(batches):
                self._outbox.to_old_server(peer, other_protocol("it", 1))
            else:
                self._outbox.to_server(peer, Problem(text=error.detail))
            return
        for part, message in parts:
            self._take_from_server(now, peer, part, message)

    def _take_from_server(
        self, now: Instant, peer: bytes, part: Raw, message: Message | None
    ) -> None:
        if isinstance(message, Goodbye):
            self._registry.goodbye(now, peer, message.why)
            return
        if isinstance(message, Problem):
            self._note(now, f"server {self._server(peer)} says: {message.text[:500]!r}")
            return
        server = self._registry.by_peer.get(peer)
        if server is None:
            self._registry.stranger(now, peer)
            return
        self._registry.hear(now, server)
        if isinstance(message, ServerBeat):
            self._take_beat(now, server, message, part)
        elif isinstance(message, ProbeAnswer):
            self._registry.probe_answer(now, server)
        elif server.introduced:
            self._outbox.forward_to_dispatcher(server.identity, join([part]))

    def _take_beat(self, now: Instant, server: Server, beat: ServerBeat, part: Raw) -> None:
        self._outbox.to_server(server.peer, self._pong(now, beat.sent_s))
        self._registry.beat(now, server, beat.epoch)
        if server.introduced and beat.epoch == server.epoch:
            self._outbox.forward_to_dispatcher(server.identity, join([part]))

    # The link of clients and dispatchers.

    def _from_client(self, now: Instant, peer: bytes, frames: list[bytes]) -> None:
        if self._seat.holds(peer) or is_addressed(frames):
            self._from_dispatcher(now, peer, frames)
            return
        who = self._client(peer)
        try:
            if not frames:
                raise MalformedMessage("a multipart without a batch")
            parts = list(chain.from_iterable(map(parts_of, frames)))
            kinds = [kind for kind, _ in parts]
            _check_roles(who, kinds)
            if not FROM_CLIENTS.issuperset(kinds):
                raise MalformedMessage("a client sends hello, ping, request and goodbye")
            messages = [
                request_head(part) if kind == "request" else decode_one(part)
                for kind, part in parts
            ]
            if peer not in self._clients and len(self._clients) >= self._section.clients_max:
                raise MalformedMessage(
                    f"{self._section.clients_max} clients are connected, the limit clients_max"
                )
        except MalformedMessage as error:
            self._complain(now, f"client {who}", error)
            if not may_send(who.roles, "request"):
                self._tell_forbidden(now, who, frames, error)
            if is_of_protocol_1(frames):
                self._outbox.to_old_client(peer, other_protocol("it", 1))
            else:
                self._outbox.to_client(peer, Problem(text=error.detail))
            return
        self._clients.hear(now.mono, peer)
        sender = Vouched(key=who.name, address=who.address)
        for message, (_, part) in zip(messages, parts, strict=True):
            self._take_from_client(now, peer, message, part, sender)

    def _take_from_client(
        self,
        now: Instant,
        peer: bytes,
        message: Message | RequestHead,
        part: Raw,
        sender: Vouched,
    ) -> None:
        match message:
            case Hello():
                self._welcome(now, peer, message)
            case Ping():
                self._outbox.to_client(peer, self._pong(now, message.sent_s))
            case RequestHead():
                self._take_request(now, peer, message, part, sender)
            case Goodbye():
                self._clients.forget(peer)

    def _welcome(self, now: Instant, peer: bytes, hello: Hello) -> None:
        if hello.protocol != PROTOCOL:
            text = other_protocol(hello.name, hello.protocol)
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
                role=shown_role(self._client(peer).roles),
            ),
        )

    def _take_request(
        self, now: Instant, peer: bytes, request: RequestHead, part: Raw, sender: Vouched
    ) -> None:
        absence = self._seat.absence
        who = self._client(peer)
        if not may_command(who.roles, request.verb):
            role = shown_role(who.roles)
            self.counters.refused += 1
            self._note(now, f"client {who} may not {request.verb!r} as {role}")
            text = f"{request.verb} is not for the role {role}"
            self._turn_away(now, peer, request, part, sender, text)
        elif request.deadline_s <= now.mono:
            late_s = now.mono - request.deadline_s
            text = (
                f"{request.verb} expired {late_s:.1f} s before it reached the broker and was not "
                "passed on; give it again if it is still wanted"
            )
            self._turn_away(now, peer, request, part, sender, text)
        elif absence is not None:
            self.counters.unanswerable += 1
            self._reply(peer, request, Outcome.NOBODY, f"{absence} at {self._clients_address}")
        else:
            batch = join([part]) if request.verb in READING else join([as_part(sender), part])
            self._outbox.forward_to_dispatcher(peer, batch)

    def _turn_away(
        self,
        now: Instant,
        peer: bytes,
        request: RequestHead,
        part: Raw,
        sender: Vouched,
        text: str,
    ) -> None:
        """Refuse a command."""
        self._reply(peer, request, Outcome.REFUSED, text)
        self._tell_turned_away(now, request, part, sender, text)

    def _tell_forbidden(
        self, now: Instant, who: Peer, frames: list[bytes], error: MalformedMessage
    ) -> None:
        """Tell of the commands of a peer that may send none at all, as a server."""
        try:
            parts = chain.from_iterable(map(parts_of, frames))
            heads = [(request_head(part), part) for kind, part in parts if kind == "request"]
        except MalformedMessage:
            return
        sender = Vouched(key=who.name, address=who.address)
        for head, part in heads:
            self._tell_turned_away(now, head, part, sender, error.detail)

    def _tell_turned_away(
        self, now: Instant, request: RequestHead, part: Raw, sender: Vouched, text: str
    ) -> None:
        """Let the audit have a refused command: of very many some, so that nobody fills it."""
        if request.verb in VIEWING:
            return
        told = bytes(part) if len(part) <= _TURNED_AWAY_BYTES_MAX else b""
        turned_away = TurnedAway(
            key=sender.key,
            address=sender.address,
            verb=request.verb,
            outcome=Outcome.REFUSED,
            text=text,
            request=told,
        )
        self._tell_some(now, turned_away, sender.key or sender.address)

    def _tell_key_used(self, now: Instant, used: KeyUsed) -> None:
        """Let the audit have what is done with keys."""
        told = TurnedAway(
            key=used.key, address=used.address, verb=used.what, outcome=used.outcome, text=used.text
        )
        if used.outcome is Outcome.OK:
            self._outbox.to_dispatcher(told)
        else:
            self._tell_some(now, told, used.address)

    def _tell_some(self, now: Instant, told: TurnedAway, source: str) -> None:
        untold = self._tellings.take(now.mono, source)
        if untold is not None:
            self._outbox.to_dispatcher(structs.replace(told, untold=untold))

    def _reply(self, peer: bytes, request: RequestHead, outcome: Outcome, text: str) -> None:
        self._outbox.to_client(peer, Reply(id=request.id, outcome=outcome, message=text))

    def _from_dispatcher(self, now: Instant, peer: bytes, frames: list[bytes]) -> None:
        """Take one multipart of a dispatcher. Each of its batches stands for itself."""
        if is_of_protocol_1(frames):
            who = self._client(peer)
            self._complain(now, f"dispatcher {who}", MalformedMessage(other_protocol("it", 1)))
            self._outbox.to_old_client(peer, other_protocol("it", 1))
            return
        try:
            for target, batch in addressed(frames):
                self._take_letter(now, peer, target, batch)
        except MalformedMessage as error:
            self._complain_to_dispatcher(now, peer, error)

    def _take_letter(self, now: Instant, peer: bytes, target: bytes, batch: bytes) -> None:
        try:
            kinds = kinds_of(batch)
            messages = self._told_by_dispatcher(peer, target, batch, kinds)
        except MalformedMessage as error:
            self._complain_to_dispatcher(now, peer, error)
            return
        for message in messages:
            self._take_from_dispatcher(now, peer, message)
        if target != BROKER:
            self._pass_on(target, batch, kinds)
            self._seat.hear(now, peer)

    def _complain_to_dispatcher(self, now: Instant, peer: bytes, error: MalformedMessage) -> None:
        self._complain(now, f"dispatcher {self._client(peer)}", error)
        self._outbox.to_a_dispatcher(peer, Problem(text=error.detail))

    def _told_by_dispatcher(
        self, peer: bytes, target: bytes, batch: bytes, kinds: Sequence[str]
    ) -> list[Message]:
        """Return what of a dispatcher's batch is for the broker itself. Raise MalformedMessage."""
        if target == BROKER:
            _check_roles(self._client(peer), kinds)
            if not FROM_DISPATCHERS.issuperset(kinds):
                raise MalformedMessage("a dispatcher tells the broker claim, ping and goodbye")
            return decode(batch)
        if not self._seat.holds(peer):
            raise MalformedMessage("only the dispatcher that holds the term may send; claim first")
        if target == peer:
            raise MalformedMessage("a dispatcher is not a target")
        if target.startswith(PUBLISH):
            allowed = EVENTS
        elif target in self._registry.by_identity or not TO_CLIENTS.issuperset(kinds):
            allowed = TO_SERVERS
        else:
            allowed = TO_CLIENTS
        for kind in kinds:
            if kind not in allowed:
                raise MalformedMessage(f"{kind[:40]!r} is not for a dispatcher to send there")
        return []

    def _pass_on(self, target: bytes, batch: bytes, kinds: Sequence[str]) -> None:
        """Pass on what is allowed; what nobody waits for comes back."""
        if target.startswith(PUBLISH):
            self._outbox.publish(target[len(PUBLISH) :], batch)
        elif (server := self._registry.by_identity.get(target)) is not None:
            self._outbox.forward_to_server(server.peer, target, batch)
        elif TO_CLIENTS.issuperset(kinds):
            self._outbox.forward_to_client(target, batch)
        else:
            self._return(target, [batch], "no server is registered under this incarnation")

    def _take_from_dispatcher(self, now: Instant, peer: bytes, message: Message) -> None:
        self._seat.hear(now, peer)
        match message:
            case Claim() if message.protocol != PROTOCOL:
                text = other_protocol(f"the dispatcher {message.name}", message.protocol)
                self._note(now, text)
                self._outbox.to_a_dispatcher(peer, Problem(text=text))
            case Claim():
                self._seat.claim(now, peer, message, self._client(peer).name)
            case Ping():
                self._seat.ping(peer, message.term)
                pong = self._pong(now, message.sent_s)
                self._outbox.to_a_dispatcher(peer, pong)
            case Goodbye():
                self._seat.goodbye(now, peer)

    # What could not be sent.

    def _unsent_to_server(self, now: Instant, unsent: UnsentToServer) -> None:
        why = "too many messages wait for it" if unsent.full else "it is not connected"
        if unsent.server:
            self._return(unsent.server, unsent.batches, why)
        if not unsent.full:
            self._registry.doubt(now, unsent.peer)

    def _unsent_to_client(self, now: Instant, unsent: UnsentToClient) -> None:
        if not is_addressed(unsent.frames) or is_of_protocol_1(unsent.frames):
            self.counters.replies_dropped += sum(
                kinds_of(batch).count("reply") for batch in unsent.frames
            )
            self.counters.slow_clients += unsent.full
            if not unsent.full:
                self._clients.forget(unsent.peer)
            return
        why = "too many messages wait for it" if unsent.full else "its connection is broken"
        self._seat.lost_frames(now, unsent.peer, why)
        for client, batch in addressed(unsent.frames):
            for kind, part in parts_of(batch):
                if kind == "request":
                    self.counters.unanswerable += 1
                    text = f"the dispatcher cannot be reached: {why}"
                    self._reply(client, request_head(part), Outcome.NOBODY, text)

    def _return(self, target: bytes, batches: list[bytes], why: str) -> None:
        """Give batches back to the dispatcher, in as many messages as their size asks for."""
        part: list[bytes] = []
        size = 0
        for batch in batches:
            if part and size + len(batch) > _UNDELIVERABLE_BYTES_MAX:
                self._give_back(target, part, why)
                part, size = [], 0
            part.append(batch)
            size += len(batch)
        self._give_back(target, part, why)

    def _give_back(self, target: bytes, batches: list[bytes], why: str) -> None:
        self._outbox.to_dispatcher(Undeliverable(target=target, why=why, batches=tuple(batches)))
        self.counters.undeliverable += sum(len(kinds_of(batch)) for batch in batches)

    # What all links share.

    def _pong(self, now: Instant, sent_s: float) -> Pong:
        return Pong(
            sent_s=sent_s,
            broker=self.name,
            clock_s=now.mono,
            term=self._seat.term,
            at=now.wall,
        )

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


def _check_roles(who: Peer, kinds: Iterable[str]) -> None:
    if who.refused:
        raise MalformedMessage(who.refused)
    for kind in kinds:
        if not may_send(who.roles, kind):
            raise MalformedMessage(f"{kind[:40]!r} is not for {shown_role(who.roles)} to send")


def _partly_decoded(batch: bytes, kinds: list[str]) -> list[tuple[Raw, Message | None]]:
    """Return a server's messages as they are, and read; None for those that are passed on."""
    return [
        (part, None if kind in FROM_SERVERS else decode_one(part))
        for kind, part in zip(kinds, split(batch), strict=True)
    ]
