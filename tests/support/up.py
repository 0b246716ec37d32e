"""`shotline up` and `shotline demo` as processes, in a folder of a test's own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.support.ports import free_ports
from tests.support.processes import processes_of
from tests.support.stack import DEADLINE_S, Stack, merged


@contextmanager
def shotline(
    folder: Path,
    *words: str,
    pace: str = "0",
    environment: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Iterator[subprocess.Popen[str]]:
    """Run `shotline` in a folder; what is left of it is ended afterwards, by pid.

    `before` is a program that becomes it, with its arguments.
    """
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "shotline.client.cli", *words],
        cwd=folder,
        env={
            **os.environ,
            "SHOTLINE_DEMO_PACE": pace,
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        for left in [process, *processes_of(folder)]:
            try:
                left.kill()
            except (psutil.Error, OSError):
                continue
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return the output up to the line with `text`; fail when it ends before."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    pytest.fail(f"{text!r} was not said:\n{''.join(lines)}")


def asked(config: Path, *words: str) -> tuple[int, str]:
    """Ask the `up` of a configuration; return the exit code and all that was said."""
    done = subprocess.run(
        [sys.executable, "-m", "shotline.client.cli", "--config", str(config), "up", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * DEADLINE_S,
    )
    return done.returncode, done.stdout


def pids(config: Path) -> dict[str, int]:
    """Return the process ids of what the `up` of a configuration runs, by name."""
    _, said = asked(config, "status")
    return {name: int(pid) for name, pid in re.findall(r"(\S+) runs \(process (\d+)", said)}


def up_stack(folder: Path, *servers: str, settings: Mapping[str, object] | None = None) -> Stack:
    """Write a configuration for `up`, with daemons apart; nothing of it runs yet."""
    file = folder / "experiment.yaml"
    file.write_text("experiment: TEST\nphases: {P: 1}\nactions: []\n")
    (port,) = free_ports(1)
    usual = {
        "monitor": {"port": port},
        "up": {"daemons": ["broker", "dispatcher", "monitor"], "restart": False},
    }
    return Stack(folder, servers, {"TEST": file}, merged(usual, settings or {}))


def up_config(folder: Path) -> Path:
    """Write a configuration with one server and the usual daemons."""
    return up_stack(folder, "A:1").config_file
