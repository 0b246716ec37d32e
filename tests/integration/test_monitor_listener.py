"""Where connections come in: too many are answered in words, and nothing spins or stays shut."""

import asyncio
import contextlib
import gzip
import logging
import os
import resource
import socket
from collections.abc import Awaitable, Callable

import pytest
import tornado.web
from tests.support.stack import DEADLINE_S

from shotline.monitor.http import listener
from shotline.monitor.http.listener import Listener, bound

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Hello(tornado.web.RequestHandler):
    def get(self) -> None:
        self.finish("hello")

    def post(self) -> None:
        self.finish(str(len(self.request.body)))


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def answer(self) -> bytes:
        """Ask for the page. Return what comes."""
        self._writer.write(GET)
        async with asyncio.timeout(DEADLINE_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            return head + await self._reader.readexactly(length)

    async def sent(self, request: bytes) -> bytes:
        """Send bytes. Return all that comes until the other side closes."""
        self._writer.write(request)
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(ConnectionError):
                return await self._reader.read()
        return b""

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class World:
    """A listener, and who has connected to it."""

    def __init__(self, limits: dict[str, int]) -> None:
        sockets = bound("127.0.0.1", 0)
        self.port = sockets[0].getsockname()[1]
        most = {"connections_max": 1000, "address_connections_max": 1000} | limits
        routes = tornado.web.Application([("/", Hello)])
        self.listener = Listener(routes, sockets, body_bytes_max=1000, **most)
        self.clients: list[Client] = []

    async def connect(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self.clients.append(client)
        return client

    async def close(self) -> None:
        self.listener.stop()
        await self.listener.close_all_connections()
        for client in self.clients:
            await client.close()


def in_a_world(work: Callable[[World], Awaitable[None]], **limits: int) -> None:
    async def serve() -> None:
        world = World(limits)
        try:
            await work(world)
        finally:
            await world.close()

    asyncio.run(serve())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"connections_max": 3}, b"there are 3 connections already"),
        ({"address_connections_max": 3}, b"there are 3 connections from 127.0.0.1 already"),
    ],
)
def test_one_too_many_is_told_so_and_the_next_is_served_once_one_has_gone(
    limits: dict[str, int], words: bytes
) -> None:
    async def work(world: World) -> None:
        there = [await world.connect() for _ in range(3)]
        for one in there:
            assert b"hello" in await one.answer()
        refused = await (await world.connect()).answer()
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert words in refused
        assert world.listener.refused == 1
        await there[0].close()
        await until(lambda: world.listener.connections < 3)
        assert b"hello" in await (await world.connect()).answer()

    in_a_world(work, **limits)


def test_without_descriptors_nothing_spins_and_the_next_that_ends_lets_one_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(world: World) -> None:
        there = await world.connect()
        assert b"hello" in await there.answer()
        loop = asyncio.get_running_loop()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as waiting:
            waiting.setblocking(False)
            spare = os.dup(0)  # the lowest number that is free
            os.close(spare)
            resource.setrlimit(resource.RLIMIT_NOFILE, (spare, before[1]))
            try:
                await loop.sock_connect(waiting, ("127.0.0.1", world.port))
                await loop.sock_sendall(waiting, GET)
                await until(lambda: "no connection can be accepted now" in caplog.text)
                for _ in range(1000):
                    await asyncio.sleep(0)
                assert len(caplog.records) == 1
                await there.close()
                async with asyncio.timeout(DEADLINE_S):
                    assert b"200 OK" in await loop.sock_recv(waiting, 4096)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)

    with caplog.at_level(logging.WARNING, "shotline.monitor.http.listener"):
        in_a_world(work)


POST = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
LARGE = b"x" * 100_000


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 100000\r\n\r\n" + LARGE,
        POST + b"Transfer-Encoding: chunked\r\n\r\n186a0\r\n" + LARGE + b"\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + LARGE + b"\r\n\r\n",
        b"GET /" + LARGE + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        LARGE,
    ],
    ids=["body", "chunked body", "header", "address", "no request"],
)
def test_what_is_too_large_is_not_taken(request_: bytes) -> None:
    async def work(world: World) -> None:
        answer = await (await world.connect()).sent(request_)
        assert answer[:13] in (b"", b"HTTP/1.1 400 ", b"HTTP/1.1 431 ")
        await until(lambda: world.listener.connections == 0)
        assert b"hello" in await (await world.connect()).answer()

    in_a_world(work)


def test_nothing_is_decompressed() -> None:
    """A few bytes would become very many."""
    small = gzip.compress(LARGE)
    head = POST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(small)

    async def work(world: World) -> None:
        answer = await (await world.connect()).sent(head + small)
        assert answer.endswith(b"\r\n\r\n%d" % len(small)), answer

    in_a_world(work)


@pytest.mark.parametrize(
    "request_",
    [b"", GET[:20], POST + b"Content-Length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a head", "half a body"],
)
def test_who_says_nothing_more_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, request_: bytes
) -> None:
    monkeypatch.setattr(listener, "IDLE_S", 0.1)
    monkeypatch.setattr(listener, "BODY_S", 0.1)

    async def work(world: World) -> None:
        await (await world.connect()).sent(request_)
        await until(lambda: world.listener.connections == 0)

    in_a_world(work)
