"""The worker process: executes one task after the other. Started by the action server only.

Descriptors 1 and 2 are pipes that the server reads. Nothing here knows sockets of the broker,
timeouts or aborts: the server ends the process group instead.

What a task finds: its environment has SHOTLINE_TREE, SHOTLINE_SHOT, SHOTLINE_PATH,
SHOTLINE_ATTEMPT, and SHOTLINE_SHOT_DIR where the pulse has a folder, which then is the current
folder, too. What it changes of environment, current folder, signal handlers and standard streams
is put back after it. Processes that it leaves behind are ended, with a note in its output.

How a task ends:

* python: None or True is success, False is failure, an int is an MDSplus status (odd is success),
  `sys.exit` is as for a program; any other value is success, a string is shown. An exception is
  failure: `ValueError: …`, its traceback goes to standard error.
* shell: exit code 0 is success.
* sleep: success.
* mdsplus: what `do_task` returns, natively or through the mdsip server.
"""

import contextlib
import faulthandler
import importlib
import importlib.util
import io
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TextIO

from pydantic import JsonValue, TypeAdapter, ValidationError

from shotline.action_server import kernel
from shotline.action_server.channel import Ended, Job, Ready, Unpacker, pack
from shotline.action_server.progress import DESCRIPTOR_VARIABLE
from shotline.common.actions import AttemptId
from shotline.common.codec import describe
from shotline.common.errors import LocalError
from shotline.trees.tree import (
    ConnectionLost,
    MdsplusTask,
    Outcome,
    PythonTask,
    ShellTask,
    SleepTask,
    Task,
    UrlBusy,
)

LEFTOVER_GRACE_S: Final = 0.5
_LEFTOVER_POLL_S: Final = 0.005
_TEXT_MAX: Final = 4096
_JOB_BYTES: Final = 64 * 1024  # at once; a larger buffer would be mapped and unmapped each time
_TASK: Final[TypeAdapter[Task]] = TypeAdapter(Task)
TASK_VARIABLES: Final = (
    "SHOTLINE_TREE",
    "SHOTLINE_SHOT",
    "SHOTLINE_PATH",
    "SHOTLINE_ATTEMPT",
    "SHOTLINE_SHOT_DIR",
)
"""What tells a task which attempt it is; set before it, and gone after it."""

_HANDLED_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)


def main(arguments: list[str]) -> int:
    """Serve jobs until the server closes the control channel; `worker_start` calls it.

    Arguments: the descriptors of the control channel, the lifeline and the reports of progress.
    """
    control_descriptor, lifeline, progress_descriptor = map(int, arguments)
    kernel.adopt_orphans()
    kernel.buffer_c_output_by_lines()
    for descriptor in (control_descriptor, lifeline):
        os.set_inheritable(descriptor, False)
    os.set_blocking(progress_descriptor, False)
    for number in _HANDLED_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    surroundings = _Surroundings.now(progress_descriptor)
    surroundings.restore()
    faulthandler.enable(file=2)
    control = socket.socket(fileno=control_descriptor)
    control.sendall(pack(Ready(os.getpid())))
    unpacker = Unpacker()
    # A bare recv would wake up a second time for each job, when the server takes our answer.
    arrival = select.poll()
    arrival.register(control, select.POLLIN)
    while arrival.poll() and (data := control.recv(_JOB_BYTES)):
        for frame in unpacker.feed(data):
            if isinstance(frame, Job):
                control.sendall(pack(execute(frame, surroundings)))
    return 0


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What every task finds as if it were the first."""

    environment: dict[str, str]
    encoded: dict[bytes, bytes]  # it as `os.environ` keeps it, to be compared 30 times faster
    folder: str
    output: int  # copies of descriptors 1 and 2
    errors: int
    mask: int
    progress: int

    @classmethod
    def now(cls, progress: int) -> "_Surroundings":
        for name in TASK_VARIABLES:
            os.environ.pop(name, None)
        os.environ["PYTHONUNBUFFERED"] = "1"  # for the Python programs that a task starts
        os.environ[DESCRIPTOR_VARIABLE] = str(progress)
        encoded = dict(vars(os.environ)["_data"])
        mask = os.umask(0o022)
        os.umask(mask)
        output, errors = (os.dup(descriptor) for descriptor in (1, 2))
        return cls(dict(os.environ), encoded, str(Path.cwd()), output, errors, mask, progress)

    def restore(self) -> None:
        """Put descriptors, streams, signals, environment and folder back."""
        os.dup2(self.output, 1)
        os.dup2(self.errors, 2)
        if not _is_ours(sys.stdout, 1):
            sys.stdout = _stream(1)
        if not _is_ours(sys.stderr, 2):
            sys.stderr = _stream(2)
        for number in _HANDLED_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)
        signal.alarm(0)
        for name in TASK_VARIABLES:
            os.environ.pop(name, None)
        if vars(os.environ)["_data"] != self.encoded:
            os.environ.clear()
            os.environ.update(self.environment)
        os.umask(self.mask)
        with contextlib.suppress(OSError):
            os.chdir(self.folder)


def _stream(descriptor: int) -> TextIO:
    """Return a text stream that is written at each line end and takes any string."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw), "utf-8", errors="backslashreplace", line_buffering=True
    )


def _is_ours(stream: TextIO | None, descriptor: int) -> bool:
    try:
        return (
            stream is not None
            and stream.fileno() == descriptor
            and stream.errors == "backslashreplace"
            and getattr(stream, "line_buffering", False) is True
        )
    except (AttributeError, OSError, ValueError):  # closed, or no file at all
        return False


def execute(job: Job, surroundings: _Surroundings) -> Ended:
    """Execute one task and clean up behind it."""
    worker = os.getpid()
    threads = set(threading.enumerate())
    is_lost = is_busy = False
    try:
        outcome = _outcome_of(job, surroundings)
    except ConnectionLost as error:
        outcome, is_lost = Outcome(ok=False, text=str(error)), True
    except UrlBusy as error:
        outcome, is_busy = Outcome(ok=False, text=str(error)), True
    if os.getpid() != worker:
        # The task has forked and its child came back out of it: it is not the worker.
        _flush()
        os._exit(0)
    _flush()
    notes = _end_leftovers()
    left = {thread for thread in threading.enumerate() if _runs(thread)} - threads
    if left:
        names = ", ".join(sorted(thread.name for thread in left))
        notes.append(f"[the task left threads running ({names}); its worker process is replaced]")
    surroundings.restore()
    return Ended(
        outcome.ok,
        outcome.code,
        outcome.text[:_TEXT_MAX],
        is_lost,
        tuple(notes),
        bool(left),
        is_busy,
    )


def _runs(thread: threading.Thread) -> bool:
    """Return whether a thread is there; one that C made, as MDSplus does, is listed for ever."""
    return (
        not isinstance(thread, threading._DummyThread)
        or Path(f"/proc/self/task/{thread.native_id}").exists()
    )


def _outcome_of(job: Job, surroundings: _Surroundings) -> Outcome:
    try:
        task = _TASK.validate_json(job.task)
    except ValidationError as error:
        return Outcome(ok=False, text=f"the task cannot be understood: {describe(error)}")
    os.environ["SHOTLINE_TREE"] = job.tree
    os.environ["SHOTLINE_SHOT"] = str(job.shot)
    os.environ["SHOTLINE_PATH"] = job.path
    os.environ["SHOTLINE_ATTEMPT"] = str(job.number)
    if job.folder is not None:
        os.environ["SHOTLINE_SHOT_DIR"] = job.folder
        with contextlib.suppress(OSError):
            os.chdir(job.folder)
    if isinstance(task, PythonTask):
        return _guarded(lambda: _value_in_words(_call(task)))
    if isinstance(task, ShellTask):
        return _guarded(lambda: _run_program(task, surroundings.progress))
    if isinstance(task, SleepTask):
        return _guarded(lambda: _sleep(task))
    return _guarded(lambda: _do_mdsplus(task, job))


def _guarded(run: Callable[[], Outcome]) -> Outcome:
    """Return what a task's code came to, whatever it raises."""
    try:
        return run()
    except (ConnectionLost, UrlBusy):
        raise
    except SystemExit as leaving:
        return _exit_in_words(leaving.code)
    except BaseException as error:  # noqa: BLE001 (a task may raise anything)
        # The first frames are ours and tell its author nothing.
        ours = Path(__file__).resolve()
        frames = error.__traceback__
        while frames is not None and Path(frames.tb_frame.f_code.co_filename).resolve() == ours:
            frames = frames.tb_next
        with contextlib.suppress(OSError, ValueError):
            traceback.print_exception(type(error), error, frames)
        return Outcome(ok=False, text="".join(traceback.format_exception_only(error)).strip())


def _call(task: PythonTask) -> JsonValue | object:
    module_name, _, attribute_path = task.callable.partition(":")
    found: object = importlib.import_module(module_name)
    for name in attribute_path.split("."):
        found = getattr(found, name)
    if not callable(found):
        raise TypeError(f"{task.callable} is not callable")
    value: object = found(**task.arguments)
    return value


def _value_in_words(value: object) -> Outcome:
    if value is None or value is True:
        return Outcome(ok=True)
    if value is False:
        return Outcome(ok=False, text="returned False")
    if isinstance(value, int):
        ok = bool(value & 1)
        return Outcome(ok=ok, code=value, text="" if ok else f"returned the even status {value}")
    return Outcome(ok=True, text=value if isinstance(value, str) else "")


def _exit_in_words(code: object) -> Outcome:
    if code is None or code == 0:
        return Outcome(ok=True, code=0)
    if isinstance(code, int):
        return Outcome(ok=False, code=code, text=f"exit code {code}")
    return Outcome(ok=False, code=1, text=str(code))


def _run_program(task: ShellTask, progress: int) -> Outcome:
    program = task.arguments[0]
    environment = {**os.environ, **task.environment}
    try:
        code = subprocess.call(
            task.arguments,
            stdin=subprocess.DEVNULL,
            cwd=task.directory,
            env=environment,
            pass_fds=(progress,),
        )
    except (OSError, ValueError) as error:
        where = f" in {task.directory}" if task.directory else ""
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Outcome(ok=False, text=f"cannot start {program}{where}: {words}")
    if code < 0:
        return Outcome(ok=False, code=code, text=f"killed by {kernel.signal_name(-code)}")
    return Outcome(ok=code == 0, code=code, text="" if code == 0 else f"exit code {code}")


def _sleep(task: SleepTask) -> Outcome:
    time.sleep(task.seconds)
    return Outcome(ok=True)


class _Executor(Protocol):
    """What runs MDSplus tasks."""

    def execute(self, task: MdsplusTask, attempt: AttemptId) -> Outcome:
        """Run the task to its end. Raise ConnectionLost when its outcome is unknown."""


_executors: Final[dict[str, _Executor]] = {}


def _do_mdsplus(task: MdsplusTask, job: Job) -> Outcome:
    executor = _mdsip_executor(job) if job.url is not None else _native_executor()
    return executor.execute(task, AttemptId(job.tree, job.shot, job.path, job.number))


# Imported only where they are needed: most workers never see an MDSplus task.
def _mdsip_executor(job: Job) -> _Executor:
    from shotline.trees.mdsip_client import KeeperExecutor

    if importlib.util.find_spec("mdsthin") is None:
        raise LocalError(
            f"this action runs on the mdsip server at {job.url}, which needs mdsthin here: "
            "pip install 'shotline[mdsip]'"
        )
    if job.url is None or job.keeper is None:
        raise LocalError(f"no keeper could be started for {job.url}; see the server's log")
    return KeeperExecutor(job.url, Path(job.keeper), url_wait_s=job.url_wait_s)


def _native_executor() -> _Executor:
    try:
        if "native" not in _executors:
            module = importlib.import_module("shotline.trees.mdsplus")
            _executors["native"] = module.MdsplusExecutor()
    except ImportError as error:
        raise LocalError(
            f"this worker cannot run MDSplus tasks: {error}; install what is missing, or name an "
            "mdsip server (`mdsip_url`)"
        ) from error
    return _executors["native"]


def _end_leftovers() -> list[str]:
    """End all processes that the task left behind. Return notes for its output."""
    if not _has_children():
        return []
    found: dict[int, str] = {}
    give_up_at = time.monotonic() + LEFTOVER_GRACE_S
    number = signal.SIGTERM
    while _has_children():
        _reap()
        for pid in kernel.children(os.getpid()):
            if pid not in found or number is signal.SIGKILL:
                found.setdefault(pid, _command_of(pid))
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        if time.monotonic() > give_up_at + LEFTOVER_GRACE_S:
            break  # stuck in a driver; the server's business from here on
        if time.monotonic() > give_up_at:
            number = signal.SIGKILL
        time.sleep(_LEFTOVER_POLL_S)
    return [
        f"[the task left process {pid} ({command}) running; it was ended]"
        for pid, command in found.items()
    ]


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _command_of(pid: int) -> str:
    folder = Path(f"/proc/{pid}")
    try:
        words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").strip()
        words = words or (folder / "comm").read_bytes().strip()
    except OSError:
        return "ended"
    return words.decode(errors="replace")[:80]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    kernel.flush_c_output()
