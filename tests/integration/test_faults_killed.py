"""Each daemon, and Redis, killed by SIGKILL in the middle of a phase and started again.

The one who waits for the phase gets its end, every action was started once, and the end is
journalled once (I1, I2, I5, I9, DESIGN §5).
"""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest
from tests.support.faults import (
    ALL,
    ALL_GOOD,
    CONDITION_FALSE,
    DOING,
    LOST,
    LOST_SOON,
    NO_SERVER,
    PENDING,
    SUCCESS,
    Pulse,
    action,
    assert_all_good,
    each_once,
    ends_of,
    in_mid_phase,
    journal_is,
    liveness_of,
    shotline_command,
    stack_of,
)
from tests.support.stack import Stack, eventually

from shotline.client.errors import RunHeld
from shotline.common.keys.folder import KeysFolder


def recovered(stack: Stack) -> None:
    stack.wait_until(
        lambda status: (
            not status.recovering
            and liveness_of(status, "A:1") == liveness_of(status, "B:1") == "alive"
        )
    )


def test_dispatcher_killed_while_actions_run(tmp_path: Path) -> None:
    with in_mid_phase(tmp_path) as (stack, pulse, report):
        stack.dispatcher.kill()
        pulse.open("a")  # ends while nobody is there to hear of it
        eventually(lambda: pulse.ends()["A_FIRST"] == 1)
        stack.restart(stack.dispatcher)
        recovered(stack)
        assert pulse.action("B_FIRST").last.state == "DOING"
        pulse.open("b")
        assert_all_good(pulse, report)


def test_dispatcher_killed_twice_and_again_in_its_recovery(tmp_path: Path) -> None:
    with in_mid_phase(tmp_path) as (stack, pulse, report):
        for _ in range(2):
            stack.dispatcher.kill()
            stack.restart(stack.dispatcher)  # serves, and collects reports
        recovered(stack)
        pulse.open("a", "b")
        assert_all_good(pulse, report)


def test_broker_killed_while_actions_run(tmp_path: Path) -> None:
    with in_mid_phase(tmp_path) as (stack, pulse, report):
        stack.broker.kill()
        pulse.open("a")
        eventually(lambda: pulse.ends()["A_FIRST"] == 1)
        stack.restart(stack.broker)
        pulse.open("b")
        assert_all_good(pulse, report)


def test_the_brokers_key_is_rotated_while_actions_run(tmp_path: Path) -> None:
    """Servers, dispatcher and whoever waits find the broker's new key by themselves."""
    with in_mid_phase(tmp_path, keyed=True) as (stack, pulse, report):
        keys = KeysFolder(stack.config.keys.folder)
        keys.rotate()
        keys.switch()
        pulse.open("a")
        eventually(lambda: pulse.ends()["A_FIRST"] == 1)
        stack.broker.kill()
        stack.restart(stack.broker)
        recovered(stack)
        assert pulse.action("B_FIRST").last.state == "DOING"
        pulse.open("b")
        assert_all_good(pulse, report)
        keys.finish()
        with stack.supervisor() as shotline:
            assert shotline.status().servers


def test_broker_and_dispatcher_killed_together(tmp_path: Path) -> None:
    with in_mid_phase(tmp_path) as (stack, pulse, report):
        stack.broker.kill()
        stack.dispatcher.kill()
        pulse.open("a")
        stack.restart(stack.dispatcher)
        stack.restart(stack.broker)
        recovered(stack)
        pulse.open("b")
        assert_all_good(pulse, report)


def test_server_killed_and_started_again_proves_that_its_action_is_dead(tmp_path: Path) -> None:
    with in_mid_phase(tmp_path, shown=True) as (stack, pulse, report):
        stack["A:1"].kill()
        stack.restart(stack["A:1"])
        pulse.wait_started("A_NEXT")  # on the new incarnation
        pulse.open("a", "b")
        result = report.result()
        assert ends_of(result.actions) == {
            "A_FIRST": LOST,
            "A_NEXT": SUCCESS,
            "B_FIRST": SUCCESS,
            "B_AFTER": CONDITION_FALSE,
        }
        assert not result.action("A_FIRST").last.outcome_unknown
        assert pulse.starts() == each_once("A_FIRST", "A_NEXT", "B_FIRST")
        assert pulse.ends()["A_FIRST"] == 0, "its process went with its server"
        assert pulse.runs_ended() == [1]
        # What is proven dead is run again without being asked twice (D10).
        with stack.supervisor() as shotline:
            again = shotline.dispatch("A_FIRST", *pulse.key)
        assert again.action("A_FIRST").last.attempt == 2
        assert ends_of(again.actions)["A_FIRST"] == SUCCESS
        assert pulse.starts()["A_FIRST"] == 2


def test_server_killed_for_good(tmp_path: Path) -> None:
    with in_mid_phase(tmp_path, LOST_SOON, shown=True) as (stack, pulse, report):
        stack["A:1"].kill()
        stack.wait_until(lambda status: liveness_of(status, "A:1") == "lost")
        pulse.open("b")
        result = report.result()
        assert ends_of(result.actions) == {
            "A_FIRST": LOST,
            "A_NEXT": NO_SERVER,
            "B_FIRST": SUCCESS,
            "B_AFTER": CONDITION_FALSE,
        }
        lost = result.action("A_FIRST").last
        assert lost.outcome_unknown
        assert "may have run" in lost.reason
        assert pulse.starts() == each_once("A_FIRST", "B_FIRST")
        assert pulse.runs_ended() == [1]
        # Its next life is the proof that was missing (I1).
        stack.restart(stack["A:1"])
        eventually(lambda: not pulse.action("A_FIRST").last.outcome_unknown)
        assert ends_of([pulse.action("A_FIRST")]) == {"A_FIRST": LOST}
        pulse.open("a")
        with stack.supervisor() as shotline:
            again = shotline.dispatch("A_FIRST", *pulse.key)
        assert ends_of(again.actions)["A_FIRST"] == SUCCESS


def test_killed_server_leaves_other_servers_of_its_class_alone(tmp_path: Path) -> None:
    actions = [action(f"A_{n}", "A", 1, gate=f"gate{n}") for n in range(4)]
    with stack_of(tmp_path, ("A:1", "A:2"), *actions, settings=LOST_SOON) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        eventually(lambda: sum(pulse.starts().values()) == 2)
        first, second = sorted(pulse.starts(), key=lambda name: pulse.action(name).last.server)
        pulse.wait_doing(first, second)
        stack["A:1"].kill()
        pulse.open(*(f"gate{n}" for n in range(4)))
        result = report.result()
        expected = {f"A_{n}": SUCCESS for n in range(4)} | {first: LOST}
        assert ends_of(result.actions) == expected
        assert pulse.starts() == each_once(*expected)
        assert {view.last.server for view in result.actions if view.name != first} == {"A:2"}
        assert pulse.runs_ended() == [1]


def test_redis_killed_and_started_again_with_its_data(tmp_path: Path) -> None:
    with in_mid_phase(tmp_path) as (stack, pulse, report):
        stack.redis.kill()
        stack.wait_until(journal_is("degraded"))
        code, shown = shotline_command(stack, "status")
        assert code == 0
        assert "DEGRADED" in shown.upper()
        pulse.open("a", "b")
        result = report.result()  # the shot goes on without Redis (I9)
        assert ends_of(result.actions) == ALL_GOOD
        stack.redis.start()
        status = stack.wait_until(journal_is("ok"))
        assert status.journal == "ok"
        assert "DEGRADED" not in shotline_command(stack, "status")[1].upper()
        assert pulse.starts() == each_once(*ALL)
        assert pulse.runs_ended() == [1]
        assert pulse.ends_by_name() == ALL_GOOD


def test_redis_and_dispatcher_killed_while_the_spill_file_holds_the_run(tmp_path: Path) -> None:
    with in_mid_phase(tmp_path) as (stack, pulse, report):
        stack.redis.kill()
        stack.wait_until(journal_is("degraded"))
        pulse.open("a")
        pulse.wait_started("A_NEXT", "A_FIRST")
        eventually(lambda: pulse.ends_by_name()["A_NEXT"] == SUCCESS)
        stack.dispatcher.kill()
        stack.redis.start()
        stack.restart(stack.dispatcher)  # reads Redis and the spill file
        recovered(stack)
        assert pulse.ends_by_name() == {
            "A_FIRST": SUCCESS,
            "A_NEXT": SUCCESS,
            "B_FIRST": DOING,
            "B_AFTER": PENDING,
        }
        pulse.open("b")
        assert_all_good(pulse, report)


@pytest.mark.parametrize("back_before_the_end", [True, False])
def test_redis_stopped_for_seconds(tmp_path: Path, *, back_before_the_end: bool) -> None:
    with in_mid_phase(tmp_path) as (stack, pulse, report):
        redis_pid = stack.redis.pid
        assert redis_pid is not None
        os.kill(redis_pid, signal.SIGSTOP)
        try:
            pulse.open("a")  # its result is in the commit that Redis does not take
            stack.wait_until(journal_is("degraded"))
            pulse.wait_started("A_NEXT")
            if not back_before_the_end:
                pulse.open("b")
                assert ends_of(report.result().actions) == ALL_GOOD
        finally:
            os.kill(redis_pid, signal.SIGCONT)
        stack.wait_until(journal_is("ok"))
        pulse.open("b")
        assert_all_good(pulse, report)


def test_redis_that_comes_back_empty(tmp_path: Path) -> None:
    """Its disk was lost: what the dispatcher knows is written anew, also for the next one."""
    with in_mid_phase(tmp_path, shown=True) as (stack, pulse, report):
        stack.redis.kill()
        data = [*stack.redis.folder.glob("append*"), *stack.redis.folder.glob("dump*")]
        assert data
        for path in data:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        stack.redis.start()
        stack.wait_until(journal_is("ok"))
        pulse.open("a")
        pulse.wait_started("A_NEXT")
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        recovered(stack)
        pulse.open("b")
        assert_all_good(pulse, report)
        with stack.supervisor() as shotline:
            again = shotline.dispatch("A_FIRST", *pulse.key)
        assert again.action("A_FIRST").last.attempt == 2, "numbers never start again"


def test_redis_that_is_flushed_is_found_out_and_written_anew_at_the_next_commit(
    tmp_path: Path,
) -> None:
    with in_mid_phase(tmp_path, shown=True) as (stack, pulse, report):
        with stack.redis.client() as people:
            people.flushall()
        pulse.open("a")
        pulse.wait_started("A_NEXT")  # something is journalled
        stack.wait_until(lambda status: "has lost something" in status.journal_text)
        code, shown = shotline_command(stack, "status")
        assert code == 0
        assert "has lost something" in shown
        assert "ERROR" in stack.dispatcher.last_lines(200)
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        recovered(stack)
        assert stack.wait_until(lambda _: True).current == pulse.key
        pulse.open("b")
        assert_all_good(pulse, report)


def test_everything_killed_at_once(tmp_path: Path) -> None:
    with in_mid_phase(tmp_path, shown=True) as (stack, pulse, report):
        for daemon in stack.daemons.all:
            daemon.kill()
        stack.redis.kill()
        stack.redis.start()
        for daemon in stack.daemons.all:
            stack.restart(daemon)
        recovered(stack)
        # No server reports an incarnation from before, so nothing starts by itself (DESIGN §5).
        with pytest.raises(RunHeld):
            report.result()
        assert pulse.starts() == each_once("A_FIRST", "B_FIRST")
        assert pulse.ends() == Counter()
        assert pulse.ends_by_name() == {
            "A_FIRST": LOST,
            "A_NEXT": PENDING,
            "B_FIRST": LOST,
            "B_AFTER": CONDITION_FALSE,
        }
        with stack.supervisor() as shotline:
            shotline.resume(*pulse.key)
            eventually(lambda: pulse.runs_ended() == [1])
        assert pulse.ends_by_name()["A_NEXT"] == SUCCESS
        assert pulse.starts() == each_once("A_FIRST", "B_FIRST", "A_NEXT")
