"""Pulse plans, and entries of the queue: what is to be run, and how it stands. Pure."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import Meta

from shotline.common.actions import Status
from shotline.common.base import Json, Struct
from shotline.common.ranges import NUMBER_MAX, Code, Duration, Small, Wall
from shotline.common.records import Counts

Uid = Annotated[str, Meta(min_length=1, max_length=64)]
Who = Annotated[str, Meta(max_length=200)]
Words = Annotated[str, Meta(max_length=8000)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$", max_length=64)]
PulseNumber = Annotated[int, Meta(ge=1, le=NUMBER_MAX)]
NEXT: Final = "next"


class PhaseWhen(StrEnum):
    """Whether a phase of a plan runs, by what came before it."""

    ALWAYS = "always"
    ON_SUCCESS = "on_success"  # nothing before it has failed
    ON_FAILURE = "on_failure"  # something before it has failed


class PlanPhase(Struct):
    """One phase of a plan. A closing one runs also after a stop or an abort."""

    phase: Annotated[str, Meta(min_length=1, max_length=64, description="A phase's name.")]
    when: Annotated[
        PhaseWhen,
        Meta(
            description="always; on_success: nothing before it has failed; on_failure: something "
            "before it has."
        ),
    ] = PhaseWhen.ALWAYS
    closing: Annotated[
        bool, Meta(description="It also runs after the plan was stopped or aborted.")
    ] = False


class Existing(StrEnum):
    """What becomes of a pulse that exists already when a plan wants to make it."""

    REFUSE = "refuse"  # the plan does not begin
    USE = "use"  # its tables are built from it as it is
    REPLACE = "replace"  # it is made again: what it holds is lost


class FailsOn(StrEnum):
    """Which failed actions make a plan a failed one."""

    ANY = "any"
    ESSENTIAL = "essential"  # only those that the experiment calls so
    NONE = "none"  # none: only a run that was aborted, or that could not begin


class PulsePlan(Struct):
    """What somebody wants to run: a kind with its parameters, or experiment and phases.

    What is left out (None) is as its kind says. `type` stop: the queue stops when it comes to it,
    and nothing else of the plan counts.
    """

    type: Literal["pulse", "stop"] = "pulse"
    kind: Annotated[str, Meta(max_length=64)] = ""
    experiment: Annotated[str, Meta(max_length=64)] | None = None
    shot: PulseNumber | Literal["next"] = NEXT
    phases: Annotated[tuple[PlanPhase, ...], Meta(max_length=100)] | None = None
    parameters: dict[str, Json] = {}
    repeat: Annotated[int, Meta(ge=1, le=10_000)] = 1
    existing: Existing | None = None
    fails_on: FailsOn | None = None
    meta: dict[str, Json] = {}  # of whoever adds it; kept, shown, and never looked at
    note: Words = ""


class EntryState(StrEnum):
    """How an entry stands."""

    PROPOSED = "proposed"  # somebody who may is to approve it
    QUEUED = "queued"
    HELD = "held"  # waits for a named person
    RUNNING = "running"
    ENDED = "ended"


class ExitStatus(StrEnum):
    """How a plan ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"  # in order, on demand: counts as success
    ABORTED = "aborted"
    HALTED = "halted"
    UNKNOWN = "unknown"


class FailedAction(Struct):
    """An action of a plan's run that counts as failed."""

    path: str
    state: str
    status: Status | None = None
    cause: str = ""
    reason: str = ""
    code: Code | None = None
    server: str = ""
    attempt: Small = 0
    ended_at: Wall | None = None
    duration_s: Duration | None = None


class PlanRun(Struct):
    """One run of a plan, for the history; its actions are had by `wait` and `show`."""

    tree: str
    shot: Small
    run: Small
    phase: str
    outcome: str = ""  # completed, aborted; empty while it is open
    reason: str = ""
    counts: Counts = Counts()
    failed: tuple[FailedAction, ...] = ()  # the first of them
    opened_at: Wall
    ended_at: Wall | None = None
    duration_s: Duration | None = None


class PlanResult(Struct):
    """What became of a plan."""

    exit_status: ExitStatus
    message: Words = ""
    tree: str = ""
    shot: Small = 0  # 0: none was made
    began_at: Wall
    ended_at: Wall
    ended_by: Who = ""  # who stopped, aborted or halted it
    runs: tuple[PlanRun, ...] = ()


class Entry(Struct):
    """One entry of the queue. Its uid never changes; a copy has another one."""

    uid: Uid
    plan: PulsePlan
    state: EntryState = EntryState.QUEUED
    user: Who = ""  # who added or proposed it
    group: str = ""
    added_at: Wall
    changed_by: Who = ""
    changed_at: Wall | None = None
    approved_by: Who = ""
    released_by: Who = ""
    held: Words = ""  # why it is HELD
    rounds: Small = 0  # of its repetitions that have completed
    copy_of: str = ""  # uid of the entry that ran: it was returned, repeated or put round again
    result: PlanResult | None = None  # of the one that it is a copy of, where it came back


class HistoryItem(Struct):
    """An entry that has ended, with what became of it."""

    entry: Entry
    result: PlanResult
