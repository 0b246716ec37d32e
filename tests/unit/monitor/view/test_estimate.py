"""What is left of a run, what limits it, and which actions are slow."""

from collections.abc import Mapping, Sequence

import pytest
from msgspec import structs
from tests.support import steps

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.records import ShotKey, Transition
from shotline.common.views import ActionView
from shotline.monitor.view.durations import Durations
from shotline.monitor.view.estimate import LISTED_MAX, STEP, Forecast, Usual, estimating

NOW = 1000.0
KEY = ShotKey("T", 9)


def estimate(
    run: int,
    actions: Sequence[ActionView],
    usual: Usual,
    slots: Mapping[str, int],
    now: float,
    slow_factor: float,
) -> Forecast:
    """Return what is expected, without a pause."""
    return steps.done(estimating(run, actions, usual, slots, now, slow_factor))[1]


def action(
    path: str, number: int | None = None, *references: str, server_class: str = "A"
) -> ActionView:
    return ActionView(
        path=path,
        name=path,
        server_class=server_class,
        phase="INIT",
        number=number,
        references=references,
        last=Transition(time=0.0, path=path, state=ActionState.NOT_DISPATCHED, run=1),
    )


def running(view: ActionView, for_s: float) -> ActionView:
    last = structs.replace(view.last, state=ActionState.DOING, started_at=NOW - for_s, server="A:1")
    return structs.replace(view, last=last)


def done(view: ActionView, began: float, took: float, server: str = "A:1") -> ActionView:
    last = structs.replace(
        view.last,
        state=ActionState.DONE,
        status=Status.SUCCESS,
        cause=Cause.RESULT,
        server=server,
        dispatched_at=began,
        started_at=began,
        ended_at=began + took,
        duration_s=took,
    )
    return structs.replace(view, last=last)


def usual(**seconds: float) -> "dict[str, float]":
    return seconds


def test_numbers_follow_each_other_and_a_number_is_shared_by_the_slots() -> None:
    actions = [action("A1", 10), action("A2", 10), action("B1", 20)]
    known = usual(A1=3.0, A2=2.0, B1=4.0)
    two = estimate(1, actions, known.get, {"A": 2}, NOW, 1.5)
    assert two.remaining_s == pytest.approx(7.0)
    assert two.critical == ("A1", "B1")
    one = estimate(1, actions, known.get, {"A": 1}, NOW, 1.5)
    assert one.remaining_s == pytest.approx(9.0)
    assert one.critical == ("A1", "A2", "B1")


def test_classes_do_not_wait_for_each_other_but_conditions_do() -> None:
    actions = [
        action("A1", 10),
        action("B1", 10, server_class="B"),
        action("C1", None, "A1", "B1", server_class="B"),
    ]
    known = usual(A1=3.0, B1=5.0, C1=1.0)
    found = estimate(1, actions, known.get, {"A": 1, "B": 1}, NOW, 1.5)
    assert found.remaining_s == pytest.approx(6.0)
    assert found.critical == ("B1", "C1")


def test_what_has_run_for_a_while_takes_the_rest() -> None:
    actions = [running(action("A1", 10), 2.0), action("B1", 20)]
    found = estimate(1, actions, usual(A1=3.0, B1=4.0).get, {"A": 1}, NOW, 1.5)
    assert found.remaining_s == pytest.approx(5.0)
    over = [running(action("A1", 10), 60.0), action("B1", 20)]
    late = estimate(1, over, usual(A1=3.0, B1=4.0).get, {"A": 1}, NOW, 1.5)
    assert late.remaining_s == pytest.approx(4.0)
    assert late.slow == ("A1",)


def test_nothing_is_said_where_nothing_is_known() -> None:
    found = estimate(1, [action("A1", 10)], usual().get, {}, NOW, 1.5)
    assert found.remaining_s is None
    assert found.known == 0.0
    half = estimate(1, [action("A1", 10), action("A2", 20)], usual(A1=2.0).get, {}, NOW, 1.5)
    assert half.known == 0.5
    assert half.remaining_s == pytest.approx(4.0)


def test_conditions_in_a_circle_end() -> None:
    actions = [action("A1", None, "B1"), action("B1", None, "A1")]
    assert estimate(1, actions, usual(A1=1.0, B1=1.0).get, {}, NOW, 1.5).remaining_s == 0.0


def test_after_the_end_the_way_that_it_took_is_shown() -> None:
    actions = [
        done(action("A1", 10), 100.0, 5.0),
        done(action("A2", 10), 100.0, 1.0, "A:2"),
        done(action("B1", 10, server_class="B"), 100.0, 2.0, "B:1"),
        done(action("A3", 20), 105.0, 1.0),
        done(action("C1", None, "A3", "B1", server_class="B"), 106.0, 3.0, "B:1"),
    ]
    found = estimate(1, actions, usual().get, {}, NOW, 1.5)
    assert found.remaining_s == 0.0
    assert found.critical == ("A1", "A3", "C1")


def test_one_action_of_five_shots_that_becomes_three_times_slower_is_marked() -> None:
    durations = Durations(10)
    for shot in range(1, 6):
        for path, took in (("FAST", 1.0), ("OTHER", 2.0)):
            live = done(action(path), 0.0, took + shot / 100).last
            durations.note(ShotKey("T", shot), live)
    actions = [done(action("FAST", 10), 0.0, 3.0), done(action("OTHER", 10), 0.0, 2.1)]
    found = estimate(1, actions, lambda path: durations.median(KEY, path), {}, NOW, 1.5)
    assert found.slow == ("FAST",)


def test_a_shot_does_not_count_in_its_own_median() -> None:
    durations = Durations(2)
    for shot, took in ((1, 100.0), (7, 1.0), (8, 3.0), (9, 50.0)):
        durations.note(ShotKey("T", shot), done(action("X"), 0.0, took).last)
    assert durations.median(KEY, "X") == 2.0  # of shots 7 and 8: the last two others
    assert durations.median(KEY, "Y") is None
    assert durations.median(ShotKey("OTHER", 9), "X") is None


def test_ten_thousand_actions_are_no_trouble() -> None:
    actions = [action(f"N{number}", number // 10) for number in range(10_000)]
    found = estimate(1, actions, lambda _: 1.0, {"A": 5}, NOW, 1.5)
    assert found.remaining_s == pytest.approx(2_000.0)


class Number(int):
    """A sequence number that counts how often it is compared."""

    compared = 0

    def __lt__(self, other: object) -> bool:
        Number.compared += 1
        return int(self) < other if isinstance(other, int) else NotImplemented

    def __gt__(self, other: object) -> bool:
        Number.compared += 1
        return int(self) > other if isinstance(other, int) else NotImplemented

    __hash__ = int.__hash__


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "to come"])
def test_a_chain_of_ten_thousand_numbers_takes_no_work_beyond_its_length(*, ended: bool) -> None:
    actions = [action(f"N{number}", number) for number in range(10_000)]
    if ended:
        actions = [done(one, 2.0 * (one.number or 0), 1.0) for one in actions]
    chain = [structs.replace(one, number=Number(one.number or 0)) for one in actions]
    Number.compared = 0
    found = estimate(1, chain, lambda _: 1.0, {"A": 1}, NOW, 1.5)
    assert found.critical == tuple(one.path for one in actions)
    assert Number.compared < 50 * len(actions)
    limits = found.limits()["critical"]
    assert limits == [one.path for one in actions[-LISTED_MAX:]]


def test_what_waits_at_its_server_is_not_slow() -> None:
    waiting = action("Q", 10)
    sent = {"state": ActionState.DISPATCHED, "dispatched_at": NOW - 100.0, "server": "A:1"}
    waiting = structs.replace(waiting, last=structs.replace(waiting.last, **sent))
    assert estimate(1, [waiting], usual(Q=1.0).get, {"A": 1}, NOW, 1.5).slow == ()


def test_actions_of_earlier_runs_are_still_said_to_have_been_slow() -> None:
    of_run, before = done(action("X"), 0.0, 1.0), done(action("Y"), 0.0, 9.0)
    found = steps.done(estimating(1, [of_run], usual(X=1.0, Y=1.0).get, {}, NOW, 1.5, [before]))[1]
    assert (found.slow, found.critical) == (("Y",), ("X",))


def test_of_many_actions_others_come_in_between() -> None:
    actions = [action(f"A{number}", number) for number in range(10 * STEP)]
    number, found = steps.done(estimating(1, actions, lambda _: 1.0, {"A": 4}, NOW, 1.5))
    assert number > 20
    assert found.remaining_s == 10 * STEP
