"""Servers on demand with a real Slurm: the whole life of a pilot, and what is left of I1 when its
engine fails. How often a task has started is counted in a file, by nobody of ours.
"""

from pathlib import Path

from tests.support.faults import SUCCESS, Pulse, action, each_once, ends_of
from tests.support.on_demand import on_demand
from tests.support.slurm_site import SlurmSite
from tests.support.stack import eventually

ONE = {"A": {"provider": "slurm", "max": 1, "idle_s": 2.0}}


def test_a_pilot_comes_when_it_is_needed_and_goes_when_it_is_idle(
    tmp_path: Path, site: SlurmSite
) -> None:
    actions = (action("FIRST", "A", 1), action("SECOND", "A", 2))
    with on_demand(tmp_path, ONE, actions, site.environment) as here:
        pulse = Pulse(here.stack)
        assert site.jobs() == [], "nothing waits, so nothing is started"
        report = pulse.begin().result()
        assert ends_of(report.actions) == {"FIRST": SUCCESS, "SECOND": SUCCESS}
        assert pulse.starts() == each_once("FIRST", "SECOND")
        eventually(lambda: site.states() == ["COMPLETED"], lambda: str(site.jobs()))
        status = here.stack.wait_until(lambda status: bool(status.servers))
        assert {one.why for one in status.servers} == {"said goodbye: it was idle for 2 s"}
