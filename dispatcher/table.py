"""The dispatch table: all actions of a shot, classified once; lookups by path and by phase.

Which action is never dispatched and why, which phases exist, and who refers to whom. What becomes
of the actions in a run is not known here, nor what is odd about a tree: that is in `reading`
(DESIGN D1, D10, D12). Pure.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import structs

from shotline.common.actions import Cause
from shotline.common.errors import LocalError
from shotline.common.nodes import (
    ActionNode,
    ConditionWhen,
    DispatchOptions,
    DispatchType,
    Phase,
    SequenceWhen,
    UnusableWhen,
    references,
)
from shotline.trees.tree import TreeError

NEAR_MATCHES_MAX: Final = 3
SEPARATORS: Final = ".:\\/"
"""What stands before a tail of a path: MDSplus' separators and those of other sources."""


class LookupFailed(LocalError):
    """There is no such action or phase in this table."""


class Initial(NamedTuple):
    """Why an action is never dispatched, in words too; no cause: it is pending at first."""

    cause: Cause | None
    reason: str


_PENDING: Final = Initial(None, "")


class Table:
    """The actions of one shot in the tree's order. Immutable; `with_node` makes another one.

    `phases` are the declared ones in their order, then those that only actions name.
    """

    __slots__ = (
        "_by_phase",
        "_dependents",
        "_folded",
        "_initial",
        "_position",
        "_references",
        "actions",
        "declared",
        "options",
        "phases",
    )

    def __init__(
        self, actions: Sequence[ActionNode], phases: Sequence[Phase], options: DispatchOptions
    ) -> None:
        self.actions = tuple(actions)
        self.declared = tuple(phases)
        self.options = options
        self._position = {node.path: at for at, node in enumerate(self.actions)}
        if len(self._position) != len(self.actions):
            raise TreeError(f"the tree lists {_repeated(self.actions)} twice; rename one of them")
        self._initial = {node.path: _classify(node) for node in self.actions}
        self._references = {
            node.path: tuple(dict.fromkeys(r.path for r in references(node.when.expression)))
            for node in self.actions
            if isinstance(node.when, ConditionWhen)
        }
        self._dependents = _inverted(self._references)
        self._by_phase: dict[str, list[str]] = {phase.name: [] for phase in phases}
        for node in self.actions:
            self._by_phase.setdefault(node.phase, []).append(node.path)
        self.phases = tuple(name for name in self._by_phase if name)
        self._folded: dict[str, list[str]] | None = None

    @classmethod
    def build(
        cls, actions: Sequence[ActionNode], phases: Sequence[Phase], options: DispatchOptions
    ) -> "Table":
        """Classify all actions. Raise TreeError when a path occurs twice."""
        return cls(actions, phases, options)

    def __contains__(self, path: str) -> bool:
        return path in self._position

    def __len__(self) -> int:
        return len(self.actions)

    def node(self, path: str) -> ActionNode:
        """Return the action of this exact path. Raise LookupFailed."""
        try:
            return self.actions[self._position[path]]
        except KeyError:
            raise LookupFailed(f"there is no action {path}") from None

    def position(self, path: str) -> int:
        """Return the action's place in the tree's order, from 0. Raise LookupFailed."""
        try:
            return self._position[path]
        except KeyError:
            raise LookupFailed(f"there is no action {path}") from None

    def in_order(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return these paths in the tree's order."""
        return tuple(sorted(paths, key=self._position.__getitem__))

    def initial(self, path: str, *, even_if_off: bool = False) -> Initial:
        """Return why an action is never dispatched, or no cause (D1).

        `even_if_off` looks past the switch, as a redispatch may (D10).
        """
        initial = self._initial[path]
        if even_if_off and initial.cause is Cause.OFF:
            return _classify(structs.replace(self.node(path), on=True))
        return initial

    def number(self, path: str) -> int | None:
        """Return its sequence number; conditional and unusable ones have none."""
        when = self.node(path).when
        return when.number if isinstance(when, SequenceWhen) else None

    def references(self, path: str) -> tuple[str, ...]:
        """Return the paths that its condition refers to, each once, missing ones included."""
        return self._references.get(path, ())

    def dependents(self, path: str) -> tuple[str, ...]:
        """Return the conditional actions whose conditions refer directly to this path."""
        return self._dependents.get(path, ())

    def paths_of_phase(self, phase: str) -> tuple[str, ...]:
        """Return the actions of a phase in the tree's order, those never dispatched included."""
        return tuple(self._by_phase.get(phase, ()))

    def paths_of_range(self, phase: str, first: int, last: int) -> tuple[str, ...]:
        """Return what belongs to `do_sequence` (D12), in the tree's order.

        These are the phase's actions with first <= number <= last, and its conditional ones whose
        conditions refer, directly or through others, to one of them.
        """
        chosen: set[str] = set()
        for path in self.paths_of_phase(phase):
            number = self.number(path)
            if number is not None and first <= number <= last:
                chosen.add(path)
        reached = set(chosen)
        pending = list(chosen)
        while pending:
            for dependent in self.dependents(pending.pop()):
                if dependent not in reached:
                    reached.add(dependent)
                    pending.append(dependent)
        return tuple(path for path in self.paths_of_phase(phase) if path in reached)

    def with_node(self, node: ActionNode) -> "Table":
        """Return the table with one node read again (D10). Raise LookupFailed for a new path."""
        actions = list(self.actions)
        actions[self.position(node.path)] = node
        return Table(actions, self.declared, self.options)

    def find(self, text: str) -> str:
        """Return the path that a person means: a path, a name or an unambiguous tail of a path.

        Case does not matter, as in MDSplus, unless two paths differ by nothing else. Raise
        LookupFailed, with near matches in the message.
        """
        if text in self._position:
            return text
        folded = text.strip().upper()
        found = self._by_folded().get(folded, [])
        if not found and folded:
            found = [node.path for node in self.actions if _is_tail(folded, node.path.upper())]
        if len(found) == 1:
            return found[0]
        if found:
            exact = [path for path in found if _is_tail(text.strip(), path)]
            if len(exact) == 1:
                return exact[0]
            raise LookupFailed(f"{text} may be any of {_listed(found)}; say more of its path")
        raise LookupFailed(f"there is no action {text}{self._suggestion(folded)}")

    def find_phase(self, text: str) -> str:
        """Return the phase of this name, case-sensitively. Raise LookupFailed with the known."""
        if text in self.phases:
            return text
        known = f"the phases are {', '.join(self.phases)}" if self.phases else "the tree has none"
        alike = [name for name in self.phases if name.casefold() == text.casefold()]
        if alike:
            known = f"it differs only by case from {', '.join(alike)}; {known}"
        raise LookupFailed(f"there is no phase {text}: {known}")

    def _by_folded(self) -> dict[str, list[str]]:
        """Paths and names in upper case, and what they may stand for; made when first asked for."""
        if self._folded is None:
            self._folded = {}
            for node in self.actions:
                for key in {node.path.upper(), node.name.upper()}:
                    self._folded.setdefault(key, []).append(node.path)
        return self._folded

    def _suggestion(self, folded: str) -> str:
        names = {node.name.upper(): node.name for node in self.actions}
        near = [name for upper, name in names.items() if folded and folded in upper]
        if not near:
            alike = difflib.get_close_matches(folded, names, n=NEAR_MATCHES_MAX)
            near = [names[upper] for upper in alike]
        return f"; do you mean {_listed(near, 'or')}?" if near else ""


def _classify(node: ActionNode) -> Initial:
    """Return what D1 says of a node; what an operator can change comes first."""
    if not node.on:
        return Initial(Cause.OFF, _why_off(node))
    if node.dispatch_type is DispatchType.ASYNCHRONOUS:
        return Initial(Cause.ASYNCHRONOUS, "asynchronous: shown, never dispatched")
    unreadable = node.unreadable or _why_unusable(node)
    if unreadable:
        return Initial(Cause.UNREADABLE, unreadable)
    if isinstance(node.when, SequenceWhen) and node.when.number <= 0:
        return Initial(
            Cause.BAD_NUMBER,
            f"sequence number {node.when.number}: only numbers above 0 are dispatched",
        )
    return _PENDING


def _why_off(node: ActionNode) -> str:
    if node.node_on and not node.parent_on:
        return "a parent of it is switched off"
    if not node.node_on and not node.parent_on:
        return "it and a parent of it are switched off"
    return "it is switched off"


def _why_unusable(node: ActionNode) -> str:
    """Return why a node that could be read cannot be dispatched, or nothing."""
    if node.dispatch_type is DispatchType.NONE:
        return "its dispatch type is none"
    if isinstance(node.when, UnusableWhen):
        return f"its `when` ({node.when.text or 'empty'}) cannot be used: {node.when.why}"
    if not node.server_class:
        return "it names no server class"
    if not node.phase:
        return "it names no phase"
    if node.task is None:
        return "it has no task"
    return ""


def _repeated(actions: Iterable[ActionNode]) -> str:
    """Return the first path that occurs twice."""
    seen: set[str] = set()
    for node in actions:
        if node.path in seen:
            return node.path
        seen.add(node.path)
    raise ValueError("no path occurs twice")


def _inverted(references_of: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    inverted: dict[str, list[str]] = {}
    for path, targets in references_of.items():
        for target in targets:
            inverted.setdefault(target, []).append(path)
    return {target: tuple(paths) for target, paths in inverted.items()}


def _is_tail(text: str, path: str) -> bool:
    """Return whether a path ends in this text, at one of its separators."""
    if not path.endswith(text):
        return False
    before = path[: len(path) - len(text)]
    return not before or before[-1] in SEPARATORS or text[0] in SEPARATORS


def _listed(names: Sequence[str], last: str = "and") -> str:
    """Return a few names as a person would say them."""
    shown = list(names[:NEAR_MATCHES_MAX])
    if len(names) > len(shown):
        return f"{', '.join(shown)} {last} {len(names) - len(shown)} more"
    return f" {last} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))
