"""The pulse queue on the real daemons: commands, library, and what is left after a kill."""

import json
from pathlib import Path

from tests.support.faults import action, each_once, shotline_command, stack_of
from tests.support.queue import Programme, plan

from shotline.common.queue.views import QueueState

ACTIONS = (
    action("A_INIT", "A", 1, gate="init"),
    action("A_PULSE", "A", 1, gate="pulse", phase="PULSE"),
    action("A_STORE", "A", 1, phase="STORE"),
)
ONCE = each_once("A_INIT", "A_PULSE", "A_STORE")


def test_two_plans_run_one_after_the_other_and_stand_in_the_history(tmp_path: Path) -> None:
    with stack_of(tmp_path, ("A:1",), *ACTIONS) as stack:
        programme = Programme(stack)
        words = ("queue", "add", "--experiment", "TEST", "--phases", "INIT,PULSE,STORE+")
        code, said = shotline_command(stack, *words)
        assert code == 0, said
        assert "the queue is idle" in said
        assert shotline_command(stack, *words, "--note", "the second")[0] == 0
        code, said = shotline_command(stack, "queue", "list")
        assert "2 entries" in said
        assert shotline_command(stack, "queue", "start")[0] == 0
        for shot in (1, 2):
            programme.wait_started(shot, "A_INIT")
            code, said = shotline_command(stack, "--json", "queue", "status")
            told = json.loads(said)["result"]["queue"]
            assert (told["state"], told["running"]["shot"]) == ("running", shot)
            programme.open(shot, "init", "pulse")
        programme.wait_state(QueueState.IDLE)
        assert programme.results() == ["completed", "completed"]
        for shot, item in enumerate(programme.history(), 1):
            assert programme.starts(shot) == ONCE
            assert [run.phase for run in item.result.runs] == ["INIT", "PULSE", "STORE"]
        code, said = shotline_command(stack, "queue", "export", "--csv", "--by", "action")
        assert code == 0
        assert len(said.strip().splitlines()) == 7, said


def test_a_killed_dispatcher_goes_on_with_the_plan_that_runs_and_with_the_next(
    tmp_path: Path,
) -> None:
    with stack_of(tmp_path, ("A:1",), *ACTIONS) as stack:
        programme = Programme(stack)
        with stack.supervisor() as shotline:
            shotline.queue_add([plan(), plan()])
            shotline.queue_start()
        programme.wait_started(1, "A_INIT")
        stack.dispatcher.kill()
        programme.open(1, "init")  # it ends while nobody hears of it
        stack.restart(stack.dispatcher)
        programme.wait_started(1, "A_PULSE")
        before = programme.view().versions
        stack.dispatcher.kill()
        stack.restart(stack.dispatcher)
        assert programme.view().versions.queue >= before.queue
        programme.open(1, "pulse")
        programme.wait_started(2, "A_INIT")
        programme.open(2, "init", "pulse")
        programme.wait_state(QueueState.IDLE)
        assert programme.results() == ["completed", "completed"]
        assert (programme.starts(1), programme.starts(2)) == (ONCE, ONCE)
