"""Commands to servers in the middle of a phase (D17), and classes without a server (D6)."""

import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from tests.support.faults import (
    ABORTED,
    LOST,
    LOST_SOON,
    NO_SERVER,
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

from shotline.client.errors import Refused

CHAIN = (action("A_FIRST", "A", 1, gate="a"), action("A_NEXT", "A", 2), action("B", "B", 1))
FOUR = tuple(action(f"A_{n}", "A", 1, gate=f"gate{n}") for n in range(4))
FOUR_NAMES = tuple(f"A_{n}" for n in range(4))
FOUR_GATES = tuple(f"gate{n}" for n in range(4))


def incarnation(stack: Stack, name: str) -> str:
    status = stack.wait_until(lambda status: liveness_of(status, name) == "alive")
    return next(one.incarnation for one in status.servers if one.server == name)


def two_of_four(pulse: Pulse) -> dict[str, str]:
    """Return the names of the two actions that run, by their server."""
    eventually(lambda: sum(pulse.starts().values()) == 2)
    pulse.wait_doing(*pulse.starts())
    found = {pulse.action(name).last.server or "": name for name in pulse.starts()}
    assert set(found) == {"A:1", "A:2"}
    return found


def test_stop_of_the_only_server_lets_the_run_finish_first(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1", "B:1"), *CHAIN, settings=LOST_SOON) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        code, said = shotline_command(stack, "server-stop", "A:1")
        assert code == 0
        assert "A_FIRST" in said, "it says what runs there"
        assert stack["A:1"].running
        pulse.open("a")
        good = {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS, "B": SUCCESS}
        assert ends_of(report.result().actions) == good
        assert stack["A:1"].wait(DEADLINE_S)
        assert stack["A:1"].exit_status == 0
        stack.wait_until(lambda status: liveness_of(status, "A:1") == "lost")
        assert pulse.starts() == each_once(*good)
        assert pulse.runs_ended() == [1]
        # Nobody is left for the class: the next run's actions are SERVER_OFF.
        again = pulse.begin().result()
        assert ends_of(again.actions) == {"A_FIRST": NO_SERVER, "A_NEXT": NO_SERVER, "B": SUCCESS}


def test_stop_of_an_idle_server_ends_it_at_once(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *CHAIN) as stack:
        with stack.supervisor() as shotline:
            shotline.server_stop("A")
        assert stack["A:1"].wait(DEADLINE_S)
        assert stack["A:1"].exit_status == 0
        with stack.supervisor() as shotline, pytest.raises(Refused, match="A:1"):
            shotline.server_stop("A:1")


def test_stop_of_one_of_two_servers(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1", "A:2"), *FOUR) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        running = two_of_four(pulse)
        with stack.supervisor() as shotline:
            shotline.server_stop("A:1")
        pulse.open(running["A:1"].replace("A_", "gate"))
        assert stack["A:1"].wait(DEADLINE_S), "it ends when its own action has ended"
        assert stack["A:1"].exit_status == 0
        assert not report.is_over
        pulse.open(*FOUR_GATES)
        result = report.result()
        assert ends_of(result.actions) == dict.fromkeys(FOUR_NAMES, SUCCESS)
        on_first = [view.name for view in result.actions if view.last.server == "A:1"]
        assert on_first == [running["A:1"]]
        assert pulse.starts() == each_once(*FOUR_NAMES)


def test_stopping_server_that_becomes_the_only_one_finishes_the_run(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1", "A:2"), *FOUR, settings=LOST_SOON) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        running = two_of_four(pulse)
        with stack.supervisor() as shotline:
            shotline.server_stop("A:1")
        stack["A:2"].kill()
        stack.wait_until(lambda status: liveness_of(status, "A:2") == "lost")
        pulse.open(*FOUR_GATES)
        good = dict.fromkeys(FOUR_NAMES, SUCCESS)
        assert ends_of(report.result().actions) == good | {running["A:2"]: LOST}
        assert stack["A:1"].wait(DEADLINE_S)
        assert stack["A:1"].exit_status == 0
        assert pulse.starts() == each_once(*FOUR_NAMES)


def test_restart_of_the_only_server_removes_what_waits_for_it(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1", "B:1"), *CHAIN, settings=LOST_SOON) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        before = incarnation(stack, "A:1")
        code, said = shotline_command(stack, "server-restart", "A:1")
        assert code == 0
        assert "A_FIRST" in said
        assert "A_NEXT" in said
        result = report.result()
        assert ends_of(result.actions) == {"A_FIRST": ABORTED, "A_NEXT": REMOVED, "B": SUCCESS}
        assert not result.action("A_FIRST").last.outcome_unknown
        stack.wait_until(
            lambda status: any(
                one.server == "A:1" and one.liveness == "alive" and one.incarnation != before
                for one in status.servers
            )
        )
        assert stack["A:1"].running
        pulse.open("a")
        good = {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS, "B": SUCCESS}
        assert ends_of(pulse.begin().result().actions) == good
        assert pulse.starts() == Counter({"A_FIRST": 2, "A_NEXT": 1, "B": 2})
        assert pulse.runs_ended() == [1, 2]


def test_restart_of_one_of_two_servers_ends_only_what_it_runs(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1", "A:2"), *FOUR) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        running = two_of_four(pulse)
        before = incarnation(stack, "A:1")
        with stack.supervisor() as shotline:
            shotline.server_restart("A:1")
        eventually(lambda: pulse.ends_by_name()[running["A:1"]] == ABORTED)
        eventually(lambda: incarnation(stack, "A:1") != before)
        pulse.open(*FOUR_GATES)
        good = dict.fromkeys(FOUR_NAMES, SUCCESS)
        assert ends_of(report.result().actions) == good | {running["A:1"]: ABORTED}
        assert pulse.starts() == each_once(*FOUR_NAMES)
        assert pulse.ends()[running["A:1"]] == 0


def test_restart_of_a_whole_class_ends_what_runs_and_removes_nothing(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1", "A:2"), *FOUR) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        running = two_of_four(pulse)
        before = {name: incarnation(stack, name) for name in running}
        code, said = shotline_command(stack, "server-restart", "A")
        assert code == 0
        assert "one after the other" in said
        eventually(lambda: all(incarnation(stack, name) != before[name] for name in running))
        pulse.open(*FOUR_GATES)
        ended = dict.fromkeys(running.values(), ABORTED)
        assert ends_of(report.result().actions) == dict.fromkeys(FOUR_NAMES, SUCCESS) | ended
        assert pulse.starts() == each_once(*FOUR_NAMES)
        assert pulse.runs_ended() == [1]


def test_stop_is_remembered_by_the_next_dispatcher(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1", "A:2"), *FOUR) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        running = two_of_four(pulse)
        with stack.supervisor() as shotline:
            shotline.server_stop("A:1")
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        eventually(lambda: incarnation(stack, "A:1") != "")
        pulse.open(running["A:1"].replace("A_", "gate"))
        assert stack["A:1"].wait(DEADLINE_S), "it ends when its own action has ended"
        assert not report.is_over
        pulse.open(*FOUR_GATES)
        result = report.result()
        assert ends_of(result.actions) == dict.fromkeys(FOUR_NAMES, SUCCESS)
        on_first = [view.name for view in result.actions if view.last.server == "A:1"]
        assert on_first == [running["A:1"]]


def test_quit_aborts_what_runs_and_the_class_is_off_after_its_grace(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1", "B:1"), *CHAIN, settings=LOST_SOON) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        with stack.supervisor() as shotline:
            shotline.server_quit("A:1")
        assert stack["A:1"].wait(DEADLINE_S)
        assert stack["A:1"].exit_status == 0
        result = report.result()
        assert ends_of(result.actions) == {"A_FIRST": ABORTED, "A_NEXT": NO_SERVER, "B": SUCCESS}
        assert not result.action("A_FIRST").last.outcome_unknown
        assert pulse.starts() == each_once("A_FIRST", "B")
        assert pulse.runs_ended() == [1]


def test_abort_of_one_action_of_a_server_and_of_all(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1*3",), *FOUR) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_0", "A_1", "A_2")
        code, said = shotline_command(stack, "server-abort", "A", "A_1")
        assert code == 0, said
        eventually(lambda: pulse.ends_by_name()["A_1"] == ABORTED)
        pulse.wait_doing("A_0", "A_2", "A_3")  # the slot is free again, others run on
        eventually(lambda: pulse.starts() == each_once(*FOUR_NAMES))
        with stack.supervisor() as shotline:
            shotline.server_abort("A:1")
        assert ends_of(report.result().actions) == dict.fromkeys(FOUR_NAMES, ABORTED)
        assert pulse.ends() == Counter()
        assert stack["A:1"].running
        assert shotline_command(stack, "server-abort", "A")[0] == 0  # nothing runs: says so


def test_class_without_a_server_is_off_after_the_grace(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *CHAIN, settings=LOST_SOON) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.open("a")
        result = report.result()
        assert ends_of(result.actions) == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS, "B": NO_SERVER}
        assert "no live server of class B" in result.action("B").last.reason
        assert pulse.starts() == each_once("A_FIRST", "A_NEXT")
        assert pulse.runs_ended() == [1]


def test_server_that_comes_within_the_grace_gets_the_work(tmp_path: Path) -> None:
    settings = {"dispatcher": {"server_grace_s": 60.0}}
    with stack_of(tmp_path, ("A:1", "B:1"), *CHAIN, settings=settings) as stack:
        stack["B:1"].stop()
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.open("a")
        eventually(lambda: pulse.ends_by_name()["A_NEXT"] == SUCCESS)
        assert "class B" in pulse.action("B").waits_for
        stack.restart(stack["B:1"])
        good = {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS, "B": SUCCESS}
        assert ends_of(report.result().actions) == good
        assert pulse.starts() == each_once(*good)


def test_server_ended_by_sigterm_reports_what_it_ran(tmp_path: Path) -> None:
    """As systemd ends it: what runs is ended and reported before the process goes."""
    with stack_of(tmp_path, ("A:1", "B:1"), *CHAIN, settings=LOST_SOON) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST")
        assert stack["A:1"].pid is not None
        os.kill(stack["A:1"].pid, signal.SIGTERM)
        assert stack["A:1"].wait(DEADLINE_S)
        assert stack["A:1"].exit_status == 0
        result = report.result()
        assert ends_of(result.actions) == {"A_FIRST": LOST, "A_NEXT": NO_SERVER, "B": SUCCESS}
        last = result.action("A_FIRST").last
        assert not last.outcome_unknown
        assert last.reason == "its process was stopped"  # by whom is not known
        assert pulse.ends()["A_FIRST"] == 0


def test_commands_to_servers_that_are_not_there(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *CHAIN) as stack:
        for verb in ("server-stop", "server-quit", "server-restart", "server-abort"):
            code, said = shotline_command(stack, verb, "NOWHERE:1")
            assert code == 2, (verb, said)
            assert "A:1" in said, "the known ones are named"
        assert stack["A:1"].running
