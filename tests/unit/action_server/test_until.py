"""A server that was started for some time, or for some actions, and ends in order."""

import pytest

from shotline.action_server.until import ANSWER_S, Term, Until
from shotline.common.machine import Instant


def at(seconds: float) -> Instant:
    return Instant(seconds, 0.0)


@pytest.mark.parametrize(
    ("words", "term"),
    [
        ([], Term()),
        (["idle=60"], Term(60.0)),
        (["idle=0.5", "actions=20"], Term(0.5, 20)),
        ([" actions=1 "], Term(None, 1)),
    ],
)
def test_how_it_is_said(words: list[str], term: Term) -> None:
    assert Term.of(words) == term


@pytest.mark.parametrize(
    "words",
    [
        ["idle"],
        ["idle=-1"],
        ["idle=1e3"],
        ["actions=0"],
        ["actions=1.5"],
        ["idle=1", "idle=2"],
        ["runs=3"],
        ["idle=\u0661"],
    ],
)
def test_what_is_no_such_word(words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"idle=SECONDS|whole number"):
        Term.of(words)


def test_idle_counts_from_the_start_and_from_the_last_end() -> None:
    until = Until(Term(idle_s=10.0))
    assert not until.look(at(0), 0, has_work=False)
    assert until.wake_at() == 10.0
    assert not until.look(at(9), 1, has_work=True)
    assert not until.look(at(30), 1, has_work=False)
    assert not until.look(at(39), 1, has_work=False)
    assert until.left(1)
    assert until.look(at(40), 1, has_work=False)
    assert until.reason == "it was idle for 10 s"
    assert not until.left(1), "nothing more is taken"
    assert not until.look(at(41), 1, has_work=False), "it asks once"


def test_after_so_many_actions_once_they_are_answered() -> None:
    until = Until(Term(actions=2))
    assert until.left(1)
    assert not until.left(2)
    assert not until.look(at(0), 2, has_work=True)
    assert until.look(at(1), 2, has_work=False)
    assert until.reason == "it has served its 2 actions"


def test_nobody_is_waited_for_for_ever() -> None:
    until = Until(Term(idle_s=1.0))
    until.look(at(0), 0, has_work=False)
    until.look(at(1), 0, has_work=False)
    assert not until.is_over(at(1 + ANSWER_S / 2))
    assert until.wake_at() == 1 + ANSWER_S
    assert until.is_over(at(1 + ANSWER_S))


def test_one_without_a_term_serves_for_ever() -> None:
    until = Until(Term())
    assert not until.look(at(0), 1000, has_work=False)
    assert until.left(10**6)
