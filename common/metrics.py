"""What daemons count and measure of themselves: plain numbers, with a name and a unit. Pure.

Machines count; what a daemon tells is made of their numbers when it is asked. How Prometheus gets
it is `common.process.scrape`'s.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

LATENCIES_S: Final = (
    *(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 30.0),
)


class Histogram:
    """How often a measured value lay below each of some bounds."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: tuple[float, ...] = LATENCIES_S) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0  # of all values

    def observe(self, value: float) -> None:
        """Take a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def at_most(self) -> Iterator[tuple[float, int]]:
        """Yield each bound, infinity the last, and how many values were not above it."""
        number = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            number += count
            yield bound, number


Labelled = Iterable[tuple[tuple[str, ...], float]]


class Metric(NamedTuple):
    """One metric: its full name, without the `_total` of counters, and what it says in words."""

    kind: Literal["gauge", "counter", "histogram"]
    name: str
    words: str
    values: Labelled | Histogram
    labels: tuple[str, ...] = ()


def gauge(name: str, words: str, value: float) -> Metric:
    """Return what stands at a value now."""
    return Metric("gauge", f"shotline_{name}", words, [((), value)])


def gauges(name: str, words: str, labels: tuple[str, ...], values: Labelled) -> Metric:
    """Return what stands at a value for each of several labels."""
    return Metric("gauge", f"shotline_{name}", words, values, labels)


def counter(name: str, words: str, value: float) -> Metric:
    """Return what only rises."""
    return Metric("counter", f"shotline_{name}", words, [((), value)])


def counters(name: str, words: str, labels: tuple[str, ...], values: Labelled) -> Metric:
    """Return what only rises, for each of several labels."""
    return Metric("counter", f"shotline_{name}", words, values, labels)


def histogram(name: str, words: str, values: Histogram) -> Metric:
    """Return how measured values are distributed."""
    return Metric("histogram", f"shotline_{name}", words, values)
