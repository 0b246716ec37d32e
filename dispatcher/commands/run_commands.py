"""The commands about runs: begin, wait, dispatch again, abort, hold, resume (D9 to D12). Pure."""

from collections.abc import Sequence

from msgspec import structs

from shotline.common import commands as c
from shotline.common.actions import IN_PROGRESS, ActionState, Cause
from shotline.common.dangers import Danger, NamedDanger
from shotline.common.messages import Outcome
from shotline.common.records import NodeRead, RunKind, RunOutcome, ShotKey
from shotline.common.views import RunReport
from shotline.dispatcher.commands import meant
from shotline.dispatcher.commands.answer import Answer, Asked, Refused, Unknown
from shotline.dispatcher.commands.dangers import refuse, refuse_run
from shotline.dispatcher.commands.requests import Done, Family, Requests
from shotline.dispatcher.commands.sources import Seen, Sources, dangers, known_marks, refuses
from shotline.dispatcher.core import INSIDE
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.shots import Run, Shot
from shotline.dispatcher.trees.jobs import ReadNodeJob, TreeDone


class RunCommands(Family):
    """Begins and ends runs on command, and answers those who wait for their end."""

    def __init__(self, requests: Requests, execution: Execution, sources: Sources) -> None:
        super().__init__(requests)
        self._sources = sources
        self._execution = execution

    def do_run(self, asked: Asked, command: c.DoPhase | c.DoSequence) -> Answer | None:
        """Carry out do_phase and do_sequence."""
        found = self._core.run_of_command(asked.id)
        if found is not None:  # a repeat of a command from before a restart
            return self._await(asked, *found, wait=command.wait)
        key = meant.key_of(self._core, command)
        # Whatever becomes the current pulse meanwhile, this one is meant.
        this = structs.replace(command, tree=key.tree, shot=key.shot)
        return self._requests.on_loaded(asked, key, lambda: self._look(asked, key, this))

    def _look(self, asked: Asked, key: ShotKey, command: c.DoPhase | c.DoSequence) -> Answer | None:
        """Look at the tables' sources, once nothing else stands in the way of a run."""

        def looked(seen: Seen) -> Answer | None:
            return self._requests.on_loaded(asked, key, lambda: self._begin(asked, command, seen))

        shot, *_ = self._asked_for(command)
        if refuses(shot):
            return self._sources.look(asked, shot, looked)
        return self._sources.look_meanwhile(asked, shot, self._begin(asked, command, Seen()))

    def _asked_for(
        self, command: c.DoPhase | c.DoSequence
    ) -> tuple[Shot, str, int | None, int | None, Sequence[str]]:
        """Return the shot, phase, range and actions of a run. Raise Refused where it may not be."""
        shot = meant.shot_of(self._core, command)
        if shot.key in self._core.building:
            raise Refused(f"{shot.key}: its tables are being built; try again")
        if shot.open_run is not None:
            raise Refused(_open_words(shot, shot.open_run))
        phase = shot.table.find_phase(command.phase)
        first = last = None
        if isinstance(command, c.DoSequence):
            first, last = command.first, command.last
            if first > last:
                raise Refused(f"the range {first} to {last} is empty: FIRST must not exceed LAST")
            paths: Sequence[str] = shot.table.paths_of_range(phase, first, last)
        else:
            paths = shot.table.paths_of_phase(phase)
        return shot, phase, first, last, paths

    def _begin(self, asked: Asked, command: c.DoPhase | c.DoSequence, seen: Seen) -> Answer | None:
        shot, phase, first, last, paths = self._asked_for(command)
        refuse_run(self._core, command, shot, paths, *dangers(shot, seen))
        run = self._execution.open_run(
            shot,
            RunKind.PHASE if first is None else RunKind.SEQUENCE,
            phase,
            paths,
            command=asked.id,
            who=asked.user,
            first=first,
            last=last,
        )
        self._core.used(shot.key)
        within = "" if first is None else f" within {first} to {last}"
        notice = () if paths else (f"phase {phase} has no actions{within}",)
        notices = (*seen.notices, *notice)
        return self._await(asked, shot, run, wait=command.wait, notices=notices)

    def _await(
        self,
        asked: Asked,
        shot: Shot,
        run: Run,
        *,
        wait: bool,
        notices: tuple[str, ...] = (),
    ) -> Answer | None:
        asked.about = shot.key
        if not run.is_open:
            return self.run_answer(shot, run, notices)
        name = f"{shot.key} run {run.number} ({run.opened.phase})"
        if run.held is not None and wait:
            return self.run_answer(shot, run, notices)
        text = f"{name} has begun: {len(run.paths)} actions"
        if not wait:
            report = None if asked.client == INSIDE else self._views.report(shot, run)
            return Answer(Outcome.OK, text, report, notices)
        # Who waits gets the actions at the end; meanwhile they come as events.
        self._requests.accept(
            asked,
            Answer(Outcome.ACCEPTED, text, notices=notices),
            lambda: RunReport(run=shot.run_view(run), actions=()),
        )
        self._requests.wait_for(asked, shot, run)
        return None

    def run_answer(self, shot: Shot, run: Run, notices: tuple[str, ...] = ()) -> Answer:
        """Return the final answer about a run that has ended or is HELD."""
        report = self._views.report(shot, run)
        name = f"{shot.key} run {run.number} ({run.opened.phase})"
        if run.ended is None:
            text = f"{name} is HELD: {run.held}; {_ways_on(shot)}"
            return Answer(Outcome.FAILED, text, report, notices)
        if run.ended.outcome is RunOutcome.ABORTED:
            text = f"{name} was aborted: {run.ended.reason}"
            return Answer(Outcome.FAILED, text, report, notices)
        if run.opened.kind is RunKind.SINGLE:
            asked = shot.actions[next(iter(run.paths))]
            if asked.state is ActionState.NOT_DISPATCHED:
                text = f"{asked.path} was not run: {asked.reason}"
                return Answer(Outcome.FAILED, text, report, notices)
        failed = [
            shot.table.node(path).name
            for path in run.paths
            if path in shot.actions and shot.failed(path)
        ]
        if failed:
            text = f"{name} is over; {len(failed)} failed: {', '.join(failed[:20])}"
            return Answer(Outcome.FAILED, text, report, notices)
        return Answer(Outcome.OK, f"{name} is over; nothing failed", report, notices)

    def run_over(self, shot: Shot, run: Run) -> None:
        """Answer those who wait for a run that has ended or is held."""
        self._requests.tell_waiting(shot, run, self.run_answer(shot, run))

    def wait(self, asked: Asked, command: c.Wait) -> Answer | None:
        """Wait for the end of a run; a further page of its report is there at once."""
        if command.run is None:
            return self._await(asked, *meant.run_of(self._core, command), wait=True)
        key = meant.key_of(self._core, command)
        return self._requests.on_loaded(asked, key, lambda: self._wait_loaded(asked, command))

    def _wait_loaded(self, asked: Asked, command: c.Wait) -> Answer | None:
        shot = meant.shot_of(self._core, command)
        run = shot.runs.get(command.run or 0)
        if run is None:
            raise Unknown(f"{shot.key} has no run {command.run}")
        if command.since:
            return Answer(Outcome.OK, "", self._views.report(shot, run, command.since))
        return self._await(asked, shot, run, wait=True)

    def dispatch(self, asked: Asked, command: c.DispatchAction) -> Answer | None:
        """Run one action again (D10)."""
        found = self._core.run_of_command(asked.id)
        if found is not None:  # a repeat of a command from before a restart
            return self._await(asked, *found, wait=command.wait)
        key = meant.key_of(self._core, command)
        return self._requests.on_loaded(asked, key, lambda: self._dispatch_loaded(asked, command))

    def _dispatch_loaded(self, asked: Asked, command: c.DispatchAction) -> Answer | None:
        shot = meant.shot_of(self._core, command)
        path = shot.table.find(command.path)
        self._refuse_dispatch(shot, path, command)

        def read(done: Done) -> Answer | None:
            assert isinstance(done, TreeDone)
            if self._core.shots.get(shot.key) is not shot:
                raise Refused(f"{shot.key} was put aside meanwhile; try again")
            if done.error or not done.nodes:
                return Answer(
                    Outcome.REFUSED, f"{path} was not dispatched: it cannot be read: {done.error}"
                )
            seen = self._sources.seen(shot, built, done)
            # What it has from the shot's own source has just been read again.
            found = () if seen.rereads else dangers(shot, seen)
            self._refuse_dispatch(shot, path, command, *found)
            before = shot.actions[path]
            self._core.put(shot, NodeRead(time=self._core.wall, node=done.nodes[0]))
            if shot.actions[path] != before:  # switched on or off since the table was built
                self._core.put(shot, shot.actions[path])
            even_if_off = command.insists(Danger.OFF)
            cause, reason = shot.table.initial(path, even_if_off=even_if_off)
            if cause is Cause.OFF:
                off = NamedDanger(danger=Danger.OFF, text=f"{path} is off ({reason})")
                refuse(command, off)
            if cause is not None:
                raise Refused(f"{path} is never dispatched: {reason}")
            run = self._execution.redispatch(shot, path, asked.id, asked.user)
            return self._await(asked, shot, run, wait=command.wait, notices=seen.notices)

        built, known = shot.built, known_marks(shot)
        self._core.after(
            ReadNodeJob(job=self._requests.later(asked, read), key=shot.key, path=path, known=known)
        )
        return None

    def _refuse_dispatch(
        self, shot: Shot, path: str, command: c.DispatchAction, *also: NamedDanger
    ) -> None:
        live, run = shot.actions[path], shot.open_run
        if shot.key in self._core.building:
            raise Refused(f"{shot.key}: its tables are being built; try again")
        if live.state in IN_PROGRESS:
            raise Refused(f"{path} is {live.state} on {live.server}; abort it first")
        if run is not None and run.is_busy(path):
            raise Refused(f"{path} is ready already and waits for its server")
        if run is not None and run.aborting:
            raise Refused(f"{shot.key}: run {run.number} is being aborted")
        refuse_run(self._core, command, shot, (path,), *also)

    def abort(self, asked: Asked, command: c.Abort) -> Answer:
        """Abort the run of a shot, of the current pulse, or all runs; or one action (D9)."""
        if command.all and (command.path or command.tree or command.shot):
            raise Refused("all open runs, or one of them: `all` goes with no shot and no path")
        if command.path is not None:
            return self._abort_action(asked, command, command.path)
        opened = list(self._core.open_runs())
        if command.all:
            found = opened
        elif command.tree is None and command.shot is None:
            found = meant.runs_of_current(self._core, opened)
        else:
            found = [meant.run_of(self._core, command)]
        if not found:
            return Answer(Outcome.OK, "no run is open; nothing was changed")
        for shot, run in found:
            self._execution.abort_run(shot, run, f"aborted by {asked.giver}")
        listed = ", ".join(f"{shot.key} run {run.number}" for shot, run in found)
        return Answer(Outcome.OK, f"aborting {listed}{_left_words(opened)}")

    def _abort_action(self, asked: Asked, command: c.Abort, text: str) -> Answer:
        shot = meant.shot_of(self._core, command)
        path = shot.table.find(text)
        live, run = shot.actions[path], shot.open_run
        why = f"aborted by {asked.giver}"
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

    def abort_pending(self, asked: Asked, command: c.AbortPending) -> Answer:
        """Remove what was not sent yet."""
        shot, run = meant.run_of(self._core, command)
        why = f"pending actions aborted by {asked.giver}"
        removed = self._execution.abort_pending(shot, run, why)
        return Answer(
            Outcome.OK, f"{shot.key}: {len(removed)} actions removed before they were sent"
        )

    def hold_or_resume(self, asked: Asked, command: c.Hold | c.Resume) -> Answer:
        """Hold a run, or let it go on."""
        shot, run = meant.run_of(self._core, command)
        name = f"{shot.key} run {run.number}"
        if isinstance(command, c.Hold):
            if run.held is not None:
                raise Refused(f"{name} is HELD already: {run.held}")
            if run.aborting:
                raise Refused(f"{name} is being aborted")
            return self._hold(shot, run, command, name, asked.giver)
        if run.held is None and run.coming_hold is None:
            raise Refused(f"{name} is not HELD")
        self._execution.resume(shot, run, asked.user, again=command.again)
        return Answer(Outcome.OK, f"{name} goes on")

    def _hold(self, shot: Shot, run: Run, command: c.Hold, name: str, who: str) -> Answer:
        if command.abort:
            self._execution.hold_aborting(shot, run, f"paused by {who}; what ran was aborted")
            return Answer(Outcome.OK, f"{name} is HELD as soon as what runs is gone")
        if command.boundary:
            why = f"paused by {who} before the next sequence number"
            self._execution.hold_at_boundary(shot, run, why)
            return Answer(Outcome.OK, f"{name} is HELD before its next sequence number")
        self._execution.hold(shot, run, f"held by {who}")
        return Answer(Outcome.OK, f"{name} is HELD; what runs goes on")


def _left_words(opened: Sequence[tuple[Shot, Run]]) -> str:
    """Say which of the runs that are open are not being aborted: nobody may think that all are."""
    left = [(shot, run) for shot, run in opened if run.is_open and not run.aborting]
    if not left:
        return ""
    return f"; STILL OPEN: {meant.open_words(left)}"


def _ways_on(shot: Shot) -> str:
    return f"`shotline resume {shot.key}` or `shotline abort {shot.key}`"


def _open_words(shot: Shot, run: Run) -> str:
    name = f"{shot.key}: run {run.number} ({run.opened.phase})"
    if run.held is not None:
        return f"{name} is HELD: {run.held}; {_ways_on(shot)}"
    return f"{name} is open; one run at a time per shot"
