"""A shot as its observer has it: the fold of a snapshot and the events after it. Pure.

Nothing is drawn here; `live` draws it, as a table or as lines.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from shotline.client.observer import FeedStopped, News, Update, Whole
from shotline.client.text import colour
from shotline.common.actions import ActionState, Cause, Colour, has_failed
from shotline.common.channels import output_channel
from shotline.common.records import (
    Counts,
    EventRaised,
    NodeRead,
    PulseCreated,
    Record,
    RunAborting,
    RunEnded,
    RunKind,
    RunOpened,
    RunPutOnHold,
    RunResumed,
    ShotKey,
    TableBuilt,
    Transition,
)
from shotline.common.views import ActionView, OutputEvent, RunView, ShotEvent, SnapshotResult

ORDER: Final = (Colour.RED, Colour.GREY, Colour.ORANGE, Colour.BLUE, Colour.GREEN)
RUNS_MAX: Final = 100  # kept of a shot; open ones always


@dataclass(slots=True)
class Board:
    """The actions of one shot, their progress and last lines, and its last runs.

    What an open run counts is as it was when the run was last seen as a whole.
    """

    tree: str
    shot: int
    actions: dict[str, ActionView] = field(default_factory=dict)
    last_line: dict[str, str] = field(default_factory=dict)
    runs: dict[int, RunView] = field(default_factory=dict)
    stale_s: float | None = None  # the feed has been silent so long
    needs_snapshot: bool = False  # a table was built or a node read: ask for the whole again

    def take(self, update: Update) -> list[Record]:
        """Take one update; return the records in it that are news to a reader of lines."""
        match update:
            case Whole():
                return self._whole(update.snapshot)
            case FeedStopped():
                self.stale_s = update.silent_s
                return []
            case News(payload=ShotEvent() as event):
                self.stale_s = None
                for path, fraction, text in event.progress:
                    self.progress(path, fraction, text)
                for path, text in event.waits:
                    self.waits(path, text)
                for record in event.records:
                    self.apply(record)
                return list(event.records)
            case News(channel=channel, payload=OutputEvent() as event):
                path = channel.removeprefix(output_channel(ShotKey(self.tree, self.shot), ""))
                last = event.tail.text if event.tail else "".join(p[2] for p in event.pieces[-1:])
                shown = [line for line in last.split("\n") if line.strip()]
                if shown and path in self.actions:
                    self.last_line[path] = shown[-1]
                return []
        return []

    @property
    def run(self) -> RunView | None:
        """The last run."""
        return self.runs[max(self.runs)] if self.runs else None

    @property
    def open_run(self) -> RunView | None:
        """The run that has not ended."""
        return next((run for run in reversed(self.runs.values()) if run.state != "ended"), None)

    def phases(self) -> dict[str, Counter[Colour]]:
        """Return how many actions of each phase have which colour, in the table's order."""
        counts: dict[str, Counter[Colour]] = {}
        for action in self.actions.values():
            counts.setdefault(action.phase, Counter())[colour(action.last)] += 1
        return counts

    def rows(self, limit: int) -> tuple[list[ActionView], int]:
        """Return the rows that fit, and how many were left out.

        All are in the table's order when they fit; else failed, running and waiting ones go first.
        """
        everything = list(self.actions.values())
        if len(everything) <= limit:
            return everything, 0
        kept = max(0, limit - 1)
        ranked = sorted(everything, key=lambda action: _rank(colour(action.last)))
        return ranked[:kept], len(everything) - kept

    def running(self) -> Iterator[ActionView]:
        """Yield what is in progress."""
        for action in self.actions.values():
            if action.last.state is ActionState.DOING:
                yield action

    def _whole(self, snapshot: SnapshotResult) -> list[Record]:
        before = {path: action.last for path, action in self.actions.items()}
        self.actions = {action.path: action for action in snapshot.actions}
        self.stale_s, self.needs_snapshot = None, False
        if snapshot.shot is not None:
            told = {run.run: run for run in snapshot.shot.runs}
            if max(self.runs, default=0) > max(told, default=0):
                self.runs.clear()  # Shotline has begun to count anew
            self.runs |= told
            self._forget_runs()
        if not before:
            return []
        # What was missed is told late rather than never.
        return [
            action.last
            for path, action in self.actions.items()
            if path in before and before[path] != action.last
        ]

    def apply(self, record: Record) -> tuple[str, ...]:
        """Take a record; return the paths of the actions that it has changed."""
        match record:
            case Transition():
                return self._transition(record)
            case EventRaised():
                self._event(record)
            case RunOpened():
                return self._run_opened(record)
            case RunEnded() | RunPutOnHold() | RunResumed() | RunAborting():
                self._run_changed(record)
            case TableBuilt() | NodeRead() | PulseCreated(replaced=True):
                self.needs_snapshot = True
            case _:
                pass
        return ()

    def _run_opened(self, record: RunOpened) -> tuple[str, ...]:
        self.runs[record.run] = RunView(
            tree=self.tree,
            shot=self.shot,
            run=record.run,
            kind=record.kind,
            phase=record.phase,
            first=record.first,
            last=record.last,
            state="open",
            opened_at=record.time,
            counts=Counts(),
            who=record.who,
        )
        self._forget_runs()
        return tuple(path for path in record.paths if self._reset(path, record))

    def _run_changed(self, record: RunEnded | RunPutOnHold | RunResumed | RunAborting) -> None:
        run = self.runs.get(record.run)
        if run is None:
            self.needs_snapshot = True
            return
        changed: dict[str, object]
        match record:
            case RunEnded():
                changed = {
                    "state": "ended",
                    "outcome": record.outcome,
                    "reason": record.reason,
                    "ended_at": record.time,
                    "duration_s": record.duration_s,
                    "counts": record.counts,
                }
            case RunPutOnHold():
                changed = {"state": "held", "reason": record.reason}
            case RunAborting():
                changed = {"state": "aborting", "reason": record.reason}
            case RunResumed():
                changed = {"state": "open", "reason": ""}
        self.runs[record.run] = structs.replace(run, **changed)

    def _forget_runs(self) -> None:
        """Forget the first runs of very many."""
        for number in list(self.runs)[: max(0, len(self.runs) - RUNS_MAX)]:
            if self.runs[number].state == "ended":
                del self.runs[number]

    def _transition(self, record: Transition) -> tuple[str, ...]:
        action = self.actions.get(record.path)
        if action is None:
            self.needs_snapshot = True
            return ()
        unreadable = record.cause is Cause.UNREADABLE and action.failed
        changed: dict[str, object] = {
            "last": record,
            "failed": unreadable or has_failed(record.state, record.status),
            "waits_for": action.waits_for if record.cause is None else "",
        }
        if record.state is not ActionState.DOING:
            changed |= {"progress": None, "progress_text": ""}
        if record.state is not ActionState.DONE or record.attempt != action.last.attempt:
            changed["event_trouble"] = ""
        if record.state is ActionState.DISPATCHED:
            self.last_line.pop(record.path, None)
            changed["waits_for"] = ""
        self.actions[record.path] = structs.replace(action, **changed)
        return (record.path,)

    def _reset(self, path: str, run: RunOpened) -> bool:
        """Let an action be pending again, unless it is never dispatched; return whether it is."""
        action = self.actions.get(path)
        if action is None or (action.never is not None and run.kind is not RunKind.SINGLE):
            return False
        pending = Transition(
            time=run.time,
            path=path,
            state=ActionState.NOT_DISPATCHED,
            run=run.run,
            attempt=action.last.attempt,
        )
        fresh: dict[str, object] = {"progress": None, "progress_text": "", "waits_for": ""}
        fresh["event_trouble"] = ""
        self.actions[path] = structs.replace(action, **(fresh | {"last": pending, "failed": False}))
        return True

    def _event(self, record: EventRaised) -> None:
        action = self.actions.get(record.path)
        if action is None or action.last.attempt != record.attempt:
            return
        if record.trouble and action.last.state is ActionState.DONE:
            update = {"event_trouble": record.trouble}
            self.actions[record.path] = structs.replace(action, **update)

    def waits(self, path: str, text: str) -> None:
        """Note what a pending action waits for."""
        action = self.actions.get(path)
        if action is not None:
            self.actions[path] = structs.replace(action, waits_for=text)

    def progress(self, path: str, fraction: float, text: str) -> None:
        """Note how far an action is."""
        action = self.actions.get(path)
        if action is not None:
            update = {"progress": fraction, "progress_text": text}
            self.actions[path] = structs.replace(action, **update)


def _rank(shown: Colour) -> int:
    return ORDER.index(shown) if shown in ORDER else len(ORDER)
