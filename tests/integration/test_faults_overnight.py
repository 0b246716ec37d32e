"""Runs that a dispatcher finds open when it starts: young ones go on, old ones are HELD (§5).

"Over night" is `resume_within_s` here: short, and waited for while everything is down, or the last
times in the journal moved back by a day.
"""

import contextlib
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from msgspec import structs
from tests.support.faults import (
    ABORTED,
    DOING,
    PENDING,
    REMOVED,
    SUCCESS,
    Pulse,
    action,
    each_once,
    ends_of,
    liveness_of,
    shotline_command,
    stack_of,
)
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.client.errors import RunAborted, RunHeld
from shotline.common.records import decode_records, encode_records
from shotline.dispatcher.journal.layout import Keys

GATED = (action("A_FIRST", "A", 1, gate="a"), action("A_NEXT", "A", 2))
SHORT_NIGHT: dict[str, object] = {"dispatcher": {"resume_within_s": 1.0}}
DAY_S = 86_400.0


def recovered(stack: Stack) -> None:
    stack.wait_until(lambda status: not status.recovering and liveness_of(status, "A:1") == "alive")


def wait_a_short_night(pulse: Pulse) -> None:
    """Return when the last record of the run is older than `resume_within_s`."""
    last = pulse.records()[-1].time
    eventually(lambda: time.time() > last + 1.5)


def make_older(pulse: Pulse, by_s: float) -> None:
    """Move the times of all records of a shot back, in Redis."""
    key = Keys(pulse.stack.config.redis.key_prefix).of(pulse.key).journal
    with contextlib.closing(pulse.stack.redis.client()) as connection:
        entries = connection.xrange(key)
        connection.delete(key)
        for entry_id, fields in entries:
            records = [
                structs.replace(record, time=record.time - by_s)
                for record in decode_records(fields[b"records"])
            ]
            connection.xadd(key, {**fields, b"records": encode_records(records)}, id=entry_id)


def test_run_left_open_for_seconds_goes_on_by_itself(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        pulse.open("a")
        assert ends_of(report.result().actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
        assert {record.type for record in pulse.records()}.isdisjoint({"run_held", "run_resumed"})
        assert pulse.runs_ended() == [1]


@pytest.mark.parametrize("ends_in_the_night", [True, False])
def test_run_left_open_over_night_is_held_until_it_is_resumed(
    tmp_path: Path, *, ends_in_the_night: bool
) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED, settings=SHORT_NIGHT) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        stack.dispatcher.kill()
        if ends_in_the_night:  # its result is told in the morning; it must not wake the run
            pulse.open("a")
            eventually(lambda: pulse.ends()["A_FIRST"] == 1)
        wait_a_short_night(pulse)
        stack.restart(stack.dispatcher)
        recovered(stack)
        with pytest.raises(RunHeld) as held:  # the one who waits is told at once
            report.result()
        assert "old" in str(held.value)
        assert pulse.ends_by_name() == {
            "A_FIRST": SUCCESS if ends_in_the_night else DOING,
            "A_NEXT": PENDING,
        }
        code, shown = shotline_command(stack, "wait", "TEST", "1")
        assert code == 5
        assert "HELD" in shown
        assert "HELD" in shotline_command(stack, "status")[1].upper()
        pulse.open("a")  # what runs goes on, nothing new starts
        eventually(lambda: pulse.ends_by_name()["A_FIRST"] == SUCCESS)
        assert pulse.starts() == each_once("A_FIRST")
        assert pulse.runs_ended() == []
        code, shown = shotline_command(stack, "resume", "TEST", "1")
        assert code == 0, shown
        eventually(lambda: pulse.runs_ended() == [1])
        assert pulse.ends_by_name() == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
        assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
        assert shotline_command(stack, "wait", "TEST", "1", "--run", "1")[0] == 0


def test_run_of_yesterday_by_the_journals_own_times(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        pulse.begin()
        pulse.wait_doing("A_FIRST")
        stack.dispatcher.kill()
        make_older(pulse, DAY_S)
        stack.restart(stack.dispatcher)
        recovered(stack)
        pulse.open("a")
        eventually(lambda: pulse.ends_by_name()["A_FIRST"] == SUCCESS)
        held = [record for record in pulse.records() if record.type == "run_held"]
        assert len(held) == 1
        # A HELD run stays HELD, however often and soon the dispatcher comes back.
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        recovered(stack)
        assert shotline_command(stack, "wait", "TEST", "1")[0] == 5
        assert pulse.starts() == each_once("A_FIRST")
        assert pulse.runs_ended() == []


def test_run_of_tomorrow_counts_as_old(tmp_path: Path) -> None:
    """A clock that was set back must not make yesterday's run look young."""
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        pulse.begin()
        pulse.wait_doing("A_FIRST")
        stack.dispatcher.kill()
        make_older(pulse, -DAY_S)
        stack.restart(stack.dispatcher)
        recovered(stack)
        assert shotline_command(stack, "wait", "TEST", "1")[0] == 5
        assert pulse.runs_ended() == []


def test_held_run_can_be_aborted(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        stack.dispatcher.kill()
        make_older(pulse, DAY_S)
        stack.restart(stack.dispatcher)
        recovered(stack)
        with pytest.raises(RunHeld):
            report.result()
        code, shown = shotline_command(stack, "abort", "TEST", "1")
        assert code == 0, shown
        eventually(lambda: pulse.runs_ended() == [1])
        assert pulse.ends_by_name() == {"A_FIRST": ABORTED, "A_NEXT": REMOVED}
        assert pulse.starts() == each_once("A_FIRST")
        assert pulse.ends() == Counter()
        with stack.supervisor() as shotline, pytest.raises(RunAborted):
            shotline.wait(*pulse.key, 1)


def test_commands_on_a_held_run(tmp_path: Path) -> None:
    """`hold` by an operator: do_phase --wait is told at once, exit code 5; then it goes on."""
    with stack_of(tmp_path, ("A:1",), *GATED) as stack:
        pulse = Pulse(stack)
        command = [sys.executable, "-m", "shotline.client.cli"]
        options = ["--config", str(stack.config_file)]
        with subprocess.Popen(
            [*command, *options, "do-phase", "TEST", "1", "INIT", "--wait"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as waiting:
            pulse.wait_doing("A_FIRST")
            assert shotline_command(stack, "hold", "TEST", "1")[0] == 0
            said, _ = waiting.communicate(timeout=DEADLINE_S)
        assert waiting.returncode == 5, said
        assert "HELD" in said
        assert shotline_command(stack, "hold", "TEST", "1")[0] == 2
        assert shotline_command(stack, "do-phase", "TEST", "1", "INIT", "--wait")[0] == 2
        pulse.open("a")
        eventually(lambda: pulse.ends_by_name()["A_FIRST"] == SUCCESS)
        assert pulse.starts() == each_once("A_FIRST")
        assert shotline_command(stack, "resume", "TEST", "1")[0] == 0
        eventually(lambda: pulse.runs_ended() == [1])
        assert shotline_command(stack, "resume", "TEST", "1")[0] == 2
        assert pulse.ends_by_name() == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
