"""One tree, four ways to it: experiment file, recorded mdsip, real mdsip, MDSplus on this machine.

What is asserted here holds for every adapter. The last two need an MDSplus installation.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support import mdsip
from tests.support.adapters import KINDS, TREE, tree_source

from shotline.common.nodes import (
    ActionNode,
    ConditionWhen,
    DispatchType,
    FileSource,
    SequenceWhen,
    references,
)
from shotline.trees.open_tree import open_tree
from shotline.trees.tree import PulseExists, Tree, TreeError

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(mdsip.__file__).parent / "actions.json").read_text(encoding="utf-8")
)["actions"]
PHASE_NAMES = {40: "STORE"}  # the site's name of a phase that a node gives by number


@pytest.fixture(scope="module", params=KINDS)
def tree(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tree]:
    folder = tmp_path_factory.mktemp("site")
    with tree_source(request.param, folder) as source:
        tree = open_tree(TREE, source)
        if isinstance(source, FileSource):
            tree.create_pulse(1, replace=False)
        yield tree
        tree.close()


def facts(node: ActionNode) -> dict[str, Any]:
    """Return what dispatching an action takes."""
    found: dict[str, Any] = {
        "path": node.path,
        "name": node.name,
        "server_class": node.server_class,
        "phase": node.phase,
        "asynchronous": node.dispatch_type is DispatchType.ASYNCHRONOUS,
        "event": node.completion_event,
        "timeout_s": node.timeout_s,
        "on": (node.on, node.node_on, node.parent_on),
        "essential": node.essential,
        "unreadable": node.unreadable,
        "has a task": node.task is not None,
    }
    if isinstance(node.when, SequenceWhen):
        found["number"] = node.when.number
    if isinstance(node.when, ConditionWhen):
        found["condition"] = node.when.text.replace("(", "").replace(")", "")
        found["references"] = [(one.path, one.missing) for one in references(node.when.expression)]
    return found


def recorded(action: dict[str, Any]) -> dict[str, Any]:
    """Return the same of a recorded action."""
    when, is_asynchronous = action["when"], action["dispatch_type"] == "asynchronous"
    found = {
        "path": action["path"],
        "name": action["minpath"],
        "server_class": action["server_class"],
        "phase": PHASE_NAMES.get(action["phase"], action["phase"]),
        "asynchronous": is_asynchronous,
        "event": action["completion_event"],
        "timeout_s": action["task_timeout"],
        "on": (action["on"], action["node_on"], action["parent_on"]),
        "essential": action["essential"],
        "unreadable": None,
        "has a task": True,
    }
    if when["kind"] == "sequence":
        found["number"] = when["number"]
    if when["kind"] == "condition":
        found["condition"] = when["text"]
        found["references"] = [(path, False) for path in when["references"]]
    return found


def without_event(several: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what an asynchronous action waits for: files have no events, only conditions."""
    hidden = ("condition", "references")
    return [
        {key: value for key, value in one.items() if not one["asynchronous"] or key not in hidden}
        for one in several
    ]


def table(tree: Tree, shot: int) -> list[dict[str, Any]]:
    return without_event([facts(node) for node in tree.actions(shot)])


def test_every_action_in_the_trees_order(tree: Tree) -> None:
    assert table(tree, 1) == without_event([recorded(action) for action in RECORDED])


def test_the_model_can_be_looked_at(tree: Tree) -> None:
    assert table(tree, -1) == table(tree, 1)


def test_one_action_by_its_path_or_its_name(tree: Tree) -> None:
    [expected] = [node for node in tree.actions(1) if node.name == "DEV:INIT_ACTION"]
    assert tree.action(1, "\\TEST::TOP:DEV:INIT_ACTION") == expected
    assert tree.action(1, "dev:init_action") == expected


def test_what_is_not_there(tree: Tree) -> None:
    with pytest.raises(TreeError, match="TEST/1 has no action NOSUCH"):
        tree.action(1, "NOSUCH")
    with pytest.raises(TreeError, match="TEST/99"):
        tree.actions(99)


def test_phases_come_in_the_order_of_their_numbers(tree: Tree) -> None:
    phases = tree.phases(1)
    assert [phase.number for phase in phases] == sorted(phase.number for phase in phases)
    names = [phase.name for phase in phases]
    assert [name for name in names if name in ("STORE", "PULSE", "INIT", "FINISH_SHOT")] == [
        "INIT",
        "PULSE",
        "STORE",
        "FINISH_SHOT",
    ]


def test_a_pulse_that_exists_is_made_again_only_on_request(tree: Tree) -> None:
    with pytest.raises(PulseExists, match=r"TEST/1 exists already.* --replace"):
        tree.create_pulse(1, replace=False)
    tree.create_pulse(7, replace=True)
    assert table(tree, 7) == table(tree, 1)
    with pytest.raises(PulseExists):
        tree.create_pulse(7, replace=False)


@pytest.mark.parametrize("shot", [0, -1])
def test_the_model_is_no_pulse(tree: Tree, shot: int) -> None:
    with pytest.raises(TreeError, match="not a shot number"):
        tree.create_pulse(shot, replace=True)


def test_events_are_raised(tree: Tree) -> None:
    tree.raise_event("STORE_DONE", 1)
