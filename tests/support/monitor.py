"""The monitor beside a stack, and clients that speak to it as browsers and programs do."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, Stack
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

Json = dict[str, object]


def with_monitor(
    folder: Path,
    servers: tuple[str, ...],
    experiments: Mapping[str, Path],
    monitor: Mapping[str, object] | None = None,
    settings: Mapping[str, object] | None = None,
) -> Stack:
    """Return a stack with a monitor on a free port; `settings` are further sections."""
    (port,) = free_ports(1)
    settings = {
        "monitor": {"port": port, **(monitor or {})},
        "up": {"daemons": ["broker", "dispatcher", "monitor"]},
        **(settings or {}),
    }
    return Stack(folder, servers, experiments, settings)


class Response(NamedTuple):
    """What the HTTP interface has answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


class Page:
    """One browser's or program's side: requests, and WebSockets. Use it inside a running loop."""

    def __init__(self, stack: Stack) -> None:
        self.port = stack.config.monitor.port
        self.client = AsyncHTTPClient(force_instance=True)
        self.sockets: list[Ws] = []

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        return await self.request("GET", path, None, headers or {})

    async def post(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return await self.request(
            "POST", path, data, {"Content-Type": "application/json", **(headers or {})}
        )

    async def request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Response:
        request = HTTPRequest(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            body=body,
            headers=dict(headers),
            request_timeout=DEADLINE_S,
            connect_timeout=DEADLINE_S,
            allow_nonstandard_methods=True,
        )
        answer = await self.client.fetch(request, raise_error=False)
        return Response(answer.code, dict(answer.headers), answer.body)

    async def done(self, verb: str, **arguments: object) -> Json:
        """Carry out a command that must succeed, and return its result."""
        answer = await self.post(f"/api/{verb}", arguments)
        assert answer.status == 200, answer
        result = answer.json["result"]
        return result if isinstance(result, dict) else {}

    async def ws(self, *frames: str | Json, path: str = "/ws") -> "Ws":
        """Open a WebSocket and send frames."""
        connection = await websocket_connect(
            f"ws://127.0.0.1:{self.port}{path}", connect_timeout=DEADLINE_S
        )
        socket = Ws(connection)
        self.sockets.append(socket)
        for frame in frames:
            await socket.send(frame)
        return socket

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self.sockets:
            socket.close()
        for socket in self.sockets:
            await socket.rest()  # until the other side has closed, too
        self.client.close()


class Ws:
    """A WebSocket's client; every wait has the test's deadline."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self._ended = False

    async def send(self, frame: str | Json) -> None:
        await self.connection.write_message(frame if isinstance(frame, str) else json.dumps(frame))

    async def next(self) -> Json | None:
        """Return the next frame, None when the connection was closed."""
        if self._ended:
            return None
        async with asyncio.timeout(DEADLINE_S):
            frame = await self.connection.read_message()
        self._ended = frame is None
        if self._ended:
            self.connection.close()
        return None if frame is None else json.loads(frame)

    async def rest(self) -> list[Json]:
        """Return all frames until the connection is closed."""
        found: list[Json] = []
        while (frame := await self.next()) is not None:
            found.append(frame)
        return found

    async def until(self, holds: Callable[[Json], bool]) -> list[Json]:
        """Return all frames up to and with the first for which `holds`."""
        found: list[Json] = []
        while True:
            frame = await self.next()
            assert frame is not None, f"closed after {found[-3:]}"
            found.append(frame)
            if holds(frame):
                return found

    async def until_message(self, channel: str, holds: Callable[[Json], bool]) -> list[Json]:
        """Return a channel's messages of the subscribe form up to the first that `holds`."""
        found: list[Json] = []
        while True:
            frame = await self.next()
            assert frame is not None, f"closed after {found[-3:]}"
            for message in messages_of(frame, channel):
                found.append(message)
                if holds(message):
                    return found

    @property
    def closed_with(self) -> tuple[int | None, str | None]:
        return self.connection.close_code, self.connection.close_reason

    def close(self) -> None:
        self.connection.close()


def on(stack: Stack, work: Callable[[Page], Awaitable[None]]) -> None:
    """Do asynchronous work with a client of the running monitor."""

    async def run() -> None:
        async with Page(stack) as page:
            await work(page)

    asyncio.run(run())


def messages_of(frame: Json, channel: str | None = None) -> list[Json]:
    """Return the messages of a frame of the subscribe form."""
    if channel not in (None, frame.get("channel")):
        return []
    messages = frame.get("messages", [])
    assert isinstance(messages, list)
    return messages
