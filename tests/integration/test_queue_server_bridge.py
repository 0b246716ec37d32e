"""The bridge for the queue server's clients as a process, on the real stack.

What its requests come to is tested without sockets (`tests/unit/bridges/qserver`), and by the queue
server's own tests (`tests/queue_server`).
"""

import json
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
import zmq
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.common.base import Json

EXPERIMENT = """
experiment: TEST
phases: {READ: 1}
actions:
  - {path: READING, server_class: A, phase: READ, when: 1, task: {sleep: 0}}
"""
COUNT = {"item_type": "plan", "name": "count", "args": [3]}
WHO = {"user": "someone", "user_group": "primary"}


class Client:
    """One of the queue server's clients, by what goes over its socket."""

    def __init__(self, port: int, *, packed: bool = False, server_key: bytes | None = None) -> None:
        self._address = f"tcp://127.0.0.1:{port}"
        self._packed = packed
        self._server_key = server_key

    def ask(self, method: str, timeout_s: float = DEADLINE_S, **params: Json) -> Json:
        """Return the reply; None: there was none."""
        with zmq.Context() as context, context.socket(zmq.REQ) as socket:
            socket.linger = 0
            if self._server_key is not None:
                socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
                socket.curve_serverkey = self._server_key
            socket.connect(self._address)
            message = {"method": method, "params": params}
            data = msgpack.packb(message) if self._packed else json.dumps(message).encode()
            socket.send(data)
            if not socket.poll(timeout_s * 1000):
                return None
            reply = socket.recv()
        return msgpack.unpackb(reply) if self._packed else json.loads(reply)

    def wait_idle(self, history: int = 0) -> None:
        def look() -> bool:
            status = self.ask("status")
            return status["manager_state"] == "idle" and status["items_in_history"] == history

        eventually(look, lambda: f"the last status was {self.ask('status')}")


class World:
    """The stack with the bridge."""

    def __init__(self, folder: Path, **settings: Json) -> None:
        file = folder / "experiment.yaml"
        file.write_text(EXPERIMENT)
        self.control, self.info, self.old = free_ports(3)
        address = "tcp://127.0.0.1:{}".format
        kind = {
            "experiment": "TEST",
            "phases": [{"phase": "READ"}],
            "parameters": {"num": {"type": "integer", "default": 1}},
        }
        self.stack = Stack(
            folder,
            ("A:1",),
            {"TEST": file},
            {
                "up": {"daemons": ["broker", "dispatcher", "qserver"]},
                "queue": {
                    "kinds": {"count": kind},
                    "functions": {
                        "say": {"python": "builtins:print", "class": "A"},
                        "take": {"python": "operator:sub", "class": "A"},
                    },
                },
                "qserver": {
                    "control": address(self.control),
                    "info": address(self.info),
                    "old_dialect": address(self.old),
                    **settings,
                },
            },
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("bridge"))
    with made.stack:
        yield made


def test_a_plan_is_run_and_told_of(world: World) -> None:
    client = Client(world.control)
    client.wait_idle()
    with zmq.Context() as context, context.socket(zmq.SUB) as published:
        published.linger = 0
        published.subscribe(b"QS_")
        published.connect(f"tcp://127.0.0.1:{world.info}")
        assert published.poll(DEADLINE_S * 1000)
        topic, body = published.recv_multipart()
        assert topic == b"QS_Info"
        assert json.loads(body)["msg"]["status"]["manager_state"] == "idle"

        added = client.ask("queue_item_add", item=COUNT, **WHO)
        assert added["success"] is True, added
        assert client.ask("queue_start") == {"success": True, "msg": ""}
        client.wait_idle(history=1)
        (item,) = client.ask("history_get")["items"]
        assert item["item_uid"] == added["item"]["item_uid"]
        assert item["result"]["exit_status"] == "completed"
        assert item["result"]["scan_ids"] == [1]

        lines = ""
        while "is completed" not in lines:
            assert published.poll(DEADLINE_S * 1000)
            topic, body = published.recv_multipart()
            if topic == b"QS_Console":
                lines += json.loads(body)["msg"]
        assert "Starting the plan count" in lines

    with world.stack.supervisor() as shotline:
        told = shotline.queue_history().items[-1]
        assert told.entry.user == "someone"
        assert told.entry.plan.parameters == {"num": 3}


def test_functions_take_arguments_by_position_and_are_heard_on_the_console(world: World) -> None:
    client = Client(world.control)

    def called(name: str, args: list[Json]) -> Json:
        item = {"item_type": "function", "name": name, "args": args}
        return result_of(client.ask("function_execute", item=item, **WHO)["task_uid"])

    def result_of(uid: str) -> Json:
        eventually(lambda: client.ask("task_status", task_uid=uid)["status"] == "completed")
        result = client.ask("task_result", task_uid=uid)["result"]
        assert result["success"] is True, result
        return result["return_value"]

    assert called("take", [5, 3]) == 2
    with zmq.Context() as context, context.socket(zmq.SUB) as published:
        published.linger = 0
        published.subscribe(b"QS_Console")
        published.connect(f"tcp://127.0.0.1:{world.info}")
        eventually(lambda: not called("say", ["something to read"]) and bool(published.poll(10)))
        lines = ""
        while "something to read\n" not in lines:
            assert published.poll(DEADLINE_S * 1000)
            lines += json.loads(published.recv_multipart()[1])["msg"]
    assert result_of(client.ask("environment_update")["task_uid"]) is None


def test_what_others_do_is_seen_at_once(world: World) -> None:
    client = Client(world.control)
    with world.stack.supervisor() as shotline:
        added = shotline.queue_add({"kind": "count", "parameters": {"num": 2}})
        eventually(lambda: client.ask("status")["items_in_queue"] == 1)
        (item,) = client.ask("queue_get")["items"]
        assert item["name"] == "count"
        assert item["kwargs"] == {"num": 2}
        assert item["item_uid"] == added.entries[0].uid
        assert client.ask("queue_clear")["success"] is True
        assert shotline.queue_list().entries == ()


def test_the_first_version_is_answered_at_an_address_of_its_own(world: World) -> None:
    client = Client(world.old)
    assert client.ask("")["plans_in_queue"] == 0
    added = client.ask(
        "queue_plan_add", plan={"name": "count", "args": [1]}, user="me", user_group="root"
    )
    assert added["success"] is True, added
    assert added["plan"]["plan_uid"]
    assert client.ask("queue_plan_remove")["qsize"] == 0


def test_bytes_that_are_no_request_harm_nobody(world: World) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(f"tcp://127.0.0.1:{world.control}")
        socket.send_multipart([b"no request", b"at all"])
        socket.send_multipart([b"", b"\xff\x00"])
        assert socket.poll(DEADLINE_S * 1000)
        assert json.loads(socket.recv_multipart()[-1])["success"] is False
    assert Client(world.control).ask("ping")["manager_state"] == "idle"


def test_it_answers_while_shotline_is_away_and_goes_on_afterwards(world: World) -> None:
    client = Client(world.control)
    broker = world.stack.broker
    broker.kill()
    try:
        eventually(lambda: client.ask("status")["manager_state"] == "initializing")
        assert "does not answer" in client.ask("queue_start")["msg"]
    finally:
        world.stack.restart(broker)
    eventually(lambda: client.ask("status")["manager_state"] == "idle")


def test_only_whoever_has_the_servers_key_is_answered(tmp_path: Path) -> None:
    public, secret = zmq.curve_keypair()
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_bytes(secret + b"\n")
    world = World(tmp_path, encoding="msgpack", key_file=str(key))
    with world.stack:
        client = Client(world.control, packed=True, server_key=public)
        client.wait_idle()
        assert Client(world.control, packed=True).ask("status", timeout_s=1.0) is None
