"""How the source of a table stood when it was read: marks, which differ once it has changed. Pure.

The adapters make them and `dispatcher.sources` compares them. A mark says nothing of a content but
whether it is still the same.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from shotline.common.nodes import SourceMark


def mark_of(content: bytes) -> str:
    """Return the mark of a content."""
    return hashlib.sha256(content).hexdigest()[:32]


def mark_of_parts(parts: Iterable[tuple[str, str]]) -> str:
    """Return the mark of what has parts."""
    return mark_of("\n".join(f"{name} {part}" for name, part in parts).encode("utf-8", "replace"))


@runtime_checkable
class MarksSources(Protocol):
    """A tree that can tell cheaply whether what its tables are read from has changed."""

    def marks(self, shot: int) -> Sequence[SourceMark]:
        """Return how the sources of a shot stand. Raise TreeError where it cannot be told."""
