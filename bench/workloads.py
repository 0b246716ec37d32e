"""The five workloads: what each measures, in which unit, and what is asked of Shotline.

What is measured is defined by `Stack`, which both baselines and Shotline implement. How a stack is
started and driven is its own business (`bench.baseline`, `bench.shotline_run`).
"""

import statistics
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, Self

WARM_UP: Final = 100
TURN: Final = 50
SERVERS: Final = 2
SLOTS: Final = 4
LINE_BYTES: Final = 80


class Workload(StrEnum):
    """One thing that is measured."""

    W1 = "W1"
    W2 = "W2"
    W3 = "W3"
    W4 = "W4"
    W5 = "W5"


@dataclass(frozen=True)
class Goal:
    """How a workload is shown, and the ratio to the second baseline that Shotline has to reach."""

    title: str
    unit: str
    ratio: float
    more_is_better: bool
    repeats: int = 1  # in a round: what is over in a moment is measured more often

    def is_met(self, ratio: float) -> bool:
        """Return whether a measured ratio is good enough."""
        return ratio >= self.ratio if self.more_is_better else ratio <= self.ratio

    @property
    def text(self) -> str:
        """The target as a person writes it."""
        return f"{'≥' if self.more_is_better else '≤'} {self.ratio:g}"


GOALS: Final[dict[Workload, Goal]] = {
    Workload.W1: Goal("one action, command to reply, p50", "ms", 1.6, more_is_better=False),
    Workload.W2: Goal("independent actions", "actions/s", 0.6, more_is_better=True),
    Workload.W3: Goal("chain, a hop", "ms", 1.1, more_is_better=False, repeats=3),
    Workload.W4: Goal("1 → many → 1", "s", 2.0, more_is_better=False, repeats=3),
    Workload.W5: Goal(
        "output lines, observed and stored", "lines/s", 8.0, more_is_better=True, repeats=3
    ),
}


@dataclass(frozen=True)
class Sizes:
    """How much of each workload is done."""

    single: int = 2000
    independent: int = 10_000
    chain: int = 500
    fan: int = 1000
    lines: int = 100_000

    def scaled(self, factor: float) -> Self:
        """Return the same suite, shorter or longer; figures of other sizes do not compare."""
        return type(self)(
            single=max(1, round(self.single * factor)),
            independent=max(1, round(self.independent * factor)),
            chain=max(1, round(self.chain * factor)),
            fan=max(1, round(self.fan * factor)),
            lines=max(1, round(self.lines * factor)),
        )


class Stack(Protocol):
    """Running processes that carry out actions for a client in this process."""

    def prepare(self, workload: Workload) -> None:
        """Do what comes before the clock starts."""

    def run(self, workload: Workload) -> None:
        """Have the workload's actions done (W1: one); return when the last reply is here.

        W5 returns when an observer has all lines and Redis has them (where there is a Redis).
        """


@dataclass(frozen=True)
class Figure:
    """One measurement, in the workload's unit; `p99` only where single ones were timed."""

    value: float
    p99: float | None = None


def measure(stacks: Sequence[Stack], workload: Workload, sizes: Sizes) -> list[Figure]:
    """Run one workload once on each of several stacks that are up and warm, close in time."""
    for stack in stacks:
        stack.prepare(workload)
    match workload:
        case Workload.W1:
            return _latencies(stacks, sizes.single)
        case Workload.W2:
            return [Figure(sizes.independent / _seconds(stack, workload)) for stack in stacks]
        case Workload.W3:
            return [Figure(_seconds(stack, workload) / sizes.chain * 1e3) for stack in stacks]
        case Workload.W4:
            return [Figure(_seconds(stack, workload)) for stack in stacks]
        case Workload.W5:
            return [Figure(sizes.lines / _seconds(stack, workload)) for stack in stacks]


def median(figures: Iterable[Figure]) -> Figure:
    """Return the median of several rounds, value and p99 each by itself."""
    seen = list(figures)
    p99s = [figure.p99 for figure in seen if figure.p99 is not None]
    return Figure(
        statistics.median(figure.value for figure in seen),
        statistics.median(p99s) if p99s else None,
    )


def _seconds(stack: Stack, workload: Workload) -> float:
    begin = time.perf_counter()
    stack.run(workload)
    return time.perf_counter() - begin


def _latencies(stacks: Sequence[Stack], count: int) -> list[Figure]:
    """Time single actions, the stacks in turns, so that a noisy second hits all of them."""
    latencies_ms: list[list[float]] = [[] for _ in stacks]
    for begin in range(0, count, TURN):
        for stack, seen in zip(stacks, latencies_ms, strict=True):
            seen += [_seconds(stack, Workload.W1) * 1e3 for _ in range(min(TURN, count - begin))]
    return [
        Figure(_quantile(sorted(seen), 0.5), _quantile(sorted(seen), 0.99)) for seen in latencies_ms
    ]


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Measured(ABC):
    """What is measured: brought up when it is entered, and ended whatever happens."""

    @abstractmethod
    def _bring_up(self) -> None: ...

    @abstractmethod
    def _end(self) -> None: ...

    def __enter__(self) -> Self:
        try:
            self._bring_up()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
