"""W1: one action that does nothing, again and again, from the command to the reply."""

from collections.abc import Sequence
from typing import ClassVar, Final

from bench.baseline import Baseline
from bench.daemons import Entry, Form, action
from bench.harness import B2, ActionWorkload, Ready, Round, shares, tell
from bench.results import Goal, quantile
from bench.workloads import Sizes, Workload

TURN: Final = 50
GOALS: Final = {Form.HUB: Goal(2.2), Form.APART: Goal(3.0)}


class Single(ActionWorkload):
    """The subjects take turns of 50 actions, so that a noisy second hits all of them."""

    name: ClassVar = Workload.W1
    title: ClassVar = "one action, from the command to the reply"

    def actions(self, _sizes: Sizes) -> list[Entry]:
        """One."""
        return [action("ONE", 1)]

    def drive(self, client: Baseline, _sizes: Sizes) -> None:
        """One."""
        client.do(1)

    def compare(self, subjects: Sequence[Ready], of: Round) -> None:
        """Tell median and 99 %."""
        taken_ms: dict[str, list[float]] = {one.name: [] for one in subjects}
        count = of.sizes.single
        for begin in range(0, count, TURN):
            for one in subjects:
                turn = range(min(TURN, count - begin))
                taken_ms[one.name] += [one.seconds() * 1e3 for _ in turn]
        for what, share, goals in (("median", 0.5, GOALS), ("99 %", 0.99, None)):
            values = {name: quantile(taken, share) for name, taken in taken_ms.items()}
            tell(of, what, "ms", values, base=B2, goals=goals)
        for one in subjects:
            with shares(one, of, count, {}):
                for _ in range(count):
                    one.run()
