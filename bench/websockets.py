"""Many WebSockets, some of which sleep: they have subscribed and do not read.

    python -m bench.websockets PORT AWAKE ASLEEP SECONDS

Most of those that are awake read and look at nothing, so that the machine is the monitor's; a few
look at every message. In the end the sleepers wake up and read until they are up to date.
"""

import asyncio
import json
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Final

from bench.programs import say

CHANNEL: Final = "BENCH/1"
LOOKING: Final = 4
WARM_S: Final = 10.0  # in which the states of all are read
READ_BYTES: Final = 262_144
SMALL_BUFFER: Final = 65_536
WAKE_WITHIN_S: Final = 30.0


@dataclass
class Told:
    """What the clients have seen."""

    frames_bytes: int = 0
    ages_s: list[float] = field(default_factory=list)
    closed: int = 0
    last_seq: int = 0
    woken: int = 0
    woken_bytes: int = 0


async def connected(port: int, buffer: int | None = None) -> socket.socket:
    """Return a WebSocket that has subscribed to the shot, beginning with its whole state."""
    loop = asyncio.get_running_loop()
    one = socket.socket()
    one.setblocking(False)
    if buffer is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    await loop.sock_connect(one, ("127.0.0.1", port))
    request = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await loop.sock_sendall(one, request.encode())
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += await loop.sock_recv(one, 1)
    text = json.dumps({"subscribe": CHANNEL, "state": True}).encode()
    await loop.sock_sendall(one, bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text)
    return one


class Frames:
    """The frames in what was read."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def take(self, chunk: bytes) -> list[bytes]:
        """Return the payloads of the text frames that are whole by now."""
        self._rest += chunk
        found = []
        while len(self._rest) >= 2:
            length, at = self._rest[1] & 127, 2
            if length >= 126:
                size = 2 if length == 126 else 8
                length, at = int.from_bytes(self._rest[2 : 2 + size]), 2 + size
            if len(self._rest) < at + length:
                break
            if self._rest[0] & 15 == 1:
                found.append(bytes(self._rest[at : at + length]))
            del self._rest[: at + length]
        return found


async def read(one: socket.socket, told: Told, *, looks: bool, until: float) -> None:
    """Read for a while; who looks notes how old each change is when it arrives."""
    loop, frames = asyncio.get_running_loop(), Frames()
    while (left := until - time.monotonic()) > 0:
        try:
            chunk = await asyncio.wait_for(loop.sock_recv(one, READ_BYTES), left)
        except TimeoutError:
            return
        if not chunk:
            told.closed += 1
            return
        told.frames_bytes += len(chunk)
        for text in frames.take(chunk) if looks else ():
            note(told, text)


def note(told: Told, text: bytes) -> None:
    """Note the age of a frame's messages."""
    now = time.time()
    messages = json.loads(text).get("messages", ())
    for message in messages:
        if message["command"] in ("ACTION", "TASK"):
            told.ages_s.append(now - message["time"])
    if messages:
        told.last_seq = max(told.last_seq, messages[-1]["seq"])


async def wake(one: socket.socket, told: Told) -> None:
    """Read until there is a message as new as those who were awake have."""
    loop, frames, seq = asyncio.get_running_loop(), Frames(), told.last_seq
    while True:
        chunk = await asyncio.wait_for(loop.sock_recv(one, READ_BYTES), WAKE_WITHIN_S)
        if not chunk:
            return
        told.woken_bytes += len(chunk)
        for text in frames.take(chunk):
            messages = json.loads(text).get("messages", ())
            if messages and messages[-1]["seq"] >= seq:
                told.woken += 1
                return


async def main(port: int, awake: int, asleep: int, seconds: float) -> None:
    """Connect all, read, wake the sleepers; print what was seen as JSON."""
    told = Told()
    sleepers = [await connected(port, SMALL_BUFFER) for _ in range(asleep)]
    readers = [await connected(port) for _ in range(awake)]
    until = time.monotonic() + WARM_S + seconds
    reading = asyncio.gather(
        *(read(one, told, looks=at < LOOKING, until=until) for at, one in enumerate(readers))
    )
    await asyncio.sleep(WARM_S)
    told.frames_bytes = 0
    told.ages_s.clear()
    say("connected")
    await reading
    say("waking")
    for one in readers:
        one.close()
    results = await asyncio.gather(*(wake(one, told) for one in sleepers), return_exceptions=True)
    for one in sleepers:
        one.close()
    ages = sorted(told.ages_s)
    found: dict[str, float] = {
        "bytes": told.frames_bytes,
        "closed": told.closed,
        "changes": len(ages),
        "age_p50_s": ages[len(ages) // 2] if ages else -1,
        "age_p99_s": ages[int(len(ages) * 0.99)] if ages else -1,
        "woken": told.woken,
        "not_woken": sum(isinstance(one, BaseException) for one in results),
        "woken_bytes": told.woken_bytes,
    }
    say(json.dumps(found))


if __name__ == "__main__":
    where, awake_count, asleep_count = map(int, sys.argv[1:4])
    asyncio.run(main(where, awake_count, asleep_count, float(sys.argv[4])))
