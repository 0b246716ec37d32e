"""Servers on demand with a real Slurm: the whole life of a pilot, and what is left of I1 when its
engine fails. How often a task has started is counted in a file, by nobody of ours.
"""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from tests.support.faults import (
    LOST,
    NO_SERVER,
    SUCCESS,
    Pulse,
    Waiting,
    action,
    each_once,
    ends_of,
)
from tests.support.on_demand import on_demand
from tests.support.slurm_site import SlurmSite, until
from tests.support.stack import eventually

from shotline.common.actions import ActionState, Status
from shotline.common.settings.sections.providers import ProvidersSection
from shotline.providers.accounting import Row
from shotline.providers.slurm import Slurm

ONE = {"A": {"provider": "slurm", "max": 1, "idle_s": 2.0}}


def test_a_pilot_comes_when_it_is_needed_and_goes_when_it_is_idle(
    tmp_path: Path, site: SlurmSite
) -> None:
    actions = (action("FIRST", "A", 1), action("SECOND", "A", 2))
    seldom = {"providers": {"engine_look_s": 30.0}}
    with on_demand(tmp_path, ONE, actions, site.environment, settings=seldom) as here:
        pulse = Pulse(here.stack)
        assert site.jobs() == [], "nothing waits, so nothing is started"
        report = pulse.begin().result()
        assert ends_of(report.actions) == {"FIRST": SUCCESS, "SECOND": SUCCESS}
        assert pulse.starts() == each_once("FIRST", "SECOND")
        eventually(lambda: site.states() == ["COMPLETED"], lambda: str(site.jobs()))
        status = here.stack.wait_until(lambda status: bool(status.servers))
        assert {one.why for one in status.servers} == {"said goodbye: it was idle for 2 s"}
        # Its place is free again, although the engine is asked seldom.
        again = Pulse(here.stack, 2).begin().result()
        assert ends_of(again.actions) == {"FIRST": SUCCESS, "SECOND": SUCCESS}


def test_of_a_job_that_the_controller_has_forgotten_nothing_is_proof_without_accounting(
    site: SlurmSite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    forgotten = Row("999", "COMPLETED", "A:p1", "token", False, "")
    slurm = Slurm(ProvidersSection())
    assert asyncio.run(slurm._record(forgotten)) is None
    assert "accounting storage is disabled" in caplog.text
    assert forgotten.as_job(None).proof == ""


@pytest.mark.slow
def test_a_pilot_whose_time_is_over_ends_with_its_action(tmp_path: Path, site: SlurmSite) -> None:
    """Slurm ends it after the least time that it knows, a minute; it tells of its end itself."""
    minute = {"A": {**ONE["A"], "options": ["--time=1"], "idle_s": 600.0}}
    slow = {"broker": {"server_lost_s": 300.0, "suspect_beats": 1000}}
    actions = [action("FIRST", "A", 1, gate="a")]
    with on_demand(tmp_path, minute, actions, site.environment, settings=slow) as here:
        pulse = Pulse(here.stack)
        pulse.begin()
        pulse.wait_doing("FIRST")
        until(lambda: site.states() == ["TIMEOUT"], "the job was not ended", 150.0)
        eventually(lambda: "A:p1 has ended: TIMEOUT" in here.log(), here.log)
        eventually(lambda: pulse.action("FIRST").last.state is not ActionState.DOING)
        found = pulse.action("FIRST").last
        assert found.state in (ActionState.ABORTED, ActionState.DONE)
        assert found.status is not Status.SUCCESS
        assert not found.outcome_unknown
        assert pulse.starts() == each_once("FIRST")


def test_twenty_actions_over_four_pilots(tmp_path: Path, site: SlurmSite) -> None:
    names = [f"ACTION_{number:02}" for number in range(20)]
    actions = [action(name, "A", 1, gate=f"gate{n % 4}") for n, name in enumerate(names)]
    four = {"A": {"provider": "slurm", "max": 4, "idle_s": 2.0, "start_after_s": 0.2}}
    with on_demand(tmp_path, four, actions, site.environment) as here:
        pulse = Pulse(here.stack)
        report = pulse.begin()
        eventually(lambda: sum(pulse.starts().values()) == 4, lambda: f"{pulse.starts()}")
        assert site.states() == ["RUNNING"] * 4, "never more than max"
        pulse.open("gate0", "gate1", "gate2", "gate3")
        assert set(ends_of(report.result().actions).values()) == {SUCCESS}
        assert pulse.starts() == each_once(*names)
        assert pulse.ends() == each_once(*names)
        eventually(lambda: site.states() == ["COMPLETED"] * 4, lambda: str(site.jobs()))


def test_a_job_that_never_starts_is_waited_for_so_long(tmp_path: Path, site: SlurmSite) -> None:
    waits = {**ONE["A"], "options": ["--hold"], "start_wait_s": 4.0}
    with on_demand(tmp_path, {"A": waits}, [action("FIRST", "A", 1)], site.environment) as here:
        pulse = Pulse(here.stack)
        report = pulse.begin()
        reason = "A:p1 waits in slurm (JobHeldUser)"
        eventually(lambda: reason in pulse.action("FIRST").waits_for)
        with here.stack.supervisor() as shotline:
            fleet = shotline.fleet().fleet
        assert fleet is not None
        (starting,) = fleet.starting
        assert (starting.server_class, starting.pilots, starting.reason) == ("A", 1, reason)
        found = report.result().actions[0].last
        assert (found.state, found.status, found.cause) == NO_SERVER
        assert reason in found.reason
        assert not pulse.starts()
        # Nothing waits for it any more: it is taken back, and the next phase asks for another.
        eventually(lambda: site.states() == ["CANCELLED"], lambda: str(site.jobs()))


def test_a_job_that_is_cancelled_in_the_middle_of_an_action(
    tmp_path: Path, site: SlurmSite
) -> None:
    with on_demand(tmp_path, ONE, [action("FIRST", "A", 1, gate="a")], site.environment) as here:
        pulse = Pulse(here.stack)
        report = pulse.begin()
        pulse.wait_doing("FIRST")
        site.say("scancel", site.jobs()[0][0])
        found = report.result().actions[0].last
        # Slurm sends TERM to the task, too: either that or its server is the first to be done.
        assert found.state in (ActionState.ABORTED, ActionState.DONE)
        assert found.status is not Status.SUCCESS
        assert not found.outcome_unknown, "its server has seen to its end"
        # Asked for again it is another attempt, on another pilot.
        again = Waiting(here.stack, lambda shotline: shotline.dispatch("FIRST", *pulse.key))
        eventually(lambda: pulse.starts()["FIRST"] == 2)
        pulse.open("a")
        assert ends_of(again.result().actions) == {"FIRST": SUCCESS}
        assert pulse.starts()["FIRST"] == 2


def test_a_pilot_that_is_killed_is_proven_to_be_gone(tmp_path: Path, site: SlurmSite) -> None:
    slow = {"broker": {"server_lost_s": 120.0, "suspect_beats": 100}}
    actions = [action("FIRST", "A", 1, gate="a")]
    with on_demand(tmp_path, ONE, actions, site.environment, settings=slow) as here:
        pulse = Pulse(here.stack)
        report = pulse.begin()
        pulse.wait_doing("FIRST")
        job = site.jobs()[0][0]
        status = here.stack.wait_until(lambda status: bool(status.servers))
        os.kill(status.servers[0].pid, signal.SIGKILL)
        found = report.result().actions[0].last
        assert (found.state, found.status, found.cause) == LOST
        assert not found.outcome_unknown
        assert f"Slurm's job {job} is " in found.reason
        assert pulse.starts() == each_once("FIRST")


@pytest.mark.slow
def test_a_node_that_is_given_up_proves_nothing(tmp_path: Path, site: SlurmSite) -> None:
    """Slurm calls a job CANCELLED whose node it cannot reach, and the job runs on."""
    with on_demand(tmp_path, ONE, [action("FIRST", "A", 1, gate="a")], site.environment) as here:
        pulse = Pulse(here.stack)
        report = pulse.begin()
        pulse.wait_doing("FIRST")
        site.kill("slurmd")
        site.say("scancel", site.jobs()[0][0])
        eventually(lambda: site.states() == ["CANCELLED"], lambda: str(site.jobs()))
        eventually(lambda: "A:p1 has ended: CANCELLED" in here.log(), here.log)
        live = pulse.action("FIRST").last
        assert (live.state, live.outcome_unknown) == (ActionState.DOING, False)
        pulse.open("a")
        assert ends_of(report.result().actions) == {"FIRST": SUCCESS}
        assert pulse.starts() == each_once("FIRST")


@pytest.mark.slow
def test_a_dead_slurmd_ends_no_pilot(tmp_path: Path, site: SlurmSite) -> None:
    actions = [action("FIRST", "A", 1, gate="a"), action("SECOND", "A", 2)]
    with on_demand(tmp_path, ONE, actions, site.environment) as here:
        pulse = Pulse(here.stack)
        report = pulse.begin()
        pulse.wait_doing("FIRST")
        site.kill("slurmd")
        eventually(lambda: site.states() == ["NODE_FAIL"], lambda: str(site.jobs()))
        eventually(lambda: "A:p1 has ended: NODE_FAIL" in here.log(), here.log)
        assert pulse.action("FIRST").last.state is ActionState.DOING
        pulse.open("a")
        assert ends_of(report.result().actions) == {"FIRST": SUCCESS, "SECOND": SUCCESS}
        assert pulse.starts() == each_once("FIRST", "SECOND")


@pytest.mark.slow
def test_a_controller_that_is_away_for_a_while(tmp_path: Path, site: SlurmSite) -> None:
    two = {"A": {**ONE["A"], "max": 2, "idle_s": 60.0}}
    actions = [action("FIRST", "A", 1, gate="a"), action("SECOND", "A", 1, gate="b", phase="PULSE")]
    with on_demand(tmp_path, two, actions, site.environment) as here:
        pulse = Pulse(here.stack)
        first = pulse.begin()
        pulse.wait_doing("FIRST")
        site.end_controller()
        other = Pulse(here.stack, 2)
        second = other.begin("PULSE")
        eventually(lambda: "slurm does not answer" in here.log(), here.log)
        pulse.open("a")
        assert ends_of(first.result().actions) == {"FIRST": SUCCESS}, "work goes on"
        other.wait_doing("SECOND")  # on the slot that is free now
        third = Pulse(here.stack, 3)
        report = third.begin()
        site.start_controller()
        third.open("a")
        assert ends_of(report.result().actions) == {"FIRST": SUCCESS}, "on a second pilot"
        other.open("b")
        assert ends_of(second.result().actions) == {"SECOND": SUCCESS}
        assert len(site.jobs()) == 2
        for one in (pulse, other, third):
            assert set(one.starts().values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("who", ["provider", "dispatcher", "both"])
def test_pilots_are_found_again(who: str, tmp_path: Path, site: SlurmSite) -> None:
    two = {"A": {"provider": "slurm", "min": 1, "max": 2, "idle_s": 60.0, "start_after_s": 0.2}}
    names = ("FIRST", "SECOND")
    actions = [action(name, "A", 1, gate="a") for name in names]
    with on_demand(tmp_path, two, actions, site.environment) as here:
        eventually(lambda: site.states() == ["RUNNING"], lambda: "min is not kept")
        pulse = Pulse(here.stack)
        report = pulse.begin()
        pulse.wait_doing(*names)
        if who != "dispatcher":
            here.provider.kill()
        if who != "provider":
            here.stack.dispatcher.kill()
            here.stack.restart(here.stack.dispatcher)
        if who != "dispatcher":
            here.start()
            eventually(lambda: here.log().count("found A:p") == 2, here.log)
        here.stack.wait_until(lambda status: not status.recovering)
        pulse.open("a")
        assert ends_of(report.result().actions) == dict.fromkeys(names, SUCCESS)
        assert pulse.starts() == each_once(*names)
        assert len(site.jobs()) == 2


@pytest.mark.slow
def test_starts_that_fail_are_tried_again_later_and_later(tmp_path: Path, site: SlurmSite) -> None:
    script = tmp_path / "pilot.sh"
    script.write_text("#!/bin/sh\nexit 7\n")
    fails = {"A": {**ONE["A"], "back_off_s": 1.0, "start_wait_s": 5.0}}
    settings = {"providers": {"slurm_script": str(script)}}
    actions = [action("FIRST", "A", 1)]
    with on_demand(tmp_path, fails, actions, site.environment, settings=settings) as here:
        pulse = Pulse(here.stack)
        found = pulse.begin().result().actions[0].last
        assert (found.state, found.status, found.cause) == NO_SERVER
        assert "FAILED NonZeroExitCode exit code 7:0" in found.reason
        assert len(site.jobs()) <= 4


@pytest.mark.slow
def test_a_controller_without_memory_starts_no_action_twice(
    tmp_path: Path, site: SlurmSite
) -> None:
    with on_demand(tmp_path, ONE, [action("FIRST", "A", 1, gate="a")], site.environment) as here:
        pulse = Pulse(here.stack)
        report = pulse.begin()
        pulse.wait_doing("FIRST")
        site.forget()  # its node ends what it knows nothing of
        found = report.result().actions[0].last
        assert (found.state, found.status, found.cause) == LOST
        assert found.outcome_unknown, "nobody proves anything"
        eventually(lambda: "A:p1 has ended: job 1 is not known any more" in here.log(), here.log)
        assert pulse.action("FIRST").last.outcome_unknown
        assert pulse.starts() == each_once("FIRST")
