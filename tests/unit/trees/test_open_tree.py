"""Adapters are made for their sources, and say what is missing."""

import importlib.util
from pathlib import Path

import pytest

from shotline.common.nodes import FileSource, MdsipSource, MdsplusSource
from shotline.trees.open_tree import open_tree
from shotline.trees.tree import DeclaresOptions, TreeError


def test_an_experiment_file_with_its_pulses_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("experiment: X\nphases: {P: 1}\ndispatch: {barrier: global}\nactions: []\n")
    tree = open_tree("x", FileSource(file=str(file), pulses=str(tmp_path / "elsewhere")))
    tree.create_pulse(1, replace=False)
    assert (tmp_path / "elsewhere" / "X" / "1" / "experiment.yaml").exists()
    assert isinstance(tree, DeclaresOptions)
    assert tree.options(1).barrier == "global"


def test_mdsip_without_mdsthin_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(TreeError, match=r"TEST .* pip install 'shotline\[mdsip\]'"):
        open_tree("test", MdsipSource(url="host:8000"))


def test_native_mdsplus_says_when_it_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(TreeError, match="use an mdsip server"):
        open_tree("test", MdsplusSource())
