"""The monitor in the place of ReCodEx's: its configuration file, its four frames, its WebSocket."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
import zmq
from tests.support.monitor import Ws
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S
from tornado.websocket import websocket_connect

from shotline.client.local.daemons import Daemon


class Broker:
    """ReCodEx's broker, as far as its monitor sees it: a ROUTER that connects, and names its peer.

    A message for a name that it does not know is an error here, which that broker passes over.
    """

    def __init__(self, port: int) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        events = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._socket.connect(f"tcp://127.0.0.1:{port}")
        shaken = events.poll(DEADLINE_S * 1000)
        self._socket.disable_monitor()
        events.close()
        assert shaken, "no handshake"
        self._socket.poll(0)  # takes note of the peer's name, which has come before that event

    def send(self, *frames: str | bytes) -> None:
        message = ("recodex-monitor", *frames)
        self._socket.send_multipart([f.encode() if isinstance(f, str) else f for f in message])

    def close(self) -> None:
        self._socket.close()
        self._context.term()


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    folder = tmp_path_factory.mktemp("recodex")
    websocket, zeromq = free_ports(2)
    file = folder / "config.yml"
    settings = {
        "websocket_uri": ["127.0.0.1", websocket],
        "zeromq_uri": ["127.0.0.1", zeromq],
        "logger": {
            "file": str(folder / "log" / "monitor.log"),
            "level": "nonsense",
            "max-size": 1048576,
            "rotations": 3,
        },
    }
    file.write_text("---\n" + yaml.safe_dump(settings) + "...\n")
    daemon = Daemon("monitor", "shotline.monitor", ("-c", str(file)), folder / "output.log")
    daemon.start()
    try:
        daemon.wait_ready(time.monotonic() + DEADLINE_S)
        yield websocket, zeromq
    finally:
        daemon.stop(DEADLINE_S)
        sys.stderr.write(daemon.last_lines(40))
    assert (folder / "log" / "monitor.log").is_file()


@pytest.fixture
def broker(ports: tuple[int, int]) -> Iterator[Broker]:
    made = Broker(ports[1])
    yield made
    made.close()


async def page(port: int, channel: str) -> Ws:
    """Connect as ReCodEx's page does: to the root, with the bare channel id."""
    connection = await websocket_connect(f"ws://127.0.0.1:{port}/", connect_timeout=DEADLINE_S)
    socket = Ws(connection)
    await socket.send(channel)
    return socket


def progress(message: dict[str, object]) -> tuple[object, ...]:
    return tuple(message.get(field) for field in ("command", "task_id", "task_state"))


JOB = [
    ("DOWNLOADED",),
    ("STARTED",),
    ("TASK", "compile", "COMPLETED"),
    ("TASK", "test_1", "FAILED"),
    ("TASK", "test_2", "SKIPPED"),
    ("ENDED",),
    ("UPLOADED",),
    ("FINISHED",),
]


def told(job: list[tuple[str, ...]]) -> list[tuple[object, ...]]:
    return [(*line, None, None)[:3] for line in job]


def test_a_job_is_told_live_and_again_to_who_comes_late(
    ports: tuple[int, int], broker: Broker
) -> None:
    async def run() -> None:
        early = await page(ports[0], "job-1")
        for line in JOB:
            broker.send("job-1", *line)
        live = await early.rest()
        assert early.closed_with[0] == 1000
        assert [progress(one) for one in live] == told(JOB)
        assert "task_id" not in live[0]
        assert "task_state" not in live[0]
        late = await page(ports[0], "job-1")
        assert await late.rest() == live

    asyncio.run(run())


@pytest.mark.parametrize("end", ["FAILED", "ABORTED"])
def test_every_end_ends_the_channel(ports: tuple[int, int], broker: Broker, end: str) -> None:
    async def run() -> None:
        watching = await page(ports[0], f"job-{end}")
        broker.send(f"job-{end}", "STARTED")
        broker.send(f"job-{end}", end)
        assert [one["command"] for one in await watching.rest()] == ["STARTED", end]

    asyncio.run(run())


def test_malformed_messages_are_passed_over(ports: tuple[int, int], broker: Broker) -> None:
    async def run() -> None:
        watching = await page(ports[0], "job-2")
        broker.send("job-2", "STARTED")
        broker.send("job-2")
        broker.send("job-2", "TASK", "a", "COMPLETED", "more", "and more")
        broker.send("job-2", b"\xff\xfe")
        broker.send("job-2", "")
        broker.send("", "STARTED")
        broker.send("job-2", "TASK", b"\xff", "COMPLETED")
        broker.send("job-2", "no word")
        broker.send("job-2", "TASK", "x" * 5_000, "COMPLETED")
        broker.send("0", "exit")
        broker.send("servers", "STARTED")
        broker.send("job-2", "FINISHED")
        assert [one["command"] for one in await watching.rest()] == ["STARTED", "FINISHED"]

    asyncio.run(run())


def test_a_text_of_a_task_stays_text(ports: tuple[int, int], broker: Broker) -> None:
    async def run() -> None:
        watching = await page(ports[0], "job-3")
        name = '"}]<img src=x onerror=alert(1)>\n'
        broker.send("job-3", "TASK", name, "COMPLETED")
        message = await watching.next()
        assert message is not None
        assert message["task_id"] == name
        watching.close()
        await watching.rest()

    asyncio.run(run())


def test_a_file_that_is_wrong_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text('websocket_uri: ["127.0.0.1", 70000]\nzeromq_uri: ["127.0.0.1", 7894]\n')
    daemon = Daemon("monitor", "shotline.monitor", ("-c", str(file)), tmp_path / "output.log")
    daemon.start()
    assert daemon.wait(DEADLINE_S)
    assert daemon.exit_status == 1
    assert "config.yml:1" in daemon.last_lines()


def test_messages_are_json_objects(ports: tuple[int, int], broker: Broker) -> None:
    async def run() -> None:
        connection = await websocket_connect(f"ws://127.0.0.1:{ports[0]}/any/path")
        await connection.write_message("job-4")
        broker.send("job-4", "FINISHED")
        frame = await connection.read_message()
        assert isinstance(frame, str)
        assert json.loads(frame)["command"] == "FINISHED"
        assert await connection.read_message() is None
        connection.close()

    asyncio.run(run())
