"""What paths are by the rules, and when files are complete."""

import pytest

from shotline.common.settings.sections.volumes import RuleSection
from shotline.volumes.watcher.candidates import Candidates, How, Look
from shotline.volumes.watcher.rules import Found, Rules, glob_of, parts_named

THEN = {"consumers": ["g"]}


def rules(**one: object) -> Rules:
    section = RuleSection.model_validate({"volume": "V", "then": THEN, **one})
    return Rules("V", {"one": section})


@pytest.mark.parametrize(
    ("pattern", "fits", "others"),
    [
        ("*.h5", ("a.h5",), ("run/a.h5", "a.h5.part", "a_h5")),
        ("**/*.h5", ("a.h5", "run/1/a.h5"), ("a.h",)),
        ("run?/**", ("run1/a", "run1/b/c"), ("run10/a", "run1")),
        ("a[1].h5", ("a[1].h5",), ("a1.h5",)),
    ],
)
def test_a_pattern(pattern: str, fits: tuple[str, ...], others: tuple[str, ...]) -> None:
    found = glob_of(pattern)
    assert all(found.fullmatch(path) for path in fits)
    assert not any(found.fullmatch(path) for path in others)


def test_what_a_name_tells() -> None:
    found = rules(pattern="**", ids={"expression": r"run(?P<run>\d+)/(?P<key>\w+)\.h5"}).found(
        "run7/x.h5"
    )
    assert found is not None
    assert (found.number("run"), found.fields["key"]) == (7, "x")
    assert rules(ids={"expression": r"\d+"}).found("x") is None


def test_three_files_are_one_pulse() -> None:
    one = rules(pattern="*.tree", ids={"by": "mdsplus"})
    for suffix in ("tree", "datafile", "characteristics"):
        found = one.found(f"east_42.{suffix}")
        assert found is not None
        assert found.path == "east_42.tree"
        assert found.fields == {"tree": "east", "shot": "42"}
    assert one.found("east_model.tree") is None


def test_the_groups_of_a_file() -> None:
    named = parts_named(r"T(?P<number>\d+)\.(?P<sequence>\d+)", ["T1.0", "T2.1", "Other"])
    assert named == [("T1.0", 1, 0), ("T2.1", 2, 1)]


def seen(
    candidates: Candidates,
    found: Found,
    now: float,
    how: How,
    size: int = 1,
    *,
    marked: bool = False,
) -> bool:
    return candidates.seen(now, found, Look(size, size), how, marked=marked)


@pytest.mark.parametrize(
    ("when", "at_once"),
    [("closed", {How.CLOSED, How.MOVED}), ("renamed", {How.MOVED}), ("stable", set())],
)
def test_what_makes_a_file_complete_at_once(when: str, at_once: set[How]) -> None:
    found = rules(complete={"when": when, "stable_s": 2.0}).found("a")
    assert found is not None
    for how in How:
        candidates = Candidates()
        assert seen(candidates, found, 0.0, how) == (how in at_once)
        if how not in at_once:
            assert candidates.due_at() == 2.0
            assert not seen(candidates, found, 1.9, How.SCANNED, 2), "it has changed"
            assert not seen(candidates, found, 3.8, How.SCANNED, 2)
            assert seen(candidates, found, 3.9, How.SCANNED, 2)
        assert len(candidates) == 0


def test_a_marker_alone_counts_where_it_is_asked_for() -> None:
    found = rules(pattern="**", complete={"when": "marker", "marker": "{stem}.ok"}).found(
        "run1/a.h5"
    )
    assert found is not None
    assert found.marker == "run1/a.ok"
    candidates = Candidates()
    assert not seen(candidates, found, 0.0, How.CLOSED)
    assert candidates.of_marker("run1/a.ok") == "run1/a.h5"
    assert not seen(candidates, found, 1000.0, How.SCANNED)
    assert seen(candidates, found, 1001.0, How.SCANNED, marked=True)
    assert candidates.of_marker("run1/a.ok") is None
