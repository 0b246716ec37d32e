"""The kinds of tasks: what each does, and what its end means. Runs in the worker process.

* python: what it returns, raises or leaves with, as `outcomes` says.
* shell: exit code 0 is success.
* sleep: success.
* mdsplus: what `do_task` returns, natively or through the mdsip server.
"""

import importlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import structs

from shotline.action_server import kernel
from shotline.action_server.task import outcomes
from shotline.action_server.task.channel import Job
from shotline.action_server.task.limits import TaskLimiter
from shotline.common.actions import AttemptId
from shotline.common.base import Json
from shotline.common.codec import describe
from shotline.common.errors import LocalError
from shotline.common.nodes import MdsplusTask, PythonTask, ShellTask, SleepTask, Task, TaskOutcome
from shotline.trees.tree import ConnectionLost, UrlBusy

if TYPE_CHECKING:
    from shotline.trees.mdsip_client import KeeperExecutor
    from shotline.trees.mdsplus import NativeConnection

_TASK: Final[msgspec.json.Decoder[Task]] = msgspec.json.Decoder(Task)
_KNOWN_MAX: Final = 256
_KNOWN_BYTES_MAX: Final = 4096  # of one task that is remembered


_Perform = Callable[[Job, int], TaskOutcome]
_OURS: Final = Path(__file__).resolve()
_known: Final[dict[bytes, _Perform]] = {}


def perform(job: Job, progress: int, limits: TaskLimiter) -> TaskOutcome:
    """Run the job's task to its end within its limits, whatever it raises.

    `progress` is the descriptor that programs inherit for their reports. Raise ConnectionLost or
    UrlBusy when nothing is known of the task's end, or it was not started.
    """
    run = _known.get(job.task)
    if run is None:
        try:
            run = _understood(job.task, limits)
        except ValueError as error:
            return TaskOutcome(ok=False, text=f"the task cannot be understood: {describe(error)}")
    try:
        with limits:
            return run(job, progress)
    except (ConnectionLost, UrlBusy):
        raise
    except SystemExit as leaving:
        return outcomes.of_exit(leaving.code)
    except BaseException as error:  # noqa: BLE001 (a task may raise anything)
        result = outcomes.of_error(error, _OURS)
        return structs.replace(result, text=result.text + limits.after_error(error))


def _understood(data: bytes, limits: TaskLimiter) -> _Perform:
    """Return how a task is run. Remembered where nothing in it can be changed by running it."""
    task = _TASK.decode(data)
    is_constant = True
    run: _Perform
    match task:
        case PythonTask():
            module, _, path = task.callable.partition(":")
            run = partial(_call, module, tuple(path.split(".")), task.arguments)
            is_constant = not any(isinstance(one, list | dict) for one in task.arguments.values())
        case ShellTask():
            run = partial(_run_program, task, limits)
        case SleepTask():
            run = partial(_sleep, task.seconds)
        case MdsplusTask():
            run = _do_mdsplus
    if is_constant and len(data) <= _KNOWN_BYTES_MAX:
        if len(_known) >= _KNOWN_MAX:
            _known.clear()
        _known[data] = run
    return run


def _call(
    module: str,
    path: tuple[str, ...],
    arguments: Mapping[str, Json],
    _job: Job,
    _progress: int,
) -> TaskOutcome:
    found: object = sys.modules.get(module) or importlib.import_module(module)
    for name in path:
        found = getattr(found, name)
    if not callable(found):
        raise TypeError(f"{module}:{'.'.join(path)} is not callable")
    return outcomes.of_value(found(**arguments))


def _run_program(task: ShellTask, limits: TaskLimiter, _job: Job, progress: int) -> TaskOutcome:
    program = task.arguments[0]
    environment = {**os.environ, **task.environment}
    try:
        with subprocess.Popen(
            task.arguments,
            stdin=subprocess.DEVNULL,
            cwd=task.directory,
            env=environment,
            pass_fds=(progress,),
        ) as process:
            limits.started(process.pid)
            code = process.wait()
    except (OSError, ValueError) as error:
        where = f" in {task.directory}" if task.directory else ""
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        text = f"cannot start {program}{where}: {words}{limits.after_error(error)}"
        return TaskOutcome(ok=False, text=text)
    if code == 0:
        return TaskOutcome(ok=True, code=0)
    how = f"killed by {kernel.signal_name(-code)}" if code < 0 else f"exit code {code}"
    return TaskOutcome(ok=False, code=code, text=how + limits.after_exit(code))


def _sleep(seconds: float, _job: Job, _progress: int) -> TaskOutcome:
    time.sleep(seconds)
    return outcomes.SUCCESS


def _do_mdsplus(job: Job, _progress: int) -> TaskOutcome:
    execute = (_native() if job.url is None else _keeper(job.url, job)).execute
    return execute(AttemptId(job.tree, job.shot, job.path, job.number))


# Imported only where they are needed: most workers never see an MDSplus task.
def _keeper(url: str, job: Job) -> "KeeperExecutor":
    from shotline.trees.mdsip_client import KeeperExecutor

    if importlib.util.find_spec("mdsthin") is None:
        raise LocalError(
            f"this action runs on the mdsip server at {url}, which needs mdsthin here: "
            "pip install 'shotline[mdsip]'"
        )
    if job.keeper is None:
        raise LocalError(f"no keeper could be started for {url}; see the server's log")
    return KeeperExecutor(url, Path(job.keeper), url_wait_s=job.url_wait_s)


@cache
def _native() -> "NativeConnection":
    try:
        from shotline.trees.mdsplus import NativeConnection
    except ImportError as error:
        raise LocalError(
            f"this worker cannot run MDSplus tasks: {error}; install what is missing, or name an "
            "mdsip server (`mdsip_url`)"
        ) from error
    return NativeConnection()
