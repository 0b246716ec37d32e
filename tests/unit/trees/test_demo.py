"""The demo experiment: its file is right, and its tasks do their work in the order it gives."""

import importlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from shotline.common.nodes import (
    ActionNode,
    And,
    ConditionWhen,
    Expression,
    Not,
    PythonTask,
    Reference,
    SequenceWhen,
    ShellTask,
    SleepTask,
)
from shotline.trees.experiment_file import Experiment, read_experiment

FILE = Path(__file__).resolve().parents[3] / "etc" / "experiments" / "demo.yaml"


@pytest.fixture(scope="module")
def demo() -> Experiment:
    return read_experiment(FILE.read_bytes(), FILE)


def test_it_shows_what_a_newcomer_should_see(demo: Experiment) -> None:
    assert demo.warnings == ()
    assert [node.name for node in demo.actions if node.unreadable] == []
    assert [phase.name for phase in demo.phases] == ["INIT", "PULSE", "STORE"]
    assert {node.server_class for node in demo.actions} == {"CONTROL", "HEATING", "DAQ"}
    assert 23 <= len(demo.actions) <= 28
    assert [node.name for node in demo.actions if not node.on] == ["SPARE:PROBE"]
    assert sum(isinstance(node.task, SleepTask) for node in demo.actions) <= 3
    conditional = [node for node in demo.actions if isinstance(node.when, ConditionWhen)]
    assert len(conditional) >= 8
    assert all(node.timeout_s for node in demo.actions)


def test_its_tasks_can_be_imported(demo: Experiment) -> None:
    for node in demo.actions:
        if isinstance(node.task, PythonTask):
            module, name = node.task.callable.split(":")
            assert callable(getattr(importlib.import_module(module), name))


def holds(expression: Expression, ended: dict[str, bool]) -> bool | None:
    """Return a condition's value, None while it is open; for a test without lost servers."""
    if isinstance(expression, Reference):
        return ended.get(expression.path)
    if isinstance(expression, Not):
        inner = holds(expression.operand, ended)
        return None if inner is None else not inner
    values = [holds(operand, ended) for operand in expression.operands]
    decisive = not isinstance(expression, And)
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def in_order(nodes: Sequence[ActionNode]) -> list[ActionNode]:
    """Return a phase's numbered actions by number; the file's order within each."""
    numbered = [(node.when.number, node) for node in nodes if isinstance(node.when, SequenceWhen)]
    return [node for _, node in sorted(numbered, key=lambda pair: pair[0])]


def run(node: ActionNode) -> bool:
    """Run a task as a worker process would; True for success."""
    if isinstance(node.task, PythonTask):
        module, name = node.task.callable.split(":")
        try:
            getattr(importlib.import_module(module), name)(**node.task.arguments)
        except Exception as error:  # noqa: BLE001  a task may raise anything
            print(f"{node.name}: {error!r}")
            return False
    elif isinstance(node.task, ShellTask):
        done = subprocess.run(node.task.arguments, env={"PATH": "/usr/bin:/bin", "STEP_S": "0"})
        return done.returncode == 0
    return True


def test_a_whole_shot_by_hand(
    demo: Experiment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {"TREE": "DEMO", "SHOT": "42", "SHOT_DIR": str(tmp_path), "DEMO_PACE": "0"}
    for name, text in environment.items():
        monkeypatch.setenv(f"SHOTLINE_{name}", text)
    ended: dict[str, bool] = {}
    for phase in demo.phases:
        nodes = [node for node in demo.actions if node.phase == phase.name and node.on]
        waiting = {node.path: node for node in nodes if isinstance(node.when, ConditionWhen)}
        ready = in_order(nodes)
        while ready:
            node = ready.pop(0)
            ended[node.path] = run(node)
            for path, waits in [*waiting.items()]:
                assert isinstance(waits.when, ConditionWhen)
                value = holds(waits.when.expression, ended)
                if value is not None:
                    del waiting[path]
                    if value:
                        ready.insert(0, waits)
        assert waiting == {}, f"{phase.name} leaves conditions open"
    names = {node.path: node.name for node in demo.actions}
    assert [names[path] for path, good in ended.items() if not good] == ["CAMERA:ARM"]
    never = {node.name for node in demo.actions} - {names[path] for path in ended}
    assert never == {"CAMERA:ACQUIRE", "SPARE:PROBE"}
    report = (tmp_path / "report.txt").read_text()
    assert report.startswith("Shot DEMO/42\n")
    assert "missing           camera" in report
    assert json.loads((tmp_path / "modes.json").read_text())[0]["frequency_hz"] == 5200
    assert 380 < json.loads((tmp_path / "current.json").read_text())["mean_current_ka"] < 405
    assert report in capfd.readouterr().out
