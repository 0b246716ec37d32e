"""What is allowed in which state of the queue: the one table. Pure.

Refusals, the buttons of the page (`QueueView.allowed`) and `docs/queue.md` come from it.
"""

from typing import Final

from shotline.common.queue.fold import QueueFold
from shotline.common.queue.views import QueueState, RefusalCode
from shotline.pulse_queue.refusal import QueueRefusal

IDLE, ARMED, RUNNING = QueueState.IDLE, QueueState.ARMED, QueueState.RUNNING
PAUSING, PAUSED, STOPPING = QueueState.PAUSING, QueueState.PAUSED, QueueState.STOPPING
_ALL: Final = frozenset(QueueState)
_WITH_PLAN: Final = frozenset({RUNNING, PAUSING, PAUSED, STOPPING})

ALLOWED: Final[dict[str, frozenset[QueueState]]] = {
    "edit": _ALL,  # add, propose, approve, update, move, remove, clear, release, modes
    "start": frozenset({IDLE}),
    "stop": frozenset({ARMED, RUNNING, PAUSING, PAUSED, STOPPING}),
    "cancel_stop": frozenset({PAUSING, PAUSED, STOPPING}),
    "execute": frozenset({IDLE}),
    "pause": frozenset({RUNNING, PAUSING, STOPPING}),
    "resume": frozenset({PAUSED}),
    "end": _WITH_PLAN,
    "open": frozenset({IDLE, ARMED}),
    "close": frozenset({IDLE, ARMED}),
    "destroy": _ALL,
    "reload": frozenset({IDLE, ARMED}),
    "task": frozenset({IDLE, ARMED}),
    "background_task": _ALL,
}
"""Operation → states in which it may be given."""

_WORDS: Final = {
    "start": "the queue cannot be started",
    "stop": "there is nothing to stop",
    "cancel_stop": "there is no stop to cancel",
    "execute": "a plan is executed only while nothing runs",
    "pause": "there is nothing to pause",
    "resume": "there is nothing to resume",
    "end": "no plan is running",
    "open": "the environment is opened only while nothing runs",
    "close": "the environment is closed only while nothing runs",
    "reload": "the environment is reloaded only while nothing runs",
    "task": "a task runs only while no plan does, unless in the background",
}


def state_of(fold: QueueFold) -> QueueState:
    """Return what the queue does."""
    running = fold.running
    if running is None:
        return QueueState.ARMED if fold.armed else QueueState.IDLE
    if running.paused:
        return QueueState.PAUSED
    if running.pause:
        return QueueState.PAUSING
    if running.ending is not None or fold.stop_pending:
        return QueueState.STOPPING
    return QueueState.RUNNING


def require(operation: str, fold: QueueFold) -> None:
    """Raise QueueRefusal where the state does not allow an operation."""
    state = state_of(fold)
    if state not in ALLOWED[operation] or (operation == "cancel_stop" and not fold.stop_pending):
        raise QueueRefusal(
            RefusalCode.WRONG_STATE, f"{_WORDS[operation]}: the queue is {state.value}"
        )


def allowed(fold: QueueFold) -> tuple[str, ...]:
    """Return the operations that the state allows now."""
    state = state_of(fold)
    return tuple(
        name
        for name, states in ALLOWED.items()
        if state in states and (name != "cancel_stop" or fold.stop_pending)
    )
