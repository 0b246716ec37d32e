"""A journal that has lost its end, and a dispatcher that does not know: servers tell (I1)."""

import pytest
from tests.support.dispatching import KEY, Bench, result
from tests.support.tables import action

from shotline.client.testing.dispatcher import configured
from shotline.common import commands as c
from shotline.common.actions import ActionState, AttemptId, Cause
from shotline.common.messages import Held, HeldAs, LivenessState, Outcome
from shotline.common.records import LateResult, RunOpened, RunPutOnHold, ShotRecord, Transition
from shotline.dispatcher.journal.layout import readable_history

INIT = c.DoPhase(phase="INIT")
ONE = AttemptId("T", 1, "ONE", 1)
LEASE_S = 10.5  # and a little


def begun() -> Bench:
    """ONE was sent to SRV_A:1, TWO waits for its turn; SRV_A:2 has nothing."""
    bench = Bench(action("ONE", 1), action("TWO", 2)).register("SRV_A:1").build()
    bench.told(INIT)
    return bench.register("SRV_A:2")


def without_end(bench: Bench, *, run: bool = False) -> Bench:
    """Return a new dispatcher with a journal that lacks what was sent, and with it the `run`."""

    def is_lost(record: ShotRecord) -> bool:
        if isinstance(record, Transition):
            return record.attempt > 0
        return run and isinstance(record, RunOpened)

    records = bench.store.shots[KEY]
    bench.store.shots[KEY] = [record for record in records if not is_lost(record)]
    bench.store.may_lack_end = True
    return bench.restart()


def held(held_as: HeldAs = HeldAs.RUNNING, number: int = 1) -> Held:
    return Held(attempt=ONE._replace(number=number), held_as=held_as, started_at=1_700_000_000.0)


@pytest.mark.parametrize("held_as", list(HeldAs))
def test_what_a_server_holds_goes_on_there(held_as: HeldAs) -> None:
    bench = without_end(begun())
    bench.register("SRV_A:2", epoch=2)
    bench.register("SRV_A:1", epoch=2, holding=[held(held_as)]).recover()
    assert bench.dispatched() == []
    bench.from_server("SRV_A:1", result(ONE))
    assert bench.states()["ONE"] == "Success"
    assert bench.dispatched() == ["TWO"]


def test_what_a_server_has_told_the_end_of_has_run() -> None:
    bench = without_end(begun())
    bench.register("SRV_A:2", epoch=2)
    bench.register("SRV_A:1", epoch=2, answered=[ONE]).recover()
    live = bench.live("ONE")
    assert (live.state, live.cause) == (ActionState.ABORTED, Cause.FORGOTTEN)
    assert live.outcome_unknown
    assert bench.dispatched() == ["TWO"], "it is over"


def test_a_server_that_is_silent_may_have_been_sent_it() -> None:
    bench = without_end(begun())
    bench.register("SRV_A:2", epoch=2).recover()
    assert bench.machine.core.recovering
    assert bench.dispatched() == []
    bench.register("SRV_A:1", epoch=2, holding=[held()])
    assert not bench.machine.core.recovering
    assert bench.states()["ONE"] == "DOING"
    assert bench.records(RunPutOnHold) == []


def test_all_have_their_time_to_report_also_where_that_is_as_long_as_a_lease() -> None:
    config = configured("T", "U")
    broker = config.broker.model_copy(update={"server_lost_s": config.dispatcher.recovery_s})
    bench = Bench(action("ONE", 1), config=config.model_copy(update={"broker": broker}))
    bench = bench.register("SRV_A:1").register("SRV_B:1").build().restart()
    bench.register("SRV_A:1", epoch=2)
    assert bench.machine.core.recovering
    bench.register("SRV_B:1", epoch=2).recover()
    assert not bench.machine.core.recovering


@pytest.mark.parametrize("incarnation", ["", "two"])
def test_a_server_that_is_gone_may_have_been_sent_it(incarnation: str) -> None:
    bench = without_end(begun())
    bench.register("SRV_A:2", epoch=2)
    if incarnation:
        bench.register("SRV_A:1", incarnation=incarnation, ended=["one"])
    bench.pass_time(LEASE_S)
    assert bench.dispatched() == []
    (on_hold,) = bench.records(RunPutOnHold)
    assert "SRV_A:1" in on_hold.reason
    assert "SRV_A:2" not in on_hold.reason
    bench.told(c.Resume())
    assert bench.dispatched() == ["ONE"], "somebody has looked"


def test_a_server_that_comes_after_its_lease_is_heard_too() -> None:
    bench = without_end(begun())
    bench.register("SRV_A:2", epoch=2).pass_time(LEASE_S)
    bench.register("SRV_A:1", epoch=2, holding=[held()])
    assert bench.states()["ONE"] == "DOING"
    bench.told(c.Resume())
    assert bench.dispatched() == []


def test_nobody_is_waited_for_where_redis_has_lived_on() -> None:
    bench = begun()
    bench.judge("SRV_A:2", LivenessState.SUSPECT)
    bench = bench.restart().register("SRV_A:1", epoch=2, holding=[held()]).recover()
    assert not bench.machine.core.recovering
    assert bench.records(RunPutOnHold) == []


def test_nobody_is_waited_for_who_was_lost_before() -> None:
    bench = begun()
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench = without_end(bench).register("SRV_A:2", epoch=2).recover()
    assert not bench.machine.core.recovering
    assert bench.records(RunPutOnHold) == []


def test_what_was_sent_in_a_run_that_is_lost_is_in_doubt_until_its_end() -> None:
    bench = without_end(begun(), run=True)
    bench.register("SRV_A:2", epoch=2)
    bench.register("SRV_A:1", epoch=2, holding=[held()]).recover()
    assert bench.live("ONE").outcome_unknown
    refused = bench.told(INIT)
    assert refused.outcome is Outcome.REFUSED
    assert "ONE" in refused.message
    bench.from_server("SRV_A:1", result(ONE))
    assert not bench.live("ONE").outcome_unknown
    assert [late.attempt for late in bench.records(LateResult)] == [1]
    bench.told(INIT)
    (again,) = bench.dispatches("ONE")
    assert again.attempt.number == 2


def test_a_later_try_than_the_known_one_is_in_doubt_too() -> None:
    bench = begun().finish("ONE", "TWO")
    bench.told(c.DispatchAction(path="ONE"))
    records = bench.store.shots[KEY]
    last = max(at for at, one in enumerate(records) if isinstance(one, RunOpened))
    bench.store.shots[KEY] = records[:last]
    bench.store.may_lack_end = True
    bench = bench.restart().register("SRV_A:2", epoch=2)
    bench.register("SRV_A:1", epoch=2, holding=[held(number=2)]).recover()
    assert bench.live("ONE").attempt == 2
    assert bench.live("ONE").outcome_unknown


@pytest.mark.parametrize(
    ("server", "attempt"),
    [
        ("SRV_B:1", ONE),  # of a class that never gets it
        ("SRV_A:1", ONE._replace(path="NONE")),
        ("SRV_A:1", ONE._replace(shot=7)),
        ("SRV_A:1", ONE._replace(number=2**53)),  # so many there never were
    ],
)
def test_what_cannot_have_been_sent_changes_nothing(server: str, attempt: AttemptId) -> None:
    bench = without_end(begun())
    bench.register("SRV_A:1", epoch=2).register("SRV_A:2", epoch=2)
    bench.register(server, epoch=3, answered=[attempt]).recover()
    assert [one.attempt for one in bench.dispatches("ONE")] == [ONE]


def test_a_journal_of_which_redis_has_lost_a_part_is_read() -> None:
    bench = Bench(action("ONE", 1), action("TWO", 2)).register("SRV_A:1").build()
    bench.told(INIT)
    bench.told(c.Hold())
    bench.told(c.Resume())
    for path in ("ONE", "TWO"):
        bench.finish(path)
    bench.told(c.DispatchAction(path="ONE"))
    bench.finish("ONE")
    bench.told(INIT)
    bench.told(c.Abort())
    records = list(bench.store.shots[KEY])
    for first in range(len(records) + 1):
        for then in range(first, len(records) + 1):
            left = readable_history([*records[:first], *records[then:]])
            bench.store.shots[KEY] = list(left)
            bench.store.may_lack_end = True
            after = bench.restart().register("SRV_A:1", epoch=2)
            after.recover()
            after.machine.check_invariants()
