"""One plan after the other: what runs next, its steps, its pauses, its end (Q4 to Q6, Q10). Pure.

Each step is one of the dispatcher's own commands, journalled before it is given under the same id,
so that after a restart it is given again and has the same answer (D15). `advance` goes on as far as
nothing has to be waited for: a plan that has ended and the next one's beginning are one commit.
"""

from msgspec import structs

from shotline.common import commands as c
from shotline.common.messages import Outcome
from shotline.common.queue import kinds
from shotline.common.queue.fold import step_id
from shotline.common.queue.plans import (
    NEXT,
    Entry,
    EntryState,
    Existing,
    ExitStatus,
    FailsOn,
    HistoryItem,
    PhaseWhen,
    PlanPhase,
    PlanResult,
    PlanRun,
    PulsePlan,
)
from shotline.common.queue.records import (
    EndAsked,
    EntriesAdded,
    EntriesRemoved,
    EnvironmentState,
    PauseAsked,
    PlanEnded,
    PlanEnding,
    PlanPaused,
    PlanProgress,
    PlanResumed,
    PlanStarted,
    PlanStep,
    QueueModes,
    QueueSwitched,
    RunBegun,
    StepBegun,
    StepEnded,
)
from shotline.common.queue.views import RefusalCode
from shotline.pulse_queue.checks import Checks
from shotline.pulse_queue.core import QueueCore, uid_of
from shotline.pulse_queue.events import CommandAnswered, RunNews
from shotline.pulse_queue.groups import group_named
from shotline.pulse_queue.refusal import QueueRefusal

EXISTING_TRIES_MAX = 1000
_BEFORE_PHASES = (PlanStep.NUMBER, PlanStep.CREATE, PlanStep.WRITE, PlanStep.BUILD)
_GOOD = frozenset({ExitStatus.COMPLETED, ExitStatus.STOPPED})


class Running:
    """Runs the queue's plans."""

    def __init__(self, core: QueueCore, checks: Checks) -> None:
        self._core = core
        self._checks = checks

    # What is asked

    def switch(
        self,
        by: str,
        *,
        armed: bool | None = None,
        stop_pending: bool | None = None,
        modes: QueueModes | None = None,
        why: str | None = None,
    ) -> None:
        """Arm or stop the queue, or have it go on otherwise; what is left out stays."""
        fold = self._core.fold
        self._core.put(
            QueueSwitched(
                time=self._core.wall,
                by=by,
                armed=fold.armed if armed is None else armed,
                stop_pending=fold.stop_pending if stop_pending is None else stop_pending,
                modes=fold.modes if modes is None else modes,
                why=fold.why if why is None else why,
            )
        )

    def require_start(self) -> None:
        """Raise QueueRefusal where the queue's head may not run."""
        core = self._core
        head = core.entry(core.fold.order[0])
        if head.state is EntryState.HELD:
            text = (
                f"entry {head.uid} is HELD ({head.held}): `shotline queue release {head.uid}` or "
                "remove it"
            )
            raise QueueRefusal(RefusalCode.HELD, text)
        if self.environment_is_away() and not self._environment_comes():
            text = f"the environment is {core.fold.environment.value}"
            raise QueueRefusal(
                RefusalCode.NO_ENVIRONMENT, f"{text}: `shotline queue environment open`"
            )

    def start(self, entry: Entry, *, executed: bool) -> None:
        """Let an entry run."""
        plan = self._checks.resolved(entry.plan)
        self._core.put(PlanStarted(time=self._core.wall, entry=entry, plan=plan, executed=executed))
        self._core.changed("", f"entry {entry.uid} has begun to run", (entry.uid,))

    def pause(self, user: str, *, immediate: bool) -> None:
        """Let the running plan pause."""
        self._core.put(PauseAsked(time=self._core.wall, by=user, immediate=immediate))
        self._hold()

    def resume(self, user: str, *, again: bool) -> None:
        """Let the paused plan go on."""
        running = self._running
        if running.run is not None:
            is_again = again and bool(running.aborted)
            self._give(c.Resume(tree=running.tree, shot=running.shot, again=is_again))
        waits = self._waits(running)
        self._core.put(PlanResumed(time=self._core.wall, by=user))
        if waits:
            self._core.give(running.command, self._command(running))

    def end(self, how: PlanEnding, user: str, reason: str) -> None:
        """End the running plan."""
        was_held = bool(self._running.paused or self._running.pause)
        self._core.put(EndAsked(time=self._core.wall, by=user, how=how, reason=reason))
        if not self._running.closing or how is not PlanEnding.STOP:
            self._end_run(was_held=was_held)
        elif was_held and self._running.run is not None:
            self._give(c.Resume(tree=self._running.tree, shot=self._running.shot))

    def _end_run(self, *, was_held: bool) -> None:
        """End the open run of a plan that is to end. `was_held`: it is HELD, or is to be."""
        running = self._running
        if running.run is None:
            return
        tree, shot = running.tree, running.shot
        if running.ending is PlanEnding.STOP:
            self._give(c.AbortPending(tree=tree, shot=shot))
            if was_held:
                self._give(c.Resume(tree=tree, shot=shot))
        else:
            self._give(c.Abort(tree=tree, shot=shot))

    def _hold(self) -> None:
        """Hold the open run of a plan that is to pause."""
        running = self._running
        if running.run is not None and running.pause:
            immediate = running.pause == "immediate"
            self._give(
                c.Hold(
                    tree=running.tree, shot=running.shot, abort=immediate, boundary=not immediate
                )
            )

    # What is told

    def answered(self, answered: CommandAnswered) -> None:
        """Take the answer to the step that is under way."""
        running = self._core.fold.running
        if running is None or answered.command != running.command:
            return
        is_ok = answered.outcome in (Outcome.OK, Outcome.ACCEPTED)
        if running.step is PlanStep.PHASE:
            self._phase_answered(running, answered, is_ok=is_ok)
        elif is_ok:
            if running.step is PlanStep.NUMBER:
                self._core.put(StepEnded(time=self._core.wall))
                self._begin(PlanStep.CREATE, shot=answered.shot)
            else:
                self._step_ended(notice="; ".join(answered.notices))
        elif running.step is PlanStep.CREATE and answered.exists:
            self._exists(running, answered)
        else:
            self._step_ended(failure=answered.message)

    def _exists(self, running: PlanProgress, answered: CommandAnswered) -> None:
        """Go on where the pulse is there already."""
        if running.plan.shot == NEXT and running.begun < EXISTING_TRIES_MAX:
            # It is another's, or was made for this plan just before a restart: nobody knows.
            self._core.put(StepEnded(time=self._core.wall, notice=answered.message))
            self._begin(PlanStep.CREATE, shot=running.shot + 1)
        elif running.plan.existing is Existing.USE:
            self._step_ended(notice=f"{answered.message}: it is used as it is")
        else:
            self._step_ended(failure=answered.message)

    def _phase_answered(
        self, running: PlanProgress, answered: CommandAnswered, *, is_ok: bool
    ) -> None:
        opened = answered.opened
        if opened is None:
            text = answered.message if not is_ok else f"no run was opened: {answered.message}"
            self._step_ended(failure=text)
            return
        if not opened.is_open:
            self._step_ended(failure=opened.failure, run=opened.run)
            return
        if running.run is None:
            self._core.put(RunBegun(time=self._core.wall, run=opened.run))
        if self._running.ending is not None and not self._running.closing:
            self._end_run(was_held=False)
        elif opened.held:
            self._paused(opened.held)
        else:
            self._hold()

    def run_news(self, news: RunNews) -> None:
        """Take what has become of a run of the running plan."""
        running = self._core.fold.running
        if running is None or running.step is not PlanStep.PHASE:
            return
        if running.run is None and news.command == running.command:
            # The answer that says so may wait for the tree; whoever ends the plan does not.
            self._core.put(RunBegun(time=self._core.wall, run=news.run))
        run = self._running.run
        if run is None:
            return
        if (news.run.tree, news.run.shot, news.run.run) != (run.tree, run.shot, run.run):
            return
        if not news.is_open:
            failure = news.failures.get((running.plan.fails_on or FailsOn.ANY).value, "")
            self._step_ended(failure=failure, run=news.run)
        elif news.held:
            if running.ending in (None, PlanEnding.STOP) or running.pause:
                self._paused(news.held, news.aborted)
        elif running.paused:
            self._core.put(PlanResumed(time=self._core.wall))

    def _paused(self, why: str, aborted: tuple[str, ...] = ()) -> None:
        if self._running.paused != why or aborted:
            self._core.put(PlanPaused(time=self._core.wall, why=why, aborted=aborted))

    def _step_ended(
        self, *, failure: str = "", notice: str = "", run: PlanRun | None = None
    ) -> None:
        self._core.put(StepEnded(time=self._core.wall, failure=failure, notice=notice, run=run))

    def was_away(self, why: str, *, run_goes_on: bool = False) -> None:
        """Let nothing begin by itself: the dispatcher was away for too long.

        With `run_goes_on` a run that is open does, and the plan pauses behind it.
        """
        fold = self._core.fold
        if fold.armed or fold.modes.autostart:
            self.rest(why)
        running = fold.running
        if running is None or running.ending is not None:
            return
        if not run_goes_on or running.run is None or running.paused:
            self._paused(running.paused or why)
        elif not running.pause:
            self._core.put(PauseAsked(time=self._core.wall, immediate=False))

    def recovered(self) -> None:
        """Give again what was under way when the dispatcher ended; the answer is the same."""
        running = self._core.fold.running
        if running is not None and running.step is not None and not self._waits(running):
            self._core.give(running.command, self._command(running))

    @staticmethod
    def _waits(running: PlanProgress) -> bool:
        """Whether a phase has not begun, and the plan is paused."""
        is_new = running.step is PlanStep.PHASE and running.run is None
        return is_new and bool(running.paused)

    # What comes next

    def advance(self, *, wait: bool = False) -> None:
        """Go on as far as nothing has to be waited for; with `wait` no further plan begins."""
        if not self._core.ready:
            return
        while True:
            if self._core.fold.running is not None:
                has_gone_on = self._go_on()
            else:
                has_gone_on = not wait and self._next()
            if not has_gone_on:
                return

    def _next(self) -> bool:
        """Begin the next plan where one may run; return whether something was done."""
        fold = self._core.fold
        head = self._core.entry(fold.order[0]) if fold.order else None
        if not fold.armed:
            if not fold.modes.autostart or head is None or head.state is not EntryState.QUEUED:
                return False
            if self.environment_is_away():
                return False  # it is armed once that is there
            self.switch("", armed=True, why="")
        if head is None:
            if not fold.modes.autostart:
                self.switch("", armed=False, why="all plans of the queue have run")
            return False
        if head.state is EntryState.HELD:
            self.rest(f"the next entry is HELD: {head.held}")
            return False
        if head.plan.type == "stop":
            self._core.put(EntriesRemoved(time=self._core.wall, uids=(head.uid,)))
            if fold.modes.loop:
                uid = uid_of(f"{head.uid}:again", taken=fold.entries)
                again = structs.replace(head, uid=uid, copy_of=head.uid)
                at = len(fold.order)
                self._core.put(EntriesAdded(time=self._core.wall, entries=(again,), at=at))
            self.rest("it came to a stop in the queue")
            return False
        if self._lacks_environment():
            return False
        self.start(head, executed=False)
        return True

    def _lacks_environment(self) -> bool:
        if not self.environment_is_away():
            return False
        if not self._environment_comes():
            why = "the next plan needs an open environment"
            if self._core.fold.modes.autostart:
                self.switch("", armed=False, why=why)  # once it is there the queue goes on
            else:
                self.rest(why)
        return True

    def environment_is_away(self) -> bool:
        """Whether nothing may run: the environment is required, or was closed by somebody."""
        core = self._core
        return core.needs_environment and core.fold.environment is not EnvironmentState.OPEN

    def _environment_comes(self) -> bool:
        coming = (EnvironmentState.OPENING, EnvironmentState.RELOADING)
        return self._core.fold.environment in coming

    def rest(self, why: str, by: str = "") -> None:
        """Stop the queue, and what would start it by itself."""
        modes = structs.replace(self._core.fold.modes, autostart=False)
        self.switch(by, armed=False, stop_pending=False, modes=modes, why=why)

    @property
    def _running(self) -> PlanProgress:
        running = self._core.fold.running
        assert running is not None
        return running

    def _go_on(self) -> bool:
        """Begin the next step of the running plan, or end it; return whether something was done."""
        running = self._running
        if running.step is not None or running.paused:
            return False
        if running.ending is PlanEnding.HALT:
            return self._end()
        if PlanStep.BUILD not in running.done:
            return self._go_on_before_phases(running)
        number = self._next_phase(running)
        if number is None:
            return self._end()
        if running.pause:
            self._paused("paused as asked, before the next phase")
            return False
        self._begin(PlanStep.PHASE, phase=number)
        return True

    def _go_on_before_phases(self, running: PlanProgress) -> bool:
        if running.failure or running.ending is not None:
            return self._end()
        if not running.begun:
            try:
                entry = running.entry
                _, group = group_named(self._core, entry.group)
                self._checks.check(entry.plan, entry.group, group)
            except QueueRefusal as refusal:
                return self._end(f"it cannot be run any more: {refusal}")
        if running.pause:
            self._paused("paused as asked, before its phases")
            return False
        if running.plan.shot == NEXT and not running.shot:
            tree = running.tree
            if self._core.config.experiments[tree].next_shot == "site":
                self._begin(PlanStep.NUMBER)
            else:
                self._begin(PlanStep.CREATE, shot=self._core.world.next_shot(tree))
            return True
        for step in (PlanStep.CREATE, PlanStep.WRITE, PlanStep.BUILD):
            if step in running.done:
                continue
            if step is PlanStep.WRITE and not self._destinations(running)[0]:
                continue
            shot = running.plan.shot if running.plan.shot != NEXT else running.shot
            self._begin(step, shot=shot)
            return True
        return False

    def _destinations(self, running: PlanProgress) -> tuple[dict[str, object], dict[str, object]]:
        kind = self._core.kinds.get(running.plan.kind)
        if kind is None:
            return {}, dict(running.plan.parameters)
        return kinds.destinations(kind, running.plan.parameters)

    @staticmethod
    def _next_phase(running: PlanProgress) -> int | None:
        """Return the number of the next phase that runs; None: none."""
        phases = running.plan.phases or ()
        for number in range(running.phases_done, len(phases)):
            if _runs(phases[number], running):
                return number
        return None

    def _begin(self, step: PlanStep, *, shot: int = 0, phase: int = 0) -> None:
        """Journal a step, and give its command."""
        running = self._running
        command_id = step_id(running)
        self._core.put(
            StepBegun(time=self._core.wall, step=step, command=command_id, shot=shot, phase=phase)
        )
        self._core.give(command_id, self._command(self._running))

    def _command(self, running: PlanProgress) -> c.AnyCommand:
        """Return the command of the step that is under way: always the same one for a step."""
        plan, tree, shot = running.plan, running.tree, running.shot
        match running.step:
            case PlanStep.NUMBER:
                return c.CurrentShot(tree=tree, increment=True)
            case PlanStep.CREATE:
                replace = plan.existing is Existing.REPLACE and plan.shot != NEXT
                return c.CreatePulse(tree=tree, shot=shot, replace=replace)
            case PlanStep.WRITE:
                nodes, _ = self._destinations(running)
                return c.WriteNodes(tree=tree, shot=shot, values=nodes)
            case PlanStep.BUILD:
                _, variables = self._destinations(running)
                return c.BuildTables(tree=tree, shot=shot, list_actions=False, variables=variables)
            case _:
                phase = (plan.phases or ())[running.phase].phase
                return c.DoPhase(tree=tree, shot=shot, phase=phase)

    def _give(self, command: c.AnyCommand) -> None:
        """Give a command that is no step: what it comes to is seen by what becomes of the run."""
        running = self._running
        version = self._core.fold.versions.status
        self._core.give(f"queue-{running.entry.uid}-v{version}-{command.verb}", command)

    # The end

    def _end(self, failure: str = "") -> bool:
        """Journal the end of the running plan; what comes back, and whether the queue goes on."""
        core, running = self._core, self._running
        failure = running.failure or failure
        status = _exit_status(running, failure)
        result = PlanResult(
            exit_status=status,
            message=_message(running, failure),
            tree=running.tree,
            shot=running.shot,
            began_at=running.began_at,
            ended_at=core.wall,
            ended_by=running.ended_by,
            runs=running.runs,
        )
        ended = structs.replace(running.entry, state=EntryState.ENDED)
        goes_on = status in _GOOD or (
            status is ExitStatus.FAILED and core.fold.modes.ignore_failures
        )
        back, at_back = (None, False) if running.executed else self._back(running, result, goes_on)
        item = HistoryItem(entry=ended, result=result)
        core.put(PlanEnded(time=core.wall, item=item, back=back, at_back=at_back))
        core.changed("", f"entry {ended.uid} has ended: {status.value}", (ended.uid,))
        self._rest_after(running, status, goes_on=goes_on)
        return True

    def _back(
        self,
        running: PlanProgress,
        result: PlanResult,
        goes_on: bool,  # noqa: FBT001
    ) -> tuple[Entry | None, bool]:
        """Return the copy that goes to the queue, and whether it goes last."""
        core, entry = self._core, running.entry
        copy = structs.replace(
            entry,
            uid=uid_of(f"{entry.uid}:again", taken=core.fold.entries),
            state=EntryState.QUEUED,
            added_at=core.wall,
            copy_of=entry.uid,
            result=None,
            held="",
            released_by="",
        )
        if not goes_on:
            if core.config.queue.return_as == "held":
                words = f"{result.exit_status.value}: {result.message}"[:8000]
                copy = structs.replace(copy, state=EntryState.HELD, held=words)
            return structs.replace(copy, result=result), False
        rounds = entry.rounds + 1
        if rounds < entry.plan.repeat and result.exit_status is not ExitStatus.STOPPED:
            return structs.replace(copy, rounds=rounds), False
        if core.fold.modes.loop:
            return structs.replace(copy, rounds=0), True
        return None, False

    def _rest_after(self, running: PlanProgress, status: ExitStatus, *, goes_on: bool) -> None:
        fold = self._core.fold
        if running.executed:
            if fold.armed or fold.stop_pending:
                self.rest("a plan was executed by itself")
            return
        what = f"entry {running.entry.uid}"
        if running.ending is not None:
            self.rest(f"{what} was {status.value} by {running.ended_by}")
        elif not goes_on:
            self.rest(f"{what} has failed: {running.failure or status.value}"[:8000])
        elif fold.stop_pending:
            self.rest("it was stopped after a plan, as asked")
        elif running.pause:
            self.rest("a pause was asked for, and the plan had nothing left before its end")


def _runs(phase: PlanPhase, running: PlanProgress) -> bool:
    """Return whether a phase runs, as things stand."""
    if running.ending is not None:
        return phase.closing
    if phase.when is PhaseWhen.ON_SUCCESS:
        return not running.failure
    if phase.when is PhaseWhen.ON_FAILURE:
        return bool(running.failure)
    return True


def next_phases(running: PlanProgress) -> list[str]:
    """Return the phases that run after the one under way, as things stand."""
    phases = running.plan.phases or ()
    first = running.phase + 1 if running.step is PlanStep.PHASE else running.phases_done
    return [one.phase for one in phases[first:] if _runs(one, running)]


def _exit_status(running: PlanProgress, failure: str) -> ExitStatus:
    match running.ending:
        case PlanEnding.STOP:
            return ExitStatus.STOPPED
        case PlanEnding.ABORT:
            return ExitStatus.ABORTED
        case PlanEnding.HALT:
            return ExitStatus.HALTED
    return ExitStatus.FAILED if failure else ExitStatus.COMPLETED


def _message(running: PlanProgress, failure: str) -> str:
    if running.ending is not None:
        by = f" by {running.ended_by}" if running.ended_by else ""
        reason = f": {running.ending_reason}" if running.ending_reason else ""
        return f"{running.ending.value}{by}{reason}"[:8000]
    return failure[:8000]


def require_decision(running: PlanProgress, aborted: str | None) -> None:
    """Raise QueueRefusal where resume must say what becomes of what was aborted."""
    if running.aborted and aborted is None:
        listed = ", ".join(running.aborted[:20])
        text = (
            f"{len(running.aborted)} actions were aborted for the pause ({listed}): resume with "
            "them run again, or left as they are"
        )
        raise QueueRefusal(RefusalCode.ABORTED_ACTIONS, text, aborted=running.aborted)


def plan_words(plan: PulsePlan) -> str:
    """Return what people call a plan."""
    if plan.type == "stop":
        return "stop"
    return plan.kind or f"{plan.experiment} {plan.shot}"
