"""Results keep every value, compare neighbours in time, and say which goal was missed."""

from pathlib import Path

import pytest
from bench.machine import Facts
from bench.results import Goal, Results, figure

FACTS = Facts("2026-01-01 00:00", "abc", "a processor", 2, "Linux 6", {"Python": "3"}, 3, 1.0)


def results() -> Results:
    made = Results("W0", "a workload", FACTS)
    for base, ours in ((1.0, 2.0), (4.0, 4.0), (1.0, 3.0)):
        made.add("time", "base", base, "ms")
        made.add("time", "ours", ours, "ms", beside=("base", base), goal=Goal(1.5))
    made.add("memory", "ours", 7.0, "MB", goal=Goal(10, of_value=True))
    made.add("share", "ours", 5.0, "µs", part="broker")
    return made


def test_a_ratio_is_one_of_neighbours() -> None:
    (ours,) = (row for row in results().rows if row.ratios)
    assert ours.ratios == [2.0, 1.0, 3.0]
    assert ours.cells() == (
        "time",
        "ours",
        "3 ms",
        "2 to 4",
        "2 × base (1 to 3)",
        "≤ 1.5 ×",
        "**not met**",
    )


def test_missed_goals_are_listed() -> None:
    assert [(row.what, row.of) for row in results().missed()] == [("time", "ours")]


def test_a_goal_may_be_reached_exactly() -> None:
    at_most, at_least = Goal(2), Goal(2, at_least=True)
    assert at_most.is_met(2.0)
    assert at_least.is_met(2.0)
    assert not at_most.is_met(2.1)
    assert not at_least.is_met(1.9)


def test_beside_nothing_there_is_no_ratio() -> None:
    made = Results("W0", "a workload", FACTS)
    made.add("time", "ours", 2.0, "ms", beside=("base", 0.0), goal=Goal(1.5))
    assert made.missed() == []
    assert [row[-1] for row in made.table()] == [""]


def test_shares_of_processes_stand_in_a_table_of_their_own() -> None:
    made = results()
    assert [row[0] for row in made.table()] == ["time", "", "memory"]
    assert made.parts() == ("broker",)
    assert list(made.shares()) == [("share", "ours", "5 µs")]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    results().write(tmp_path)
    assert Results.read(tmp_path, "W0") == results()
    assert Results.read(tmp_path, "W1") is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12345.6, "12,346"),
        (99.95, "100"),
        (2.5, "2.5"),
        (0.25, "0.25"),
        (0.00123, "0.0012"),
    ],
)
def test_figures_have_the_digits_that_count(value: float, text: str) -> None:
    assert figure(value) == text
