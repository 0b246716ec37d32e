"""The action server's machine, without processes and sockets: I1, I2, D8, D9, D17."""

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.action_server.world import World

from shotline.action_server.events import (
    Connected,
    GroupGone,
    GroupSignal,
    StoodStill,
    Stop,
    TaskEnded,
    TaskProgress,
    TaskProven,
    WorkerExited,
)
from shotline.action_server.task.channel import Ended
from shotline.common.actions import AttemptId, Status
from shotline.common.machine import Instant
from shotline.common.messages import (
    Bound,
    CommandServer,
    Dispatch,
    EndedBy,
    Finished,
    Goodbye,
    HeldAs,
    Message,
    Output,
    Pong,
    Progress,
    Register,
    RegisterAnew,
    RegistrationRefused,
    Returned,
    ServerBeat,
    ServerOrder,
    Started,
    Tail,
)
from shotline.common.settings.sections.action_server import ActionServerSection

MDSPLUS = b'{"kind": "mdsplus", "nid": 7, "task_kind": "expression", "text": "", "url": "mds:8000"}'


def started(section: ActionServerSection | None = None, slots: int = 2) -> World:
    world = World(section, slots)
    world.answer()
    world.get_ready()
    return world


def kinds(messages: list[Message]) -> list[str]:
    return [message.kind for message in messages if not isinstance(message, ServerBeat)]


# Results


def test_a_short_task_is_one_message() -> None:
    world = started()
    attempt = world.dispatch()
    before = len(world.sent)
    world.advance(0.003)
    world.end_task(world.slot_of(attempt), Status.FAILURE, code=3, text="exit code 3")
    assert kinds(world.sent[before:]) == ["finished"]
    [finished] = world.results(attempt)
    assert (finished.status, finished.code, finished.reason) == (Status.FAILURE, 3, "exit code 3")
    assert finished.duration_s == pytest.approx(0.003)


def test_a_longer_task_is_announced_and_its_output_comes_before_its_result() -> None:
    world = started()
    attempt = world.dispatch()
    before = len(world.sent)
    slot = world.slot_of(attempt)
    world.advance(0.1)
    world.write(slot, b"hello\nand ")
    world.advance(0.1)
    world.write(slot, b"goodbye")
    world.end_task(slot, notes=("[a note]",))
    assert kinds(world.sent[before:]) == ["started", "output", "output", "finished"]
    [first, second] = [one for one in world.sent if isinstance(one, Output)]
    assert [piece[2] for piece in first.pieces] == [b"hello"]
    assert [piece[1:] for piece in second.pieces] == [(0, b"[a note]"), (1, b"and goodbye")]
    assert second.first == 1
    assert world.results(attempt)[0].lines == 3


def test_the_next_task_starts_before_the_last_is_reported() -> None:
    world = started(slots=1)
    first, second = world.dispatch(), world.dispatch()
    sent = len(world.sent)
    world.end_task(0)
    assert world.workers[0].attempt == second
    assert [one.attempt for one in world.sent[sent:] if isinstance(one, Finished)] == [first]


def test_what_waits_is_not_given_to_a_worker_that_has_ended_with_its_task() -> None:
    world = started(slots=1)
    first, second = world.dispatch(), world.dispatch()
    world.workers[0].attempt = None
    events = (TaskEnded(0, Ended(ok=True)), WorkerExited(0, "exited with code 1"), GroupGone(0))
    world.workers[0].is_ready = False
    effects = world.machine.handle(world.now, *events)
    del world.workers[0]
    world.carry_out(effects)
    assert [one.attempt for one in world.delivered if isinstance(one, Finished)] == [first]
    world.get_ready()
    assert world.workers[0].attempt == second


def test_what_comes_at_once_is_decided_together() -> None:
    """A connection that is made anew ends the epoch for the dispatch that comes right behind it."""
    world = started()
    first, second = world.dispatch(), world.dispatch()
    sent = len(world.sent)
    for worker in world.workers.values():
        worker.attempt = None
    ended = [TaskEnded(slot, Ended(ok=True)) for slot in world.workers]
    world.carry_out(world.machine.handle(world.now, *ended))
    assert [one.attempt for one in world.sent[sent:] if isinstance(one, Finished)] == [
        first,
        second,
    ]
    sent = len(world.sent)
    late = Dispatch(
        term=1,
        epoch=world.epoch,
        number=world.number + 1,
        attempt=AttemptId("T", 1, "LATE", 1),
        task=b"{}",
    )
    world.carry_out(world.machine.handle(world.now, Connected(), late))
    assert world.starts[late.attempt] == 0
    [register] = [one for one in world.sent[sent:] if isinstance(one, Register)]
    assert late.attempt not in [held.attempt for held in register.holding]


def test_a_lost_connection_to_mdsip_leaves_the_outcome_unknown() -> None:
    world = started()
    attempt = world.dispatch()
    world.end_task(world.slot_of(attempt), Status.FAILURE, text="it broke", connection_lost=True)
    [finished] = world.results(attempt)
    assert finished.ended_by is EndedBy.CONNECTION_LOST
    assert finished.outcome_unknown
    assert finished.status is None


def test_a_result_is_sent_again_ever_more_rarely_until_it_is_answered() -> None:
    world = started()
    world.answer()
    attempt = world.dispatch()
    world.write(world.slot_of(attempt), b"x\n")
    world.end_task(world.slot_of(attempt))
    waits = []
    for _ in range(3):
        sent_at, sent = world.now.mono, len(world.results(attempt))
        while len(world.results(attempt)) == sent:
            world.answer(results=False, output=False)
            world.advance(0.5)
        waits.append(world.now.mono - sent_at)
    assert waits == sorted(set(waits))
    repeats = world.results(attempt)
    assert len(set(map(repr, repeats))) == 1
    outputs = [one for one in world.delivered if isinstance(one, Output)]
    assert len(outputs) == len(repeats)
    assert len(set(map(repr, outputs))) == 1


def test_only_a_bounded_number_of_results_is_on_its_way() -> None:
    world = started(slots=1)
    attempts = []
    for _ in range(500):
        attempts.append(world.dispatch())
        world.end_task(0)
    assert 0 < sum(len(world.results(attempt)) for attempt in attempts) < 500
    world.answer()
    assert [len(world.results(attempt)) for attempt in attempts] == [1] * 500
    assert world.machine.unanswered == 0


def test_at_its_limit_of_results_a_server_gives_work_back() -> None:
    world = started(ActionServerSection(results_max=2))
    for _ in range(2):
        world.end_task(world.slot_of(world.dispatch()))
    refused = world.dispatch()
    assert not world.starts[refused]
    [returned] = [one for one in world.sent if isinstance(one, Returned)]
    assert returned.attempt == refused
    world.advance(1.0)
    assert [one for one in world.sent if isinstance(one, ServerBeat)][-1].full
    world.answer()
    assert world.starts[world.dispatch()] == 1


def test_output_that_is_not_stored_parks_the_slot() -> None:
    world = started(ActionServerSection(output_window_bytes=10_000))
    attempt = world.dispatch()
    slot = world.slot_of(attempt)
    while not world.workers[slot].is_parked:
        world.write(slot, b"x" * 99 + b"\n")
    world.advance(0.1)
    world.answer(output=False)
    assert world.workers[slot].is_parked
    world.handle(RegisterAnew(why="to have it again"))
    world.answer()
    assert not world.workers[slot].is_parked


# Epochs and dispatches


def test_nothing_is_taken_without_a_registration() -> None:
    world = World()
    world.get_ready()
    attempt = world.dispatch(epoch=1)
    assert not world.starts[attempt]


def test_dispatches_of_another_epoch_or_a_lower_term_are_dropped() -> None:
    world = started()
    world.dispatch(term=5)
    assert not world.starts[world.dispatch(term=4)]
    assert not world.starts[world.dispatch(epoch=world.epoch - 1)]
    assert not world.starts[world.dispatch(epoch=world.epoch + 1)]


def test_a_gap_opens_a_new_epoch_that_holds_what_is_held() -> None:
    world = started(slots=1)
    first, second = world.dispatch(), world.dispatch()
    lost = world.dispatch(number=4)
    register = world.sent[-1]
    assert isinstance(register, Register)
    assert [(one.attempt, one.held_as) for one in register.holding] == [
        (second, HeldAs.QUEUED),
        (first, HeldAs.RUNNING),
    ]
    world.answer()
    assert lost in world.proven_unstarted
    world.end_task(0)
    assert world.workers[0].attempt == second


def test_a_registration_without_an_answer_is_repeated_in_a_new_epoch() -> None:
    world = World()
    world.lose_answers()
    world.advance(3.5)
    epochs = [one.epoch for one in world.sent if isinstance(one, Register)]
    assert epochs == [1, 2, 3, 4]
    world.answer()  # only the last one counts
    assert world.machine.is_registered
    assert world.epoch == 4


def test_what_was_sent_before_it_stood_still_does_not_start_afterwards() -> None:
    world = started(slots=1)
    running, queued = world.dispatch(), world.dispatch()
    before = len(world.sent)
    world.handle(StoodStill(60.0))
    world.dispatch()  # it was on its way, for the registration before
    world.end_task(world.slot_of(running))
    assert world.starts == {running: 1}
    [register] = [one for one in world.sent[before:] if isinstance(one, Register)]
    assert [held.attempt for held in register.holding] == [running]
    assert queued in world.proven_unstarted
    world.answer()
    assert world.results(running)
    again = world.dispatch()
    assert world.starts == {running: 1, again: 1}


def test_one_that_cannot_be_lost_yet_goes_on_as_before() -> None:
    world = started(slots=1)
    running, queued = world.dispatch(), world.dispatch()
    world.handle(StoodStill(5.0))
    world.end_task(world.slot_of(running))
    assert world.starts == {running: 1, queued: 1}
    assert world.machine.is_registered


def test_without_answers_to_heartbeats_the_server_registers_anew() -> None:
    world = started()
    before = world.epoch
    world.to_answer.clear()
    world.link_is_up = True
    for _ in range(20):
        world.advance(0.5)
        world.to_answer.clear()
    assert [one for one in world.sent if isinstance(one, Register)][-1].epoch > before


def test_another_broker_is_registered_with() -> None:
    world = started()
    world.handle(Pong(sent_s=world.now.mono, broker="another", clock_s=0.0))
    assert isinstance(world.sent[-1], Register)


def test_asked_twice_to_register_anew_the_server_does_it_once() -> None:
    world = started()
    world.handle(RegisterAnew(why="first"))
    world.handle(RegisterAnew(why="second"))
    assert len([one for one in world.sent if isinstance(one, Register)]) == 2


def test_a_registration_names_what_was_started_and_answered() -> None:
    world = started(slots=1)
    first, second = world.dispatch(), world.dispatch()
    world.end_task(0)
    world.handle(RegisterAnew(why="there is another dispatcher"))
    assert [one for one in world.sent if isinstance(one, Register)][-1].answered == ()
    world.answer()
    world.handle(RegisterAnew(why="and another"))
    last = [one for one in world.sent if isinstance(one, Register)][-1]
    assert last.answered == (first,)
    assert [one.attempt for one in last.holding] == [second]


def test_a_returned_attempt_may_come_again_and_a_started_one_may_not() -> None:
    world = started(ActionServerSection(results_max=1), slots=1)
    first = world.dispatch()
    second = world.dispatch()
    world.end_task(0)
    world.answer()
    world.proven_unstarted.discard(second)  # given to this server again, in so many words
    world.dispatch(second)
    assert world.starts[second] == 1
    world.end_task(0)
    world.answer()
    world.dispatch(first)
    assert world.starts[first] == 1
    refused = world.results(first)[-1]
    assert (refused.ended_by, refused.outcome_unknown) == (EndedBy.FORGOTTEN, True)


def test_what_a_signal_to_the_server_ends_was_aborted_by_nobody() -> None:
    world = started(slots=1)
    attempt = world.dispatch()
    world.handle(Stop(ServerOrder.QUIT, "its process was stopped"))
    world.exit_worker(0)
    world.be_gone(0)
    [finished] = world.results(attempt)
    assert (finished.ended_by, finished.status) == (EndedBy.SERVER_ENDED, None)
    assert not finished.outcome_unknown


@pytest.mark.parametrize("on_return", ["finish", "end"])
def test_a_server_that_returns_runs_on_or_ends_first(
    on_return: Literal["finish", "end"],
) -> None:
    world = started(ActionServerSection(on_return=on_return))
    attempt = world.dispatch()
    slot = world.slot_of(attempt)
    world.link_is_up = False
    world.advance(15.0)
    world.link_is_up = True
    world.handle(Connected())
    world.answer()
    assert bool(world.workers[slot].signals) is (on_return == "end")
    assert world.machine.is_registered


# Timeouts, aborts, deaths


def test_a_timeout_is_term_then_kill_and_settles_when_the_group_is_gone() -> None:
    world = started()
    attempt = world.dispatch(timeout_s=2.0)
    slot = world.slot_of(attempt)
    world.advance(1.9)
    world.answer()
    assert world.workers[slot].signals == []
    world.advance(0.2)
    assert world.workers[slot].signals == [GroupSignal.TERM]
    world.advance(0.5)
    assert world.workers[slot].signals == [GroupSignal.TERM, GroupSignal.KILL]
    assert not world.results(attempt)
    world.exit_worker(slot)
    assert not world.results(attempt)
    world.be_gone(slot)
    [finished] = world.results(attempt)
    assert finished.ended_by is EndedBy.TIMEOUT
    assert finished.status is Status.FAILURE
    assert not finished.outcome_unknown
    assert not world.workers[slot].is_ready, "a new worker is starting"


@pytest.mark.parametrize(
    ("late_s", "ended_by", "reason"),
    [
        (-0.1, EndedBy.WORKER_DIED, "its worker process was killed by SIGINT"),
        (
            0.1,
            EndedBy.TIMEOUT,
            "ended at its time limit of 2 s; its worker process was killed by SIGINT",
        ),
    ],
)
def test_a_worker_that_dies_before_we_end_it_at_the_limit(
    late_s: float, ended_by: EndedBy, reason: str
) -> None:
    """MDSplus keeps the limit, too, and may be a moment faster than a busy server."""
    world = started()
    attempt = world.dispatch(timeout_s=2.0)
    slot = world.slot_of(attempt)
    world.now = Instant(world.now.mono + 2.0 + late_s, world.now.wall + 2.0 + late_s)
    world.exit_worker(slot, "was killed by SIGINT")
    world.be_gone(slot)
    [finished] = world.results(attempt)
    assert (finished.ended_by, finished.reason) == (ended_by, reason)
    assert finished.status is Status.FAILURE
    assert not finished.outcome_unknown


def test_what_cannot_be_ended_settles_with_its_outcome_unknown_and_keeps_its_slot() -> None:
    world = started(slots=1)
    attempt = world.dispatch(timeout_s=2.0)
    for _ in range(20):
        world.advance(0.5)
        world.answer()
    [finished] = world.results(attempt)
    assert finished.outcome_unknown
    assert finished.ended_by is EndedBy.TIMEOUT
    assert [one for one in world.sent if isinstance(one, ServerBeat)][-1].stuck == 1
    returned = world.dispatch()
    assert [one.attempt for one in world.sent if isinstance(one, Returned)] == [returned]
    world.be_gone(0)
    world.get_ready()
    assert world.starts[world.dispatch()] == 1


def test_what_a_task_returns_after_it_was_told_to_end_is_not_its_result() -> None:
    world = started()
    attempt = world.dispatch()
    slot = world.slot_of(attempt)
    world.abort(attempt, "somebody said so")
    world.end_task(slot, text="cleaned up")
    assert not world.results(attempt)
    world.be_gone(slot)
    [finished] = world.results(attempt)
    assert finished.ended_by is EndedBy.ABORT
    assert finished.reason == "somebody said so (it returned Success meanwhile: cleaned up)"


def test_what_runs_on_an_mdsip_server_is_not_ended_with_our_worker() -> None:
    world = started()
    attempt = world.dispatch(task=MDSPLUS)
    slot = world.slot_of(attempt)
    world.abort(attempt)
    world.be_gone(slot)
    [finished] = world.results(attempt)
    assert finished.ended_by is EndedBy.ABORT
    assert finished.outcome_unknown
    assert finished.reason == "enough; the mdsip server at mds:8000 may still be at work on it"


def ended_with_its_task_running_on(world: World) -> AttemptId:
    attempt = world.dispatch(task=MDSPLUS)
    slot = world.slot_of(attempt)
    world.abort(attempt)
    world.be_gone(slot)
    return attempt


def test_the_late_answer_of_an_mdsip_server_is_reported_as_the_proof_once() -> None:
    world = started()
    attempt = ended_with_its_task_running_on(world)
    proof = TaskProven(attempt, Status.SUCCESS, 1, "%SS-S-NORMAL")
    world.handle(proof)
    assert [one.late for one in world.results(attempt)] == [False]  # the result goes first
    world.answer()
    world.handle(proof)
    reported = world.results(attempt)
    assert [one.late for one in reported] == [False, True]
    assert (reported[1].status, reported[1].reason) == (Status.SUCCESS, "%SS-S-NORMAL")


def test_a_proof_before_our_worker_is_gone_makes_the_outcome_known() -> None:
    world = started()
    attempt = world.dispatch(task=MDSPLUS)
    slot = world.slot_of(attempt)
    world.abort(attempt)
    world.handle(TaskProven(attempt, text="it was never started there"))
    world.be_gone(slot)
    [finished] = world.results(attempt)
    assert not finished.outcome_unknown
    assert "it was never started there" in finished.reason


def test_a_url_that_was_busy_too_long_is_no_server() -> None:
    world = started()
    attempt = world.dispatch(task=MDSPLUS)
    busy = "was not started within 60 s: mds:8000 works for TEST/1"
    world.handle(TaskEnded(world.slot_of(attempt), Ended(ok=False, text=busy, url_busy=True)))
    [finished] = world.results(attempt)
    assert (finished.ended_by, finished.status, finished.started_at) == (
        EndedBy.NO_SERVER,
        None,
        None,
    )
    assert (finished.reason, finished.outcome_unknown) == (busy, False)


def test_what_urls_are_busy_with_is_told_gathered_and_again_after_a_registration() -> None:
    world = started()
    for unanswered in (1, 2):
        world.handle(Bound(url="mds:8000", tree="TEST", shot=1, unanswered=unanswered))
    world.advance(1.0)
    told = [one for one in world.sent if isinstance(one, Bound)]
    assert [one.unanswered for one in told] == [2]
    world.handle(RegisterAnew(why="asked for"))
    world.answer()
    world.advance(1.0)
    told = [one for one in world.sent if isinstance(one, Bound)]
    assert [one.unanswered for one in told] == [2, 2]


def test_aborts_before_the_attempt_comes_are_remembered_and_bounded() -> None:
    world = started()
    early = AttemptId("T", 1, "EARLY", 1)
    world.abort(early)
    world.dispatch(early)
    assert not world.starts[early]
    [finished] = world.results(early)
    assert (finished.ended_by, finished.started_at) == (EndedBy.ABORT, None)
    world.answer()
    world.dispatch(early)
    assert not world.starts[early]
    forgotten = AttemptId("T", 1, "FORGOTTEN", 1)
    world.abort(forgotten)
    for number in range(10_000):
        world.abort(AttemptId("T", 1, f"OTHER{number}", 1))
    world.dispatch(forgotten)
    assert world.starts[forgotten] == 1


def test_an_abort_after_the_result_changes_nothing() -> None:
    world = started()
    attempt = world.dispatch()
    world.end_task(world.slot_of(attempt))
    world.abort(attempt)
    assert len(world.results(attempt)) == 1
    world.answer()
    world.abort(attempt)
    assert world.machine.unanswered == 0


def test_workers_that_do_not_start_are_tried_again_and_work_is_given_back() -> None:
    world = World(slots=1)
    world.answer()
    waiting = world.dispatch()
    world.workers[0].signals.append(GroupSignal.KILL)
    world.handle(WorkerExited(0, "exited with code 1"))
    world.be_gone(0)
    assert [one.attempt for one in world.sent if isinstance(one, Returned)] == [waiting]
    world.advance(1.1)
    world.get_ready()
    assert world.starts[world.dispatch()] == 1


def test_workers_that_do_not_start_are_tried_more_and_more_seldom() -> None:
    world = World(slots=1)
    world.answer()
    waits: list[float] = []
    for _ in range(8):
        failed_at = world.now.mono
        world.write(0, b"Traceback ...\nImportError: no gas\n", stream=2)
        world.exit_worker(0, "exited with code 1")
        world.be_gone(0)
        while not world.workers:
            world.advance(0.5)
            world.answer()
        waits.append(world.now.mono - failed_at)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    trouble = "worker process 0 does not start: it exited with code 1"
    assert world.logs.count(f"{trouble}\n  Traceback ...\n  ImportError: no gas") == 8
    [beat] = [one for one in world.sent if isinstance(one, ServerBeat)][-1:]
    assert (beat.broken, beat.trouble) == (1, f"{trouble}: ImportError: no gas")
    world.get_ready()
    world.advance(1.5)
    [beat] = [one for one in world.sent if isinstance(one, ServerBeat)][-1:]
    assert (beat.broken, beat.trouble, beat.full) == (0, "", False)
    world.dispatch()
    world.exit_worker(0)
    world.be_gone(0)
    assert world.workers, "one that ran something is replaced at once"


def test_a_worker_that_dies_again_and_again_while_idle_is_not_started_for_ever() -> None:
    world = started(slots=1)
    world.exit_worker(0)
    world.be_gone(0)
    assert world.workers, "the first time it is replaced at once"
    for wait_s in (2.0, 4.0, 8.0):
        world.get_ready()
        world.exit_worker(0)
        world.be_gone(0)
        world.advance(wait_s - 0.5)
        assert not world.workers
        world.advance(0.6)
        assert world.workers


def test_a_worker_that_never_gets_ready_is_broken_too() -> None:
    world = World(slots=1)
    world.answer()
    world.write(0, b"waits for the licence server\n")
    while not world.workers[0].signals:
        world.advance(0.5)
        world.answer()
    assert world.now.mono == 160.0
    world.be_gone(0)
    assert not world.workers
    world.advance(1.0)
    assert world.workers
    [beat] = [one for one in world.sent if isinstance(one, ServerBeat)][-1:]
    assert "is not ready after 60 s" in beat.trouble
    assert beat.trouble.endswith(": waits for the licence server")


def test_progress_is_thinned_out() -> None:
    world = started()
    attempt = world.dispatch()
    slot = world.slot_of(attempt)
    for number in range(100):
        world.handle(TaskProgress(slot, number / 100, ""))
        world.advance(0.01)
    reports = [one.fraction for one in world.sent if isinstance(one, Progress)]
    assert 5 <= len(reports) <= 15
    assert reports == sorted(reports)


def test_a_line_that_does_not_end_is_told_after_a_second_behind_what_came_before() -> None:
    world = started()
    attempt = world.dispatch()
    slot = world.slot_of(attempt)
    world.write(slot, b"pressing\npassword: ")
    world.advance(0.9)
    assert not [one for one in world.sent if isinstance(one, Tail)]
    world.advance(0.2)
    kinds = [type(one) for one in world.sent if isinstance(one, Started | Output | Tail)]
    assert kinds == [Started, Output, Tail]
    world.write(slot, b"*\n")
    world.advance(5.0)
    assert [one.text for one in world.sent if isinstance(one, Tail)] == [b"password: "]


# The end of the server


def test_a_server_that_quits_delivers_before_it_says_goodbye() -> None:
    world = started(slots=1)
    running, waiting = world.dispatch(), world.dispatch()
    world.handle(CommandServer(term=1, order=ServerOrder.RESTART, reason="new code"))
    assert [one.attempt for one in world.sent if isinstance(one, Returned)] == [waiting]
    late = world.dispatch()
    assert late in world.proven_unstarted
    world.exit_worker(0)
    world.be_gone(0)
    assert [one.ended_by for one in world.results(running)] == [EndedBy.ABORT]
    assert world.exit is None
    world.answer()
    assert isinstance(world.sent[-1], Goodbye)
    assert world.exit is not None
    assert (world.exit.restart, world.exit.code) == (True, 0)


def test_a_server_that_quits_does_not_wait_for_ever() -> None:
    world = started(slots=1)
    world.dispatch()
    world.handle(Stop(ServerOrder.QUIT, "its process was stopped"))
    for _ in range(40):
        world.advance(0.5)
        world.answer(results=False)
    assert world.exit is not None
    assert "1 results were not answered" in world.logs[-1]


def test_a_second_stop_ends_at_once() -> None:
    world = started()
    world.dispatch()
    world.handle(Stop(ServerOrder.QUIT, "first"))
    assert world.exit is None
    world.handle(Stop(ServerOrder.QUIT, "second"))
    assert world.exit is not None
    assert world.exit.code != 0


def test_a_fatal_refusal_ends_what_runs_and_then_the_server() -> None:
    world = started()
    attempt = world.dispatch()
    world.handle(RegistrationRefused(text="somebody else has your name", fatal=True))
    registrations = len([one for one in world.sent if isinstance(one, Register)])
    world.advance(3.0)
    assert world.workers[world.slot_of(attempt)].signals
    for slot in list(world.workers):
        world.be_gone(slot)
    world.advance(0.1)
    assert world.exit is not None
    assert world.exit.code != 0
    assert len([one for one in world.sent if isinstance(one, Register)]) == registrations


# Any order of events

STEPS = st.sampled_from(
    [
        "dispatch",
        "dispatch",
        "dispatch with limit",
        "repeat dispatch",
        "old dispatch",
        "gap",
        "abort",
        "abort unknown",
        "end",
        "end",
        "end spent",
        "write",
        "exit",
        "gone",
        "ready",
        "ready",
        "answer",
        "answer",
        "answer registration only",
        "break link",
        "mend link",
        "lose answers",
        "register anew",
        "little time",
        "time",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(STEPS, st.integers(0, 1000)), max_size=80), st.integers(1, 3))
def test_no_attempt_starts_twice_and_no_result_is_dropped(
    steps: list[tuple[str, int]], slots: int
) -> None:
    world = started(ActionServerSection(results_max=6), slots)
    for step, number in steps:
        take_step(world, step, number)
    world.settle()
    for attempt in world.dispatched:
        if world.starts[attempt]:
            first, *repeats = world.results(attempt)
            assert all(repr(one) == repr(first) for one in repeats if not one.outcome_unknown)
            assert attempt in world.answered
        else:
            assert attempt in world.proven_unstarted or world.results(attempt)
    assert world.machine.unanswered == world.machine.busy == 0


def take_step(world: World, step: str, number: int) -> None:
    def pick(slots: list[int]) -> int | None:
        return slots[number % len(slots)] if slots else None

    running = pick([slot for slot, one in world.workers.items() if one.attempt is not None])
    ending = pick([slot for slot, one in world.workers.items() if one.signals])
    alive = pick([slot for slot, one in world.workers.items() if not one.signals])
    known = world.dispatched[number % len(world.dispatched)] if world.dispatched else None
    match step:
        case "dispatch" if world.link_is_up:
            world.dispatch()
        case "dispatch with limit" if world.link_is_up:
            world.dispatch(timeout_s=0.5)
        case "repeat dispatch" if known is not None and world.number:
            world.dispatch(known, number=world.number)
        case "old dispatch" if known is not None:
            world.dispatch(known, epoch=world.epoch - 1, number=world.number + 1)
        case "gap":
            world.dispatch(number=world.number + 2)
        case "abort" if known is not None:
            world.abort(known)
        case "abort unknown":
            world.abort(AttemptId("T", 1, f"A{world.attempts + 1}", 1))
        case "end" if running is not None:
            world.end_task(running)
        case "end spent" if running is not None:
            world.end_task(running, spent=True)
        case "write" if running is not None and not world.workers[running].is_parked:
            world.write(running, b"%d\nand then" % number)
        case "exit" if alive is not None:
            world.exit_worker(alive)
        case "gone" if ending is not None:
            world.workers[ending].attempt = None
            world.be_gone(ending)
        case "ready":
            world.get_ready()
        case "answer":
            world.answer()
        case "answer registration only":
            world.answer(results=False, output=False)
        case "break link":
            world.link_is_up = False
            world.lose_answers()
        case "mend link" if not world.link_is_up:
            world.link_is_up = True
            world.handle(Connected())
        case "lose answers":
            world.lose_answers()
        case "register anew":
            world.handle(RegisterAnew(why="a test"))
        case "little time":
            world.advance(0.01)
        case "time":
            world.advance(number / 100)


def test_started_is_told_again_after_a_new_registration() -> None:
    world = started()
    attempt = world.dispatch()
    world.advance(0.1)
    world.handle(RegisterAnew(why="a test"))
    world.answer()
    world.advance(0.1)
    assert [one.attempt for one in world.sent if isinstance(one, Started)] == [attempt] * 2


def test_short_tasks_that_ran_side_by_side_report_together() -> None:
    world = started(slots=3)
    attempts = [world.dispatch() for _ in range(3)]
    world.advance(0.001)
    before = len(world.sent)
    world.end_task(0)
    world.end_task(1)
    assert kinds(world.sent[before:]) == []
    world.end_task(2)
    assert [one.attempt for one in world.sent[before:] if isinstance(one, Finished)] == attempts


def test_a_result_waits_only_a_moment_for_those_of_other_tasks() -> None:
    world = started(slots=2)
    first, _ = world.dispatch(), world.dispatch()
    world.advance(0.001)
    before = len(world.sent)
    world.end_task(0)
    assert kinds(world.sent[before:]) == []
    world.advance(0.01)
    assert [one.attempt for one in world.sent[before:] if isinstance(one, Finished)] == [first]


def test_a_result_does_not_wait_for_a_long_task() -> None:
    world = started(slots=2)
    _, second = world.dispatch(), world.dispatch()
    world.advance(0.1)
    before = len(world.sent)
    world.end_task(1)
    assert [one.attempt for one in world.sent[before:] if isinstance(one, Finished)] == [second]
