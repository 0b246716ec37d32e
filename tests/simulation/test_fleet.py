"""Operators who limit, drain and end servers while everything breaks: the promises hold (I1–I9)."""

from collections import Counter

import pytest
from tests.simulation.scenario import Scenario
from tests.simulation.seeds import run_seed

from shotline.client.testing.journal import MemoryJournal
from shotline.common.actions import ActionState
from shotline.common.base import Struct
from shotline.common.commands import AnyCommand
from shotline.common.fleet import commands as f
from shotline.common.fleet.records import FLEET, ServersDismissed, ServerSet
from shotline.common.fleet.settings import QuitAfter, Select
from shotline.common.records import ShotKey, ShotRecord, Transition

SEEDS = 60
GROUP = 20


class ServedChecks:
    """No server is given more actions than it was to serve, whoever was killed meanwhile."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
        self.given: Counter[str] = Counter()  # since it was said how many
        self.servers: dict[tuple[ShotKey, str], str] = {}  # that have something not started yet

    def hosted(self, stream: str, records: tuple[Struct, ...]) -> None:
        if stream != FLEET:
            return
        for record in records:
            if isinstance(record, ServersDismissed):
                for server in record.servers:
                    self.left.pop(server, None)
            if isinstance(record, ServerSet) and "quit_after" in record.changed:
                after = record.settings.quit_after
                self.left.pop(record.server, None)
                self.given[record.server] = 0
                if after is not None and after.unit == "actions":
                    self.left[record.server] = after.n

    def record(self, key: ShotKey, record: ShotRecord) -> None:
        """Count what is given, and take back what was never started."""
        if not isinstance(record, Transition):
            return
        before = self.servers.pop((key, record.path), None)
        if record.state is ActionState.NOT_DISPATCHED and before is not None:
            self.given[before] -= 1
        if record.state is ActionState.DISPATCHED:
            server = record.server or ""
            self.servers[key, record.path] = server
            self.given[server] += before != server
            most = self.left.get(server)
            assert most is None or self.given[server] <= most, f"F2: {server} serves more"


class FleetScenario(Scenario):
    """One seed with operators of the fleet."""

    def _new_store(self) -> MemoryJournal:
        self.served = ServedChecks()

        def record(key: ShotKey, one: ShotRecord) -> None:
            self.checks.record(key, one)
            self.served.record(key, one)

        return MemoryJournal(on_record=record, on_hosted=self.served.hosted)

    def _plan_orders(self) -> None:
        for _ in range(self.chance.randint(2, 10)):
            self.world.after(self.chance.uniform(1.0, 40.0), self._some_order)
        if self.chance.random() < 0.5:
            few = QuitAfter(n=self.chance.randint(1, 2))
            command = f.FleetQuitAfter(select=Select(servers=("*",)), after=few)
            self.world.after(1.5, lambda: self._order(command))
        self.world.after(60.0, self._free_all)

    def _some_order(self) -> None:
        names = [":".join(name) for name in self.servers]
        select = Select(servers=(self.chance.choice([*names, "*"]),))
        orders: tuple[AnyCommand, ...] = (
            f.FleetSlots(select=select, slots=self.chance.choice((0, 1, -1, None))),
            f.FleetDrain(select=select, then=self.chance.choice(("stay", "resume", "restart"))),
            f.FleetDrain(select=select, mode="now", then="resume"),
            f.FleetDrain(select=select, within_s=2.0, then="quit"),
            f.FleetResume(select=select),
            f.FleetHours(select=select, end="now"),
            f.FleetHours(select=select, clear=True),
            f.FleetQuitAfter(
                select=select,
                after=QuitAfter(
                    n=self.chance.randint(0, 3),
                    unit=self.chance.choice(("actions", "runs", "shots")),
                ),
            ),
            f.FleetWindow(
                select=select,
                begins_at=self.world.now + 1_700_000_000.0 + 1.0,
                duration_s=5.0,
                mode=self.chance.choice(("finish", "now")),
            ),
            f.FleetDismiss(select=select),
        )
        self._order(self.chance.choice(orders))

    def _free_all(self) -> None:
        everything = Select(servers=("*",))
        for command in (
            f.FleetHours(select=everything, clear=True),
            f.FleetSlots(select=everything),
            f.FleetQuitAfter(select=everything),
            f.FleetResume(select=everything),
        ):
            self._order(command)


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_the_fleet_holds_from_seed(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(FleetScenario, seed)
