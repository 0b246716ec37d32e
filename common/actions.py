"""The life of an action: states, status, causes, and the one table of legal transitions.

All that can change an action's state is named here. The diagram in `docs/states.md` is drawn from
`TRANSITIONS`, so it cannot drift. No input or output, no clock.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from shotline.common.ranges import ShotNumber, Small


class ActionState(StrEnum):
    """Where an action stands; the words are those of the tables in every MDSplus dispatcher."""

    NOT_DISPATCHED = "NOT_DISPATCHED"  # not sent to a server; pending, or settled with a cause
    DISPATCHED = "DISPATCHED"  # journalled as sent to a server
    DOING = "DOING"  # a worker process has started it
    DONE = "DONE"  # it ended by itself, by its timeout, or with its worker
    ABORTED = "ABORTED"  # ended by an operator, or its server was lost
    SERVER_OFF = "SERVER_OFF"  # no live server of its class


class Status(StrEnum):
    """How a DONE action ended."""

    SUCCESS = "Success"
    FAILURE = "Failure"


class Cause(StrEnum):
    """Why an action is settled. An action without a cause is pending or in progress."""

    RESULT = "result"  # the task returned or raised
    TIMEOUT = "timeout"  # we ended it at its time limit
    WORKER_DIED = "worker_died"  # its worker process died under it
    OPERATOR = "operator"  # somebody aborted it
    SERVER_LOST = "server_lost"  # its server ended or was lost while it had the action
    FORGOTTEN = "forgotten"  # its server has it no more, and how it ended is not known here
    NO_SERVER = "no_server"  # no live server for the grace time, or its mdsip url was busy too long
    OFF = "off"  # the node or a parent is switched off
    ASYNCHRONOUS = "asynchronous"  # asynchronous actions are shown, never dispatched
    UNREADABLE = "unreadable"  # the node cannot be read
    BAD_NUMBER = "bad_number"  # a sequence number <= 0
    CONDITION_FALSE = "condition_false"  # its condition is false
    CANNOT_HAPPEN = "cannot_happen"  # what it waits for cannot come any more in this run
    ABORTED_BEFORE_SENT = "aborted_before_sent"  # removed from the queue by an operator


class Colour(StrEnum):
    """What a row shows. Words and symbols go with it; nobody depends on colour alone."""

    BLUE = "blue"  # pending
    ORANGE = "orange"  # in progress
    GREEN = "green"  # success
    RED = "red"  # failed or aborted
    GREY = "grey"  # server off: filled, counted with the failed
    GREY_OUTLINED = "grey-outlined"  # settled without having been dispatched


class Category(StrEnum):
    """What an action is counted as: the fields of `Counts`."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILED = "failed"  # red: Failure, ABORTED; and unreadable while on
    SERVER_OFF = "server_off"
    NOT_DISPATCHED = "not_dispatched"  # settled without having been dispatched


class AttemptId(NamedTuple):
    """One try at one action. Numbers of an action never start again."""

    tree: str
    shot: ShotNumber
    path: str
    number: Small

    def __str__(self) -> str:
        return f"{self.tree}/{self.shot} {self.path} #{self.number}"


TRANSITIONS: Final[dict[ActionState, frozenset[ActionState]]] = {
    ActionState.NOT_DISPATCHED: frozenset(
        {
            ActionState.NOT_DISPATCHED,  # settled by a cause, or made pending again
            ActionState.DISPATCHED,
            ActionState.SERVER_OFF,
        }
    ),
    ActionState.DISPATCHED: frozenset(
        {
            ActionState.NOT_DISPATCHED,  # came back with proof that it never started (I1)
            ActionState.DISPATCHED,  # "aborting" is asked for
            ActionState.DOING,
            ActionState.DONE,  # so short that start and end came together
            ActionState.ABORTED,
            ActionState.SERVER_OFF,  # its mdsip server went on working for another shot
        }
    ),
    ActionState.DOING: frozenset(
        {ActionState.DOING, ActionState.DONE, ActionState.ABORTED, ActionState.SERVER_OFF}
    ),
    ActionState.DONE: frozenset({ActionState.NOT_DISPATCHED, ActionState.DONE}),
    ActionState.ABORTED: frozenset({ActionState.NOT_DISPATCHED, ActionState.ABORTED}),
    ActionState.SERVER_OFF: frozenset({ActionState.NOT_DISPATCHED}),
}
"""From each state, the states that may follow. The way back to NOT_DISPATCHED from an end is a new
run or a redispatch (D10, D11); DISPATCHED and DOING to themselves is "aborting" (D9), DONE and
ABORTED to themselves that an unknown outcome became known, or an mdsip url was cleared."""

SETTLED_CAUSES: Final[dict[ActionState, frozenset[Cause]]] = {
    ActionState.NOT_DISPATCHED: frozenset(
        {
            Cause.OFF,
            Cause.ASYNCHRONOUS,
            Cause.UNREADABLE,
            Cause.BAD_NUMBER,
            Cause.CONDITION_FALSE,
            Cause.CANNOT_HAPPEN,
            Cause.ABORTED_BEFORE_SENT,
        }
    ),
    ActionState.DISPATCHED: frozenset(),
    ActionState.DOING: frozenset(),
    ActionState.DONE: frozenset({Cause.RESULT, Cause.TIMEOUT, Cause.WORKER_DIED}),
    ActionState.ABORTED: frozenset({Cause.OPERATOR, Cause.SERVER_LOST, Cause.FORGOTTEN}),
    ActionState.SERVER_OFF: frozenset({Cause.NO_SERVER}),
}
"""The causes that each state may have when it is settled (the table of D7)."""

SETTLED_STATE: Final[dict[Cause, ActionState]] = {
    cause: state for state, causes in SETTLED_CAUSES.items() for cause in causes
}
"""The state of an action that is settled by a cause."""

IN_PROGRESS: Final = frozenset({ActionState.DISPATCHED, ActionState.DOING})
"""A server has it, as far as is known."""

NEVER_DISPATCHED: Final[dict[Cause, str]] = {
    Cause.OFF: "is off",
    Cause.ASYNCHRONOUS: "is asynchronous",
    Cause.UNREADABLE: "cannot be read",
    Cause.BAD_NUMBER: "has a sequence number that is never dispatched",
}
"""The causes that the tree decides, before any run, and what they say of an action."""


def colour_of(state: ActionState, status: Status | None, cause: Cause | None) -> Colour:
    """Return the colour of an action in this state."""
    if state is ActionState.DONE:
        return Colour.GREEN if status is Status.SUCCESS else Colour.RED
    if state is ActionState.ABORTED:
        return Colour.RED
    if state is ActionState.SERVER_OFF:
        return Colour.GREY
    if state is ActionState.NOT_DISPATCHED:
        return Colour.BLUE if cause is None else Colour.GREY_OUTLINED
    return Colour.ORANGE


def has_failed(state: ActionState, status: Status | None) -> bool:
    """Return whether exit codes, `check` and reports count an action as failed.

    Unreadable nodes count too while they are on; that is the table's knowledge, not the state's.
    """
    return state in (ActionState.ABORTED, ActionState.SERVER_OFF) or (
        state is ActionState.DONE and status is Status.FAILURE
    )


def category_of(
    state: ActionState, status: Status | None, cause: Cause | None, *, failed: bool
) -> Category:
    """Return what an action is counted as; `failed`: it counts as failed, also as unreadable."""
    if state is ActionState.DONE and status is Status.SUCCESS:
        return Category.SUCCESS
    if state is ActionState.SERVER_OFF:
        return Category.SERVER_OFF
    if failed:
        return Category.FAILED
    if state in IN_PROGRESS:
        return Category.IN_PROGRESS
    return Category.PENDING if cause is None else Category.NOT_DISPATCHED
