"""A tree's dispatch table for people: problems first, then phases, classes and sequence numbers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.text import Text

from shotline.client.cli.views.render import put, table
from shotline.client.plain import plain
from shotline.client.text import duration
from shotline.common.nodes import (
    ActionNode,
    And,
    ConditionWhen,
    Expression,
    Not,
    Or,
    Reference,
    SequenceWhen,
)
from shotline.common.views import TreeResult

_STYLES = {"error": "bold red", "warning": "dark_orange"}


def show_tree(out: Console, tree: TreeResult) -> None:
    """Show what `tree` answers."""
    for problem in tree.problems:
        where = f"{problem.path}: " if problem.path else ""
        shown = (problem.severity.upper(), _STYLES[problem.severity])
        out.print(Text.assemble(shown, f"  {plain(where + problem.text)}"))
    if tree.problems:
        out.print()
    names = {node.path: node.name or node.path for node in tree.actions}
    for phase, members in by_phase(tree).items():
        title = f"{tree.tree}/{tree.shot}  phase {phase or '(none)'}  {len(members)} actions"
        out.print(Text(plain(title), style="bold"))
        rows = (_row(node, tree.never, names) for node in in_dispatch_order(members))
        put(out, table("CLASS", "WHEN", "ACTION", "LIMIT", "TASK", "NOTES", rows=rows))
        out.print()


def by_phase(tree: TreeResult) -> dict[str, list[ActionNode]]:
    """Return the actions of each phase that has some, in the order of the phases."""
    phases: dict[str, list[ActionNode]] = {phase: [] for phase in tree.phases}
    for node in tree.actions:
        phases.setdefault(node.phase, []).append(node)
    return {phase: members for phase, members in phases.items() if members}


def in_dispatch_order(nodes: Iterable[ActionNode]) -> list[ActionNode]:
    """Return the actions of a phase by class, numbers first, else in the tree's order."""
    classes: defaultdict[str, list[ActionNode]] = defaultdict(list)
    for node in nodes:
        classes[node.server_class].append(node)
    ordered: list[ActionNode] = []
    for name in sorted(classes):
        ordered += sorted(classes[name], key=_place)
    return ordered


def _place(node: ActionNode) -> tuple[int, int]:
    if isinstance(node.when, SequenceWhen):
        return 0, node.when.number
    return (1 if isinstance(node.when, ConditionWhen) else 2), 0


def _row(node: ActionNode, never: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    task = node.task
    limit = duration(node.timeout_s) if node.timeout_s else ""
    notes = [never[node.path]] if node.path in never else []
    if node.essential:
        notes.append("essential")
    if node.completion_event:
        notes.append(f"raises {node.completion_event}")
    cells = (
        node.server_class,
        when_in_words(node, names),
        node.name or node.path,
        limit,
        getattr(task, "task_kind", task.kind) if task is not None else "",
        "; ".join(notes),
    )
    return [plain(cell) for cell in cells]


def when_in_words(node: ActionNode, names: Mapping[str, str]) -> str:
    """Return when an action runs: its number, or its condition with names instead of paths."""
    if isinstance(node.when, SequenceWhen):
        return str(node.when.number)
    if isinstance(node.when, ConditionWhen):
        return f"when {condition_in_words(node.when.expression, names)}"
    return node.when.text


def condition_in_words(expression: Expression, names: Mapping[str, str]) -> str:
    """Return a condition in words: `A and not (B or C)`."""
    if isinstance(expression, Reference):
        name = names.get(expression.path, expression.path)
        return f"{name} (missing)" if expression.missing else name
    if isinstance(expression, Not):
        return f"not {_operand(expression.operand, names)}"
    word = " and " if isinstance(expression, And) else " or "
    return word.join(_operand(operand, names) for operand in expression.operands)


def _operand(expression: Expression, names: Mapping[str, str]) -> str:
    text = condition_in_words(expression, names)
    several = isinstance(expression, And | Or) and len(expression.operands) > 1
    return f"({text})" if several else text
