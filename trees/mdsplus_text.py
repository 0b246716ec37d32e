"""Decompiled MDSplus records as text: the parts of an action, as people know them. Pure.

Only for showing. What an action means is read from its record, never from its text.
"""

import re
from collections.abc import Iterator
from typing import Final

_QUOTED_OR_MARK: Final = re.compile(
    r""""(?:[^"\\]|\\.)*(?:"|\\?\Z)|'(?:[^'\\]|\\.)*(?:'|\\?\Z)|([()\[\]{},])""", re.DOTALL
)


def split_action_text(text: str) -> tuple[str, str]:
    """Return the texts of `when` and task from a decompiled action, "" where they are not found."""
    parts = arguments(text, "Build_Action")
    if len(parts) < 2:
        return "", ""
    dispatch = arguments(parts[0], "Build_Dispatch")
    return (_bare(dispatch[3]) if len(dispatch) > 3 else ""), _bare(parts[1])


def arguments(text: str, function: str) -> list[str]:
    """Return the arguments of `FUNCTION(…)`, split at the commas that are theirs; else nothing."""
    text = text.strip()
    opening = len(function)
    if text[: opening + 1].lower() != function.lower() + "(" or _closing(text) != len(text) - 1:
        return []
    inner = text[opening + 1 : -1]
    cuts = [
        position
        for position, character, depth in _outside_quotes(inner)
        if character == "," and depth == 0
    ]
    starts, ends = [0, *(cut + 1 for cut in cuts)], [*cuts, len(inner)]
    return [inner[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def _bare(text: str) -> str:
    """Return the text without brackets around the whole of it."""
    around = text.startswith("(") and _closing(text) == len(text) - 1
    return text[1:-1].strip() if around else text


def _closing(text: str) -> int:
    """Return where the first bracket of the text is closed, -1 when it is not."""
    for position, character, depth in _outside_quotes(text):
        if character in ")]}" and depth == 0:
            return position
    return -1


def _outside_quotes(text: str) -> Iterator[tuple[int, str, int]]:
    """Yield the brackets and commas outside of quotes, with their place and the depth there."""
    depth = 0
    for found in _QUOTED_OR_MARK.finditer(text):
        mark = found[1]
        if mark is not None:
            depth -= mark in ")]}"
            yield found.start(), mark, depth
            depth += mark in "([{"
