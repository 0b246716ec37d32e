"""Whether a figure that was taken again and again stays flat. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Bound:
    """How much a figure may grow between the first and the last third: a part of it, or so much."""

    part: float
    amount: float


BOUNDS = {
    "MiB": Bound(0.08, 12.0),
    "descriptors": Bound(0.05, 4.0),
    "threads": Bound(0.0, 1.0),
    "keys": Bound(0.05, 20.0),
}


def growth(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the medians of the first, the middle and the last third."""
    third = max(1, len(values) // 3)
    middle = values[third:-third] or values
    return median(values[:third]), median(middle), median(values[-third:])


def is_flat(what: str, values: Sequence[float]) -> bool:
    """Return whether the last third is not above the first by more than is allowed."""
    first, _, last = growth(values)
    bound = BOUNDS[what]
    return last - first <= max(bound.part * first, bound.amount)
