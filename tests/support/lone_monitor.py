"""The monitor as a process of its own, without broker or dispatcher: for tests of who gets in."""

import contextlib
import http.client
import json
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S

from shotline.client.local.daemons import Daemon

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class Answered:
    """What a request was answered with."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def cookies(self) -> list[str]:
        return self.headers.get_all("Set-Cookie", [])


@dataclass
class LoneMonitor:
    """A monitor that runs, and requests to it."""

    folder: Path
    port: int
    daemon: Daemon
    tls: ssl.SSLContext | None = None

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> Answered:
        """Send a request; a body goes as JSON."""
        connection = (
            http.client.HTTPConnection(host, self.port, timeout=DEADLINE_S)
            if self.tls is None
            else http.client.HTTPSConnection(host, self.port, timeout=DEADLINE_S, context=self.tls)
        )
        data = None if body is None else json.dumps(body).encode()
        typed = {} if body is None else {"Content-Type": "application/json"}
        with contextlib.closing(connection):
            connection.request(method, path, data, {**typed, **(headers or {})})
            answer = connection.getresponse()
            body_ = b"" if answer.status == 101 else answer.read()
            return Answered(answer.status, answer.headers, body_)

    def log(self) -> str:
        """Return what it has logged."""
        return self.daemon.last_lines(1000)


@contextlib.contextmanager
def lone_monitor(
    folder: Path, monitor: Mapping[str, object], tls: ssl.SSLContext | None = None
) -> Iterator[LoneMonitor]:
    """Run a monitor with these settings, whose files are in the folder."""
    port, nobody = free_ports(2)
    settings = {
        "data_folder": str(folder / "var"),
        "broker": {"clients": f"tcp://127.0.0.1:{nobody}"},
        "monitor": {"port": port, **monitor},
        "logging": {"level": "debug"},
    }
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(settings))
    daemon = Daemon("monitor", "shotline.monitor", ("-c", str(file)), folder / "monitor.log")
    daemon.start()
    try:
        daemon.wait_ready(time.monotonic() + DEADLINE_S)
        yield LoneMonitor(folder, port, daemon, tls)
    finally:
        daemon.stop(DEADLINE_S)
        sys.stderr.write(daemon.last_lines(40))
