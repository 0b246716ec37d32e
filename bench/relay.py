"""The bare relay that the monitor is compared with: what is published goes to all WebSockets.

    python -m bench.relay publish RATE    JSON as the monitor sends it, so many changes a second
    python -m bench.relay serve ADDRESS   each message to every WebSocket as it is

All that came with one wake-up goes in one frame. Nothing is known of shots, nobody has a state or
a filter; who does not read misses what comes meanwhile. Both say where they are.
"""

import asyncio
import json
import sys
import time
from asyncio import Future
from collections import deque
from contextlib import suppress
from typing import ClassVar, Final

import zmq
from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from bench.programs import say
from shotline.client.local.ports import free_ports

TURN_S: Final = 0.01
WAITING_MAX: Final = 100  # frames for one WebSocket
CHANGE_BYTES: Final = 390  # as long as the monitor's, on average


def publish(rate: int) -> None:
    """Publish changes for ever, those of a turn together."""
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
    say(f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}")
    begin, told = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - begin) * rate)
        messages = [_change(seq) for seq in range(told, due)]
        socket.send(b",".join(messages))
        told = due
        time.sleep(TURN_S)


def _change(seq: int) -> bytes:
    known = {"command": "ACTION", "time": time.time(), "seq": seq, "filler": ""}
    known["filler"] = "x" * (CHANGE_BYTES - len(json.dumps(known)))
    return json.dumps(known).encode()


class Client(WebSocketHandler):
    """One that gets everything."""

    all: ClassVar[set["Client"]] = set()

    def open(self) -> None:
        """Be there."""
        self.waiting: deque[Future[None]] = deque(maxlen=WAITING_MAX)
        self.all.add(self)

    def tell(self, frame: str) -> None:
        """Send a frame, unless too many wait already."""
        while self.waiting and self.waiting[0].done():
            self.waiting.popleft()
        if len(self.waiting) < WAITING_MAX:
            with suppress(WebSocketClosedError):
                self.waiting.append(self.write_message(frame))

    def on_message(self, message: str | bytes) -> None:
        """Need not be told what is wanted."""

    def on_close(self) -> None:
        """Be gone."""
        self.all.discard(self)


async def serve(address: str) -> None:
    """Relay for ever."""
    (port,) = free_ports(1)
    Application([("/ws", Client)]).listen(port, "127.0.0.1")
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
    socket.connect(address)
    socket.subscribe(b"")
    say(str(port))

    def drain() -> None:
        messages = []
        while int(socket.get(zmq.EVENTS)) & zmq.POLLIN:
            messages.append(socket.recv())
        if messages:
            frame = b'{"messages":[%s]}' % b",".join(filter(None, messages))
            for client in Client.all:
                client.tell(frame.decode())
            loop.call_soon(drain)  # nobody tells twice that something is there

    loop = asyncio.get_running_loop()
    loop.add_reader(int(socket.getsockopt(zmq.FD)), drain)
    loop.call_soon(drain)
    await asyncio.Event().wait()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["publish", changes]:
            publish(int(changes))
        case ["serve", source]:
            asyncio.run(serve(source))
        case _:
            sys.exit(__doc__)
