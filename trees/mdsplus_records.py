"""What MDSplus action records mean: from terms to `ActionNode`s, for both MDSplus adapters. Pure.

All spellings of `when` are understood that have a meaning as a condition (DESIGN D4); any other
makes its action unreadable, with the decompiled text. Tasks are described, never evaluated.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from msgspec.structs import replace

from shotline.common.nodes import (
    LABEL,
    ActionNode,
    And,
    ConditionWhen,
    DispatchType,
    Expression,
    MdsplusTask,
    Not,
    Or,
    Reference,
    SequenceWhen,
    UnusableWhen,
    When,
)
from shotline.common.ranges import DURATION_MAX, NUMBER_MAX
from shotline.trees.mdsplus_terms import (
    ACTION,
    CONDITION,
    DEPENDENCY,
    DISPATCH,
    FUNCTION,
    METHOD,
    PROCEDURE,
    PROGRAM,
    ROUTINE,
    WRAPPERS,
    MdsRecord,
    MdsTerm,
    MdsText,
    NodeRef,
    Nothing,
    Number,
    PathRef,
)
from shotline.trees.mdsplus_text import split_action_text

# Opcodes of TDI functions that have a meaning in a `when`.
AND: Final = 45
AND_NOT: Final = 46
NAND: Final = 249
NOR: Final = 256
NOT: Final = 258
OR: Final = 267
OR_NOT: Final = 268
ADD: Final = 38
SUBTRACT: Final = 336
MULTIPLY: Final = 247
DIVIDE: Final = 129
UNARY_MINUS: Final = 350
UNARY_PLUS: Final = 351
ABS: Final = 32
INT: Final = 201
LONG: Final = 227
MAX: Final = 233
MIN: Final = 241
MOD: Final = 245
NINT: Final = 255

# What a Dependency and a Condition are.
DEPENDENCY_AND: Final = 10
DEPENDENCY_OR: Final = 11
DEPENDENCY_OF: Final = 12
NEGATE_CONDITION: Final = 7
IGNORE_UNDEFINED: Final = 8
IGNORE_STATUS: Final = 9

_DISPATCH_TYPES: Final = {
    0: DispatchType.NONE,
    1: DispatchType.ASYNCHRONOUS,
    2: DispatchType.SEQUENTIAL,
    3: DispatchType.CONDITIONAL,
}
TaskKind = Literal["expression", "method", "program", "routine", "procedure", "unknown"]
_TASK_KINDS: Final[dict[int, TaskKind]] = {
    METHOD: "method",
    PROGRAM: "program",
    ROUTINE: "routine",
    PROCEDURE: "procedure",
}


def _quotient(left: float, right: float) -> float:
    """Divide as TDI does: whole numbers give a whole number, cut towards 0."""
    if right == 0:
        raise ZeroDivisionError("division by zero")
    if isinstance(left, int) and isinstance(right, int):
        return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return left / right


_ONE: Final[dict[int, Callable[[float], float]]] = {
    UNARY_MINUS: lambda value: -value,
    UNARY_PLUS: lambda value: value,
    ABS: abs,
    INT: math.trunc,
    LONG: math.trunc,
    NINT: lambda value: math.trunc(value + math.copysign(0.5, value)),
}
_TWO: Final[dict[int, Callable[[float, float], float]]] = {
    ADD: lambda left, right: left + right,
    SUBTRACT: lambda left, right: left - right,
    MULTIPLY: lambda left, right: left * right,
    DIVIDE: _quotient,
    MOD: lambda left, right: (
        left - right * _quotient(left, right)
        if isinstance(left, int) and isinstance(right, int)
        else math.fmod(left, right)
    ),
}
_SEVERAL: Final[dict[int, Callable[[Sequence[float]], float]]] = {MAX: max, MIN: min}


class NodeLookup(Protocol):
    """What a reader of the tree knows beyond the record at hand."""

    def action_path(self, nid: int) -> str | None:
        """Return the full path of an action node, None when the node is no action."""

    def node_path(self, nid: int) -> str:
        """Return the full path of any node."""

    def node_value(self, nid: int) -> int | float | str | None:
        """Return the value of a node that holds a number or a text, else None."""

    def nid_of(self, path: str) -> int | None:
        """Return the node that a path of a record leads to by now, None when there is none."""

    def full_path(self, path: str) -> str:
        """Return a path as written in a record as a full path, whether or not it exists."""

    def phase_name(self, number: int) -> str | None:
        """Return the site's name of a phase, None when it has none."""


@dataclass(frozen=True)
class NodeFacts:
    """What the tree says of a node, besides its record."""

    nid: int
    path: str
    name: str
    on: bool
    node_on: bool
    parent_on: bool
    essential: bool


class Unusable(ValueError):
    """A part of a record has no meaning where it stands; the message says why."""


def action_node(
    facts: NodeFacts, record: MdsTerm, text: str, lookup: NodeLookup, url: str | None = None
) -> ActionNode:
    """Return the action that a record declares; `text` is the record decompiled.

    `url` is the mdsip server that its task runs on, None where MDSplus itself runs it.
    """
    if not isinstance(record, MdsRecord) or record.dtype != ACTION:
        return unreadable_node(facts, text, "the node holds no action record")
    dispatch = _located(record.part(0), lookup)
    if not isinstance(dispatch, MdsRecord) or dispatch.dtype != DISPATCH:
        return unreadable_node(facts, text, "the action has no dispatch part")
    when_text, task_text = split_action_text(text)
    problems: list[str] = []

    def attempt(what: str, read: Callable[[MdsTerm], str | None], term: MdsTerm) -> str | None:
        try:
            return read(term)
        except Unusable as error:
            problems.append(f"{what}: {error}")
            return None

    server_class = attempt("server class", lambda term: _text_of(term, lookup), dispatch.part(0))
    phase = attempt("phase", lambda term: _phase_of(term, lookup), dispatch.part(1))
    event = attempt("completion event", lambda term: _text_of(term, lookup), dispatch.part(3))
    kind = _DISPATCH_TYPES.get(dispatch.code, DispatchType.NONE)
    when = when_of(dispatch.part(2), when_text, lookup)
    if isinstance(when, UnusableWhen) and kind is not DispatchType.ASYNCHRONOUS:
        problems.append(f"`when` {when.why}: {when.text}")
    server_class, _, label = (server_class or "").partition("@")
    if label and not re.fullmatch(LABEL, label):
        problems.append(f"server class: {label!r} behind the @ is no label of a server")
    if not server_class:
        problems.append("it names no server class")
    task_term = record.part(1)
    task = None
    if isinstance(task_term, Nothing):
        problems.append("it has no task")
    else:
        kind_of_task = _kind_of_task(task_term)
        task = MdsplusTask(nid=facts.nid, task_kind=kind_of_task, text=task_text, url=url)
    timeout_s = _timeout_of(task_term, lookup, problems)
    return ActionNode(
        path=facts.path,
        name=facts.name,
        nid=facts.nid,
        server_class=server_class,
        label=label if re.fullmatch(LABEL, label) else None,
        phase=phase or "",
        dispatch_type=kind,
        when=when,
        completion_event=event or None,
        task=task,
        timeout_s=timeout_s,
        essential=facts.essential,
        on=facts.on,
        node_on=facts.node_on,
        parent_on=facts.parent_on,
        unreadable="; ".join(problems) or None,
        text=text,
    )


def unreadable_node(facts: NodeFacts, text: str, why: str) -> ActionNode:
    """Return a node of which nothing but its place in the tree is known (D1)."""
    return ActionNode(
        path=facts.path,
        name=facts.name,
        nid=facts.nid,
        dispatch_type=DispatchType.NONE,
        when=UnusableWhen(text="", why="could not be read"),
        essential=facts.essential,
        on=facts.on,
        node_on=facts.node_on,
        parent_on=facts.parent_on,
        unreadable=why,
        text=text,
    )


def when_of(term: MdsTerm, text: str, lookup: NodeLookup) -> When:
    """Return what a `when` says: a sequence number, a condition, or why it is neither."""
    term = _located(term, lookup)
    try:
        if isinstance(term, Nothing):
            raise Unusable("is missing")
        number = _number_of(term, lookup)
        if number is not None:
            return SequenceWhen(number=_whole(number), text=text)
        return ConditionWhen(expression=_condition_of(term, lookup), text=text)
    except Unusable as error:
        return UnusableWhen(text=text, why=str(error))


def _located(term: MdsTerm, lookup: NodeLookup) -> MdsTerm:
    """Return the term with the nodes that exist by now in place of their paths.

    MDSplus writes the path of a node that did not exist yet, and finds it when it evaluates.
    """
    if isinstance(term, PathRef):
        nid = lookup.nid_of(term.path)
        return term if nid is None else NodeRef(nid)
    if isinstance(term, MdsRecord):
        return replace(term, parts=tuple(_located(part, lookup) for part in term.parts))
    return term


def _condition_of(term: MdsTerm, lookup: NodeLookup) -> Expression:
    condition = _ignorable_condition_of(term, lookup)
    if condition is None:
        raise Unusable("has nothing left once undefined actions are ignored")
    return condition


def _ignorable_condition_of(term: MdsTerm, lookup: NodeLookup) -> Expression | None:
    """Return the condition, None for an undefined action that is to be ignored."""
    if isinstance(term, NodeRef):
        path = lookup.action_path(term.nid)
        if path is None:
            raise Unusable(f"refers to {lookup.node_path(term.nid)}, which is no action")
        return Reference(path=path)
    if isinstance(term, PathRef):
        return Reference(path=lookup.full_path(term.path), missing=True)
    if isinstance(term, MdsText):
        raise Unusable("is a text, not a condition")
    if isinstance(term, Number):
        raise Unusable("has a number where an action is expected")
    if isinstance(term, MdsRecord):
        if term.dtype == FUNCTION:
            return _function_of(term, lookup)
        if term.dtype == DEPENDENCY:
            return _dependency_of(term, lookup)
        if term.dtype == CONDITION:
            return _modified_of(term, lookup)
    raise Unusable("is not a condition over actions")


def _function_of(term: MdsRecord, lookup: NodeLookup) -> Expression | None:
    if term.code == NOT:
        return Not(operand=_condition_of(_only(term), lookup))
    if term.code in (AND, OR):
        return _joined(And if term.code == AND else Or, term.parts, lookup)
    if term.code in (NAND, NOR):
        joined = _joined(And if term.code == NAND else Or, term.parts, lookup)
        return joined and Not(operand=joined)
    if term.code in (AND_NOT, OR_NOT):
        if len(term.parts) != 2:
            raise Unusable("has an operator with the wrong number of operands")
        left = _condition_of(term.parts[0], lookup)
        right = Not(operand=_condition_of(term.parts[1], lookup))
        kind = And if term.code == AND_NOT else Or
        return kind(operands=(left, right))
    raise Unusable("uses a function that has no meaning in a condition")


def _dependency_of(term: MdsRecord, lookup: NodeLookup) -> Expression | None:
    if term.code in (DEPENDENCY_AND, DEPENDENCY_OR):
        return _joined(And if term.code == DEPENDENCY_AND else Or, term.parts, lookup)
    given = [part for part in term.parts if not isinstance(part, Nothing)]
    if term.code == DEPENDENCY_OF and len(given) == 1:
        return _condition_of(given[0], lookup)
    if term.code == DEPENDENCY_OF:
        raise Unusable("is a dependency OF, which has no meaning as a condition over actions")
    raise Unusable(f"is a dependency of the unknown kind {term.code}")


def _modified_of(term: MdsRecord, lookup: NodeLookup) -> Expression | None:
    inner = _only(term)
    if term.code == NEGATE_CONDITION:
        return Not(operand=_condition_of(inner, lookup))
    if term.code == IGNORE_UNDEFINED:
        return None if isinstance(inner, PathRef) else _condition_of(inner, lookup)
    if term.code == IGNORE_STATUS:
        # True as soon as it is decided, whichever way; never stays never.
        condition = _condition_of(inner, lookup)
        return Or(operands=(condition, Not(operand=condition)))
    raise Unusable(f"is a condition of the unknown kind {term.code}")


def _joined(
    kind: type[And] | type[Or], parts: Sequence[MdsTerm], lookup: NodeLookup
) -> Expression | None:
    """Join the operands; those of an inner `and` in an `and` become its own."""
    operands: list[Expression] = []
    for part in parts:
        condition = _ignorable_condition_of(part, lookup)
        if isinstance(condition, kind):
            operands.extend(condition.operands)
        elif condition is not None:
            operands.append(condition)
    if not parts:
        raise Unusable("has an operator without operands")
    if not operands:
        return None
    return operands[0] if len(operands) == 1 else kind(operands=tuple(operands))


def _only(term: MdsRecord) -> MdsTerm:
    if len(term.parts) != 1:
        raise Unusable("has an operator with the wrong number of operands")
    return term.parts[0]


def _number_of(term: MdsTerm, lookup: NodeLookup) -> int | float | None:
    """Return the value of a purely numeric expression; None when it is something else."""
    if isinstance(term, Number):
        return term.value
    if isinstance(term, NodeRef) and lookup.action_path(term.nid) is None:
        value = lookup.node_value(term.nid)
        return value if isinstance(value, int | float) else None
    if not isinstance(term, MdsRecord):
        return None
    if term.dtype in WRAPPERS:
        return _number_of(term.part(0), lookup)
    if term.dtype != FUNCTION:
        return None
    values = [_number_of(part, lookup) for part in term.parts]
    given = [value for value in values if value is not None]
    if len(given) < len(values) or not values:
        return None
    try:
        return _value_of(term.code, given)
    except (ArithmeticError, ValueError) as error:
        raise Unusable(f"cannot be evaluated ({error})") from None


def _value_of(code: int, given: Sequence[float]) -> float | None:
    """Return the value of a numeric function, None when it is none of those known here."""
    if code in _ONE and len(given) == 1:
        return _ONE[code](given[0])
    if code in _TWO and len(given) == 2:
        return _TWO[code](given[0], given[1])
    return _SEVERAL[code](given) if code in _SEVERAL else None


def _whole(number: int | float) -> int:
    if not math.isfinite(number) or number != int(number):
        raise Unusable(f"is not a whole number ({number})")
    if abs(number) > NUMBER_MAX:
        raise Unusable(f"is a number beyond {NUMBER_MAX}")
    return int(number)


def _text_of(term: MdsTerm, lookup: NodeLookup) -> str | None:
    if isinstance(term, Nothing):
        return None
    if isinstance(term, MdsText):
        return term.value.strip()
    if isinstance(term, NodeRef):
        value = lookup.node_value(term.nid)
        if isinstance(value, str):
            return value.strip()
        raise Unusable(f"refers to {lookup.node_path(term.nid)}, which holds no text")
    if isinstance(term, PathRef):
        raise Unusable(f"refers to the missing node {term.path}")
    raise Unusable("is not a text")


def _phase_of(term: MdsTerm, lookup: NodeLookup) -> str:
    number = _number_of(term, lookup)
    if number is None:
        text = _text_of(term, lookup)
        if not text:
            raise Unusable("is missing")
        return text
    name = lookup.phase_name(_whole(number))
    if name is None:
        raise Unusable(f"{number} is not in the site's phase table")
    return name


def _kind_of_task(task: MdsTerm) -> TaskKind:
    return (
        _TASK_KINDS.get(task.dtype, "expression") if isinstance(task, MdsRecord) else "expression"
    )


def _timeout_of(task: MdsTerm, lookup: NodeLookup, problems: list[str]) -> float | None:
    """Return the seconds of a task's time limit; missing and 0 mean none, as in MDSplus."""
    if not isinstance(task, MdsRecord) or task.dtype not in _TASK_KINDS:
        return None
    limit = _located(task.part(0), lookup)
    if isinstance(limit, Nothing):
        return None
    try:
        number = _number_of(limit, lookup)
    except Unusable:
        number = None
    if number is None or not 0 <= number <= DURATION_MAX:
        problems.append("the time limit of its task is not a number of seconds")
        return None
    return float(number) or None
