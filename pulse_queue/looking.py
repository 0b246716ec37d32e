"""What is only looked at: kinds, groups, tasks, locks, one entry. Pure.

Lists that grow (entries, history) come in pages, which the host makes of the fold.
"""

from shotline.common.messages import Outcome
from shotline.common.queue import commands as q
from shotline.common.queue.kinds import FunctionView, KindView, PlanKind, schema_of
from shotline.common.queue.plans import HistoryItem
from shotline.common.queue.views import (
    QueueAllowedResult,
    QueueKindsResult,
    QueueTasksResult,
    RefusalCode,
)
from shotline.pulse_queue import locks
from shotline.pulse_queue.core import QueueCore
from shotline.pulse_queue.editing import Editing
from shotline.pulse_queue.events import QueueAnswer
from shotline.pulse_queue.groups import fits, group_named, groups_of, those_that_fit
from shotline.pulse_queue.refusal import QueueRefusal
from shotline.pulse_queue.telling import Telling


class Looking:
    """Answers questions."""

    def __init__(
        self, core: QueueCore, editing: Editing, keeper: locks.Locks, telling: Telling
    ) -> None:
        self._core = core
        self._editing = editing
        self._locks = keeper
        self._telling = telling

    def answer(self, command: q.AnyQueueCommand) -> QueueAnswer:
        """Answer a question."""
        match command:
            case q.QueueGet():
                return self._editing.get(command)
            case q.QueueKinds():
                return self._kinds()
            case q.QueueAllowed():
                return self._allowed(command)
            case q.QueueTasks():
                return self._tasks(command)
            case q.QueueLockInfo():
                return self._locks.info(command)
            case _:
                return self._telling.status()

    def history(self, command: q.QueueHistory) -> tuple[HistoryItem, ...]:
        """Return the items that are asked for, the latest last."""
        fold = self._core.fold
        items = list(fold.history)
        if not command.all:
            hidden = fold.history_hidden - (fold.history_total - len(items))
            items = items[max(hidden, 0) :]
        if command.uid is not None:
            items = [one for one in items if one.entry.uid == command.uid]
            if not items:
                text = f"the history has no entry {command.uid}"
                raise QueueRefusal(RefusalCode.UNKNOWN_ENTRY, text)
        return tuple(items[-command.last :] if command.last else items)

    def kind_views(self) -> tuple[KindView, ...]:
        """Return the kinds as they are told."""
        views = []
        for name, kind in sorted(self._core.kinds.items()):
            catalog = self._core.world.catalog(kind.experiment) if kind.experiment else None
            known = catalog.phases if catalog is not None else ()
            views.append(
                KindView(
                    name=name, kind=kind, parameters_schema=schema_of(kind), phases_known=known
                )
            )
        return tuple(views)

    def _kinds(self) -> QueueAnswer:
        result = QueueKindsResult(
            version=self._core.fold.versions.kinds,
            kinds=self.kind_views(),
            kinds_only=self._core.config.queue.kinds_only,
        )
        return QueueAnswer(Outcome.OK, "", result)

    def _allowed(self, command: q.QueueAllowed) -> QueueAnswer:
        core = self._core
        name, group = group_named(core, command.group)
        catalogs = [core.world.catalog(tree) for tree in core.config.experiments]
        classes = {
            one
            for catalog in catalogs
            if catalog is not None
            for names in catalog.classes.values()
            for one in names
        }
        functions = those_that_fit(group.functions, core.config.queue.functions)
        result = QueueAllowedResult(
            version=core.fold.versions.groups,
            group=name,
            groups=dict(groups_of(core)),
            kinds=tuple(one for one in self.kind_views() if fits(group.kinds, one.name)),
            experiments=those_that_fit(group.experiments, core.config.experiments),
            classes=those_that_fit(group.classes, classes | core.world.served()),
            functions=functions,
            function_views=tuple(self._function(name) for name in functions),
        )
        return QueueAnswer(Outcome.OK, "", result)

    def _function(self, name: str) -> FunctionView:
        function = self._core.config.queue.functions[name]
        declared = function.parameters
        return FunctionView(
            name=name,
            description=function.description,
            server_class=function.server_class,
            timeout_s=function.timeout_s,
            parameters_schema=None
            if declared is None
            else schema_of(PlanKind(parameters=declared)),
        )

    def _tasks(self, command: q.QueueTasks) -> QueueAnswer:
        fold = self._core.fold
        uids = tuple(fold.tasks) if command.uids is None else command.uids
        missing = [uid for uid in uids if uid not in fold.tasks]
        if missing:
            text = f"no task {missing[0]} is known; results are kept for a while only"
            raise QueueRefusal(RefusalCode.UNKNOWN_TASK, text)
        tasks = tuple(fold.tasks[uid] for uid in uids)
        return QueueAnswer(
            Outcome.OK, "", QueueTasksResult(version=fold.versions.tasks, tasks=tasks)
        )
