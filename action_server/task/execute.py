"""The worker process: executes one task after the other. Started by the action server only.

Descriptors 1 and 2 are pipes that the server reads. Nothing here knows sockets of the broker,
timeouts or aborts: the server ends the process group instead.

What a task finds: its environment has SHOTLINE_TREE, SHOTLINE_SHOT, SHOTLINE_PATH,
SHOTLINE_ATTEMPT, and SHOTLINE_SHOT_DIR where the pulse has a folder, which then is the current
folder, too. What it changes of these, of the standard streams (`surroundings`) and of the process
(`process_state`) is put back after it, or the worker is replaced. Processes that it leaves behind
are ended, with a note in its output (`leavings`). What it does, and what its end means, is in
`tasks`, what it may use in `limits`.
"""

import faulthandler
import gc
import os
import resource
import time
from collections.abc import Sequence
from typing import Final

from shotline.action_server import kernel
from shotline.action_server.task import leavings, tasks
from shotline.action_server.task.channel import Ended, Job, Limits, Ready, Unpacker, pack
from shotline.action_server.task.exit_functions import ExitFunctions
from shotline.action_server.task.leavings import Threads
from shotline.action_server.task.limits import TaskLimiter
from shotline.action_server.task.process_state import ProcessState
from shotline.action_server.task.surroundings import Surroundings
from shotline.common.codec import sendable
from shotline.common.nodes import TaskOutcome
from shotline.trees.tree import ConnectionLost, UrlBusy

_TEXT_MAX: Final = 4096
_SHORT_S: Final = 0.002  # asking for the processor time takes some microseconds
_SHORT_TASKS_MAX: Final = 50
_READ_BYTES: Final = 4096  # at once; a larger buffer would cost more than most jobs need


def main(descriptors: Sequence[int], limits: Limits) -> int:
    """Serve jobs until the server closes their pipe; `__main__` calls it.

    The descriptors are those of the lifeline, the jobs, the answers, and the reports of progress.
    """
    lifeline, jobs, answers, progress = descriptors
    kernel.adopt_orphans()
    kernel.buffer_c_output_by_lines()
    for descriptor in (lifeline, jobs, answers):
        os.set_inheritable(descriptor, False)
    os.set_blocking(progress, False)
    faulthandler.enable(file=2)
    process = _WorkerProcess(progress, limits)
    gc.freeze()  # what is loaded by now stays; a task's garbage is found faster
    _write(answers, pack(Ready(process.surroundings.pid, _cpu_s())))
    unpacker = Unpacker()
    while data := os.read(jobs, _READ_BYTES):
        for job in unpacker.feed(data):
            if isinstance(job, Job):
                _write(answers, pack(execute(job, process)))
                # The server knows by now, and what comes next waits for us anyway.
                process.surroundings.restore()
    return 0


class _WorkerProcess:
    """What this process was when it began, and what it puts back after each task."""

    def __init__(self, progress: int, limits: Limits) -> None:
        self.surroundings = Surroundings(progress)
        self.exit_functions = ExitFunctions()
        self.state = ProcessState()
        self.limits = TaskLimiter(limits)
        self.threads = Threads()
        self._cpu_s = _cpu_s()
        self._unmeasured = 0  # tasks since then

    def cpu_s(self, took_s: float) -> float:
        """Return the processor time used so far; what short tasks use is told now and then."""
        self._unmeasured += 1
        if took_s >= _SHORT_S or self._unmeasured >= _SHORT_TASKS_MAX:
            self._unmeasured = 0
            self._cpu_s = _cpu_s()
        return self._cpu_s


def execute(job: Job, process: _WorkerProcess) -> Ended:
    """Execute one task and clean up behind it, but for its surroundings."""
    is_lost = is_busy = False
    began = time.monotonic()
    surroundings = process.surroundings
    surroundings.tell(job)
    try:
        result = tasks.perform(job, surroundings.progress, process.limits)
    except ConnectionLost as error:
        result, is_lost = TaskOutcome(ok=False, text=str(error)), True
    except UrlBusy as error:
        result, is_busy = TaskOutcome(ok=False, text=str(error)), True
    process.state.disarm()
    is_worker = os.getpid() == surroundings.pid
    changed = []
    if is_worker and process.exit_functions.call():
        changed.append("registered functions for its program's end (atexit), which were called")
    surroundings.flush()
    if not is_worker:  # the task has forked and its child came back out of it
        os._exit(0)
    notes = leavings.end_processes()
    if left := process.threads.left():
        changed.append(f"left threads running ({', '.join(left)})")
    changed += process.state.restore()
    notes += [f"[the task {what}; its worker process is replaced]" for what in changed]
    return Ended(
        result.ok,
        result.code,
        _short(result.text),
        is_lost,
        tuple(map(_short, notes)),
        bool(changed) or process.limits.is_worn,
        is_busy,
        process.cpu_s(time.monotonic() - began),
    )


def _cpu_s() -> float:
    """Return the processor time of this process and of all whose end it has seen."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _short(text: str) -> str:
    return sendable(text[:_TEXT_MAX])[:_TEXT_MAX]


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
