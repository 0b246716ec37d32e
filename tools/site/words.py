"""Pieces of Markdown that all written pages use."""

import re
from collections.abc import Sequence
from typing import Final

_SPECIAL: Final = re.compile(r"([\\*_\[\]#])")
_CODE: Final = re.compile(r"(`[^`]*`)")


def prose(text: str) -> str:
    """Return text as Markdown that shows it as it is; what stands between backticks is code."""
    parts = _CODE.split(text)
    parts[::2] = [_as_it_is(part) for part in parts[::2]]
    parts[1::2] = [part.replace("|", r"\|") for part in parts[1::2]]
    return "".join(parts)


def _as_it_is(text: str) -> str:
    marked = _SPECIAL.sub(r"\\\1", text)
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")


def cell(text: str) -> str:
    """Return text as it stands in one cell of a table."""
    return prose(" ".join(text.split()))


def code(text: object) -> str:
    """Return a word in the type of code, for a cell."""
    return f"`{text}`".replace("|", r"\|")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; its cells are Markdown already. Nothing where it has no rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"
