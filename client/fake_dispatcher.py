"""The dispatcher behind `FakeShotline`: it answers commands at once, from what a test has told.

What a test says and sees is `fake`'s; here is what the commands do. Not a model of the real
dispatcher: no conditions, no servers, no time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shotline.client.errors import Refused
from shotline.client.fake_feed import FakeFeed
from shotline.client.feed import channel_of_shot
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
from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome, Reply
from shotline.common.records import (
    Counts,
    Record,
    RunEnded,
    RunHeld,
    RunKind,
    RunOpened,
    RunOutcome,
    Transition,
)


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
class _Shot:
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
    def open_run(self) -> v.RunView | None:
        """The run that has not ended, HELD ones included."""
        return next((run for run in self.runs if run.state != "ended"), None)


class FakeDispatcher:
    """Answers commands; `told` says how actions end, `hold` and `abort` what the next run does."""

    def __init__(self, experiments: Mapping[str, Sequence[FakeAction]]) -> None:
        self.told: dict[str, ToldOutcome] = {}
        self.hold = ""
        self.abort = ""
        self.feed = FakeFeed()
        self._experiments = {tree.upper(): tuple(found) for tree, found in experiments.items()}
        self._shots: dict[tuple[str, int], _Shot] = {}
        self._current: tuple[str, int] | None = None

    def answer(self, command: AnyCommand) -> Reply:
        """Carry out a command. Raise Refused."""
        match command:
            case c.CreatePulse():
                return self._create_pulse(command)
            case c.BuildTables():
                return self._build_tables(command)
            case c.DoPhase() | c.DoSequence() | c.DispatchAction():
                return self._begin(command)
            case c.Wait():
                return self._wait(command)
            case c.Abort() | c.AbortPending() | c.Hold() | c.Resume():
                return self._control(command)
            case c.ServerRestart() | c.ServerStop() | c.ServerQuit() | c.ServerAbort():
                raise Refused(f"no live server {command.server}; known: none")
            case c.ClearUrl() | c.Quit():
                return _done(f"{command.verb}: done")
            case _:
                return _done("", self._read(command))

    def _create_pulse(self, command: c.CreatePulse) -> Reply:
        if command.tree not in self._experiments:
            known = ", ".join(sorted(self._experiments)) or "none"
            raise Refused(f"unknown experiment {command.tree}; known: {known}")
        key = (command.tree, command.shot)
        if command.shot < 1:
            raise Refused(f"shot {command.shot} cannot be created: pulses begin with 1")
        if key in self._shots and not command.replace:
            raise Refused(f"{command.tree}/{command.shot} exists already; --replace makes it again")
        self._shots[key] = _Shot(*key)
        self._current = key
        return _done(f"{command.tree}/{command.shot} was created")

    def _build_tables(self, command: c.BuildTables) -> Reply:
        shot = self._shot(command, built=False)
        self._refuse_open(shot)
        known = shot.actions
        shot.actions = {}
        for declared in self._experiments[shot.tree]:
            action = _view(declared)
            before = known.get(action.path)
            keep = before is not None and not command.reset
            shot.actions[action.path] = before if keep and before is not None else action
        shot.built = True
        return _done(
            f"{shot.tree}/{shot.shot}: {len(shot.actions)} actions", self._actions(shot, None)
        )

    def _begin(self, command: c.DoPhase | c.DoSequence | c.DispatchAction) -> Reply:
        shot = self._shot(command)
        self._refuse_open(shot)
        if isinstance(command, c.DispatchAction):
            action = self._find(shot, command.path)
            if not action.on and not command.even_if_off:
                raise Refused(f"{action.path} is off; --even-if-off dispatches it all the same")
            paths: tuple[str, ...] = (action.path,)
            kind, phase, first, last = RunKind.SINGLE, action.phase, None, None
        else:
            kind, phase, first, last = RunKind.PHASE, command.phase, None, None
            self._check_phase(shot, phase)
            if isinstance(command, c.DoSequence):
                kind, first, last = RunKind.SEQUENCE, command.first, command.last
                if command.first > command.last:
                    raise Refused(f"the range {first} to {last} is empty")
            paths = tuple(
                action.path
                for action in shot.actions.values()
                if action.phase == phase
                and (first is None or last is None or first <= (action.number or 0) <= last)
            )
        number = len(shot.runs) + 1
        shot.runs.append(
            v.RunView(
                tree=shot.tree,
                shot=shot.shot,
                run=number,
                kind=kind,
                phase=phase,
                first=first,
                last=last,
                state="open",
                opened_at=self.feed.now(),
                counts=Counts(),
            )
        )
        shot.run_paths.append(paths)
        self._publish(shot, RunOpened(time=0.0, run=number, kind=kind, phase=phase, paths=paths))
        if self.hold:
            reason, self.hold = self.hold, ""
            self._change_run(shot, number, state="held", reason=reason)
            self._publish(shot, RunHeld(time=0.0, run=number, reason=reason))
        else:
            self._carry_out(shot, number, forced=kind is RunKind.SINGLE)
        return self._report(shot, number, final=command.wait)

    def _carry_out(self, shot: _Shot, number: int, *, forced: bool) -> None:
        paths = sorted(shot.run_paths[number - 1], key=lambda path: shot.actions[path].number or 0)
        outcome, reason = RunOutcome.COMPLETED, ""
        if self.abort:
            outcome, reason, self.abort = RunOutcome.ABORTED, self.abort, ""
        for path in paths:
            if outcome is RunOutcome.ABORTED:
                unsent = ToldOutcome(
                    ActionState.NOT_DISPATCHED, None, Cause.ABORTED_BEFORE_SENT, reason
                )
                self._settle(shot, path, number, unsent)
            elif shot.actions[path].on or forced:
                self._run(shot, path, number)
        ended = self._change_run(shot, number, state="ended", outcome=outcome, reason=reason)
        self._publish(
            shot,
            RunEnded(time=0.0, run=number, outcome=outcome, counts=ended.counts, duration_s=0.0),
        )

    def _run(self, shot: _Shot, path: str, number: int) -> None:
        action = shot.actions[path]
        told = self.told.get(path) or self.told.get(action.name) or ToldOutcome()
        attempt = action.last.attempt
        if told.state is not ActionState.SERVER_OFF:
            attempt += 1
            for state in (ActionState.DISPATCHED, ActionState.DOING):
                self._transition(
                    shot,
                    Transition(
                        time=0.0,
                        path=path,
                        state=state,
                        run=number,
                        attempt=attempt,
                        server=f"{action.server_class}:1",
                    ),
                )
            shot.output[path, attempt] = told.lines
            self.feed.output(shot.tree, shot.shot, path, attempt, told.lines)
        self._settle(shot, path, number, told)

    def _settle(self, shot: _Shot, path: str, number: int, told: ToldOutcome) -> None:
        last = shot.actions[path].last
        ended = Transition(
            time=0.0,
            path=path,
            state=told.state,
            run=number,
            attempt=last.attempt,
            status=told.status,
            cause=told.cause,
            reason=told.reason,
            server=last.server,
            duration_s=0.0 if told.state is ActionState.DONE else None,
        )
        self._transition(shot, ended)
        if has_failed(ended.state, ended.status) and shot.actions[path].essential:
            shot.essential.append(path)

    def _wait(self, command: c.Wait) -> Reply:
        shot = self._shot(command)
        number = command.run or (shot.open_run.run if shot.open_run else 0)
        if not 1 <= number <= len(shot.runs):
            name = f"{shot.tree}/{shot.shot}"
            raise Refused(f"{name} has no run {command.run}" if command.run else "no run is open")
        return self._report(shot, number, final=True)

    def _control(self, command: c.Abort | c.AbortPending | c.Hold | c.Resume) -> Reply:
        shots = [
            shot
            for shot in self._shots.values()
            if shot.open_run is not None
            and (command.tree, command.shot) in ((None, None), (shot.tree, shot.shot))
        ]
        if not shots and isinstance(command, c.Abort) and command.tree is None:
            return _done("no run is open; nothing was changed")
        if not shots:
            raise Refused("no run is open")
        for shot in shots:
            run = shot.open_run
            assert run is not None
            if isinstance(command, c.Hold):
                raise Refused(f"{shot.tree}/{shot.shot} run {run.run} is HELD already")
            if not isinstance(command, c.Resume):
                self.abort = "aborted by an operator"
            self._carry_out(shot, run.run, forced=run.kind is RunKind.SINGLE)
        return _done(f"{command.verb}: done")

    def _read(self, command: AnyCommand) -> v.AnyResult:
        match command:
            case c.Actions():
                shot = self._shot(command)
                if command.phase is not None:
                    self._check_phase(shot, command.phase)
                return self._actions(shot, command.phase)
            case c.PrintPending():
                return v.ActionsResult(shots=(), actions=())
            case c.Show():
                shot = self._shot(command)
                action = self._find(shot, command.path)
                return v.StoryResult(
                    action=action, records=tuple(shot.stories.get(action.path, ()))
                )
            case c.Logs():
                return self._logs(command)
            case c.Check():
                shot = self._shot(command)
                failures = tuple(shot.actions[path] for path in shot.essential)
                if command.reset:
                    shot.essential.clear()
                return v.CheckResult(failures=failures)
            case c.Snapshot():
                return self.snapshot(command.channel)
            case c.Shots():
                wanted = (None, command.tree)
                found = [
                    s for s in self._shots.values() if command.tree is None or s.tree in wanted
                ]
                return v.ShotsResult(shots=tuple(self._shot_view(shot) for shot in found))
            case c.Servers():
                return v.ServersResult(servers=())
            case _:
                return v.StatusResult(
                    term=1,
                    dispatcher="fake",
                    started_at=0.0,
                    journal="ok",
                    current=self._current,
                    shots=tuple(self._shot_view(shot) for shot in self._shots.values()),
                )

    def _logs(self, command: c.Logs) -> v.LogsResult:
        shot = self._shot(command)
        path = self._find(shot, command.path).path
        attempts = tuple(number for known, number in shot.output if known == path)
        attempt = command.attempt or max(attempts, default=0)
        lines = tuple(
            v.OutputLine(number=number, at=0.0, stream=1, text=text)
            for number, text in enumerate(shot.output.get((path, attempt), ()))
        )[command.since :]
        return v.LogsResult(
            path=path,
            attempt=attempt,
            attempts=attempts,
            lines=lines[: command.limit],
            more=len(lines) > command.limit,
        )

    # Small questions

    def _shot(self, command: c.OnShot, *, built: bool = True) -> _Shot:
        key = self._current
        if command.tree is not None and command.shot is not None:
            key = (command.tree, command.shot)
        if key is None:
            raise Refused("there is no current pulse: create one, or name tree and shot")
        shot = self._shots.get(key)
        if shot is None or (built and not shot.built):
            raise Refused(f"{key[0]}/{key[1]}: its tables are not built")
        return shot

    def _find(self, shot: _Shot, path: str) -> v.ActionView:
        for action in shot.actions.values():
            if path.upper() in (action.path.upper(), action.name.upper()):
                return action
        raise Refused(f"{shot.tree}/{shot.shot} has no action {path}")

    def _check_phase(self, shot: _Shot, phase: str) -> None:
        known = dict.fromkeys(action.phase for action in shot.actions.values())
        if phase not in known:
            raise Refused(f"unknown phase {phase}; known: {', '.join(known)}")

    def _refuse_open(self, shot: _Shot) -> None:
        if shot.open_run is not None:
            raise Refused(f"{shot.tree}/{shot.shot}: run {shot.open_run.run} is open")

    # Views and events

    def _actions(self, shot: _Shot, phase: str | None) -> v.ActionsResult:
        found = tuple(
            action for action in shot.actions.values() if phase is None or action.phase == phase
        )
        return v.ActionsResult(shots=(self._shot_view(shot),), actions=found)

    def _shot_view(self, shot: _Shot) -> v.ShotView:
        return v.ShotView(
            tree=shot.tree,
            shot=shot.shot,
            built_at=0.0 if shot.built else None,
            phases=tuple(dict.fromkeys(action.phase for action in shot.actions.values())),
            actions=len(shot.actions),
            counts=_counts(shot.actions.values()),
            runs=tuple(shot.runs),
            essential_failures=tuple(shot.essential),
            current=self._current == (shot.tree, shot.shot),
        )

    def snapshot(self, channel: str) -> v.SnapshotResult:
        """Return a channel's state. Raise Refused for a shot that is not known."""
        for shot in self._shots.values():
            if channel == channel_of_shot(shot.tree, shot.shot):
                return self.feed.snapshot(
                    channel, shot=self._shot_view(shot), actions=tuple(shot.actions.values())
                )
        if channel.startswith("shot/"):
            raise Refused(f"nothing is known of channel {channel}")
        return self.feed.snapshot(channel)

    def _report(self, shot: _Shot, number: int, *, final: bool) -> Reply:
        run = shot.runs[number - 1]
        actions = tuple(shot.actions[path] for path in shot.run_paths[number - 1])
        report = v.RunReport(run=run, actions=actions)
        failed = [action.name for action in actions if action.failed]
        bad = failed or run.state != "ended" or run.outcome is not RunOutcome.COMPLETED
        words = f"{shot.tree}/{shot.shot} run {number} ({run.phase})"
        if run.state == "held":
            words += f" is HELD: {run.reason}"
        elif run.outcome is RunOutcome.ABORTED:
            words += f" was aborted: {run.reason}"
        else:
            words += (
                f" is over; {len(failed)} failed: {', '.join(failed)}" if failed else " is over"
            )
        return _done(words, report, Outcome.FAILED if final and bad else Outcome.OK)

    def _change_run(self, shot: _Shot, number: int, **update: object) -> v.RunView:
        paths = shot.run_paths[number - 1]
        update["counts"] = _counts(shot.actions[path] for path in paths)
        if update.get("state") == "ended":
            update |= {"ended_at": self.feed.now(), "duration_s": 0.0}
        changed = shot.runs[number - 1].model_copy(update=update)
        shot.runs[number - 1] = changed
        return changed

    def _transition(self, shot: _Shot, new: Transition) -> None:
        failed = has_failed(new.state, new.status)
        update = {"last": new, "failed": failed}
        shot.actions[new.path] = shot.actions[new.path].model_copy(update=update)
        shot.stories.setdefault(new.path, []).append(new)
        self._publish(shot, new)

    def _publish(self, shot: _Shot, record: Record) -> None:
        self.feed.record(shot.tree, shot.shot, record)


def _done(message: str, result: v.AnyResult | None = None, outcome: Outcome = Outcome.OK) -> Reply:
    if isinstance(result, v.CheckResult) and result.failures:
        outcome = Outcome.FAILED
    return Reply(
        id="",
        outcome=outcome,
        message=message,
        result=b"" if result is None else v.encode_result(result),
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
