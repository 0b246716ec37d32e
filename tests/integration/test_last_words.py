"""A daemon that cannot begin says why in its log, whatever became of its standard streams."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DEADLINE_S = 60.0


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else has."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def ends(tmp_path: Path, words: str, streams: str, **environment: str) -> str:
    """Run a daemon to its end in failure. Return its log file."""
    done = subprocess.run(
        ["bash", "-c", f'exec "$0" -m shotline.{words} {streams}', sys.executable],
        env={
            **os.environ,
            "SHOTLINE_DATA_FOLDER": str(tmp_path),
            "SHOTLINE_LOGGING__FILE": "log/{program}.log",
            **environment,
        },
        timeout=DEADLINE_S,
    )
    assert done.returncode == 1
    return "".join(file.read_text(encoding="utf-8") for file in tmp_path.glob("log/*.log"))


@pytest.mark.parametrize("streams", ["2>/dev/null", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize("daemon", ["broker", "monitor"])
def test_a_port_that_is_taken_is_in_the_log(
    tmp_path: Path, taken: int, daemon: str, streams: str
) -> None:
    key, value = {
        "broker": ("SHOTLINE_BROKER__CLIENTS", f"tcp://127.0.0.1:{taken}"),
        "monitor": ("SHOTLINE_MONITOR__PORT", str(taken)),
    }[daemon]
    log = ends(tmp_path, daemon, streams, **{key: value})
    assert "cannot begin" in log
    assert str(taken) in log


def test_a_folder_that_cannot_be_made_is_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "servers").touch()
    log = ends(tmp_path, "action_server A 1", "2>/dev/full")
    assert "shotline-action-server cannot begin" in log
    assert str(tmp_path / "servers") in log
