"""What a careful person would find wrong or odd about a tree, before any shot is run.

It looks at a whole table at once; that a single node cannot be read is the adapters' finding, which
the table carries. Nothing here changes what is dispatched. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shotline.common.actions import NEVER_DISPATCHED, Cause
from shotline.common.views import Severity
from shotline.dispatcher.conditions import circles
from shotline.dispatcher.table import Table


class TableProblem(NamedTuple):
    """Something to look at; `path` is empty where it concerns no single action."""

    severity: Severity
    path: str
    text: str


def find_problems(table: Table) -> tuple[TableProblem, ...]:
    """Return what is wrong or odd: of the whole tree first, then of each action in its order."""
    general = list(_alike("phase", table.phases))
    general += _alike("server class", dict.fromkeys(n.server_class for n in table.actions))
    general += _alike("action", (node.path for node in table.actions))
    of_actions = [*_unusable(table), *_references(table), *_circular(table)]
    of_actions.sort(key=lambda problem: table.position(problem.path))
    return (*general, *of_actions)


def _alike(what: str, names: Iterable[str]) -> Iterator[TableProblem]:
    """Yield names that differ only by case: one of them is often a typing error."""
    spellings: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        spellings[name.casefold()].append(name)
    for same in spellings.values():
        if len(same) > 1:
            text = f"{what} names differ only by case: {', '.join(same)}"
            yield TableProblem(Severity.WARNING, "", text)


def _unusable(table: Table) -> Iterator[TableProblem]:
    declared = {phase.name for phase in table.declared}
    for node in table.actions:
        cause, reason = table.initial(node.path)
        if cause is Cause.UNREADABLE:
            yield TableProblem(Severity.ERROR, node.path, f"cannot be read: {reason}")
        elif cause is Cause.BAD_NUMBER:
            yield TableProblem(Severity.WARNING, node.path, reason)
        elif cause is Cause.OFF and table.initial(node.path, even_if_off=True).cause:
            hidden = table.initial(node.path, even_if_off=True).reason
            yield TableProblem(Severity.WARNING, node.path, f"is off, and unusable: {hidden}")
        if declared and node.phase and node.phase not in declared:
            text = f"phase {node.phase} is none of the site's: {', '.join(sorted(declared))}"
            yield TableProblem(Severity.ERROR, node.path, text)


def _references(table: Table) -> Iterator[TableProblem]:
    """Yield references that can never be true."""
    for node in table.actions:
        for target in table.references(node.path):
            if target not in table:
                text = f"its condition refers to {target}, which is no action of this tree"
                yield TableProblem(Severity.ERROR, node.path, text)
                continue
            cause = table.initial(target).cause
            if cause is not None:
                text = f"its condition refers to {target}, which {NEVER_DISPATCHED[cause]}"
                yield TableProblem(Severity.WARNING, node.path, text)


def _circular(table: Table) -> Iterator[TableProblem]:
    graph = {
        node.path: table.references(node.path)
        for node in table.actions
        if table.references(node.path) and table.initial(node.path).cause is None
    }
    for circle in circles(graph):
        text = f"its condition is circular: {', '.join(circle)}"
        yield from (TableProblem(Severity.ERROR, path, text) for path in circle)
