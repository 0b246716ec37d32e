"""Redis away and the spill file full or not writable: nothing new starts, what runs goes on (I9).

"Not writable" is a file that may not grow: the processes here may run as root, whom permissions do
not stop.
"""

import resource
from pathlib import Path

import psutil
from tests.support.faults import (
    DOING,
    SUCCESS,
    Pulse,
    action,
    each_once,
    ends_of,
    journal_is,
    shotline_command,
    stack_of,
)
from tests.support.stack import Stack, eventually

from shotline.common.views import StatusResult

ACTIONS = (
    action("A_FIRST", "A", 1, gate="a"),
    action("A_NEXT", "A", 2),
    action("B_FIRST", "B", 1, gate="b"),
)
ALL = ("A_FIRST", "A_NEXT", "B_FIRST")


def stopped_while_two_run(stack: Stack) -> tuple[Pulse, StatusResult]:
    """Return a pulse whose tasks have ended although nothing can be journalled any more."""
    pulse = Pulse(stack)
    report = pulse.begin()
    pulse.wait_doing("A_FIRST", "B_FIRST")
    stack.redis.kill()
    limit_spill_file(stack)
    pulse.open("a")
    status = stack.wait_until(journal_is("stopped"))
    code, shown = shotline_command(stack, "status")
    assert code == 0
    assert "STOPPED" in shown.upper()
    assert "nothing new starts" in status.journal_text
    pulse.open("b")
    eventually(lambda: pulse.ends() == each_once("A_FIRST", "B_FIRST"))  # running work goes on
    stack.wait_until(lambda status: sum(one.unanswered for one in status.servers) == 2)
    assert pulse.starts() == each_once("A_FIRST", "B_FIRST"), "nothing new starts"
    assert not report.is_over
    release_spill_file(stack)
    stack.redis.start()
    stack.wait_until(journal_is("ok"))
    result = report.result()
    assert ends_of(result.actions) == dict.fromkeys(ALL, SUCCESS)
    assert pulse.starts() == each_once(*ALL)
    assert pulse.runs_ended() == [1]
    assert pulse.late_results() == []
    stack.wait_until(lambda status: sum(one.unanswered for one in status.servers) == 0)
    return pulse, status


def limit_spill_file(stack: Stack) -> None:
    """Let the dispatcher's files not grow any more, as a full disk would."""
    pid = stack.dispatcher.pid
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def release_spill_file(stack: Stack) -> None:
    """Let them grow again."""
    pid = stack.dispatcher.pid
    assert pid is not None
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)


def test_spill_file_that_cannot_be_written(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1", "B:1"), *ACTIONS) as stack:
        _, status = stopped_while_two_run(stack)
        assert "cannot be written" in status.journal_text


def test_new_work_waits_while_nothing_can_be_journalled(tmp_path: Path) -> None:
    """A new command, too, is answered only once it is journalled; nobody is told an untruth."""
    with stack_of(tmp_path, ("A:1", "B:1"), *ACTIONS) as stack:
        pulse = Pulse(stack)
        stack.redis.kill()
        limit_spill_file(stack)
        report = pulse.begin()
        stack.wait_until(journal_is("stopped"))
        assert psutil.pid_exists(stack.dispatcher.pid or 0)
        assert not pulse.starts()
        release_spill_file(stack)  # the file alone is enough: the shot goes on, DEGRADED
        stack.wait_until(journal_is("degraded"))
        pulse.wait_started("A_FIRST", "B_FIRST")
        pulse.open("a", "b")
        assert ends_of(report.result().actions) == dict.fromkeys(ALL, SUCCESS)
        stack.redis.start()
        stack.wait_until(journal_is("ok"))
        assert pulse.starts() == each_once(*ALL)
        assert pulse.runs_ended() == [1]


def test_full_spill_file(tmp_path: Path) -> None:
    settings = {"journal": {"spill_bytes_max": 300}}  # not even one commit of a run fits
    with stack_of(tmp_path, ("A:1", "B:1"), *ACTIONS, settings=settings) as stack:
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST", "B_FIRST")
        stack.redis.kill()
        pulse.open("a")
        status = stack.wait_until(journal_is("stopped"))
        assert "is full" in status.journal_text
        pulse.open("b")
        eventually(lambda: pulse.ends() == each_once("A_FIRST", "B_FIRST"))
        assert pulse.starts() == each_once("A_FIRST", "B_FIRST")
        assert not report.is_over
        stack.redis.start()
        assert ends_of(report.result().actions) == dict.fromkeys(ALL, SUCCESS)
        stack.wait_until(journal_is("ok"))
        assert pulse.starts() == each_once(*ALL)
        assert pulse.runs_ended() == [1]


def test_dispatcher_killed_while_nothing_could_be_journalled(tmp_path: Path) -> None:
    """What was not journalled was not done: servers still hold it, and tell the next dispatcher."""
    with stack_of(tmp_path, ("A:1", "B:1"), *ACTIONS) as stack:
        with stack.redis.client() as client:
            # Otherwise Redis may lose what it has confirmed when it is killed.
            client.config_set("appendfsync", "always")
        pulse = Pulse(stack)
        report = pulse.begin()
        pulse.wait_doing("A_FIRST", "B_FIRST")
        stack.redis.kill()
        limit_spill_file(stack)
        pulse.open("a")
        stack.wait_until(journal_is("stopped"))
        eventually(lambda: pulse.ends()["A_FIRST"] == 1)
        stack.dispatcher.kill()
        stack.redis.start()
        stack.restart(stack.dispatcher)
        pulse.wait_started("A_NEXT")
        eventually(
            lambda: (
                pulse.ends_by_name() == {"A_FIRST": SUCCESS, "A_NEXT": SUCCESS, "B_FIRST": DOING}
            )
        )
        pulse.open("b")
        assert ends_of(report.result().actions) == dict.fromkeys(ALL, SUCCESS)
        assert pulse.starts() == each_once(*ALL)
        assert pulse.runs_ended() == [1]
