"""The pulse queue while daemons are killed: nothing runs twice, by itself, or is lost."""

import os
import signal
import time
from pathlib import Path

import pytest
from tests.support.faults import action, each_once, journal_is, stack_of
from tests.support.queue import Programme, plan
from tests.support.stack import Stack, eventually

from shotline.common.queue.plans import EntryState
from shotline.common.queue.views import QueueState

ACTIONS = (
    action("A_INIT", "A", 1, gate="init"),
    action("A_NEXT", "A", 2),
    action("A_PULSE", "A", 1, gate="pulse", phase="PULSE"),
    action("A_STORE", "A", 1, gate="store", phase="STORE"),
)
AWAY_S = 30.0  # what a Redis that is restarted on a busy machine may take
ONCE = each_once("A_INIT", "A_NEXT", "A_PULSE", "A_STORE")


def programme_of(stack: Stack, plans: int = 2) -> Programme:
    """Return a programme whose first plan runs."""
    with stack.redis.client() as client:
        # Otherwise a Redis whose disk is slow may lose what it has confirmed when it is killed.
        client.config_set("appendfsync", "always")
    with stack.supervisor() as shotline:
        shotline.queue_add([plan() for _ in range(plans)])
        shotline.queue_start()
    programme = Programme(stack)
    programme.wait_started(1, "A_INIT")
    return programme


def come_back(stack: Stack) -> None:
    """Kill the dispatcher (or the hub), and start it again."""
    stack.dispatcher.kill()
    stack.restart(stack.dispatcher)


def test_killed_with_a_pause_pending(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *ACTIONS) as stack:
        programme = programme_of(stack)
        with stack.supervisor() as shotline:
            shotline.queue_pause()
        come_back(stack)
        assert programme.view().state is QueueState.PAUSING
        programme.open(1, "init")
        programme.wait_state(QueueState.PAUSED)
        come_back(stack)
        assert programme.view().state is QueueState.PAUSED
        assert programme.starts(1) == each_once("A_INIT")
        with stack.supervisor() as shotline:
            shotline.queue_resume()
        for shot in (1, 2):
            programme.open(shot, "init", "pulse", "store")
        programme.wait_state(QueueState.IDLE)
        assert programme.results() == ["completed", "completed"]
        assert (programme.starts(1), programme.starts(2)) == (ONCE, ONCE)


def test_killed_with_a_stop_pending(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *ACTIONS) as stack:
        programme = programme_of(stack)
        with stack.supervisor() as shotline:
            shotline.queue_stop()
        come_back(stack)
        assert programme.view().state is QueueState.STOPPING
        programme.open(1, "init", "pulse", "store")
        view = programme.wait_state(QueueState.IDLE)
        assert programme.results() == ["completed"]
        assert view.entries == 1


def test_killed_while_a_plan_is_aborted(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *ACTIONS) as stack:
        programme = programme_of(stack, 1)
        with stack.supervisor() as shotline:
            shotline.queue_end("abort", "plasma lost")
        come_back(stack)
        programme.open(1, "store")
        programme.wait_state(QueueState.IDLE)
        assert programme.results() == ["aborted"]
        (item,) = programme.history()
        assert [run.phase for run in item.result.runs] == ["INIT", "STORE"]
        # It may have been on its way to a server that had not reported when it was waited for.
        assert programme.starts(1) in (each_once("A_INIT"), each_once("A_INIT", "A_STORE"))
        with stack.supervisor() as shotline:
            (entry,) = shotline.queue_list().entries
        assert entry.state is EntryState.HELD
        assert "plasma lost" in entry.held


def test_killed_at_the_last_action_of_the_last_plan(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *ACTIONS) as stack:
        programme = programme_of(stack, 1)
        programme.open(1, "init", "pulse")
        programme.wait_started(1, "A_STORE")
        stack.dispatcher.kill()
        programme.open(1, "store")
        eventually(lambda: (programme.folder(1) / "ends").read_text().count("\n") == 4)
        stack.restart(stack.dispatcher)
        programme.wait_state(QueueState.IDLE)
        assert programme.results() == ["completed"]
        assert programme.starts(1) == ONCE


def test_redis_away_while_plans_run(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *ACTIONS) as stack:
        programme = programme_of(stack)
        redis_pid = stack.redis.pid
        assert redis_pid is not None
        os.kill(redis_pid, signal.SIGSTOP)
        away_until = time.monotonic() + AWAY_S
        try:
            stack.wait_until(journal_is("degraded"))
            programme.open(1, "init", "pulse", "store")
            programme.wait_started(2, "A_INIT")
            with stack.supervisor() as shotline:
                shotline.queue_add(plan(note="the third"))
            eventually(lambda: time.monotonic() >= away_until)
        finally:
            os.kill(redis_pid, signal.SIGCONT)
        stack.wait_until(journal_is("ok"))
        come_back(stack)
        for shot in (2, 3):
            programme.open(shot, "init", "pulse", "store")
        programme.wait_state(QueueState.IDLE)
        assert programme.results() == ["completed"] * 3
        assert [programme.starts(shot) for shot in (1, 2, 3)] == [ONCE] * 3


def test_everything_killed_at_once(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *ACTIONS) as stack:
        programme = programme_of(stack)
        for daemon in stack.daemons.all:
            daemon.kill()
        stack.redis.kill()
        stack.redis.start()
        for daemon in stack.daemons.all:
            stack.restart(daemon)
        # No server reports an incarnation from before: the run is HELD, and so the plan is paused.
        view = programme.wait_state(QueueState.PAUSED)
        assert view.entries == 1
        assert programme.starts(1) == each_once("A_INIT")
        with stack.supervisor() as shotline:
            shotline.queue_resume()
        programme.open(1, "pulse", "store")
        programme.wait_until(lambda view: view.history_total == 1)
        assert programme.results() == ["failed"], "what was lost had failed"
        assert programme.starts(1) == ONCE
        assert programme.view().held == 1
        assert programme.view().state is QueueState.IDLE


@pytest.mark.slow
def test_killed_at_every_step(tmp_path: Path) -> None:
    """Killed again and again, wherever it is: each plan runs once, and they all do."""
    quick = (action("A_INIT", "A", 1), action("A_PULSE", "A", 1, phase="PULSE"))
    phases = [{"phase": "INIT"}, {"phase": "PULSE"}]
    with stack_of(tmp_path, ("A:1",), *quick) as stack:
        with stack.redis.client() as client:
            client.config_set("appendfsync", "always")
        with stack.supervisor() as shotline:
            shotline.queue_add([plan(phases=phases) for _ in range(12)])
            shotline.queue_start()
        programme = Programme(stack)
        for number in range(1, 7):
            programme.wait_until(lambda view, n=number: view.history_total >= n)
            come_back(stack)
        programme.wait_state(QueueState.IDLE)
        history = programme.history()
        assert [item.result.exit_status for item in history] == ["completed"] * 12
        shots = [item.result.shot for item in history]
        assert shots == sorted(set(shots))
        for shot in shots:
            assert programme.starts(shot) == each_once("A_INIT", "A_PULSE")
