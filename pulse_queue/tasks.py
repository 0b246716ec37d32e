"""Tasks: functions of the configuration that somebody has run, and what came of them. Pure."""

import json
from typing import Final

from msgspec import structs

from shotline.common import commands as c
from shotline.common.base import Json
from shotline.common.messages import Outcome
from shotline.common.queue import commands as q
from shotline.common.queue.kinds import PlanKind, problems, values_of
from shotline.common.queue.records import QueueTask, TaskChanged, TasksForgotten, TaskState
from shotline.common.queue.views import QueueTasksResult, RefusalCode
from shotline.pulse_queue.core import QueueCore, uid_of
from shotline.pulse_queue.events import CommandAnswered, FunctionEnded, QueueAnswer
from shotline.pulse_queue.groups import group_named, require_fit
from shotline.pulse_queue.refusal import QueueRefusal
from shotline.pulse_queue.table import require

_PREFIX: Final = "queue-task-"


class Tasks:
    """Runs functions, and keeps their results for a while."""

    def __init__(self, core: QueueCore) -> None:
        self._core = core

    def begin(self, command_id: str, command: q.QueueRunTask, user: str) -> QueueTask:
        """Begin a task. Raise QueueRefusal."""
        core = self._core
        require("background_task" if command.background else "task", core.fold)
        name, group = group_named(core, command.group)
        known = core.config.queue.functions
        if command.function not in known:
            listed = ", ".join(sorted(known)) or "none is configured"
            text = f"unknown function {command.function}; known: {listed}"
            raise QueueRefusal(RefusalCode.UNKNOWN_FUNCTION, text)
        require_fit(group.functions, command.function, "the function", name)
        positional, arguments = self._arguments(command)
        task = QueueTask(
            uid=uid_of(command_id, taken=core.fold.tasks),
            function=command.function,
            positional=positional,
            arguments=arguments,
            user=user,
            group=command.group,
            background=command.background,
            began_at=core.wall,
        )
        core.put(TaskChanged(time=core.wall, by=user, task=task))
        self._give(task)
        return task

    def _arguments(self, command: q.QueueRunTask) -> tuple[tuple[Json, ...], dict[str, Json]]:
        """Return the arguments that count, by position and by name. Raise QueueRefusal.

        Where it is declared which there are, all go by name.
        """
        declared = self._core.config.queue.functions[command.function].parameters
        if declared is None:
            return command.positional, command.arguments
        given = dict(zip(declared, command.positional, strict=False))
        twice = ", ".join(given.keys() & command.arguments)
        if twice or len(given) < len(command.positional):
            text = f"it has the parameters {', '.join(declared)}, and no more"
            text = f"{twice} is given by position and by name" if twice else text
            raise QueueRefusal(RefusalCode.BAD_PARAMETER, f"{command.function}: {text}")
        given |= command.arguments
        kind = PlanKind(parameters=declared)
        for wrong in problems(kind, given):
            raise QueueRefusal(RefusalCode.BAD_PARAMETER, f"{command.function}: {wrong}")
        return (), values_of(kind, given)

    def _give(self, task: QueueTask) -> None:
        command = c.RunFunction(
            function=task.function, positional=task.positional, arguments=task.arguments
        )
        self._core.give(_PREFIX + task.uid, command)

    def recovered(self) -> None:
        """Give again what was under way; a function that was begun is not begun again."""
        for task in self._core.fold.tasks.values():
            if task.state is TaskState.RUNNING:
                self._give(task)

    def answered(self, answered: CommandAnswered) -> bool:
        """Take the answer to a task's command, which tells only of refusals."""
        if not answered.command.startswith(_PREFIX):
            return False
        if answered.outcome is not Outcome.OK:
            self.ended(FunctionEnded(answered.command, ok=False, text=answered.message))
        return True

    def ended(self, ended: FunctionEnded) -> None:
        """Take the end of a function."""
        core = self._core
        task = core.fold.tasks.get(ended.command.removeprefix(_PREFIX))
        if task is None or task.state is not TaskState.RUNNING:
            return
        value, message = None, ended.text
        if ended.ok:
            try:
                value, message = json.loads(ended.text), ""
            except ValueError:
                value = ended.text
        done = structs.replace(
            task,
            state=TaskState.COMPLETED if ended.ok else TaskState.FAILED,
            value=value,
            message=message[:8000],
            server=ended.server,
            ended_at=core.wall,
            duration_s=ended.duration_s,
        )
        core.put(TaskChanged(time=core.wall, task=done))

    def forget_old(self) -> None:
        """Forget results that were kept long enough."""
        core = self._core
        before = core.wall - core.config.queue.task_results_s
        tasks = core.fold.tasks.values()
        old = tuple(one.uid for one in tasks if one.ended_at is not None and one.ended_at < before)
        if old:
            core.put(TasksForgotten(time=core.wall, uids=old))

    @property
    def keep_plans_waiting(self) -> bool:
        """Whether a task runs that no plan may run beside."""
        return any(
            one.state is TaskState.RUNNING and not one.background
            for one in self._core.fold.tasks.values()
        )

    def answer(self, uid: str, text: str = "") -> QueueAnswer:
        """Return a task as it stands."""
        task = self._core.fold.tasks[uid]
        outcome = Outcome.FAILED if task.state is TaskState.FAILED else Outcome.OK
        words = text or f"{task.function} has {task.state.value}"
        if task.message:
            words += f": {task.message}"
        result = QueueTasksResult(version=self._core.fold.versions.tasks, tasks=(task,))
        return QueueAnswer(outcome, words, result)
