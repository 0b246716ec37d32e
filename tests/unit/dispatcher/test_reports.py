"""What servers report and what observers are told, on the dispatcher's machine: I2, I4, I6, D13.

Also the journal's gate (I4, I9), and how many shots are kept (I8).
"""

import json

import msgspec
import pytest
from msgspec import structs
from tests.support.dispatching import KEY, Bench, result, view_of
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.actions import ActionState, AttemptId, Cause
from shotline.common.messages import (
    Answered,
    Dispatch,
    EndedBy,
    Held,
    HeldAs,
    LivenessState,
    LogLine,
    Outcome,
    Output,
    OutputStored,
    Problem,
    Progress,
    Started,
    Tail,
    Verdict,
)
from shotline.common.nodes import DispatchOptions
from shotline.common.records import (
    EventOutcome,
    EventRaised,
    LateResult,
    RunEnded,
    RunOpened,
    ShotKey,
    Transition,
    UnknownResult,
)
from shotline.common.views import (
    ActionsResult,
    FeedBeat,
    JournalState,
    LogEvent,
    LogsResult,
    OutputEvent,
    OutputLine,
    ShotEvent,
    SnapshotResult,
)
from shotline.dispatcher import effects as d
from shotline.dispatcher import journal as j
from shotline.dispatcher.core import FAILURES_SAID_MAX
from shotline.dispatcher.event_feed import STANDING
from shotline.dispatcher.trees import jobs as t

INIT = c.DoPhase(phase="INIT")
SHOT = c.Snapshot(channel="shot/T/1")


def small(**more: object) -> Bench:
    """ONE with a completion event, then TWO; one server of one slot."""
    first = structs.replace(action("ONE", 1), completion_event="ONE_DONE")
    options = DispatchOptions(**more)  # type: ignore[arg-type]
    return Bench(first, action("TWO", 2), options=options).register("SRV_A:1").build()


def verdicts(bench: Bench) -> list[Verdict]:
    return [said.verdict for _, said in bench.sent if isinstance(said, Answered)]


# Results (I2).


def test_a_repeated_result_is_a_duplicate_also_after_a_restart() -> None:
    bench = small()
    bench.told(INIT)
    bench.finish("ONE").finish("ONE")
    assert verdicts(bench) == [Verdict.STORED, Verdict.DUPLICATE]
    bench = bench.restart().register("SRV_A:1", epoch=2)
    bench.from_server("SRV_A:1", result(AttemptId(*KEY, "ONE", 1), ok=False))
    assert verdicts(bench) == [Verdict.DUPLICATE]
    assert bench.states()["ONE"] == "Success"
    assert len([r for r in bench.records(Transition) if r.cause is Cause.RESULT]) == 1


def test_a_result_of_the_attempt_before_is_late_and_changes_nothing() -> None:
    bench = small()
    bench.told(INIT)
    first = bench.attempt("ONE")
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.register("SRV_A:2")
    bench.told(c.DispatchAction(path="ONE", even_if_running=True))
    bench.finish("TWO")
    assert bench.attempt("ONE").number == 2
    bench.register("SRV_A:1", epoch=2, holding=[Held(attempt=first, held_as=HeldAs.FINISHED)])
    bench.from_server("SRV_A:1", result(first, ok=False))
    bench.from_server("SRV_A:1", result(first, ok=False))
    assert verdicts(bench)[-2:] == [Verdict.LATE, Verdict.DUPLICATE]
    assert bench.states()["ONE"] == "DISPATCHED"
    assert len(bench.records(LateResult)) == 1
    bench.finish("ONE")
    assert bench.states()["ONE"] == "Success"


def test_a_result_of_what_was_never_sent_is_kept_as_unknown() -> None:
    bench = small()
    for attempt in (("T", 1, "ONE", 7), ("T", 1, "NOSUCH", 1), ("X", 9, "ONE", 1)):
        bench.from_server("SRV_A:1", result(AttemptId(*attempt)))
    assert verdicts(bench) == [Verdict.UNKNOWN] * 3
    unknown = [record for record in bench.system() if isinstance(record, UnknownResult)]
    assert [(one.tree, one.path, one.attempt) for one in unknown] == [
        ("T", "ONE", 7),
        ("T", "NOSUCH", 1),
        ("X", "ONE", 1),
    ]
    assert bench.states()["ONE"] == "NOT_DISPATCHED"


def test_a_result_of_a_shot_that_is_not_in_memory_is_late() -> None:
    bench = small()
    bench.told(INIT)
    bench.finish("ONE", "TWO")
    bench.put_aside()
    bench.from_server("SRV_A:1", result(AttemptId(*KEY, "ONE", 1)))
    assert verdicts(bench)[-1] is Verdict.LATE
    assert [late.path for late in bench.records(LateResult)] == ["ONE"]


def test_another_server_does_not_settle_what_it_has_not() -> None:
    bench = small().register("SRV_A:2")
    bench.told(INIT)
    other = "SRV_A:2" if bench.server_of("ONE") == "SRV_A:1" else "SRV_A:1"
    bench.from_server(other, result(bench.attempt("ONE"), ok=False))
    assert bench.states()["ONE"] == "DISPATCHED"
    bench.finish("ONE")
    assert bench.states()["ONE"] == "Success"


def test_an_answer_leaves_behind_the_journal() -> None:
    bench = small()
    bench.told(INIT)
    bench.writes = False
    bench.finish("ONE")
    assert verdicts(bench) == []
    bench.written()
    assert verdicts(bench) == [Verdict.STORED]


@pytest.mark.parametrize(
    ("ended_by", "unknown", "state", "cause"),
    [
        (EndedBy.RESULT, False, ActionState.DONE, Cause.RESULT),
        (EndedBy.TIMEOUT, False, ActionState.DONE, Cause.TIMEOUT),
        (EndedBy.TIMEOUT, True, ActionState.DONE, Cause.TIMEOUT),
        (EndedBy.WORKER_DIED, False, ActionState.DONE, Cause.WORKER_DIED),
        (EndedBy.ABORT, False, ActionState.ABORTED, Cause.OPERATOR),
        (EndedBy.ABORT, True, ActionState.ABORTED, Cause.OPERATOR),
        (EndedBy.CONNECTION_LOST, True, ActionState.ABORTED, Cause.SERVER_LOST),
        (EndedBy.SERVER_ENDED, False, ActionState.ABORTED, Cause.SERVER_LOST),
        (EndedBy.FORGOTTEN, True, ActionState.ABORTED, Cause.FORGOTTEN),
    ],
)
def test_how_an_attempt_ended_is_what_is_shown(
    ended_by: EndedBy, *, unknown: bool, state: ActionState, cause: Cause
) -> None:
    bench = small()
    bench.told(INIT)
    said = result(bench.attempt("ONE"), ok=False, ended_by=ended_by, unknown=unknown)
    bench.from_server("SRV_A:1", said)
    live = bench.live("ONE")
    assert (live.state, live.cause, live.outcome_unknown) == (state, cause, unknown)
    assert bench.view("ONE").failed
    bench.from_server("SRV_A:1", said)
    assert verdicts(bench) == [Verdict.STORED, Verdict.DUPLICATE]


def test_a_server_must_register_before_it_reports() -> None:
    bench = small()
    bench.told(INIT)
    before = len(bench.journalled())
    stranger = d.FromBroker(b"SRV_A:1/other", (result(bench.attempt("ONE")),))
    effects = bench.machine.handle(bench.instant, stranger)
    problems = [
        message
        for effect in effects
        if isinstance(effect, d.ToPeer)
        for message in effect.messages
        if isinstance(message, Problem)
    ]
    assert [problem.text for problem in problems] == ["finished: register first"]
    assert len(bench.journalled()) == before


# Output and progress.


def test_output_is_stored_once_however_it_is_repeated() -> None:
    bench = small()
    bench.told(INIT)
    bench.output("ONE", "a", "b").output("ONE", "a", "b", "c").output("ONE", "a")
    stored = [out for effect in bench.commits for out in effect.commit.outputs]
    assert [(out.first, out.pieces[0][2]) for out in stored] == [(0, b"a\nb"), (2, b"c")]
    through = [said.through for _, said in bench.sent if isinstance(said, OutputStored)]
    assert through[:2] == [2, 3]
    told = [
        json.loads(event.payload) for event in bench.events if event.channel == "output/T/1/ONE"
    ]
    assert [(one["first"], one["pieces"][0][2]) for one in told] == [(0, "a\nb"), (2, "c")]
    again = bench.restart().register(
        "SRV_A:1", epoch=2, holding=[Held(attempt=bench.attempt("ONE"), held_as=HeldAs.RUNNING)]
    )
    again.output("ONE", "b", "c", "d", first=1)
    assert [out.first for out in again.commits[-1].commit.outputs] == [3]


def test_nothing_is_stored_behind_lines_that_were_lost_on_the_way_and_are_still_held() -> None:
    bench = small()
    bench.told(INIT)
    attempt = bench.attempt("ONE")
    bench.output("ONE", "a")

    def line(number: int, held_from: int) -> Output:
        return Output(
            attempt=attempt, first=number, pieces=((bench.wall, 1, b"x"),), held_from=held_from
        )

    done = structs.replace(result(attempt), lines=3, held_from=1)
    bench.from_server("SRV_A:1", line(2, held_from=1)).from_server("SRV_A:1", done)
    assert verdicts(bench) == [], "it is sent again, with its output"
    bench.from_server("SRV_A:1", line(1, held_from=1)).from_server("SRV_A:1", line(2, held_from=1))
    bench.from_server("SRV_A:1", done)
    assert verdicts(bench) == [Verdict.STORED]
    stored = [out for effect in bench.commits for out in effect.commit.outputs]
    assert [out.first for out in stored] == [0, 1, 2]
    through = [said.through for _, said in bench.sent if isinstance(said, OutputStored)]
    assert through == [1, 2, 3]


def test_what_nobody_has_any_more_holds_up_nothing() -> None:
    bench = small()
    bench.told(INIT)
    attempt = bench.attempt("ONE")
    behind = Output(attempt=attempt, first=5, pieces=((bench.wall, 1, b"x"),), held_from=5)
    bench.from_server("SRV_A:1", behind)
    done = structs.replace(result(attempt), lines=7, held_from=7)
    assert verdicts(bench.from_server("SRV_A:1", done)) == [Verdict.STORED]
    assert [out.first for one in bench.commits for out in one.commit.outputs] == [5]


def test_what_a_server_says_of_an_attempt_that_it_was_not_given_changes_nothing() -> None:
    bench = small().register("SRV_A:2")
    bench.told(INIT)
    other = "SRV_A:2" if bench.server_of("ONE") == "SRV_A:1" else "SRV_A:1"
    one = bench.attempt("ONE")
    before = len(bench.commits)
    never = (one._replace(number=7), one._replace(path="NONE"), one._replace(shot=9))
    for attempt in (one, *never):
        output = Output(attempt=attempt, first=0, pieces=((1.0, 1, b"false\nfalse"),))
        bench.from_server(other, output, Started(attempt=attempt, started_at=1.0, pid=1))
        bench.from_server(other, Progress(attempt=attempt, fraction=0.5))
        bench.from_server(other, Tail(attempt=attempt, at=1.0, stream=1, text=b"false"))
    assert len(bench.commits) == before
    assert bench.live("ONE").state is ActionState.DISPATCHED
    assert bench.shot().lines == {}
    assert not [event for event in bench.events if event.channel.startswith("output/")]
    bench.from_server(other, result(one))
    assert verdicts(bench) == [Verdict.UNKNOWN]
    bench.output("ONE", "true", "true")
    assert [out.pieces[0][2] for out in bench.commits[-1].commit.outputs] == [b"true\ntrue"]
    bench.finish("ONE")
    assert verdicts(bench)[-1] is Verdict.STORED


def test_of_very_much_output_the_journal_keeps_the_beginning_and_says_so() -> None:
    bench = small().configure(journal={"output_bytes_max": 20})
    bench.told(INIT)
    bench.output("ONE", "0123456789").output("ONE", "abcde", "fghij", "klmno", first=1)
    bench.output("ONE", "x" * 1000, first=4).output("ONE", "y", first=5)
    stored = [piece for e in bench.commits for out in e.commit.outputs for piece in out.pieces]
    note = b"[the journal keeps 20 bytes of an attempt's output: the rest is cut here]"
    assert [(stream, text) for _, stream, text in stored] == [
        (1, b"0123456789"),
        (1, b"abcde"),
        (0, note),
    ]
    assert [said.through for _, said in bench.sent if isinstance(said, OutputStored)] == [
        1,
        4,
        5,
        6,
    ]


def test_output_of_a_late_attempt_is_stored_too() -> None:
    bench = small()
    bench.told(INIT)
    first = bench.attempt("ONE")
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.register("SRV_A:1", epoch=2, holding=[Held(attempt=first, held_as=HeldAs.RUNNING)])
    bench.output("ONE", "still here")
    assert bench.commits[-1].commit.outputs[0].attempt == 1
    assert bench.store.lines[KEY] == {("ONE", 1): 1}


def test_progress_is_shown_and_not_journalled() -> None:
    bench = small()
    bench.told(INIT)
    before = len(bench.commits)
    bench.from_server("SRV_A:1", Progress(attempt=bench.attempt("ONE"), fraction=0.5, text="half"))
    assert len(bench.commits) == before
    view = bench.view("ONE")
    assert (view.progress, view.progress_text) == (0.5, "half")
    bench.finish("ONE")
    assert bench.view("ONE").progress is None
    bench.from_server("SRV_A:1", Progress(attempt=bench.attempt("ONE"), fraction=0.7))
    assert bench.view("ONE").progress is None


def test_a_line_that_has_not_ended_is_shown_and_not_journalled() -> None:
    bench = small()
    bench.told(INIT)
    tail = Tail(attempt=bench.attempt("ONE"), at=1.0, stream=1, text=b"80 % \xff")
    bench.output("ONE", "begun")
    before = len(bench.commits)
    bench.from_server("SRV_A:1", tail)
    assert len(bench.commits) == before
    told = [e for e in bench.events if e.channel == "output/T/1/ONE"]
    event = msgspec.json.decode(told[-1].payload, type=OutputEvent)
    line = OutputLine(number=1, at=1.0, stream=1, text="80 % \\xff")
    assert (event.first, event.pieces, event.tail) == (1, (), line)
    bench.finish("ONE")
    bench.from_server("SRV_A:1", tail)
    assert len([e for e in bench.events if e.channel == "output/T/1/ONE"]) == len(told)


def test_who_asks_for_output_later_sees_the_line_that_has_not_ended_yet() -> None:
    def tails() -> list[str]:
        logs = bench.told(c.Logs(tree="T", shot=1, path="ONE"))
        return [
            line.text for line in msgspec.json.decode(logs.result or b"", type=LogsResult).tails
        ]

    bench = small()
    bench.told(INIT)
    one = bench.attempt("ONE")
    for stream, text in ((1, b"80 %"), (2, b"hm"), (1, b"90 %")):
        bench.from_server("SRV_A:1", Tail(attempt=one, at=1.0, stream=stream, text=text))
    assert tails() == ["90 %", "hm"]
    bench.output("ONE", "done")
    assert tails() == ["hm"]
    bench.finish("ONE")
    assert tails() == []


# Completion events (D13).


def outcomes(bench: Bench) -> list[EventOutcome]:
    return [record.outcome for record in bench.records(EventRaised)]


def trouble(bench: Bench, path: str = "ONE") -> str:
    found = view_of(bench.told(c.Actions(tree="T", shot=1)))
    assert isinstance(found, ActionsResult)
    return next(one.event_trouble for one in found.actions if one.path == path)


def test_a_completion_event_is_journalled_before_it_is_raised() -> None:
    bench = small()
    bench.told(INIT)
    bench.writes = False
    bench.finish("ONE")
    assert not [effect for effect in bench.left if isinstance(effect, t.RaiseEventJob)]
    bench.writes = True
    bench.written()
    (job,) = [effect for effect in bench.left if isinstance(effect, t.RaiseEventJob)]
    assert (job.key, job.event) == (KEY, "ONE_DONE")
    assert outcomes(bench) == [EventOutcome.INTENDED, EventOutcome.RAISED]


def test_a_completion_event_that_could_not_be_raised_says_so() -> None:
    bench = small()
    bench.told(INIT)
    bench.answers_jobs = False
    bench.finish("ONE")
    bench.answer_jobs("no event server")
    assert outcomes(bench) == [EventOutcome.INTENDED, EventOutcome.FAILED]
    assert bench.records(EventRaised)[-1].reason == "no event server"
    words = "event ONE_DONE was not raised: no event server"
    assert [said.text for said in bench.said if said.level == "error"] == [f"T/1: ONE: {words}"]
    assert trouble(bench) == words
    bench.finish("TWO")
    bench = bench.restart().register("SRV_A:1", epoch=2).recover()
    assert trouble(bench) == words
    bench.told(c.DispatchAction(path="ONE"))
    assert trouble(bench) == ""
    bench.finish("ONE")
    assert outcomes(bench)[2:] == [EventOutcome.INTENDED, EventOutcome.RAISED]
    assert trouble(bench) == ""


def test_a_log_is_not_filled_by_events_that_nobody_takes() -> None:
    """A dead event server fails the event of every action."""
    nodes = [
        structs.replace(action(f"A{number}", 1), completion_event="DONE")
        for number in range(FAILURES_SAID_MAX + 20)
    ]
    bench = Bench(*nodes).register("SRV_A:1", slots=len(nodes)).build()
    bench.told(INIT)
    bench.answers_jobs = False
    bench.finish(*(node.path for node in nodes))
    bench.answer_jobs("no event server")
    said = [one.text for one in bench.said if one.level == "error"]
    assert len(said) == FAILURES_SAID_MAX + 1
    assert said[-1].endswith("more actions of run 1 fail than are told here")
    assert trouble(bench, nodes[-1].path) == "event DONE was not raised: no event server"


def test_after_a_restart_an_event_is_perhaps_not_raised_and_never_repeated() -> None:
    bench = small()
    bench.told(INIT)
    bench.answers_jobs = False
    bench.finish("ONE")
    bench = bench.restart().register("SRV_A:1", epoch=2).recover()
    assert outcomes(bench) == [EventOutcome.INTENDED, EventOutcome.PERHAPS_NOT_RAISED]
    assert not [effect for effect in bench.left if isinstance(effect, t.RaiseEventJob)]
    words = "event ONE_DONE was perhaps not raised: the dispatcher ended meanwhile"
    assert [said.text for said in bench.said if said.level == "error"] == [f"T/1: ONE: {words}"]
    assert trouble(bench) == words
    assert len(bench.restart(recover=True).records(EventRaised)) == 2


@pytest.mark.parametrize(("wanted", "count"), [("all", 1), ("success", 0)])
def test_events_of_failures_are_raised_where_they_are_wanted(wanted: str, count: int) -> None:
    bench = small(completion_events=wanted)
    bench.told(INIT)
    bench.finish("ONE", ok=False)
    assert len([effect for effect in bench.left if isinstance(effect, t.RaiseEventJob)]) == count


def test_no_event_of_what_was_aborted() -> None:
    bench = small()
    bench.told(INIT)
    bench.told(c.Abort())
    bench.from_server("SRV_A:1", result(bench.attempt("ONE"), ended_by=EndedBy.ABORT))
    assert outcomes(bench) == []


# The journal's gate (I4, I9).


def test_one_commit_is_in_flight_and_the_next_one_gathers() -> None:
    nodes = [action(name, 1) for name in ("A", "B", "C")] + [action("D", 2)]
    bench = Bench(*nodes).register("SRV_A:1", slots=9).build()
    bench.told(INIT)
    bench.writes = False
    commits = len(bench.commits)
    bench.finish("A")
    bench.finish("B")
    bench.finish("C")
    assert len(bench.commits) == commits + 1
    assert verdicts(bench) == []
    bench.written()
    assert verdicts(bench) == [Verdict.STORED]
    assert len(bench.commits) == commits + 2, "B and C, and what they made ready, go together"
    gathered = bench.commits[-1].commit.shots[KEY].records
    assert [(r.path, r.state.value) for r in gathered if isinstance(r, Transition)] == [
        ("B", "DONE"),
        ("C", "DONE"),
        ("D", "DISPATCHED"),
    ]
    assert bench.dispatched() == ["A", "B", "C"]
    bench.written()
    assert bench.dispatched() == ["A", "B", "C", "D"]
    numbers = [effect.commit.number for effect in bench.commits]
    assert numbers == list(range(1, len(numbers) + 1))


def test_effects_leave_in_the_journal_s_order() -> None:
    bench = small()
    bench.writes = False
    bench.ask(INIT, "do-phase-1")
    bench.ask(c.SystemStatus(), "status-001")
    left = len(bench.left)
    bench.written()
    order = [
        getattr(message, "id", None) or message.kind
        for effect in bench.left[left:]
        if isinstance(effect, d.ToPeer) and effect.target
        for message in effect.messages
    ]
    assert order.index("do-phase-1") < order.index("status-001")
    assert "dispatch" in order
    assert bench.dispatched() == ["ONE"]


def test_a_written_commit_counts_once() -> None:
    bench = small()
    bench.writes = False
    bench.ask(INIT, "do-phase-1")
    number = bench.commits[-1].commit.number
    bench.handle(j.Written(number - 1), j.Written(number + 1))
    assert bench.dispatched() == []
    bench.written()
    bench.handle(j.Written(number))
    assert bench.dispatched() == ["ONE"]
    assert len(bench.replies_to("do-phase-1")) == 1


def test_nothing_new_starts_while_the_journal_has_stopped() -> None:
    bench = small()
    bench.told(INIT)
    bench.handle(j.JournalChanged(JournalState.STOPPED, "the spill file is full"))
    bench.finish("ONE")
    assert bench.dispatched() == ["ONE"]
    assert bench.states()["TWO"] == "NOT_DISPATCHED"
    bench.pass_time(30.0)
    assert bench.dispatched() == ["ONE"]
    bench.handle(j.JournalChanged(JournalState.OK, "Redis is back"))
    assert bench.dispatched() == ["ONE", "TWO"]


def test_everybody_sees_the_journal_s_state_at_once() -> None:
    bench = small()
    for state in ("degraded", "stopped", "ok"):
        bench.handle(j.JournalChanged(JournalState(state), f"it is {state}"))
        beats = [event for event in bench.events if event.channel == "feed"]
        assert msgspec.json.decode(beats[-1].payload, type=FeedBeat).journal == state


def test_who_looks_is_answered_while_the_journal_has_stopped() -> None:
    bench = small()
    bench.writes = False
    bench.ask(INIT, "do-phase-1")
    bench.handle(j.JournalChanged(JournalState.STOPPED, "the spill file is full"))
    assert bench.told(c.SystemStatus()).outcome is Outcome.OK
    assert bench.told(SHOT).outcome is Outcome.OK
    assert bench.replies_to("do-phase-1") == [], "what changes something is not journalled yet"
    beats = [event for event in bench.events if event.channel == "feed"]
    assert msgspec.json.decode(beats[-1].payload, type=FeedBeat).journal == "stopped"
    bench.handle(j.JournalChanged(JournalState.OK, "Redis is back"))
    bench.writes = True
    bench.written()
    assert bench.replies_to("do-phase-1")
    assert bench.dispatched() == ["ONE"]


def test_beats_leave_in_their_order_when_the_journal_stops() -> None:
    bench = small()
    bench.writes = False
    bench.ask(INIT, "do-phase-1")
    bench.pass_time(2.0)  # beats wait behind the commit
    bench.handle(j.JournalChanged(JournalState.STOPPED, "the spill file is full"))
    bench.pass_time(2.0)
    numbers = channel(bench, "feed")
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


# Observers (I6).


def channel(bench: Bench, name: str) -> list[int]:
    return [event.seq for event in bench.events if event.channel == name]


def test_events_are_numbered_without_gaps_and_beats_name_the_last() -> None:
    bench = small()
    bench.told(INIT)
    bench.start("ONE").finish("ONE", "TWO")
    bench.pass_time(2.0)
    for name in ("shot/T/1", "servers", "feed", "log"):
        assert channel(bench, name) == list(range(1, len(channel(bench, name)) + 1)), name
    beat = msgspec.json.decode(
        next(event for event in reversed(bench.events) if event.channel == "feed").payload,
        type=FeedBeat,
    )
    assert beat.last["shot/T/1"] == channel(bench, "shot/T/1")[-1]
    assert beat.last["servers"] == channel(bench, "servers")[-1]
    assert {event.term for event in bench.events} == {1}
    assert {event.term for event in bench.restart(recover=True).events} == {2}


def test_a_snapshot_and_the_events_after_it_are_the_whole() -> None:
    bench = small()
    bench.told(INIT)
    bench.start("ONE")
    reply = bench.told(SHOT)
    snapshot = view_of(reply)
    assert isinstance(snapshot, SnapshotResult)
    shown = {view.path: view.last for view in snapshot.actions}
    bench.finish("ONE", "TWO")
    for event in bench.events:
        if event.channel == "shot/T/1" and event.seq > snapshot.seq:
            for record in msgspec.json.decode(event.payload, type=ShotEvent).records:
                if isinstance(record, Transition):
                    shown[record.path] = record
    assert shown == bench.shot().actions


def test_every_channel_that_is_always_there_has_a_snapshot() -> None:
    bench = small()
    for name in STANDING:
        snapshot = view_of(bench.told(c.Snapshot(channel=name)))
        assert isinstance(snapshot, SnapshotResult), name
        assert snapshot.channel == name


def test_a_snapshot_never_shows_less_than_its_number_says() -> None:
    bench = small()
    bench.writes = False
    bench.ask(INIT)
    bench.ask(SHOT, "snapshot-1")
    bench.written()
    (reply,) = bench.replies_to("snapshot-1")
    snapshot = view_of(reply)
    assert isinstance(snapshot, SnapshotResult)
    before = [e for e in bench.left if isinstance(e, d.Publish) and e.event.channel == "shot/T/1"]
    assert snapshot.seq <= before[-1].event.seq
    shown = {view.path: view.last.state for view in snapshot.actions}
    assert shown["ONE"] is ActionState.DISPATCHED


def test_a_channel_that_nobody_knows_is_refused() -> None:
    bench = small()
    for name in ("shot/X/1", "shot/T/99", "nosuch"):
        assert bench.told(c.Snapshot(channel=name)).outcome is Outcome.REFUSED
    for name in ("servers", "log", "feed", "output/T/1/ONE"):
        assert bench.told(c.Snapshot(channel=name)).outcome is Outcome.OK


def test_log_lines_of_daemons_are_passed_on() -> None:
    bench = small()
    line = LogLine(source="SRV_A:1", level="warning", text="<b>hot</b>", at=1.0)
    bench.from_server("SRV_A:1", line)
    bench.handle(d.FromBroker(b"", (line,)))
    told = [json.loads(event.payload) for event in bench.events if event.channel == "log"]
    passed_on = {"lines": [[1.0, "warning", "SRV_A:1", "<b>hot</b>"]], "about": None}
    assert told[-2:] == [passed_on] * 2


def test_what_has_failed_is_an_error_in_the_log_once_and_names_its_attempt() -> None:
    bench = small()
    bench.told(INIT)
    bench.start("ONE").finish("ONE", ok=False)
    told = [
        msgspec.json.decode(one.payload, type=LogEvent)
        for one in bench.events
        if one.channel == "log"
    ]
    [about] = [one for one in told if one.about is not None]
    assert about.about == ("T", 1, "ONE", 1)
    [(_, level, source, text)] = about.lines
    assert (level, source) == ("error", "dispatcher")
    assert text.startswith("T/1: ONE on SRV_A:1: Failure")


def test_of_very_many_failures_the_log_names_the_first() -> None:
    nodes = [action(f"A{number:03}", 1, "NOWHERE") for number in range(FAILURES_SAID_MAX + 50)]
    bench = Bench(*nodes).register("SRV_A:1")
    bench.build().told(INIT)
    bench.pass_time(6.0)
    told = [
        msgspec.json.decode(one.payload, type=LogEvent)
        for one in bench.events
        if one.channel == "log"
    ]
    errors = [line[3] for one in told for line in one.lines if line[1] == "error"]
    assert len(errors) == FAILURES_SAID_MAX + 1
    assert errors[-1] == "T/1: more actions of run 1 fail than are told here"


def test_a_farewell_is_the_last_beat() -> None:
    bench = small()
    bench.handle(d.StopAsked())
    beats = [
        msgspec.json.decode(e.payload, type=FeedBeat) for e in bench.events if e.channel == "feed"
    ]
    assert [one.leaving for one in beats] == [False] * (len(beats) - 1) + [True]


def test_bad_input_changes_nothing_and_is_answered() -> None:
    bench = small()
    before = len(bench.commits)
    effects = bench.machine.handle(bench.instant, d.MalformedFrom(b"SRV_A:1/one", "not a map"))
    assert any(
        isinstance(effect, d.ToPeer) and effect.messages == (Problem(text="not a map"),)
        for effect in effects
    )
    wrong = Dispatch(term=1, epoch=1, number=1, attempt=AttemptId(*KEY, "ONE", 1), task=b"{}")
    bench.machine.handle(bench.instant, d.FromBroker(b"SRV_A:1/one", (wrong,)))
    bench.machine.handle(bench.instant, d.FromBroker(b"", (wrong,)))
    assert len(bench.commits) == before
    assert bench.told(INIT).outcome is Outcome.OK


# How much is kept (I8, D14).


def test_old_shots_are_forgotten_and_open_ones_are_not() -> None:
    bench = small().configure(journal={"keep_shots": 3}, dispatcher={"shots_loaded_max": 2})
    bench.told(INIT)  # shot 1 has an open run
    for number in range(2, 7):
        bench.pass_time(1.0)
        bench.build(ShotKey("T", number))
    assert bench.forgotten == [ShotKey("T", 2), ShotKey("T", 3)]
    assert set(bench.machine.core.stored) == {KEY, *(ShotKey("T", shot) for shot in (4, 5, 6))}
    assert KEY in bench.machine.core.shots
    assert len(bench.machine.core.shots) <= 3
    bench.finish("ONE", "TWO")
    assert len(bench.records(RunEnded)) == 1


def test_the_shots_unused_for_longest_are_forgotten_also_when_the_clock_was_wrong() -> None:
    bench = small().configure(journal={"keep_shots": 3})
    bench.wall += 3e9  # a clock that has lost its battery
    for number in (2, 3):
        bench.pass_time(1.0).build(ShotKey("T", number))
    bench.wall -= 3e9
    for number in (4, 5, 6):
        bench.pass_time(1.0).build(ShotKey("T", number))
    assert bench.forgotten == [KEY, ShotKey("T", 2), ShotKey("T", 3)]


def test_a_shot_that_was_put_aside_is_read_again_when_it_is_named() -> None:
    bench = small().configure(dispatcher={"shots_loaded_max": 1})
    bench.told(INIT)
    bench.finish("ONE", "TWO")
    bench.build(ShotKey("T", 2))
    assert KEY not in bench.machine.core.shots
    reply = bench.told(c.Actions(tree="T", shot=1))
    assert reply.outcome is Outcome.OK
    assert bench.told(c.DispatchAction(tree="T", shot=1, path="ONE")).outcome is Outcome.OK
    assert bench.attempt("ONE").number == 2
    assert [record.run for record in bench.records(RunOpened)] == [1, 2]


def test_what_cannot_be_read_now_is_refused() -> None:
    bench = small().configure(dispatcher={"shots_loaded_max": 1})
    bench.build(ShotKey("T", 2))
    bench.answers_jobs = False
    for at, command in enumerate(
        (c.Actions(tree="T", shot=1), c.Logs(tree="T", shot=2, path="ONE"))
    ):
        bench.ask(command, f"question-{at}")
        bench.answer_jobs("Redis is away")
        (reply,) = bench.replies_to(f"question-{at}")
        assert reply.outcome is Outcome.REFUSED
        assert "Redis is away" in reply.message
