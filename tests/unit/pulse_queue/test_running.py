"""Plans that run: one after the other, paused, ended, returned; on the dispatcher's machine."""

from typing import Any

import msgspec
import pytest
from tests.support.dispatching import Bench, result
from tests.support.tables import action

from shotline.client.testing.dispatcher import configured, with_keys
from shotline.common.base import Struct, tag_of
from shotline.common.channels import QUEUE
from shotline.common.commands import Abort, Hold, Resume
from shotline.common.messages import (
    AbortAttempt,
    CommandWorkers,
    EndedBy,
    LivenessState,
    Outcome,
    Reply,
    WorkersTold,
)
from shotline.common.nodes import SourceMark
from shotline.common.queue import commands as q
from shotline.common.queue.plans import EntryState, ExitStatus, PhaseWhen, PlanPhase, PulsePlan
from shotline.common.queue.records import PlanEnding, QueueSwitched
from shotline.common.queue.views import (
    QueueEntriesResult,
    QueueRefused,
    QueueState,
    QueueView,
    RefusalCode,
)
from shotline.common.records import ShotKey
from shotline.common.settings.configuration import Config
from shotline.common.views import decode_result
from shotline.dispatcher.journal import EncodedCommit

PHASES = (
    PlanPhase(phase="INIT"),
    PlanPhase(phase="PULSE"),
    PlanPhase(phase="STORE", closing=True),
)


class Programme(Bench):
    """A dispatcher with one server, and its queue."""

    def __init__(self, *, config: Config | None = None, **more: Any) -> None:
        nodes = (
            action("ONE", 1),
            action("TWO", 2),
            action("FIRE", 1, phase="PULSE"),
            action("SAVE", 1, phase="STORE"),
        )
        super().__init__(
            *nodes, phases=("INIT", "PULSE", "STORE"), config=config or configured("T"), **more
        )
        self.register("SRV_A:1", slots=2)

    @property
    def queue(self) -> QueueView:
        return self.machine.plans.queue.telling.view()

    @property
    def key(self) -> ShotKey:
        """The running plan's shot."""
        running = self.queue.running
        assert running is not None
        return ShotKey(running.tree, running.shot)

    def add(self, *phases: PlanPhase, **fields: Any) -> str:
        """Add a plan; return its uid."""
        plan = PulsePlan(experiment="T", phases=phases or PHASES, **fields)
        result = decode_result(self.good(q.QueueAdd(plans=(plan,))).result)
        assert isinstance(result, QueueEntriesResult)
        return result.entries[0].uid

    def good(self, command: q.AnyQueueCommand) -> Reply:
        reply = self.told(command)
        assert reply.outcome is Outcome.OK, reply
        return reply

    def refused(self, command: q.AnyQueueCommand) -> QueueRefused:
        reply = self.told(command)
        assert reply.outcome is Outcome.REFUSED, reply
        result = decode_result(reply.result)
        assert isinstance(result, QueueRefused)
        return result

    def go(self, *paths: str, ok: bool = True) -> None:
        """Let actions of the running plan start and end."""
        self.start(*paths, key=self.key).finish(*paths, ok=ok, key=self.key)

    def fire(self) -> None:
        """Let the whole running plan go well."""
        self.go("ONE")
        self.go("TWO")
        self.go("FIRE")
        self.go("SAVE")

    def results(self) -> list[ExitStatus]:
        return [one.result.exit_status for one in self.machine.plans.queue.core.fold.history]

    def entries(self) -> list[tuple[str, EntryState]]:
        fold = self.machine.plans.queue.core.fold
        return [(uid, fold.entries[uid].state) for uid in fold.order]

    def gone(self, *paths: str) -> None:
        """Let a server prove that aborted actions are gone."""
        for path in paths:
            attempt = self.attempt(path, key=self.key)
            self.from_server("SRV_A:1", result(attempt, ended_by=EndedBy.ABORT))


def queue_records(commit: EncodedCommit) -> tuple[Struct, ...]:
    """Return a commit's records of the queue."""
    found = commit.hosted.get(QUEUE)
    return found.records if found is not None else ()


def test_the_next_plan_begins_in_the_commit_that_ends_the_one_before() -> None:
    programme = Programme()
    programme.add()
    programme.add()
    programme.good(q.QueueStart())
    programme.go("ONE")
    programme.go("TWO")
    programme.go("FIRE")
    programme.start("SAVE", key=programme.key)
    before = len(programme.commits)
    programme.finish("SAVE", key=programme.key)
    records = programme.commits[before].commit.hosted[QUEUE].records
    kinds = [tag_of(record) for record in records]
    assert kinds == ["step_ended", "plan_ended", "plan_started", "step_begun"]
    assert programme.key == ShotKey("T", 2)
    programme.fire()
    assert programme.results() == [ExitStatus.COMPLETED, ExitStatus.COMPLETED]
    assert programme.queue.state is QueueState.IDLE
    states = [
        record.armed
        for commit in programme.commits
        for record in queue_records(commit.commit)
        if isinstance(record, QueueSwitched)
    ]
    assert states == [True, False]


def test_nothing_runs_that_was_not_armed() -> None:
    programme = Programme()
    programme.add()
    programme.pass_time(3600)
    assert programme.queue.state is QueueState.IDLE
    assert programme.dispatched() == []


def test_a_failed_plan_comes_back_held_and_waits_for_a_named_person() -> None:
    programme = Programme()
    uid = programme.add()
    behind = programme.add()
    programme.good(q.QueueStart())
    programme.go("ONE", ok=False)
    programme.go("TWO")
    programme.go("FIRE")
    programme.go("SAVE")
    assert programme.results() == [ExitStatus.FAILED]
    (back, state), (next_, _) = programme.entries()
    assert (state, next_) == (EntryState.HELD, behind)
    assert back != uid
    entry = programme.machine.plans.queue.core.fold.entries[back]
    assert entry.copy_of == uid
    assert entry.result is not None
    assert "ONE" in entry.held
    assert programme.queue.state is QueueState.IDLE
    assert programme.refused(q.QueueStart()).code is RefusalCode.HELD
    programme.pass_time(3600)
    assert programme.queue.running is None
    programme.good(q.QueueRelease(uids=(back,), user="A. Miller"))
    assert programme.machine.plans.queue.core.fold.entries[back].released_by == "A. Miller"
    programme.good(q.QueueStart())
    programme.fire()
    programme.fire()
    assert programme.results()[1:] == [ExitStatus.COMPLETED, ExitStatus.COMPLETED]


def test_a_site_may_have_what_failed_come_back_to_the_front() -> None:
    programme = Programme(config=with_keys(configured("T"), queue={"return_as": "front"}))
    programme.add()
    programme.good(q.QueueStart())
    programme.good(q.QueueEnd(how=PlanEnding.HALT, user="anna"))
    programme.gone("ONE")
    assert [state for _, state in programme.entries()] == [EntryState.QUEUED]


def test_failures_are_ignored_on_demand() -> None:
    programme = Programme()
    programme.add()
    programme.add()
    programme.good(q.QueueMode(ignore_failures=True))
    programme.good(q.QueueStart())
    programme.go("ONE", ok=False)
    for path in ("TWO", "FIRE", "SAVE"):
        programme.go(path)
    programme.fire()
    assert programme.results() == [ExitStatus.FAILED, ExitStatus.COMPLETED]
    assert programme.entries() == []


def test_what_completes_goes_to_the_back_in_a_loop() -> None:
    programme = Programme()
    first, second = programme.add(), programme.add()
    programme.good(q.QueueMode(loop=True))
    programme.good(q.QueueStart())
    programme.fire()
    uids = [uid for uid, _ in programme.entries()]
    assert first not in uids
    assert second not in uids  # it runs
    assert len(uids) == 1
    programme.good(q.QueueStop())
    programme.fire()
    assert len(programme.entries()) == 2
    assert programme.queue.state is QueueState.IDLE


def test_a_stop_goes_to_the_back_in_a_loop() -> None:
    programme = Programme()
    programme.good(q.QueueAdd(plans=(PulsePlan(type="stop"),)))
    plan = programme.add()
    (stop, _), _ = programme.entries()
    programme.good(q.QueueMode(loop=True))
    programme.good(q.QueueStart())
    assert programme.queue.state is QueueState.IDLE
    first, second = [uid for uid, _ in programme.entries()]
    assert first == plan
    assert second != stop


def test_a_plan_is_repeated_with_a_new_pulse_each_time() -> None:
    programme = Programme()
    programme.add(repeat=3)
    programme.good(q.QueueStart())
    for shot in (1, 2, 3):
        assert programme.key.shot == shot
        programme.fire()
    assert programme.queue.state is QueueState.IDLE
    assert len(programme.results()) == 3


def test_phases_run_by_what_came_before_them() -> None:
    programme = Programme()
    good = PlanPhase(phase="PULSE", when=PhaseWhen.ON_SUCCESS)
    bad = PlanPhase(phase="STORE", when=PhaseWhen.ON_FAILURE)
    programme.add(PHASES[0], good, bad)
    programme.add(PHASES[0], good, bad)
    programme.good(q.QueueMode(ignore_failures=True))
    programme.good(q.QueueStart())
    programme.go("ONE", ok=False)
    programme.go("TWO")
    programme.go("SAVE")
    programme.go("ONE")
    programme.go("TWO")
    programme.go("FIRE")
    runs = [one.result.runs for one in programme.machine.plans.queue.core.fold.history]
    assert [[run.phase for run in one] for one in runs] == [["INIT", "STORE"], ["INIT", "PULSE"]]


def test_a_pause_waits_for_the_next_sequence_number() -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.start("ONE", key=programme.key)
    programme.good(q.QueuePause())
    assert programme.queue.state is QueueState.PAUSING
    programme.finish("ONE", key=programme.key)
    assert programme.queue.state is QueueState.PAUSED
    programme.pass_time(100)
    assert programme.dispatched() == ["ONE"]
    assert programme.refused(q.QueuePause()).code is RefusalCode.WRONG_STATE
    programme.good(q.QueueResume())
    assert programme.queue.state is QueueState.RUNNING
    for path in ("TWO", "FIRE", "SAVE"):
        programme.go(path)
    assert programme.results() == [ExitStatus.COMPLETED]
    assert programme.dispatched() == ["ONE", "TWO", "FIRE", "SAVE"]


def test_a_pause_waits_for_the_next_phase() -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.go("ONE")
    programme.start("TWO", key=programme.key)
    programme.good(q.QueuePause())
    programme.finish("TWO", key=programme.key)
    assert programme.queue.state is QueueState.PAUSED
    assert programme.dispatched() == ["ONE", "TWO"]
    programme.good(q.QueueResume())
    programme.go("FIRE")
    programme.go("SAVE")
    assert programme.results() == [ExitStatus.COMPLETED]


def test_a_pause_with_nothing_left_before_the_end_stops_the_queue() -> None:
    programme = Programme()
    programme.add()
    programme.add()
    programme.good(q.QueueStart())
    for path in ("ONE", "TWO", "FIRE"):
        programme.go(path)
    programme.start("SAVE", key=programme.key)
    programme.good(q.QueuePause())
    programme.finish("SAVE", key=programme.key)
    assert programme.results() == [ExitStatus.COMPLETED]
    assert programme.queue.state is QueueState.IDLE
    assert not programme.queue.pause_pending
    assert len(programme.entries()) == 1


@pytest.mark.parametrize("again", [True, False])
def test_an_immediate_pause_aborts_and_resume_says_what_becomes_of_it(*, again: bool) -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.start("ONE", key=programme.key)
    programme.good(q.QueuePause(immediate=True))
    assert programme.queue.state is QueueState.PAUSING
    aborts = [one for _, one in programme.sent if isinstance(one, AbortAttempt)]
    assert [one.attempt.path for one in aborts] == ["ONE"]
    programme.gone("ONE")
    assert programme.queue.state is QueueState.PAUSED
    refused = programme.refused(q.QueueResume())
    assert (refused.code, refused.aborted) == (RefusalCode.ABORTED_ACTIONS, ("ONE",))
    programme.good(q.QueueResume(aborted="again" if again else "leave"))
    if again:
        assert programme.dispatched() == ["ONE", "ONE"], "its number comes before the next one's"
        programme.go("ONE")
    for path in ("TWO", "FIRE", "SAVE"):
        programme.go(path)
    assert programme.results() == [ExitStatus.COMPLETED if again else ExitStatus.FAILED]


@pytest.mark.parametrize("again", [True, False])
def test_an_immediate_pause_at_the_last_action_of_a_phase_waits_for_a_decision(
    *, again: bool
) -> None:
    programme = Programme()
    programme.add(PHASES[1], PHASES[2])
    programme.good(q.QueueStart())
    programme.start("FIRE", key=programme.key)
    programme.good(q.QueuePause(immediate=True))
    programme.gone("FIRE")
    assert programme.queue.state is QueueState.PAUSED
    programme.pass_time(10)
    assert programme.refused(q.QueueResume()).aborted == ("FIRE",)
    programme.good(q.QueueResume(aborted="again" if again else "leave"))
    if again:
        programme.go("FIRE")
    programme.go("SAVE")
    assert programme.results() == [ExitStatus.COMPLETED if again else ExitStatus.FAILED]


def test_a_plan_paused_at_its_last_action_is_halted_too() -> None:
    programme = Programme()
    programme.add(PHASES[1])
    programme.good(q.QueueStart())
    programme.start("FIRE", key=programme.key)
    programme.good(q.QueuePause(immediate=True))
    programme.gone("FIRE")
    programme.good(q.QueueEnd(how=PlanEnding.HALT))
    assert programme.results() == [ExitStatus.HALTED]


def test_a_stop_lets_end_what_runs_and_runs_the_closing_phases() -> None:
    programme = Programme()
    programme.add()
    programme.add()
    programme.good(q.QueueStart())
    programme.start("ONE", key=programme.key)
    programme.good(q.QueueEnd(how=PlanEnding.STOP, user="anna"))
    assert programme.queue.state is QueueState.STOPPING
    programme.finish("ONE", key=programme.key)
    programme.go("SAVE")
    assert programme.dispatched() == ["ONE", "SAVE"]
    assert programme.results() == [ExitStatus.STOPPED]
    assert programme.queue.state is QueueState.IDLE
    assert len(programme.entries()) == 1, "stopped counts as done"


def test_an_abort_ends_a_phase_whose_tree_is_slow_to_be_looked_at() -> None:
    """The phase has begun meanwhile; only the answer that says so waits for the tree."""
    programme = Programme()
    programme.marks = (SourceMark(what="the file", mark="1"),)
    programme.add()
    programme.good(q.QueueStart())
    programme.go("ONE")
    programme.answers_jobs = False
    programme.go("TWO")
    programme.start("FIRE", key=programme.key)
    programme.good(q.QueueEnd(how=PlanEnding.ABORT, user="anna"))
    aborts = [one for _, one in programme.sent if isinstance(one, AbortAttempt)]
    assert [one.attempt.path for one in aborts] == ["FIRE"]
    programme.gone("FIRE")
    programme.answer_jobs()
    programme.answers_jobs = True
    programme.go("SAVE")
    assert programme.results() == [ExitStatus.ABORTED]


def test_an_abort_ends_what_runs_and_runs_the_closing_phases() -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.start("ONE", key=programme.key)
    programme.good(q.QueueEnd(how=PlanEnding.ABORT, user="anna", reason="plasma lost"))
    programme.gone("ONE")
    programme.go("SAVE")
    assert programme.dispatched() == ["ONE", "SAVE"]
    assert programme.results() == [ExitStatus.ABORTED]
    ((uid, state),) = programme.entries()
    assert state is EntryState.HELD
    assert "plasma lost" in programme.machine.plans.queue.core.fold.entries[uid].held


def test_a_halt_lets_nothing_more_run() -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.start("ONE", key=programme.key)
    programme.good(q.QueueEnd(how=PlanEnding.HALT))
    programme.gone("ONE")
    assert programme.dispatched() == ["ONE"]
    assert programme.results() == [ExitStatus.HALTED]


@pytest.mark.parametrize("how", PlanEnding)
def test_a_paused_plan_is_ended_too(how: PlanEnding) -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.start("ONE", key=programme.key)
    programme.good(q.QueuePause())
    programme.finish("ONE", key=programme.key)
    assert programme.queue.state is QueueState.PAUSED
    programme.good(q.QueueEnd(how=how))
    if how is not PlanEnding.HALT:
        programme.go("SAVE")
    assert len(programme.results()) == 1
    assert programme.dispatched() == (["ONE"] if how is PlanEnding.HALT else ["ONE", "SAVE"])


@pytest.mark.parametrize("immediate", [True, False])
def test_a_plan_that_still_pauses_is_stopped(*, immediate: bool) -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.start("ONE", key=programme.key)
    programme.good(q.QueuePause(immediate=immediate))
    assert programme.queue.state is QueueState.PAUSING
    programme.good(q.QueueEnd(how=PlanEnding.STOP))
    if immediate:
        programme.gone("ONE")
    else:
        programme.finish("ONE", key=programme.key)
    programme.go("SAVE")
    assert programme.dispatched() == ["ONE", "SAVE"]
    assert programme.results() == [ExitStatus.STOPPED]


def test_a_plan_that_is_stopped_pauses_too_and_goes_on_to_its_closing_phases() -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.start("ONE", key=programme.key)
    programme.good(q.QueueEnd(how=PlanEnding.STOP))
    programme.good(q.QueuePause(immediate=True))
    programme.gone("ONE")
    assert programme.queue.state is QueueState.PAUSED
    programme.good(q.QueueResume(aborted="leave"))
    programme.go("SAVE")
    assert programme.dispatched() == ["ONE", "SAVE"]
    assert programme.results() == [ExitStatus.STOPPED]


@pytest.mark.parametrize("how", [PlanEnding.STOP, PlanEnding.ABORT])
@pytest.mark.parametrize(
    "goes_on", [q.QueueResume(aborted="leave"), q.QueueEnd(how=PlanEnding.STOP)]
)
def test_a_closing_phase_pauses_too(how: PlanEnding, goes_on: q.AnyQueueCommand) -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    key = programme.key
    programme.start("ONE", key=key)
    programme.good(q.QueueEnd(how=how))
    if how is PlanEnding.ABORT:
        programme.gone("ONE")
    else:
        programme.finish("ONE", key=key)
    programme.start("SAVE", key=key)
    programme.good(q.QueuePause(immediate=True))
    programme.gone("SAVE")
    assert programme.queue.state is QueueState.PAUSED
    programme.good(goes_on)
    assert len(programme.results()) == 1


def test_a_stop_of_the_queue_is_taken_back() -> None:
    programme = Programme()
    programme.add()
    programme.add()
    programme.good(q.QueueStart())
    programme.good(q.QueueStop())
    assert programme.queue.state is QueueState.STOPPING
    programme.good(q.QueueStop(cancel=True))
    assert programme.queue.state is QueueState.RUNNING
    programme.fire()
    programme.good(q.QueueStop())
    programme.fire()
    assert programme.refused(q.QueueStop()).code is RefusalCode.WRONG_STATE


def test_autostart_arms_the_queue_by_itself_until_something_is_wrong() -> None:
    programme = Programme()
    programme.good(q.QueueAutostart(enable=True))
    programme.add()
    assert programme.queue.state is QueueState.RUNNING
    programme.fire()
    programme.add()
    assert programme.queue.state is QueueState.RUNNING
    programme.go("ONE", ok=False)
    for path in ("TWO", "FIRE", "SAVE"):
        programme.go(path)
    assert not programme.queue.modes.autostart
    programme.add()
    assert programme.queue.state is QueueState.IDLE


def test_a_stop_in_the_queue_stops_it() -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueAdd(plans=(PulsePlan(type="stop"),)))
    last = programme.add()
    programme.good(q.QueueStart())
    programme.fire()
    assert programme.queue.state is QueueState.IDLE
    assert [uid for uid, _ in programme.entries()] == [last]


def test_a_plan_is_executed_past_the_queue() -> None:
    programme = Programme()
    programme.add()
    plan = PulsePlan(experiment="T", phases=PHASES)
    programme.good(q.QueueExecute(plan=plan))
    assert programme.refused(q.QueueExecute(plan=plan)).code is RefusalCode.WRONG_STATE
    programme.go("ONE", ok=False)
    for path in ("TWO", "FIRE", "SAVE"):
        programme.go(path)
    assert programme.results() == [ExitStatus.FAILED]
    assert len(programme.entries()) == 1, "it never goes to the queue"
    assert programme.queue.state is QueueState.IDLE


def test_who_waits_is_told_the_end() -> None:
    programme = Programme()
    programme.add()
    assert programme.ask(q.QueueStart(wait=True), "start-0001") is None
    assert programme.ask(q.QueueEnd(how=PlanEnding.ABORT, wait=True), "abort-0001") is None
    programme.gone("ONE")
    programme.go("SAVE")
    (ended,) = programme.replies_to("abort-0001")
    (rested,) = programme.replies_to("start-0001")
    assert ended.outcome is Outcome.FAILED
    assert rested.outcome is Outcome.FAILED
    assert "aborted" in ended.message


def test_somebody_elses_hold_pauses_the_plan_and_resume_lets_it_go_on() -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.told(Hold())
    assert programme.queue.state is QueueState.PAUSED
    programme.told(Resume())
    assert programme.queue.state is QueueState.RUNNING
    programme.fire()
    assert programme.results() == [ExitStatus.COMPLETED]


def test_somebody_elses_abort_makes_the_plan_a_failed_one() -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.start("ONE", key=programme.key)
    programme.told(Abort())
    programme.gone("ONE")
    programme.go("FIRE")
    programme.go("SAVE")
    assert programme.results() == [ExitStatus.FAILED]


def told(programme: Programme, state: str, text: str = "") -> None:
    """Let the server answer the last order about its workers."""
    order = [one for _, one in programme.sent if isinstance(one, CommandWorkers)][-1]
    answer = {"id": order.id, "state": state, "text": text, "workers": 2}
    programme.from_server("SRV_A:1", msgspec.convert(answer, WorkersTold))


def test_the_environment_is_opened_before_a_queue_that_requires_it() -> None:
    programme = Programme(config=with_keys(configured("T"), queue={"environment": "required"}))
    programme.add()
    assert programme.refused(q.QueueStart()).code is RefusalCode.NO_ENVIRONMENT
    assert programme.ask(q.QueueEnvironment(act="open", wait=True), "open-0001") is None
    assert programme.queue.environment.state == "opening"
    assert programme.refused(q.QueueEnvironment(act="close")).code is RefusalCode.WRONG_STATE
    programme.good(q.QueueStart())
    assert programme.queue.running is None, "it waits until the environment is open"
    told(programme, "ready", "2 workers are ready")
    (opened,) = programme.replies_to("open-0001")
    assert opened.outcome is Outcome.OK
    assert programme.queue.state is QueueState.RUNNING
    programme.fire()
    programme.good(q.QueueEnvironment(act="close"))
    told(programme, "ended")
    assert programme.queue.environment.state == "closed"


def test_autostart_waits_for_the_environment_and_is_not_ended_by_its_lack() -> None:
    programme = Programme(config=with_keys(configured("T"), queue={"environment": "required"}))
    programme.good(q.QueueAutostart(enable=True))
    programme.add()
    assert programme.queue.state is QueueState.IDLE
    assert programme.queue.modes.autostart
    programme.good(q.QueueEnvironment(act="open"))
    told(programme, "ready")
    assert programme.queue.state is QueueState.RUNNING
    programme.fire()
    programme.good(q.QueueEnvironment(act="close"))
    told(programme, "ended")
    programme.add()
    assert programme.queue.running is None
    assert programme.queue.modes.autostart
    programme.good(q.QueueEnvironment(act="open"))
    told(programme, "ready")
    assert programme.queue.state is QueueState.RUNNING


def test_an_environment_that_cannot_be_opened_says_why() -> None:
    programme = Programme(config=with_keys(configured("T"), queue={"environment": "required"}))
    programme.ask(
        q.QueueEnvironment(act="open", classes=("SRV_A", "SRV_B"), wait=True), "open-0001"
    )
    told(programme, "failed", "no module named lab")
    (answer,) = programme.replies_to("open-0001")
    assert answer.outcome is Outcome.FAILED
    assert "SRV_A:1: no module named lab" in answer.message
    assert "class SRV_B has no server" in answer.message
    programme.good(q.QueueEnvironment(act="open", classes=("SRV_A",)))
    programme.judge("SRV_A:1", LivenessState.LOST)
    programme.pass_time(2)
    assert programme.queue.environment.state == "failed"
    assert programme.queue.environment.servers[0].state == "away"


def test_workers_that_nobody_opened_or_closed_can_be_reloaded() -> None:
    programme = Programme()
    programme.good(q.QueueEnvironment(act="reload"))
    assert programme.queue.environment.state == "reloading"
    told(programme, "ready")
    assert programme.queue.environment.state == "open"


def test_destroying_the_environment_ends_the_running_plan() -> None:
    programme = Programme()
    programme.add()
    programme.good(q.QueueStart())
    programme.start("ONE", key=programme.key)
    programme.good(q.QueueEnvironment(act="destroy"))
    programme.gone("ONE")
    told(programme, "ended")
    assert programme.results() == [ExitStatus.HALTED]
    assert programme.queue.environment.state == "closed"
    assert programme.entries()[0][1] is EntryState.HELD
    assert programme.refused(q.QueueEnvironment(act="reload")).code is RefusalCode.NO_ENVIRONMENT
