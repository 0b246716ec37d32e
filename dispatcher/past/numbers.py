"""Median, spread and trend of durations. Pure."""

from collections.abc import Sequence
from math import sqrt
from statistics import median, quantiles
from typing import Final, Literal, NamedTuple

MEASURED_MIN: Final = 8
"""Fewer than this show no trend."""

_Z: Final = 1.96  # chance alone shows more in one of 20
_TAKEN: Final = 400  # of very many the latest: pairs grow with the square

Word = Literal["longer", "shorter", "steady", "unknown"]


class Course(NamedTuple):
    """What is said of durations in their order."""

    median_s: float
    low_s: float
    high_s: float
    slope_s: float  # from one to the next
    trend: Word


def course_of(durations: Sequence[float]) -> Course | None:
    """Return the course of durations, the oldest first; None where there are none.

    The slope is Theil and Sen's: the median over all pairs, which outliers do not move. Whether it
    is told is decided by Mann and Kendall's test, which asks only how many pairs rise.
    """
    if not durations:
        return None
    low, high = durations[0], durations[0]
    if len(durations) > 1:
        quarters = quantiles(durations, n=4, method="inclusive")
        low, high = quarters[0], quarters[2]
    latest = durations[-_TAKEN:]
    slopes = [
        (after - before) / (place - start)
        for start, before in enumerate(latest)
        for place, after in enumerate(latest[start + 1 :], start + 1)
    ]
    slope = median(slopes) if slopes else 0.0
    return Course(median(durations), low, high, slope, _word(slopes, len(latest)))


def _word(slopes: Sequence[float], count: int) -> Word:
    if count < MEASURED_MIN:
        return "unknown"
    rising = sum(one > 0 for one in slopes) - sum(one < 0 for one in slopes)
    spread = sqrt(count * (count - 1) * (2 * count + 5) / 18)
    if abs(rising) / spread < _Z:
        return "steady"
    return "longer" if rising > 0 else "shorter"
