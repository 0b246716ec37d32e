"""One shot as the monitor holds it, and the messages that follow from what happens to it. Pure."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from shotline.client.board import Board
from shotline.client.observer import News, Whole
from shotline.common.actions import ActionState, has_failed
from shotline.common.machine import Instant
from shotline.common.records import (
    CheckReset,
    EventRaised,
    LateResult,
    Mark,
    NodeRead,
    NoteWritten,
    PulseCreated,
    Record,
    Redispatched,
    RunAborting,
    RunEnded,
    RunKind,
    RunOpened,
    RunPutOnHold,
    RunResumed,
    ShotKey,
    SourceSeen,
    TableBuilt,
    Transition,
)
from shotline.common.views import ActionView, RunView, ShotEvent, ShotView, SnapshotResult
from shotline.monitor.messages import (
    Body,
    action_message,
    counts_message,
    node_message,
    plain,
    progress_message,
    record_message,
    run_end,
    run_message,
    run_opened,
    shot_message,
    whole_shot,
)
from shotline.monitor.names import SYSTEM, run_id, shot_id
from shotline.monitor.view.attempts import Attempt
from shotline.monitor.view.durations import Durations
from shotline.monitor.view.effects import Effect, End, Open, Post, Refresh
from shotline.monitor.view.estimate import estimating
from shotline.monitor.view.tally import Tally, counts

_COMMANDS = {
    EventRaised: "EVENT",
    LateResult: "LATE",
    Redispatched: "REDISPATCHED",
    CheckReset: "CHECK_RESET",
    PulseCreated: "PULSE",
    SourceSeen: "SOURCE_SEEN",
}


@dataclass(slots=True)
class ShotState:
    """A shot: its board, and the attempts that somebody looks at."""

    key: ShotKey
    durations: Durations
    board: Board = field(init=False)
    attempts: dict[tuple[str, int], Attempt] = field(default_factory=dict)
    known: bool = False
    touched: float = 0.0  # monotonic
    tally: Tally = field(default_factory=Tally)
    estimate: dict[str, object] | None = None
    estimate_at: float = 0.0  # monotonic; the next one is due
    _places: dict[str, int] = field(default_factory=dict)  # in the table's order, by path
    _paths: dict[int, dict[str, None]] = field(default_factory=dict)  # of runs that go on
    _short: ShotView = field(init=False)
    _shape: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        self.board = Board(self.key.tree, self.key.shot)
        self._short = ShotView(tree=self.key.tree, shot=self.key.shot)

    @property
    def channel(self) -> str:
        """The id of its channel."""
        return shot_id(self.key)

    def short(self) -> ShotView:
        """Return the shot in short, as it stands."""
        return structs.replace(
            self._short,
            notes=(),
            actions=len(self.board.actions),
            counts=self.tally.total(),
            runs=tuple(self._counted(run) for run in list(self.board.runs.values())[-20:]),
        )

    def whole(self, time: float) -> Body:
        """Return the whole state for a reader."""
        return whole_shot(
            time,
            structs.replace(self.short(), notes=self._short.notes),
            list(self.board.actions.values()),
            self.tally.shown(),
            self.durations.medians(self.key, self.board.actions),
            self.estimate,
        )

    def actions_of_run(self, run: int) -> Iterator[ActionView]:
        """Yield the actions that a run has, in the table's order."""
        return (action for action in self.board.actions.values() if action.last.run == run)

    def estimating(
        self, now: Instant, slots: Mapping[str, int], slow_factor: float
    ) -> Generator[None, None, list[Effect]]:
        """Tell what is expected of the last run, when that has changed; yields now and then."""
        run = self.board.open_run or self.board.run
        if run is None:
            return []
        of_run: list[ActionView] = []
        others: list[ActionView] = []
        for action in self.board.actions.values():
            (of_run if action.last.run == run.run else others).append(action)
        found = yield from estimating(
            run.run,
            of_run,
            lambda path: self.durations.median(self.key, path),
            slots,
            now.wall,
            slow_factor,
            others,
        )
        told = self.estimate or {}
        effects: list[Effect] = []
        for command, fields in (("ESTIMATE", found.time_left()), ("LIMITS", found.limits())):
            if any(name not in told or told[name] != value for name, value in fields.items()):
                effects.append(Post(self.channel, plain(command, now.wall, fields), command))
        self.estimate = found.time_left() | found.limits()
        return effects

    # What the feed tells

    def take_whole(self, now: Instant, update: Whole) -> Iterator[Effect]:
        """Take the dispatcher's snapshot: the first, or after something was missed."""
        snapshot = update.snapshot
        if snapshot.shot is None:
            return
        before, runs_before = dict(self.board.actions), dict(self.board.runs)
        missed = self.board.take(update)
        told = (snapshot.shot.source_changed, snapshot.shot.notes)
        is_other = told != (self._short.source_changed, self._short.notes)
        self._short, self.touched = snapshot.shot, now.mono
        self._places = {path: place for place, path in enumerate(self.board.actions)}
        self.tally.begin(self.board.actions.values())
        for action in snapshot.actions:
            self.durations.note(self.key, action.last)
        for run in snapshot.shot.runs:
            if run.state != "ended" and run.run not in self._paths:
                self._paths = {run.run: dict.fromkeys(self._paths_of(run))}
        shape = (snapshot.shot.built_at, tuple(self.board.actions))
        if not self.known:
            yield from self._begin(snapshot, runs_before)
        known, self.known = self.known, True
        if not known or is_other or shape != self._shape:
            self._shape = shape
            list(self.tally.changes())  # the whole tells them
            yield Post(self.channel, self.whole(now.wall), "whole")
        else:
            yield from self._changed_nodes(now.wall, before)
            for record in missed:
                if isinstance(record, Transition):
                    yield from self._transition(record, runs_before)
            yield from self._tell_counts(now.wall)
        for run in snapshot.shot.runs:
            yield from self._missed_run(now.wall, run, runs_before.get(run.run))
        yield Post(SYSTEM, shot_message(now.wall, self.short()), f"shot/{self.channel}")

    def take_news(self, now: Instant, news: News) -> Iterator[Effect]:
        """Take an event of the shot's channel."""
        if not isinstance(news.payload, ShotEvent):
            return
        self.touched = now.mono
        for record in news.payload.records:
            changed = self.board.apply(record)
            for path in changed:
                self.tally.note(self.board.actions[path])
            yield from self._record(now.wall, record, changed)
        yield from self._tell_counts(now.wall)
        for path, fraction, text in news.payload.progress:
            self.board.progress(path, fraction, text)
            yield from self._progress(news.at, path, fraction, text)
        if news.payload.waits:
            waits = {path: text for path, text in news.payload.waits if path in self.board.actions}
            for path, text in waits.items():
                self.board.waits(path, text)
            yield Post(self.channel, plain("WAITS", news.at, {"waits": waits}))
        if self.board.needs_snapshot:
            self.board.needs_snapshot = False
            yield Refresh(self.key.tree, self.key.shot)

    def _tell_counts(self, time: float) -> Iterator[Effect]:
        for phase, found in self.tally.changes():
            yield Post(self.channel, counts_message(time, phase, found), f"c/{phase}")

    def _begin(
        self, snapshot: SnapshotResult, runs_before: Mapping[int, RunView]
    ) -> Iterator[Effect]:
        assert snapshot.shot is not None
        missed = any(run.run not in runs_before for run in snapshot.shot.runs) or any(
            one.last.attempt and one.last.run not in runs_before for one in snapshot.actions
        )
        yield Open(self.channel, "this monitor was not there at its beginning" if missed else "")

    def _changed_nodes(self, time: float, before: dict[str, ActionView]) -> Iterator[Effect]:
        live = {"last", "failed", "waits_for", "progress", "progress_text", "event_trouble"}
        for path, action in self.board.actions.items():
            old = before[path]
            if (
                old is not action
                and structs.replace(old, **({name: getattr(action, name) for name in live}))
                != action
            ):
                yield Post(self.channel, node_message(time, action), f"n/{path}")

    def _record(self, time: float, record: Record, changed: Sequence[str]) -> Iterator[Effect]:
        match record:
            case Transition():
                yield from self._transition(record, self.board.runs)
            case RunOpened():
                yield from self._run_opened(record, changed)
            case RunEnded() | RunPutOnHold() | RunResumed() | RunAborting():
                yield from self._run_changed(time, record)
            case SourceSeen():
                seen = {"source_changed": record.changed}
                self._short = structs.replace(self._short, **seen)
                yield Post(self.channel, record_message(_COMMANDS[SourceSeen], time, record))
            case EventRaised() | LateResult() | Redispatched() | CheckReset() | PulseCreated():
                told = record_message(_COMMANDS[type(record)], record.time, record)
                yield Post(self.channel, told)
            case NoteWritten():
                notes = {note.note: note for note in self._short.notes} | {record.note: record}
                self._short = structs.replace(self._short, notes=tuple(notes.values()))
                yield Post(self.channel, record_message("NOTE", time, record))
            case TableBuilt() | NodeRead() | Mark():
                pass  # the board asks for a snapshot where it must
            case _:
                pass

    def _transition(self, record: Transition, runs: Mapping[int, RunView]) -> Iterator[Effect]:
        action = self.board.actions.get(record.path)  # None: built anew, the whole follows
        self.durations.note(self.key, record)
        failed = has_failed(record.state, record.status) if action is None else action.failed
        told, key = action_message(record, failed=failed), f"a/{record.path}"
        yield Post(self.channel, told, key)
        run = _open(runs, record.run)
        if run is not None:
            self._paths.setdefault(run.run, {})[record.path] = None
            yield Post(self._channel_of(run), told, key)
        attempt = self.attempts.get((record.path, record.attempt))
        if attempt is not None and record.state is not ActionState.NOT_DISPATCHED:
            yield from attempt.transition(record, failed=failed)

    def _progress(self, time: float, path: str, fraction: float, text: str) -> Iterator[Effect]:
        action = self.board.actions.get(path)
        if action is None:
            return
        told = progress_message(time, path, fraction, text)
        yield Post(self.channel, told, f"p/{path}")
        run = _open(self.board.runs, action.last.run)
        if run is not None:
            yield Post(self._channel_of(run), told, f"p/{path}")
        attempt = self.attempts.get((path, action.last.attempt))
        if attempt is not None:
            yield from attempt.progress(time, fraction, text)

    # Runs

    def _channel_of(self, run: RunView) -> str:
        return run_id(self.key, run.phase, run.run)

    def _run_opened(self, record: RunOpened, reset: Sequence[str]) -> Iterator[Effect]:
        self._paths = {record.run: dict.fromkeys(record.paths)}
        run = self._counted(self.board.runs[record.run])
        told = run_opened(record.time, run, sorted(self._places[path] for path in reset))
        yield Post(self.channel, told, f"o/{record.run}")
        yield Open(self._channel_of(run))
        yield Post(self._channel_of(run), run_message("STARTED", record.time, run))
        yield Post(SYSTEM, shot_message(record.time, self.short()), f"shot/{self.channel}")

    def _run_changed(
        self, time: float, record: RunEnded | RunPutOnHold | RunResumed | RunAborting
    ) -> Iterator[Effect]:
        if record.run not in self.board.runs:
            return  # the board asks for a snapshot
        run = self._counted(self.board.runs[record.run])
        if run.state == "ended":
            self._paths.pop(run.run, None)
        yield from self._tell_run(record.time, run)
        yield Post(SYSTEM, shot_message(time, self.short()), f"shot/{self.channel}")

    def _tell_run(self, time: float, run: RunView) -> Iterator[Effect]:
        yield Post(self.channel, run_message("RUN_CHANGED", time, run), f"r/{run.run}")
        if run.state == "ended":
            yield Post(self._channel_of(run), run_message(run_end(run), time, run))
            yield End(self._channel_of(run))
        else:
            yield Post(self._channel_of(run), run_message("RUN_CHANGED", time, run), "run")

    def _missed_run(self, time: float, run: RunView, old: RunView | None) -> Iterator[Effect]:
        """Take a run from a snapshot: all that the feed has told of it may have been missed."""
        if old is None and run.state != "ended":
            channel = self._channel_of(run)
            yield Open(channel, "this monitor was not there at its beginning")
            yield Post(channel, run_message("STARTED", run.opened_at, run))
            for action in self.actions_of_run(run.run):
                told = action_message(action.last, failed=action.failed)
                yield Post(channel, told, f"a/{action.path}")
        if old is None:
            yield Post(self.channel, run_message("RUN_CHANGED", time, run), f"r/{run.run}")
        elif old.state != "ended" and (old.state, old.reason) != (run.state, run.reason):
            yield from self._tell_run(time, run)

    def _paths_of(self, run: RunView) -> Iterator[str]:
        """Yield the actions of a run whose beginning was missed: also what it never dispatches."""
        first, last = run.first, run.last
        for path, action in self.board.actions.items():
            of_phase = action.phase == run.phase and run.kind is not RunKind.SINGLE
            in_range = first is None or (
                last is not None and action.number is not None and first <= action.number <= last
            )
            if action.last.run == run.run or (of_phase and in_range and action.never is not None):
                yield path

    def _counted(self, run: RunView) -> RunView:
        if run.state == "ended":
            return run
        actions = self.board.actions
        paths = self._paths.get(run.run, {})
        return structs.replace(
            run, counts=counts(actions[path] for path in paths if path in actions)
        )


def _open(runs: Mapping[int, RunView], number: int | None) -> RunView | None:
    """Return a run that has not ended."""
    run = runs.get(number) if number is not None else None
    return None if run is None or run.state == "ended" else run
