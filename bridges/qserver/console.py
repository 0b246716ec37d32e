"""What the queue does, as lines for the console that clients follow. Pure."""

from collections.abc import Iterator
from typing import Final

from shotline.bridges.qserver.asking import Body
from shotline.common.queue import records as r
from shotline.common.queue.plans import PulsePlan

_ENVIRONMENT: Final = {
    r.EnvironmentState.CLOSED: "RE Environment is closed",
    r.EnvironmentState.OPENING: "RE Environment is being opened",
    r.EnvironmentState.OPEN: "RE Environment is ready",
    r.EnvironmentState.CLOSING: "RE Environment is being closed",
    r.EnvironmentState.DESTROYING: "RE Environment is being destroyed",
    r.EnvironmentState.RELOADING: "RE Environment is being updated",
    r.EnvironmentState.FAILED: "RE Environment could not be opened",
}

ITEMS_SAID_MAX: Final = 10  # of a batch


def lines_of(record: r.QueueRecord) -> Iterator[str]:
    """Yield what a record tells people."""
    match record:
        case r.EntriesAdded(entries=entries):
            what = "new item" if len(entries) == 1 else f"{len(entries)} new items"
            yield f"Adding {what} to the queue{_by(record.by)}"
            for entry in entries[:ITEMS_SAID_MAX]:
                yield f"Item added: {_named(entry.plan)} (item {entry.uid})"
        case r.EntryChanged(entry=entry, what=what):
            yield f"item {entry.uid} {what}{_by(record.by)}"
        case r.EntriesMoved(uids=uids):
            yield f"{len(uids)} items moved{_by(record.by)}"
        case r.EntriesRemoved(uids=uids):
            yield f"{len(uids)} items removed{_by(record.by)}"
        case r.QueueSwitched(armed=armed, why=why):
            yield f"The queue is {'started' if armed else 'stopped'}{_why(why)}{_by(record.by)}"
        case r.PlanStarted(entry=entry, plan=plan):
            yield f"Starting the plan {_named(plan)} (item {entry.uid})"
        case r.RunBegun(run=run):
            yield f"Phase {run.phase} of {run.tree}/{run.shot} has begun (run {run.run})"
        case r.StepEnded(failure=failure, run=run) if run is not None:
            how = failure or run.outcome
            yield f"Phase {run.phase} of {run.tree}/{run.shot} has ended: {how}"
        case r.StepEnded(failure=failure) if failure:
            yield failure
        case r.PauseAsked():
            yield f"The plan is to pause{_by(record.by)}"
        case r.PlanPaused(why=why):
            yield f"The plan is paused{_why(why)}"
        case r.PlanResumed():
            yield f"The plan goes on{_by(record.by)}"
        case r.EndAsked(how=how):
            yield f"The plan is to end ({how.value}){_by(record.by)}"
        case r.PlanEnded(item=item):
            result = item.result
            yield (
                f"The plan {_named(item.entry.plan)} (item {item.entry.uid}) is "
                f"{result.exit_status.value}{_why(result.message)}"
            )
        case r.LockChanged(lock=lock):
            yield f"{'Unlocked' if lock is None else 'Locked'}{_by(record.by)}"
        case r.EnvironmentChanged(state=state, servers=servers):
            yield _ENVIRONMENT[state]
            for one in servers:
                if one.state == "failed":
                    yield f"{one.server}: {one.text}"
        case r.TaskChanged(task=task):
            yield f"Task {task.uid} ({task.function}) is {task.state.value}{_why(task.message)}"


def line_of_request(method: str, reply: Body) -> str:
    """Return what a client's request came to."""
    if reply.get("success") is not False:
        return f"{method}: done"
    return f"{method} was refused: {reply.get('msg')}"


def _named(plan: PulsePlan) -> str:
    return plan.kind or plan.experiment or "?"


def _by(name: str) -> str:
    return f" by {name}" if name else ""


def _why(text: str) -> str:
    return f": {text}" if text else ""
