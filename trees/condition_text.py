"""The text of a `when`: `A and (B or not C)`, or a number such as `10` or `5+5`. Pure.

`parse_when` tells the two apart. The names in a condition are kept as they were written; to find
the actions that they mean is the tree's business (`resolve`).

    condition = and-part { ("or" | "||") and-part }
    and-part  = not-part { ("and" | "&&") not-part }
    not-part  = ("not" | "!") not-part | "(" condition ")" | name
    number    = sums, differences and products of whole numbers, with brackets

Words are case-insensitive, as in MDSplus. `not` binds tighter than `and`, `and` tighter than `or`.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from shotline.common.nodes import And, Expression, Not, Or, Reference
from shotline.common.ranges import NUMBER_MAX

LENGTH_MAX: Final = 16_384  # characters
DEPTH_MAX: Final = 64  # brackets and negations inside each other

_PLAIN_DIGITS: Final = 9  # so many are never beyond NUMBER_MAX

_TOKEN: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>[0-9]+(?:\.0*)?)(?![\w.:])"
    r"|(?P<fraction>[0-9]*\.[0-9]+)"
    r"|(?P<name>\\?[.:]{0,2}[A-Za-z_$][\w$]*(?:(?:::|[.:])[A-Za-z_$][\w$]*)*)"
    r"|(?P<operator>&&|\|\||[!()+*-])",
    re.ASCII,
)
_WORDS: Final = {"AND": "&&", "OR": "||", "NOT": "!"}


class ConditionError(ValueError):
    """The text is no condition and no number; `column` counts from 1."""

    def __init__(self, why: str, column: int) -> None:
        self.why = why
        self.column = column
        super().__init__(f"{why} (column {column})")


class _Token(NamedTuple):
    kind: str  # number, name, operator, end
    text: str
    column: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"`{self.text}`"


def parse_when(text: str) -> int | Expression:
    """Return the sequence number or the condition that `text` says. Raise ConditionError."""
    if text.isascii() and text.isdigit() and len(text) <= _PLAIN_DIGITS:  # most of them
        return int(text)
    tokens = _tokens(text)
    if any(token.kind == "name" for token in tokens):
        return _Condition(tokens).parse()
    if tokens[0].kind == "end":
        raise ConditionError("is empty", 1)
    return _NumberTerm(tokens).parse()


def resolve(expression: Expression, find: Callable[[str], Reference]) -> Expression:
    """Return the expression with each name replaced by the reference that `find` gives for it."""
    if isinstance(expression, Reference):
        return find(expression.path)
    if isinstance(expression, Not):
        return Not(operand=resolve(expression.operand, find))
    operands = tuple(resolve(operand, find) for operand in expression.operands)
    return And(operands=operands) if isinstance(expression, And) else Or(operands=operands)


def _tokens(text: str) -> list[_Token]:
    if len(text) > LENGTH_MAX:
        raise ConditionError(f"is longer than {LENGTH_MAX} characters", LENGTH_MAX + 1)
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ConditionError(f"`{text[position]}` is not understood", position + 1)
        kind, found = str(match.lastgroup), match.group()
        if kind == "fraction":
            raise ConditionError(f"`{found}` is not a whole number", position + 1)
        if kind == "name" and found.upper() in _WORDS:
            kind, found = "operator", _WORDS[found.upper()]
        if kind != "space":
            tokens.append(_Token(kind, found, position + 1))
        position = match.end()
    tokens.append(_Token("end", "", len(text) + 1))
    return tokens


class _Parser:
    """What both parsers do: look at the next token, take it, count how deep they are."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    @property
    def next(self) -> _Token:
        return self._tokens[self._position]

    def take(self) -> _Token:
        token = self.next
        self._position += token.kind != "end"
        return token

    def took(self, operator: str) -> bool:
        found = self.next.kind == "operator" and self.next.text == operator
        self._position += found
        return found

    def deeper(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise ConditionError(f"is nested deeper than {DEPTH_MAX} levels", self.next.column)

    def close(self, opened: int) -> None:
        if not self.took(")"):
            why = f"`)` is missing for the `(` in column {opened}, found {self.next}"
            raise ConditionError(why, self.next.column)

    def end(self, expected: str) -> None:
        if self.next.kind != "end":
            raise ConditionError(f"expected {expected}, found {self.next}", self.next.column)


class _Condition(_Parser):
    def parse(self) -> Expression:
        expression = self._or()
        self.end("`and` or `or`")
        return expression

    def _or(self) -> Expression:
        operands = [self._and()]
        while self.took("||"):
            operands.append(self._and())
        return operands[0] if len(operands) == 1 else Or(operands=tuple(operands))

    def _and(self) -> Expression:
        operands = [self._not()]
        while self.took("&&"):
            operands.append(self._not())
        return operands[0] if len(operands) == 1 else And(operands=tuple(operands))

    def _not(self) -> Expression:
        token = self.take()
        if token.kind == "name":
            return Reference(path=token.text)
        if token.kind == "operator" and token.text in ("!", "("):
            self.deeper()
            if token.text == "!":
                inner: Expression = Not(operand=self._not())
            else:
                inner = self._or()
                self.close(token.column)
            self._depth -= 1
            return inner
        raise ConditionError(f"expected an action, found {token}", token.column)


class _NumberTerm(_Parser):
    def parse(self) -> int:
        number = self._sum()
        self.end("an operator")
        return number

    def _sum(self) -> int:
        total = self._product()
        while self.next.text in ("+", "-"):
            sign = 1 if self.take().text == "+" else -1
            total = self._bounded(total + sign * self._product())
        return total

    def _product(self) -> int:
        product = self._factor()
        while self.took("*"):
            product = self._bounded(product * self._factor())
        return product

    def _factor(self) -> int:
        token = self.take()
        if token.kind == "number":
            return self._bounded(int(token.text.split(".")[0][:20]))
        if token.kind == "operator" and token.text in ("-", "+", "("):
            self.deeper()
            if token.text == "(":
                inner = self._sum()
                self.close(token.column)
            else:
                inner = self._factor() if token.text == "+" else -self._factor()
            self._depth -= 1
            return inner
        raise ConditionError(f"expected a number, found {token}", token.column)

    def _bounded(self, number: int) -> int:
        if abs(number) > NUMBER_MAX:
            raise ConditionError(f"is a number beyond {NUMBER_MAX}", self.next.column)
        return number
