"""What the dispatcher's machine has counted and measured, and how long its queues are. Pure."""

from collections.abc import Iterator
from typing import Final

from shotline.common.actions import SETTLED_STATE, ActionState
from shotline.common.fleet.views import AlertKind
from shotline.common.messages import LivenessState
from shotline.common.metrics import Metric, counters, gauge, gauges, histogram
from shotline.common.views import JournalState
from shotline.dispatcher.core import Core
from shotline.dispatcher.reading.fleet_metrics import fleet_metrics

OUTCOMES: Final = {
    cause: "failure" if state is ActionState.DONE else state.value.lower()
    for cause, state in SETTLED_STATE.items()
}
"""What an action that did not succeed is counted as, by its cause."""


def metrics(core: Core) -> Iterator[Metric]:
    """Yield what is told of a dispatcher."""
    settled = {(OUTCOMES[cause], cause.value): n for cause, n in core.unsuccessful.items()}
    none_yet = {(outcome, ""): 0 for outcome in OUTCOMES.values()}  # there before the first ends
    words = "Actions that have settled."
    success = {("success", "result"): core.succeeded}
    told = none_yet | settled | success
    yield counters("actions", words, ("outcome", "cause"), told.items())
    words = "From the decision to dispatch an action until its start is known here."
    yield histogram("dispatch_seconds", words, core.dispatching)

    fleet = core.fleet
    classes = fleet.classes
    words = "Ready actions that wait for a free slot of their class."
    queued = {(name,): len(one.queue) for name, one in classes.items()}
    yield gauges("dispatcher_queued_actions", words, ("server_class",), queued.items())
    words = "Whether a server is alive; one that was lost stays here."
    servers = fleet.servers.values()
    up = {(one.name,): one.liveness is LivenessState.ALIVE for one in servers}
    yield gauges("server_up", words, ("server",), up.items())
    there = [one for one in servers if not one.is_lost]
    for name, words, value in (
        ("slots", "Slots of a server.", lambda one: one.register.slots),
        ("usable_slots", "Of them those that may have an action now.", lambda one: one.usable),
        ("attempts", "Attempts that a server has.", lambda one: len(one.attempts)),
        ("stuck_slots", "Slots whose process cannot be ended.", lambda one: one.stuck),
        ("unanswered_results", "Results that a server keeps.", lambda one: one.unanswered),
    ):
        of = [((one.name,), value(one)) for one in there]
        yield gauges(f"server_{name}", words, ("server",), of)

    words = "What somebody should look at: servers that are lost or missing, and the like."
    alerts = {(kind.value,): fleet.alerts.get(kind, 0) for kind in AlertKind}
    yield gauges("fleet_alerts", words, ("kind",), alerts.items())
    absent = sum(name not in fleet.servers for name in fleet.absent)
    yield gauge("fleet_absent_servers", "Servers that are gone, or never came.", absent)
    yield from fleet_metrics(there)

    runs = [run for _, run in core.open_runs()]
    yield gauge("dispatcher_open_runs", "Runs that have not ended.", len(runs))
    yield gauge(
        "dispatcher_held_runs", "Runs that are HELD.", sum(one.held is not None for one in runs)
    )
    yield gauge("dispatcher_shots", "Shots in memory.", len(core.shots))
    yield gauge("dispatcher_term", "The term.", core.term)
    yield gauge(
        "dispatcher_broker_up", "Whether a broker has accepted it.", core.broker is not None
    )
    words = "The journal: 1 at its state (degraded: in the spill file; stopped: nowhere)."
    states = {(state.value,): state is core.journal_state for state in JournalState}
    yield gauges("journal_state", words, ("state",), states.items())
