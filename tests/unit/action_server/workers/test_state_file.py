"""Which processes of earlier lives a server takes for its own: real processes, real files."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from msgspec import structs

from shotline.action_server.workers.state_file import Cleared, KnownProcess, ServerFile, StateFile
from shotline.common.base import to_json


@pytest.fixture
def other() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as process:
        yield process
        process.kill()


@pytest.fixture
def stepped_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a step of the wall clock: the kernel says that it was booted an hour later."""
    proc = tmp_path / "proc"
    proc.mkdir()
    for entry in Path("/proc").iterdir():
        (proc / entry.name).symlink_to(entry)
    told = (proc / "stat").read_text()
    (proc / "stat").unlink()
    booted = int(psutil.boot_time())
    (proc / "stat").write_text(told.replace(f"btime {booted}", f"btime {booted + 3600}"))
    before = psutil.Process().create_time()
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(proc))
    assert psutil.Process().create_time() > before + 3000


def test_a_process_is_known_again_after_the_clock_was_set(
    other: "subprocess.Popen[bytes]", request: pytest.FixtureRequest
) -> None:
    known = KnownProcess.of(other.pid)
    request.getfixturevalue("stepped_clock")
    assert known.is_alive()


def test_the_file_of_a_live_server_stays_after_the_clock_was_set(
    other: "subprocess.Popen[bytes]", tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "servers"
    server, worker = KnownProcess.of(os.getppid()), KnownProcess.of(other.pid)
    second = StateFile(folder, "TEST:1", "second")
    file = folder / f"TEST:1.{server.pid}.json"
    contents = ServerFile(server=server, incarnation="first", workers=(worker,))
    file.write_text(to_json(contents).decode())
    request.getfixturevalue("stepped_clock")
    assert second.clear() == Cleared((), (), (), living=(server.pid,))
    assert file.exists()
    assert other.poll() is None


def test_what_a_dead_server_left_is_ended_after_the_clock_was_set(
    other: "subprocess.Popen[bytes]", tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "servers"
    with subprocess.Popen(["sleep", "1000"]) as process:
        server, worker = KnownProcess.of(process.pid), KnownProcess.of(other.pid)
        process.kill()
    second = StateFile(folder, "TEST:1", "second")
    file = folder / f"TEST:1.{server.pid}.json"
    contents = ServerFile(server=server, incarnation="first", workers=(worker,))
    file.write_text(to_json(contents).decode())
    request.getfixturevalue("stepped_clock")
    assert second.clear() == Cleared(("first",), ended=(worker.pid,), left=(), living=())
    assert not file.exists()
    assert other.wait() == -signal.SIGKILL


def test_a_process_of_before_the_machine_was_started_is_a_stranger(
    other: "subprocess.Popen[bytes]",
) -> None:
    known = KnownProcess.of(other.pid)
    assert known.is_alive()
    assert not structs.replace(known, boot="the one before").is_alive()
    assert not structs.replace(known, start_ticks=known.start_ticks - 1).is_alive()


def test_what_another_machine_has_left_proves_nothing_here(tmp_path: Path) -> None:
    folder = tmp_path / "servers"
    second = StateFile(folder, "TEST:1", "second")
    elsewhere = KnownProcess(pid=os.getpid(), boot="of another machine", start_ticks=1)
    contents = ServerFile(
        server=elsewhere, host="node-7", incarnation="first", workers=(elsewhere,)
    )
    file = folder / "TEST:1.7.json"
    file.write_text(to_json(contents).decode())
    assert second.clear() == Cleared((), (), (), ())
    assert file.exists()
