"""The text of a `when`: what it means, and that any text is either understood or refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shotline.common.nodes import And, Expression, Not, Or, Reference
from shotline.common.ranges import NUMBER_MAX
from shotline.trees.condition_text import (
    DEPTH_MAX,
    LENGTH_MAX,
    ConditionError,
    parse_when,
    resolve,
)

A, B, C = (Reference(path=name) for name in "ABC")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10", 10),
        (" 5 + 5 ", 10),
        ("-3", -3),
        ("2*(3+4)-1", 13),
        ("10.", 10),
        ("10.00", 10),
        ("0", 0),
        ("- - 1", 1),
        ("+7", 7),
        ("1-2-3", -4),
    ],
)
def test_numbers(text: str, number: int) -> None:
    assert parse_when(text) == number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", A),
        ("A and B", And(operands=(A, B))),
        ("A && B || C", Or(operands=(And(operands=(A, B)), C))),
        ("A or B AND C", Or(operands=(A, And(operands=(B, C))))),
        ("A and (B or not C)", And(operands=(A, Or(operands=(B, Not(operand=C)))))),
        ("!A&&!(B)", And(operands=(Not(operand=A), Not(operand=B)))),
        ("not not A", Not(operand=Not(operand=A))),
        ("A and B and C", And(operands=(A, B, C))),
        (
            "\\DEMO::TOP:MAGNETS.COILS:CHARGE",
            Reference(path="\\DEMO::TOP:MAGNETS.COILS:CHARGE"),
        ),
        (":A or .B:C", Or(operands=(Reference(path=":A"), Reference(path=".B:C")))),
        ("ANDROID or NOTE", Or(operands=(Reference(path="ANDROID"), Reference(path="NOTE")))),
    ],
)
def test_conditions(text: str, expected: Expression) -> None:
    assert parse_when(text) == expected


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "is empty"),
        ("   ", 1, "is empty"),
        ("A and", 6, "expected an action, found the end"),
        ("A B", 3, "expected `and` or `or`, found `B`"),
        ("A and or B", 7, "expected an action, found `||`"),
        ("(A or B", 8, "`)` is missing for the `(` in column 1"),
        ("A)", 2, "expected `and` or `or`, found `)`"),
        ("A & B", 3, "`&` is not understood"),
        ("A and 5", 7, "expected an action, found `5`"),
        ("5 5", 3, "expected an operator"),
        ("5 +", 4, "expected a number, found the end"),
        ("10.5", 1, "`10.5` is not a whole number"),
        ("A + 1", 3, "expected `and` or `or`, found `+`"),
        ("A:", 2, "`:` is not understood"),
        (str(NUMBER_MAX + 1), 11, "beyond"),
        ("9" * 5000, 5001, "beyond"),
        ("A" * (LENGTH_MAX + 1), LENGTH_MAX + 1, "longer than"),
        ("(" * (DEPTH_MAX + 1) + "A", DEPTH_MAX + 2, "nested deeper"),
        ("!" * 10_000 + "A", DEPTH_MAX + 2, "nested deeper"),
        ("-" * 10_000 + "1", DEPTH_MAX + 2, "nested deeper"),
    ],
)
def test_what_cannot_be_understood_says_where(text: str, column: int, words: str) -> None:
    with pytest.raises(ConditionError) as caught:
        parse_when(text)
    assert caught.value.column == column
    assert words in caught.value.why


@given(st.text(max_size=80) | st.text(alphabet="AB ()!&|+-*15.:\\andort", max_size=80))
def test_any_text_is_understood_or_refused_by_the_one_error(text: str) -> None:
    with suppress(ConditionError):
        parse_when(text)


def _text(expression: Expression) -> str:
    if isinstance(expression, Reference):
        return expression.path
    if isinstance(expression, Not):
        return f"not ({_text(expression.operand)})"
    word = " and " if isinstance(expression, And) else " || "
    return word.join(f"({_text(operand)})" for operand in expression.operands)


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    st.sampled_from([A, B, C]),
    lambda inner: (
        inner.map(lambda one: Not(operand=one))
        | st.lists(inner, min_size=2, max_size=4).map(lambda some: And(operands=tuple(some)))
        | st.lists(inner, min_size=2, max_size=4).map(lambda some: Or(operands=tuple(some)))
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_a_condition_written_out_is_read_back(expression: Expression) -> None:
    assert parse_when(_text(expression)) == expression


@given(EXPRESSIONS)
def test_resolving_replaces_the_names_and_nothing_else(expression: Expression) -> None:
    full = resolve(expression, lambda name: Reference(path=f"\\T::TOP:{name}"))
    assert resolve(full, lambda name: Reference(path=name[-1])) == expression
