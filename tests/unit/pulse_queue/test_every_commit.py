"""The dispatcher killed behind each of its commits: what follows is what would have followed."""

from collections import Counter

import pytest
from tests.support.dispatching import Bench
from tests.unit.pulse_queue.test_running import PHASES, Programme, queue_records

from shotline.client.testing.journal import MemoryJournal
from shotline.common.actions import IN_PROGRESS
from shotline.common.commands import DoPhase
from shotline.common.messages import Held, HeldAs
from shotline.common.queue import commands as q
from shotline.common.queue.plans import ExitStatus, PulsePlan
from shotline.common.queue.records import QueueSwitched
from shotline.common.queue.views import QueueState
from shotline.common.records import ShotKey
from shotline.dispatcher.journal import EncodedCommit
from shotline.pulse_queue.events import Give, Recovered
from shotline.pulse_queue.machine import PulseQueue


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


def after(commits: list[EncodedCommit], wall: float, *, may_lack_end: bool = False) -> Programme:
    """Return the next life, at this time, of a dispatcher that was killed behind these commits."""
    store = MemoryJournal(may_lack_end=may_lack_end)
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


def runs(programme: Programme) -> Counter[ShotKey]:
    """Return how many runs of each shot were opened."""
    return Counter(
        key
        for key, records in programme.store.shots.items()
        for one in records
        if one.type == "run_opened"
    )


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
        assert set(runs(programme).values()) == {3}, f"killed behind commit {number}"


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


def test_no_phase_begins_by_itself_where_redis_may_have_lost_what_came_last(
    whole: Programme,
) -> None:
    commits = [one.commit for one in whole.commits]
    for number in range(first_armed(commits), len(commits) + 1):
        programme = after(commits[:number], whole.wall, may_lack_end=True)
        before = runs(programme)
        programme.pass_time(5)
        assert runs(programme) == before, f"the end is lost behind commit {number}"
        assert programme.queue.state is not QueueState.RUNNING
        while programme.queue.state is QueueState.PAUSING:  # its run goes on; the next one waits
            shot = programme.machine.core.shots[programme.key]
            for live in list(shot.in_progress()):
                programme.go(live.path)
        assert runs(programme) == before, f"the end is lost behind commit {number}"
        if programme.queue.state is QueueState.PAUSED:
            programme.good(q.QueueResume())
        go_on(programme)
        if programme.queue.entries:
            programme.good(q.QueueStart())
            go_on(programme)
        assert history(programme) == history(whole), f"the end is lost behind commit {number}"


def test_a_journal_of_which_redis_has_lost_the_beginning_or_the_middle_is_read(
    whole: Programme,
) -> None:
    records = [one for commit in whole.commits for one in queue_records(commit.commit)]
    host = whole.machine.plans
    for first in range(len(records) + 1):
        for then in range(first, len(records) + 1):
            queue = PulseQueue(whole.config, host, whole.machine.core.instant)
            left_out = queue.load([*records[:first], *records[then:]], ())
            assert first < then or not left_out
            fold = queue.core.fold
            assert set(fold.order) <= set(fold.entries)
            assert queue.telling.view().entries == len(fold.order)
            is_new = fold.running is not None and fold.running.run is None
            given = queue.handle(whole.machine.core.instant, Recovered(may_lack_end=True))
            commands = [one.command for one in given if isinstance(one, Give)]
            assert not is_new or not any(isinstance(one, DoPhase) for one in commands), (
                f"without {first} to {then}"
            )
