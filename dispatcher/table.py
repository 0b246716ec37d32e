"""The dispatch table: all actions of a shot, classified once; lookups by path and by phase.

Which action is never dispatched and why, which phases exist, who refers to whom, and what a careful
person would find wrong with the tree. What becomes of the actions in a run is not known here
(DESIGN D1, D10, D12). Pure.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from shotline.common.actions import Cause
from shotline.common.errors import LocalError
from shotline.trees.options import DispatchOptions
from shotline.trees.tree import ActionNode, Phase


class LookupFailed(LocalError):
    """There is no such action or phase in this table."""


class Severity(StrEnum):
    """How much a problem of the tree matters."""

    ERROR = "error"  # something cannot work as it was meant
    WARNING = "warning"  # perhaps meant so


class TableProblem(NamedTuple):
    """Something a person should look at; `path` is empty where it concerns no single action."""

    severity: Severity
    path: str
    text: str


class Table:
    """The actions of one shot in the tree's order. Immutable; `with_node` makes another one."""

    @classmethod
    def build(
        cls, actions: Sequence[ActionNode], phases: Sequence[Phase], options: DispatchOptions
    ) -> "Table":
        """Classify all actions. Raise TreeError when a path occurs twice."""
        raise NotImplementedError

    actions: tuple[ActionNode, ...]
    phases: tuple[str, ...]  # declared ones in their order, then those that only actions name
    options: DispatchOptions

    def node(self, path: str) -> ActionNode:
        """Return the action of this exact path. Raise LookupFailed."""
        raise NotImplementedError

    def position(self, path: str) -> int:
        """Return the action's place in the tree's order, from 0."""
        raise NotImplementedError

    def find(self, text: str) -> str:
        """Return the path that a person means: a path, a name or an unambiguous tail of a path.

        Raise LookupFailed, with near matches in the message.
        """
        raise NotImplementedError

    def find_phase(self, text: str) -> str:
        """Return the phase of this name, case-sensitively. Raise LookupFailed with the known."""
        raise NotImplementedError

    def initial(self, path: str, *, even_if_off: bool = False) -> tuple[Cause | None, str]:
        """Return why an action is never dispatched, with the reason in words, or (None, "")."""
        raise NotImplementedError

    def number(self, path: str) -> int | None:
        """Return its sequence number; conditional and unusable ones have none."""
        raise NotImplementedError

    def references(self, path: str) -> tuple[str, ...]:
        """Return the paths that its condition refers to, each once, missing ones included."""
        raise NotImplementedError

    def dependents(self, path: str) -> tuple[str, ...]:
        """Return the conditional actions whose conditions refer directly to this path."""
        raise NotImplementedError

    def paths_of_phase(self, phase: str) -> tuple[str, ...]:
        """Return the actions of a phase in the tree's order, those never dispatched included."""
        raise NotImplementedError

    def paths_of_range(self, phase: str, first: int, last: int) -> tuple[str, ...]:
        """Return what belongs to `do_sequence` (D12), in the tree's order."""
        raise NotImplementedError

    def problems(self) -> tuple[TableProblem, ...]:
        """Return what is wrong or odd about the tree, in the tree's order."""
        raise NotImplementedError

    def with_node(self, node: ActionNode) -> "Table":
        """Return the table with one node read again (D10). Raise LookupFailed for a new path."""
        raise NotImplementedError
