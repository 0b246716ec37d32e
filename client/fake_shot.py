"""A shot of `FakeShotline`: its table, its runs, its output, and what is shown of them.

What the commands do to it is in `fake_dispatcher`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from shotline.client.errors import Refused
from shotline.common import commands as c
from shotline.common import views as v
from shotline.common.actions import (
    ActionState,
    Cause,
    Colour,
    Status,
    colour_of,
    has_failed,
)
from shotline.common.records import Counts, Record, RunOutcome, Transition


@dataclass(frozen=True)
class FakeAction:
    """One action of a fake experiment."""

    path: str
    phase: str
    server_class: str = "FAKE"
    number: int = 10
    on: bool = True
    essential: bool = False


@dataclass
class ToldOutcome:
    """How an action ends."""

    state: ActionState = ActionState.DONE
    status: Status | None = Status.SUCCESS
    cause: Cause = Cause.RESULT
    reason: str = ""
    lines: tuple[str, ...] = ()


@dataclass
class FakeShot:
    """One shot of the fake: its table, runs and output, and what is shown of them."""

    tree: str
    shot: int
    built: bool = False
    actions: dict[str, v.ActionView] = field(default_factory=dict)
    stories: dict[str, list[Record]] = field(default_factory=dict)
    output: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    runs: list[v.RunView] = field(default_factory=list)
    run_paths: list[tuple[str, ...]] = field(default_factory=list)
    essential: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The shot as people write it."""
        return f"{self.tree}/{self.shot}"

    @property
    def open_run(self) -> v.RunView | None:
        """The run that has not ended, HELD ones included."""
        return next((run for run in self.runs if run.state != "ended"), None)

    def build(self, declared: Iterable[FakeAction], *, reset: bool) -> None:
        """Read the table; actions that were there keep their state, unless it is reset."""
        known = {} if reset else self.actions
        found = map(_view, declared)
        self.actions = {action.path: known.get(action.path, action) for action in found}
        self.built = True

    def find(self, path: str) -> v.ActionView:
        """Return an action by path or name. Raise Refused."""
        for action in self.actions.values():
            if path.upper() in (action.path.upper(), action.name.upper()):
                return action
        raise Refused(f"{self.name} has no action {path}")

    def check_phase(self, phase: str) -> None:
        """Raise Refused for an unknown phase."""
        known = self.phases
        if phase not in known:
            raise Refused(f"unknown phase {phase}; known: {', '.join(known)}")

    def refuse_open(self) -> None:
        """Raise Refused while a run is open."""
        if self.open_run is not None:
            raise Refused(f"{self.name}: run {self.open_run.run} is open")

    def change_run(self, number: int, now: float, **update: object) -> v.RunView:
        """Change a run, and return it."""
        update["counts"] = _counts(self.actions[path] for path in self.run_paths[number - 1])
        if update.get("state") == "ended":
            update |= {"ended_at": now, "duration_s": 0.0}
        self.runs[number - 1] = changed = self.runs[number - 1].model_copy(update=update)
        return changed

    def change(self, new: Transition) -> None:
        """Take an action's change."""
        update = {"last": new, "failed": has_failed(new.state, new.status)}
        self.actions[new.path] = self.actions[new.path].model_copy(update=update)
        self.stories.setdefault(new.path, []).append(new)

    # What is shown

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases that there are, in the table's order."""
        return tuple(dict.fromkeys(action.phase for action in self.actions.values()))

    def view(self, *, current: bool) -> v.ShotView:
        """Return the shot in short."""
        return v.ShotView(
            tree=self.tree,
            shot=self.shot,
            built_at=0.0 if self.built else None,
            phases=self.phases,
            actions=len(self.actions),
            counts=_counts(self.actions.values()),
            runs=tuple(self.runs),
            essential_failures=tuple(self.essential),
            current=current,
        )

    def report(self, number: int) -> tuple[str, v.RunReport, bool]:
        """Return how a run went: in words, as a report, and whether it was good."""
        run = self.runs[number - 1]
        actions = tuple(self.actions[path] for path in self.run_paths[number - 1])
        failed = [action.name for action in actions if action.failed]
        good = not failed and run.state == "ended" and run.outcome is RunOutcome.COMPLETED
        words = f"{self.name} run {number} ({run.phase})"
        if run.state == "held":
            words += f" is HELD: {run.reason}"
        elif run.outcome is RunOutcome.ABORTED:
            words += f" was aborted: {run.reason}"
        else:
            words += (
                f" is over; {len(failed)} failed: {', '.join(failed)}" if failed else " is over"
            )
        return words, v.RunReport(run=run, actions=actions), good

    def logs(self, command: c.Logs) -> v.LogsResult:
        """Return an attempt's output. Raise Refused."""
        path = self.find(command.path).path
        attempts = tuple(number for known, number in self.output if known == path)
        attempt = command.attempt or max(attempts, default=0)
        lines = tuple(
            v.OutputLine(number=number, at=0.0, stream=1, text=text)
            for number, text in enumerate(self.output.get((path, attempt), ()))
        )[command.since :]
        return v.LogsResult(
            path=path,
            attempt=attempt,
            attempts=attempts,
            lines=lines[: command.limit],
            more=len(lines) > command.limit,
        )


def _view(declared: FakeAction) -> v.ActionView:
    off = None if declared.on else Cause.OFF
    return v.ActionView(
        path=declared.path,
        name=declared.path.rpartition("::")[2].removeprefix("TOP:"),
        server_class=declared.server_class,
        phase=declared.phase,
        when=str(declared.number),
        number=declared.number,
        on=declared.on,
        essential=declared.essential,
        never=off,
        last=Transition(time=0.0, path=declared.path, state=ActionState.NOT_DISPATCHED, cause=off),
    )


def _counts(actions: Iterable[v.ActionView]) -> Counts:
    counted = Counter(
        colour_of(action.last.state, action.last.status, action.last.cause) for action in actions
    )
    return Counts(
        pending=counted[Colour.BLUE],
        in_progress=counted[Colour.ORANGE],
        success=counted[Colour.GREEN],
        failed=counted[Colour.RED],
        server_off=counted[Colour.GREY],
        not_dispatched=counted[Colour.GREY_OUTLINED],
    )
