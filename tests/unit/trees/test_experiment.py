"""Pulses of an experiment file: made, read as of creation, never half, clear when impossible."""

from pathlib import Path

import pytest

from shotline.trees.experiment import FileTree
from shotline.trees.tree import PulseExists, TreeError

TEXT = """\
experiment: DEMO
phases: {INIT: 10}
actions:
  - {path: A:B, server_class: CONTROL, phase: INIT, when: 10, task: {sleep: 0}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "demo.yaml"
    path.write_text(TEXT)
    return path


def names(tree: FileTree, shot: int) -> list[str]:
    return [node.name for node in tree.actions(shot)]


def test_a_pulse_keeps_the_file_as_it_was(file: Path) -> None:
    tree = FileTree("demo", file)
    tree.create_pulse(42, replace=False)
    file.write_text(TEXT.replace("A:B", "C"))
    assert names(tree, 42) == ["A:B"]
    assert names(tree, -1) == ["C"]
    folder = file.parent / "pulses" / "DEMO" / "42"
    assert tree.actions(42)[0].folder == str(folder)
    assert tree.actions(-1)[0].folder is None
    assert tree.phases(42)[0].name == "INIT"


def test_one_node_by_full_path_or_name(file: Path) -> None:
    tree = FileTree("DEMO", file)
    tree.create_pulse(1, replace=False)
    assert tree.action(1, "\\DEMO::TOP:A:B") == tree.action(1, "a:b") == tree.actions(1)[0]
    with pytest.raises(TreeError, match="DEMO/1 has no action A"):
        tree.action(1, "A")


def test_an_existing_pulse_needs_replace(file: Path) -> None:
    tree = FileTree("DEMO", file)
    tree.create_pulse(1, replace=False)
    data = tree.folder(1) / "data.json"
    data.write_text("{}")
    with pytest.raises(PulseExists, match=r"DEMO/1 exists already .*--replace"):
        tree.create_pulse(1, replace=False)
    assert data.exists()
    file.write_text(TEXT.replace("A:B", "C"))
    tree.create_pulse(1, replace=True)
    assert not data.exists()
    assert names(tree, 1) == ["C"]
    assert [entry.name for entry in tree.folder(1).parent.iterdir()] == ["1"]


def test_a_broken_file_makes_no_pulse_and_deletes_none(file: Path) -> None:
    tree = FileTree("DEMO", file)
    tree.create_pulse(1, replace=False)
    file.write_text(TEXT.replace("phase: INIT", "phase: NONE"))
    for shot in (1, 2):
        with pytest.raises(TreeError, match=r"demo\.yaml:4: .*NONE"):
            tree.create_pulse(shot, replace=True)
    assert names(tree, 1) == ["A:B"]
    assert not tree.folder(2).exists()


@pytest.mark.parametrize("shot", [0, -1])
def test_only_positive_numbers_are_pulses(file: Path, shot: int) -> None:
    with pytest.raises(TreeError, match="not a shot number"):
        FileTree("DEMO", file).create_pulse(shot, replace=True)


def test_a_pulse_that_was_not_created_says_how(file: Path) -> None:
    with pytest.raises(TreeError, match="shotline create-pulse DEMO 7"):
        FileTree("DEMO", file).actions(7)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match=r"none\.yaml: cannot be read"):
        FileTree("DEMO", tmp_path / "none.yaml").create_pulse(1, replace=False)


def test_the_file_of_another_experiment(file: Path) -> None:
    with pytest.raises(TreeError, match="is the experiment DEMO, not OTHER"):
        FileTree("OTHER", file).actions(-1)


def test_a_folder_that_cannot_be_written(file: Path, tmp_path: Path) -> None:
    (tmp_path / "pulses").write_text("a file where a folder should be")
    with pytest.raises(TreeError, match=r"cannot make .* must be writable"):
        FileTree("DEMO", file).create_pulse(1, replace=False)


def test_events_are_logged(file: Path) -> None:
    tree = FileTree("DEMO", file)
    tree.create_pulse(3, replace=False)
    tree.raise_event("CHARGED", 3)
    tree.raise_event("WITH\nNEWLINE", 3)
    lines = (tree.folder(3) / "events.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "DEMO/3 'CHARGED'",
        "DEMO/3 'WITH\\nNEWLINE'",
    ]


def test_an_event_for_a_pulse_that_is_not_there(file: Path) -> None:
    with pytest.raises(TreeError, match="cannot write event X"):
        FileTree("DEMO", file).raise_event("X", 9)


def test_a_file_that_cannot_be_read_was_not_seen_and_one_that_is_gone_has_no_mark(
    file: Path,
) -> None:
    tree = FileTree("DEMO", file)
    tree.create_pulse(1, replace=False)
    own, model = tree.marks(1)
    assert own.mark == model.mark != ""
    assert (own.model, model.model) == (False, True)
    file.unlink()
    _, model = tree.marks(1)
    assert (model.mark, model.unseen) == ("", "")
    file.mkdir()
    _, model = tree.marks(1)
    assert (model.mark, model.unseen) == ("", f"{file}: cannot be read: Is a directory")
