"""The dispatcher behind `FakeShotline`: it answers commands at once, from what a test has told.

What a test says and sees is `fake`'s; here is what the commands do. Not a model of the real
dispatcher: no conditions, no servers, no time.
"""

from collections.abc import Mapping, Sequence

from shotline.client.errors import Refused
from shotline.client.fake_feed import FakeFeed
from shotline.client.fake_shot import FakeAction, FakeShot, ToldOutcome
from shotline.client.feed import channel_of_shot
from shotline.common import commands as c
from shotline.common import views as v
from shotline.common.actions import (
    ActionState,
    Cause,
    has_failed,
)
from shotline.common.commands import AnyCommand
from shotline.common.dangers import Danger, NamedDanger, words_of
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


class FakeDispatcher:
    """Answers commands; `told` says how actions end, `hold` and `abort` what the next run does."""

    def __init__(self, experiments: Mapping[str, Sequence[FakeAction]]) -> None:
        self.told: dict[str, ToldOutcome] = {}
        self.hold = ""
        self.abort = ""
        self.feed = FakeFeed()
        self._experiments = {tree.upper(): tuple(found) for tree, found in experiments.items()}
        self._shots: dict[tuple[str, int], FakeShot] = {}
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
        if key in self._shots and not command.insists(Danger.PULSE_EXISTS):
            raise _dangerous(Danger.PULSE_EXISTS, f"{command.tree}/{command.shot} exists already")
        self._shots[key] = FakeShot(*key)
        self._current = key
        return _done(f"{command.tree}/{command.shot} was created")

    def _build_tables(self, command: c.BuildTables) -> Reply:
        shot = self._shot(command, built=False)
        shot.refuse_open()
        shot.build(self._experiments[shot.tree], reset=command.reset)
        built = self._actions(shot, None)
        if not command.list_actions:
            built = built.model_copy(update={"actions": ()})
        return _done(f"{shot.name}: {len(shot.actions)} actions", built)

    def _begin(self, command: c.DoPhase | c.DoSequence | c.DispatchAction) -> Reply:
        shot = self._shot(command)
        shot.refuse_open()
        if isinstance(command, c.DispatchAction):
            action = shot.find(command.path)
            if not action.on and not command.insists(Danger.OFF):
                raise _dangerous(Danger.OFF, f"{action.path} is off")
            paths: tuple[str, ...] = (action.path,)
            kind, phase, first, last = RunKind.SINGLE, action.phase, None, None
        else:
            kind, phase, first, last = RunKind.PHASE, command.phase, None, None
            shot.check_phase(phase)
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
            shot.change_run(number, self.feed.now(), state="held", reason=reason)
            self._publish(shot, RunHeld(time=0.0, run=number, reason=reason))
        else:
            self._carry_out(shot, number, forced=kind is RunKind.SINGLE)
        return self._report(shot, number, final=command.wait)

    def _carry_out(self, shot: FakeShot, number: int, *, forced: bool) -> None:
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
        ended = shot.change_run(
            number, self.feed.now(), state="ended", outcome=outcome, reason=reason
        )
        self._publish(
            shot,
            RunEnded(time=0.0, run=number, outcome=outcome, counts=ended.counts, duration_s=0.0),
        )

    def _run(self, shot: FakeShot, path: str, number: int) -> None:
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

    def _settle(self, shot: FakeShot, path: str, number: int, told: ToldOutcome) -> None:
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
            raise Refused(
                f"{shot.name} has no run {command.run}" if command.run else "no run is open"
            )
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
                raise Refused(f"{shot.name} run {run.run} is HELD already")
            if not isinstance(command, c.Resume):
                self.abort = "aborted by an operator"
            self._carry_out(shot, run.run, forced=run.kind is RunKind.SINGLE)
        return _done(f"{command.verb}: done")

    def _read(self, command: AnyCommand) -> v.AnyResult:
        match command:
            case c.Actions():
                shot = self._shot(command)
                if command.phase is not None:
                    shot.check_phase(command.phase)
                return self._actions(shot, command.phase)
            case c.PrintPending():
                return v.ActionsResult(shots=(), actions=())
            case c.Show():
                shot = self._shot(command)
                action = shot.find(command.path)
                return v.StoryResult(
                    action=action, records=tuple(shot.stories.get(action.path, ()))
                )
            case c.Logs():
                return self._shot(command).logs(command)
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

    # Small questions

    def _shot(self, command: c.OnShot, *, built: bool = True) -> FakeShot:
        key = self._current
        if command.tree is not None and command.shot is not None:
            key = (command.tree, command.shot)
        if key is None:
            raise Refused("there is no current pulse: create one, or name tree and shot")
        shot = self._shots.get(key)
        if shot is None or (built and not shot.built):
            raise Refused(f"{key[0]}/{key[1]}: its tables are not built")
        return shot

    # Views and events

    def _actions(self, shot: FakeShot, phase: str | None) -> v.ActionsResult:
        found = tuple(
            action for action in shot.actions.values() if phase is None or action.phase == phase
        )
        return v.ActionsResult(shots=(self._shot_view(shot),), actions=found)

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

    def _shot_view(self, shot: FakeShot) -> v.ShotView:
        return shot.view(current=self._current == (shot.tree, shot.shot))

    def _report(self, shot: FakeShot, number: int, *, final: bool) -> Reply:
        words, report, good = shot.report(number)
        return _done(words, report, Outcome.FAILED if final and not good else Outcome.OK)

    def _transition(self, shot: FakeShot, new: Transition) -> None:
        shot.change(new)
        self._publish(shot, new)

    def _publish(self, shot: FakeShot, record: Record) -> None:
        self.feed.record(shot.tree, shot.shot, record)


def _dangerous(danger: Danger, text: str) -> Refused:
    named = NamedDanger(danger=danger, text=text)
    return Refused(words_of((named,)), dangers=(named,))


def _done(message: str, result: v.AnyResult | None = None, outcome: Outcome = Outcome.OK) -> Reply:
    if isinstance(result, v.CheckResult) and result.failures:
        outcome = Outcome.FAILED
    return Reply(
        id="",
        outcome=outcome,
        message=message,
        result=b"" if result is None else v.encode_result(result),
    )
