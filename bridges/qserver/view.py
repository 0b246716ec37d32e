"""The queue as this bridge knows it from the event feed, and the status made of that. Pure.

What clients ask for most is answered from here, without a question to anybody.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from msgspec import structs

from shotline.bridges.qserver.asking import Body
from shotline.bridges.qserver.items import run_uid
from shotline.common.base import Json
from shotline.common.queue.fold import QueueFold
from shotline.common.queue.kinds import KindView
from shotline.common.queue.plans import Entry
from shotline.common.queue.records import (
    TASKS,
    EnvironmentState,
    QueueGroup,
    QueueRecord,
    QueueTask,
    TaskState,
    Versions,
)
from shotline.common.queue.views import (
    ProgressView,
    QueueAllowedResult,
    QueueEntriesResult,
    QueueEvent,
    QueueLockResult,
    QueueSnapshot,
    QueueState,
    QueueStatusResult,
    QueueTasksResult,
    QueueView,
)
from shotline.common.records import ShotKey
from shotline.common.views import AnyResult

RELOADS_MAX: Final = 100
VERSION: Final = "0.0.25"  # of the queue server whose wire this is
_ENVIRONMENT: Final = {
    EnvironmentState.OPENING: "creating_environment",
    EnvironmentState.CLOSING: "closing_environment",
    EnvironmentState.DESTROYING: "destroying_environment",
    EnvironmentState.RELOADING: "executing_task",
}
_OPEN: Final = frozenset(
    {
        EnvironmentState.OPEN,
        EnvironmentState.CLOSING,
        EnvironmentState.DESTROYING,
        EnvironmentState.RELOADING,
    }
)
_WORKERS: Final = {
    EnvironmentState.CLOSED: "closed",
    EnvironmentState.FAILED: "failed",
    EnvironmentState.OPENING: "initializing",
    EnvironmentState.CLOSING: "closing",
    EnvironmentState.DESTROYING: "closing",
    EnvironmentState.RELOADING: "executing_task",
}


class View:
    """What is known of the queue."""

    def __init__(self) -> None:
        self.fold = QueueFold()
        self.queue: QueueView | None = None  # None: nothing is known (yet, or any more)
        self.progress: ProgressView | None = None
        self.kinds: dict[str, KindView] = {}
        self.learned: tuple[int, int] | None = None  # for which versions kinds and groups are
        self._order_told = (-1, "")
        self.groups: Mapping[str, QueueGroup] | None = None  # None: not known
        self.reloads: dict[str, QueueTask] = {}  # of the environment, by their uids
        self._lists_read = 0  # times

    # What is told

    def begin(self, snapshot: QueueSnapshot) -> None:
        """Take the whole state."""
        self.fold = QueueFold()
        self.fold.apply(snapshot.kept)
        self.fold.history.extend(snapshot.history)
        self._order_told = (-1, "")
        self.queue = snapshot.queue
        self._end_reload()

    def take(self, event: QueueEvent) -> tuple[QueueRecord, ...]:
        """Take news; return what has happened."""
        for record in event.records:
            self.fold.apply(record)
            self._end_reload()
        if event.queue is not None:
            self.queue = event.queue
        self.progress = event.progress
        return event.records

    def reload_begun(self) -> str:
        """Keep the environment's last order, a reload, as the task that it is to clients."""
        task = self._keep(self.fold.environment_command, TaskState.RUNNING)
        self._end_reload()
        return task.uid

    def lists_read(self) -> str:
        """Keep as a task, done already, that only the lists were read anew."""
        self._lists_read += 1
        return self._keep(f"lists-{self._lists_read}", TaskState.COMPLETED).uid

    def _keep(self, uid: str, state: TaskState) -> QueueTask:
        at = self.fold.last_at or 0.0
        ended_at = None if state is TaskState.RUNNING else at
        task = QueueTask(uid=uid, function="reload", state=state, began_at=at, ended_at=ended_at)
        self.reloads[uid] = task
        for old in list(self.reloads)[:-RELOADS_MAX]:
            del self.reloads[old]
        return task

    def _end_reload(self) -> None:
        fold = self.fold
        task = self.reloads.get(fold.environment_command)
        if (
            task is None
            or task.state is not TaskState.RUNNING
            or fold.environment is EnvironmentState.RELOADING
        ):
            return
        is_open = fold.environment is EnvironmentState.OPEN
        bad = [f"{one.server}: {one.text}" for one in fold.servers if one.state != "ready"]
        self.reloads[task.uid] = structs.replace(
            task,
            state=TaskState.COMPLETED if is_open else TaskState.FAILED,
            message="; ".join(bad),
            ended_at=fold.last_at or task.began_at,
        )

    def task(self, uid: str) -> QueueTask | None:
        """Return a task of somebody's, or a reload of the environment."""
        return self.fold.tasks.get(uid) or self.reloads.get(uid)

    def forget(self) -> None:
        """Shotline is away: what was known may be true no longer."""
        self.queue = None

    def has(self, result: AnyResult | None) -> bool:
        """Return whether what an answer tells of is known here already."""
        here = self.fold.versions
        match result:
            case QueueStatusResult(queue=queue):
                return _reaches(here, queue.versions)
            case QueueEntriesResult(version=version):
                return here.queue >= version
            case QueueLockResult(version=version):
                return here.lock >= version
            case QueueTasksResult(version=version):
                return here.tasks >= version
            case QueueAllowedResult():
                return here.groups >= result.version
            case _:
                return True

    # What is asked

    @property
    def known(self) -> bool:
        """Whether the queue is followed."""
        return self.queue is not None

    @property
    def state(self) -> QueueState:
        """What the queue does."""
        return self.queue.state if self.queue is not None else QueueState.IDLE

    @property
    def running(self) -> Entry | None:
        """The running entry."""
        return self.fold.running.entry if self.fold.running is not None else None

    def is_queues(self, key: ShotKey) -> bool:
        """Return whether a shot is that of the running plan, or a task's."""
        running = self.fold.running
        return key.tree == TASKS or (running is not None and key == (running.tree, running.shot))

    @property
    def order(self) -> list[str]:
        """The uids of the queue."""
        return self.fold.order

    @property
    def entries(self) -> Iterable[Entry]:
        """The entries of the queue."""
        return (self.fold.entries[uid] for uid in self.fold.order)

    @property
    def environment(self) -> EnvironmentState:
        """How the environment stands; it is there where none is required and nobody closed it."""
        queue, state = self.queue, self.fold.environment
        is_required = queue is None or queue.environment.required
        if state is EnvironmentState.CLOSED and not is_required and not self.fold.servers:
            return EnvironmentState.OPEN
        return state

    @property
    def environment_exists(self) -> bool:
        """Whether the workers are there."""
        return self.environment in _OPEN

    @property
    def manager_state(self) -> str:
        """What a manager would do."""
        if self.queue is None:
            return "initializing"
        if self.state is QueueState.PAUSED:
            return "paused"
        if self.state is not QueueState.IDLE and (self.running or not self.fold.modes.autostart):
            return "executing_queue"
        if self.environment in _ENVIRONMENT:
            return _ENVIRONMENT[self.environment]
        return "executing_task" if self._tasks(background=False) else "idle"

    @property
    def re_state(self) -> str | None:
        """What a run engine would do; None where there is no environment."""
        if not self.environment_exists:
            return None
        if self.running is None:
            return "idle"
        return "paused" if self.state is QueueState.PAUSED else "running"

    @property
    def worker_state(self) -> str:
        """What a worker would do."""
        environment = self.environment
        if environment is not EnvironmentState.OPEN:
            return _WORKERS[environment]
        if self.running is not None:
            return "idle" if self.state is QueueState.PAUSED else "executing_plan"
        return "executing_task" if self._tasks(background=False) else "idle"

    def _tasks(self, *, background: bool) -> int:
        return sum(
            task.state is TaskState.RUNNING and task.background is background
            for task in self.fold.tasks.values()
        )

    @property
    def items_in_history(self) -> int:
        """Ended plans that are shown."""
        return self.queue.history if self.queue is not None else 0

    # Which change with what they name

    @property
    def queue_uid(self) -> str:
        """Of the queue, with the running item.

        The entries' uids are in it, so that the same version of another journal is another one.
        """
        version, running = self.fold.versions.queue, self.running
        if self._order_told[0] != version:
            self._order_told = version, _digest(self.fold.order)[:8]
        of_order = self._order_told[1]
        return f"queue-{version}-{of_order}-{running.uid if running is not None else ''}"

    @property
    def history_uid(self) -> str:
        """Of the history."""
        items = self.fold.history
        return f"history-{self.fold.versions.history}-{items[-1].entry.uid if items else ''}"

    @property
    def runs_uid(self) -> str:
        """Of the running plan's runs."""
        return f"runs-{_digest(self.runs())}"

    @property
    def kinds_uid(self) -> str:
        """Of what plans there are."""
        return f"kinds-{self.fold.versions.kinds}"

    @property
    def allowed_uid(self) -> str:
        """Of what groups may use."""
        return f"allowed-{self.fold.versions.kinds}-{self.fold.versions.groups}"

    @property
    def tasks_uid(self) -> str:
        """Of the tasks' results."""
        return f"tasks-{self.fold.versions.tasks}-{self.fold.versions.environment}"

    @property
    def lock_uid(self) -> str:
        """Of the lock."""
        at = self.fold.lock.time if self.fold.lock is not None else ""
        return f"lock-{self.fold.versions.lock}-{at}"

    def runs(self) -> list[Body]:
        """Return the runs of the running plan."""
        running = self.fold.running
        if running is None:
            return []
        done = [(one, False) for one in running.runs]
        if running.run is not None:
            done.append((running.run, True))
        return [
            {
                "uid": run_uid(one.tree, one.shot, one.run),
                "scan_id": one.shot,
                "is_open": is_open,
                "exit_status": None if is_open else "success" if not one.failed else "fail",
            }
            for one, is_open in done
        ]

    def lock_told(self) -> Body:
        """Return the lock as clients know it."""
        lock = self.queue.lock if self.queue is not None else None
        told: Body = {
            "environment": False,
            "queue": False,
            "user": None,
            "time": None,
            "time_str": "",
            "note": None,
            "emergency_lock_key_is_set": self.queue is not None and self.queue.emergency_key_set,
        }
        if lock is not None:
            time = datetime.fromtimestamp(lock.time, UTC).astimezone()
            told |= {
                "environment": lock.environment,
                "queue": lock.queue,
                "user": lock.user,
                "time": lock.time,
                "time_str": time.strftime("%m/%d/%Y %H:%M:%S"),
                "note": lock.note or None,
            }
        return told

    # The status

    def status(self, now: float) -> Body:
        """Return the status; `now` is wall time."""
        body = self._status()
        time = datetime.fromtimestamp(now, UTC).isoformat()
        return {**body, "time": time, "status_uid": _digest(body)}

    def _status(self) -> Body:
        fold, queue = self.fold, self.queue
        running = self.running
        lock = queue.lock if queue is not None else None
        words = "" if queue is not None else "; Shotline does not answer"
        return {
            "msg": f"RE Manager v{VERSION}{words}",
            "manager_state": self.manager_state,
            "items_in_queue": len(fold.order),
            "items_in_history": self.items_in_history,
            "running_item_uid": running.uid if running is not None else None,
            "queue_stop_pending": fold.stop_pending,
            "queue_autostart_enabled": fold.modes.autostart,
            "pause_pending": queue is not None and queue.pause_pending,
            "worker_environment_exists": self.environment_exists,
            "worker_environment_state": self.worker_state,
            "worker_background_tasks": self._tasks(background=True),
            "re_state": self.re_state,
            "ip_kernel_state": "disabled" if self.environment_exists else None,
            "ip_kernel_captured": True if self.environment_exists else None,
            "plan_queue_mode": {
                "loop": fold.modes.loop,
                "ignore_failures": fold.modes.ignore_failures,
            },
            "plan_queue_uid": self.queue_uid,
            "plan_history_uid": self.history_uid,
            "run_list_uid": self.runs_uid,
            "plans_existing_uid": self.kinds_uid,
            "devices_existing_uid": self.kinds_uid,
            "plans_allowed_uid": self.allowed_uid,
            "devices_allowed_uid": self.allowed_uid,
            "task_results_uid": self.tasks_uid,
            "lock_info_uid": self.lock_uid,
            "lock": {
                "environment": lock is not None and lock.environment,
                "queue": lock is not None and lock.queue,
            },
        }


def _reaches(here: Versions, there: Versions) -> bool:
    return here.status >= there.status


def _digest(value: Json) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:32]
