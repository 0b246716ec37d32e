"""The workloads, a file each: what is done, what is measured, what is asked of Shotline.

Here is how much of each is done. It imports none of them: the baselines' processes need it, too.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

SERVERS: Final = 2
SLOTS: Final = 4
IN_FLIGHT: Final = SERVERS * SLOTS
LINE_BYTES: Final = 80
WARM_UP: Final = 100


class Workload(StrEnum):
    """The workloads of actions that the baselines carry out, too."""

    W1 = "W1"
    W2 = "W2"
    W3 = "W3"
    W4 = "W4"
    W5 = "W5"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each workload is done."""

    single: int = 2000
    independent: int = 10_000
    chain: int = 500
    fan: int = 1000
    lines: int = 100_000
    browsers: tuple[int, ...] = (1, 50, 200)
    idle: int = 500
    tables: tuple[int, ...] = (100, 1000, 10_000)
    growth: tuple[int, ...] = (1000, 10_000, 100_000)
    closed_shots: int = 24
    starts: int = 5
    aborts: int = 20
    plans: int = 3000  # added to the queue in one command
    programme: int = 40  # plans that run one after the other
    records: int = 20_000  # that two consumers complete
    files: int = 1_000_000  # that a watcher knows
    seconds: float = 10.0  # in which what goes on by itself is watched

    def scaled(self, factor: float) -> Self:
        """Return the same suite, shorter or longer; figures of other sizes do not compare."""

        def some(count: int) -> int:
            return max(1, round(count * factor))

        return type(self)(
            some(self.single),
            some(self.independent),
            some(self.chain),
            some(self.fan),
            some(self.lines),
            tuple(map(some, self.browsers)),
            some(self.idle),
            tuple(map(some, self.tables)),
            tuple(map(some, self.growth)),
            # Half of the shots are compared with the other half.
            max(6, some(self.closed_shots)),
            some(self.starts),
            some(self.aborts),
            some(self.plans),
            max(2, some(self.programme)),
            some(self.records),
            some(self.files),
            max(1.0, self.seconds * factor),
        )
