"""SIGHUP: logs are opened anew, the configuration is read again, and nobody ends, nor any task."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import yaml
from tests.support.faults import ACTIONS as GATED
from tests.support.faults import ALL_GOOD, Pulse, each_once, stack_of
from tests.support.ports import free_ports
from tests.support.processes import processes_of
from tests.support.stack import DEADLINE_S, Stack, eventually, merged

PROGRAMS = ("broker", "dispatcher", "monitor", "legacy", "action-server-A-1", "action-server-B-1")

IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY)
os.execv(sys.argv[1], sys.argv[1:])
"""


def end_all(up: "subprocess.Popen[bytes]", folder: Path) -> None:
    """End what is left of it, by pid."""
    for left in (up, *processes_of(folder)):
        with contextlib.suppress(psutil.Error, OSError):
            left.kill()
    up.wait()


def stack_file(folder: Path) -> Path:
    return folder / "experiment.yaml"


def rewrite(stack: Stack, changes: dict[str, object]) -> None:
    known = yaml.safe_load(stack.config_file.read_text())
    stack.config_file.write_text(yaml.safe_dump(merged(known, changes)))


def test_every_daemon_outlives_sighup_with_a_new_log_and_what_it_runs(tmp_path: Path) -> None:
    (page,) = free_ports(1)
    settings = {
        "up": {"daemons": ["broker", "dispatcher", "monitor", "legacy"]},
        "monitor": {"port": page},
        "logging": {"file": "{program}.log", "level": "info"},
    }
    stack = stack_of(tmp_path, ("A:1", "B:1"), *GATED, settings=settings)
    rewrite(stack, {"legacy": {"redis_url": f"redis://127.0.0.1:{stack.config.redis.port}/1"}})
    stack.make_keys()
    logs = {name: tmp_path / "var" / f"{name}.log" for name in PROGRAMS}
    said = tmp_path / "up.log"
    with said.open("w") as written:
        up = subprocess.Popen(
            [sys.executable, "-m", "shotline.client.cli", "--config", str(stack.config_file), "up"],
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        stack.wait_until(lambda status: not status.recovering and len(status.servers) == 2)
        eventually(lambda: all(log.exists() for log in logs.values()))
        before = {process.pid for process in processes_of(tmp_path)}
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST", "B_FIRST")

        for log in logs.values():
            log.rename(log.with_suffix(".old"))
        another = tmp_path / "another.yaml"
        another.write_text(stack_file(tmp_path).read_text().replace("TEST", "OTHER"))
        rewrite(
            stack,
            {
                "logging": {"level": "debug"},
                "broker": {"server_lost_s": 31.0},
                "dispatcher": {"server_grace_s": 7.5},
                "experiments": {"OTHER": {"source": {"kind": "file", "file": str(another)}}},
            },
        )
        up.send_signal(signal.SIGHUP)
        for name, log in logs.items():
            eventually(
                lambda log=log: log.exists() and "started again" in log.read_text(),  # type: ignore[misc]
                lambda log=log: f"{log}: {log.read_text() if log.exists() else said.read_text()}",  # type: ignore[misc]
            )
            text = log.read_text()
            assert f"counts only when {name} is started again: broker.server_lost_s" in text
            assert "applied logging.level" in text
            assert ("dispatcher.server_grace_s" in text) is (name == "dispatcher")
        assert "the log goes on" in logs["broker"].read_text()
        with stack.supervisor() as shotline:  # the dispatcher knows it without a restart
            shotline.create_pulse("OTHER", 1)
            assert len(shotline.build_tables("OTHER", 1).actions) == len(ALL_GOOD)

        # A configuration that is wrong changes nothing, and is said.
        stack.config_file.write_text("broker: {heartbeat_s: soon}\n")
        up.send_signal(signal.SIGHUP)
        for log in logs.values():
            eventually(lambda log=log: "stays as it was" in log.read_text())  # type: ignore[misc]
            assert "heartbeat_s" in log.read_text()

        pulse.open("a", "b")
        assert {view.name for view in report.result().actions} == set(ALL_GOOD)
        assert pulse.ends_by_name() == ALL_GOOD
        assert pulse.starts() == each_once(*ALL_GOOD)
        assert before <= {process.pid for process in processes_of(tmp_path)}
        up.send_signal(signal.SIGTERM)
        assert up.wait(DEADLINE_S) == 0, said.read_text()
    finally:
        end_all(up, tmp_path)


def test_up_ends_in_order_with_its_terminal(tmp_path: Path) -> None:
    stack = Stack(tmp_path, settings={"up": {"daemons": ["broker"]}})
    said = tmp_path / "up.log"
    terminal, end = pty.openpty()
    words = [sys.executable, "-m", "shotline.client.cli", "--config", str(stack.config_file), "up"]
    with said.open("w") as written:
        up = subprocess.Popen(
            [sys.executable, "-c", IN_TERMINAL, *words],
            stdin=end,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    os.close(end)
    try:
        eventually(lambda: "up    broker" in said.read_text(), said.read_text)
        os.close(terminal)
        assert up.wait(DEADLINE_S) == 0
        assert processes_of(tmp_path) == []
    finally:
        end_all(up, tmp_path)
