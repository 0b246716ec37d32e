"""The commands about pulses and runs, on the dispatcher's machine: D9 to D12, D14 and D16."""

from typing import Any, Literal

import pytest
from msgspec import structs
from tests.support.dispatching import KEY, Bench, report_of, result, view_of
from tests.support.tables import action, both

from shotline.common import commands as c
from shotline.common.actions import ActionState, Cause
from shotline.common.messages import (
    AbortAttempt,
    Behalf,
    EndedBy,
    LivenessState,
    Outcome,
    Reply,
    Request,
    Via,
)
from shotline.common.nodes import DispatchOptions
from shotline.common.records import (
    Counts,
    Redispatched,
    RunAborting,
    RunEnded,
    RunKind,
    RunOpened,
    RunOutcome,
    RunPutOnHold,
    RunResumed,
    ShotKey,
    TableBuilt,
)
from shotline.common.views import ActionsResult, CheckResult, ShotsResult
from shotline.dispatcher import effects as d
from shotline.dispatcher import journal as j
from shotline.dispatcher.shots import Shot
from shotline.dispatcher.trees import jobs as t

U = ShotKey("U", 7)
INIT = c.DoPhase(phase="INIT")
WAITING = c.DoPhase(phase="INIT", wait=True)


def chain(options: DispatchOptions | None = None) -> Bench:
    """ONE, then TWO, in INIT; AFTER when ONE has succeeded; LATER in STORE. One server."""
    bench = Bench(
        action("ONE", 1),
        action("TWO", 2),
        action("AFTER", "ONE", "SRV_B"),
        action("LATER", 1, phase="STORE"),
        phases=("INIT", "PULSE", "STORE"),
        options=options,
    )
    return bench.register("SRV_A:1").register("SRV_B:1")


def refused(reply: Reply | None) -> str:
    """Return the words of a refusal."""
    assert reply is not None
    assert reply.outcome is Outcome.REFUSED, reply
    return reply.message


# Pulses and tables: D14 and D16.


def test_a_pulse_that_exists_is_made_again_only_when_asked() -> None:
    bench = chain()
    assert bench.told(c.CreatePulse(tree="t", shot=1)).message == "T/1 was created"
    assert "--replace" in refused(bench.ask(c.CreatePulse(tree="T", shot=1)))
    assert bench.told(c.CreatePulse(tree="T", shot=1, replace=True)).outcome is Outcome.OK


def test_the_tables_of_a_pulse_that_was_made_again_are_another_s() -> None:
    bench = Bench(action("ONE", 1), action("TWO", 1)).register("SRV_A:1").build()
    bench.told(c.DoPhase(tree="T", shot=1, phase="INIT"))
    bench.start("ONE").finish("ONE", "TWO")
    number = bench.attempt("ONE").number
    bench.told(c.CreatePulse(tree="T", shot=1, replace=True))
    commands = (
        c.DoPhase(tree="T", shot=1, phase="INIT"),
        c.DispatchAction(tree="T", shot=1, path="ONE"),
    )
    for command in commands:
        assert "its tables are not built" in refused(bench.ask(command))
    anew = Shot(KEY)
    for record in bench.shot().records(0.0):
        anew.apply(record)
    assert not anew.has_tables, "nor after the journal was written anew"
    again = bench.restart().register("SRV_A:1", epoch=2).pass_time(10.0)
    for command in commands:
        assert "its tables are not built" in refused(again.ask(command))
    again.told(c.BuildTables(tree="T", shot=1))
    assert again.live("ONE").cause is None, "it has not run in this pulse"
    again.told(c.DoPhase(tree="T", shot=1, phase="INIT"))
    assert again.attempt("ONE").number == number + 1, "numbers never start again"


def test_what_may_still_run_is_not_forgotten_with_the_pulse() -> None:
    bench = Bench(action("ONE", 1)).register("SRV_A:1").build()
    bench.told(c.DoPhase(tree="T", shot=1, phase="INIT"))
    bench.start("ONE").judge("SRV_A:1", LivenessState.LOST)
    assert bench.live("ONE").outcome_unknown
    bench.told(c.CreatePulse(tree="T", shot=1, replace=True))
    bench.told(c.BuildTables(tree="T", shot=1))
    assert "ONE" in refused(bench.ask(c.DoPhase(tree="T", shot=1, phase="INIT")))


def test_no_pulse_of_an_unknown_experiment_or_number() -> None:
    bench = chain()
    assert "known: T, U" in refused(bench.ask(c.CreatePulse(tree="X", shot=1)))
    for shot in (-1, 0):
        assert "begin with 1" in refused(bench.ask(c.CreatePulse(tree="T", shot=shot)))
        assert "model" in refused(bench.ask(c.BuildTables(tree="T", shot=shot)))
    assert bench.journalled() == []


def test_a_pulse_that_cannot_be_made_says_why() -> None:
    bench = chain()
    bench.answers_jobs = False
    assert bench.ask(c.CreatePulse(tree="T", shot=1), "create-pulse") is None
    bench.answer_jobs("the disk is full")
    (reply,) = bench.replies_to("create-pulse")
    assert reply.outcome is Outcome.REFUSED
    assert "the disk is full" in reply.message
    assert bench.machine.core.current is None


def test_a_pulse_is_not_made_again_under_a_run() -> None:
    bench = chain().build()
    bench.told(INIT)
    assert "run 1 is open" in refused(bench.ask(c.CreatePulse(tree="T", shot=1, replace=True)))


def test_the_attempts_of_a_replaced_pulse_go_on_counting() -> None:
    bench = chain().build()
    bench.told(INIT)
    while running := [live.path for live in bench.shot().in_progress()]:
        bench.finish(*running)
    bench.put_aside()
    bench.told(c.CreatePulse(tree="T", shot=1, replace=True))
    assert bench.shot().attempts["ONE"] == 1


def test_the_current_pulse_is_meant_where_none_is_named() -> None:
    bench = chain()
    assert "no current pulse" in refused(bench.ask(c.BuildTables()))
    assert "no shot is known" in refused(bench.ask(INIT))
    bench.told(c.CreatePulse(tree="T", shot=4))
    built = view_of(bench.told(c.BuildTables()))
    assert isinstance(built, ActionsResult)
    assert built.shots[0].shot == 4
    bench.told(c.CreatePulse(tree="T", shot=5))
    assert "T/5: its tables are not built" in refused(bench.ask(INIT))
    bench.told(c.BuildTables())
    assert report_of(bench.told(INIT)).run.shot == 5


def test_with_two_experiments_open_one_must_be_named() -> None:
    bench = chain().build().build(U)
    for command in (INIT, c.BuildTables(), c.Actions(), c.Check()):
        words = refused(bench.ask(command))
        assert "several experiments are open" in words
        assert "U" in words
    assert report_of(bench.told(c.DoPhase(phase="INIT", tree="u", shot=7))).run.tree == "U"


def test_a_shot_without_its_tree_is_no_shot_s_name() -> None:
    bench = chain().build()
    assert "name tree and shot" in refused(bench.ask(c.DoPhase(phase="INIT", shot=99)))
    assert bench.dispatched() == []


def test_tables_are_not_built_under_a_run_nor_twice_at_a_time() -> None:
    bench = chain().build()
    bench.answers_jobs = False
    bench.ask(c.BuildTables(), "build-0001")
    assert "being built already" in refused(bench.ask(c.BuildTables()))
    assert "being built" in refused(bench.ask(INIT))
    assert "being built" in refused(bench.ask(c.DispatchAction(path="ONE")))
    assert [type(job) for job in bench.jobs] == [t.ReadTableJob]
    bench.answer_jobs()
    assert bench.replies_to("build-0001")[0].outcome is Outcome.OK
    bench.told(INIT)
    assert "tables are built between runs" in refused(bench.ask(c.BuildTables()))
    assert len(bench.records(TableBuilt)) == 2


def test_tables_that_cannot_be_read_change_nothing() -> None:
    bench = chain().build()
    bench.answers_jobs = False
    bench.ask(c.BuildTables(), "build-0001")
    bench.answer_jobs("no such node")
    assert bench.replies_to("build-0001")[0].outcome is Outcome.REFUSED
    assert bench.told(INIT).outcome is Outcome.OK  # the lock is not left behind


def test_tables_built_again_keep_states_unless_reset() -> None:
    bench = chain().build()
    bench.told(INIT)
    bench.finish("ONE", "TWO", "AFTER")
    bench.nodes = (*bench.nodes, action("NEW", 3))
    bench.told(c.BuildTables())
    assert bench.states()["ONE"] == "Success"
    assert bench.states()["NEW"] == "NOT_DISPATCHED"
    bench.told(c.BuildTables(reset=True))
    assert bench.states()["ONE"] == "NOT_DISPATCHED"
    bench.told(INIT)
    assert bench.attempt("ONE").number == 2, "numbers never start again"


# Runs: D2, D5, D11, D12 and D16.


def test_a_phase_runs_to_its_end_and_says_so_once() -> None:
    bench = chain().build()
    first = bench.told(WAITING, "do-phase-1")
    assert first.outcome is Outcome.ACCEPTED
    assert report_of(first).run.state == "open"
    bench.finish("ONE", "AFTER")
    assert len(bench.replies_to("do-phase-1")) == 1
    bench.finish("TWO")
    final = bench.replies_to("do-phase-1")[-1]
    assert final.outcome is Outcome.OK
    assert report_of(final).run.counts.success == 3
    assert [record.outcome for record in bench.records(RunEnded)] == [RunOutcome.COMPLETED]
    assert bench.states()["LATER"] == "NOT_DISPATCHED"


def test_a_failed_action_is_the_phase_s_failure() -> None:
    bench = chain().build()
    bench.told(WAITING, "do-phase-1")
    bench.finish("ONE", ok=False).finish("TWO")
    final = bench.replies_to("do-phase-1")[-1]
    assert final.outcome is Outcome.FAILED
    assert "1 failed: ONE" in final.message
    assert bench.states()["AFTER"] == "condition_false"


def test_an_unknown_phase_is_refused_with_the_known_ones() -> None:
    bench = chain().build()
    words = refused(bench.ask(c.DoPhase(phase="init")))
    assert "only by case from INIT" in words
    assert "STORE" in refused(bench.ask(c.DoPhase(phase="NOSUCH")))
    assert bench.records(RunOpened) == []


def test_a_known_phase_without_actions_is_an_empty_run() -> None:
    bench = chain().build()
    reply = bench.told(c.DoPhase(phase="PULSE", wait=True))
    assert reply.outcome is Outcome.OK
    assert "phase PULSE has no actions" in reply.notices
    assert [record.counts for record in bench.records(RunEnded)] == [Counts()]


def test_one_run_at_a_time_per_shot() -> None:
    bench = chain().build().build(U)
    bench.told(c.DoPhase(phase="INIT", tree="T", shot=1))
    words = refused(bench.ask(c.DoPhase(phase="STORE", tree="T", shot=1)))
    assert "run 1 (INIT) is open" in words
    assert bench.told(c.DoPhase(phase="INIT", tree="U", shot=7)).outcome is Outcome.OK


def test_tables_must_be_built_before_anything_is_run() -> None:
    bench = chain()
    bench.told(c.CreatePulse(tree="T", shot=1))
    for command in (
        INIT,
        c.DoSequence(phase="INIT", first=1, last=2),
        c.DispatchAction(path="ONE"),
        c.Actions(),
        c.Abort(tree="T", shot=1, path="ONE"),
    ):
        assert "build-tables T 1" in refused(bench.ask(command))


def test_a_phase_done_again_starts_from_nothing() -> None:
    bench = chain().build()
    bench.told(INIT)
    bench.finish("ONE", "TWO", "AFTER")
    bench.told(INIT)
    assert bench.states()["AFTER"] == "NOT_DISPATCHED"
    bench.finish("ONE", "TWO", "AFTER")
    assert [dispatch.attempt.number for dispatch in bench.dispatches("AFTER")] == [1, 2]
    assert [record.run for record in bench.records(RunEnded)] == [1, 2]


def test_a_phase_with_an_unknown_outcome_is_not_done_again_by_itself() -> None:
    bench = chain().build()
    bench.told(INIT)
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.pass_time(6.0)  # the grace time: TWO has no server
    assert bench.live("ONE").outcome_unknown
    assert "ONE" in refused(bench.ask(INIT))
    assert "--even-if-running" in refused(bench.ask(c.DoSequence(phase="INIT", first=1, last=1)))
    assert bench.told(c.DoSequence(phase="INIT", first=2, last=2)).outcome is Outcome.OK
    bench.pass_time(6.0)
    bench.register("SRV_A:1", incarnation="two")
    assert bench.told(c.DoPhase(phase="INIT", even_if_running=True)).outcome is Outcome.OK
    assert bench.dispatched()[-1] == "ONE"


def ranges() -> Bench:
    return Bench(
        action("A10", 10),
        action("A20", 20),
        action("B20", 20, "SRV_B"),
        action("A30", 30),
        action("ON_20", "A20", "SRV_B"),
        action("ON_ON", "ON_20", "SRV_B"),
        action("ON_BOTH", both("A10", "B20"), "SRV_B"),
        action("ON_10", "A10", "SRV_B"),
        action("ELSEWHERE", "A20", "SRV_B", phase="STORE"),
    ).register("SRV_A:1", slots=9)


@pytest.mark.parametrize(
    ("first", "last", "members"),
    [
        (20, 20, {"A20", "B20", "ON_20", "ON_ON", "ON_BOTH"}),
        (10, 10, {"A10", "ON_10", "ON_BOTH"}),
        (11, 29, {"A20", "B20", "ON_20", "ON_ON", "ON_BOTH"}),
        (30, 99, {"A30"}),
        (-5, 9, set()),
    ],
)
def test_a_range_has_its_numbers_and_what_depends_on_them(
    first: int, last: int, members: set[str]
) -> None:
    bench = ranges().build()
    report = report_of(bench.told(c.DoSequence(phase="INIT", first=first, last=last)))
    assert {view.name for view in report.actions} == members
    assert (report.run.kind, report.run.first, report.run.last) == (RunKind.SEQUENCE, first, last)


def test_a_range_resets_its_own_actions_only() -> None:
    bench = ranges().register("SRV_B:1", slots=9).build()
    bench.told(INIT)
    for path in ("A10", "A20", "B20", "A30", "ON_20", "ON_ON", "ON_BOTH", "ON_10"):
        bench.finish(path)
    bench.told(c.DoSequence(phase="INIT", first=20, last=20))
    assert bench.states()["A10"] == bench.states()["A30"] == bench.states()["ON_10"] == "Success"
    assert bench.states()["ON_20"] == "NOT_DISPATCHED"
    bench.finish("A20", "B20", "ON_20", "ON_ON", "ON_BOTH")
    assert [record.run for record in bench.records(RunEnded)] == [1, 2]
    assert len(bench.dispatches("A10")) == 1
    assert len(bench.dispatches("ON_BOTH")) == 2  # A10's success of before counts


def test_an_empty_range_says_so() -> None:
    bench = ranges().build()
    words = refused(bench.ask(c.DoSequence(phase="INIT", first=3, last=2)))
    assert "FIRST must not exceed LAST" in words
    reply = bench.told(c.DoSequence(phase="INIT", first=1, last=2, wait=True))
    assert reply.outcome is Outcome.OK
    assert reply.notices == ("phase INIT has no actions within 1 to 2",)


# Abort: rule D9.


def test_an_abort_without_a_run_changes_nothing() -> None:
    bench = chain().build()
    before = len(bench.journalled())
    reply = bench.told(c.Abort())
    assert reply.outcome is Outcome.OK
    assert "nothing was changed" in reply.message
    assert "no run is open" in refused(bench.ask(c.Abort(tree="T", shot=1)))
    assert "no run is open" in refused(bench.ask(c.AbortPending()))
    assert len(bench.journalled()) == before
    bench.told(INIT)
    assert bench.dispatched() == ["ONE"], "it kills no later phase"


def test_an_aborted_run_ends_when_its_processes_are_gone() -> None:
    bench = chain().build()
    bench.told(WAITING, "do-phase-1")
    bench.start("ONE")
    assert "T/1 run 1" in bench.told(c.Abort()).message
    assert bench.states()["TWO"] == bench.states()["AFTER"] == "aborted_before_sent"
    assert bench.live("ONE").state is ActionState.DOING
    assert bench.live("ONE").aborting
    assert [m for _, m in bench.sent if isinstance(m, AbortAttempt)]
    assert bench.records(RunEnded) == []
    bench.from_server("SRV_A:1", result(bench.attempt("ONE"), ended_by=EndedBy.ABORT))
    assert bench.live("ONE").state is ActionState.ABORTED
    assert bench.live("ONE").cause is Cause.OPERATOR
    final = bench.replies_to("do-phase-1")[-1]
    assert final.outcome is Outcome.FAILED
    assert "aborted by an operator" in final.message
    assert len(bench.records(RunAborting)) == 1


def test_a_result_that_comes_before_the_abort_wins() -> None:
    bench = chain().build()
    bench.told(INIT)
    bench.told(c.Abort(tree="T", shot=1, path="ONE"))
    bench.finish("ONE")
    assert bench.states()["ONE"] == "Success"
    assert sorted(bench.dispatched()) == ["AFTER", "ONE", "TWO"]
    words = refused(bench.ask(c.Abort(tree="T", shot=1, path="ONE")))
    assert "has ended already" in words
    assert "Success" in words


def test_an_action_that_was_not_sent_is_removed() -> None:
    bench = chain().build()
    bench.told(INIT)
    assert "before it was sent" in bench.told(c.Abort(tree="T", shot=1, path="TWO")).message
    assert "not part of an open run" in refused(bench.ask(c.Abort(tree="T", shot=1, path="LATER")))
    assert "do you mean" in refused(bench.ask(c.Abort(tree="T", shot=1, path="TWOO")))
    bench.finish("ONE", "AFTER")
    assert bench.states() == {
        "ONE": "Success",
        "TWO": "aborted_before_sent",
        "AFTER": "Success",
        "LATER": "NOT_DISPATCHED",
    }
    assert len(bench.records(RunEnded)) == 1


def test_an_abort_of_what_is_pending_lets_the_rest_go_on() -> None:
    bench = chain().build()
    bench.told(WAITING, "do-phase-1")
    assert "2 actions removed" in bench.told(c.AbortPending()).message
    assert bench.states()["ONE"] == "DISPATCHED"
    bench.finish("ONE")
    assert bench.records(RunEnded)[0].outcome is RunOutcome.COMPLETED
    assert bench.dispatched() == ["ONE"]


def two_runs() -> Bench:
    bench = chain().build().build(U)
    bench.told(c.DoPhase(phase="INIT", tree="T", shot=1))
    bench.told(c.DoPhase(phase="INIT", tree="U", shot=7))
    return bench


def test_where_several_runs_are_open_one_must_be_named() -> None:
    bench = two_runs()
    for command in (c.Hold(), c.Resume(), c.AbortPending(), c.Wait()):
        words = refused(bench.ask(command))
        assert "T/1" in words
        assert "U/7" in words


def test_an_abort_of_all_runs_aborts_all() -> None:
    bench = two_runs()
    words = bench.told(c.Abort(all=True)).message
    assert "T/1" in words
    assert "U/7" in words
    assert "STILL OPEN" not in words
    assert bench.states(U)["TWO"] == "aborted_before_sent"
    assert bench.states()["TWO"] == "aborted_before_sent"
    words = bench.told(c.Abort(all=True)).message
    assert "T/1" in words, "what is being aborted is asked for again"


@pytest.mark.parametrize("also", [{"tree": "T", "shot": 1}, {"path": "ONE"}])
def test_an_abort_of_all_runs_is_of_nothing_else(also: dict[str, Any]) -> None:
    bench = two_runs()
    assert "goes with no shot and no path" in refused(bench.ask(c.Abort(all=True, **also)))
    assert bench.records(RunAborting) == []


def test_an_abort_alone_is_of_the_current_pulse_and_says_what_is_still_open() -> None:
    bench = two_runs()
    bench.told(c.Hold(tree="U", shot=7))
    bench.machine.core.current = KEY
    words = bench.told(c.Abort()).message
    assert words.startswith("aborting T/1 run 1")
    assert "STILL OPEN: U/7 run 1 (INIT): HELD, 0 actions running (`shotline abort U/7`)" in words
    assert "`shotline abort --all` aborts all" in words
    assert bench.states()["TWO"] == "aborted_before_sent"
    assert bench.states(U)["TWO"] == "NOT_DISPATCHED"


def test_an_abort_of_a_shot_without_a_run_says_which_are_open() -> None:
    bench = two_runs()
    bench.told(c.Abort(tree="U", shot=7))
    words = refused(bench.ask(c.Abort(tree="T", shot=99)))
    assert words == "no run is open in T/99; open: T/1 run 1"


def test_an_abort_of_one_shot_says_what_is_still_open() -> None:
    bench = two_runs()
    words = bench.told(c.Abort(tree="U", shot=7)).message
    assert "STILL OPEN: T/1 run 1 (INIT): 1 actions running" in words
    assert "STILL OPEN" not in bench.told(c.Abort(tree="T", shot=1)).message


@pytest.mark.parametrize("current", [None, ShotKey("T", 2)])
def test_an_abort_alone_without_a_run_of_the_current_pulse_aborts_nothing_and_says_so(
    current: ShotKey | None,
) -> None:
    bench = two_runs()
    bench.machine.core.current = current
    words = refused(bench.ask(c.Abort()))
    assert words.startswith("NOTHING was aborted")
    assert "T/1 run 1 (INIT): 1 actions running (`shotline abort T/1`)" in words
    assert "U/7" in words
    assert bench.records(RunAborting) == []


def as_of(behalf: Behalf, request: Request) -> Request:
    return structs.replace(request, behalf=behalf)


def test_who_asked_is_named_in_the_records() -> None:
    bench = chain().build()
    anna = Behalf(name="anna", via=Via.LOGIN)
    for command in (INIT, c.Hold(), c.Resume()):
        bench.handle(d.FromBroker(b"client/1", (as_of(anna, bench.request(command)),)))
    bob = Behalf(name="bob", via=Via.PROXY)
    bench.handle(d.FromBroker(b"client/1", (as_of(bob, bench.request(c.Abort())),)))
    assert [record.reason for record in bench.records(RunPutOnHold)] == ["held by anna"]
    assert [record.who for record in bench.records(RunOpened)] == ["anna"]
    assert [record.who for record in bench.records(RunResumed)] == ["anna"]
    assert [record.reason for record in bench.records(RunAborting)] == ["aborted by bob"]
    shots = view_of(bench.told(c.Shots()))
    assert isinstance(shots, ShotsResult)
    assert shots.shots[0].runs[0].who == "anna"
    (begun,) = [one for one in bench.said if "run 1 (INIT) has begun" in one.text]
    assert begun.text.startswith("audit: anna (login)")
    assert begun.about == ShotKey("T", 1)


def test_an_attempt_that_comes_back_after_its_abort_was_never_started() -> None:
    bench = chain().build()
    bench.told(INIT)
    bench.told(c.Abort())
    bench.give_back("ONE")
    assert bench.states()["ONE"] == "aborted_before_sent"
    assert bench.records(RunEnded)[0].outcome is RunOutcome.ABORTED


# Redispatch: rule D10.


def test_a_redispatch_is_a_run_of_its_own_with_its_dependents() -> None:
    bench = chain().build()
    bench.told(INIT)
    bench.finish("ONE", ok=False).finish("TWO")
    assert bench.states()["AFTER"] == "condition_false"
    reply = bench.told(c.DispatchAction(path="one", wait=True), "dispatch-1")
    assert report_of(reply).run.kind is RunKind.SINGLE
    bench.finish("ONE", "AFTER")
    final = bench.replies_to("dispatch-1")[-1]
    assert final.outcome is Outcome.OK
    assert {view.name for view in report_of(final).actions} == {"ONE", "AFTER"}
    assert bench.attempt("ONE").number == 2
    assert len(bench.dispatches("TWO")) == 1


def test_a_redispatch_within_a_run_belongs_to_it() -> None:
    bench = chain().build()
    bench.told(WAITING, "do-phase-1")
    bench.finish("ONE", ok=False)
    bench.told(c.DispatchAction(path="ONE"))
    assert len(bench.records(Redispatched)) == 1
    bench.finish("TWO")
    assert len(bench.replies_to("do-phase-1")) == 1
    bench.finish("ONE", "AFTER")
    assert bench.replies_to("do-phase-1")[-1].outcome is Outcome.OK
    assert [record.run for record in bench.records(RunEnded)] == [1]


def test_a_redispatch_is_refused_while_the_action_is_under_way() -> None:
    bench = chain().build()
    bench.told(INIT)
    assert "DISPATCHED on SRV_A:1" in refused(bench.ask(c.DispatchAction(path="ONE")))
    bench.start("ONE")
    assert "DOING on SRV_A:1" in refused(bench.ask(c.DispatchAction(path="ONE")))
    bench.judge("SRV_B:1", LivenessState.LOST)
    bench.finish("ONE")
    assert "ready already" in refused(bench.ask(c.DispatchAction(path="AFTER")))
    bench.told(c.Abort())
    assert "is being aborted" in refused(bench.ask(c.DispatchAction(path="ONE")))


def test_a_redispatch_looks_at_the_node_again() -> None:
    bench = chain().build()
    bench.nodes = (action("ONE", 1, on=False), *bench.nodes[1:])
    assert "--even-if-off" in refused(bench.ask(c.DispatchAction(path="ONE")))
    assert bench.told(c.DispatchAction(path="ONE", even_if_off=True)).outcome is Outcome.OK
    assert bench.dispatched() == ["ONE"]
    bench.finish("ONE")
    bench.nodes = (action("ONE", -1), *bench.nodes[1:])
    assert "never dispatched" in refused(bench.ask(c.DispatchAction(path="ONE")))
    bench.answers_jobs = False
    bench.ask(c.DispatchAction(path="TWO"), "dispatch-1")
    bench.answer_jobs("no such tree")
    assert bench.replies_to("dispatch-1")[0].outcome is Outcome.REFUSED


def test_two_redispatches_at_a_time_make_one_attempt() -> None:
    bench = chain().build()
    bench.answers_jobs = False
    bench.ask(c.DispatchAction(path="ONE"), "dispatch-1")
    bench.ask(c.DispatchAction(path="ONE"), "dispatch-2")
    bench.answer_jobs()
    assert bench.replies_to("dispatch-1")[0].outcome is Outcome.OK
    assert bench.replies_to("dispatch-2")[0].outcome is Outcome.REFUSED
    assert len(bench.dispatches("ONE")) == 1


def test_what_may_still_run_is_dispatched_again_only_when_somebody_insists() -> None:
    bench = chain().build()
    bench.told(INIT)
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.register("SRV_A:2")
    assert "--even-if-running" in refused(bench.ask(c.DispatchAction(path="ONE")))
    bench.finish("TWO")
    reply = bench.told(c.DispatchAction(path="ONE", even_if_running=True))
    assert reply.outcome is Outcome.OK
    assert bench.server_of("ONE") == "SRV_A:2"


def test_no_tables_are_read_between_the_redispatch_s_look_and_its_run() -> None:
    bench = chain().build()
    bench.answers_jobs = False
    bench.ask(c.DispatchAction(path="ONE"), "dispatch-1")
    bench.ask(c.BuildTables(), "build-0001")
    bench.answer_jobs()
    assert "being built" in refused(bench.replies_to("dispatch-1")[0])
    assert bench.replies_to("build-0001")[0].outcome is Outcome.OK


# Hold, resume, wait


def test_a_held_run_starts_nothing_until_it_is_resumed() -> None:
    bench = chain().build()
    bench.told(WAITING, "do-phase-1")
    assert "HELD" in bench.told(c.Hold()).message
    told = bench.replies_to("do-phase-1")[-1]
    assert told.outcome is Outcome.FAILED
    assert "held by an operator" in told.message
    assert "HELD already" in refused(bench.ask(c.Hold()))
    bench.finish("ONE")
    bench.pass_time(30.0)
    assert bench.dispatched() == ["ONE"]
    assert bench.records(RunEnded) == []
    assert "HELD" in refused(bench.ask(INIT))
    reply = bench.told(c.Wait())
    assert "HELD" in reply.message
    assert bench.told(c.Resume()).message == "T/1 run 1 goes on"
    assert "is not HELD" in refused(bench.ask(c.Resume()))
    assert sorted(bench.dispatched()) == ["AFTER", "ONE", "TWO"]
    bench.finish("TWO", "AFTER")
    assert len(bench.records(RunEnded)) == 1
    assert len(bench.records(RunPutOnHold)) == 1


def test_what_was_ready_is_held_and_an_abort_ends_it() -> None:
    bench = chain().build()
    bench.judge("SRV_A:1", LivenessState.SUSPECT)
    bench.told(INIT)
    bench.told(c.Hold())
    bench.judge("SRV_A:1", LivenessState.ALIVE)
    assert bench.dispatched() == []
    assert "resume" in bench.view("ONE").waits_for
    bench.told(c.Abort())
    assert bench.states()["ONE"] == bench.states()["TWO"] == "aborted_before_sent"
    assert bench.states()["AFTER"] == "condition_false"
    assert bench.records(RunEnded)[0].outcome is RunOutcome.ABORTED


def test_a_run_that_is_being_aborted_is_not_held() -> None:
    bench = chain().build()
    bench.told(INIT)
    bench.told(c.Abort())
    assert "is being aborted" in refused(bench.ask(c.Hold()))


def test_anybody_may_wait_for_a_run_s_end() -> None:
    bench = chain().build()
    assert "no run is open" in refused(bench.ask(c.Wait()))
    bench.told(INIT)
    assert bench.told(c.Wait(), "wait-0001").outcome is Outcome.ACCEPTED
    assert bench.told(c.Wait(run=1), "wait-0002").outcome is Outcome.ACCEPTED
    assert "no run 2" in refused(bench.ask(c.Wait(run=2)))
    bench.finish("ONE", "AFTER", "TWO")
    for asked in ("wait-0001", "wait-0002"):
        assert bench.replies_to(asked)[-1].outcome is Outcome.OK
    assert bench.told(c.Wait(run=1)).outcome is Outcome.OK, "it is over already"


# Essential actions (D3) and what is pending


def essential(options: DispatchOptions | None = None) -> Bench:
    nodes = (structs.replace(action("ONE", 1), essential=True), action("TWO", 2))
    return Bench(*nodes, action("BESIDE", 1, "SRV_B"), options=options).register("SRV_A:1")


def test_an_essential_failure_is_remembered_until_it_was_seen() -> None:
    bench = essential().build()
    assert bench.told(c.Check()).outcome is Outcome.OK
    bench.told(INIT)
    bench.finish("ONE", ok=False)
    reply = bench.told(c.Check())
    assert reply.outcome is Outcome.FAILED
    seen = view_of(reply)
    assert isinstance(seen, CheckResult)
    assert [view.name for view in seen.failures] == ["ONE"]
    bench.finish("TWO").pass_time(6.0)
    bench.told(INIT)
    bench.finish("ONE")
    assert bench.told(c.Check()).outcome is Outcome.FAILED, "a later success hides nothing"
    again = bench.restart(recover=True)
    assert again.told(c.Check(reset=True)).outcome is Outcome.FAILED
    assert again.told(c.Check()).outcome is Outcome.OK
    assert again.restart(recover=True).told(c.Check()).outcome is Outcome.OK


def test_no_server_and_no_readable_node_are_essential_failures_too() -> None:
    unreadable = action("BAD", 1, unreadable="its task cannot be read")
    nodes = [structs.replace(node, essential=True) for node in (action("ONE"), unreadable)]
    bench = Bench(*nodes).build()
    assert bench.told(c.Check()).outcome is Outcome.OK
    bench.told(INIT)
    bench.pass_time(6.0)
    reply = bench.told(c.Check())
    assert "ONE" in reply.message
    assert "BAD" in reply.message


def test_an_essential_failure_may_abort_the_run() -> None:
    bench = essential(DispatchOptions(essential_failure="abort_run")).register("SRV_B:1").build()
    bench.told(WAITING, "do-phase-1")
    bench.finish("ONE", ok=False)
    assert bench.states()["TWO"] == "aborted_before_sent"
    assert bench.live("BESIDE").aborting
    bench.from_server("SRV_B:1", result(bench.attempt("BESIDE"), ended_by=EndedBy.ABORT))
    final = bench.replies_to("do-phase-1")[-1]
    assert final.outcome is Outcome.FAILED
    assert "essential action ONE has failed" in final.message


@pytest.mark.parametrize("unreadable", ["fail", "warn"])
def test_an_essential_action_that_cannot_be_read_may_abort_the_run(
    unreadable: Literal["fail", "warn"],
) -> None:
    bad = action("BAD", 1, unreadable="its task cannot be read")
    bench = Bench(
        structs.replace(bad, essential=True),
        action("ONE", 1),
        action("LATER", 1, phase="PULSE"),
        options=DispatchOptions(essential_failure="abort_run", unreadable=unreadable),
    ).register("SRV_A:1")
    bench.build()
    bench.told(WAITING, "do-phase-1")
    if unreadable == "warn":
        assert bench.dispatched() == ["ONE"], "what is only warned of has not failed"
        return
    assert bench.dispatched() == []
    assert bench.states()["ONE"] == "aborted_before_sent"
    final = bench.replies_to("do-phase-1")[-1]
    assert final.outcome is Outcome.FAILED
    assert "essential action BAD cannot be read: its task cannot be read" in final.message
    assert [ended.outcome for ended in bench.records(RunEnded)] == [RunOutcome.ABORTED]
    bench.told(c.DoPhase(phase="PULSE"))
    assert bench.dispatched() == ["LATER"], "it belongs to the other phase"


def test_every_unsettled_action_shows_what_it_waits_for() -> None:
    bench = Bench(
        action("ONE", 1), action("TWO", 2), action("AFTER", "TWO"), action("NO", 1, "SRV_C")
    )
    bench.register("SRV_A:1").build()
    bench.told(INIT)
    shown = view_of(bench.told(c.PrintPending()))
    assert isinstance(shown, ActionsResult)
    waits = {view.name: view.waits_for for view in shown.actions}
    assert waits["ONE"] == "SRV_A:1 to start it"
    assert "ONE" in waits["TWO"]
    assert "TWO" in waits["AFTER"]
    assert "SERVER_OFF in 5 s" in waits["NO"]
    bench.start("ONE")
    bench.told(c.Abort(tree="T", shot=1, path="ONE"))
    shown = view_of(bench.told(c.Actions(phase="INIT")))
    assert isinstance(shown, ActionsResult)
    assert "to be gone" in shown.actions[0].waits_for


def test_a_wrong_tree_job_is_nobody_s() -> None:
    bench = chain().build()
    before = len(bench.left)
    bench.handle(t.TreeDone(job=999), j.ShotRead(998), j.OutputRead(997))
    assert len(bench.left) == before
