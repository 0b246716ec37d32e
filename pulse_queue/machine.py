"""The queue's state machine: `handle(now, event)` gives what follows. Pure.

It hands operations to the parts that decide, and lets the queue go on after each of them. Nothing
else changes the fold. It is hosted by the dispatcher, whose journal has its records (Q1).
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, Literal

from msgspec import structs
from msgspec.structs import replace

from shotline.common.base import Struct, to_json
from shotline.common.machine import Instant
from shotline.common.messages import Outcome
from shotline.common.queue import commands as q
from shotline.common.queue.fold import QueueFold
from shotline.common.queue.plans import ExitStatus, HistoryItem
from shotline.common.queue.records import (
    EnvironmentState,
    GroupsSet,
    HistoryHidden,
    KindsSeen,
    QueueMark,
    QueueRecord,
    TaskState,
    WaitBegun,
    WaitEnded,
)
from shotline.common.queue.views import (
    PlanEndedResult,
    QueueEntriesResult,
    QueueRefused,
    QueueState,
    RefusalCode,
)
from shotline.common.settings.configuration import Config
from shotline.pulse_queue import locks
from shotline.pulse_queue.checks import Checks
from shotline.pulse_queue.core import QueueCore
from shotline.pulse_queue.editing import Editing
from shotline.pulse_queue.environment import Environments
from shotline.pulse_queue.events import (
    AnswerTo,
    CommandAnswered,
    FunctionEnded,
    Operation,
    QueueAnswer,
    QueueInput,
    QueueOutput,
    Reconfigured,
    Recovered,
    RunNews,
    TellProgress,
    TimePassed,
)
from shotline.pulse_queue.looking import Looking
from shotline.pulse_queue.refusal import UNKNOWN, QueueRefusal
from shotline.pulse_queue.running import Running, plan_words, require_decision
from shotline.pulse_queue.table import require, state_of
from shotline.pulse_queue.tasks import Tasks
from shotline.pulse_queue.telling import Telling
from shotline.pulse_queue.world import World

PROGRESS_S: Final = 1.0


class PulseQueue:
    """The machine. Made with what its host knows; `load` takes what the journal holds."""

    def __init__(self, config: Config, world: World, instant: Instant) -> None:
        fold = QueueFold(config.queue.history_max)
        self.core = QueueCore(config, world, instant, fold)
        checks = Checks(self.core)
        self._editing = Editing(self.core, checks)
        self._running = Running(self.core, checks)
        self._tasks = Tasks(self.core)
        self._environments = Environments(self.core, checks, self._running)
        self._locks = locks.Locks(self.core)
        self.telling = Telling(self.core)
        self.looking = Looking(self.core, self._editing, self._locks, self.telling)
        self._progress_at = 0.0
        self._mark_at = 0.0

    def load(self, records: Sequence[QueueRecord], history: Sequence[HistoryItem]) -> int:
        """Take what the journal holds, once, before the first event. Return how many records were
        left out: Redis has lost what they are about.
        """
        fold, left_out = self.core.fold, 0
        for record in records:
            if fold.knows(record):
                fold.apply(record)
            else:
                left_out += 1
        fold.history.clear()
        fold.history.extend(history[-fold.history_max :])
        self.core.forget_old()
        return left_out

    # Events

    def handle(self, instant: Instant, event: QueueInput) -> list[QueueOutput]:
        """Return what follows from an event. An operation's answer is `operate`'s."""
        self.core.instant = instant
        match event:
            case CommandAnswered():
                is_other = self._environments.answered(event) or self._tasks.answered(event)
                if not is_other:
                    self._running.answered(event)
            case FunctionEnded():
                self._tasks.ended(event)
            case RunNews():
                self._running.run_news(event)
            case Recovered():
                self._recovered(event)
            case Reconfigured():
                self.core.config, self.core.emergency_key = event.config, event.emergency_key
                self.core.fold.history_max = event.config.queue.history_max
                self._see_kinds()
            case TimePassed():
                self._tick()
            case Operation():
                raise TypeError("operations are answered: use `operate`")
        return self._go_on()

    def operate(
        self, instant: Instant, operation: Operation
    ) -> tuple[QueueAnswer | None, list[QueueOutput]]:
        """Carry out an operation; None: its answer follows as AnswerTo."""
        self.core.instant = instant
        if operation.id in self.core.fold.waits:
            return None, []  # a repeat of a command that still waits
        try:
            answer = self._operate(operation)
        except QueueRefusal as refusal:
            return self.refused(refusal), []
        return answer, self._go_on()

    def added_by(self, command_id: str, count: int) -> QueueAnswer | None:
        """Return what a command that added plans is answered with again; None: they are gone."""
        return self._editing.added_by(command_id, count)

    def _go_on(self) -> list[QueueOutput]:
        self.core.forget_old()
        self._tasks.forget_old()
        self._running.advance(wait=self._tasks.keep_plans_waiting)
        self._tell_waiting()
        out, self.core.out = self.core.out, []
        return out

    def refused(self, refusal: QueueRefusal) -> QueueAnswer:
        """Return the answer that says so, with the code."""
        fold = self.core.fold
        result = QueueRefused(
            code=refusal.code,
            state=state_of(fold),
            version=fold.versions.queue,
            answers=refusal.answers,
            changes=refusal.changes,
            aborted=refusal.aborted,
        )
        return QueueAnswer(Outcome.REFUSED, str(refusal), result, unknown=refusal.code in UNKNOWN)

    def _recovered(self, event: Recovered) -> None:
        core = self.core
        core.ready = True
        self._see_kinds()
        limit_s = core.config.dispatcher.resume_within_s
        if not 0 <= event.silent_s <= limit_s:
            last_sign = f"the last sign of the queue is {event.silent_s:.0f} s old"
            goes_on = f"goes on by itself within {limit_s:g} s"
            self._running.was_away(f"the dispatcher was away; {last_sign} ({goes_on})")
        elif event.may_lack_end:
            self._running.was_away(
                "Redis was started anew while the dispatcher was away, and may have lost what the "
                "queue did last",
                run_goes_on=True,
            )
        self._running.recovered()
        self._environments.recovered()
        self._tasks.recovered()

    def _see_kinds(self) -> None:
        """Let the versions of kinds and groups rise where the configuration has others."""
        config, fold = self.core.config, self.core.fold
        kinds, groups = _digest(self.core.kinds), _digest(config.queue.groups)
        if (kinds, groups) != (fold.kinds_digest, fold.groups_digest):
            self.core.put(KindsSeen(time=self.core.wall, kinds=kinds, groups=groups))

    def wake_at(self) -> float | None:
        """Return when TimePassed is due (monotonic); None while nothing goes on."""
        fold = self.core.fold
        if fold.running is not None:
            return min(self._progress_at, self._mark_at)
        return self._mark_at if fold.armed or fold.modes.autostart else None

    def _tick(self) -> None:
        core, fold = self.core, self.core.fold
        now = core.instant.mono
        if now >= self._mark_at:
            self._mark_at = now + max(core.config.dispatcher.resume_within_s / 6, 1.0)
            if core.ready and (fold.running is not None or fold.armed or fold.modes.autostart):
                core.put(QueueMark(time=core.wall))
        if now >= self._progress_at:
            self._progress_at = now + PROGRESS_S
            progress = self.telling.progress()
            if progress is not None:
                core.out.append(TellProgress(progress))

    # Operations

    def _operate(self, operation: Operation) -> QueueAnswer | None:
        command, core = operation.command, self.core
        if isinstance(command, q.QueueCommand):
            locks.require_key(core, command)
            self._require_version(command)
            return self._change(operation, command, command.user or operation.user)
        return self.looking.answer(command)

    def _require_version(self, command: q.QueueCommand) -> None:
        is_now = self.core.fold.versions.queue
        if command.version is None or command.version == is_now:
            return
        changes = tuple(one for one in self.core.changes if one.version > command.version)
        told = "; ".join(f"{one.by or 'the queue'}: {one.text}" for one in changes[-5:])
        text = f"the queue has changed since: {told or 'what, is not known any more'}"
        raise QueueRefusal(RefusalCode.CHANGED, text, changes=changes)

    def _change(
        self, operation: Operation, command: q.QueueCommand, user: str
    ) -> QueueAnswer | None:
        editing = self._editing
        match command:
            case q.QueueAdd():
                return editing.add(operation.id, command, user)
            case q.QueuePropose():
                return editing.propose(operation.id, command, user)
            case q.QueueApprove():
                return editing.approve(command, user)
            case q.QueueUpdate():
                return editing.update(operation.id, command, user)
            case q.QueueMove():
                return editing.move(command, user)
            case q.QueueRemove():
                return editing.remove(command, user)
            case q.QueueClear():
                return editing.clear(user)
            case q.QueueRelease():
                return editing.release(command, user)
            case q.QueueLock():
                return self._locks.lock(command, user)
            case q.QueueUnlock():
                return self._locks.unlock(command, user)
            case _:
                return self._drive(operation, command, user)

    def _drive(
        self, operation: Operation, command: q.QueueCommand, user: str
    ) -> QueueAnswer | None:
        """Carry out what changes how the queue goes on."""
        core, running = self.core, self._running
        match command:
            case q.QueueStart():
                return self._start(operation, command, user)
            case q.QueueStop():
                return self._stop(command, user)
            case q.QueueMode():
                changed = {"loop": command.loop, "ignore_failures": command.ignore_failures}
                given = {name: value for name, value in changed.items() if value is not None}
                running.switch(user, modes=structs.replace(core.fold.modes, **given))
                return self.telling.status("the modes are set")
            case q.QueueAutostart(enable=enable):
                running.switch(user, modes=structs.replace(core.fold.modes, autostart=enable))
                return self.telling.status(f"autostart is {'on' if enable else 'off'}")
            case q.QueueExecute():
                return self._execute(operation, command, user)
            case q.QueuePause(immediate=immediate):
                require("pause", core.fold)
                running.pause(user, immediate=immediate)
                return self.telling.status("the plan pauses")
            case q.QueueResume(aborted=aborted):
                require("resume", core.fold)
                assert core.fold.running is not None
                require_decision(core.fold.running, aborted)
                running.resume(user, again=aborted == "again")
                return self.telling.status("the plan goes on")
            case q.QueueEnd():
                return self._end(operation, command, user)
            case q.QueueEnvironment():
                return self._environment(operation, command, user)
            case q.QueueRunTask():
                task = self._tasks.begin(operation.id, command, user)
                if not command.wait:
                    return self._tasks.answer(task.uid, f"{task.function} runs")
                self._wait(operation, "task", task.uid)
                return None
            case q.QueueSetGroups(groups=groups):
                core.put(GroupsSet(time=core.wall, by=user, groups=groups))
                return self.looking.answer(q.QueueAllowed(group=command.group))
            case q.QueueHideHistory():
                return self._hide_history(command, user)
            case _:
                raise QueueRefusal(RefusalCode.WRONG_STATE, f"{command.verb} is not possible yet")

    def _start(self, operation: Operation, command: q.QueueStart, user: str) -> QueueAnswer | None:
        fold = self.core.fold
        require("start", fold)
        if not fold.order:
            return self.telling.status("the queue is empty: there is nothing to run")
        self._running.require_start()
        self._running.switch(user, armed=True, stop_pending=False, why="")
        if command.wait:
            self._wait(operation, "rest")
            return None
        self._running.advance(wait=self._tasks.keep_plans_waiting)
        return self.telling.status("the queue is started")

    def _stop(self, command: q.QueueStop, user: str) -> QueueAnswer:
        fold = self.core.fold
        if command.cancel:
            require("cancel_stop", fold)
            self._running.switch(user, stop_pending=False)
            return self.telling.status("the queue goes on after this plan")
        require("stop", fold)
        if fold.running is None:
            self._running.rest(f"stopped by {user}", user)
            return self.telling.status("the queue is stopped")
        modes = structs.replace(fold.modes, autostart=False)
        self._running.switch(user, stop_pending=True, modes=modes)
        return self.telling.status("the queue stops after this plan")

    def _execute(
        self, operation: Operation, command: q.QueueExecute, user: str
    ) -> QueueAnswer | None:
        require("execute", self.core.fold)
        entry = self._editing.entry_of(operation.id, command.plan, user, command.group)
        if entry.plan.type == "stop":
            raise QueueRefusal(RefusalCode.BAD_PLAN, "a stop is nothing to execute")
        self._running.start(entry, executed=True)
        if command.wait:
            self._wait(operation, "plan", entry.uid)
            return None
        fold = self.core.fold
        result = QueueEntriesResult(
            entries=(entry,),
            total=len(fold.order),
            version=fold.versions.queue,
            state=state_of(fold),
        )
        return QueueAnswer(Outcome.OK, f"{plan_words(entry.plan)} runs", result)

    def _end(self, operation: Operation, command: q.QueueEnd, user: str) -> QueueAnswer | None:
        fold = self.core.fold
        require("end", fold)
        assert fold.running is not None
        uid = fold.running.entry.uid
        self._running.end(command.how, user, command.reason)
        if command.wait:
            self._wait(operation, "plan", uid)
            return None
        return self.telling.status(f"the plan is ended ({command.how.value})")

    def _environment(
        self, operation: Operation, command: q.QueueEnvironment, user: str
    ) -> QueueAnswer | None:
        self._environments.take(operation.id, command, user)
        if command.wait:
            self._wait(operation, "environment")
            return None
        return self.telling.status(self._environments.words())

    def _hide_history(self, command: q.QueueHideHistory, user: str) -> QueueAnswer:
        core, fold = self.core, self.core.fold
        before = fold.history_total
        if command.keep is not None:
            before = max(fold.history_total - command.keep, 0)
        elif command.until is not None:
            first = fold.history_total - len(fold.history)
            uids = [one.entry.uid for one in fold.history]
            if command.until not in uids:
                text = f"the history has no entry {command.until}"
                raise QueueRefusal(RefusalCode.UNKNOWN_ENTRY, text)
            before = first + uids.index(command.until) + 1
        before = max(before, fold.history_hidden)
        core.put(HistoryHidden(time=core.wall, by=user, before=before))
        return self.telling.status("the history begins anew; what was hidden is kept")

    # Waiting

    def _wait(
        self,
        operation: Operation,
        what: Literal["rest", "plan", "environment", "task"],
        uid: str = "",
    ) -> None:
        """Let a command wait; it is answered when what it waits for has come about."""
        self.core.put(
            WaitBegun(
                time=self.core.wall,
                command=operation.id,
                verb=operation.command.verb,
                what=what,
                uid=uid,
            )
        )

    def _tell_waiting(self) -> None:
        fold = self.core.fold
        answers = {
            wait.command: (wait.verb, answer)
            for wait in fold.waits.values()
            if (answer := self._answer_of(wait)) is not None
        }
        if not answers:
            return
        self.core.put(WaitEnded(time=self.core.wall, commands=tuple(answers)))
        for command_id, (verb, answer) in answers.items():
            self.core.out.append(AnswerTo(command_id, verb, answer))

    def _answer_of(self, wait: WaitBegun) -> QueueAnswer | None:
        """Return the answer to a command that waits; None: what it waits for is still to come."""
        fold = self.core.fold
        if wait.what == "rest":
            if state_of(fold) is not QueueState.IDLE:
                return None
            answer = self.telling.status(fold.why)
            last = fold.history[-1].result.exit_status if fold.history else ExitStatus.COMPLETED
            bad = last not in (ExitStatus.COMPLETED, ExitStatus.STOPPED)
            return replace(answer, outcome=Outcome.FAILED) if bad else answer
        if wait.what == "plan":
            return self._plan_answer(wait.uid)
        if wait.what == "task":
            task = fold.tasks.get(wait.uid)
            is_over = task is None or task.state is not TaskState.RUNNING
            if not is_over:
                return None
            return self._tasks.answer(wait.uid) if task is not None else self.telling.status()
        if self._environments.is_changing:
            return None
        answer = self.telling.status(self._environments.words())
        is_bad = fold.environment is EnvironmentState.FAILED
        return replace(answer, outcome=Outcome.FAILED) if is_bad else answer

    def _plan_answer(self, uid: str) -> QueueAnswer | None:
        item = next((one for one in reversed(self.core.fold.history) if one.entry.uid == uid), None)
        if item is None:
            return None
        result, words = item.result, plan_words(item.entry.plan)
        good = result.exit_status in (ExitStatus.COMPLETED, ExitStatus.STOPPED)
        text = f"{words} is {result.exit_status.value}"
        if result.message:
            text += f": {result.message}"
        told = PlanEndedResult(item=item, queue=self.telling.view())
        return QueueAnswer(Outcome.OK if good else Outcome.FAILED, text, told)


def _digest(named: Mapping[str, Struct]) -> str:
    data = b"".join(name.encode() + to_json(one) for name, one in named.items())
    return sha256(data).hexdigest()[:16]
