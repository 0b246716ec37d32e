"""The whole system on IPv6: every socket, and every program that is told an address."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.monitor import with_monitor
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, Stack
from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import websocket_connect

from shotline.client.supervisor import Supervisor

EXPERIMENT = """
experiment: TEST
phases: {INIT: 1}
actions:
  - {path: ONE, server_class: A, phase: INIT, when: 10, task: {sleep: 0}}
"""


@pytest.fixture(params=["addresses", "bind"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stack]:
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    clients, servers, events, recodex = free_ports(4)
    broker: dict[str, object] = {
        "clients": f"tcp://[::1]:{clients}",
        "servers": f"tcp://[::1]:{servers}",
        "events": f"tcp://[::1]:{events}",
    }
    if request.param == "bind":
        broker["bind"] = "::1"
    monitor = {"address": "::1", "recodex_zeromq": f"tcp://[::1]:{recodex}"}
    experiments = {"TEST": tmp_path / "experiment.yaml"}
    stack = with_monitor(tmp_path, ("A:1",), experiments, monitor, {"broker": broker})
    with stack as running:
        yield running


def test_a_shot_runs_on_ipv6(stack: Stack) -> None:
    broker = stack.config.broker.clients
    assert broker.startswith("tcp://[::1]:")
    with Supervisor(broker) as shotline:
        shotline.create_pulse("TEST", 1)
        shotline.build_tables("TEST", 1)
        assert shotline.do_phase("INIT", "TEST", 1).ok
        [server] = shotline.servers().servers
        assert server.address == "::1"
    status = subprocess.run(
        [sys.executable, "-m", "shotline.client.cli", "--broker", broker, "status"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert status.returncode == 0, status.stderr

    async def looks() -> None:
        port = stack.config.monitor.port
        client = AsyncHTTPClient(force_instance=True)
        assert (await client.fetch(f"http://[::1]:{port}/readyz")).code == 200
        page = await client.fetch(f"http://[::1]:{port}/", headers={"Host": f"[::1]:{port}"})
        assert b"Shotline" in page.body
        socket = await websocket_connect(f"ws://[::1]:{port}/ws", connect_timeout=DEADLINE_S)
        socket.close()
        while await socket.read_message() is not None:  # until the other side has closed, too
            pass
        client.close()

    asyncio.run(looks())
