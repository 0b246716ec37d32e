"""W3: a chain in which each action waits for the one before, by its condition."""

from collections.abc import Sequence
from typing import ClassVar, Final

from bench.baseline import Baseline
from bench.daemons import Entry, Form, action
from bench.harness import B2, ActionWorkload, Ready, Round, tell
from bench.results import Goal
from bench.workloads import Sizes, Workload

GOALS: Final = {Form.HUB: Goal(1.1), Form.APART: Goal(1.3)}


class Chain(ActionWorkload):
    """A hop is from one action to the next."""

    name: ClassVar = Workload.W3
    title: ClassVar = "a chain of actions, each conditional on the one before"
    repeats: ClassVar = 3

    def actions(self, sizes: Sizes) -> list[Entry]:
        """The first has a number, the others a condition."""
        first = action("A0", 1)
        return [first, *(action(f"A{at}", f"A{at - 1}") for at in range(1, sizes.chain))]

    def drive(self, client: Baseline, sizes: Sizes) -> None:
        """One after the other."""
        for _ in range(sizes.chain):
            client.do(1)

    def compare(self, subjects: Sequence[Ready], of: Round) -> None:
        """Tell the time of a hop."""
        hops = {one.name: one.seconds() / of.sizes.chain * 1e3 for one in subjects}
        tell(of, "a hop", "ms", hops, base=B2, goals=GOALS)
