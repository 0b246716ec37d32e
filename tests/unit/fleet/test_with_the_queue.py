"""Maintenance windows and the pulse queue: each is compared with the other when it changes."""

from tests.unit.pulse_queue.test_running import PHASES, Programme

from shotline.common.fleet.commands import FleetWindow
from shotline.common.fleet.settings import Select
from shotline.common.messages import Outcome
from shotline.common.queue import commands as q
from shotline.common.queue.plans import PulsePlan


def window(programme: Programme, server_class: str) -> FleetWindow:
    """Return a window that is open, for a class."""
    select = Select(classes=(server_class,))
    return FleetWindow(select=select, begins_at=programme.wall - 1, duration_s=7200.0, id="pump")


def test_a_window_names_the_plans_that_it_meets_and_a_plan_the_windows() -> None:
    programme = Programme()
    plan = PulsePlan(experiment="T", phases=PHASES)
    assert programme.good(q.QueueAdd(plans=(plan,))).notices == ()
    catalog = programme.machine.plans.catalog("T")
    assert catalog is not None
    (server_class, *_) = sorted(set().union(*catalog.classes.values()))
    reply = programme.ask(window(programme, server_class))
    assert reply.outcome is Outcome.OK
    (notice,) = reply.notices
    assert f"takes servers of class {server_class}, which T" in notice
    reply = programme.good(q.QueueAdd(plans=(plan,)))
    assert len(reply.notices) == 2, "both plans meet it"
    assert programme.ask(window(programme, "NOBODYS")).notices == ()
