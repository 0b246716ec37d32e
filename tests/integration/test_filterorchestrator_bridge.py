"""The filter orchestrator's four clients, byte for byte, on raw sockets: in order and out of it.

The C++ clients speak HTTP/1.1 without a Host header and keep their connections; the older ones send
a body with GET.
"""

import contextlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import free_ports
from tests.support.stack import HUB, eventually
from tests.support.volumes import DataStack

GROUPS = {"TriggerRecord": {"credits": True, "hosts": "own"}, "TimeSlice": {"credits": True}}
RECORD_KEYS = {"file", "run_number", "trigger_number", "sequence_number", "type"}


class Client:
    """A client's connection, which it keeps."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._file = self._socket.makefile("rb")

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Send a request as Boost.Beast writes it: no Host."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nUser-Agent: Boost.Beast/347\r\n"
        if content:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        self._socket.sendall(head.encode() + b"\r\n" + content)

    def receive(self) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of the next answer."""
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, json.loads(self._file.read(length))

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send a request and return its answer."""
        self.send(method, path, body)
        return self.receive()

    def close(self) -> None:
        """End it, as a killed client does."""
        self._file.close()
        self._socket.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[DataStack, int]]:
    (port,) = free_ports(1)
    central = ["hub"] if HUB else ["broker", "dispatcher"]
    settings = {
        "up": {"daemons": [*central, "filterorchestrator"]},
        "filterorchestrator": {"address": f"127.0.0.1:{port}", "volume": "ORCHESTRATED"},
    }
    sections = {"folders": {"ORCHESTRATED": {"folder": "nowhere"}}, "consumers": GROUPS}
    with DataStack(tmp_path, sections, settings=settings) as stack:
        yield stack, port


def new_file(host: str, file: str, run: int, ids: list[list[int]]) -> dict[str, Any]:
    return {"host": host, "file": file, "run_number": run, "record_ids": ids} | {
        "record_type": "TriggerRecord"
    }


def test_the_four_clients_in_order_and_out_of_it(site: tuple[DataStack, int]) -> None:
    stack, port = site
    with contextlib.ExitStack() as connections:
        play(stack, lambda: connections.enter_context(contextlib.closing(Client(port))))


def play(stack: DataStack, connect: Callable[[], Client]) -> None:
    monitor, data_filter, dispatcher, writer = (connect() for _ in range(4))
    host = {"host": "np04-srv-001", "file": ""}
    read = ("POST", "/read-next-triggerrecord", host)

    # Out of order: nothing is there, nobody has asked.
    assert dispatcher.ask(*read)[0] == 429
    assert data_filter.ask("GET", "/request-tr")[0] == 200
    assert dispatcher.ask(*read)[0] == 404
    missing = {"run_number": 1, "trigger_number": 1, "sequence_number": 0, "file": ""}
    assert writer.ask("POST", "/complete", missing | {"type": "TriggerRecord"})[0] == 404

    # In order, twice announced, for this host alone.
    told = new_file("np04-srv-001", "/data0/run7.hdf5", 7, [[1, 0], [2, 0]])
    assert monitor.ask("POST", "/new-file", told) == (200, {"records": 2})
    assert monitor.ask("POST", "/new-file", told) == (200, {"records": 0})
    assert dispatcher.ask("POST", read[1], {"host": "another", "file": ""})[0] == 404
    status, record = dispatcher.ask(*read)
    assert status == 200
    assert set(record) == RECORD_KEYS
    assert record["file"] == "/data0/run7.hdf5"
    assert (record["run_number"], record["trigger_number"], record["sequence_number"]) == (7, 1, 0)
    assert dispatcher.ask(*read)[0] == 429, "one credit is one record"
    done = {key: record[key] for key in ("run_number", "trigger_number", "sequence_number", "type")}
    assert writer.ask("POST", "/complete", done | {"file": ""})[0] == 200
    assert writer.ask("POST", "/complete", done | {"file": ""})[0] == 404

    # The older words: a body with GET, no type at the end, two requests in one piece.
    assert data_filter.ask("GET", "/request-tr")[0] == 200
    old = connect()
    old.send("GET", "/read-next-tr", {"host": "np04-srv-001"})
    old.send("GET", "/stats")
    status, record = old.receive()
    assert (status, record["trigger_number"]) == (200, 2)
    status, stats = old.receive()
    assert status == 200
    assert stats["groups"]["TriggerRecord"]["leased"] == 1
    stack["filterorchestrator"].kill()  # which forgets what it has given
    stack.restart(stack["filterorchestrator"])
    writer = connect()
    done = {"run_number": 7, "trigger_number": 2, "sequence_number": 0}
    assert writer.ask("POST", "/tr-complete", done)[0] == 200
    assert writer.ask("GET", "/")[0] == 200

    # A file that goes with a record under way, and one of time slices.
    monitor, dispatcher, data_filter = (connect() for _ in range(3))
    told = new_file("h", "/data0/run8.hdf5", 8, [[5, 1]]) | {"record_type": "TimeSlice"}
    assert monitor.ask("POST", "/new-file", told)[0] == 200
    assert data_filter.ask("GET", "/request-ts")[0] == 200
    status, record = dispatcher.ask("POST", "/read-next-timeslice", {"host": "h", "file": ""})
    assert (status, record["type"], record["sequence_number"]) == (200, "TimeSlice", 1)
    gone = {"host": "h", "file": "/data0/run8.hdf5"}
    assert monitor.ask("POST", "/remove-file", gone) == (200, {"records": 1})
    assert monitor.ask("POST", "/new-file", {"host": "h"})[0] == 422
    assert monitor.ask("GET", "/none")[0] == 404, "an error ends no connection"
    done = {"run_number": 8, "trigger_number": 5, "sequence_number": 1, "type": "TimeSlice"}
    assert writer.ask("POST", "/complete", done)[0] == 200
    (volume,) = [one for one in stack.records().volumes if one.volume == "ORCHESTRATED"]
    assert (volume.counts.announced, volume.counts.done) == (3, 3)
    eventually(lambda: bool(writer.ask("GET", "/stats")[1]["volumes"]))
