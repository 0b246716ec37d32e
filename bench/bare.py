"""A bare ROUTER that sends back what it gets, and many peers that send it something each second.

    python -m bench.bare router
    python -m bench.bare peers ADDRESS COUNT    says `ready` once all have been answered

The peers start one after the other within a second, so that what they send does not come together.
"""

import selectors
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final

import zmq

from bench.programs import say

BEAT_S: Final = 1.0
BEAT: Final = b"x" * 150  # about what a server's heartbeat takes
SOCKETS_MAX: Final = 10_000
LOOK_S: Final = 0.5

Context = zmq.Context[zmq.Socket[bytes]]


class Peer(ABC):
    """One that says that it is alive."""

    sockets: Sequence[zmq.Socket[bytes]]
    due = 0.0  # when `beat` is to be called; monotonic seconds
    is_answered = False

    @abstractmethod
    def beat(self) -> None:
        """Do what is due."""

    @abstractmethod
    def take(self) -> None:
        """Take all that has arrived: nobody tells twice that it is there."""


class BarePeer(Peer):
    """Sends bytes and takes any answer."""

    def __init__(self, context: Context, address: str) -> None:
        socket = context.socket(zmq.DEALER)
        socket.connect(address)
        self.sockets = (socket,)

    def beat(self) -> None:
        """Send."""
        self.due += BEAT_S
        self.sockets[0].send(BEAT)

    def take(self) -> None:
        """Take an answer."""
        try:
            while True:
                self.sockets[0].recv(zmq.NOBLOCK)
                self.is_answered = True
        except zmq.Again:
            pass


def live(count: int, make: Callable[[Context, int], Peer]) -> None:
    """Let so many live for ever; `make` gets the number of each."""
    context: Context = zmq.Context.instance()
    context.set(zmq.MAX_SOCKETS, SOCKETS_MAX)
    peers = [make(context, number) for number in range(count)]
    selector = selectors.DefaultSelector()
    begin = time.monotonic()
    for number, peer in enumerate(peers):
        peer.due = begin + BEAT_S * number / count
        for socket in peer.sockets:
            selector.register(int(socket.getsockopt(zmq.FD)), selectors.EVENT_READ, peer)
    told, look_at = False, 0.0
    while True:
        now = time.monotonic()
        for peer in [one for one in peers if one.due <= now]:
            peer.beat()
            peer.take()
        if not told and look_at <= now:
            look_at = now + LOOK_S
            if told := all(peer.is_answered for peer in peers):
                say("ready")
        left_s = min(peer.due for peer in peers) - time.monotonic()
        for key, _ in selector.select(max(0.0, left_s)):
            key.data.take()


def router() -> None:
    """Answer for ever."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    say(f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}")
    while True:
        socket.send_multipart(socket.recv_multipart())


def _main(arguments: list[str]) -> None:
    match arguments:
        case ["router"]:
            router()
        case ["peers", address, count]:
            live(int(count), lambda context, _number: BarePeer(context, address))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    _main(sys.argv[1:])
