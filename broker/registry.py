"""The servers: registration, probing of a name in use, liveness, introduction. Pure.

A server's *peer* is its connection's id, its *identity* what the dispatcher knows it by. A server
that has come back on another connection is the same one where it proves the same key; only then
may it go on under its incarnation.

A server is *introduced* once the accepted dispatcher has its Register; what it sends before is
dropped, because after the Register it sends everything unanswered again (I2). So the first that a
dispatcher ever gets of a server is its Register.
"""

import re
from dataclasses import dataclass
from typing import Final

from shotline.broker.liveness import Judgement, Watch
from shotline.broker.outbox import Outbox
from shotline.broker.permissions import Peer
from shotline.common.codec import encode
from shotline.common.errors import MalformedMessage
from shotline.common.machine import Instant
from shotline.common.messages import (
    PROTOCOL,
    Liveness,
    LivenessState,
    LogLevel,
    Probe,
    Register,
    RegisterAnew,
    Registered,
    RegistrationRefused,
)
from shotline.common.ranges import can_have_come_about
from shotline.common.settings.sections.broker import BrokerSection

_PROBES_MAX: Final = 3
_ASK_S: Final = 1.0  # between two requests to register anew
_NAME: Final = re.compile(r"[\w.-]+")


@dataclass(slots=True)
class Server:
    """A registered server."""

    peer: bytes  # its connection
    identity: bytes  # CLASS:ID/INCARNATION
    key: str  # the name of the key that it has proven to have
    name: str
    incarnation: str
    epoch: int
    where: str
    term: int = 0  # the highest that it has reported
    introduced: bool = False
    asked_at: float | None = None  # when it was asked to register anew


@dataclass(slots=True)
class Candidate:
    """A process that asks for the name of a live server, while that one is probed."""

    peer: bytes
    key: str
    register: Register
    probed_at: float
    deadline: float
    probes: int = 1
    dropped: bool = False  # it sent more than its Register meanwhile


def other_protocol(who: str, protocol: int) -> str:
    """Return why somebody of another version is refused."""
    return (
        f"{who} speaks protocol {protocol}, this broker {PROTOCOL}; install the same version of "
        "Shotline on both machines"
    )


class Registry:
    """Knows every server by name, connection and identity, and judges whether it is alive."""

    def __init__(self, section: BrokerSection, broker: str, outbox: Outbox) -> None:
        self._section = section
        self._broker = broker
        self._outbox = outbox
        self._watch: Watch[bytes] = Watch(section.suspect_s, section.server_lost_s)
        self._by_name: dict[str, Server] = {}
        self._candidates: dict[str, Candidate] = {}
        self._strangers: dict[bytes, float] = {}  # when each was asked to register
        self.by_peer: dict[bytes, Server] = {}
        self.by_identity: dict[bytes, Server] = {}
        self.claimed_term: int | None = None  # of the last dispatcher that was accepted
        self._highest_term = 0  # that any server has reported
        self._doubted: dict[bytes, int] = {}  # terms that were not believed, each logged once

    def highest_term(self, now: Instant, known: int) -> int:
        """Return the highest term that a server has reported, as far as it can have come about.

        `known` is what a dispatcher claims. A report that jumps above it is forgotten.
        """
        if not can_have_come_about(self._highest_term, known):
            self._outbox.log(
                now.wall,
                "error",
                f"a server has reported term {self._highest_term}, which cannot have come about: "
                f"the dispatcher's is {known}; it is not believed",
            )
            terms = [one.term for one in self.by_peer.values()]
            self._highest_term = max(
                (term for term in terms if can_have_come_about(term, known)), default=0
            )
        return self._highest_term

    def register(self, now: Instant, peer: bytes, register: Register, who: Peer) -> None:
        """Accept a registration, refuse it in words, or probe who has the name.

        Raise MalformedMessage when its name or incarnation cannot be.
        """
        if not all(_NAME.fullmatch(part) for part in _parts(register)):
            raise MalformedMessage(
                "register: class, id and incarnation consist of letters, digits, '_', '.' and '-'"
            )
        if register.protocol != PROTOCOL:
            self._refuse(
                now,
                peer,
                other_protocol(register.server, register.protocol),
            )
            return
        if not who.may_serve(register.server):
            text = f"the key {who.name!r} is not for {register.server}, but for {who.classes}"
            self._refuse(now, peer, text)
            return
        known = self.by_peer.get(peer)
        if known is not None and known.identity != _identity(register):
            raise MalformedMessage(f"register: this connection is that of {known.name}")
        if self.claimed_term is not None and not can_have_come_about(
            register.term, self.claimed_term
        ):
            self._doubt_term(now, peer, register, self.claimed_term)
            return
        current = self._by_name.get(register.server)
        if current is None or current.identity == _identity(register):
            if current is not None and current.key != who.name:
                self._refuse_other_key(now, current, peer, register)
                return
            if current is not None and current.peer != peer and register.epoch <= current.epoch:
                return  # it was on its way on a connection that has been left since
            if current is None and len(self._by_name) >= self._section.servers_max:
                text = f"{self._section.servers_max} servers are registered, the limit servers_max"
                self._outbox.to_server(peer, RegistrationRefused(text=text, fatal=False))
                return
            self._accept(now, peer, register, who.name)
        elif current.key != who.name:
            self._refuse_other_key(now, current, peer, register)
        else:
            self._probe(now, current, peer, register)

    def hear(self, now: Instant, server: Server) -> None:
        """Take note that a server lives."""
        judgement = self._watch.hear(now.mono, server.peer)
        if judgement is not None:
            self._tell(now, server, judgement.state, judgement.why)

    def beat(self, now: Instant, server: Server, epoch: int) -> None:
        """Ask for a new registration where a heartbeat shows that one got lost."""
        if epoch != server.epoch:
            self._ask_anew(now, server, "your last registration did not arrive")
        elif not server.introduced and self._outbox.dispatcher is not None:
            self._ask_anew(now, server, "the dispatcher does not know you yet")

    def probe_answer(self, now: Instant, server: Server) -> None:
        """Refuse the process that asked for this live server's name."""
        candidate = self._candidates.pop(server.name, None)
        if candidate is not None:
            self._refuse_in_use(now, server, candidate)

    def goodbye(self, now: Instant, peer: bytes, why: str) -> None:
        """Forget a server at once; it ends in order."""
        text = f"said goodbye: {why}" if why else "said goodbye"
        self.cut_off(now, peer, text, in_order=True)

    def cut_off(self, now: Instant, peer: bytes, why: str, *, in_order: bool = False) -> None:
        """Forget whoever is behind a connection that is ended."""
        self._strangers.pop(peer, None)
        for name, candidate in list(self._candidates.items()):
            if candidate.peer == peer:
                del self._candidates[name]
        server = self.by_peer.get(peer)
        if server is not None:
            self._lose(now, server, why, in_order=in_order)

    def stranger(self, now: Instant, peer: bytes) -> None:
        """Ask whoever sends without being registered to register; once a second is enough."""
        for candidate in self._candidates.values():
            if candidate.peer == peer:
                candidate.dropped = True
                return
        asked_at = self._strangers.get(peer)
        if asked_at is not None and now.mono < asked_at + _ASK_S:
            return
        if len(self._strangers) >= self._section.servers_max:
            self._strangers.clear()
        self._strangers[peer] = now.mono
        self._outbox.to_server(peer, RegisterAnew(why="this broker does not know you"))

    def doubt(self, now: Instant, peer: bytes) -> None:
        """Call a server suspect: its connection is broken."""
        server = self.by_peer.get(peer)
        judgement = self._watch.doubt(peer, "its connection is broken")
        if server is not None and judgement is not None:
            self._tell(now, server, judgement.state, judgement.why)

    def introduce_all(self, now: Instant, why: str) -> None:
        """Ask every server to register anew, for a dispatcher that knows none of them."""
        for server in self.by_peer.values():
            server.introduced = False
            server.asked_at = None
            self._ask_anew(now, server, why)
        for peer in self._watch.suspects():
            self._tell(now, self.by_peer[peer], LivenessState.SUSPECT, "it was suspect before")

    def restart(self, now: Instant) -> None:
        """Restart all deadlines: for a while it was the broker that did not listen."""
        self._watch.restart(now.mono)
        for candidate in self._candidates.values():
            candidate.deadline = now.mono + self._section.probe_s

    def expire(self, now: Instant) -> None:
        """Judge the silent ones."""
        for judgement in self._watch.expire(now.mono):
            self._judge(now, judgement)
        for name, candidate in list(self._candidates.items()):
            if candidate.deadline <= now.mono:
                self._probe_is_over(now, self._by_name[name], candidate)

    def wake_at(self) -> float | None:
        """Return the next deadline."""
        due = self._watch.wake_at()
        for candidate in self._candidates.values():
            due = candidate.deadline if due is None else min(due, candidate.deadline)
        return due

    def check(self) -> None:
        """Assert what must hold after every event."""
        assert {server.peer for server in self._by_name.values()} == set(self.by_peer)
        assert {server.identity for server in self._by_name.values()} == set(self.by_identity)
        assert all(peer in self._watch for peer in self.by_peer)
        assert len(self._watch) == len(self.by_peer) <= self._section.servers_max
        assert set(self._candidates) <= set(self._by_name)
        assert len(self._strangers) <= self._section.servers_max
        assert len(self._doubted) <= self._section.servers_max

    def _accept(self, now: Instant, peer: bytes, register: Register, key: str) -> None:
        known = self.by_identity.get(_identity(register))
        if known is None:
            known = Server(
                peer=peer,
                identity=_identity(register),
                key=key,
                name=register.server,
                incarnation=register.incarnation,
                epoch=register.epoch,
                where=f"process {register.pid} on {register.host[:256]!r}",
            )
            self._by_name[known.name] = self.by_peer[peer] = known
            self.by_identity[known.identity] = known
            self._outbox.log(now.wall, "info", f"{known.name} registered: {known.where}")
        elif known.peer != peer:
            self._move(now, known, peer)
        known.epoch = register.epoch
        known.term = register.term
        known.asked_at = None
        known.introduced = self._outbox.dispatcher is not None
        self._strangers.pop(peer, None)
        self._doubted.pop(peer, None)
        self._highest_term = max(self._highest_term, register.term)
        self._outbox.to_server(
            peer, Registered(broker=self._broker, clock_s=now.mono, epoch=register.epoch)
        )
        self._outbox.forward_to_dispatcher(known.identity, encode([register]))
        self.hear(now, known)

    def _move(self, now: Instant, server: Server, peer: bytes) -> None:
        """Go on with a server on a new connection. What was sent on the old one is no proof."""
        del self.by_peer[server.peer]
        is_suspect = self._watch.state(server.peer) is LivenessState.SUSPECT
        self._watch.forget(server.peer)
        server.peer = peer
        self.by_peer[peer] = server
        self._watch.hear(now.mono, peer)
        if is_suspect:
            self._watch.doubt(peer, "its connection was broken")

    def _probe(self, now: Instant, current: Server, peer: bytes, register: Register) -> None:
        waiting = self._candidates.get(current.name)
        if waiting is None:
            self._candidates[current.name] = Candidate(
                peer, current.key, register, now.mono, now.mono + self._section.probe_s
            )
            self._outbox.to_server(current.peer, Probe())
        elif _identity(waiting.register) == _identity(register):
            waiting.peer, waiting.register = peer, register
        else:
            text = f"yet another process is asking for the name {current.name}; try again"
            self._outbox.to_server(peer, RegistrationRefused(text=text, fatal=False))

    def _probe_is_over(self, now: Instant, current: Server, candidate: Candidate) -> None:
        heard = self._watch.heard_at(current.peer)
        if heard is None or heard <= candidate.probed_at:
            self._lose(now, current, "a new incarnation registered")
        elif candidate.probes < _PROBES_MAX:
            # It lives, or what it sent last was still on its way when it died.
            candidate.probes += 1
            candidate.probed_at = now.mono
            candidate.deadline = now.mono + self._section.probe_s
            self._outbox.to_server(current.peer, Probe())
        else:
            del self._candidates[current.name]
            self._refuse_in_use(now, current, candidate)

    def _refuse_in_use(self, now: Instant, server: Server, candidate: Candidate) -> None:
        self._refuse(
            now,
            candidate.peer,
            f"{server.name} is in use by {server.where}, which is alive; "
            "stop that one first, or start this one with another ID",
        )

    def _refuse_other_key(
        self, now: Instant, current: Server, peer: bytes, register: Register
    ) -> None:
        """Refuse a process with another key than the server has whose name it wants."""
        is_alive = self._watch.state(current.peer) is LivenessState.ALIVE
        text = f"{current.name} is in use by {current.where} with another key; " + (
            "stop that one first" if is_alive else "that one is not lost yet; try again"
        )
        self._outbox.to_server(peer, RegistrationRefused(text=text, fatal=is_alive))
        self._outbox.log(now.wall, "warning", f"registration of {register.host[:256]!r}: {text}")

    def _doubt_term(self, now: Instant, peer: bytes, register: Register, known: int) -> None:
        """Refuse a server whose term cannot have come about; it is heard again once it can."""
        text = (
            f"{register.server} has seen term {register.term}, which cannot have come about: the "
            f"dispatcher's is {known}; start that server again, it then forgets what it has seen"
        )
        self._outbox.to_server(peer, RegistrationRefused(text=text, fatal=False))
        if self._doubted.get(peer) != register.term:
            if len(self._doubted) >= self._section.servers_max:
                self._doubted.clear()
            self._doubted[peer] = register.term
            self._outbox.log(now.wall, "error", f"registration refused: {text}")
        server = self.by_peer.get(peer)
        if server is not None:
            self._lose(now, server, f"it reports term {register.term}, which cannot be")

    def _refuse(self, now: Instant, peer: bytes, text: str) -> None:
        self._outbox.to_server(peer, RegistrationRefused(text=text, fatal=True))
        self._outbox.log(now.wall, "warning", f"registration refused: {text}")

    def _judge(self, now: Instant, judgement: Judgement[bytes]) -> None:
        server = self.by_peer[judgement.peer]
        if judgement.state is LivenessState.LOST:
            self._lose(now, server, judgement.why)
        else:
            self._tell(now, server, judgement.state, judgement.why)

    def _lose(self, now: Instant, server: Server, why: str, *, in_order: bool = False) -> None:
        del self._by_name[server.name]
        del self.by_peer[server.peer]
        del self.by_identity[server.identity]
        self._watch.forget(server.peer)
        candidate = self._candidates.pop(server.name, None)
        if candidate is not None:
            # First: its Register may prove what has become of the old one's attempts.
            self._accept(now, candidate.peer, candidate.register, candidate.key)
        self._tell(now, server, LivenessState.LOST, why, in_order=in_order)
        if candidate is not None and candidate.dropped:
            server = self.by_peer[candidate.peer]
            self._ask_anew(now, server, "what you sent while your name was checked was dropped")

    def _tell(
        self,
        now: Instant,
        server: Server,
        state: LivenessState,
        why: str,
        *,
        in_order: bool = False,
    ) -> None:
        self._outbox.to_dispatcher(
            Liveness(
                server=server.name,
                incarnation=server.incarnation,
                state=state,
                why=why,
                in_order=in_order,
            )
        )
        level: LogLevel = "info" if state is LivenessState.ALIVE else "warning"
        self._outbox.log(now.wall, level, f"{server.name} is {state.value}: {why}")

    def _ask_anew(self, now: Instant, server: Server, why: str) -> None:
        if server.asked_at is None or now.mono >= server.asked_at + _ASK_S:
            server.asked_at = now.mono
            self._outbox.to_server(server.peer, RegisterAnew(why=why))


def _identity(register: Register) -> bytes:
    return f"{register.server}/{register.incarnation}".encode()


def _parts(register: Register) -> tuple[str, str, str]:
    return register.server_class, register.server_id, register.incarnation
