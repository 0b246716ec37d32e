"""The dispatcher killed behind each of its commits: what follows is what would have followed."""

from collections import Counter

import pytest
from tests.support.dispatching import Bench
from tests.unit.pulse_queue.test_running import PHASES, Programme, queue_records

from shotline.client.testing.journal import MemoryJournal
from shotline.common.actions import IN_PROGRESS
from shotline.common.messages import Held, HeldAs
from shotline.common.queue import commands as q
from shotline.common.queue.plans import ExitStatus, PulsePlan
from shotline.common.queue.records import QueueSwitched
from shotline.common.queue.views import QueueState
from shotline.common.records import ShotKey
from shotline.dispatcher.journal import EncodedCommit


def go_on(programme: Programme) -> None:
    """Let everything that is sent end well, until the queue rests."""
    for _ in range(60):
        view = programme.queue
        if view.state is QueueState.IDLE:
            return
        shot = programme.machine.core.shots.get(programme.key) if view.running else None
        sent = [live.path for live in shot.in_progress()] if shot is not None else []
        for path in sent:
            programme.go(path)
        programme.pass_time(0.05)
    raise AssertionError(f"it does not come to rest: {programme.queue}")


def after(commits: list[EncodedCommit], wall: float) -> Programme:
    """Return the next life, at this time, of a dispatcher that was killed behind these commits."""
    store = MemoryJournal()
    store.claim()
    for commit in commits:
        assert store.write(commit)
    programme = Programme.__new__(Programme)
    nodes = Programme().nodes
    phases = [one.phase for one in PHASES]
    Bench.__init__(programme, *nodes, phases=phases, store=store, now=7.0, wall=wall, recover=False)
    held = [
        Held(attempt=shot.attempt_of(live), held_as=HeldAs.RUNNING, started_at=1.0)
        for shot in programme.machine.core.shots.values()
        for live in shot.actions.values()
        if live.state in IN_PROGRESS
    ]
    programme.register("SRV_A:1", slots=2, epoch=2, holding=held)
    programme.recover()
    return programme


def history(programme: Programme) -> list[tuple[ExitStatus, list[str]]]:
    fold = programme.machine.plans.queue.core.fold
    return [
        (item.result.exit_status, [run.phase for run in item.result.runs]) for item in fold.history
    ]


@pytest.fixture(scope="module")
def whole() -> Programme:
    """Two plans, run to their end without a fault."""
    programme = Programme()
    plan = PulsePlan(experiment="T", phases=PHASES)
    programme.good(q.QueueAdd(plans=(plan, plan)))
    programme.good(q.QueueStart())
    go_on(programme)
    assert [status for status, _ in history(programme)] == [ExitStatus.COMPLETED] * 2
    return programme


def first_armed(commits: list[EncodedCommit]) -> int:
    """Return the number of the commit that has armed the queue."""
    return next(
        number
        for number, commit in enumerate(commits, 1)
        if any(isinstance(record, QueueSwitched) for record in queue_records(commit))
    )


def test_nothing_is_lost_and_nothing_runs_twice_wherever_it_was_killed(whole: Programme) -> None:
    commits = [one.commit for one in whole.commits]
    for number in range(first_armed(commits), len(commits) + 1):
        programme = after(commits[:number], whole.wall)
        go_on(programme)
        assert history(programme) == history(whole), f"killed behind commit {number}"
        runs: Counter[ShotKey] = Counter(
            key
            for key, records in programme.store.shots.items()
            for one in records
            if one.type == "run_opened"
        )
        assert set(runs.values()) == {3}, f"killed behind commit {number}: {runs}"


def test_nothing_begins_by_itself_after_a_long_time(whole: Programme) -> None:
    commits = [one.commit for one in whole.commits]
    for number in range(first_armed(commits), len(commits) + 1):
        programme = after(commits[:number], whole.wall + 3600)
        programme.pass_time(5)
        assert programme.dispatches() == [], f"killed behind commit {number}"
        assert programme.queue.state in (QueueState.IDLE, QueueState.PAUSED)
        for _ in range(3):  # the plan, and perhaps its run, which is HELD by itself
            if programme.queue.state is QueueState.PAUSED:
                programme.good(q.QueueResume())
        go_on(programme)
        if programme.queue.entries:
            programme.good(q.QueueStart())
            go_on(programme)
        assert history(programme) == history(whole), f"killed behind commit {number}"
