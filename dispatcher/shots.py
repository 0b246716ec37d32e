"""A shot's state: the fold of its journal records. All changes of a shot go through `apply`.

The machine decides by making a record and applying it; recovery applies the stored ones. So what a
restarted dispatcher knows is what it knew. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import structs

from shotline.common.actions import (
    IN_PROGRESS,
    ActionState,
    AttemptId,
    Cause,
    category_of,
    has_failed,
)
from shotline.common.base import Json
from shotline.common.nodes import DispatchOptions
from shotline.common.records import (
    CheckReset,
    Counts,
    EventOutcome,
    EventRaised,
    LateResult,
    Mark,
    NodeRead,
    NoteWritten,
    PulseCreated,
    Redispatched,
    RunAborting,
    RunEnded,
    RunKind,
    RunOpened,
    RunPutOnHold,
    RunResumed,
    ShotKey,
    ShotRecord,
    SourceSeen,
    TableBuilt,
    Transition,
)
from shotline.common.views import OutputLine, RunView
from shotline.dispatcher.sequencer import Sequencer
from shotline.dispatcher.table import Table

LACKED_MAX: Final = 100
"""A journal that has lost its end lacks so many attempts at one action, at most."""


@dataclass(slots=True)
class Run:
    """One run. `sequencer` is made by the machine when it drives the run, never by the fold."""

    opened: RunOpened
    ended: RunEnded | None = None
    held: str | None = None  # why nothing more starts
    coming_hold: str | None = None  # why it will be held when what it has begun with has ended
    ended_for_hold: tuple[str, ...] = ()  # actions that were aborted for the hold
    aborting: str | None = None  # why it is being aborted
    paths: dict[str, None] = field(default_factory=dict)  # its actions, in order
    redispatched: dict[str, str] = field(default_factory=dict)  # path → command (D10)
    sequencer: Sequencer | None = None
    parked: dict[str, None] = field(default_factory=dict)  # ready, but the run is held
    opened_mono: float | None = None  # when, on the monotonic clock; None after a restart
    failures_said: int = 0  # how many lines of the log tell of its failed actions

    @property
    def number(self) -> int:
        """The run's number in its shot."""
        return self.opened.run

    @property
    def is_open(self) -> bool:
        """Whether the run has not ended."""
        return self.ended is None

    def is_busy(self, path: str) -> bool:
        """Return whether an action is ready, sent or running in this run."""
        return self.sequencer is not None and path in self.sequencer.busy


@dataclass(slots=True)
class Shot:
    """Everything known of one shot."""

    key: ShotKey
    table: Table = field(default_factory=lambda: Table.build((), (), DispatchOptions()))
    built: TableBuilt | None = None
    is_replaced: bool = False  # the pulse was made again since: its tables are another's
    source_changed: str = ""  # what has changed since the tables were built, as last seen
    actions: dict[str, Transition] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)  # highest number ever given, by path
    given: dict[tuple[str, int], str] = field(default_factory=dict)  # attempt → its server
    resulted: set[tuple[str, int]] = field(default_factory=set)  # attempts whose result is stored
    proven: set[tuple[str, int]] = field(default_factory=set)  # whose late answer is stored
    runs: dict[int, Run] = field(default_factory=dict)
    run_of_command: dict[str, int] = field(default_factory=dict)  # by the command's id
    open_run: Run | None = None
    essential_failures: dict[str, None] = field(default_factory=dict)
    events: dict[tuple[str, int], str] = field(default_factory=dict)  # intended, not yet raised
    troubles: dict[str, EventRaised] = field(default_factory=dict)  # the last failed one, by path
    progress: dict[str, tuple[float, str]] = field(default_factory=dict)
    # Lines of output that have not ended, by path and stream.
    tails: dict[str, dict[int, OutputLine]] = field(default_factory=dict)
    given_up: dict[str, None] = field(default_factory=dict)  # with an unknown outcome, once
    lines: dict[tuple[str, int], int] = field(default_factory=dict)  # output lines stored
    output_bytes: dict[tuple[str, int], int] = field(default_factory=dict)  # since our start
    notes: dict[int, NoteWritten] = field(default_factory=dict)  # as they stand, by number
    note_texts: int = 0  # ever written, also those that others have taken the place of
    last_record_at: float | None = None

    def apply(self, record: ShotRecord) -> None:
        """Take one record into the state."""
        self.last_record_at = record.time
        match record:
            case Transition():
                self._transition(record)
            case TableBuilt():
                self._table_built(record)
            case NodeRead():
                self._node_read(record)
            case SourceSeen():
                self.source_changed = record.changed
            case RunOpened():
                self._run_opened(record)
            case RunEnded():
                self._run_ended(record)
            case RunPutOnHold():
                run = self.runs[record.run]
                run.coming_hold = record.reason if record.coming else None
                run.held = None if record.coming else record.reason
                run.ended_for_hold = record.aborted
            case RunResumed():
                run = self.runs[record.run]
                run.held = run.coming_hold = None
                run.ended_for_hold = ()
            case RunAborting():
                self.runs[record.run].aborting = record.reason
            case Redispatched():
                run = self.runs[record.run]
                run.paths[record.path] = None
                run.redispatched[record.path] = record.command
                if record.command:
                    self.run_of_command[record.command] = record.run
            case LateResult():
                self.resulted.add((record.path, record.attempt))
                if record.proof:
                    self.proven.add((record.path, record.attempt))
            case EventRaised():
                self._event(record)
            case CheckReset():
                self.essential_failures = dict.fromkeys(record.remaining)
            case NoteWritten():
                self.notes[record.note] = record
                self.note_texts += 1
            case PulseCreated(replaced=True):
                self._pulse_replaced()
            case PulseCreated() | Mark():
                pass

    def _transition(self, new: Transition) -> None:
        old = self.actions.get(new.path)
        self.actions[new.path] = new
        self.attempts[new.path] = max(new.attempt, self.attempts.get(new.path, 0))
        if new.server is not None:
            self.given[new.path, new.attempt] = new.server
        run = self.runs.get(new.run) if new.run is not None else None
        if run is not None:
            run.paths.setdefault(new.path)
        if new.cause is not None:
            self._forget_live(new.path)
            if new.state is ActionState.SERVER_OFF and new.server is not None:
                self.resulted.add((new.path, new.attempt))  # its server gave it up unstarted
            # A duration was measured where it ran: its server has told what became of it.
            is_given_up = new.cause in (Cause.SERVER_LOST, Cause.FORGOTTEN)
            told = not is_given_up or new.duration_s is not None
            if new.state in (ActionState.DONE, ActionState.ABORTED) and told:
                self.resulted.add((new.path, new.attempt))
            if new.outcome_unknown:
                self.given_up[new.path] = None
            if self._is_new_failure(old, new):
                self.essential_failures[new.path] = None

    def _forget_live(self, path: str) -> None:
        """Forget what was only true while an attempt was in progress."""
        self.progress.pop(path, None)
        self.tails.pop(path, None)

    def _is_new_failure(self, old: Transition | None, new: Transition) -> bool:
        return (
            self.table.node(new.path).essential
            and has_failed(new.state, new.status)
            and (old is None or old.cause is None)
        )

    def _pulse_replaced(self) -> None:
        """Forget what is known of the actions, but for what may still be running."""
        self.is_replaced, self.source_changed = True, ""
        self.actions = {
            path: live
            for path, live in self.actions.items()
            if live.outcome_unknown or live.state in IN_PROGRESS
        }
        self.essential_failures, self.progress, self.tails = {}, {}, {}

    def _table_built(self, record: TableBuilt) -> None:
        self.table = Table.build(record.actions, record.phases, record.options)
        self.built, self.is_replaced, self.source_changed = record, False, ""
        if record.reset:
            self.actions, self.essential_failures, self.progress, self.tails = {}, {}, {}, {}
        before, self.actions = self.actions, {}
        for node in self.table.actions:
            path = node.path
            self.actions[path] = self._classified(path, before.get(path), record.time)

    def _node_read(self, record: NodeRead) -> None:
        path = record.node.path
        self.table = self.table.with_node(record.node)
        if self.open_run is None or path not in self.open_run.paths:
            self.actions[path] = self._classified(path, self.actions.get(path), record.time)

    def _classified(self, path: str, live: Transition | None, time: float) -> Transition:
        """Return the live state of an action after its node was read, kept where it may be."""
        cause, reason = self.table.initial(path)
        if live is not None and (live.cause is None or live.run is not None) and cause is None:
            return live
        if live is not None and (live.cause, live.reason) == (cause, reason):
            return live
        if live is not None and live.state is not ActionState.NOT_DISPATCHED:
            return live
        attempt = self.attempts.get(path, 0)
        return Transition(
            time=time,
            path=path,
            state=ActionState.NOT_DISPATCHED,
            cause=cause,
            reason=reason,
            attempt=attempt,
        )

    def _run_opened(self, record: RunOpened) -> None:
        run = Run(record, paths=dict.fromkeys(record.paths))
        self.runs[record.run] = self.open_run = run
        self.run_of_command[record.command] = record.run
        if record.kind is RunKind.SINGLE:
            run.redispatched[record.paths[0]] = record.command
        for path in record.paths:
            if self.table.initial(path)[0] is None or path in run.redispatched:
                self.actions[path] = self.pending(path, record.run, record.time)
                self._forget_live(path)
            elif self.table.node(path).essential and self.failed(path):
                self.essential_failures[path] = None  # it is on and cannot be read

    def pending(self, path: str, run: int | None, time: float, reason: str = "") -> Transition:
        """Return the state of an action that is to be tried (again)."""
        return Transition(
            time=time,
            path=path,
            state=ActionState.NOT_DISPATCHED,
            run=run,
            attempt=self.attempts.get(path, 0),
            reason=reason,
        )

    def _run_ended(self, record: RunEnded) -> None:
        run = self.runs[record.run]
        run.ended, run.held, run.coming_hold, run.sequencer = record, None, None, None
        run.parked.clear()
        if self.open_run is run:
            self.open_run = None

    def _event(self, record: EventRaised) -> None:
        if record.outcome is EventOutcome.INTENDED:
            self.events[(record.path, record.attempt)] = record.event
            return
        self.events.pop((record.path, record.attempt), None)
        if record.trouble:
            self.troubles[record.path] = record

    # Questions

    @property
    def variables(self) -> dict[str, Json]:
        """The variables of the shot's tasks."""
        return self.built.variables if self.built is not None else {}

    def event_trouble(self, path: str) -> str:
        """Return why the completion event of an action that is DONE was not raised, else ""."""
        live, trouble = self.actions[path], self.troubles.get(path)
        is_of_it = trouble is not None and trouble.attempt == live.attempt
        return trouble.trouble if trouble and is_of_it and live.state is ActionState.DONE else ""

    @property
    def has_tables(self) -> bool:
        """Whether there are tables of this very pulse."""
        return self.built is not None and not self.is_replaced

    def failed(self, path: str) -> bool:
        """Return whether an action counts as failed (DESIGN §1, *failed*)."""
        live = self.actions[path]
        if has_failed(live.state, live.status):
            return True
        return live.cause is Cause.UNREADABLE and self.table.options.unreadable == "fail"

    def lines_stored(self, attempt: AttemptId) -> int:
        """Return how many lines of an attempt's output are stored."""
        return self.lines.get((attempt.path, attempt.number), 0)

    def was_given(self, attempt: AttemptId, server: str) -> bool:
        """Return whether an attempt was made, and given to this server as far as is known."""
        giver = self.given.get((attempt.path, attempt.number))
        if giver is None:  # what became of earlier attempts may have been lost
            return 0 < attempt.number <= self.attempts.get(attempt.path, 0)
        return giver == server

    def lacks(self, attempt: AttemptId) -> bool:
        """Whether an attempt of this shot is one of those that may have been made after the last
        that is known.
        """
        known = self.attempts.get(attempt.path, 0)
        return attempt.path in self.actions and known < attempt.number <= known + LACKED_MAX

    def attempt_of(self, live: Transition) -> AttemptId:
        """Return which attempt an action's state is about."""
        return AttemptId(self.key.tree, self.key.shot, live.path, live.attempt)

    def unknown(self) -> list[Transition]:
        """Return the settled attempts whose outcome is unknown."""
        found = [self.actions[path] for path in self.given_up if path in self.actions]
        found = [live for live in found if live.outcome_unknown and live.cause is not None]
        self.given_up = {live.path: None for live in found}
        return found

    def tails_of(self, path: str, attempt: int) -> tuple[OutputLine, ...]:
        """Return the lines of an attempt's output that have not ended."""
        is_current = attempt == self.attempts.get(path)
        return tuple(self.tails.get(path, {}).values()) if is_current else ()

    def in_progress(self) -> Iterator[Transition]:
        """Yield the actions that are DISPATCHED or DOING."""
        return (live for live in self.actions.values() if live.state in IN_PROGRESS)

    def counts(self, paths: Iterable[str]) -> Counts:
        """Count actions by what is shown of them (D7)."""
        return Counts.of(
            Counter(
                category_of(live.state, live.status, live.cause, failed=self.failed(path))
                for path in paths
                if (live := self.actions.get(path)) is not None
            )
        )

    def run_view(self, run: Run) -> RunView:
        """Return what is shown of a run."""
        opened, ended = run.opened, run.ended
        state: Literal["open", "aborting", "held", "ended"] = (
            "ended" if ended else "held" if run.held else "aborting" if run.aborting else "open"
        )
        return RunView(
            tree=self.key.tree,
            shot=self.key.shot,
            run=opened.run,
            kind=opened.kind,
            phase=opened.phase,
            first=opened.first,
            last=opened.last,
            state=state,
            outcome=ended.outcome if ended else None,
            reason=(ended.reason if ended else run.held or run.aborting) or "",
            opened_at=opened.time,
            ended_at=ended.time if ended else None,
            duration_s=ended.duration_s if ended else None,
            counts=ended.counts if ended else self.counts(run.paths),
            who=opened.who,
        )

    def records(self, time: float) -> list[ShotRecord]:
        """Return records that make this state again, for a journal that has lost its history."""
        told: list[ShotRecord] = []
        if self.built is not None:
            told.append(structs.replace(self.built, actions=self.table.actions, reset=False))
        if self.source_changed:
            told.append(SourceSeen(time=time, changed=self.source_changed))
        for run in self.runs.values():
            told.append(run.opened)
            if run.ended is not None:
                told.append(run.ended)
            if run.aborting:
                told.append(RunAborting(time=time, run=run.number, reason=run.aborting))
            hold = run.held or run.coming_hold
            if hold:
                told.append(
                    RunPutOnHold(
                        time=time,
                        run=run.number,
                        reason=hold,
                        coming=run.held is None,
                        aborted=run.ended_for_hold,
                    )
                )
        told.extend(self.actions.values())
        told.extend(
            Redispatched(time=time, run=run.number, path=path, command=command)
            for run in self.runs.values()
            for path, command in run.redispatched.items()
        )
        told.extend(
            EventRaised(
                time=time, path=path, attempt=attempt, event=event, outcome=EventOutcome.INTENDED
            )
            for (path, attempt), event in self.events.items()
        )
        told.extend(self.troubles.values())
        told.extend(self.notes.values())
        again = Shot(self.key)
        for record in told:
            again.apply(record)
        if again.essential_failures != self.essential_failures:
            told.append(CheckReset(time=time, remaining=tuple(self.essential_failures)))
        if self.is_replaced:
            told.append(PulseCreated(time=time, replaced=True))
        if self.open_run is not None and self.open_run.held is None:
            told.append(Mark(time=time))  # the newest record says that the run is alive
        return told
