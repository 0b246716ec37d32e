"""Tables whose source has changed since they were built: what a run says, when it is refused."""

import pytest
from msgspec import structs
from tests.support.dispatching import KEY, Bench, view_of
from tests.support.tables import action

from shotline.common.commands import (
    Actions,
    AnyCommand,
    BuildTables,
    Check,
    CreatePulse,
    DispatchAction,
    DoPhase,
    DoSequence,
    Shots,
    Show,
)
from shotline.common.dangers import Danger
from shotline.common.messages import Outcome
from shotline.common.nodes import DispatchOptions, SourceMark
from shotline.common.records import SourceSeen
from shotline.common.views import ShotsResult
from shotline.dispatcher.commands.sources import compare
from shotline.dispatcher.shots import Shot
from shotline.dispatcher.trees import jobs as t

OWN = SourceMark(what="the tree T/1", mark="1", parts={"ONE": "a", "TWO": "b"})
MODEL = SourceMark(what="the model", mark="m", model=True)
CHANGED = structs.replace(OWN, mark="2", parts={"ONE": "c", "TWO": "b"}, changed="noon")
GONE = structs.replace(MODEL, mark="")
PHASE = DoPhase(phase="INIT")
RANGE = DoSequence(phase="INIT", first=1, last=20)
ONE = DispatchAction(path="ONE")
REFUSING = DispatchOptions(changed_source="refuse")
BUILD = "`shotline build-tables T 1`"


def bench(options: DispatchOptions | None = None, *marks: SourceMark) -> Bench:
    made = Bench(action("ONE"), action("TWO"), options=options)
    made.marks = marks or (OWN, MODEL)
    return made.register("SRV_A:1", slots=2).build()


def sent(made: Bench) -> int:
    return len(made.dispatches())


@pytest.mark.parametrize("command", [PHASE, RANGE, ONE])
def test_an_unchanged_source_is_not_spoken_of(command: AnyCommand) -> None:
    made = bench(REFUSING)
    reply = made.told(command)
    assert (reply.outcome, reply.notices) == (Outcome.OK, ())
    assert sent(made) > 0


@pytest.mark.parametrize("command", [PHASE, RANGE, ONE])
def test_a_changed_source_is_said_with_what_helps(command: AnyCommand) -> None:
    made = bench()
    made.marks = (CHANGED, MODEL)
    reply = made.told(command)
    assert reply.outcome is Outcome.OK
    (notice,) = reply.notices
    assert "the tree T/1 has changed since the tables of T/1 were built (on noon): ONE;" in notice
    assert BUILD in notice
    assert sent(made) > 0
    assert [say.level for say in made.said if say.text == notice] == ["warning"]


def test_it_is_said_at_the_end_of_a_run_that_somebody_waits_for() -> None:
    made = bench()
    made.marks = (CHANGED, MODEL)
    assert made.ask(structs.replace(PHASE, wait=True), "wait-0001") is None
    made.finish("ONE", "TWO")
    (reply,) = [one for one in made.replies_to("wait-0001") if one.outcome is Outcome.OK]
    assert BUILD in reply.notices[0]


def test_tables_built_again_are_those_of_the_source() -> None:
    made = bench(REFUSING)
    made.marks = (CHANGED, MODEL)
    assert made.told(PHASE).dangers
    made.told(BuildTables(tree="T", shot=1))
    reply = made.told(PHASE)
    assert (reply.outcome, reply.notices) == (Outcome.OK, ())


@pytest.mark.parametrize("command", [PHASE, RANGE])
@pytest.mark.parametrize("changed", [(CHANGED, MODEL), (OWN, GONE)])
def test_it_is_refused_where_the_experiment_says_so(
    command: DoPhase | DoSequence, changed: tuple[SourceMark, ...]
) -> None:
    made = bench(REFUSING)
    made.marks = changed
    reply = made.told(command)
    assert reply.outcome is Outcome.REFUSED
    assert [one.danger for one in reply.dangers] == [Danger.SOURCE_CHANGED]
    assert "--even-if-changed" in reply.message
    assert sent(made) == 0
    for insisting in ({"even_if_changed": True}, {"insist": (Danger.SOURCE_CHANGED,)}):
        again = bench(REFUSING)
        again.marks = changed
        reply = again.told(structs.replace(command, **insisting))
        assert reply.outcome is Outcome.OK
        assert len(reply.notices) == 1
        assert sent(again) > 0


def test_one_action_is_read_again_from_its_own_source_but_not_from_the_model() -> None:
    made = bench(REFUSING)
    made.marks = (CHANGED, MODEL)
    reply = made.told(ONE)
    assert reply.outcome is Outcome.OK
    assert BUILD in reply.notices[0]
    made = bench(REFUSING)
    made.marks = (OWN, structs.replace(MODEL, mark="n"))
    reply = made.told(ONE)
    assert [one.danger for one in reply.dangers] == [Danger.SOURCE_CHANGED]
    assert "`shotline create-pulse T 1 --replace`, which loses the pulse's data" in reply.message
    assert sent(made) == 0


def test_nobody_looks_where_it_is_to_be_ignored_or_nothing_is_known() -> None:
    made = bench(DispatchOptions(changed_source="ignore"))
    made.marks = (CHANGED,)
    assert made.told(PHASE).notices == ()
    for marks in ((), (SourceMark(what="the tree", unseen="no access"),)):
        made = Bench(action("ONE"), options=REFUSING)
        made.marks = marks
        made.register("SRV_A:1").build()
        made.marks = (CHANGED,)
        assert made.told(PHASE).notices == ()
    assert not any(isinstance(effect, t.LookAtSourcesJob) for effect in made.left)


def test_a_tree_that_is_away_stops_no_run_and_is_said() -> None:
    made = bench(REFUSING)
    made.answers_jobs = False
    assert made.ask(PHASE, "phase-0001") is None
    assert sent(made) == 0
    made.answer_jobs("the tree T: no connection")
    (reply,) = made.replies_to("phase-0001")
    assert reply.outcome is Outcome.OK
    assert "is not known: the tree T: no connection" in reply.notices[0]
    assert sent(made) > 0


def test_a_tree_that_does_not_answer_is_waited_for_a_moment_only() -> None:
    made = bench(REFUSING)
    made.answers_jobs = False
    assert made.ask(PHASE, "phase-0001") is None
    made.pass_time(made.config.dispatcher.source_look_s - 0.01)
    assert made.replies_to("phase-0001") == []
    made.pass_time(0.02)
    (reply,) = made.replies_to("phase-0001")
    assert "no answer within 2 s (dispatcher.source_look_s)" in reply.notices[0]
    assert sent(made) > 0
    runs = len(made.shot().runs)
    made.marks = (CHANGED,)
    made.answer_jobs()  # nobody waits for it any more
    assert len(made.shot().runs) == runs
    assert len(made.replies_to("phase-0001")) == 1


def test_one_source_that_cannot_be_looked_at_hides_no_other() -> None:
    made = bench()
    made.marks = (CHANGED, structs.replace(MODEL, mark="", unseen="Permission denied"))
    changed, unknown = made.told(PHASE).notices
    assert "the tree T/1 has changed" in changed
    assert "whether the model has changed" in unknown
    assert "Permission denied" in unknown


def test_what_was_refused_before_is_refused_without_a_look() -> None:
    made = bench()
    before = len(made.left)
    assert made.told(DoPhase(phase="NONE")).outcome is Outcome.REFUSED
    assert made.told(DoSequence(phase="INIT", first=2, last=1)).outcome is Outcome.REFUSED
    assert not any(isinstance(effect, t.LookAtSourcesJob) for effect in made.left[before:])


def test_a_look_that_refuses_nothing_delays_no_run() -> None:
    made = bench()
    made.answers_jobs = False
    made.marks = (CHANGED, MODEL)
    assert made.ask(PHASE, "phase-0001") is None
    assert sent(made) > 0
    made.finish("ONE", "TWO")
    assert made.replies_to("phase-0001") == []
    made.answer_jobs()
    (reply,) = made.replies_to("phase-0001")
    assert BUILD in reply.notices[0]
    assert made.told(PHASE, "phase-0001") == reply  # a repeat


def test_a_run_that_somebody_waits_for_begins_while_the_tree_is_looked_at() -> None:
    made = bench()
    made.answers_jobs = False
    made.marks = (CHANGED, MODEL)
    assert made.ask(structs.replace(PHASE, wait=True), "wait-0001") is None
    made.pass_time(1.0)
    assert made.replies_to("wait-0001") == []
    made.answer_jobs()
    made.pass_time(1.0)
    (begun,) = made.replies_to("wait-0001")
    assert begun.outcome is Outcome.ACCEPTED
    assert BUILD in begun.notices[0]
    made.finish("ONE", "TWO")
    _, reply = made.replies_to("wait-0001")
    assert reply.outcome is Outcome.OK
    assert reply.notices == begun.notices


def test_a_run_that_has_ended_before_the_tree_answers_is_told_a_moment_later() -> None:
    made = bench()
    made.answers_jobs = False
    assert made.ask(structs.replace(PHASE, wait=True), "wait-0001") is None
    made.finish("ONE", "TWO")
    assert made.replies_to("wait-0001") == []
    made.pass_time(made.config.dispatcher.source_look_s + 0.01)
    (reply,) = made.replies_to("wait-0001")
    assert reply.outcome is Outcome.OK
    assert "no answer within 2 s" in reply.notices[0]


def test_what_happens_during_the_look_counts() -> None:
    made = bench(REFUSING)
    made.answers_jobs = False
    for number in (1, 2):
        assert made.ask(PHASE, f"phase-000{number}") is None
    made.answer_jobs()
    first, second = made.replies_to("phase-0001"), made.replies_to("phase-0002")
    assert first[-1].outcome is Outcome.OK
    assert "is open; one run at a time" in second[-1].message
    made.finish("ONE", "TWO")
    assert made.ask(DoPhase(phase="INIT"), "phase-0003") is None
    made.answers_jobs, looks = True, made.jobs
    made.jobs = []
    made.told(CreatePulse(tree="T", shot=2))
    for job in looks:
        made.handle(made.answer_of(job))
    (reply,) = made.replies_to("phase-0003")
    assert "T/1 run 2" in reply.message  # which was the current pulse when it was asked for


def _is_shown(made: Bench, notice: str) -> None:
    for command in (Actions(tree="T", shot=1), Check(tree="T", shot=1)):
        assert made.told(command).notices == (notice,)
    assert notice in made.told(Show(tree="T", shot=1, path="ONE")).notices
    shots = view_of(made.told(Shots()))
    assert isinstance(shots, ShotsResult)
    (shot,) = shots.shots
    assert shot.source_changed == notice


def test_what_was_seen_is_shown_and_survives_a_restart() -> None:
    made = bench()
    made.marks = (CHANGED, MODEL)
    (notice,) = made.told(PHASE).notices
    made.finish("ONE", "TWO")
    made.told(PHASE)
    made.finish("ONE", "TWO")
    assert [one.changed for one in made.records(SourceSeen)] == [notice]  # told once
    _is_shown(made, notice)
    later = made.restart(recover=True)
    _is_shown(later, notice)
    later.marks = (CHANGED, MODEL)
    later.register("SRV_A:1", epoch=2)
    assert later.told(PHASE).notices == (notice,)  # the table remembers its marks
    later.marks = (OWN, MODEL)
    later.finish("ONE", "TWO")
    assert later.told(PHASE).notices == ()  # changed back
    later.finish("ONE", "TWO")
    assert later.told(Actions(tree="T", shot=1)).notices == ()


@pytest.mark.parametrize(
    "command", [BuildTables(tree="T", shot=1), CreatePulse(tree="T", shot=1, replace=True)]
)
def test_what_was_seen_is_forgotten_with_the_tables(command: AnyCommand) -> None:
    made = bench()
    made.marks = (CHANGED, MODEL)
    made.told(PHASE)
    made.finish("ONE", "TWO")
    assert made.shot().source_changed
    made.told(command)
    assert not made.shot().source_changed


def test_a_history_written_anew_has_what_was_seen() -> None:
    made = bench()
    made.marks = (CHANGED, MODEL)
    made.told(PHASE)
    made.finish("ONE", "TWO")
    again = Shot(KEY)
    for record in made.shot().records(made.wall):
        again.apply(record)
    assert again.source_changed == made.shot().source_changed != ""
    assert again.built is not None
    assert again.built.sources == (OWN, MODEL)


def test_a_source_that_went_is_said_to_be_gone_and_another_one_to_be_another() -> None:
    seen = compare(KEY, (OWN,), (structs.replace(OWN, mark="", parts={}),))
    assert "the tree T/1 is no longer there" in seen.changed[0]
    assert seen.rereads
    seen = compare(KEY, (OWN,), (MODEL,))
    assert seen.changed == ()
    assert "the tree T/1 is no longer the source of T/1" in seen.unknown[0]


def test_few_of_many_changed_actions_are_named() -> None:
    many = structs.replace(OWN, parts={f"A{n}": "a" for n in range(100)})
    gone = structs.replace(OWN, mark="2", parts={})
    (text,) = compare(KEY, (many,), (gone,)).changed
    assert "A19 and 80 more" in text
