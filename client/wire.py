"""A client's sockets: turns what arrives into the session's events and sends what it asks for.

It never waits; who waits for it, blocking or in an event loop, is in `connection` and
`async_connection`. Not thread-safe: one thread uses one wire.
"""

import getpass
import logging
import os
import secrets
import socket
import time
from collections import deque
from urllib.parse import urlsplit

import zmq

import shotline
from shotline.client.calls import AnswerPages, Call, T
from shotline.client.errors import NoBroker, NoDispatcher, NotLetIn, SupervisorError, TimedOut
from shotline.client.observer import News, Observer, Unknown, Update, payload_of
from shotline.client.patience import Patience
from shotline.client.session import (
    Ask,
    Begin,
    Connected,
    Disconnected,
    Effect,
    Forget,
    GaveUp,
    Received,
    Replied,
    Send,
    Session,
    ShutOut,
    Unsent,
    Welcomed,
)
from shotline.client.session import Event as SessionEvent
from shotline.client.verbs import shot_verbs
from shotline.common.channels import FEED
from shotline.common.codec import decode, decode_all, encode, sendable
from shotline.common.commands import AnyCommand, encode_command
from shotline.common.errors import MalformedMessage
from shotline.common.machine import Tick
from shotline.common.messages import Behalf, Event, Goodbye, Outcome, Reply, Welcome
from shotline.common.transport import CurveClient, Dealer, Subscriber
from shotline.common.views import AnyResult, SnapshotResult

log = logging.getLogger(__name__)

UPDATES_MAX = 100_000
USER_LENGTH_MAX = 128

Ending = tuple[Reply, AnyResult | None] | SupervisorError


class Stream:
    """Updates of some channels, waiting to be taken; `taps` are prefixes heard without snapshot.

    Of every channel that begins with one of `follows` there is an observer once it is heard of, or
    once somebody asks for it by `follow`.
    """

    def __init__(
        self,
        channels: tuple[str, ...],
        taps: tuple[str, ...],
        now: float,
        follows: tuple[str, ...] = (),
    ) -> None:
        self.observers = {channel: Observer(channel, now) for channel in channels}
        self.topics: tuple[str, ...] = (*channels, *taps, *follows, FEED)
        self.taps = taps
        self.follows = follows
        self.updates: deque[Update] = deque()
        self.error: SupervisorError | None = None

    def put(self, updates: list[Update]) -> None:
        """Keep updates for whoever takes them; one who is too slow begins with the whole again."""
        self.updates += updates
        if len(self.updates) > UPDATES_MAX:
            self.updates.clear()
            for observer in self.observers.values():
                observer.refresh()


class Wire:
    """One connection to the broker, and the feed of events when somebody listens."""

    def __init__(
        self,
        address: str,
        patience: Patience | None = None,
        behalf: Behalf | None = None,
        curve: CurveClient | None = None,
    ) -> None:
        identity = f"client/{secrets.token_hex(8)}"
        self.address = address
        self.user = who()
        self.behalf = behalf
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self.dealer = Dealer(self._context, address, curve=curve)
        self.subscriber: Subscriber | None = None
        self._refusal = ""  # of the broker's, as it was said
        self._feed_ended = False  # what is refused once is not connected again by libzmq
        self.session = Session(identity, shotline.__version__, patience or Patience())
        self.malformed = 0
        self._pages: dict[str, tuple[str, AnswerPages]] = {}  # by request: which call it is part of
        self._finals: dict[str, Ending] = {}
        self._streams: list[Stream] = []
        self._snapshots: dict[str, tuple[Stream, str, Call[SnapshotResult]]] = {}
        self._closed = False
        self._apply(Begin())

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """What to wait on."""
        found = [self.dealer.socket, self.dealer.connection_socket]
        if self.subscriber is not None:
            found.append(self.subscriber.socket)
        return found

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def begin(self, call: Call[T]) -> str:
        """Send a call, or keep it until there is contact; return its id for `final`."""
        id_ = secrets.token_hex(12)
        self._ask(id_, id_, AnswerPages(call), call.command)
        return id_

    def _ask(self, request: str, id_: str, pages: AnswerPages, command: AnyCommand) -> None:
        self._pages[request] = (id_, pages)
        behalf = pages.behalf or self.behalf
        self._apply(Ask(request, command.verb, encode_command(command), self.user, behalf))

    def final(self, id_: str) -> tuple[Reply, AnyResult | None] | None:
        """Return the final reply and its whole result once they are there.

        Raise Nobody's errors when none will come, and Fault when what came cannot be read.
        """
        final = self._finals.pop(id_, None)
        if isinstance(final, SupervisorError):
            raise final
        return final

    def forget(self, id_: str) -> None:
        """Wait for it no longer."""
        self._finals.pop(id_, None)
        for request in [one for one, (its, _) in self._pages.items() if its == id_]:
            del self._pages[request]
            self._apply(Forget(request))

    def listen(
        self,
        channels: tuple[str, ...],
        taps: tuple[str, ...] = (),
        follows: tuple[str, ...] = (),
    ) -> Stream:
        """Subscribe, then ask for snapshots. Call it when there has been contact."""
        stream = Stream(channels, taps, time.monotonic(), follows)
        self._streams.append(stream)
        welcome = self.session.welcome
        if welcome is not None and not self._open_feed(welcome):
            self._subscribe(stream)
        self._ask_snapshots()
        return stream

    def follow(self, stream: Stream, channel: str) -> None:
        """Observe one more channel of those that the stream follows."""
        assert channel.startswith(stream.follows)
        if channel not in stream.observers:
            stream.observers[channel] = Observer(channel, time.monotonic())
            self._ask_snapshots()

    def leave(self, stream: Stream, channel: str) -> None:
        """Observe a channel no longer, until there is news of it."""
        stream.observers.pop(channel, None)
        for id_ in [
            id_ for id_, one in self._snapshots.items() if one[0] is stream and one[1] == channel
        ]:
            del self._snapshots[id_]
            self.forget(id_)

    def tap(self, stream: Stream, topic: str) -> None:
        """Hear one more beginning of channel names."""
        stream.taps += (topic,)
        stream.topics += (topic,)
        if self.subscriber is not None:
            self.subscriber.subscribe(topic.encode())

    def untap(self, stream: Stream, topic: str) -> None:
        """Hear it no longer."""
        if topic in stream.taps:
            stream.taps = _without(stream.taps, topic)
            stream.topics = _without(stream.topics, topic)
            if self.subscriber is not None:
                self.subscriber.unsubscribe(topic.encode())

    def unlisten(self, stream: Stream) -> None:
        """End a stream."""
        if stream not in self._streams:
            return
        self._streams.remove(stream)
        for id_ in [id_ for id_, (its, _, _) in self._snapshots.items() if its is stream]:
            del self._snapshots[id_]
            self.forget(id_)
        if self.subscriber is not None and not self.subscriber.socket.closed:
            for topic in stream.topics:
                self.subscriber.unsubscribe(topic.encode())

    def read(self) -> None:
        """Take all that has arrived, then what is due."""
        for made in self.dealer.connection():
            self._apply(Connected() if made else Disconnected())
        if self.dealer.refusal != self._refusal:
            self._refusal = self.dealer.refusal
            self._feed_ended = True
            log.info("%s", self._refusal or f"the broker at {self.address} lets us in again")
        if self._refusal and not self.session.in_contact:
            self._apply(ShutOut())
        for frames in self.dealer.receive_all():
            try:
                messages = decode_all(frames)
            except MalformedMessage as error:
                self.malformed += 1
                log.warning("the broker at %s sent what is no message: %s", self.address, error)
                continue
            for message in messages:
                self._apply(Received(message))
        if self.subscriber is not None:
            for frames in self.subscriber.receive_all():
                self._heard(frames)
        now = time.monotonic()
        due = self.session.wake_at()
        if due is not None and now >= due:
            self._apply(Tick())
        if self._streams:
            self._tick_streams(now)

    def wake_at(self) -> float | None:
        """Return when `read` is due although nothing has arrived."""
        due = [one.wake_at() for one in self._observers() if not one.stopped]
        if (session := self.session.wake_at()) is not None:
            due.append(session)
        return min(due, default=None)

    def close(self) -> None:
        """Say goodbye and close the sockets."""
        if self._closed:
            return
        self._closed = True
        self.dealer.send([encode([Goodbye()])])
        self.dealer.close()
        if self.subscriber is not None:
            self.subscriber.close()

    def _observers(self) -> list[Observer]:
        return [one for stream in self._streams for one in stream.observers.values()]

    def _apply(self, event: SessionEvent) -> None:
        pending: deque[SessionEvent] = deque([event])
        while pending:
            effects = self.session.handle(time.monotonic(), pending.popleft())
            messages = [effect.message for effect in effects if isinstance(effect, Send)]
            if messages and not self.dealer.send([encode(messages)]):
                pending.append(Unsent())
            for effect in effects:
                self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Replied(id_, reply):
                if reply.outcome is not Outcome.ACCEPTED:
                    self._answered(id_, reply)
            case GaveUp(request):
                if asked := self._pages.pop(request, None):
                    self._settle(asked[0], self._gave_up(effect))
            case Welcomed(welcome):
                if self._streams:
                    self._open_feed(welcome)
            case Send():
                pass

    def _answered(self, request: str, reply: Reply) -> None:
        """Take a reply, and ask for the page that follows."""
        if (asked := self._pages.pop(request, None)) is None:
            return  # what came with it, and before it, has let it be forgotten
        id_, pages = asked
        try:
            following = pages.take(reply)
        except SupervisorError as error:
            self._settle(id_, error)
            return
        if following is None:
            self._settle(id_, pages.whole())
        else:
            self._ask(secrets.token_hex(12), id_, pages, following)

    def _settle(self, id_: str, final: Ending) -> None:
        asked = self._snapshots.pop(id_, None)
        if asked is None:
            self._finals[id_] = final
            return
        stream, channel, call = asked
        try:
            if isinstance(final, SupervisorError):
                raise final
            snapshot = call.outcome(*final)
        except (NoBroker, NoDispatcher):
            return  # the observer asks again, and says that the feed has stopped
        except SupervisorError as error:
            if not channel.startswith(stream.follows):
                stream.error = error
            else:
                self.leave(stream, channel)
                stream.updates.append(Unknown(channel, str(error)))
        else:
            stream.put(stream.observers[channel].snapshot(time.monotonic(), snapshot))

    def _open_feed(self, welcome: Welcome) -> bool:
        """Connect to the feed and subscribe for all streams, unless that was done."""
        try:
            address = reachable(welcome.events, self.address)
        except ValueError as error:
            self._no_feed(welcome, error)
            return False
        if self.subscriber is not None:
            is_same = self.subscriber.curve == self.dealer.curve
            if self.subscriber.address == address and is_same and not self._feed_ended:
                return False
            self.subscriber.close()
            self.subscriber = None
        self._feed_ended = False
        try:
            self.subscriber = Subscriber(self._context, address, curve=self.dealer.curve)
        except (OSError, ValueError) as error:
            self._no_feed(welcome, error)
            return False
        for stream in self._streams:
            self._subscribe(stream)
        return True

    def _no_feed(self, welcome: Welcome, error: Exception) -> None:
        """Go on without a feed: who observes is told that it has stopped."""
        self.malformed += 1
        named = welcome.events[:80]
        log.warning("the broker at %s names no event feed: %r: %s", self.address, named, error)

    def _subscribe(self, stream: Stream) -> None:
        if self.subscriber is None:
            return
        for topic in stream.topics:
            self.subscriber.subscribe(topic.encode())

    def _heard(self, frames: list[bytes]) -> None:
        now = time.monotonic()
        try:
            for event in decode(frames[-1]):
                if not isinstance(event, Event):
                    raise MalformedMessage(f"{event.kind} on a channel")
                self._told(now, event)
        except (MalformedMessage, ValueError) as error:
            self.malformed += 1
            log.warning("the feed of %s carried what is no event: %s", self.address, error)

    def _told(self, now: float, event: Event) -> None:
        for stream in self._streams:
            if event.channel == FEED:
                for observer in stream.observers.values():
                    stream.put(observer.beat(now, event))
                if FEED in stream.taps:
                    stream.updates.append(News(FEED, event.at, payload_of(event)))
            elif (found := stream.observers.get(event.channel)) is not None:
                stream.put(found.event(now, event))
            elif event.channel.startswith(stream.follows):
                found = Observer(event.channel, now, from_start=True)
                stream.observers[event.channel] = found
                stream.put(found.event(now, event))
            elif event.channel.startswith(stream.taps):
                stream.put([News(event.channel, event.at, payload_of(event))])

    def _tick_streams(self, now: float) -> None:
        for stream in self._streams:
            for observer in stream.observers.values():
                stream.put(observer.tick(now))
        self._ask_snapshots()

    def _ask_snapshots(self) -> None:
        now = time.monotonic()
        for stream in self._streams:
            for channel, observer in list(stream.observers.items()):
                if observer.wants_snapshot(now):
                    call = shot_verbs.snapshot(channel)
                    self._snapshots[self.begin(call)] = (stream, channel, call)

    def late(self, id_: str, call: Call[T], timeout_s: float) -> SupervisorError:
        """Return the error for a call that was not answered in time."""
        if not self.session.in_contact:
            return self._gave_up(
                GaveUp(id_, broker_there=False, reached=self.session.was_sent(id_))
            )
        verb = call.command.verb.replace("_", "-")
        return TimedOut(
            f"no answer to {verb} in {timeout_s:g} s; it may have been carried out or still be "
            "under way: see `shotline status`"
        )

    def no_broker(self) -> NoBroker:
        """Return the error for an address at which nobody answers, or lets us in."""
        if self.dealer.refusal:
            advice = "; name its file by --key-file or SHOTLINE_KEY, or in --config"
            return NotLetIn(self.dealer.refusal + ("" if self.dealer.curve else advice))
        return NoBroker(
            f"no broker answers at {self.address}; start it (`shotline up`, or shotline-broker), "
            "or give its address by --broker or SHOTLINE_BROKER"
        )

    def _gave_up(self, final: GaveUp) -> SupervisorError:
        if not final.broker_there:
            if final.reached:
                why = self.dealer.refusal or f"the broker at {self.address} went away"
                return NoBroker(
                    f"{why} before it answered; "
                    "whether the command was carried out is not known: see `shotline status`"
                )
            return self.no_broker()
        return NoDispatcher(
            "the dispatcher went away before it answered and has not come back; "
            "whether the command was carried out is not known: see `shotline status`"
        )


def _without(topics: tuple[str, ...], topic: str) -> tuple[str, ...]:
    index = topics.index(topic)
    return topics[:index] + topics[index + 1 :]


def who() -> str:
    """Return the user and machine that commands are logged with."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no entry for this user id
        user = str(os.getuid())
    return sendable(f"{user}@{socket.gethostname()}")[:USER_LENGTH_MAX]


def reachable(events: str, broker: str) -> str:
    """Return the address of the event feed as seen from here: on the host that we reached."""
    bound, reached = urlsplit(events), urlsplit(broker)
    if bound.scheme != "tcp" or reached.scheme != "tcp":
        return events
    host = reached.netloc.rpartition(":")[0]
    return f"tcp://{host}:{bound.netloc.rpartition(':')[2]}"
