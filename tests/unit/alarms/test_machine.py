"""The machine of alarms: what is latched, counted up, grouped, acknowledged, shelved and told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shotline.alarms.events import (
    ActionHasFailed,
    ActionIsWell,
    AlarmInput,
    AlarmOperation,
    AlarmsDone,
    AlarmsRecovered,
    CommandEnded,
    KeepRecord,
    LookAtDue,
    ShotIsNew,
    TellOthers,
    Trouble,
    TroubleIsOver,
)
from shotline.alarms.machine import AlarmsMachine
from shotline.common.alarms.alarm import Alarm, AlarmKind, AlarmSeverity, ToldHow
from shotline.common.alarms.commands import AlarmsAck, AlarmsShelve
from shotline.common.alarms.fold import AlarmsFold
from shotline.common.alarms.records import AlarmRecord, decode_alarm_records
from shotline.common.base import to_json
from shotline.common.machine import Instant
from shotline.common.messages import Outcome
from shotline.common.settings.sections.alarms import AlarmsSection

FAILED = ActionHasFailed(
    tree="TEST",
    shot=1,
    phase="INIT",
    path="A",
    name="A",
    attempt=1,
    server="GAS:1",
    text="Failure: valve",
    severity=AlarmSeverity.MEDIUM,
    help="close the valve",
    contact="gas crew, 4711",
)
LOST = Trouble(AlarmKind.SERVER, "GAS:1", "silent", AlarmSeverity.MEDIUM, server="GAS:1")
BACK = TroubleIsOver(AlarmKind.SERVER, "GAS:1", "it has registered again")


class Bench:
    """The machine, its records, and a clock."""

    def __init__(self, **section: object) -> None:
        self.section = AlarmsSection.model_validate(section)
        self.now = 0.0
        self.records: list[AlarmRecord] = []
        self.told: list[tuple[int, ...]] = []
        self.machine = AlarmsMachine(self.section, self.instant)

    @property
    def instant(self) -> Instant:
        return Instant(self.now, 1000.0 + self.now)

    def take(self, *events: AlarmInput) -> None:
        for event in events:
            self._out(self.machine.handle(self.instant, event))

    def _out(self, output: list[KeepRecord | TellOthers]) -> None:
        for one in output:
            if isinstance(one, KeepRecord):
                self.records.append(one.record)
            else:
                self.told.append(tuple(alarm.number for alarm in one.alarms))

    def ask(self, command: AlarmsAck | AlarmsShelve, user: str = "anna") -> AlarmsDone:
        done, output = self.machine.operate(self.instant, AlarmOperation(command, user))
        self._out(output)
        return done

    def ack(self, *numbers: int, note: str = "") -> AlarmsDone:
        return self.ask(AlarmsAck(numbers=numbers, note=note))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.take(LookAtDue())

    def killed(self) -> None:
        """Begin again with what was journalled."""
        written = b"[" + b",".join(map(to_json, self.records)) + b"]"
        self.machine = AlarmsMachine(self.section, self.instant)
        self.machine.load(decode_alarm_records(written))

    @property
    def alarms(self) -> list[Alarm]:
        return list(self.machine.fold.alarms.values())

    @property
    def only(self) -> Alarm:
        (alarm,) = self.alarms
        return alarm


def test_numbers_that_are_unknown_change_nothing_and_are_named() -> None:
    bench = Bench()
    done = bench.ack(7, 8)
    assert (done.outcome, done.unknown) == (Outcome.REFUSED, True)
    assert "no alarm 7, 8" in done.message
    assert bench.records == []
    bench.take(FAILED)
    done = bench.ack(1, 9)
    assert (done.outcome, done.result.done, done.result.unknown) == (Outcome.OK, (1,), (9,))
    assert "none of number 9" in done.message


@pytest.mark.parametrize(
    ("for_s", "reason", "why"), [(1e6, "pump", "28800 s at most"), (60.0, " ", "say why")]
)
def test_nobody_shelves_for_too_long_or_without_a_reason(
    for_s: float, reason: str, why: str
) -> None:
    bench = Bench()
    bench.take(FAILED)
    before = list(bench.records)
    done = bench.ask(AlarmsShelve(numbers=(1,), for_s=for_s, reason=reason))
    assert done.outcome is Outcome.REFUSED
    assert why in done.message
    assert bench.records == before


def test_a_failure_is_latched_until_somebody_acknowledges_it() -> None:
    bench = Bench()
    bench.take(FAILED)
    assert bench.only.calls
    assert (bench.only.help, bench.only.contact) == ("close the valve", "gas crew, 4711")
    bench.now = 60
    assert bench.ack(1, note="changed it").message == "1 alarm acknowledged"
    alarm = bench.only
    assert (alarm.acked_by, alarm.acked_at, alarm.note) == ("anna", 1060.0, "changed it")
    assert alarm.active
    again = bench.ack(1)
    assert again.outcome is Outcome.OK
    assert again.result.already == (1,)
    assert "by anna" in again.message


def test_what_clears_by_itself_stays_latched_and_says_so() -> None:
    bench = Bench()
    bench.take(LOST, BACK)
    alarm = bench.only
    assert alarm.is_new
    assert (alarm.active, alarm.cleared) == (False, "it has registered again")
    bench.take(LOST)
    assert (bench.only.active, bench.only.times, bench.only.number) == (True, 2, 1)


def test_repeats_count_up_and_an_acknowledged_one_is_raised_under_a_new_number() -> None:
    bench = Bench()
    bench.take(FAILED, replace(FAILED, attempt=2, text="Failure: again"))
    assert (bench.only.times, bench.only.number, bench.only.text) == (2, 1, "Failure: again")
    bench.ack(1)
    bench.take(replace(FAILED, attempt=3))
    assert (bench.only.times, bench.only.number, bench.only.calls) == (3, 2, True)
    assert bench.ack(1).outcome is Outcome.REFUSED  # nobody has seen the third failure


def test_a_redispatch_that_succeeds_clears_it() -> None:
    bench = Bench()
    bench.take(FAILED, ActionIsWell("TEST", 1, "A", "attempt 2 has succeeded"))
    assert (bench.only.active, bench.only.is_new) == (False, True)
    bench.take(FAILED, ShotIsNew("TEST", 1, "built anew"))
    assert (bench.only.active, bench.only.cleared) == (False, "built anew")


def test_a_flood_of_a_phase_shares_one_alarm_that_knows_each_of_them() -> None:
    bench = Bench(group_after=3)
    names = [f"N{number}" for number in range(700)]
    bench.take(*(replace(FAILED, path=name, name=name) for name in names))
    assert len(bench.alarms) == 4
    group = bench.alarms[-1]
    assert (group.kind, group.members, group.failing) == (AlarmKind.ACTIONS, 697, 697)
    assert group.names[-1] == "N699"
    bench.take(*(ActionIsWell("TEST", 1, name, "good") for name in names[:-1]))
    assert (bench.alarms[-1].failing, bench.alarms[-1].active) == (1, True)
    bench.take(ActionIsWell("TEST", 1, names[-1], "good"))
    assert not bench.alarms[-1].active
    bench.take(replace(FAILED, path="N500", name="N500"))
    assert (bench.alarms[-1].failing, bench.alarms[-1].active) == (1, True)


def test_what_is_beyond_all_room_is_counted_and_said() -> None:
    bench = Bench(alarms_max=10, acknowledged_max=2)
    lost = [replace(LOST, about=f"GAS:{number}") for number in range(30)]
    bench.take(*lost)
    assert len(bench.alarms) == 11
    overflow = bench.alarms[-1]
    assert (overflow.kind, overflow.times) == (AlarmKind.OVERFLOW, 20)
    assert "GAS:29" in overflow.text
    bench.ack(*(one.number for one in bench.alarms))
    assert len(bench.alarms) == 2
    bench.take(lost[20])
    assert bench.alarms[-1].about == "GAS:20"


def test_a_shelved_one_calls_nobody_until_its_time_is_over() -> None:
    bench = Bench()
    bench.take(LOST)
    bench.ask(AlarmsShelve(numbers=(1,), for_s=600.0, reason="pump is away"), "ben")
    assert (bench.only.calls, bench.only.shelved_by) == (False, "ben")
    bench.killed()
    bench.take(BACK, LOST)
    assert not bench.only.calls
    assert bench.machine.wake_at() is not None
    bench.wait(601)
    assert (bench.only.calls, bench.only.times) == (True, 2)
    bench.ask(AlarmsShelve(numbers=(1,), for_s=600.0, reason="pump is away"))
    bench.ask(AlarmsShelve(numbers=(1,), for_s=0.0))
    assert bench.only.calls


# The site's own command


def telling(**section: object) -> Bench:
    bench = Bench(alarm_command=["/bin/true"], command_gather_s=2.0, **section)
    bench.take(AlarmsRecovered())
    return bench


def test_the_command_is_told_once_of_all_that_has_gathered() -> None:
    bench = telling()
    bench.take(*(replace(FAILED, path=name, name=name) for name in "ABC"))
    assert bench.told == []
    bench.wait(2.5)
    assert bench.told == [(1, 2, 3)]
    bench.take(replace(FAILED, path="D", name="D"))
    bench.wait(2.5)
    assert len(bench.told) == 1  # one at a time
    bench.take(CommandEnded((1, 2, 3)))
    bench.wait(2.5)
    assert bench.told == [(1, 2, 3), (4,)]
    assert bench.alarms[0].told is ToldHow.DONE


def test_of_what_was_begun_before_a_kill_it_says_that_perhaps_nobody_was_told() -> None:
    bench = telling()
    bench.take(FAILED)
    bench.wait(2.5)
    bench.killed()
    bench.take(AlarmsRecovered())
    bench.wait(2.5)
    bench.wait(2.5)
    assert bench.told == [(1,)]
    assert bench.only.told is ToldHow.PERHAPS


def test_what_nobody_was_told_of_before_a_kill_is_told_after_it() -> None:
    bench = telling()
    bench.take(FAILED)
    bench.killed()
    bench.take(AlarmsRecovered())
    bench.wait(2.5)
    assert bench.told == [(1,)]


def test_a_command_that_fails_is_an_alarm_of_which_it_is_not_told() -> None:
    bench = telling()
    bench.take(FAILED)
    bench.wait(2.5)
    bench.take(CommandEnded((1,), "it ended with exit code 3: no mail"))
    bench.wait(2.5)
    first, own = bench.alarms
    assert (first.told, first.told_text) == (ToldHow.FAILED, "it ended with exit code 3: no mail")
    assert (own.kind, own.active) == (AlarmKind.COMMAND, True)
    assert bench.told == [(1,)]
    bench.take(LOST)
    bench.wait(2.5)
    bench.take(CommandEnded((3,)))
    assert not bench.machine.fold.alarms[2].active


def test_it_is_not_told_of_what_is_less_severe_acknowledged_or_shelved() -> None:
    bench = telling(command_severity="high")
    bench.take(FAILED)
    bench.wait(2.5)
    assert bench.told == []
    bench.take(replace(FAILED, path="B", severity=AlarmSeverity.HIGH))
    bench.ack(2)
    bench.wait(2.5)
    assert bench.told == []


# Whatever happens

_PATHS = st.sampled_from("ABCDEFGH")
_EVENTS = st.one_of(
    st.builds(
        lambda path, shot: replace(FAILED, path=path, name=path, shot=shot),
        _PATHS,
        st.integers(1, 2),
    ),
    st.builds(
        lambda path, shot: ActionIsWell("TEST", shot, path, "good"), _PATHS, st.integers(1, 2)
    ),
    st.just(LOST),
    st.just(BACK),
    st.just(ShotIsNew("TEST", 1, "anew")),
)
_STEPS = st.lists(
    st.one_of(_EVENTS, st.integers(1, 30), st.sampled_from(["kill", "wait", "short"])), max_size=60
)


@settings(max_examples=200, deadline=None)
@given(_STEPS)
def test_whatever_happens_each_failure_is_latched_and_a_kill_changes_nothing(
    steps: list[AlarmInput | int | str],
) -> None:
    bench = Bench(group_after=2, alarms_max=100, acknowledged_max=3)
    failed: set[tuple[int, str]] = set()
    for step in steps:
        match step:
            case "kill":
                before = bench.machine.fold
                bench.killed()
                assert bench.machine.fold == before
            case "short":
                kept = bench.machine.fold.kept(0.0)
                anew = AlarmsFold()
                anew.apply(kept)
                assert anew == bench.machine.fold
            case "wait":
                bench.wait(10)
            case int():
                bench.ack(step)
            case ActionHasFailed():
                bench.take(step)
                failed.add((step.shot, step.path))
                number = bench.machine.fold.failed["TEST", step.shot, step.path]
                assert bench.machine.fold.alarms[number].is_new  # whoever has seen an earlier one
            case ActionIsWell():
                bench.take(step)
                failed.discard((step.shot, step.path))
            case ShotIsNew():
                bench.take(step)
                failed = {one for one in failed if one[0] != 1}
            case _:
                bench.take(step)
        fold = bench.machine.fold
        assert {(shot, path) for _, shot, path in fold.failed} <= failed
        for number in fold.failed.values():
            assert fold.alarms[number].active
        keys = [one.key for one in fold.alarms.values()]
        assert len(keys) == len(set(keys))
        assert len([one for one in fold.alarms.values() if not one.is_new]) <= 3
