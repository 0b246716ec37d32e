"""`shotline up` watches over what it runs: what hangs or dies is started again, and what hangs
while `up` itself is killed does not stay behind. `shotline debug` lets a site rehearse that.
"""

import os
import signal
import time
from pathlib import Path

import psutil
from tests.support.faults import shotline_command
from tests.support.processes import processes_of
from tests.support.stack import DEADLINE_S, Stack, eventually
from tests.support.up import asked, pids, read_until, shotline, up_stack

WATCHED = {
    "up": {"restart": True, "restart_s": 0.2, "watchdog_s": 2.0, "stop_s": 3.0},
    "debug": {"rehearsals": True},
}


def all_alive(stack: Stack) -> None:
    stack.wait_until(
        lambda status: (
            not status.recovering and {one.liveness for one in status.servers} == {"alive"}
        )
    )


def hung(stack: Stack, name: str) -> str:
    """Let a daemon hang once it can: on a loaded machine it may just be started again."""
    said = [""]

    def hangs() -> bool:
        code, said[0] = shotline_command(stack, "debug", "hang", name)
        return code == 0

    eventually(hangs, lambda: said[0])
    return said[0]


def test_what_dies_or_hangs_is_started_again(tmp_path: Path) -> None:
    stack = up_stack(tmp_path, "A:1", settings=WATCHED)
    config = stack.config_file
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        before = pids(config)
        for name in ("redis", "A:1"):
            os.kill(before[name], signal.SIGKILL)
            assert "it is started again in 0.2 s" in read_until(up, f"LOST  {name}")
            read_until(up, f"up    {name} (process")
        for name in ("dispatcher", "monitor"):
            assert hung(stack, name).count("hangs, for a rehearsal") == 1
            assert "no sign of life for 2 s" in read_until(up, f"HUNG  {name}")
            read_until(up, f"LOST  {name} (by signal 9")
            read_until(up, f"up    {name} (process")
            all_alive(stack)
        after = pids(config)
        assert {name for name in before if after[name] == before[name]} == {"broker"}
        code, said = shotline_command(stack, "debug", "crash", "A:1")
        assert code == 0, said
        read_until(up, "LOST  A:1 (by signal 9")
        read_until(up, "up    A:1 (process")
        code, said = shotline_command(stack, "audit", "--verb", "rehearse")
        lines = said.splitlines()
        assert [sum(word in line for line in lines) for word in ("hang", "crash")] == [2, 1], said
        # What somebody ends stays down.
        assert asked(config, "kill", "A:1")[0] == 0
        up.send_signal(signal.SIGTERM)
        out, _ = up.communicate(timeout=DEADLINE_S)
        assert up.returncode == 0, out
        assert "LOST  A:1" not in out
        assert processes_of(tmp_path) == []


def test_nothing_is_killed_when_up_and_all_that_it_runs_stood_still_together(
    tmp_path: Path,
) -> None:
    """As a container that is paused does: none of them could tell that it lives."""
    stack = up_stack(tmp_path, "A:1", settings=WATCHED)
    config = stack.config_file
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        before = pids(config)
        processes = [psutil.Process(pid) for pid in (up.pid, *before.values())]
        for process in processes:
            process.suspend()
        end = time.monotonic() + 4.0
        eventually(lambda: time.monotonic() > end)
        for process in processes:  # up is the first to go on
            process.resume()
        all_alive(stack)
        up.send_signal(signal.SIGTERM)
        out, _ = up.communicate(timeout=DEADLINE_S)
        assert "HUNG" not in out
        assert "LOST" not in out


def test_what_hangs_does_not_outlive_an_up_that_is_killed(tmp_path: Path) -> None:
    settings = WATCHED | {"up": {"restart": False, "stop_s": 3.0}}
    stack = up_stack(tmp_path, "A:1", settings=settings)
    with shotline(tmp_path, "--config", str(stack.config_file), "up") as up:
        read_until(up, "all are up")
        for name in ("monitor", "A:1"):
            assert shotline_command(stack, "debug", "hang", name)[0] == 0
        os.kill(pids(stack.config_file)["broker"], signal.SIGSTOP)
        up.kill()
        up.wait()
        eventually(lambda: not processes_of(tmp_path), lambda: str(processes_of(tmp_path)))


def test_rehearsals_are_refused_unless_they_are_configured_and_possible(tmp_path: Path) -> None:
    with Stack(tmp_path, ("A:1",)) as stack:
        pid = stack["A:1"].pid
        for what in ("hang", "crash"):
            code, said = shotline_command(stack, "debug", what, "A:1")
            assert code == 2
            assert "rehearsals are off" in said
        # What was started before is not hung, nor ended, by a signal that it does not know.
        stack.config_file.write_text(stack.config_file.read_text() + "debug: {rehearsals: true}\n")
        code, said = shotline_command(stack, "debug", "hang", "A:1")
        assert (code, "start it again" in said) == (2, True)
        # The dispatcher has a word in it, too.
        code, said = shotline_command(stack, "debug", "crash", "A:1")
        assert (code, "the dispatcher's configuration" in said) == (2, True)
        for name, why in (("monitor", "does not run"), ("B:1", "does not run"), ("x", "no daemon")):
            code, said = shotline_command(stack, "debug", "crash", name)
            assert (code, why in said) == (2, True), said
        assert shotline_command(stack, "debug", "explode", "A:1")[0] == 1
        assert stack["A:1"].pid == pid
