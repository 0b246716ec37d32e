"""Conditions over other actions: the expression's tree, in one form for all sources (DESIGN D4).

The adapters translate MDSplus spellings and the YAML text into these classes; the dispatcher's
sequencer evaluates them. Nothing here reads a tree or knows a state of an action.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from shotline.common.model import Model


class Truth(StrEnum):
    """The value of a condition or of one of its references."""

    TRUE = "true"
    FALSE = "false"
    NEVER = "never"  # off, missing, unreadable, cannot happen
    OPEN = "open"  # not decided yet


class Reference(Model):
    """Another action, by its full path; `missing` when the tree has no such node."""

    kind: Literal["reference"] = "reference"
    path: str
    missing: bool = False


class Not(Model):
    """True where its operand is false; `not never` is never."""

    kind: Literal["not"] = "not"
    operand: "Expression"


class And(Model):
    """False once an operand is, true when all are."""

    kind: Literal["and"] = "and"
    operands: Annotated[tuple["Expression", ...], Field(min_length=1)]


class Or(Model):
    """True once an operand is, false when all are."""

    kind: Literal["or"] = "or"
    operands: Annotated[tuple["Expression", ...], Field(min_length=1)]


Expression = Annotated[Reference | Not | And | Or, Field(discriminator="kind")]


def references(expression: Reference | Not | And | Or) -> Iterator[Reference]:
    """Yield the references of an expression from left to right, repeats included."""
    pending = [expression]
    while pending:
        node = pending.pop()
        if isinstance(node, Reference):
            yield node
        elif isinstance(node, Not):
            pending.append(node.operand)
        else:
            pending.extend(reversed(node.operands))
