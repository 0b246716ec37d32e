"""Everything that is wrong with an experiment file at once, without anybody who runs it."""

import json
from pathlib import Path

import pytest

from shotline.client.cli.main import run
from shotline.trees.experiment_file import Checked, check_experiment

HEAD = """\
experiment: DEMO
phases: {INIT: 1, PULSE: 2}
actions:
"""
GOOD = '  - {path: %s, server_class: X, phase: INIT, when: "%s", task: {sleep: 1}}\n'
ROOT = Path(__file__).parents[3]


def checked(text: str) -> Checked:
    return check_experiment(text.encode(), Path("e.yaml"))


def told(text: str) -> list[tuple[int | None, str]]:
    return [(one.line, one.message) for one in checked(text).problems]


def test_a_good_file_has_no_problem() -> None:
    found = checked(HEAD + GOOD % ("A", "1") + GOOD % ("B", "A"))
    assert found.problems == ()
    assert found.experiment is not None
    assert len(found.experiment.actions) == 2


def test_what_is_wrong_with_form_names_phases_and_conditions_is_told_at_once() -> None:
    wrong = (
        HEAD
        + GOOD % ("A", "1")
        + (GOOD % ("B", "1")).replace("INIT", "Init")
        + GOOD % ("C", "A and (")
        + (GOOD % ("D", "1")).replace("sleep: 1", "sleep: one")
        + GOOD % ("A", "2")
    )
    found = told(wrong)
    assert [line for line, _ in found] == [5, 6, 7, 8]
    phase, condition, number, again = (message for _, message in found)
    assert "by case only" in phase
    assert condition
    assert "must be a number" in number
    assert "a second time" in again


def test_a_condition_that_cannot_be_understood_is_a_problem_with_its_line() -> None:
    found = checked(HEAD + GOOD % ("A", "1") + GOOD % ("B", "A and ("))
    assert [one.line for one in found.problems] == [5]
    assert found.experiment is not None


def test_a_name_that_no_action_has_is_worth_a_look() -> None:
    found = checked(HEAD + GOOD % ("A", "1") + GOOD % ("B", "NOBODY"))
    assert found.problems == ()
    assert "`NOBODY` is no action" in found.warnings[0]


def test_columns_are_told_where_they_are_known() -> None:
    line = GOOD % ("A", "1")
    (problem,) = checked(HEAD + line.replace("sleep: 1", "sleep: x")).problems
    assert (problem.line, problem.column) == (4, line.index("sleep") + 1)
    (problem,) = checked(HEAD + line + "  - {path: [").problems
    assert "is not YAML" in problem.message
    assert problem.column is not None


def test_the_command_needs_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOTLINE_BROKER", "tcp://127.0.0.1:9")
    assert run(["check-experiment", str(ROOT / "etc" / "experiments" / "demo.yaml")]) == 0
    assert "is in order; it declares" in capsys.readouterr().out
    file = tmp_path / "wrong.yaml"
    file.write_text((HEAD + GOOD % ("A", "1")).replace("INIT, when", "INTI, when"))
    assert run(["check-experiment", str(file)]) == 1
    said = capsys.readouterr()
    assert f"{file}:4:32: actions[0].phase: `INTI` is not one of the phases" in said.err
    assert "has 1 problem\n" in said.out
    assert run(["check-experiment", str(file), "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert [(one["line"], one["column"]) for one in shown["problems"]] == [(4, 32)]
