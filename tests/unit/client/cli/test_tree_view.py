"""The dispatch table for people."""

import io

from msgspec import structs
from rich.console import Console

from shotline.client.cli.views.tree_view import condition_in_words, show_tree
from shotline.common.nodes import (
    ActionNode,
    And,
    ConditionWhen,
    Not,
    Or,
    Reference,
    SequenceWhen,
    SleepTask,
)
from shotline.common.views import TreeProblem, TreeResult


def node(path: str, number: int | None, server_class: str = "B", phase: str = "INIT") -> ActionNode:
    when = (
        ConditionWhen(expression=Not(operand=Reference(path="\\T::TOP:A")), text="not A")
        if number is None
        else SequenceWhen(number=number, text=str(number))
    )
    return ActionNode(
        path=f"\\T::TOP:{path}",
        name=path,
        server_class=server_class,
        phase=phase,
        when=when,
        task=SleepTask(seconds=0),
    )


def shown(result: TreeResult) -> list[str]:
    out = io.StringIO()
    show_tree(Console(file=out, width=200, markup=False, highlight=False), result)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_problems_come_first_then_phases_classes_and_numbers() -> None:
    nodes = (
        node("LATER", 20),
        node("IF", None),
        node("A", 10),
        node("OTHER", 99, server_class="A"),
        node("STORED", 1, phase="STORE"),
    )
    lines = shown(
        TreeResult(
            tree="T",
            shot=1,
            phases=("INIT", "PULSE", "STORE"),
            actions=nodes,
            never={"\\T::TOP:A": "it is switched off"},
            problems=(TreeProblem(severity="error", path="", text="no server"),),
        )
    )
    assert lines[0] == "ERROR  no server"
    assert [line for line in lines if line.startswith("T/1")] == [
        "T/1  phase INIT  4 actions",
        "T/1  phase STORE  1 actions",
    ]
    names = [line.split()[2] for line in lines if line.startswith(("A ", "B "))]
    assert names == ["OTHER", "A", "LATER", "not", "STORED"]
    assert any("when not A" in line for line in lines)
    assert any(line.endswith("it is switched off") for line in lines)


def test_conditions_in_words_have_the_parentheses_that_they_need() -> None:
    a, b, gone = Reference(path="A"), Reference(path="B"), Reference(path="X", missing=True)
    expression = And(
        operands=(Or(operands=(a, Not(operand=b))), Not(operand=And(operands=(a, gone))))
    )
    assert condition_in_words(expression, {"A": "first"}) == (
        "(first or not B) and not (first and X (missing))"
    )


def test_text_from_trees_is_shown_as_text() -> None:
    hostile = structs.replace(node("A", 1), name="\x1b[31mA", phase="\x1b[0m")
    text = "\n".join(shown(TreeResult(tree="T", shot=1, phases=(), actions=(hostile,))))
    assert "\x1b" not in text
