"""The environment on the real daemons: workers open, close, and are destroyed with what runs."""

from pathlib import Path

import psutil
from tests.support.faults import action, shotline_command, stack_of
from tests.support.queue import Programme, plan
from tests.support.stack import Stack, eventually

from shotline.common.queue.views import QueueState

ACTIONS = (
    action("A_INIT", "A", 1, gate="init"),
    action("A_STORE", "A", 1, phase="STORE"),
)


def workers(stack: Stack) -> set[int]:
    """Return the worker processes of A:1."""
    pid = stack["A:1"].pid
    assert pid is not None
    children = psutil.Process(pid).children(recursive=True)
    return {one.pid for one in children if "shotline.action_server.task" in " ".join(one.cmdline())}


def test_the_environment_opens_closes_and_is_loaded_anew(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1*2",), *ACTIONS) as stack:
        before = workers(stack)
        assert len(before) == 2
        code, said = shotline_command(stack, "queue", "environment", "open", "--wait")
        assert code == 0, said
        assert "2 workers are ready" in said
        assert workers(stack) == before, "those that are there are as good"
        assert shotline_command(stack, "queue", "environment", "reload", "--wait")[0] == 0
        anew = workers(stack)
        assert len(anew) == 2
        assert not anew & before
        code, said = shotline_command(stack, "queue", "environment", "close", "--wait")
        assert code == 0, said
        assert workers(stack) == set()
        code, said = shotline_command(stack, "queue", "environment", "reload", "--wait")
        assert code == 2, said
        assert "open it" in said
        phases = ("--phases", "INIT")
        shotline_command(stack, "queue", "add", "--experiment", "TEST", *phases)
        code, said = shotline_command(stack, "queue", "start")
        assert code == 2
        assert "the environment is closed" in said
        assert shotline_command(stack, "queue", "environment", "open", "--wait")[0] == 0
        assert len(workers(stack)) == 2
        assert shotline_command(stack, "queue", "start")[0] == 0
        programme = Programme(stack)
        programme.wait_started(1, "A_INIT")
        programme.open(1, "init")
        programme.wait_state(QueueState.IDLE)
        assert programme.results() == ["completed"]


def test_destroying_the_environment_proves_that_what_ran_is_gone(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *ACTIONS) as stack:
        programme = Programme(stack)
        with stack.supervisor() as shotline:
            shotline.queue_add(plan(phases=[{"phase": "INIT"}]))
            shotline.queue_start()
            programme.wait_started(1, "A_INIT")
            there = workers(stack)
            destroyed = shotline.queue_environment("destroy", wait=True)
        assert destroyed.queue.environment.state == "closed"
        assert "proven to be gone" in destroyed.queue.environment.servers[0].text
        eventually(lambda: not any(map(psutil.pid_exists, there)))
        programme.wait_state(QueueState.IDLE)
        assert programme.results() == ["halted"]
        assert programme.view().held == 1


def test_a_dispatcher_killed_while_the_environment_opens_tells_how_it_went(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *ACTIONS) as stack:
        with stack.supervisor() as shotline:
            shotline.queue_environment("open", wait=True)
            shotline.queue_environment("reload")
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        view = Programme(stack).wait_until(lambda view: view.environment.state != "reloading")
        assert view.environment.state == "open"
        assert len(workers(stack)) == 1


def test_a_module_that_cannot_be_loaded_is_named_when_the_environment_opens(tmp_path: Path) -> None:
    preload = {"A": ["json"], "B": ["shotline.no_such_module"]}
    settings = {"action_server": {"preload": preload}}
    with stack_of(tmp_path, ("A:1", "B:1"), *ACTIONS, settings=settings) as stack:
        code, said = shotline_command(stack, "queue", "environment", "open", "--wait")
        assert code == 5, said
        assert "A:1" in said
        assert "No module named 'shotline.no_such_module'" in said
        assert Programme(stack).view().environment.state == "failed"
