"""`shotline up` ended in the middle of a phase: by Ctrl-C in order, by SIGKILL without a trace."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.support.faults import (
    LOST,
    PENDING,
    Pulse,
    action,
    each_once,
    shotline_command,
    stack_of,
)
from tests.support.processes import processes_of
from tests.support.stack import DEADLINE_S, HUB, Stack, eventually

# It does not end by TERM, and neither does its child.
STUBBORN = """
trap '' TERM
echo "A_FIRST $SHOTLINE_ATTEMPT" >> starts
sleep 1000 &
wait; wait; wait
"""
ACTIONS = (
    action("A_FIRST", "A", 1) | {"task": {"shell": ["sh", "-c", STUBBORN]}},
    action("A_NEXT", "A", 2),
)


@contextmanager
def up(stack: Stack) -> Iterator["subprocess.Popen[str]"]:
    """Run `shotline up`; what is left of it is ended afterwards, by pid."""
    stack.make_keys()
    log = stack.folder / "up.log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "shotline.client.cli", "--config", str(stack.config_file), "up"],
            stdout=written,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield process
    finally:
        for left in [process, *processes_of(stack.folder)]:
            try:
                left.kill()
            except (psutil.Error, OSError):
                continue
        process.wait()


def begun(stack: Stack) -> Pulse:
    """Return a pulse whose first action runs and will not end by itself."""
    stack.wait_until(lambda status: not status.recovering)
    pulse = Pulse(stack)
    with stack.supervisor() as shotline:
        shotline.do_phase("INIT", *pulse.key, wait=False)
    pulse.wait_doing("A_FIRST")
    return pulse


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_up_that_ends_in_the_middle_of_a_phase_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    stack = stack_of(tmp_path, ("A:1",), *ACTIONS)
    with up(stack) as process:
        pulse = begun(stack)
        process.send_signal(number)
        process.wait(DEADLINE_S)
        eventually(lambda: not processes_of(tmp_path), lambda: str(processes_of(tmp_path)))
        if number is signal.SIGINT:
            assert process.returncode == 0
            said = (tmp_path / "up.log").read_text()
            central = ("hub",) if HUB else ("dispatcher", "broker")
            places = [said.index(f"ended {name}") for name in ("A:1", *central, "redis")]
            assert places == sorted(places)
    with stack:  # the next morning, or a minute later
        assert pulse.starts() == each_once("A_FIRST")
        ends = pulse.ends_by_name()
        if number is signal.SIGINT:  # its server reported before the others ended
            assert ends == {"A_FIRST": LOST, "A_NEXT": PENDING}
            assert not pulse.action("A_FIRST").last.outcome_unknown
        else:
            assert ends == {"A_FIRST": LOST, "A_NEXT": PENDING}
        # Other servers than before: nothing starts by itself (DESIGN §5).
        code, told = shotline_command(stack, "wait", "TEST", "1")
        assert code == 5
        assert "HELD" in told
        assert pulse.runs_ended() == []
