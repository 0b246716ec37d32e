"""Peers of the broker that may send anything, over real sockets."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import zmq
from tests.support.stack import DEADLINE_S, eventually

from shotline.common.codec import decode_all, encode
from shotline.common.messages import Message
from shotline.common.transport import Dealer


class Peer:
    """A peer of the broker that may send anything."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", address: str, name: str) -> None:
        self.name = name
        self.dealer = Dealer(context, address)
        self.inbox: list[Message] = []

    def send(self, *frames: bytes) -> None:
        """Send frames as soon as there is a connection."""
        eventually(lambda: self.dealer.send(list(frames)))

    def say(self, *messages: Message) -> None:
        self.send(encode(messages))

    def get(self, *kinds: type[Message]) -> Message:
        """Return the next message of these kinds; what came before it is dropped."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            while self.inbox:
                message = self.inbox.pop(0)
                if isinstance(message, kinds):
                    return message
            assert time.monotonic() < deadline, f"{self.name!r} got none of {kinds}"
            self.dealer.socket.poll(200)
            for frames in self.dealer.receive_all():
                batches = (
                    frames if len(frames) == 1 else frames[1::2]
                )  # a dispatcher's have addresses
                self.inbox += decode_all(batches)


@contextmanager
def peers(*wanted: tuple[str, str]) -> Iterator[list[Peer]]:
    """Open peers: address, and a name for each."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    found = [Peer(context, address, name) for address, name in wanted]
    try:
        yield found
    finally:
        for peer in found:
            peer.dealer.close()
        context.term()
