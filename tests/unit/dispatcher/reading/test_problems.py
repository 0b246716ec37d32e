"""What is found wrong or odd about a tree."""

from tests.support.tables import action, both, no, table

from shotline.common.nodes import ActionNode
from shotline.common.views import Severity
from shotline.dispatcher.reading.problems import find_problems


def texts(*actions: ActionNode, phases: tuple[str, ...] = ()) -> list[tuple[Severity, str, str]]:
    return [tuple(problem) for problem in find_problems(table(*actions, phases=phases))]  # type: ignore[misc]


def test_a_sound_tree_has_no_problems() -> None:
    sound = [action("A"), action("B", "A"), action("C", both("A", no("B")), on=False)]
    assert texts(*sound, phases=("INIT",)) == []


def test_what_cannot_be_read_or_never_runs_is_named() -> None:
    assert texts(action("A", unreadable="no record"), action("B", 0)) == [
        (Severity.ERROR, "A", "cannot be read: no record"),
        (
            Severity.WARNING,
            "B",
            "sequence number 0: only numbers above 0 are dispatched",
        ),
    ]
    assert [p[2] for p in texts(action("A", None, on=False))] == [
        'is off, and unusable: its `when` ("WHEN") cannot be used: it is neither a number nor a '
        "condition"
    ]


def test_references_that_can_never_be_true_are_named() -> None:
    found = texts(
        action("C", both("GONE", "OFF", "ASYNC")),
        action("OFF", on=False),
        action("ASYNC", asynchronous=True),
    )
    assert found == [
        (Severity.ERROR, "C", "its condition refers to GONE, which is no action of this tree"),
        (Severity.WARNING, "C", "its condition refers to OFF, which is off"),
        (Severity.WARNING, "C", "its condition refers to ASYNC, which is asynchronous"),
    ]


def test_circular_conditions_are_named_with_their_circle() -> None:
    found = texts(
        action("A", "C"),
        action("B", "A"),
        action("C", both("B", "START")),
        action("START"),
        action("AFTER", "C"),
        action("SELF", no("SELF")),
    )
    circle = "its condition is circular: A, B, C"
    assert found == [
        (Severity.ERROR, "A", circle),
        (Severity.ERROR, "B", circle),
        (Severity.ERROR, "C", circle),
        (Severity.ERROR, "SELF", "its condition is circular: SELF"),
    ]


def test_names_that_differ_only_by_case_are_named() -> None:
    found = texts(
        action("gas", server_class="SRV_A", phase="INIT"),
        action("GAS", server_class="srv_a", phase="Init"),
    )
    assert [text for _, _, text in found] == [
        "phase names differ only by case: INIT, Init",
        "server class names differ only by case: SRV_A, srv_a",
        "action names differ only by case: gas, GAS",
    ]


def test_a_phase_that_the_site_does_not_know_is_named() -> None:
    assert texts(action("A", phase="INTI"), phases=("INIT", "STORE")) == [
        (Severity.ERROR, "A", "phase INTI is none of the site's: INIT, STORE")
    ]


def test_a_long_chain_is_no_circle_and_no_trouble() -> None:
    chain = [action("C0"), *(action(f"C{n}", f"C{n - 1}") for n in range(1, 3000))]
    assert texts(*chain) == []
    ring = [action(f"R{n}", f"R{(n - 1) % 3000}") for n in range(3000)]
    assert len(texts(*ring)) == 3000
