"""W4: one action, then many, then one, each waiting for what is before it by its condition."""

from collections.abc import Sequence
from typing import ClassVar, Final

from bench.baseline import Baseline
from bench.daemons import Entry, Form, action
from bench.harness import B2, ActionWorkload, Ready, Round, tell
from bench.results import Goal
from bench.workloads import Sizes, Workload

GOALS: Final = {Form.HUB: Goal(2.5)}


class Fan(ActionWorkload):
    """The last action's condition names all of the middle."""

    name: ClassVar = Workload.W4
    title: ClassVar = "one action, then many, then one"
    repeats: ClassVar = 3

    def actions(self, sizes: Sizes) -> list[Entry]:
        """The first has a number, the others a condition."""
        many = [f"M{number}" for number in range(sizes.fan)]
        middle = [action(name, "FIRST") for name in many]
        return [action("FIRST", 1), *middle, action("LAST", " and ".join(many))]

    def drive(self, client: Baseline, sizes: Sizes) -> None:
        """One, the middle at once, one."""
        for count in (1, sizes.fan, 1):
            client.do(count)

    def compare(self, subjects: Sequence[Ready], of: Round) -> None:
        """Tell the time of the whole."""
        taken_s = {one.name: one.seconds() for one in subjects}
        tell(of, "the whole", "s", taken_s, base=B2, goals=GOALS)
