"""Every failure has its alarm, in the same commit, once, whoever was killed meanwhile."""

from collections import Counter

import pytest
from tests.simulation.scenario import Scenario
from tests.simulation.seeds import run_seed

from shotline.client.testing.journal import MemoryJournal
from shotline.common.actions import Cause, has_failed
from shotline.common.alarms.alarm import AlarmKind
from shotline.common.alarms.commands import AlarmsAck
from shotline.common.alarms.fold import AlarmsFold
from shotline.common.alarms.records import AlarmRaised, AlarmRepeated
from shotline.common.base import Struct
from shotline.common.channels import ALARMS
from shotline.common.commands import Abort, AnyCommand, Hold, Resume
from shotline.common.records import RunPutOnHold, ShotKey, ShotRecord, Transition

SEEDS = 40
GROUP = 20


class AlarmChecks:
    """What was raised beside what has failed. Alarms of a commit are seen before its records."""

    def __init__(self) -> None:
        self.fold = AlarmsFold()
        self.raised: Counter[tuple[str, str]] = Counter()  # by shot, and path or run
        self.wanted: Counter[tuple[str, str]] = Counter()
        self.last: dict[tuple[ShotKey, str], Transition] = {}

    def hosted(self, stream: str, records: tuple[Struct, ...]) -> None:
        if stream != ALARMS:
            return
        for record in records:
            if isinstance(record, AlarmRaised):
                assert record.alarm.number == self.fold.last + 1, "alarms: a number twice"
            self.fold.apply(record)  # type: ignore[arg-type]  # of this stream
            if isinstance(record, AlarmRaised | AlarmRepeated):
                number = record.alarm.number if isinstance(record, AlarmRaised) else record.number
                alarm = self.fold.alarms[number]
                shot = f"{alarm.tree}/{alarm.shot}"
                if alarm.kind in (AlarmKind.ACTION, AlarmKind.ACTIONS):
                    self.raised[shot, record.member or alarm.path or ""] += 1
                elif alarm.kind is AlarmKind.HELD:
                    self.raised[shot, alarm.about] += 1

    def record(self, key: ShotKey, record: ShotRecord) -> None:
        """Look whether what has failed has been raised, as often as it has failed."""
        what = ""
        if isinstance(record, RunPutOnHold) and not record.coming:
            what = f"{key} run {record.run}"
        elif isinstance(record, Transition):
            before = self.last.get((key, record.path))
            self.last[key, record.path] = record
            known = before is not None and before.cause is not None
            is_same = known and before is not None and before.attempt == record.attempt
            failed = record.cause is not None and has_failed(record.state, record.status)
            if failed and record.cause is not Cause.OPERATOR and not is_same:
                what = record.path
        if what:
            self.wanted[str(key), what] += 1
            raised = self.raised[str(key), what]
            assert raised == self.wanted[str(key), what], f"alarms: {key} {what} raised {raised}"

    def end(self) -> None:
        """Look whether what is failed now is so in the list, too."""
        for (key, path), live in self.last.items():
            failed = live.cause is not None and has_failed(live.state, live.status)
            if failed and live.cause is not Cause.OPERATOR:
                number = self.fold.failed.get((key.tree, key.shot, path))
                assert number is not None, f"alarms: {key} {path} is failed, and has none"
                assert self.fold.alarms[number].active


class AlarmsScenario(Scenario):
    """One seed with operators who acknowledge, hold and abort."""

    def _new_store(self) -> MemoryJournal:
        self.alarms = AlarmChecks()

        def record(key: ShotKey, one: ShotRecord) -> None:
            self.checks.record(key, one)
            self.alarms.record(key, one)

        return MemoryJournal(on_record=record, on_hosted=self.alarms.hosted)

    def _plan_orders(self) -> None:
        super()._plan_orders()
        for _ in range(self.chance.randint(3, 12)):
            self.world.after(self.chance.uniform(1.0, 50.0), self._some_order)

    def _some_order(self) -> None:
        numbers = tuple(self.alarms.fold.alarms)
        orders: list[AnyCommand] = [Hold(), Resume(), Abort()]
        if numbers:
            some = self.chance.sample(numbers, self.chance.randint(1, len(numbers)))
            orders += [AlarmsAck(numbers=tuple(some), note="seen")] * 4
        self._order(self.chance.choice(orders))

    def run(self) -> None:
        super().run()
        self.alarms.end()


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_every_failure_has_its_alarm_from_seed(first: int) -> None:
    acknowledged = failed = 0
    for seed in range(first, first + GROUP):
        checks = run_seed(AlarmsScenario, seed).alarms
        acknowledged += sum(not one.is_new for one in checks.fold.alarms.values())
        failed += sum(checks.wanted.values())
    assert failed
    assert acknowledged
