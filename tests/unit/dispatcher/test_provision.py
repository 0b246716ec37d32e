"""What the dispatcher makes of a provider's reports: the grace of D6, proofs, what is needed."""

import pytest
from msgspec import structs
from tests.support.dispatching import Bench, view_of
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.actions import Cause
from shotline.common.fleet.commands import FleetList
from shotline.common.fleet.views import Starting
from shotline.common.messages import CommandServer, LivenessState, Outcome, ServerOrder
from shotline.common.pilots import ClassDemand, ClassReport, Pilot, PilotState
from shotline.common.views import DemandResult, FleetResult

INIT = c.DoPhase(phase="INIT")
PILOT = Pilot(server="SRV_A:p1", token="t1", job="17", state=PilotState.QUEUED)
ENDED = Pilot(
    server="SRV_A:p1",
    token="t1",
    job="17",
    state=PilotState.ENDED,
    proof="Slurm's job 17 is FAILED, exit code 0:9",
)


def report(
    *pilots: Pilot,
    able: bool = True,
    text: str = "",
    life: str = "one",
    start_wait_s: float = 60.0,
    stop: tuple[str, ...] = (),
) -> c.ProviderReport:
    told = ClassReport(
        server_class="SRV_A",
        provider="slurm",
        most=2,
        able=able,
        text=text,
        start_wait_s=start_wait_s,
        pilots=pilots,
        stop=stop,
    )
    return c.ProviderReport(life=life, valid_s=3.0, classes=(told,))


def demand(bench: Bench, told: c.ProviderReport) -> ClassDemand:
    """Give a report, and return what is needed."""
    found = view_of(bench.told(told))
    assert isinstance(found, DemandResult)
    assert not found.recovering
    return found.classes[0]


def keep_telling(bench: Bench, told: c.ProviderReport, seconds: float) -> None:
    """Let a provider say the same each second."""
    for _ in range(int(seconds)):
        bench.told(told)
        bench.pass_time(1.0)


def starting_of(bench: Bench) -> tuple[Starting, ...]:
    """Return what the fleet's view shows of servers on their way."""
    found = view_of(bench.told(FleetList()))
    assert isinstance(found, FleetResult)
    assert found.fleet is not None
    return found.fleet.starting


def state(bench: Bench) -> str:
    return bench.states()["ONE"]


@pytest.fixture
def bench() -> Bench:
    """Return a dispatcher whose class had no server for long; its only action is ready."""
    return Bench(action("ONE", 1)).build()


def begin(bench: Bench, told: c.ProviderReport) -> None:
    bench.pass_time(100.0)
    bench.told(told)
    bench.told(INIT)


def test_a_class_without_server_and_provider_is_off(bench: Bench) -> None:
    bench.pass_time(100.0)
    bench.told(INIT)
    assert state(bench) == "no_server"


def test_a_class_that_can_have_servers_is_waited_for(bench: Bench) -> None:
    begin(bench, report())
    keep_telling(bench, report(PILOT, text="SRV_A:p1 waits in slurm (Priority)"), 50)
    assert state(bench) == "NOT_DISPATCHED"
    assert "SRV_A:p1 waits in slurm (Priority)" in bench.view("ONE").waits_for
    (starting,) = starting_of(bench)
    assert (starting.server_class, starting.pilots) == ("SRV_A", 1)
    assert starting.reason == "SRV_A:p1 waits in slurm (Priority)"
    assert demand(bench, report(PILOT)).ready == 1
    bench.register("SRV_A:p1", incarnation="t1.1")
    assert bench.dispatched() == ["ONE"]


def test_but_no_longer_than_start_wait_s(bench: Bench) -> None:
    begin(bench, report())
    told = report(PILOT, text="SRV_A:p1 waits in slurm (Priority)", start_wait_s=30.0)
    keep_telling(bench, told, 30)
    assert state(bench) == "NOT_DISPATCHED"
    keep_telling(bench, told, 10)
    assert state(bench) == "no_server"
    assert "waits in slurm (Priority)" in bench.live("ONE").reason


def test_a_provider_that_falls_silent_is_not_waited_for(bench: Bench) -> None:
    begin(bench, report(PILOT))
    bench.pass_time(7.5)  # its report holds for 3 s, then the grace of 5 s counts
    assert state(bench) == "NOT_DISPATCHED"
    bench.pass_time(1.0)
    assert state(bench) == "no_server"


def test_starts_that_fail_are_told(bench: Bench) -> None:
    begin(bench, report(PILOT))
    failed = report(able=False, text="the last start has failed: no such partition")
    bench.told(failed)
    (starting,) = starting_of(bench)
    bench.pass_time(1.0)
    bench.told(failed)
    assert starting_of(bench) == (starting,), "it is told once"
    keep_telling(bench, failed, 6)
    assert state(bench) == "no_server"
    assert "no such partition" in bench.live("ONE").reason


def test_a_class_that_its_provider_has_given_up_is_as_any_other(bench: Bench) -> None:
    begin(bench, report(PILOT))
    bench.told(c.ProviderReport(life="one", valid_s=3.0))
    bench.pass_time(5.5)
    assert state(bench) == "no_server"


def test_a_class_has_one_provider_at_a_time(bench: Bench) -> None:
    bench.told(report())
    refused = bench.told(report(life="two"))
    assert refused.outcome is Outcome.REFUSED
    assert "another provider" in refused.message
    bench.pass_time(3.5)
    assert bench.told(report(life="two")).outcome is Outcome.OK


def test_what_is_needed(bench: Bench) -> None:
    begin(bench, report())
    bench.pass_time(2.0)
    found = demand(bench, report())
    assert (found.ready, found.free, found.running) == (1, 0, 0)
    assert found.waiting_s == pytest.approx(2.0, abs=0.2)
    bench.register("SRV_A:p1", incarnation="t1.1", slots=3)
    found = demand(bench, report())
    assert (found.ready, found.free, found.running, found.waiting_s) == (0, 2, 1, None)
    assert [(one.server, one.incarnation, one.busy) for one in found.servers] == [
        ("SRV_A:p1", "t1.1", 1)
    ]


def running(*, started: bool = True) -> Bench:
    bench = Bench(action("ONE", 1)).register("SRV_A:p1", incarnation="t1.1").build()
    bench.told(INIT)
    return bench.start("ONE") if started else bench


def test_a_proof_comes_before_the_loss() -> None:
    bench = running()
    bench.told(report(ENDED))
    assert bench.states() == {"ONE": "DOING"}, "the broker hears of it"
    bench.judge("SRV_A:p1", LivenessState.SUSPECT, "its connection broke")
    bench.told(report(ENDED))
    live = bench.live("ONE")
    assert (live.cause, live.outcome_unknown) == (Cause.SERVER_LOST, False)
    assert "Slurm's job 17 is FAILED" in live.reason


def test_a_proof_comes_behind_the_loss() -> None:
    bench = running()
    bench.judge("SRV_A:p1", LivenessState.LOST)
    assert bench.live("ONE").outcome_unknown
    bench.told(report(ENDED))
    assert not bench.live("ONE").outcome_unknown
    assert "Slurm's job 17 is FAILED" in bench.live("ONE").reason


def test_a_proof_is_of_its_own_pilot_only() -> None:
    """The name is used again: another life of it has nothing to do with this end."""
    bench = running()
    bench.judge("SRV_A:p1", LivenessState.LOST)
    other = Pilot(
        server="SRV_A:p1", token="t2", state=PilotState.ENDED, proof="Slurm's job 18 is FAILED"
    )
    bench.told(report(other))
    assert bench.live("ONE").outcome_unknown


@pytest.mark.parametrize("is_aside", [False, True])
def test_a_proof_is_of_the_last_life_of_a_pilot_that_was_started_twice(*, is_aside: bool) -> None:
    """Its engine has forgotten the first one, which may run on; so has a new provider."""
    bench = running().register("SRV_A:p1", incarnation="t1.2")
    assert bench.live("ONE").outcome_unknown
    if is_aside:
        bench.put_aside()
    bench.judge("SRV_A:p1", LivenessState.LOST)
    bench.told(report(ENDED))
    bench.told(c.Actions(tree="T", shot=1))
    assert bench.live("ONE").outcome_unknown


def test_an_end_without_proof_proves_nothing() -> None:
    bench = running()
    bench.told(report(Pilot(server="SRV_A:p1", token="t1", state=PilotState.ENDED)))
    assert bench.states() == {"ONE": "DOING"}
    bench.finish("ONE")
    assert bench.states() == {"ONE": "Success"}


def test_a_proof_counts_for_a_shot_that_is_read_again() -> None:
    bench = running()
    bench.judge("SRV_A:p1", LivenessState.LOST)
    bench.put_aside()
    bench.told(report(ENDED))
    bench.told(c.Actions(tree="T", shot=1))
    assert not bench.live("ONE").outcome_unknown


def test_a_server_that_has_served_its_time_is_let_go_when_nothing_is_on_its_way() -> None:
    bench = running()
    bench.beat("SRV_A:p1", 1, full=True, leaving="it was idle for 60 s")
    assert not [said for _, said in bench.sent if isinstance(said, CommandServer)]
    bench.finish("ONE")
    bench.beat("SRV_A:p1", 1, full=True, leaving="it was idle for 60 s")
    (order,) = [said for _, said in bench.sent if isinstance(said, CommandServer)]
    assert (order.order, order.reason) == (ServerOrder.QUIT, "it was idle for 60 s")


def test_a_provider_has_its_servers_stopped_in_order() -> None:
    bench = running()
    bench.told(report(stop=("SRV_A:p1", "SRV_B:1", "SRV_A:none")))
    assert not [said for _, said in bench.sent if isinstance(said, CommandServer)]
    bench.finish("ONE")
    (order,) = [said for _, said in bench.sent if isinstance(said, CommandServer)]
    assert order.order is ServerOrder.QUIT


def test_reports_are_not_in_the_audit_nor_kept(bench: Bench) -> None:
    commits = len(bench.commits)
    bench.told(report(PILOT))
    assert len(bench.commits) == commits


def test_a_label_that_servers_on_demand_have_is_waited_for() -> None:
    gpu = structs.replace(action("ONE", 1), label="gpu")
    tape = structs.replace(action("TWO", 1), label="tape")
    bench = Bench(gpu, tape)
    bench.register("SRV_A:1").build()
    told = report(PILOT)
    with_label = structs.replace(told.classes[0], labels=("gpu",))
    told = structs.replace(told, classes=(with_label,))
    begin(bench, told)
    assert demand(bench, told).ready == 1, "nobody on demand has the other label"
    keep_telling(bench, told, 20)
    assert bench.states() == {"ONE": "NOT_DISPATCHED", "TWO": "no_server"}
    keep_telling(bench, told, 60)
    assert bench.states() == {"ONE": "no_server", "TWO": "no_server"}


def test_what_a_limit_keeps_back_needs_no_server() -> None:
    names = ("ONE", "TWO", "THREE")
    bench = Bench(*(action(name, 1) for name in names))
    bench.configure(limits={"heater": {"most": 2, "classes": ["SRV_A"]}})
    bench.register("SRV_A:1", incarnation="t1.1").build()
    begin(bench, report())
    assert bench.dispatched() == ["ONE"]
    assert demand(bench, report()).ready == 1
