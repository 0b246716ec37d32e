"""A client's conversation with the broker: greeting, heartbeats, unanswered requests, repeats.

All that can change a conversation is here; the sockets are `connection`'s. The shell drains its
socket before it sends a Tick, so that a process that was busy elsewhere does not take its own
absence for the broker's.
"""

from dataclasses import dataclass, field

from shotline.client.patience import Patience
from shotline.common.base import Value
from shotline.common.machine import Tick
from shotline.common.messages import (
    Behalf,
    Hello,
    Message,
    Outcome,
    Ping,
    Pong,
    Problem,
    Reply,
    Request,
    Welcome,
)


class Begin(Value):
    """Get into contact."""


class Ask(Value):
    """A new request of this process."""

    id: str
    verb: str
    command: bytes
    user: str = ""
    behalf: Behalf | None = None


class Forget(Value):
    """Nobody waits for this request any more."""

    id: str


class Received(Value):
    """A message of the broker's."""

    message: Message


class Connected(Value):
    """A connection to the broker's machine was made, for the first time or again."""


class Disconnected(Value):
    """The connection broke; what was under way in it may be lost."""


class Unsent(Value):
    """A message could not be sent: there is no connection."""


class ShutOut(Value):
    """The broker is there, and does not let us in."""


Event = Begin | Ask | Forget | Received | Connected | Disconnected | Unsent | ShutOut | Tick


class Send(Value):
    """Send this message, or answer with Unsent."""

    message: Message


class Welcomed(Value):
    """In contact with this broker."""

    welcome: Welcome


class Replied(Value):
    """A reply to a request; not final when its outcome is ACCEPTED."""

    id: str
    reply: Reply


class GaveUp(Value):
    """No answer can be expected; `reached` when the request may have been carried out."""

    id: str
    broker_there: bool
    reached: bool


Effect = Send | Welcomed | Replied | GaveUp


@dataclass(slots=True)
class _Outstanding:
    ask: Ask
    asked_at: float
    sends: int = 0
    sent_at: float = 0.0
    sent_term: int | None = None
    accepted: bool = False
    unrouted: bool = False  # a repeat found no dispatcher


@dataclass(slots=True)
class Session:
    """One client's conversation. Times are this process's monotonic seconds."""

    name: str
    version: str = ""
    patience: Patience = field(default_factory=Patience)
    welcome: Welcome | None = None
    in_contact: bool = False
    _outstanding: dict[str, _Outstanding] = field(default_factory=dict)
    _offset_s: float = 0.0  # broker's clock less ours
    _term: int | None = None
    _no_contact_since: float | None = None
    _no_dispatcher_since: float | None = None
    _hello_at: float | None = None
    _ping_at: float | None = None
    _unanswered_ping: float | None = None  # the oldest
    _problem: str = ""

    def handle(self, now: float, event: Event) -> list[Effect]:
        """Take one event and return what is to be done, in order."""
        match event:
            case Begin():
                self._lose_contact(now)
                return []
            case Connected():
                self._lose_contact(now)
                return self._greet(now)
            case Disconnected() | Unsent():
                self._lose_contact(now)
                return []
            case ShutOut():
                return self._shut_out()
            case Ask():
                return self._ask(now, event)
            case Forget():
                self._outstanding.pop(event.id, None)
                return []
            case Received():
                return self._received(now, event.message)
            case Tick():
                return self._tick(now)

    def wake_at(self) -> float | None:
        """Return when a Tick is due."""
        due = [at for at in (self._hello_at, self._ping_at) if at is not None]
        if self._unanswered_ping is not None:
            due.append(self._unanswered_ping + self.patience.silent_s)
        due += [at for one in self._outstanding.values() if (at := self._gives_up_at(one))]
        return min(due, default=None)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The ids of requests without a final reply."""
        return tuple(self._outstanding)

    def was_sent(self, id_: str) -> bool:
        """Return whether an unanswered request has left."""
        one = self._outstanding.get(id_)
        return one is not None and one.sends > 0

    def _greet(self, now: float) -> list[Effect]:
        self._hello_at = now + self.patience.hello_s
        return [Send(Hello(name=self.name, version=self.version))]

    def _ask(self, now: float, ask: Ask) -> list[Effect]:
        one = self._outstanding[ask.id] = _Outstanding(ask, now)
        if not self.in_contact:
            return []
        effects = [self._request(now, one)]
        # Between calls nobody looked, so a Ping goes along: the broker may be another one by now.
        if self._ping_at is None or now >= self._ping_at:
            effects.append(self._ping(now))
        return effects

    def _request(self, now: float, one: _Outstanding) -> Effect:
        # A repeat gets a lifetime of its own: it was asked again just now, by one who waits.
        begins_at = now if one.sends else one.asked_at
        one.sends += 1
        one.sent_at = now
        one.sent_term = self._term
        one.unrouted = False
        return Send(
            Request(
                id=one.ask.id,
                verb=one.ask.verb,
                deadline_s=begins_at + self._offset_s + self.patience.lifetime_s,
                user=one.ask.user,
                behalf=one.ask.behalf,
                command=one.ask.command,
            )
        )

    def _ping(self, now: float) -> Effect:
        self._ping_at = now + self.patience.heartbeat_s
        if self._unanswered_ping is None:
            self._unanswered_ping = now
        return Send(Ping(sent_s=now))

    def _received(self, now: float, message: Message) -> list[Effect]:
        match message:
            case Welcome():
                return self._welcomed(now, message)
            case Pong():
                return self._ponged(now, message)
            case Reply():
                return self._replied(now, message)
            case Problem():
                return self._troubled(now, message)
            case _:
                return []  # a broker newer than we are may say more than we know

    def _welcomed(self, now: float, welcome: Welcome) -> list[Effect]:
        self.welcome = welcome
        self.in_contact = True
        self._no_contact_since = None
        self._hello_at = None
        self._unanswered_ping = None
        self._ping_at = now + self.patience.heartbeat_s
        self._offset_s = welcome.clock_s - now
        self._take_term(now, welcome.term)
        effects: list[Effect] = [Welcomed(welcome)]
        # What was asked of a broker that is gone, or never sent, goes out now.
        effects += [self._request(now, one) for one in self._outstanding.values()]
        return effects

    def _ponged(self, now: float, pong: Pong) -> list[Effect]:
        self._unanswered_ping = None
        round_trip_s = pong.round_trip_s(now)
        if round_trip_s is not None:
            self._offset_s = pong.clock_s + round_trip_s / 2 - now
        if self.welcome is None or pong.broker != self.welcome.broker:
            self._lose_contact(now)
            return self._greet(now)
        self._problem = ""
        self._take_term(now, pong.term)
        if pong.term is None:
            return []
        return [
            self._request(now, one)
            for one in self._outstanding.values()
            if one.unrouted
            or one.sent_term != pong.term
            or now >= one.sent_at + self.patience.repeat_s
        ]

    def _replied(self, now: float, reply: Reply) -> list[Effect]:
        one = self._outstanding.get(reply.id)
        if one is None:
            return []
        if reply.outcome is Outcome.ACCEPTED:
            one.accepted = True
        elif reply.outcome is Outcome.NOBODY and one.sends > 1:
            # The dispatcher that has our request is away; the one that returns knows its id.
            one.unrouted = True
            if self._no_dispatcher_since is None:
                self._no_dispatcher_since = now
            return []
        else:
            del self._outstanding[reply.id]
        return [Replied(reply.id, reply)]

    def _troubled(self, now: float, problem: Problem) -> list[Effect]:
        """A broker that has forgotten us is greeted again; one that repeats itself is believed."""
        if problem.text != self._problem:
            self._problem = problem.text
            self._lose_contact(now)
            return self._greet(now)
        refused = [
            Replied(id_, Reply(id=id_, outcome=Outcome.REFUSED, message=problem.text))
            for id_ in self._outstanding
        ]
        self._outstanding.clear()
        return list(refused)

    def _shut_out(self) -> list[Effect]:
        """Give up what was never sent; for the rest it may yet be that we are let in again."""
        unsent = [id_ for id_, one in self._outstanding.items() if not one.sends]
        for id_ in unsent:
            del self._outstanding[id_]
        return [GaveUp(id_, broker_there=False, reached=False) for id_ in unsent]

    def _tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        silent = self._unanswered_ping
        if self.in_contact and silent is not None and now >= silent + self.patience.silent_s:
            self._lose_contact(silent)
        for id_, one in list(self._outstanding.items()):
            gives_up_at = self._gives_up_at(one)
            if gives_up_at is not None and now >= gives_up_at:
                del self._outstanding[id_]
                effects.append(GaveUp(id_, self.in_contact, one.sends > 0))
        if self._hello_at is not None and now >= self._hello_at:
            effects += self._greet(now)
        elif self.in_contact and self._ping_at is not None and now >= self._ping_at:
            effects.append(self._ping(now))
        return effects

    def _gives_up_at(self, one: _Outstanding) -> float | None:
        since = self._no_dispatcher_since if self.in_contact else self._no_contact_since
        if since is None or (self.in_contact and not one.sends):
            return None
        if one.accepted:
            allowed_s = self.patience.absence_s
        else:
            allowed_s = self.patience.lifetime_s if one.sends else self.patience.connect_s
        return max(since, one.asked_at) + allowed_s

    def _take_term(self, now: float, term: int | None) -> None:
        self._term = term
        if term is not None:
            self._no_dispatcher_since = None
        elif self._no_dispatcher_since is None:
            self._no_dispatcher_since = now

    def _lose_contact(self, since: float) -> None:
        self.in_contact = False
        self._unanswered_ping = None
        self._ping_at = None
        self._hello_at = since + self.patience.hello_s
        if self._no_contact_since is None:
            self._no_contact_since = since
