"""All worker processes of the server: started, read, given jobs, signalled, reaped, proven gone.

What they say comes out as events, through `tell`. All their pipes hang on one epoll descriptor, so
that the run loop watches one thing however many slots there are. What one worker process is, is
`worker_process`'s business; what is decided about them, `machine`'s.
"""

import logging
import os
import select
import signal
from collections.abc import Callable
from math import inf
from typing import Final

from shotline.action_server import kernel
from shotline.action_server.events import (
    Event,
    GroupGone,
    TaskEnded,
    TaskOutput,
    TaskProgress,
    WorkerExited,
    WorkerReady,
)
from shotline.action_server.output import parse_report
from shotline.action_server.task.channel import Ended, Job, Ready, Setup
from shotline.action_server.task.limits import TaskLimiter
from shotline.action_server.workers.state_file import StateFile
from shotline.action_server.workers.worker_process import READ_BYTES, WorkerProcess
from shotline.common.codec import sendable
from shotline.common.errors import MalformedMessage
from shotline.common.process.service import Service

log = logging.getLogger(__name__)

_ANSWERS: Final = -1  # beside the numbers of streams
_PROGRESS: Final = -2
_READS_MAX: Final = 8  # of one stream in one wake-up, so that everything else has its turn
_DRAIN_MAX: Final = 256  # at a task's end: more than the pipe holds
_RETRY_S: Final = 0.002  # a job that did not fit into a worker's pipe at once
_WATCH_S: Final = 0.1  # for the rest of a group whose worker has ended


class Workers:
    """The processes by their slots. `others` tells which children of ours are none of them,
    `reaped_other` takes the end of one, `setup` is what each begins with.
    """

    def __init__(
        self,
        service: Service,
        state: StateFile,
        tell: Callable[[Event], None],
        others: Callable[[], set[int]],
        reaped_other: Callable[[int, int], None],
        setup: Setup,
    ) -> None:
        self._service = service
        self._state = state
        self._tell = tell
        self._others = others
        self._reaped_other = reaped_other
        self._setup = setup
        self._limits = TaskLimiter(setup.limits)
        self._workers: dict[int, WorkerProcess] = {}
        self._pipes = select.epoll()
        self._sources: dict[int, tuple[int, int]] = {}  # by descriptor: slot, stream
        self._parked: set[int] = set()
        self._unpushed: set[int] = set()
        self._reaped: set[int] = set()  # their groups may not be gone yet
        self.look_at = inf  # when `tick` is to look at what sends no event
        service.watch(self._pipes.fileno(), self.read)

    def __len__(self) -> int:
        return len(self._workers)

    def start(self, slot: int) -> None:
        """Start a worker process; WorkerReady follows, or WorkerExited and GroupGone."""
        try:
            worker = WorkerProcess(self._setup)
        except OSError as error:
            log.error("cannot start a worker process: %s", error)
            self._tell(WorkerExited(slot, sendable(f"cannot be started: {error}")))
            self._tell(GroupGone(slot))
            return
        self._workers[slot] = worker
        self._write_down()
        self._watch(worker.answers, slot, _ANSWERS)
        self._watch(worker.progress, slot, _PROGRESS)
        self._watch_streams(slot)

    def give(self, slot: int, job: Job) -> None:
        """Take a job for a worker; `push` hands it over. One that has died takes it along."""
        worker = self._workers.get(slot)
        if worker is not None:
            worker.give(job)
            self._unpushed.add(slot)

    def push(self) -> None:
        """Hand over what was given. Last of all: the worker that wakes up may take our place."""
        if not self._unpushed:
            return
        self._unpushed = {slot for slot in self._unpushed if not self._workers[slot].push()}
        if self._unpushed:
            self._look_within(_RETRY_S)

    def signal(self, slot: int, number: signal.Signals) -> None:
        """Signal a worker's process group, where there still is one."""
        if slot in self._workers:
            self._workers[slot].signal(number)

    def park(self, slot: int) -> None:
        """Read the slot's output no longer: its task blocks, and waits."""
        if slot in self._workers:
            self._parked.add(slot)
            for descriptor in self._workers[slot].streams.values():
                self._unwatch(descriptor)

    def unpark(self, slot: int) -> None:
        """Read the slot's output again."""
        self._parked.discard(slot)
        if slot in self._workers:
            self._watch_streams(slot)

    def close(self) -> None:
        """End all, at once."""
        for worker in self._workers.values():
            worker.signal(signal.SIGKILL)
            worker.close()
        self._service.unwatch(self._pipes.fileno())
        self._pipes.close()

    def read(self) -> None:
        """Read what is there of all of them. A task's end comes after all its output."""
        ended: list[tuple[int, Ended]] = []
        for slot, stream in self._readable():
            if stream == _ANSWERS:
                ended += self._read_answers(slot)
            elif stream == _PROGRESS:
                self._read_progress(slot)
            else:
                self._read_stream(slot, stream, _READS_MAX)
        if ended:
            self._tell_ended(ended)

    def _readable(self) -> list[tuple[int, int]]:
        ready = self._pipes.poll(0, len(self._sources) or 1)
        return [self._sources[descriptor] for descriptor, _ in ready]

    def _tell_ended(self, ended: list[tuple[int, Ended]]) -> None:
        slots = {slot for slot, _ in ended}
        # Asked again: what was written before the answer may have come after the first look.
        for slot, stream in self._readable():
            if slot not in slots or stream == _ANSWERS:
                continue
            if stream == _PROGRESS:
                self._read_progress(slot)
            else:
                self._read_stream(slot, stream, _DRAIN_MAX)
        for slot, frame in ended:
            if slot in self._parked:
                self._drain(slot)
            self._tell(TaskEnded(slot, frame))

    def _read_answers(self, slot: int) -> list[tuple[int, Ended]]:
        """Return the task's end, if it has come."""
        worker = self._workers[slot]
        try:
            frames, is_closed = worker.frames()
        except MalformedMessage as error:
            log.error("worker process %d: %s; it is ended", worker.pid, error)
            worker.signal(signal.SIGKILL)
            frames, is_closed = [], True
        if is_closed:
            self._unwatch(worker.answers)
        ended = []
        for frame in frames:
            if isinstance(frame, Ended):
                ended.append((slot, frame))
            elif isinstance(frame, Ready):
                self._tell(WorkerReady(slot, frame.pid, frame.cpu_s))
        return ended

    def _read_stream(self, slot: int, stream: int, most: int) -> None:
        worker = self._workers[slot]
        for _ in range(most):
            data = worker.read(stream)
            if data is None:
                return
            if not data:
                self._unwatch(worker.streams[stream])
                return
            self._tell(TaskOutput(slot, stream, data))
            if len(data) < READ_BYTES:  # that was all
                return

    def _read_progress(self, slot: int) -> None:
        reports = [parse_report(line) for line in self._workers[slot].reports()]
        known = [report for report in reports if report is not None]
        if known:
            self._tell(TaskProgress(slot, *known[-1]))

    def _drain(self, slot: int) -> None:
        """Read what the pipes still hold, also of a parked slot."""
        self._read_progress(slot)
        for stream in self._workers[slot].streams:
            self._read_stream(slot, stream, _DRAIN_MAX)

    def _watch(self, descriptor: int, slot: int, stream: int) -> None:
        if descriptor not in self._sources:
            self._sources[descriptor] = (slot, stream)
            self._pipes.register(descriptor, select.EPOLLIN)

    def _watch_streams(self, slot: int) -> None:
        for stream, descriptor in self._workers[slot].streams.items():
            self._watch(descriptor, slot, stream)

    def _unwatch(self, descriptor: int) -> None:
        if self._sources.pop(descriptor, None) is not None:
            self._pipes.unregister(descriptor)

    def reap(self) -> None:
        """Take the ends of our children: SIGCHLD has come."""
        slots = {worker.pid: slot for slot, worker in self._workers.items()}
        while True:
            try:
                pid, wait_status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            slot = slots.get(pid)
            if slot is None:
                self._reaped_other(pid, os.waitstatus_to_exitcode(wait_status))
            else:
                ended = self._read_answers(slot)  # a result that came just before counts
                self._drain(slot)  # what it has said comes before its end
                if ended:
                    self._tell_ended(ended)
                how = self._workers[slot].reaped(wait_status)
                how += self._limits.after_exit(os.waitstatus_to_exitcode(wait_status))
                self._reaped.add(slot)
                self._look_within(_WATCH_S)
                self._tell(WorkerExited(slot, how, usage.ru_utime + usage.ru_stime))
        self._check_gone()

    def tick(self) -> None:
        """Look again at what sends no event."""
        self.look_at = inf
        self.push()
        self._check_gone()
        if self._reaped:
            self._look_within(_WATCH_S)

    def _check_gone(self) -> None:
        """Tell of the process groups that are proven gone."""
        if not self._reaped or self._end_strays():
            return
        for slot in list(self._reaped):
            if self._workers[slot].is_gone():
                self._drain(slot)
                self._forget(slot)
                self._tell(GroupGone(slot))

    def _end_strays(self) -> bool:
        """KILL what came out of the group of a worker that has ended; it is our child now."""
        workers = {worker.pid for worker in self._workers.values()}
        strays = set(kernel.children(os.getpid())) - workers - self._others()
        for pid in strays:
            log.warning("ends process %d, which a task had left outside of its group", pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return bool(strays)

    def _forget(self, slot: int) -> None:
        worker = self._workers.pop(slot)
        for descriptor in (worker.answers, worker.progress, *worker.streams.values()):
            self._unwatch(descriptor)
        worker.close()
        for slots in (self._parked, self._unpushed, self._reaped):
            slots.discard(slot)
        self._write_down()

    def _write_down(self) -> None:
        self._state.set_workers(worker.pid for worker in self._workers.values())

    def _look_within(self, seconds: float) -> None:
        self.look_at = min(self.look_at, self._service.instant().mono + seconds)
