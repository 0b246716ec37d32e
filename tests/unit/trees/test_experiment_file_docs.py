"""docs/experiment-file.md: its example is right, and its tables name the keys that there are."""

import re
from pathlib import Path

from pydantic import BaseModel

from shotline.common.nodes import DispatchOptions
from shotline.common.settings.model import modelled
from shotline.trees.experiment_file import (
    ActionEntry,
    ExperimentEntry,
    PythonEntry,
    ShellEntry,
    SleepEntry,
    read_experiment,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "experiment-file.md"
TEXT = PAGE.read_text(encoding="utf-8")


def section(title: str) -> str:
    return re.split(r"^#+ ", TEXT.partition(f"# {title}\n")[2], flags=re.MULTILINE)[0]


def keys(title: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", section(title), flags=re.MULTILINE)


def test_the_example_is_an_experiment_file() -> None:
    example = TEXT.partition("```yaml\n")[2].partition("```")[0]
    experiment = read_experiment(example.encode(), PAGE)
    assert {node.name: node.on for node in experiment.actions} == {
        "MAGNETS:CHARGE": True,
        "GAS:FILL": False,
    }


def test_every_key_is_in_its_table() -> None:
    tables: dict[str, type[BaseModel]] = {
        "Keys of the file": ExperimentEntry,
        "Keys of an action": ActionEntry,
        "dispatch": modelled(DispatchOptions),
    }
    for title, model in tables.items():
        assert sorted(keys(title)) == sorted(model.model_fields), title


def test_every_key_of_a_task_is_named() -> None:
    for model in (PythonEntry, ShellEntry, SleepEntry):
        for key in model.model_fields:
            assert f"{key}:" in section("task")
