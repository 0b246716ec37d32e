"""The experiment file: what it declares, what it refuses, what it warns of."""

import json
import re
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from shotline.common.nodes import (
    ActionNode,
    And,
    ConditionWhen,
    DispatchOptions,
    DispatchType,
    Not,
    Phase,
    PythonTask,
    Reference,
    SequenceWhen,
    ShellTask,
    SleepTask,
    UnusableWhen,
)
from shotline.trees.experiment_file import Experiment, read_experiment
from shotline.trees.tree import TreeError

FILE = Path("some.yaml")
HEAD = "experiment: demo\nphases: {STORE: 40, INIT: 10}\n"  # two lines


def read(actions: str, head: str = HEAD) -> Experiment:
    text = head + "actions:\n" + textwrap.indent(textwrap.dedent(actions).strip("\n"), "  ")
    return read_experiment(text.encode(), FILE)


def node(experiment: Experiment, name: str) -> ActionNode:
    return next(one for one in experiment.actions if one.name == name)


def problems(actions: str, head: str = HEAD) -> list[str]:
    with pytest.raises(TreeError) as caught:
        read(actions, head)
    return str(caught.value).splitlines()


def action(path: str, when: object = 10, more: str = "") -> str:
    return (
        f"- {{path: {path}, server_class: CONTROL, phase: INIT, when: {when}, "
        f"task: {{sleep: 0}}{more}}}\n"
    )


def test_an_action_with_everything() -> None:
    experiment = read(
        """
        - path: Magnets:Charge
          server_class: CONTROL
          phase: INIT
          when: 5 + 5
          task: {python: "some.module:function", arguments: {current_ka: 12.5, on: [1, 2]}}
          timeout_s: 20
          completion_event: CHARGED
          essential: true
        """
    )
    assert experiment.tree == "DEMO"
    assert experiment.phases == (Phase(name="INIT", number=10), Phase(name="STORE", number=40))
    assert experiment.options == DispatchOptions()
    [charge] = experiment.actions
    assert structs.replace(charge, text="") == ActionNode(
        path="\\DEMO::TOP:MAGNETS:CHARGE",
        name="MAGNETS:CHARGE",
        nid=0,
        server_class="CONTROL",
        phase="INIT",
        dispatch_type=DispatchType.SEQUENTIAL,
        when=SequenceWhen(number=10, text="5 + 5"),
        completion_event="CHARGED",
        task=PythonTask(
            callable="some.module:function", arguments={"current_ka": 12.5, "on": [1, 2]}
        ),
        timeout_s=20.0,
        essential=True,
    )
    assert '"completion_event":"CHARGED"' in charge.text


def test_tasks() -> None:
    experiment = read(
        """
        - path: A
          server_class: DAQ
          phase: STORE
          when: 1
          task: {shell: [ls, -l, "$HOME"], environment: {X: "1"}, directory: /data}
        - {path: B, server_class: DAQ, phase: STORE, when: 2, task: {sleep: 0.5}}
        """
    )
    assert [one.task for one in experiment.actions] == [
        ShellTask(arguments=("ls", "-l", "$HOME"), environment={"X": "1"}, directory="/data"),
        SleepTask(seconds=0.5),
    ]


def test_references_by_short_name_full_path_and_any_case() -> None:
    experiment = read(
        action("MAGNETS:CHARGE")
        + action("GAS:FILL")
        + action("X", '"\\\\demo::top:GAS:FILL and not CHARGE and Magnets.Charge"')
    )
    when = node(experiment, "X").when
    assert isinstance(when, ConditionWhen)
    gas = Reference(path="\\DEMO::TOP:GAS:FILL")
    charge = Reference(path="\\DEMO::TOP:MAGNETS:CHARGE")
    assert when.expression == And(operands=(gas, Not(operand=charge), charge))
    assert node(experiment, "X").dispatch_type is DispatchType.CONDITIONAL
    assert experiment.warnings == (
        "some.yaml:6: X: `Magnets.Charge` and `MAGNETS:CHARGE` differ by case only",
    )


def test_a_missing_reference_is_kept_as_missing_and_warned_of() -> None:
    experiment = read(action("A") + action("X", "A and NOWHERE"))
    when = node(experiment, "X").when
    assert isinstance(when, ConditionWhen)
    assert when.expression == And(
        operands=(
            Reference(path="\\DEMO::TOP:A"),
            Reference(path="\\DEMO::TOP:NOWHERE", missing=True),
        )
    )
    assert experiment.warnings == ("some.yaml:5: X: `NOWHERE` is no action; it will never be true",)


@pytest.mark.parametrize(
    ("when", "why"),
    [
        ('"A and"', "expected an action, found the end (column 6)"),
        ("10.5", "`10.5` is not a whole number (column 1)"),
        ('"FILL"', "`FILL` may be any of GAS:FILL, TANK:FILL"),
    ],
)
def test_an_unusable_when_is_shown_not_dropped(when: str, why: str) -> None:
    experiment = read(action("GAS:FILL") + action("TANK:FILL") + action("X", when))
    broken = node(experiment, "X")
    assert broken.when == UnusableWhen(text=when.strip('"'), why=why)
    assert broken.unreadable == f"`when`: {why}"
    assert broken.on


@pytest.mark.parametrize(
    ("entry", "where", "message"),
    [
        (action("A", "2024-01-01"), "when", "is a date, and nothing is dispatched by dates; write"),
        (action("A", '"2024-1-1"'), "when", "is a date"),
        (action("A", "true"), "when", "must be text"),
        (action("A", more=", on: n"), "on", "must be true or false"),
        (action("A", more=", on: 0"), "on", "must be true or false"),
        (action("A", more=", essential: 'yes'"), "essential", "must be true or false"),
        (action("A", more=", timeout_s: true"), "timeout_s", "must be a number"),
        (action("A", more=", timeout_s: 1_0"), "timeout_s", "must be a number"),
    ],
)
def test_what_a_file_does_not_mean_is_refused(entry: str, where: str, message: str) -> None:
    [problem] = problems(entry)
    assert re.match(rf"some\.yaml:4: actions\[0\]\.{where}: {re.escape(message)}", problem)


def test_a_sleep_is_no_boolean() -> None:
    with pytest.raises(TreeError, match=r"actions\[0\]\.task\.sleep: must be a number"):
        read(action("A").replace("sleep: 0", "sleep: true"))


def test_a_path_of_its_own_is_not_ambiguous() -> None:
    experiment = read(action("FILL") + action("GAS:FILL") + action("X", "FILL"))
    when = node(experiment, "X").when
    assert isinstance(when, ConditionWhen)
    assert when.expression == Reference(path="\\DEMO::TOP:FILL")


def test_off_by_itself_by_a_parent_and_by_a_parent_that_is_an_action() -> None:
    experiment = read(
        action("A", more=", on: false")
        + action("A:B")
        + action("SPARE:X:Y")
        + action("SPARE2")
        + action("C"),
        head=HEAD + "off: [spare]\n",
    )
    assert {one.name: (one.on, one.node_on, one.parent_on) for one in experiment.actions} == {
        "A": (False, False, True),
        "A:B": (False, True, False),
        "SPARE:X:Y": (False, True, False),
        "SPARE2": (True, True, True),
        "C": (True, True, True),
    }


def test_asynchronous_actions_may_have_any_when() -> None:
    experiment = read(action("A", '"AT 12:00"', ", asynchronous: true"))
    assert experiment.actions[0].dispatch_type is DispatchType.ASYNCHRONOUS
    assert experiment.actions[0].unreadable is None


def test_dispatch_options() -> None:
    experiment = read(action("A"), head=HEAD + "dispatch: {barrier: global, test: completion}\n")
    assert experiment.options == DispatchOptions(barrier="global", test="completion")


def test_every_error_of_the_form_with_its_line() -> None:
    assert problems(
        """
        - path: A
          server_class: CONTROL
          phase: INIT
          when: true
          task: {slep: 1}
        - path: B
          server_class: "CONTROL:1"
          phase: INIT
          when: 1
          task: {python: no_function, argument: {}}
          timeout_s: 0
        - {path: C, server_class: X, when: 1, task: {sleep: 1, shell: [a]}}
        """
    ) == [
        "some.yaml:7: actions[0].when: must be text",
        "some.yaml:8: actions[0].task: must have one of the keys python, shell, sleep",
        "some.yaml:10: actions[1].server_class: is not of the form "
        "^[A-Za-z_][A-Za-z0-9_.\\-]{0,63}$",
        "some.yaml:13: actions[1].task.python: is not of the form ^[\\w.]+:[\\w.]+$",
        "some.yaml:13: actions[1].task.argument: is not a known key; did you mean arguments?",
        "some.yaml:14: actions[1].timeout_s: must be greater than 0",
        "some.yaml:15: actions[2].phase: is missing",
        "some.yaml:15: actions[2].task.sleep: is not a known key",
    ]


def test_every_error_of_the_meaning_with_its_line() -> None:
    assert problems(
        action("A")
        + action("a")
        + action("A::B")
        + action("\\OTHER::TOP:C")
        + action("D").replace("INIT", "init")
        + action("E").replace("INIT", "PULSE"),
        head=HEAD + "off: [Z]\n",
    ) == [
        "some.yaml:3: off[0]: Z is no action and no parent of one",
        "some.yaml:6: actions[1].path: A is declared a second time",
        "some.yaml:7: actions[2].path: `A::B` is not a path such as MAGNETS:CHARGE",
        "some.yaml:8: actions[3].path: `\\OTHER::TOP:C` is not in the tree DEMO",
        "some.yaml:9: actions[4].phase: `init` differs from the phase `INIT` by case only; "
        "phases are case-sensitive",
        "some.yaml:10: actions[5].phase: `PULSE` is not one of the phases STORE, INIT",
    ]


@pytest.mark.parametrize(
    "text", ["", "[]", "experiment: 1\nactions: 2", "actions: {}", "\x00", "a"]
)
def test_a_file_that_is_something_else(text: str) -> None:
    with pytest.raises(TreeError, match=r"some\.yaml"):
        read_experiment(text.encode(), FILE)


# JSON is YAML, but for characters beyond 0xFFFF, which it writes as two.
@given(when=st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), min_size=1, max_size=40))
def test_any_when_is_declared_never_dropped(when: str) -> None:
    entry = {"path": "X", "server_class": "C", "phase": "INIT", "when": when, "task": {"sleep": 0}}
    content = {"experiment": "demo", "phases": {"INIT": 10}, "actions": [entry]}
    [declared] = read_experiment(json.dumps(content).encode(), FILE).actions
    assert declared.when.text == when
    assert (declared.unreadable is None) == (not isinstance(declared.when, UnusableWhen))
