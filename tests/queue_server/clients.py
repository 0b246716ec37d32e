"""Whole programmes by clients of the queue server that nobody has changed.

It runs where the queue server's packages are, beside their own tests (`run.py`): the HTTP server in
front of the bridge, and the command of version 0.0.1 at the address for it.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

SERVER = "http://localhost:60610"
KEY = "KEYFORTHISTEST"
HEADERS = {"Authorization": f"ApiKey {KEY}"}
DEADLINE_S = 60.0
COUNT = {"item_type": "plan", "name": "count", "args": [["det1"]]}
FIRST = Path(sys.prefix) / "first"  # the packages of version 0.0.1
FIRST_COMMAND = """
from zmq.asyncio import Socket
from bluesky_queueserver.manager.qserver_cli import qserver
connect = Socket.connect
Socket.connect = lambda *arguments: connect(*arguments) and None  # as ZeroMQ's Python of its time
qserver()
"""


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.1)


@pytest.fixture
def manager() -> Iterator[None]:
    """The stack with the bridge, under the name that the queue server's own manager has."""
    options = [f"--redis-name-prefix=test{time.time_ns()}", "--zmq-publish-console=ON"]
    process = subprocess.Popen(["start-re-manager", *options, "--old-dialect=tcp://127.0.0.1:5555"])
    yield
    process.terminate()
    process.wait(DEADLINE_S)


@pytest.fixture
def http(manager: None) -> Iterator[httpx.Client]:
    """A client of the HTTP server."""
    environment = {**os.environ, "QSERVER_HTTP_SERVER_SINGLE_USER_API_KEY": KEY}
    command = [sys.executable, "-m", "uvicorn", "--port", "60610", "bluesky_httpserver.server:app"]
    process = subprocess.Popen(command, env=environment)
    with httpx.Client(base_url=f"{SERVER}/api", headers=HEADERS, timeout=10.0) as client:
        eventually(lambda: _status(client).get("manager_state") == "idle")
        yield client
    process.terminate()
    process.wait(DEADLINE_S)


def _status(client: httpx.Client) -> Mapping[str, Any]:
    try:
        return client.get("/status").json()
    except (httpx.HTTPError, ValueError):
        return {}


class Listener(threading.Thread):
    """Gathers what comes over a web socket."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self.heard: list[Any] = []
        self._socket = connect(f"ws://localhost:60610/api{path}", additional_headers=HEADERS)
        self.start()

    def run(self) -> None:
        for message in self._socket:
            self.heard.append(json.loads(message))

    def close(self) -> None:
        self._socket.close()


def test_a_programme_through_the_http_server(http: httpx.Client) -> None:
    def post(path: str, **body: Any) -> Mapping[str, Any]:
        reply = http.post(path, json=body).json()
        assert reply["success"] is True, reply
        return reply

    console, info = Listener("/console_output/ws"), Listener("/info/ws")
    post("/environment/open")
    eventually(lambda: _status(http)["worker_environment_exists"])
    uid = post("/queue/item/add", item=COUNT)["item"]["item_uid"]
    slow = {**COUNT, "kwargs": {"num": 2, "delay": 0.2}}
    post("/queue/item/add/batch", items=[slow, COUNT])
    post("/queue/item/move", uid=uid, pos_dest="back")
    assert "count" in http.get("/plans/allowed").json()["plans_allowed"]
    post("/queue/start")
    eventually(lambda: _status(http)["items_in_history"] == 3)
    items = http.get("/history/get").json()["items"]
    assert [item["result"]["exit_status"] for item in items] == ["completed"] * 3
    assert items[2]["item_uid"] == uid
    eventually(lambda: _status(http)["manager_state"] == "idle")
    post("/environment/close")
    eventually(lambda: not _status(http)["worker_environment_exists"])

    told = "".join(one["msg"] for one in console.heard)
    assert "RE Environment is ready" in told
    assert told.count("is completed") == 3
    states = {one["msg"]["status"]["manager_state"] for one in info.heard}
    assert {"idle", "executing_queue"} <= states
    console.close()
    info.close()
    text = http.get("/console_output").json()["text"]
    assert "Starting the plan count" in text
    refused = http.post("/queue/item/add", json={"item": {**COUNT, "name": "other"}}).json()
    assert "not in the list of allowed plans" in refused["msg"]


def test_the_command_of_the_first_version(manager: None) -> None:
    def qserver(*arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(FIRST)}
        command = [sys.executable, "-c", FIRST_COMMAND, "-c", *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S
        )
        return done.stdout + done.stderr

    eventually(lambda: "'manager_state': 'idle'" in qserver("ping"))
    plan = '{"name":"count", "args":[["det1", "det2"]]}'
    assert "'success': True" in qserver("environment_open")
    assert "'success': True" in qserver("queue_plan_add", "-p", plan)
    assert "'success': True" in qserver("queue_plan_add", "-p", "front", plan)
    assert "'plan_uid'" in qserver("queue_get")
    assert "'qsize': 1" in qserver("queue_plan_remove", "-p", "back")
    assert "'count'" in qserver("plans_allowed")
    eventually(lambda: "'worker_environment_exists': True" in qserver("status"))
    assert "'success': True" in qserver("queue_start")
    eventually(lambda: "'plans_in_history': 1" in qserver("status"))
    assert "'completed'" in qserver("history_get")
    assert "'success': True" in qserver("environment_close")
