"""Restarts, losses and proofs on the dispatcher's machine: I1, I5, I9, D6 and DESIGN §5."""

import pytest
from msgspec import structs
from tests.support.dispatching import KEY, Bench, result, view_of
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.actions import ActionState, Cause
from shotline.common.messages import (
    AbortAttempt,
    Answered,
    ClaimRefused,
    Held,
    HeldAs,
    LivenessState,
    Outcome,
    Pong,
    RegisterAnew,
    SupersededNotice,
    Verdict,
)
from shotline.common.ranges import TERM_MAX
from shotline.common.records import (
    CommandDone,
    LateResult,
    Mark,
    PulseCreated,
    RunEnded,
    RunOpened,
    RunPutOnHold,
    ShotKey,
    Transition,
)
from shotline.common.views import ActionsResult, ServersResult
from shotline.dispatcher import effects as d
from shotline.dispatcher import journal as j
from shotline.dispatcher.proofs import NOT_RUNNING
from shotline.dispatcher.shots import Shot

INIT = c.DoPhase(phase="INIT")
WAITING = c.DoPhase(phase="INIT", wait=True)
ID = "do-phase-1"


def running(*, started: bool = True) -> Bench:
    """ONE is DOING (or DISPATCHED) on SRV_A:1, TWO waits for its turn; somebody waits."""
    bench = Bench(action("ONE", 1), action("TWO", 2)).register("SRV_A:1").build()
    bench.told(WAITING, ID)
    return bench.start("ONE") if started else bench


def held(bench: Bench, path: str, held_as: HeldAs = HeldAs.RUNNING) -> Held:
    return Held(attempt=bench.attempt(path), held_as=held_as)


# Whether a run goes on by itself after a restart.


@pytest.mark.parametrize(
    ("away_s", "incarnation", "goes_on"),
    [
        (5.0, "one", True),
        (59.0, "one", True),
        (61.0, "one", False),  # too long ago
        (12 * 3600.0, "one", False),  # over night
        (-30.0, "one", False),  # the wall clock was set back
        (5.0, "two", False),  # no server from before
        (5.0, "", False),  # no server at all
    ],
)
def test_a_run_goes_on_only_soon_after_and_with_a_server_from_before(
    away_s: float, incarnation: str, *, goes_on: bool
) -> None:
    bench = running()
    one = held(bench, "ONE")
    bench = bench.restart(away_s)
    if incarnation:
        holding = [one] if incarnation == "one" else []
        bench.register("SRV_A:1", incarnation=incarnation, epoch=2, holding=holding)
    assert bench.dispatched() == [], "nothing starts while reports are collected"
    bench.recover()
    assert bool(bench.records(RunPutOnHold)) is not goes_on
    if incarnation == "one":
        bench.finish("ONE")
    assert bench.dispatched() == (["TWO"] if goes_on else [])
    if not goes_on:
        told = bench.told(WAITING, ID)
        assert told.outcome is Outcome.FAILED
        assert "HELD" in told.message
        bench.register("SRV_A:1", incarnation="three", ended=["one", "two"])
        bench.told(c.Resume())
        assert bench.dispatched() == ["TWO"]
    bench.finish("TWO")
    assert len(bench.records(RunEnded)) == 1


def test_a_mark_of_life_keeps_a_long_quiet_run_young() -> None:
    bench = running()
    bench.pass_time(300.0)
    assert 20 <= len(bench.records(Mark)) <= 31
    one = held(bench, "ONE")
    bench = bench.restart(30.0).register("SRV_A:1", epoch=2, holding=[one]).recover()
    assert bench.records(RunPutOnHold) == []


def test_marks_have_their_time_where_no_run_goes_on_by_itself() -> None:
    bench = running()
    bench.configure(dispatcher={"resume_within_s": 0})
    bench.pass_time(10.0)
    assert 1 <= len(bench.records(Mark)) <= 10


def test_a_held_run_makes_no_marks_and_stays_held() -> None:
    bench = running()
    bench.told(c.Hold())
    bench.pass_time(300.0)
    assert bench.records(Mark) == []
    one = held(bench, "ONE")
    bench = bench.restart(1.0).register("SRV_A:1", epoch=2, holding=[one]).recover()
    bench.finish("ONE")
    assert bench.dispatched() == []
    assert len(bench.records(RunPutOnHold)) == 1


def test_an_aborted_run_goes_on_being_aborted() -> None:
    bench = running()
    bench.told(c.Abort())
    one = held(bench, "ONE")
    bench = bench.restart(1.0).register("SRV_A:1", epoch=2, holding=[one]).recover()
    assert [name for name, said in bench.sent if isinstance(said, AbortAttempt)]
    bench.finish("ONE")  # it came to its end first
    assert bench.states() == {"ONE": "Success", "TWO": "aborted_before_sent"}
    assert bench.records(RunEnded)[0].outcome == "aborted"


# Proof that an attempt never started, and its absence (I1).


def test_a_sent_attempt_that_its_server_does_not_hold_is_sent_again() -> None:
    bench = running(started=False)
    bench = bench.restart().register("SRV_A:1", epoch=2).recover()
    (again,) = bench.dispatches("ONE")
    assert again.attempt.number == 2
    assert again.epoch == 2
    bench.finish("ONE", "TWO")
    assert bench.records(RunEnded)[0].counts.success == 2


def test_what_its_server_has_told_the_end_of_is_not_sent_again_where_the_journal_lost_that() -> (
    None
):
    bench = running(started=False)
    answered = [held(bench, "ONE", HeldAs.FINISHED).attempt]
    bench = bench.restart().register("SRV_A:1", epoch=2, answered=answered).recover()
    live = bench.live("ONE")
    assert (live.state, live.cause) == (ActionState.ABORTED, Cause.FORGOTTEN)
    assert live.outcome_unknown
    assert bench.dispatches("ONE") == []


def test_a_started_attempt_that_its_server_has_forgotten_may_have_run() -> None:
    bench = running()
    bench = bench.restart().register("SRV_A:1", epoch=2).recover()
    live = bench.live("ONE")
    assert (live.state, live.cause) == (ActionState.ABORTED, Cause.FORGOTTEN)
    assert live.outcome_unknown
    assert "SRV_A:1 has it no more" in live.reason
    assert "lost" not in live.reason, "it is there"
    assert bench.dispatches("ONE") == []


@pytest.mark.parametrize("ended", [(), ("one",), ("two",)])
def test_a_new_incarnation_says_whether_the_old_one_s_processes_are_gone(
    ended: tuple[str, ...],
) -> None:
    for bench in (running(), running().restart()):
        bench.register("SRV_A:1", incarnation="two", ended=ended).recover()
        live = bench.live("ONE")
        assert live.state is ActionState.ABORTED
        assert live.outcome_unknown is (ended != ("one",))
        assert ("it may have run" in live.reason) is live.outcome_unknown
        assert (NOT_RUNNING in live.reason) is not live.outcome_unknown


@pytest.mark.parametrize("restarted", [False, True])
def test_a_later_life_s_proof_is_taken_for_what_was_lost_before(*, restarted: bool) -> None:
    bench = running()
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.register("SRV_A:1", incarnation="two")
    lost = bench.live("ONE")
    assert lost.outcome_unknown, "silence is no proof"
    if restarted:
        bench = bench.restart(recover=True)
    bench.register("SRV_A:2", incarnation="three", ended=["one"])
    assert bench.live("ONE").outcome_unknown, "another server's word is none"
    bench.register("SRV_A:1", incarnation="three", ended=["one", "two"])
    live = bench.live("ONE")
    assert (live.state, live.cause) == (lost.state, lost.cause)
    assert not live.outcome_unknown
    assert live.reason == f"{lost.reason}; a later life of SRV_A:1 has seen to it: {NOT_RUNNING}"
    assert live in bench.store.shots[KEY], "it is a transition of its own"
    bench.register("SRV_A:1", incarnation="three", epoch=2, ended=["one", "two"])
    assert bench.live("ONE") == live, "once"


def test_a_proof_counts_for_a_shot_that_is_read_again_later() -> None:
    bench = running()
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.register("SRV_A:1", incarnation="two").finish("TWO")
    bench.put_aside()
    bench.register("SRV_A:1", incarnation="three", ended=["one", "two"])
    bench.told(c.Actions(tree=KEY.tree, shot=KEY.shot))
    assert not bench.live("ONE").outcome_unknown


def test_a_server_that_is_back_without_what_it_was_sent_has_never_started_it() -> None:
    bench = running(started=False)
    bench.judge("SRV_A:1", LivenessState.LOST)
    assert bench.live("ONE").outcome_unknown
    one = held(bench, "ONE", HeldAs.QUEUED)
    bench.register("SRV_A:1", epoch=2, holding=[one])
    assert bench.live("ONE").outcome_unknown, "it has it"
    bench.register("SRV_A:1", epoch=3, answered=[one.attempt])
    assert bench.live("ONE").outcome_unknown, "it had it"
    bench.register("SRV_A:1", epoch=4)
    assert bench.live("ONE").state is ActionState.ABORTED
    assert not bench.live("ONE").outcome_unknown
    assert bench.live("ONE").reason.endswith("it was never started")


def test_a_late_result_is_the_proof_that_it_has_ended() -> None:
    bench = running()
    one = bench.attempt("ONE")
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.register("SRV_A:1", epoch=2, holding=[held(bench, "ONE")])
    assert bench.live("ONE").outcome_unknown
    bench.from_server("SRV_A:1", result(one))
    live = bench.live("ONE")
    assert (live.state, live.status) == (ActionState.ABORTED, None)
    assert not live.outcome_unknown
    assert "it has ended meanwhile" in live.reason
    bench.from_server("SRV_A:1", result(one))
    assert bench.live("ONE") == live, "a repeat changes nothing"


def test_what_no_server_reports_may_have_run() -> None:
    bench = running(started=False).restart().register("SRV_B:1").recover()
    assert bench.live("ONE").outcome_unknown
    assert "did not report" in bench.live("ONE").reason


def test_an_undeliverable_dispatch_is_given_to_another() -> None:
    bench = running(started=False)
    (first,) = bench.dispatches("ONE")
    bench.register("SRV_A:2")
    bench.undeliverable("SRV_A:1", first)
    assert bench.server_of("ONE") == "SRV_A:2"
    assert bench.attempt("ONE").number == 2
    bench.undeliverable("SRV_A:1", first)  # told twice
    assert len(bench.dispatches("ONE")) == 2


def test_an_undeliverable_dispatch_of_an_old_epoch_proves_nothing_any_more() -> None:
    bench = running(started=False)
    (first,) = bench.dispatches("ONE")
    bench.register("SRV_A:1", epoch=2, holding=[held(bench, "ONE")])
    bench.undeliverable("SRV_A:1", first)
    assert len(bench.dispatches("ONE")) == 1
    assert bench.states()["ONE"] == "DOING"


def test_a_returned_attempt_is_first_in_its_queue() -> None:
    nodes = (action("ONE", 1), action("TWO", 1), action("THREE", 1))
    bench = Bench(*nodes).register("SRV_A:1").build()
    bench.told(INIT)
    bench.give_back("ONE")
    assert bench.dispatched() == ["ONE", "ONE"]
    assert bench.attempt("ONE").number == 2


def test_silence_is_no_proof() -> None:
    bench = running(started=False).register("SRV_A:2")
    bench.judge("SRV_A:1", LivenessState.SUSPECT)
    assert bench.states()["ONE"] == "DISPATCHED"
    bench.judge("SRV_A:1", LivenessState.LOST)
    live = bench.live("ONE")
    assert (live.state, live.outcome_unknown) == (ActionState.ABORTED, True)
    assert "may have run" in live.reason
    assert bench.dispatches("ONE")[0].attempt.number == 1
    assert len(bench.dispatches("ONE")) == 1
    assert bench.server_of("TWO") == "SRV_A:2"


def test_a_dispatch_that_does_not_arrive_makes_its_server_register_anew() -> None:
    bench = running(started=False)
    bench.beat("SRV_A:1", last_number=0)
    assert not [said for _, said in bench.sent if isinstance(said, RegisterAnew)]
    bench.pass_time(3.0).beat("SRV_A:1", last_number=0)
    assert [said for _, said in bench.sent if isinstance(said, RegisterAnew)]
    bench.register("SRV_A:1", epoch=2)
    assert bench.attempt("ONE").number == 2
    bench.pass_time(3.0).beat("SRV_A:1", last_number=1)
    assert len([said for _, said in bench.sent if isinstance(said, RegisterAnew)]) == 1


@pytest.mark.parametrize("is_back", [True, False])
def test_a_registration_from_before_a_sending_proves_nothing_about_it(*, is_back: bool) -> None:
    """The network may deliver it to a new broker once more, while its server is still silent."""
    bench = running(started=False).register("SRV_A:2").restart()
    bench.register("SRV_A:2", epoch=2).register("SRV_A:1", epoch=1).recover()
    assert bench.dispatched() == []
    assert bench.live("ONE").state is ActionState.DISPATCHED
    assert [said for _, said in bench.sent if isinstance(said, RegisterAnew)]
    if is_back:
        bench.register("SRV_A:1", epoch=2)
        assert bench.attempt("ONE").number == 2
    else:
        bench.pass_time(20.0)
        live = bench.live("ONE")
        assert (live.state, live.outcome_unknown) == (ActionState.ABORTED, True)


def test_a_suspect_server_gets_no_new_work_and_loses_none() -> None:
    bench = running()
    bench.judge("SRV_A:1", LivenessState.SUSPECT)
    bench.finish("ONE")
    assert bench.dispatched() == ["ONE"]
    bench.judge("SRV_A:1", LivenessState.ALIVE)
    assert bench.dispatched() == ["ONE", "TWO"]


def test_a_lost_server_that_comes_back_runs_on_and_its_result_is_late() -> None:
    bench = running()
    one = held(bench, "ONE")
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.register("SRV_A:1", epoch=2, holding=[one])
    assert bench.states()["ONE"] == "server_lost"
    assert bench.dispatched() == ["ONE"], "what runs on holds its slot"
    assert not [said for _, said in bench.sent if isinstance(said, AbortAttempt)]
    bench.from_server("SRV_A:1", result(one.attempt))
    assert bench.dispatched() == ["ONE", "TWO"]
    assert bench.states()["ONE"] == "server_lost"
    assert [(late.path, late.attempt) for late in bench.records(LateResult)] == [("ONE", 1)]
    answers = [said.verdict for _, said in bench.sent if isinstance(said, Answered)]
    assert answers == [Verdict.LATE]


def test_a_lost_server_that_comes_back_may_be_told_to_end_what_it_runs() -> None:
    bench = running().configure(action_server={"on_return": "end"})
    one = held(bench, "ONE")
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.register("SRV_A:1", epoch=2, holding=[one])
    assert [said.attempt for _, said in bench.sent if isinstance(said, AbortAttempt)] == [
        one.attempt
    ]


# No live server (D6).


def test_a_class_without_a_server_is_waited_for_once() -> None:
    nodes = (action("ONE", 1, "SRV_X"), action("TWO", 2, "SRV_X"), action("A", 1))
    bench = Bench(*nodes).register("SRV_A:1").build()
    bench.pass_time(30.0)
    bench.told(INIT)
    bench.pass_time(0.1)
    assert bench.states()["ONE"] == bench.states()["TWO"] == "no_server"
    bench.finish("A")
    assert bench.records(RunEnded)[0].counts.server_off == 2


def test_the_grace_time_counts_from_when_the_class_last_had_a_server() -> None:
    bench = running()
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.pass_time(4.0)
    assert bench.states() == {"ONE": "server_lost", "TWO": "NOT_DISPATCHED"}
    bench.told(c.DispatchAction(path="ONE", even_if_running=True))
    bench.pass_time(1.5)  # not from when ONE became ready
    assert bench.states() == {"ONE": "no_server", "TWO": "no_server"}


def test_a_server_that_comes_within_the_grace_time_takes_the_work() -> None:
    bench = Bench(action("ONE", 1)).build()
    bench.told(INIT)
    bench.pass_time(1.0)
    bench.register("SRV_A:1")
    assert bench.dispatched() == ["ONE"]


def test_servers_whose_workers_do_not_start_are_as_good_as_none() -> None:
    bench = Bench(action("ONE", 1)).register("SRV_A:1", slots=2).register("SRV_A:2").build()
    trouble = "worker process 0 does not start: it exited with code 1: ImportError: no gas"
    bench.beat("SRV_A:1", broken=2, trouble=trouble, full=True)
    bench.beat("SRV_A:2", broken=1, trouble="it hangs", full=True)
    bench.told(INIT)
    assert bench.dispatched() == []
    shown = view_of(bench.told(c.PrintPending()))
    assert isinstance(shown, ActionsResult)
    assert f"SRV_A:1 cannot run anything: {trouble}" in shown.actions[0].waits_for
    servers = view_of(bench.told(c.Servers()))
    assert isinstance(servers, ServersResult)
    assert [(one.broken, one.trouble) for one in servers.servers] == [
        (2, trouble),
        (1, "it hangs"),
    ]
    bench.pass_time(5.1)
    assert bench.states()["ONE"] == "no_server"
    reason = bench.live("ONE").reason
    assert f"SRV_A:1 cannot run anything: {trouble}" in reason
    assert "SRV_A:2 cannot run anything: it hangs" in reason


def test_a_server_of_which_one_worker_starts_takes_what_that_one_can_run() -> None:
    bench = Bench(action("ONE", 1), action("TWO", 1)).register("SRV_A:1", slots=2).build()
    bench.beat("SRV_A:1", broken=2, trouble="it hangs", full=True)
    bench.told(INIT)
    bench.pass_time(4.0)
    bench.beat("SRV_A:1", broken=1, trouble="it hangs")
    assert len(bench.dispatched()) == 1
    bench.pass_time(10.0)
    assert len(bench.dispatched()) == 1
    bench.beat("SRV_A:1", last_number=1)
    assert bench.dispatched() == ["ONE", "TWO"]


def test_after_a_restart_the_grace_time_begins_anew() -> None:
    bench = Bench(action("ONE", 1), action("B", 1, "SRV_B")).register("SRV_B:1").build()
    bench.told(INIT)
    bench.pass_time(1.0)
    one = held(bench, "B")
    bench = bench.restart().register("SRV_B:1", epoch=2, holding=[one])
    bench.recover()
    bench.pass_time(4.0)
    assert bench.states()["ONE"] == "NOT_DISPATCHED"
    bench.pass_time(1.5)
    assert bench.states()["ONE"] == "no_server"


# The broker and other dispatchers.


def test_without_a_broker_nobody_is_lost_and_everybody_reports_anew() -> None:
    bench = running()
    one = held(bench, "ONE")
    bench.broker_there = False
    bench.handle(d.BrokerGone())
    bench.pass_time(600.0)
    assert bench.states()["ONE"] == "DOING"
    bench.broker_there = True
    bench.pass_time(2.0)
    bench.register("SRV_A:1", epoch=2, holding=[one])
    bench.finish("ONE", "TWO")
    assert bench.records(RunEnded)[0].counts.success == 2


def test_a_server_that_does_not_come_back_with_the_broker_is_lost() -> None:
    bench = running()
    bench.handle(d.FromBroker(b"", (Pong(sent_s=bench.now, broker="new", clock_s=1.0),)))
    bench.pass_time(2.0)
    assert bench.states()["ONE"] == "DOING"
    bench.pass_time(20.0)
    assert bench.live("ONE").outcome_unknown


def test_a_superseded_dispatcher_ends() -> None:
    for event in (
        d.FromBroker(b"", (SupersededNotice(term=9),)),
        j.TermPassed(9),
        j.PlaceAsked("host-b pid 12"),
        d.FromBroker(b"", (ClaimRefused(highest=9, live=True),)),
    ):
        bench = running()
        bench.handle(event)
        assert [(one.code, one.claim_above) for one in bench.exits] == [(0, None)]


def test_a_term_that_is_too_low_is_claimed_anew_above_it() -> None:
    bench = running()
    bench.handle(d.FromBroker(b"", (ClaimRefused(highest=9),)))
    assert [one.claim_above for one in bench.exits] == [9]


def test_a_term_that_cannot_have_come_about_is_not_claimed_above() -> None:
    """It would be in the journal for ever; the dispatcher says what to do, and goes on claiming."""
    bench = running()
    for _ in range(3):
        bench.handle(d.FromBroker(b"", (ClaimRefused(highest=TERM_MAX, live=False),)))
    assert bench.exits == []
    (said,) = [one for one in bench.said if "cannot have come about" in one.text]
    assert said.level == "error"
    assert "start the broker again" in said.text


# What Redis has lost is written again (I9).


def test_the_whole_state_is_written_anew_when_redis_has_lost_history() -> None:
    nodes = (
        structs.replace(action("ONE", 1), essential=True),
        structs.replace(action("TWO", 2), completion_event="EVENT"),
        action("AFTER", "ONE"),
        action("OFF", 1, on=False),
        action("LATER", 1, phase="STORE"),
    )
    bench = Bench(*nodes).register("SRV_A:1").build()
    bench.told(INIT)
    bench.finish("ONE", ok=False)
    bench.told(c.Check(reset=True))
    bench.answers_jobs = False  # the event of TWO is intended, not yet raised
    bench.finish("TWO")
    bench.answers_jobs = True
    bench.told(c.DispatchAction(path="ONE"))
    bench.finish("ONE", ok=False)
    bench.told(c.DoPhase(phase="STORE"), "do-store-1")
    bench.told(c.Hold())
    before = bench.shot()
    assert list(before.essential_failures) == ["ONE"]
    bench.store.shots.clear()
    bench.handle(j.HistoryLost("all was gone"))
    again = Shot(KEY)
    for record in bench.store.shots[KEY]:
        again.apply(record)
    assert again.actions == before.actions
    assert again.attempts == before.attempts
    assert again.table.actions == before.table.actions
    assert again.essential_failures == before.essential_failures
    assert again.events == before.events
    assert again.run_of_command == before.run_of_command
    assert {number: again.run_view(run) for number, run in again.runs.items()} == {
        number: before.run_view(run) for number, run in before.runs.items()
    }
    assert again.open_run is not None
    assert again.open_run.held == "held by an operator"
    # Also where the journal is whole, and only a key for people was lost.
    for record in bench.shot().records(bench.machine.core.wall):
        again.apply(record)
    assert (again.actions, again.attempts) == (before.actions, before.attempts)
    assert again.essential_failures == before.essential_failures
    assert again.run_of_command == before.run_of_command


def test_what_was_lost_is_said_and_only_that_is_written_anew() -> None:
    bench = running()
    bench.build(ShotKey("T", 8))
    bench.commits.clear()
    bench.handle(j.HistoryLost("one key was gone", frozenset({ShotKey("T", 8)})))
    (anew,) = [one.commit for one in bench.commits if one.commit.shots]
    assert set(anew.shots) == {ShotKey("T", 8)}
    assert [(one.level, one.text) for one in bench.said][-1] == (
        "error",
        "journal: one key was gone",
    )
    bench.commits.clear()
    bench.handle(j.HistoryLost("written again already", frozenset()))
    assert not [one for one in bench.commits if one.commit.shots]


def test_the_newest_shot_is_written_last_and_the_current_pulse_and_answers_too() -> None:
    bench = running()
    bench.finish("ONE", "TWO")
    bench.told(c.CreatePulse(tree=KEY.tree, shot=9))
    bench.told(c.BuildTables(), "build-9-again")
    bench.told(c.CreatePulse(tree=KEY.tree, shot=KEY.shot, replace=True))
    bench.commits.clear()
    bench.handle(j.HistoryLost("all was gone"))
    (anew,) = [one.commit for one in bench.commits if one.commit.shots]
    assert list(anew.shots)[-1] == ShotKey(KEY.tree, 9)
    assert isinstance(anew.shots[KEY].records[0], PulseCreated), "that is the current one"
    assert not isinstance(anew.shots[ShotKey(KEY.tree, 9)].records[0], PulseCreated)
    assert "build-9-again" in [
        record.command for record in anew.system.records if isinstance(record, CommandDone)
    ]


def test_a_run_is_as_young_as_it_was_when_history_is_written_anew() -> None:
    bench = running()
    one = held(bench, "ONE")
    bench.pass_time(300.0)
    bench.store.shots.clear()
    bench.handle(j.HistoryLost("all was gone"))
    bench = bench.restart(5.0).register("SRV_A:1", epoch=2, holding=[one]).recover()
    assert bench.records(RunPutOnHold) == []


def test_a_failure_that_was_seen_stays_seen_when_history_is_written_anew() -> None:
    node = structs.replace(action("ONE", 1), essential=True)
    bench = Bench(node).register("SRV_A:1").build()
    bench.told(INIT)
    bench.finish("ONE", ok=False)
    bench.told(c.Check(reset=True))
    bench.store.shots.clear()
    bench.handle(j.HistoryLost("all was gone"))
    assert bench.restart(recover=True).told(c.Check()).outcome is Outcome.OK


def test_what_is_journalled_makes_the_same_state_again() -> None:
    bench = running()
    bench.finish("ONE", ok=False).finish("TWO")
    bench.told(c.DispatchAction(path="ONE"))
    again = Shot(KEY)
    for record in bench.store.shots[KEY]:
        again.apply(record)
    assert again.actions == bench.shot().actions
    assert again.attempts == bench.shot().attempts
    assert again.runs.keys() == bench.shot().runs.keys()
    opened = bench.records(RunOpened)
    assert [one.run for one in opened] == [1, 2]
    assert bench.records(Transition)[-1].path == "ONE"
