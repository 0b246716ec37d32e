"""The dispatch table: classification, lookups, phases and ranges (D1, D10, D12)."""

import pytest
from msgspec import structs
from tests.support.tables import action, both, no, table

from shotline.common.actions import Cause
from shotline.common.nodes import DispatchType
from shotline.dispatcher.table import LookupFailed
from shotline.trees.tree import TreeError

TREE = "\\TEST::TOP:"


def real(name: str, **options: object) -> object:
    return action(name.rpartition(":")[2], path=TREE + name, **options)  # type: ignore[arg-type]


def test_every_action_appears_in_the_trees_order() -> None:
    """Off, asynchronous and unreadable ones, too (D1)."""
    whole = table(
        action("B", 10),
        action("A", 10, on=False),
        action("C", 10, asynchronous=True),
        action("D", 10, unreadable="its record is empty"),
    )
    assert [node.name for node in whole.actions] == ["B", "A", "C", "D"]
    assert whole.paths_of_phase("INIT") == ("B", "A", "C", "D")
    assert len(whole) == 4


@pytest.mark.parametrize(
    ("node", "cause", "word"),
    [
        (action("X", 10), None, ""),
        (action("X", "Y"), None, ""),
        (action("X", 10, on=False), Cause.OFF, "switched off"),
        (action("X", None, on=False, asynchronous=True), Cause.OFF, "switched off"),
        (action("X", None, asynchronous=True), Cause.ASYNCHRONOUS, "never dispatched"),
        (action("X", 10, unreadable="no record"), Cause.UNREADABLE, "no record"),
        (action("X", None), Cause.UNREADABLE, "neither a number nor a condition"),
        (action("X", 0), Cause.BAD_NUMBER, "above 0"),
        (action("X", -3), Cause.BAD_NUMBER, "-3"),
        (action("X", 10, server_class=""), Cause.UNREADABLE, "server class"),
        (action("X", 10, phase=""), Cause.UNREADABLE, "phase"),
    ],
)
def test_what_is_never_dispatched_says_why(node: object, cause: Cause | None, word: str) -> None:
    found, reason = table(node).initial("X")  # type: ignore[arg-type]
    assert found is cause
    assert word in reason


def test_a_node_of_dispatch_type_none_or_without_a_task_is_unusable() -> None:
    none = structs.replace(action("X"), dispatch_type=DispatchType.NONE)
    assert table(none).initial("X") == (Cause.UNREADABLE, "its dispatch type is none")
    idle = structs.replace(action("X"), task=None)
    assert table(idle).initial("X") == (Cause.UNREADABLE, "it has no task")


def test_a_parents_switch_counts_and_is_named() -> None:
    node = structs.replace(action("X", on=False), node_on=True, parent_on=False)
    assert table(node).initial("X") == (Cause.OFF, "a parent of it is switched off")


def test_a_redispatch_may_look_past_the_switch_but_past_nothing_else() -> None:
    whole = table(action("A", on=False), action("B", 0, on=False))
    assert whole.initial("A", even_if_off=True).cause is None
    assert whole.initial("B", even_if_off=True).cause is Cause.BAD_NUMBER


def test_a_path_that_occurs_twice_is_refused() -> None:
    with pytest.raises(TreeError, match="lists X twice"):
        table(action("X"), action("Y"), action("X"))


def test_an_action_is_found_by_path_name_or_tail_in_any_case() -> None:
    whole = table(
        real("INIT_A"),  # type: ignore[arg-type]
        action("DEV:INIT", path=TREE + "DEV:INIT"),
        action("DEV:STORE", path=TREE + "DEV:STORE"),
    )
    assert whole.find("\\TEST::TOP:INIT_A") == TREE + "INIT_A"
    assert whole.find("\\test::top:init_a") == TREE + "INIT_A"
    assert whole.find("init_a") == TREE + "INIT_A"
    assert whole.find("dev:init") == TREE + "DEV:INIT"
    assert whole.find("Store") == TREE + "DEV:STORE"
    assert whole.find("TOP:INIT_A") == TREE + "INIT_A"


def test_a_tail_begins_at_a_separator() -> None:
    whole = table(real("INIT_A"))  # type: ignore[arg-type]
    with pytest.raises(LookupFailed, match=r"no action NIT_A; do you mean INIT_A\?"):
        whole.find("NIT_A")


def test_an_ambiguous_tail_is_refused_with_the_choices() -> None:
    whole = table(action("A.STORE"), action("B.STORE"))
    with pytest.raises(LookupFailed, match=r"store may be any of A\.STORE and B\.STORE"):
        whole.find("store")


def test_paths_that_differ_only_by_case_are_told_apart_when_written_so() -> None:
    whole = table(action("a.gas"), action("a.GAS"))
    assert whole.find("a.GAS") == "a.GAS"
    assert whole.find("gas") == "a.gas"
    with pytest.raises(LookupFailed, match=r"Gas may be any of a\.gas and a\.GAS"):
        whole.find("Gas")


def test_a_failed_lookup_lists_near_matches() -> None:
    whole = table(action("COIL_CHARGE"), action("GAS_PUFF"))
    with pytest.raises(LookupFailed, match=r"no action COIL_CHRGE; do you mean COIL_CHARGE\?"):
        whole.find("COIL_CHRGE")
    with pytest.raises(LookupFailed, match=r"no action XYZ$"):
        whole.find("XYZ")
    for empty in ("", " "):
        with pytest.raises(LookupFailed, match="no action"):
            whole.find(empty)


def test_phases_are_the_declared_ones_then_those_that_actions_use() -> None:
    whole = table(action("A", phase="EXTRA"), action("B", phase="INIT"), phases=("INIT", "STORE"))
    assert whole.phases == ("INIT", "STORE", "EXTRA")
    assert whole.find_phase("STORE") == "STORE"
    assert whole.paths_of_phase("STORE") == ()


def test_a_phase_lookup_that_fails_only_by_case_says_so() -> None:
    whole = table(phases=("INIT", "STORE"))
    with pytest.raises(LookupFailed, match=r"differs only by case from INIT.* INIT, STORE"):
        whole.find_phase("init")
    with pytest.raises(LookupFailed, match=r"no phase PULSE: the phases are INIT, STORE"):
        whole.find_phase("PULSE")
    with pytest.raises(LookupFailed, match="the tree has none"):
        table().find_phase("INIT")


def test_a_range_takes_its_numbers_and_the_conditions_that_hang_on_them() -> None:
    """Directly or through others, of that phase only (D12)."""
    whole = table(
        action("LATE", both("MIDDLE", "N30")),
        action("N10", 10),
        action("N20", 20, server_class="SRV_B"),
        action("N30", 30),
        action("MIDDLE", no("N20")),
        action("OTHER", "N10"),
        action("STORED", 20, phase="STORE"),
        action("AFTER", "N20", phase="STORE"),
        action("THROUGH", "AFTER"),
    )
    assert whole.paths_of_range("INIT", 15, 25) == ("LATE", "N20", "MIDDLE", "THROUGH")
    assert whole.paths_of_range("INIT", 20, 20) == ("LATE", "N20", "MIDDLE", "THROUGH")
    assert whole.paths_of_range("INIT", 10, 10) == ("N10", "OTHER")
    assert whole.paths_of_range("INIT", 40, 50) == ()
    assert whole.paths_of_range("STORE", 0, 99) == ("STORED",)


def test_references_and_dependents_are_each_named_once() -> None:
    whole = table(action("A"), action("C", both("A", no("A"), "GONE")))
    assert whole.references("C") == ("A", "GONE")
    assert whole.references("A") == ()
    assert whole.dependents("A") == ("C",)
    assert whole.dependents("C") == ()


def test_a_node_read_again_changes_another_table() -> None:
    before = table(action("A", on=False), action("B"))
    after = before.with_node(action("A", 30, server_class="SRV_B"))
    assert before.initial("A").cause is Cause.OFF
    assert after.initial("A").cause is None
    assert after.number("A") == 30
    assert [node.path for node in after.actions] == ["A", "B"]
    with pytest.raises(LookupFailed, match="no action C"):
        before.with_node(action("C"))
