"""The real daemons as processes, with a Redis of their own, on free ports: for tests of the whole.

    with Stack(tmp_path, servers=("A:1", "B:1"), experiments={"TEST": file}) as stack:
        with stack.supervisor() as shotline: ...

A test may stop, kill and restart each of them; what is left is ended at the end, by its pid.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml
from redis import Redis
from tests.support.ports import free_ports

from shotline.client.errors import Nobody
from shotline.client.local.daemons import Daemon, Daemons
from shotline.client.local.keys import make_keys
from shotline.client.local.redis_server import RedisServer
from shotline.client.supervisor import Supervisor
from shotline.common.keys.folder import own_key
from shotline.common.redis.connection import client_options
from shotline.common.settings.config import load_config
from shotline.common.views import StatusResult

# Broker and dispatcher in one process, which the others reach by CURVE.
HUB = os.environ.get("SHOTLINE_TEST_FORM") == "hub"
DEADLINE_S = 60.0  # the machine may be loaded


def merged(base: Mapping[str, object], more: Mapping[str, object]) -> dict[str, object]:
    """Return `base` with what `more` says, section by section."""
    result = dict(base)
    for key, value in more.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[key] = merged(old, value)
        else:
            result[key] = value
    return result


class Stack:
    """Redis, broker, dispatcher and action servers of one test.

    `servers`: CLASS:ID, or CLASS:ID*SLOTS. `experiments`: experiment files by tree name, or whole
    sections. `settings`: sections of the configuration that differ from the test's usual ones.
    """

    def __init__(
        self,
        folder: Path,
        servers: Sequence[str] = (),
        experiments: Mapping[str, Path | Mapping[str, object]] | None = None,
        settings: Mapping[str, object] | None = None,
        *,
        keyed: bool = HUB,
    ) -> None:
        self.folder = folder
        self._keyed = keyed
        clients, server_port, events, redis_port = free_ports(4)
        usual: dict[str, object] = {
            "data_folder": str(folder / "var"),
            "broker": {
                "clients": f"tcp://127.0.0.1:{clients}",
                "servers": f"tcp://127.0.0.1:{server_port}",
                "events": f"tcp://127.0.0.1:{events}",
            },
            "redis": {"port": redis_port},
            "dispatcher": {"recovery_s": 1.0, "server_grace_s": 2.0},
            "experiments": {
                name: {"source": {"kind": "file", "file": str(one)}}
                if isinstance(one, Path)
                else one
                for name, one in (experiments or {}).items()
            },
            "up": {
                "daemons": ["hub"] if HUB else ["broker", "dispatcher"],
                "servers": [up_server(name) for name in servers],
                "start_s": DEADLINE_S,
                "stop_s": 20.0,
            },
            "logging": {"level": "debug", "max-size": 64 * 1024 * 1024},  # a test reads it whole
        }
        self.config_file = folder / "config.yaml"
        self.config_file.write_text(yaml.safe_dump(merged(usual, settings or {})))
        self.config = load_config(self.config_file, environment={})
        self.daemons = Daemons(self.config, self.config_file)

    @property
    def redis(self) -> RedisServer:
        assert self.daemons.redis is not None
        return self.daemons.redis

    def redis_client(self) -> Redis:
        """Return a connection to the Redis that the dispatcher uses, wherever it is."""
        return Redis(**client_options(self.config.redis, "test"))

    @property
    def broker(self) -> Daemon:
        return self["broker"]

    @property
    def dispatcher(self) -> Daemon:
        return self["dispatcher"]

    def __getitem__(self, name: str) -> Daemon:
        """Return a daemon by its name: `broker`, `dispatcher`, or a server's CLASS:ID.

        Where the hub runs it is both.
        """
        found = {daemon.name: daemon for daemon in self.daemons.all}
        return found["hub"] if name in ("broker", "dispatcher") and "hub" in found else found[name]

    def start(self) -> None:
        """Start all, and return once the dispatcher sees every server alive."""
        self.daemons.start(lambda _: None)
        self.wait_until(lambda status: not status.recovering and self._all_alive(status))

    def restart(self, daemon: Daemon) -> None:
        """Start one that has ended, and return once it serves. It ends with the calling thread."""
        if HUB and daemon.name == "hub" and daemon.running:
            return  # as its other half
        daemon.start()
        daemon.wait_ready(time.monotonic() + DEADLINE_S)

    def supervisor(self) -> Supervisor:
        """Return a new connection to the broker; every wait has the test's deadline."""
        return Supervisor(
            self.config.broker.clients,
            key=own_key(self.config.keys, "operator"),
            timeout_s=DEADLINE_S,
            wait_timeout_s=DEADLINE_S,
        )

    def wait_until(self, holds: Callable[[StatusResult], bool]) -> StatusResult:
        """Return the first status for which `holds`; fail after the deadline."""
        seen: list[StatusResult | Nobody] = []

        def look() -> bool:
            try:
                status = shotline.status()
            except Nobody as away:
                seen.append(away)
                return False
            seen.append(status)
            return holds(status)

        with self.supervisor() as shotline:
            eventually(look, lambda: f"the last status was {seen[-1:]}")
        last = seen[-1]
        assert isinstance(last, StatusResult)
        return last

    def stop(self) -> None:
        """End all that runs, in order; what a test has stopped by a signal goes on first."""
        for daemon in self.daemons.all:
            daemon.signal(signal.SIGCONT)
        self.daemons.stop(lambda _: None)

    def show_logs(self) -> None:
        """Write the ends of all logs, for whoever looks at a failure."""
        for daemon in self.daemons.all:
            sys.stderr.write(f"--- {daemon.name}\n{daemon.last_lines(60)}\n")

    def make_keys(self) -> None:
        """Let all know each other by keys, from their start on."""
        make_keys(self.daemons, lambda _: None)

    def __enter__(self) -> Self:
        try:
            if self._keyed:
                self.make_keys()
            self.start()
        except BaseException:
            self.show_logs()
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.show_logs()
        self.stop()

    def _all_alive(self, status: StatusResult) -> bool:
        alive = {server.server for server in status.servers if server.liveness == "alive"}
        return alive >= {daemon.name for daemon in self.daemons.servers}


def up_server(name: str) -> dict[str, object]:
    """Return an entry of `up.servers` for CLASS:ID or CLASS:ID*SLOTS."""
    name, _, slots = name.partition("*")
    server_class, _, server_id = name.partition(":")
    return {"class": server_class, "id": server_id, "slots": int(slots) if slots else None}


def eventually(holds: Callable[[], bool], why: Callable[[], str] = lambda: "") -> None:
    """Return once `holds`; fail after the deadline. Between two looks the processor is others'."""
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"it did not come about in {DEADLINE_S} s: {why()}"
        pause.wait(0.02)
