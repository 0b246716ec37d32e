"""Daemons that stand still for a while (SIGSTOP) and go on (SIGCONT).

Silence is never proof (I1): what a silent server had stays ABORTED, "may have run", and is run
again only by somebody who says so; what it says later is kept as late (I2, D10, D11).
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.faults import (
    CONDITION_FALSE,
    DOING,
    LOST,
    LOST_SOON,
    NO_SERVER,
    SUCCESS,
    Pulse,
    action,
    assert_all_good,
    each_once,
    ends_of,
    in_mid_phase,
    liveness_of,
    shotline_command,
    stack_of,
)
from tests.support.stack import Stack, eventually

from shotline.client.errors import NoBroker, NoDispatcher, Refused, TimedOut
from shotline.client.local.daemons import Daemon
from shotline.client.verbs import shot_verbs
from shotline.common.actions import Status


@contextmanager
def stopped(daemon: Daemon) -> Iterator[None]:
    """Stop a daemon's process by SIGSTOP, and let it go on at the end."""
    daemon.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.signal(signal.SIGCONT)


def is_without_dispatcher(stack: Stack) -> bool:
    """Return whether the broker says that no dispatcher answers it."""
    with stack.supervisor() as shotline:
        try:
            shotline.ask(shot_verbs.status(), 2.0)
        except NoDispatcher:
            return True
        except TimedOut:  # it was asked before the broker had noticed
            return False
    return False


def test_server_that_stood_still_reports_late(tmp_path: Path) -> None:
    with in_mid_phase(tmp_path, LOST_SOON, shown=True) as (stack, pulse, report):
        with stopped(stack["A:1"]):
            stack.wait_until(lambda status: liveness_of(status, "A:1") == "lost")
            pulse.open("b")
            result = report.result()
            assert ends_of(result.actions) == {
                "A_FIRST": LOST,
                "A_NEXT": NO_SERVER,
                "B_FIRST": SUCCESS,
                "B_AFTER": CONDITION_FALSE,
            }
        # It is back, and its worker runs on: its slot is taken, its result will be late.
        stack.wait_until(lambda status: liveness_of(status, "A:1") == "alive")
        assert pulse.late_results() == []
        with stack.supervisor() as shotline:
            with pytest.raises(Refused, match="even-if-running"):
                shotline.dispatch("A_FIRST", *pulse.key)
            with pytest.raises(Refused, match=r"A_FIRST.*even-if-running"):
                shotline.do_phase("INIT", *pulse.key)
        pulse.open("a")
        eventually(lambda: pulse.late_results() == [("A_FIRST", 1, Status.SUCCESS)])
        last = pulse.action("A_FIRST").last
        assert (last.state, last.status, last.cause) == LOST, "it comes too late to count"
        assert not last.outcome_unknown, "but it is the proof that nothing of it runs any more"
        assert "it has ended meanwhile" in last.reason
        with stack.supervisor() as shotline:
            story = shotline.show("A_FIRST", *pulse.key)
        assert [record.type for record in story.records].count("late_result") == 1
        code, shown = shotline_command(stack, "show", "A_FIRST", "TEST", "1")
        assert code == 0
        assert "late" in shown.lower()
        with stack.supervisor() as shotline:
            again = shotline.dispatch("A_FIRST", *pulse.key)
        assert ends_of(again.actions)["A_FIRST"] == SUCCESS
        assert again.action("A_FIRST").last.attempt == 2
        assert pulse.starts()["A_FIRST"] == 2
        assert pulse.runs_ended() == [1, 2]


def test_what_a_server_was_sent_while_it_stood_still_does_not_start_afterwards(
    tmp_path: Path,
) -> None:
    """It was given up: nobody expects it to start when its machine goes on, perhaps days later."""
    settings = {"broker": {"heartbeat_s": 1.0, "server_lost_s": 4.0}}
    with stack_of(tmp_path, ("A:1",), action("A_FIRST", "A", 1), settings=settings) as stack:
        pulse = Pulse(stack)
        with stopped(stack["A:1"]):
            assert ends_of(pulse.begin().result().actions) == {"A_FIRST": LOST}
        stack.wait_until(lambda status: liveness_of(status, "A:1") == "alive")
        eventually(lambda: not pulse.action("A_FIRST").last.outcome_unknown)
        assert "it was never started" in pulse.action("A_FIRST").last.reason
        with stack.supervisor() as shotline:
            again = shotline.dispatch("A_FIRST", *pulse.key)
        assert ends_of(again.actions) == {"A_FIRST": SUCCESS}
        assert pulse.starts() == each_once("A_FIRST")


def test_server_that_stood_still_runs_what_was_not_lost(tmp_path: Path) -> None:
    """Shorter than server_lost_s: suspect, no new work, then everything goes on."""
    actions = (action("A_FIRST", "A", 1, gate="a"), action("A_NEXT", "A", 2))
    with stack_of(tmp_path, ("A:1",), *actions) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        with stopped(stack["A:1"]):
            stack.wait_until(lambda status: liveness_of(status, "A:1") == "suspect")
            pulse.open("a")
            eventually(lambda: pulse.ends()["A_FIRST"] == 1)
        assert ends_of(report.result().actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS}
        assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
        assert pulse.late_results() == []
        assert pulse.runs_ended() == [1]


def test_do_phase_again_while_an_outcome_is_unknown(tmp_path: Path) -> None:
    settings = {**LOST_SOON, "action_server": {"slots": 2}}
    actions = (action("A_FIRST", "A", 1, gate="a"),)
    with stack_of(tmp_path, ("A:1*2",), *actions, settings=settings) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        with stopped(stack["A:1"]):
            assert ends_of(report.result().actions) == {"A_FIRST": LOST}
        stack.wait_until(lambda status: liveness_of(status, "A:1") == "alive")
        code, shown = shotline_command(stack, "do-phase", "TEST", "1", "INIT", "--wait")
        assert code == 2
        assert "--even-if-running" in shown
        with stack.supervisor() as shotline:
            shotline.do_phase("INIT", *pulse.key, wait=False, even_if_running=True)
        pulse.wait_doing("A_FIRST")  # beside the first attempt, in the other slot
        pulse.open("a")
        eventually(lambda: pulse.runs_ended() == [1, 2])
        eventually(lambda: pulse.late_results() == [("A_FIRST", 1, Status.SUCCESS)])
        assert pulse.ends_by_name() == {"A_FIRST": SUCCESS}
        assert pulse.action("A_FIRST").last.attempt == 2
        assert pulse.starts()["A_FIRST"] == 2


def test_server_that_ends_what_was_given_up(tmp_path: Path) -> None:
    """`on_return: end`: what was recorded as ABORTED is ended when its server returns."""
    settings = {**LOST_SOON, "action_server": {"on_return": "end"}}
    actions = (action("A_FIRST", "A", 1, gate="never"),)
    with stack_of(tmp_path, ("A:1",), *actions, settings=settings) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        with stopped(stack["A:1"]):
            assert ends_of(report.result().actions) == {"A_FIRST": LOST}
        eventually(lambda: pulse.late_results() == [("A_FIRST", 1, None)])
        assert pulse.ends_by_name() == {"A_FIRST": LOST}
        assert pulse.ends()["A_FIRST"] == 0


def test_broker_that_stood_still(tmp_path: Path) -> None:
    """It restarts all deadlines: for a while it was the broker that did not listen."""
    with in_mid_phase(tmp_path, LOST_SOON, shown=True) as (stack, pulse, report):
        with stopped(stack.broker):
            pulse.open("a")
            eventually(lambda: pulse.ends()["A_FIRST"] == 1)
            with (
                stack.supervisor() as shotline,
                pytest.raises(NoBroker),  # longer than server_lost_s, too
            ):
                shotline.status()
        stack.wait_until(lambda status: liveness_of(status, "B:1") == "alive")
        assert pulse.action("B_FIRST").last.state == DOING[0]
        pulse.open("b")
        assert_all_good(pulse, report)
        assert pulse.late_results() == []


@pytest.mark.apart  # a hub that stands still is also the broker
def test_dispatcher_that_stood_still(tmp_path: Path) -> None:
    """Servers are not lost with it; what they say meanwhile is taken when it goes on."""
    with in_mid_phase(tmp_path, LOST_SOON, shown=True) as (stack, pulse, report):
        with stopped(stack.dispatcher):
            pulse.open("a")
            eventually(lambda: pulse.ends()["A_FIRST"] == 1)
            eventually(lambda: is_without_dispatcher(stack))
        pulse.open("b")
        assert_all_good(pulse, report)
        assert pulse.late_results() == []
