"""What every daemon that has a unit tells systemd, seen on a socket that stands for it."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.integration.test_systemd import PROGRAMS, UNITS, ids, service_of
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, Stack

from shotline.common.process import interpreter

WATCHDOG_USEC = 200_000
pytestmark = pytest.mark.usefixtures("cold_starts")  # as systemd starts them


class Unit:
    """A daemon, started as its unit starts it, and what it says."""

    def __init__(self, process: "subprocess.Popen[bytes]", notices: socket.socket) -> None:
        self.process = process
        self._notices = notices
        self.heard: list[str] = []

    def wait_for(self, word: str) -> list[str]:
        """Return the lines that came up to the first that begins with a word."""
        came: list[str] = []
        while not any(line.startswith(word) for line in came):
            came += self._notices.recv(4096).decode().split("\n")
        self.heard += came
        return came


@contextmanager
def started(unit: Path, stack: Stack, *arguments: str) -> Iterator[Unit]:
    """Run the unit's program, with systemd's variables."""
    program = service_of(unit)["ExecStart"][0]
    (name,) = (name for name in PROGRAMS if f"{name} " in f"{program} ")
    module = PROGRAMS[name].removesuffix(".__main__")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices,
        (stack.folder / "said").open("w") as said,
    ):
        notices.bind(str(stack.folder / "notify"))
        notices.settimeout(DEADLINE_S)
        process = subprocess.Popen(
            interpreter.python(module, *arguments, "--config", str(stack.config_file)),
            stderr=said,
            env=interpreter.environment()
            | {
                "NOTIFY_SOCKET": str(stack.folder / "notify"),
                "WATCHDOG_USEC": str(WATCHDOG_USEC),
            },
        )
        try:
            yield Unit(process, notices)
        except TimeoutError:
            raise AssertionError((stack.folder / "said").read_text()) from None
        finally:
            process.kill()
            process.wait()


def stack_in(folder: Path) -> Stack:
    (page,) = free_ports(1)
    watched = folder / "watched"
    watched.mkdir()
    settings = {
        "monitor": {"port": page},
        "providers": {"classes": {"B": {"provider": "script"}}},
        "volumes": {"folders": {"raw": {"folder": str(watched)}}},
    }
    stack = Stack(folder, settings=settings)
    file = stack.config_file
    file.write_text(
        f"{file.read_text()}legacy: {{redis_url: 'redis://127.0.0.1:{stack.config.redis.port}/1'}}\n"
    )
    return stack


def arguments_of(unit: Path) -> list[str]:
    return ["A", "1"] if "@" in unit.name else []


@pytest.mark.parametrize("unit", UNITS, ids=ids)
def test_systemd_hears_ready_watchdog_reloading_and_stopping(unit: Path, tmp_path: Path) -> None:
    stack = stack_in(tmp_path)
    stack.redis.start()
    try:
        with started(unit, stack, *arguments_of(unit)) as daemon:
            daemon.wait_for("READY=1")
            assert any(line.startswith("STATUS=") for line in daemon.heard)
            for _ in range(3):
                daemon.wait_for("WATCHDOG=1")
            daemon.process.send_signal(signal.SIGHUP)
            told = daemon.wait_for("RELOADING=1")
            assert any(line.startswith("MONOTONIC_USEC=") for line in told)
            assert "RELOADING=1" not in daemon.wait_for("READY=1")
            daemon.wait_for("WATCHDOG=1")
            daemon.process.terminate()
            daemon.wait_for("STOPPING=1")
            assert daemon.process.wait(DEADLINE_S) == 0
    finally:
        stack.stop()


def test_systemctl_status_tells_of_a_journal_without_redis(tmp_path: Path) -> None:
    (unit,) = (unit for unit in UNITS if unit.name == "shotline-dispatcher.service")
    stack = stack_in(tmp_path)
    stack.redis.start()
    try:
        with started(unit, stack) as daemon:
            daemon.wait_for("READY=1")
            stack.redis.stop()
            daemon.wait_for("STATUS=term 1, journal degraded")
            stack.redis.start()
            daemon.wait_for("STATUS=term 1, journal ok")
    finally:
        stack.stop()


def test_a_server_that_is_restarted_does_not_say_that_it_ends(tmp_path: Path) -> None:
    """systemd would kill its next life when the time for ending is over."""
    (unit,) = (unit for unit in UNITS if "@" in unit.name)
    with Stack(tmp_path) as stack, started(unit, stack, "A", "1") as daemon:
        daemon.wait_for("READY=1")
        daemon.wait_for("STATUS=A:1 is registered with")
        before = stack.wait_until(lambda status: len(status.servers) == 1).servers[0]
        with stack.supervisor() as shotline:
            shotline.server_restart("A:1")
        assert not [line for line in daemon.wait_for("READY=1") if line.startswith("STOPPING")]
        (after,) = stack.wait_until(
            lambda status: [one.incarnation for one in status.servers] != [before.incarnation]
        ).servers
        assert daemon.process.poll() is None
        assert after.liveness == "alive"
