"""A program that starts warm differs from one that starts cold by what it has loaded alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.stack import eventually
from tests.support.warm_starts import VARIABLE

from shotline.common.process import interpreter

GUARD = interpreter.python("shotline.client.local.guard", "1")  # waits for its input's end
PROGRAMS = ("hub", "broker", "dispatcher", "action_server", "monitor", "providers", "client.cli")
ODD = {**os.environ, "A B": "ä=\udcff"}
NEVER_LOADED_BY_IT = "zmq"
# What the guard ignores once it has begun, and what Python does.
GUARDED = sum(
    1 << one - 1
    for one in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ)
)


def told(pid: int) -> dict[str, object]:
    """Return what the system tells of a process."""
    at = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (at / "status").read_text().splitlines())
    kept = ("Name", "Umask", "PPid", "Uid", "Threads", "SigBlk", "SigIgn", "SigCgt", "NoNewPrivs")
    files = {one.name: str(one.readlink()) for one in (at / "fd").iterdir()}
    return {
        "session": os.getsid(pid) == pid,
        "command": (at / "cmdline").read_bytes(),
        "environment": sorted((at / "environ").read_bytes().split(b"\0")),
        "links": [(at / name).readlink() for name in ("cwd", "exe")],
        "limits": (at / "limits").read_text(),
        "files": {name: link.partition(":")[0] for name, link in files.items()},
    } | {name: status[name] for name in kept}


def ignored(pid: int) -> int:
    """Return the set of signals that a process ignores, as the kernel writes it."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("SigIgn:")[2].split()[0], 16)


def is_warm(pid: int) -> bool:
    return NEVER_LOADED_BY_IT in Path(f"/proc/{pid}/maps").read_text()


@pytest.mark.parametrize("words", [GUARD, interpreter.tied(*GUARD)], ids=["free", "tied"])
@pytest.mark.parametrize(
    "options",
    [{}, {"start_new_session": True, "umask": 0o027, "cwd": "/usr"}, {"env": ODD}],
)
def test_the_system_tells_the_same_of_it(
    options: dict[str, Any], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    with (tmp_path / "said").open("wb") as said:
        os.dup2(said.fileno(), 200)
        for how in ("warm", "cold"):
            monkeypatch.setenv(VARIABLE, how)
            given = {"env": {**os.environ, VARIABLE: ""}} | options
            with subprocess.Popen(
                words, stdin=subprocess.PIPE, stderr=said, pass_fds=(200,), **given
            ) as process:
                eventually(lambda: ignored(process.pid) & GUARDED == GUARDED)
                assert is_warm(process.pid) == (how == "warm")
                found.append(told(process.pid))
            assert process.returncode == 0
        os.close(200)
    assert found[0] == found[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_it_ends_by_a_signal_as_others_do(number: signal.Signals) -> None:
    process = subprocess.Popen(GUARD, stdin=subprocess.PIPE)
    assert is_warm(process.pid)
    process.send_signal(number)
    process.communicate()
    assert process.returncode == -number


@pytest.mark.parametrize(
    "line",
    [
        *(f"{name} --version" for name in PROGRAMS),
        "client.cli nonsense",
        "client.cli status --timeout x",
    ],
)
def test_output_and_exit_status_are_the_same(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [sys.executable, "-m", *f"shotline.{line}".split()]
    warm = subprocess.run(words, capture_output=True, text=True)
    monkeypatch.setenv(VARIABLE, "cold")
    cold = subprocess.run(words, capture_output=True, text=True)
    assert (warm.returncode, warm.stdout, warm.stderr) == (
        cold.returncode,
        cold.stdout,
        cold.stderr,
    )


def test_what_is_asked_for_beyond_that_starts_cold() -> None:
    for options in ({"preexec_fn": os.getpid}, {"env": {**os.environ, "PYTHONDEVMODE": "1"}}):
        with subprocess.Popen(GUARD, stdin=subprocess.PIPE, **options) as process:  # type: ignore[call-overload]
            assert not is_warm(process.pid)
