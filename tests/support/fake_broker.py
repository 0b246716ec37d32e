"""A broker's client side on real sockets, whose answers a test writes: for clients' tests only."""

import itertools
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import zmq

from shotline.common.base import to_json
from shotline.common.codec import decode_all, encode
from shotline.common.commands import AnyCommand, Snapshot, decode_command
from shotline.common.messages import (
    Event,
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
from shotline.common.transport import Publisher, Router
from shotline.common.views import AnyResult, FeedBeat, encode_result

Handler = Callable[[Request, AnyCommand], list[Reply]]


def reply(
    request: Request,
    outcome: Outcome = Outcome.OK,
    message: str = "done",
    result: AnyResult | None = None,
) -> Reply:
    return Reply(
        id=request.id,
        outcome=outcome,
        message=message,
        result=b"" if result is None else encode_result(result),
    )


class FakeBroker:
    """Answers Hello and Ping; requests go to `handler`. It runs in a thread of its own."""

    def __init__(self, handler: Handler, *, term: int | None = 1, address: str = "") -> None:
        self.handler = handler
        self.term = term
        self.requests: queue.Queue[tuple[Request, AnyCommand]] = queue.Queue()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._router = Router(self._context, address or "tcp://127.0.0.1:*")
        self._events = Publisher(self._context, "tcp://127.0.0.1:*")
        self.address = self._router.address
        self.events = self._events.address  # as it tells it
        self._name = secrets.token_hex(4)
        self._seq: dict[str, Iterator[int]] = {}
        self._last: dict[str, int] = {}
        self._ended = False
        self._clients: dict[str, bytes] = {}
        self._waker = self._context.socket(zmq.PAIR)
        self._waker.bind(f"inproc://{self._name}")
        self._wake = self._context.socket(zmq.PAIR)
        self._wake.connect(f"inproc://{self._name}")
        self._thread = threading.Thread(target=self._run, name="fake broker")
        self._thread.start()

    def do(self, action: Callable[[], None]) -> None:
        """Have the broker's thread do something, and wait for it."""
        done = threading.Event()
        self._inbox.put(lambda: (action(), done.set())[0])
        self._wake.send(b"")
        assert done.wait(20), "the fake broker is stuck"

    def send_reply(self, answer: Reply) -> None:
        """Send a reply to whoever asked."""
        self.do(lambda: self._send(self._clients[answer.id], answer))

    def send_problems(self, id_: str, text: str, count: int) -> None:
        """Send whoever asked this the same problem so many times, with nothing in between."""

        def send() -> None:
            for _ in range(count):
                self._send(self._clients[id_], Problem(text=text))

        self.do(send)

    def set_term(self, term: int | None) -> None:
        """Change the dispatcher that is there."""
        self.do(lambda: setattr(self, "term", term))

    def publish(self, channel: str, payload: bytes, *, lost: bool = False) -> None:
        """Publish the channel's next event; a lost one is numbered and never sent."""

        def send() -> None:
            seq = next(self._seq.setdefault(channel, itertools.count(1)))
            self._last[channel] = seq
            if not lost:
                self._publish(channel, seq, payload)

        self.do(send)

    def beat(self) -> None:
        """Publish a beat of the feed."""
        beat = FeedBeat(last=dict(self._last), journal="ok")
        self.publish("feed", to_json(beat))

    def last(self, channel: str) -> int:
        """Return the number of the channel's last event."""
        return self._last.get(channel, 0)

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._wake.send(b"")
            self._thread.join(20)
            assert not self._thread.is_alive()
            for socket in (self._waker, self._wake):
                socket.close(0)
            self._router.close()
            self._events.close()
            self._context.term()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router.socket, zmq.POLLIN)
        poller.register(self._waker, zmq.POLLIN)
        while not self._ended:
            poller.poll(200)
            while self._waker.poll(0):
                self._waker.recv()
            while not self._inbox.empty():
                self._inbox.get()()
            for peer, frames in self._router.receive_all():
                for message in decode_all(frames):
                    self._take(peer, message)

    def _take(self, peer: bytes, message: Message) -> None:
        clock_s = time.monotonic() + 1e6
        match message:
            case Hello():
                welcome = Welcome(
                    broker=self._name,
                    clock_s=clock_s,
                    events=self.events,
                    term=self.term,
                )
                self._send(peer, welcome)
            case Ping():
                pong = Pong(
                    sent_s=message.sent_s, broker=self._name, clock_s=clock_s, term=self.term
                )
                self._send(peer, pong)
            case Request():
                assert message.deadline_s > clock_s, "the request had expired already"
                self._clients[message.id] = peer
                command = decode_command(message.command)
                for answer in self.handler(message, command):
                    self._send(peer, answer)
                if not isinstance(command, Snapshot):
                    self.requests.put((message, command))

    def _send(self, peer: bytes, message: Message) -> None:
        self._router.send(peer, [encode([message])])

    def _publish(self, channel: str, seq: int, payload: bytes) -> None:
        event = Event(
            channel=channel, term=self.term or 0, seq=seq, at=time.time(), payload=payload
        )
        self._events.send(channel.encode(), encode([event]))


@contextmanager
def fake_broker(
    handler: Handler, *, term: int | None = 1, address: str = ""
) -> Iterator[FakeBroker]:
    broker = FakeBroker(handler, term=term, address=address)
    try:
        yield broker
    finally:
        broker.close()
