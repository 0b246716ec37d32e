"""Values that are written into nodes of a pulse: arguments of an experiment file's actions, TDI."""

from pathlib import Path

import pytest

from shotline.common.base import Json
from shotline.common.nodes import PythonTask, ShellTask, SleepTask
from shotline.trees.experiment import FileTree
from shotline.trees.tdi_tree import expression_of
from shotline.trees.tree import TreeError, WritesNodes

FILE = """
experiment: TEST
phases: {INIT: 1}
actions:
  - {path: "COIL:CHARGE", server_class: A, phase: INIT, when: 1,
     task: {python: "lab:charge", arguments: {supply_v: 150, coils: [1]}}}
  - {path: PUMP, server_class: A, phase: INIT, when: 1,
     task: {shell: ["true"], environment: {STEP_S: "0.3"}}}
  - {path: PAUSE, server_class: A, phase: INIT, when: 1, task: {sleep: 1}}
"""


@pytest.fixture
def tree(tmp_path: Path) -> FileTree:
    file = tmp_path / "test.yaml"
    file.write_text(FILE)
    tree = FileTree("TEST", file)
    tree.create_pulse(1, replace=False)
    return tree


def tasks(tree: FileTree, shot: int = 1) -> dict[str, object]:
    return {node.name: node.task for node in tree.actions(shot)}


def test_an_argument_of_an_action_is_a_node_of_the_pulse(tree: FileTree) -> None:
    assert isinstance(tree, WritesNodes)
    tree.write_nodes(1, {"COIL:CHARGE:SUPPLY_V": 200, r"\test::top:pump:step_s": 0.5})
    tree.write_nodes(1, {"COIL:CHARGE:coils": [1, 2], "PAUSE:SECONDS": 2.5})
    assert tasks(tree) == {
        "COIL:CHARGE": PythonTask(
            callable="lab:charge", arguments={"supply_v": 200, "coils": [1, 2]}
        ),
        "PUMP": ShellTask(arguments=("true",), environment={"STEP_S": "0.5"}),
        "PAUSE": SleepTask(seconds=2.5),
    }
    assert tree.action(1, "PAUSE").task == SleepTask(seconds=2.5)
    tree.create_pulse(2, replace=False)
    assert tasks(tree, 2)["PAUSE"] == SleepTask(seconds=1), "another pulse is as its file says"
    tree.create_pulse(1, replace=True)
    assert tasks(tree)["PAUSE"] == SleepTask(seconds=1)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"COIL:CHARGE:SUPPLY_A": 1}, "no node .*SUPPLY_A; nodes of an experiment file are"),
        ({"COIL": 1}, "no node"),
        ({"PAUSE:SECONDS": "long"}, "PAUSE: seconds"),
        ({"PAUSE:SECONDS": -1}, "PAUSE: seconds"),
    ],
)
def test_what_cannot_be_written_changes_nothing(
    tree: FileTree, values: dict[str, Json], words: str
) -> None:
    with pytest.raises(TreeError, match=words):
        tree.write_nodes(1, {"COIL:CHARGE:SUPPLY_V": 300, **values})
    assert tasks(tree)["COIL:CHARGE"] == PythonTask(
        callable="lab:charge", arguments={"supply_v": 150, "coils": [1]}
    )


def test_a_pulse_that_is_not_there_is_not_written(tree: FileTree) -> None:
    with pytest.raises(TreeError, match="does not exist"):
        tree.write_nodes(7, {"PAUSE:SECONDS": 1})


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        (1.5, ("$", [1.5])),
        (True, ("$", [1])),
        ("deuterium", ("$", ["deuterium"])),
        ([1, 2], ("[1,2]", [])),
        ([1.5, 1e-7], ("[1.5D0,1D-07]", [])),
        (["a", "b"], ("[$,$]", ["a", "b"])),
    ],
)
def test_a_value_becomes_an_expression_of_tdi(
    value: Json, expression: tuple[str, list[Json]]
) -> None:
    assert expression_of(value) == expression


@pytest.mark.parametrize("value", [{"a": 1}, [], [1, "a"], None])
def test_a_value_that_no_node_holds_is_refused(value: Json) -> None:
    with pytest.raises(TreeError, match="a node holds"):
        expression_of(value)
