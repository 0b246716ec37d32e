"""What each command does, and in which words it is refused (D9 to D17). Pure."""

from collections.abc import Callable, Sequence

from shotline.common import commands as c
from shotline.common.actions import ActionState, AttemptId, Cause
from shotline.common.messages import CommandServer, Outcome, ServerOrder
from shotline.common.records import (
    CheckReset,
    NodeRead,
    PulseCreated,
    RunKind,
    RunOutcome,
    ShotKey,
    TableBuilt,
)
from shotline.common.views import (
    CheckResult,
    LogsResult,
    ServersResult,
    ShotsResult,
)
from shotline.dispatcher.answers import Answers
from shotline.dispatcher.core import Core
from shotline.dispatcher.desk import Answer, Asked, Desk, Refused
from shotline.dispatcher.effects import (
    CreatePulseJob,
    Exit,
    ForgetShots,
    OutputRead,
    ReadNodeJob,
    ReadOutput,
    ReadShot,
    ReadTableJob,
    ShotRead,
    TreeDone,
)
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.fleet import Server
from shotline.dispatcher.problems import find_problems
from shotline.dispatcher.shots import IN_PROGRESS, Run, Shot
from shotline.dispatcher.table import LookupFailed
from shotline.trees.options import DispatchOptions

Done = TreeDone | ShotRead | OutputRead
Continuation = Callable[[Done], Answer | None]


class Commands:
    """Carries out commands; what must wait for a tree or for Redis goes on in a continuation."""

    def __init__(
        self,
        core: Core,
        execution: Execution,
        answers: Answers,
        options_of: Callable[[str], DispatchOptions | None],
    ) -> None:
        self._core = core
        self._execution = execution
        self._answers = answers
        self._options_of = options_of
        self._continuations: dict[int, tuple[Asked, Continuation]] = {}
        self._building: dict[ShotKey, None] = {}
        self.desk = Desk(core, self.handle)
        self.broker = ""

    def handle(self, asked: Asked, command: c.AnyCommand) -> Answer | None:
        """Carry out a command. None: the answer follows. Raise Refused."""
        try:
            return self._handle(asked, command)
        except LookupFailed as error:
            raise Refused(str(error)) from None

    def _handle(self, asked: Asked, command: c.AnyCommand) -> Answer | None:
        match command:
            case c.CreatePulse():
                return self._create_pulse(asked, command)
            case c.BuildTables():
                return self._build_tables(asked, command)
            case c.DoPhase() | c.DoSequence():
                return self._do_run(asked, command)
            case c.DispatchAction():
                return self._dispatch(asked, command)
            case c.Abort():
                return self._abort(command)
            case c.AbortPending():
                return self._abort_pending(command)
            case c.Hold() | c.Resume():
                return self._hold_or_resume(command)
            case c.Wait():
                return self._wait(asked, command)
            case c.ServerAbort():
                return self._server_abort(command.server, command.path)
            case c.ServerStop() | c.ServerQuit() | c.ServerRestart():
                return self._server_command(command)
            case c.ClearUrl():
                raise Refused(f"no server of ours says that {command.url} is bound to a shot")
            case c.Quit():
                return self._quit()
            case _:
                return self._read(asked, command)

    # Which shot is meant (D16)

    def _key(self, command: c.OnShot) -> ShotKey:
        if command.tree is not None and command.shot is not None:
            if command.shot < 1:
                raise Refused(
                    f"shot {command.shot} is the model or the current shot, not a pulse: "
                    "name a shot number"
                )
            return ShotKey(command.tree, command.shot)
        loaded = [
            key for key in self._core.shots if command.tree is None or key.tree == command.tree
        ]
        current = self._core.current
        if len({key.tree for key in loaded}) > 1:
            listed = ", ".join(map(str, sorted(loaded)))
            raise Refused(f"several experiments are open ({listed}): name tree and shot")
        if current is not None and command.tree in (None, current.tree):
            return current
        if len(loaded) == 1:
            return loaded[0]
        if not loaded:
            raise Refused("no shot is known: create a pulse or name tree and shot")
        raise Refused(f"several shots are known ({', '.join(map(str, loaded))}): name one")

    def _shot(self, command: c.OnShot) -> Shot:
        key = self._key(command)
        shot = self._core.shots.get(key)
        if shot is None or shot.built is None:
            raise Refused(f"{key}: its tables are not built; `shotline build-tables {_words(key)}`")
        return shot

    def _shot_with_run(self, command: c.OnShot) -> tuple[Shot, Run]:
        found = list(self._core.open_runs())
        if command.tree is not None:
            found = [pair for pair in found if pair[0].key.tree == command.tree]
        if command.shot is not None:
            found = [pair for pair in found if pair[0].key.shot == command.shot]
        if not found:
            raise Refused("no run is open" + (f" in {command.tree}" if command.tree else ""))
        if len(found) > 1:
            listed = ", ".join(str(shot.key) for shot, _ in found)
            raise Refused(f"runs of several shots are open ({listed}): name tree and shot")
        return found[0]

    def _known_tree(self, tree: str) -> None:
        known = self._core.settings.experiments
        if tree not in known:
            listed = ", ".join(sorted(known)) or "none is configured"
            raise Refused(f"unknown experiment {tree}; known: {listed}")

    # Trees

    def _later(self, asked: Asked, go_on: Continuation) -> int:
        job = self._core.next_job()
        self._continuations[job] = (asked, go_on)
        return job

    def done(self, job: int, done: Done) -> None:
        """Go on with the command that waits for this; one that nobody waits for is dropped."""
        found = self._continuations.pop(job, None)
        if found is None:
            return
        asked, go_on = found
        try:
            answer = go_on(done)
        except (Refused, LookupFailed) as refused:
            answer = Answer(Outcome.REFUSED, str(refused))
        if answer is not None:
            self.desk.answer(asked, answer)

    def _create_pulse(self, asked: Asked, command: c.CreatePulse) -> Answer | None:
        self._known_tree(command.tree)
        key = ShotKey(command.tree, command.shot)
        if command.shot < 1:
            raise Refused(f"shot {command.shot} cannot be created: pulses begin with 1")
        shot = self._core.shots.get(key)
        if shot is not None and shot.open_run is not None:
            raise Refused(f"{key}: run {shot.open_run.number} is open; abort it first")

        def created(done: Done) -> Answer:
            assert isinstance(done, TreeDone)
            if done.exists:
                raise Refused(f"{key} exists already; --replace makes it again")
            if done.error:
                return Answer(Outcome.FAILED, f"{key} was not created: {done.error}")
            self._core.current = key
            known = self._core.shots.setdefault(key, Shot(key))
            self._core.put(known, PulseCreated(time=self._core.wall, replaced=command.replace))
            self._core.stored[key] = self._core.wall
            return Answer(Outcome.OK, f"{key} was created", notices=done.warnings)

        self._core.after(CreatePulseJob(self._later(asked, created), key, command.replace))
        return None

    def _build_tables(self, asked: Asked, command: c.BuildTables) -> Answer | None:
        key = self._key_to_build(command)
        self._known_tree(key.tree)
        shot = self._core.shots.get(key)
        if shot is not None and shot.open_run is not None:
            raise Refused(
                f"{key}: run {shot.open_run.number} is open; tables are built between runs"
            )
        if key in self._building:
            raise Refused(f"{key}: its tables are being built already")
        self._building[key] = None

        def read(done: Done) -> Answer | None:
            assert isinstance(done, TreeDone)
            self._building.pop(key, None)
            if done.error:
                return Answer(Outcome.FAILED, f"{key}: its tables were not built: {done.error}")
            if key not in self._core.shots and key in self._core.stored:
                return self._load_then(
                    asked, key, lambda: self._built(key, done, reset=command.reset)
                )
            return self._built(key, done, reset=command.reset)

        self._core.after(ReadTableJob(self._later(asked, read), key))
        return None

    def _key_to_build(self, command: c.BuildTables) -> ShotKey:
        if command.tree is None and command.shot is None:
            current = self._core.current
            if current is None:
                raise Refused("there is no current pulse: create one, or name tree and shot")
            others = {key.tree for key in self._core.shots} - {current.tree}
            if others:
                raise Refused(
                    f"several experiments are open ({', '.join(sorted(others | {current.tree}))}): "
                    "name tree and shot"
                )
            return current
        return self._key(command)

    def _built(self, key: ShotKey, done: TreeDone, *, reset: bool) -> Answer:
        core = self._core
        shot = core.shots.setdefault(key, Shot(key))
        before = dict(shot.actions)
        core.put(
            shot,
            TableBuilt(
                time=core.wall,
                actions=done.nodes,
                phases=done.phases,
                options=self._options_of(key.tree) or done.options or DispatchOptions(),
                reset=reset,
            ),
        )
        for path, live in shot.actions.items():
            if before.get(path) != live:
                core.put(shot, live)
        core.stored[key] = core.wall
        core.newest[key.tree] = key.shot
        self._unload()
        problems = find_problems(shot.table)
        return Answer(
            Outcome.OK,
            f"{key}: {len(shot.actions)} actions in {len(shot.table.phases)} phases",
            self._answers.actions(shot, None),
            (*done.warnings, *(f"{p.severity}: {p.path} {p.text}" for p in problems))[:50],
        )

    def _unload(self) -> None:
        """Forget closed shots in memory, and old ones in Redis (retention)."""
        core = self._core
        closed = [key for key in core.shots if not core.is_open(key) and key != core.current]
        closed.sort(key=lambda key: core.stored.get(key, 0.0))
        for key in closed[: max(len(core.shots) - core.settings.shots_loaded_max, 0)]:
            core.feed.forget(key, core.shots.pop(key).actions)
        for tree in {key.tree for key in core.stored}:
            mine = sorted(
                (key for key in core.stored if key.tree == tree), key=lambda key: core.stored[key]
            )
            old = [
                key
                for key in mine[: max(len(mine) - core.settings.keep_shots, 0)]
                if not core.is_open(key) and key != core.current
            ]
            if old:
                for key in old:
                    del core.stored[key]
                    core.shots.pop(key, None)
                core.after(ForgetShots(tuple(old)))

    def _load_then(
        self, asked: Asked, key: ShotKey, go_on: Callable[[], Answer | None]
    ) -> Answer | None:
        """Load a stored shot, then go on."""

        def loaded(done: Done) -> Answer | None:
            assert isinstance(done, ShotRead)
            if done.error:
                raise Refused(f"{key} cannot be read now: {done.error}")
            shot = Shot(key)
            for record in done.records:
                shot.apply(record)  # type: ignore[arg-type]
            self._core.shots.setdefault(key, shot)
            return go_on()

        self._core.after(ReadShot(self._later(asked, loaded), key))
        return None

    # Runs

    def _do_run(self, asked: Asked, command: c.DoPhase | c.DoSequence) -> Answer | None:
        for known in self._core.shots.values():  # a repeat of a command from before a restart
            for run in known.runs.values():
                if run.opened.command == asked.id:
                    return self._await(asked, known, run, wait=command.wait)
        key = self._key(command)
        if key not in self._core.shots and key in self._core.stored:
            return self._load_then(asked, key, lambda: self._begin(asked, command))
        return self._begin(asked, command)

    def _begin(self, asked: Asked, command: c.DoPhase | c.DoSequence) -> Answer | None:
        shot = self._shot(command)
        if shot.key in self._building:
            raise Refused(f"{shot.key}: its tables are being built; try again")
        if shot.open_run is not None:
            raise Refused(
                f"{shot.key}: run {shot.open_run.number} ({shot.open_run.opened.phase}) is open; "
                "one run at a time per shot"
            )
        phase = shot.table.find_phase(command.phase)
        first = last = None
        if isinstance(command, c.DoSequence):
            first, last = command.first, command.last
            if first > last:
                raise Refused(f"the range {first} to {last} is empty: FIRST must not exceed LAST")
            paths: Sequence[str] = shot.table.paths_of_range(phase, first, last)
        else:
            paths = shot.table.paths_of_phase(phase)
        if not command.even_if_running:
            self._refuse_unknown_outcomes(shot, paths)
        run = self._execution.open_run(
            shot,
            RunKind.PHASE if first is None else RunKind.SEQUENCE,
            phase,
            paths,
            command=asked.id,
            first=first,
            last=last,
        )
        self._core.stored[shot.key] = self._core.wall
        notice = () if paths else (f"phase {phase} has no actions",)
        return self._await(asked, shot, run, wait=command.wait, notices=notice)

    def _refuse_unknown_outcomes(self, shot: Shot, paths: Sequence[str]) -> None:
        unknown = [path for path in paths if shot.actions[path].outcome_unknown]
        if unknown:
            raise Refused(
                "these may still be running: "
                + ", ".join(unknown)
                + "; look at the machines, then give --even-if-running"
            )

    def _await(
        self,
        asked: Asked,
        shot: Shot,
        run: Run,
        *,
        wait: bool,
        notices: tuple[str, ...] = (),
    ) -> Answer | None:
        if not run.is_open:
            return self.run_answer(shot, run, notices)
        name = f"{shot.key} run {run.number} ({run.opened.phase})"
        if run.held is not None and wait:
            return self.run_answer(shot, run, notices)
        begun = Answer(
            Outcome.ACCEPTED if wait else Outcome.OK,
            f"{name} has begun: {len(run.paths)} actions",
            self._answers.report(shot, run),
            notices,
        )
        if not wait:
            return begun
        self.desk.accept(asked, begun)
        self.desk.wait_for(asked, shot, run)
        return None

    def run_answer(self, shot: Shot, run: Run, notices: tuple[str, ...] = ()) -> Answer:
        """Return the final answer about a run that has ended or is HELD."""
        report = self._answers.report(shot, run)
        name = f"{shot.key} run {run.number} ({run.opened.phase})"
        if run.ended is None:
            text = f"{name} is HELD: {run.held}; `shotline resume` or `shotline abort`"
            return Answer(Outcome.FAILED, text, report, notices)
        failed = [view.name for view in report.actions if view.failed]
        if run.ended.outcome is RunOutcome.ABORTED:
            text = f"{name} was aborted: {run.ended.reason}"
            return Answer(Outcome.FAILED, text, report, notices)
        if failed:
            text = f"{name} is over; {len(failed)} failed: {', '.join(failed[:20])}"
            return Answer(Outcome.FAILED, text, report, notices)
        return Answer(Outcome.OK, f"{name} is over; nothing failed", report, notices)

    def run_ended(self, shot: Shot, run: Run) -> None:
        """Answer those who wait for a run that has ended or is held."""
        self.desk.tell_waiting(shot, run, self.run_answer(shot, run))

    def _wait(self, asked: Asked, command: c.Wait) -> Answer | None:
        if command.run is not None:
            shot = self._shot(command)
            run = shot.runs.get(command.run)
            if run is None:
                raise Refused(f"{shot.key} has no run {command.run}")
        else:
            shot, run = self._shot_with_run(command)
        return self._await(asked, shot, run, wait=True)

    def _dispatch(self, asked: Asked, command: c.DispatchAction) -> Answer | None:
        key = self._key(command)
        if key not in self._core.shots and key in self._core.stored:
            return self._load_then(asked, key, lambda: self._dispatch_loaded(asked, command))
        return self._dispatch_loaded(asked, command)

    def _dispatch_loaded(self, asked: Asked, command: c.DispatchAction) -> Answer | None:
        shot = self._shot(command)
        path = shot.table.find(command.path)
        self._refuse_dispatch(shot, path, command)

        def read(done: Done) -> Answer | None:
            assert isinstance(done, TreeDone)
            if done.error or not done.nodes:
                return Answer(
                    Outcome.FAILED, f"{path} was not dispatched: it cannot be read: {done.error}"
                )
            self._refuse_dispatch(shot, path, command)
            self._core.put(shot, NodeRead(time=self._core.wall, node=done.nodes[0]))
            cause, reason = shot.table.initial(path, even_if_off=command.even_if_off)
            if cause is Cause.OFF:
                raise Refused(f"{path} is off ({reason}); --even-if-off dispatches it all the same")
            if cause is not None:
                raise Refused(f"{path} is never dispatched: {reason}")
            run = self._execution.redispatch(shot, path, asked.id)
            return self._await(asked, shot, run, wait=command.wait)

        self._core.after(ReadNodeJob(self._later(asked, read), shot.key, path))
        return None

    @staticmethod
    def _refuse_dispatch(shot: Shot, path: str, command: c.DispatchAction) -> None:
        live, run = shot.actions[path], shot.open_run
        if live.state in IN_PROGRESS:
            raise Refused(f"{path} is {live.state} on {live.server}; abort it first")
        if run is not None and path in run.busy:
            raise Refused(f"{path} is ready already and waits for its server")
        if run is not None and run.aborting:
            raise Refused(f"{shot.key}: run {run.number} is being aborted")
        if live.outcome_unknown and not command.even_if_running:
            raise Refused(
                f"{path} may still be running ({live.reason}); look at {live.server}, "
                "then give --even-if-running"
            )

    # Aborting, holding

    def _abort(self, command: c.Abort) -> Answer:
        if command.server is not None:
            return self._server_abort(command.server, command.path)
        if command.path is not None:
            return self._abort_action(command, command.path)
        if command.tree is None and command.shot is None:
            found = list(self._core.open_runs())
            if not found:
                return Answer(Outcome.OK, "no run is open; nothing was changed")
        else:
            found = [self._shot_with_run(command)]
        for shot, run in found:
            self._execution.abort_run(shot, run, "aborted by an operator")
        listed = ", ".join(f"{shot.key} run {run.number}" for shot, run in found)
        return Answer(Outcome.OK, f"aborting {listed}")

    def _abort_action(self, command: c.Abort, text: str) -> Answer:
        shot = self._shot(command)
        path = shot.table.find(text)
        live, run = shot.actions[path], shot.open_run
        why = "aborted by an operator"
        if live.state in IN_PROGRESS:
            self._execution.abort_sent(shot, path, why)
            return Answer(Outcome.OK, f"aborting {path} on {live.server}")
        if live.cause is not None:
            raise Refused(
                f"{path} has ended already: {live.state} {live.status or ''} {live.reason}"
            )
        if run is None or path not in run.paths:
            raise Refused(f"{path} is not part of an open run")
        self._execution.remove(shot, path, why)
        return Answer(Outcome.OK, f"{path} was removed before it was sent")

    def _abort_pending(self, command: c.AbortPending) -> Answer:
        shot, run = self._shot_with_run(command)
        removed = self._execution.abort_pending(shot, run, "pending actions aborted by an operator")
        return Answer(
            Outcome.OK, f"{shot.key}: {len(removed)} actions removed before they were sent"
        )

    def _hold_or_resume(self, command: c.Hold | c.Resume) -> Answer:
        shot, run = self._shot_with_run(command)
        name = f"{shot.key} run {run.number}"
        if isinstance(command, c.Hold):
            if run.held is not None:
                raise Refused(f"{name} is HELD already: {run.held}")
            if run.aborting:
                raise Refused(f"{name} is being aborted")
            self._execution.hold(shot, run, "held by an operator")
            return Answer(Outcome.OK, f"{name} is HELD; what runs goes on")
        if run.held is None:
            raise Refused(f"{name} is not HELD")
        self._execution.resume(shot, run)
        return Answer(Outcome.OK, f"{name} goes on")

    def _servers(self, name: str) -> list[Server]:
        found = self._core.fleet.matching(name)
        if not found:
            known = ", ".join(sorted(self._core.fleet.servers)) or "none"
            raise Refused(f"no live server {name}; known: {known}")
        return found

    def _server_abort(self, name: str, text: str | None) -> Answer:
        aborted = []
        for shot, attempt in self._attempts_of(self._servers(name)):
            if text is None or attempt.path == shot.table.find(text):
                self._execution.abort_sent(shot, attempt.path, f"aborted by server_abort {name}")
                aborted.append(attempt.path)
        if not aborted:
            return Answer(Outcome.OK, f"{name} runs nothing of that; nothing was changed")
        return Answer(Outcome.OK, f"aborting {', '.join(aborted)}")

    def _attempts_of(self, servers: list[Server]) -> list[tuple[Shot, AttemptId]]:
        found = []
        for server in servers:
            for attempt in server.attempts:
                shot = self._core.shots.get(ShotKey(attempt.tree, attempt.shot))
                live = shot.actions.get(attempt.path) if shot is not None else None
                if shot is not None and live is not None and live.state in IN_PROGRESS:
                    found.append((shot, attempt))
        return found

    def _server_command(self, command: c.ServerStop | c.ServerQuit | c.ServerRestart) -> Answer:
        servers = self._servers(command.server)
        names = ", ".join(server.name for server in servers)
        running = [attempt.path for _, attempt in self._attempts_of(servers)]
        notices: tuple[str, ...] = (f"it runs: {', '.join(running)}",) if running else ()
        if isinstance(command, c.ServerStop):
            for server in servers:
                server.stopping = True
                self._core.server_changed(server)
                self._core.fleet.note_absence(server.register.server_class, self._core.now)
            return Answer(Outcome.OK, f"{names} ends when its work is done", notices=notices)
        restart = isinstance(command, c.ServerRestart)
        verb = "restarts" if restart else "ends"
        for server in servers:
            if restart and self._core.fleet.alone(server):
                notices += self._drop_queue(server)
            self._order(server, ServerOrder.RESTART if restart else ServerOrder.QUIT)
        return Answer(Outcome.OK, f"{names} {verb}; what it runs is aborted", notices=notices)

    def _drop_queue(self, server: Server) -> tuple[str, ...]:
        """Remove what is pending for the class of a server that is alone (D17)."""
        name = server.register.server_class
        removed = []
        for shot, run in self._core.open_runs():
            for path in list(run.paths):
                live = shot.actions[path]
                pending = live.cause is None and live.state is ActionState.NOT_DISPATCHED
                if pending and shot.table.node(path).server_class == name:
                    self._execution.remove(shot, path, f"{server.name} was restarted")
                    removed.append(path)
        return (f"removed, as it is alone: {', '.join(removed)}",) if removed else ()

    def _order(self, server: Server, order: ServerOrder) -> None:
        server.leaving = True
        self._core.fleet.note_absence(server.register.server_class, self._core.now)
        self._core.server_changed(server)
        self._core.send(
            server.identity,
            CommandServer(
                term=self._core.term, order=order, reason=f"server_{order} was asked for"
            ),
        )

    def let_stopped_servers_go(self) -> None:
        """End servers that were stopped and have no work left (D17)."""
        for server in self._core.fleet.servers.values():
            if not server.stopping or server.leaving or server.is_lost or server.attempts:
                continue
            if not self._core.fleet.alone(server) or not self._has_work(server):
                self._order(server, ServerOrder.QUIT)

    def _has_work(self, server: Server) -> bool:
        name = server.register.server_class
        return any(
            shot.actions[path].cause is None and shot.table.node(path).server_class == name
            for shot, run in self._core.open_runs()
            for path in run.paths
        )

    def _quit(self) -> Answer:
        self._core.after(Exit(0, "asked to quit by a command"))
        running = sum(len(server.attempts) for server in self._core.fleet.servers.values())
        return Answer(Outcome.OK, f"the dispatcher ends; {running} actions go on in their servers")

    # Reading

    def _read(self, asked: Asked, command: c.AnyCommand) -> Answer | None:
        answers = self._answers
        match command:
            case c.Status():
                return Answer(Outcome.OK, "", answers.status(self.broker))
            case c.Servers():
                return Answer(Outcome.OK, "", ServersResult(servers=answers.servers()))
            case c.PrintPending():
                return Answer(Outcome.OK, "", answers.pending())
            case c.Shots():
                return Answer(Outcome.OK, "", self._shots(command.tree))
            case c.Snapshot():
                result = answers.snapshot(command.channel)
                if result is None:
                    raise Refused(f"nothing is known of channel {command.channel}")
                return Answer(Outcome.OK, "", result)
            case c.Actions() | c.Show() | c.Logs() | c.Check():
                return self._on_loaded(asked, command)
        raise Refused(f"{command.verb} is not carried out here")

    def _on_loaded(
        self, asked: Asked, command: c.Actions | c.Show | c.Logs | c.Check
    ) -> Answer | None:
        key = self._key(command)
        if key not in self._core.shots and key in self._core.stored:
            return self._load_then(asked, key, lambda: self._of_shot(asked, command))
        return self._of_shot(asked, command)

    def _of_shot(
        self, asked: Asked, command: c.Actions | c.Show | c.Logs | c.Check
    ) -> Answer | None:
        shot = self._shot(command)
        match command:
            case c.Actions():
                phase = command.phase and shot.table.find_phase(command.phase)
                return Answer(Outcome.OK, "", self._answers.actions(shot, phase))
            case c.Check():
                return self._check(shot, reset=command.reset)
            case c.Show():
                path = shot.table.find(command.path)

                def told(done: Done) -> Answer:
                    assert isinstance(done, ShotRead)
                    notice = (f"the stored part is missing: {done.error}",) if done.error else ()
                    story = self._answers.story(shot, path, done.records)
                    return Answer(Outcome.OK, "", story, notice)

                self._core.after(ReadShot(self._later(asked, told), shot.key))
                return None
            case c.Logs():
                return self._logs(asked, shot, command)

    def _check(self, shot: Shot, *, reset: bool) -> Answer:
        failures = tuple(
            self._answers.action(shot, path)
            for path in shot.essential_failures
            if path in shot.actions
        )
        if reset:
            self._core.put(shot, CheckReset(time=self._core.wall))
        if not failures:
            return Answer(
                Outcome.OK, f"{shot.key}: no essential action has failed", CheckResult(failures=())
            )
        names = ", ".join(view.name for view in failures)
        return Answer(
            Outcome.FAILED,
            f"{shot.key}: essential actions have failed: {names}",
            CheckResult(failures=failures),
        )

    def _logs(self, asked: Asked, shot: Shot, command: c.Logs) -> Answer | None:
        path = shot.table.find(command.path)

        def read(done: Done) -> Answer:
            assert isinstance(done, OutputRead)
            if done.error:
                raise Refused(f"the output of {path} cannot be read now: {done.error}")
            return Answer(
                Outcome.OK,
                "",
                LogsResult(
                    path=path,
                    attempt=done.attempt,
                    attempts=done.attempts,
                    lines=done.lines,
                    more=done.more,
                ),
            )

        attempt = command.attempt or shot.attempts.get(path, 0)
        self._core.after(
            ReadOutput(
                self._later(asked, read), shot.key, path, attempt, command.since, command.limit
            )
        )
        return None

    def _shots(self, tree: str | None) -> ShotsResult:
        core = self._core
        keys = sorted(
            (key for key in {*core.stored, *core.shots} if tree in (None, key.tree)),
            key=lambda key: (key.tree, -key.shot),
        )
        return ShotsResult(
            shots=tuple(
                self._answers.shot(core.shots[key])
                if key in core.shots
                else self._answers.stored(key)
                for key in keys
            )
        )


def _words(key: ShotKey) -> str:
    return f"{key.tree} {key.shot}"
