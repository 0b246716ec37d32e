"""Work that is done a step at a time, done to its end."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def done(steps: Generator[None, None, T]) -> tuple[int, T]:
    """Return how many pauses the work made, and its result."""
    pauses = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return pauses, found
        pauses += 1
