"""What the dispatcher raises alarms for, and what it tells its observers of them."""

import msgspec
from tests.support.dispatching import Bench, view_of
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.alarms.alarm import Alarm
from shotline.common.alarms.commands import AlarmsAck, AlarmsList
from shotline.common.alarms.views import AlarmsEvent, AlarmsResult
from shotline.common.channels import ALARMS
from shotline.common.messages import Liveness, LivenessState, Outcome
from shotline.common.pilots import ClassReport
from shotline.common.views import JournalState
from shotline.dispatcher import effects as d
from shotline.dispatcher.journal import JournalChanged

INIT = c.DoPhase(phase="INIT")


def running(**settings: object) -> Bench:
    """ONE is DOING on SRV_A:1, TWO waits for its turn."""
    bench = Bench(action("ONE", 1), action("TWO", 2), **settings).register("SRV_A:1").build()
    bench.told(INIT, "do-phase-1")
    return bench.start("ONE")


def alarms(bench: Bench, *, everything: bool = True) -> dict[str, Alarm]:
    found = view_of(bench.told(AlarmsList(everything=everything)))
    assert isinstance(found, AlarmsResult)
    return {one.about: one for one in found.alarms}


def test_a_failure_is_raised_once_over_a_restart() -> None:
    bench = running().finish("ONE", ok=False, text="valve")
    (alarm,) = alarms(bench).values()
    assert (alarm.path, alarm.attempt, alarm.server) == ("ONE", 1, "SRV_A:1")
    assert "valve" in alarm.text
    bench = bench.restart(recover=True)
    assert alarms(bench)[alarm.about] == alarm


def test_a_server_that_says_goodbye_is_no_alarm_and_one_that_is_silent_is() -> None:
    bench = Bench(action("ONE", 1)).register("SRV_A:1").register("SRV_A:2").build()
    bye = Liveness(
        server="SRV_A:1",
        incarnation="one",
        state=LivenessState.LOST,
        why="said goodbye",
        in_order=True,
    )
    bench.handle(d.FromBroker(b"", (bye,)))
    bench.judge("SRV_A:2", LivenessState.LOST)
    assert set(alarms(bench)) == {"SRV_A:2"}
    bench.register("SRV_A:2", incarnation="two")
    alarm = alarms(bench)["SRV_A:2"]
    assert (alarm.active, alarm.is_new) == (False, True)


def test_a_held_run_is_an_alarm_until_it_goes_on() -> None:
    bench = running()
    bench.told(c.Hold())
    held = {about for about, one in alarms(bench).items() if one.active}
    assert len(held) == 1
    bench.told(c.Resume())
    assert not next(iter(alarms(bench).values())).active


def test_redis_a_provider_and_the_broker_that_are_away_are_alarms() -> None:
    bench = running()
    bench.handle(JournalChanged(JournalState.DEGRADED, "Redis does not answer"))
    assert alarms(bench)["Redis"].text == "Redis does not answer"
    bench.handle(JournalChanged(JournalState.OK, "written"))
    assert not alarms(bench)["Redis"].active
    report = ClassReport(
        server_class="SRV_B", provider="slurm", most=2, able=True, start_wait_s=60.0
    )
    bench.told(c.ProviderReport(life="one", valid_s=3.0, classes=(report,)))
    for _ in range(5):
        bench.pass_time(1.0)
    assert alarms(bench)["provider of SRV_B"].active
    bench.told(c.ProviderReport(life="one", valid_s=3.0, classes=(report,)))
    bench.pass_time(1.0)
    assert not alarms(bench)["provider of SRV_B"].active


def test_observers_are_told_behind_the_journal_of_each_change() -> None:
    bench = running().finish("ONE", ok=False, text="valve")
    told = [
        msgspec.json.decode(event.payload, type=AlarmsEvent)
        for event in bench.events
        if event.channel == ALARMS
    ]
    assert [one.times for event in told for one in event.alarms] == [1]
    number = told[-1].last
    reply = bench.told(AlarmsAck(numbers=(number,), note="seen"))
    assert reply.outcome is Outcome.OK
    assert alarms(bench, everything=False)[next(iter(alarms(bench)))].note == "seen"
    refused = bench.told(AlarmsAck(numbers=(number + 1,)))
    assert (refused.outcome, refused.unknown) == (Outcome.REFUSED, True)
