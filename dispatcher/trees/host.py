"""Keeps the tree workers: starts them when needed, gives them jobs, ends those that hang.

One worker for each experiment, one job at a time in each, so that a slow tree delays no other shot.
The loop never waits for one. What a worker does is in `worker`.
"""

import logging
import math
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from shotline.common.base import to_json
from shotline.common.codec import sendable
from shotline.common.nodes import Source, untold
from shotline.common.process import interpreter
from shotline.common.process.error_pipe import ErrorPipe
from shotline.common.process.service import Service
from shotline.dispatcher.trees.jobs import (
    LookAtSourcesJob,
    TreeDone,
    TreeJob,
    decode_answer,
    encode_job,
)

log = logging.getLogger(__name__)

_READ_BYTES = 1 << 20
_ANSWER_BYTES_MAX = 256 << 20


@dataclass(slots=True)
class _TreeWorker:
    tree: str
    # Jobs, and until when somebody waits for each.
    waiting: deque[tuple[TreeJob, float]] = field(default_factory=deque)
    process: subprocess.Popen[bytes] | None = None
    jobs: int = -1  # descriptors of the pipes
    answers: int = -1
    errors: ErrorPipe | None = None
    doing: TreeJob | None = None
    deadline: float = 0.0
    buffer: bytearray = field(default_factory=bytearray)


class TreeHost:
    """All tree workers. `on_done` is told of each job's end; `service` watches the pipes."""

    def __init__(
        self,
        service: Service,
        sources: Mapping[str, Source],
        timeout_s: float,
        on_done: Callable[[TreeDone], None],
    ) -> None:
        self._service = service
        self._sources = sources
        self._timeout_s = timeout_s
        self._on_done = on_done
        self._workers: dict[str, _TreeWorker] = {}

    def configure(self, sources: Mapping[str, Source], timeout_s: float) -> None:
        """Take other settings; a worker keeps the source with which it was started."""
        self._sources, self._timeout_s = sources, timeout_s

    def do(self, job: TreeJob) -> None:
        """Queue a job at its experiment's worker."""
        tree = job.key.tree
        if tree not in self._sources:
            self._on_done(TreeDone(job=job.job, error=f"experiment {tree} is not configured"))
            return
        if why := untold(self._sources[tree]):
            self._on_done(TreeDone(job=job.job, error=f"the tree {tree}: {why}"))
            return
        worker = self._workers.setdefault(tree, _TreeWorker(tree))
        wait_s = job.wait_s if isinstance(job, LookAtSourcesJob) else math.inf
        worker.waiting.append((job, time.monotonic() + wait_s))
        self._next(worker)

    def warm(self, tree: str) -> None:
        """Start an experiment's worker before the first job, which waits no second for it then."""
        if tree not in self._sources or tree in self._workers or untold(self._sources[tree]):
            return
        worker = self._workers[tree] = _TreeWorker(tree)
        with suppress(OSError):  # the first job tries again, and says so
            self._start(worker)

    def wake_at(self) -> float | None:
        """Return when the next job runs out of time."""
        return min((w.deadline for w in self._workers.values() if w.doing), default=None)

    def tick(self) -> None:
        """End workers whose job has run out of time."""
        for worker in self._workers.values():
            if worker.doing is not None and time.monotonic() >= worker.deadline:
                self._fail(
                    worker,
                    f"no answer within {self._timeout_s:g} s (dispatcher.tree_timeout_s); "
                    "the process was ended",
                )

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            self._end(worker)

    def _next(self, worker: _TreeWorker) -> None:
        while worker.doing is None and worker.waiting:
            job, wanted_until = worker.waiting.popleft()
            if time.monotonic() >= wanted_until:
                continue  # it would only delay the others
            worker.doing = job
            worker.deadline = time.monotonic() + self._timeout_s
            try:
                self._hand(worker, job)
            except OSError as error:
                self._fail(worker, f"its process cannot be started: {error}")

    def _hand(self, worker: _TreeWorker, job: TreeJob) -> None:
        """Give a worker its next job; one that has died since its last never got it."""
        # A job is far smaller than a pipe, and only one is ever in it.
        line = encode_job(job)
        if worker.process is not None:
            with suppress(BrokenPipeError):
                os.write(worker.jobs, line)
                return
            self._say_ended(worker, self._ended_words(worker))
            self._end(worker)
        self._start(worker)
        os.write(worker.jobs, line)

    def _start(self, worker: _TreeWorker) -> None:
        jobs_read, worker.jobs = os.pipe()
        worker.answers, answers_write = os.pipe()
        worker.errors = ErrorPipe(self._service, f"the tree worker of {worker.tree}")
        os.set_blocking(worker.answers, False)
        source = to_json(self._sources[worker.tree]).decode()
        try:
            worker.process = subprocess.Popen(
                interpreter.python(
                    "shotline.dispatcher.trees.worker",
                    worker.tree,
                    source,
                    str(jobs_read),
                    str(answers_write),
                ),
                stdin=subprocess.DEVNULL,
                stderr=worker.errors.writing,
                pass_fds=(jobs_read, answers_write),
                env=interpreter.environment(),
                start_new_session=True,
            )
        except OSError:
            self._close_pipes(worker)
            raise
        finally:
            os.close(jobs_read)
            os.close(answers_write)
            worker.errors.started()
        self._service.watch(worker.answers, lambda: self._read(worker))

    def _read(self, worker: _TreeWorker) -> None:
        try:
            data = os.read(worker.answers, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._fail(worker, self._ended_words(worker))
            return
        worker.buffer += data
        if data.endswith(b"\n"):
            line, worker.buffer = bytes(worker.buffer), bytearray()
            self._answered(worker, line)
        elif len(worker.buffer) > _ANSWER_BYTES_MAX:
            self._fail(worker, f"its answer is larger than {_ANSWER_BYTES_MAX} bytes")

    def _answered(self, worker: _TreeWorker, line: bytes) -> None:
        try:
            done = decode_answer(line)
        except ValueError as error:
            self._fail(worker, f"its answer cannot be understood: {error}")
            return
        worker.doing = None
        self._next(worker)
        self._on_done(done)

    def _fail(self, worker: _TreeWorker, why: str) -> None:
        job, worker.doing = worker.doing, None
        self._say_ended(worker, why)
        self._end(worker)
        self._next(worker)
        if job is not None:
            self._on_done(TreeDone(job=job.job, error=sendable(f"the tree {worker.tree}: {why}")))

    def _end(self, worker: _TreeWorker) -> None:
        process, worker.process = worker.process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._close_pipes(worker)

    def _close_pipes(self, worker: _TreeWorker) -> None:
        self._service.unwatch(worker.answers)
        os.close(worker.answers)
        os.close(worker.jobs)
        worker.buffer.clear()
        if worker.errors is not None:
            worker.errors.close()
            worker.errors = None

    @staticmethod
    def _say_ended(worker: _TreeWorker, why: str) -> None:
        log.error("the tree worker of %s: %s", worker.tree, why)

    @staticmethod
    def _ended_words(worker: _TreeWorker) -> str:
        assert worker.process is not None
        assert worker.errors is not None
        code = worker.process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return worker.errors.last_words().after(f"its process has ended {how}")
