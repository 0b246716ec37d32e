"""W2: many actions that depend on nothing, to be done as fast as can be."""

from collections.abc import Sequence
from typing import ClassVar, Final

from bench.baseline import Baseline
from bench.daemons import Entry, Form, action
from bench.harness import (
    B1,
    B2,
    WINDOWED,
    ActionWorkload,
    Ready,
    Round,
    Subject,
    shares,
    tell,
)
from bench.results import Goal
from bench.workloads import IN_FLIGHT, Sizes, Workload

GOALS: Final = {
    Form.HUB: Goal(0.8, at_least=True),
    Form.APART: Goal(0.65, at_least=True),
}
SHARES: Final = {
    "action servers": Goal(60, of_value=True),
    "workers": Goal(60, of_value=True),
}


class Independent(ActionWorkload):
    """The second baseline does it also with only as many in flight as Shotline has slots."""

    name: ClassVar = Workload.W2
    title: ClassVar = "independent actions"

    def actions(self, sizes: Sizes) -> list[Entry]:
        """All of one sequence number."""
        return [action(f"A{number}", 1) for number in range(sizes.independent)]

    def drive(self, client: Baseline, sizes: Sizes) -> None:
        """All at once."""
        client.do(sizes.independent)

    def variants(self, second: Baseline, sizes: Sizes) -> list[Subject]:
        """With a window."""
        windowed = Subject(
            WINDOWED, lambda: lambda: second.do(sizes.independent, in_flight=IN_FLIGHT)
        )
        return [windowed]

    def compare(self, subjects: Sequence[Ready], of: Round) -> None:
        """Tell actions a second, beside both ways of the second baseline, and what each takes."""
        count = of.sizes.independent
        rates = {}
        for one in subjects:
            with shares(one, of, count, SHARES):
                rates[one.name] = count / one.seconds()
        tell(of, "rate", "/s", rates, base=WINDOWED, goals=GOALS)
        rest = {name: rate for name, rate in rates.items() if name not in (B1, WINDOWED)}
        tell(of, "rate, beside all in flight", "/s", rest, base=B2)
