"""A process that does jobs for the dispatcher, one at a time, so that the loop never waits for one.

It is started when needed, given jobs as lines, and ended when one takes too long; it dies with
whoever holds the other end of its pipes. What it does is its module's business.
"""

import logging
import math
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from shotline.common.base import Struct, to_line
from shotline.common.codec import sendable
from shotline.common.process import interpreter
from shotline.common.process.error_pipe import ErrorPipe
from shotline.common.process.service import Service

log = logging.getLogger(__name__)

_READ_BYTES: Final = 1 << 20
_ANSWER_BYTES_MAX: Final = 256 << 20

J = TypeVar("J", bound=Struct)
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Trade(Generic[J, D]):
    """What the answers of a process look like. Jobs and answers are a line of JSON each."""

    decode: Callable[[bytes], D]  # raises ValueError
    failed: Callable[[J, str], D]  # what is answered to a job that came to nothing, and why


class JobProcess(Generic[J, D]):
    """One such process. `on_done` is told of each job's end; `service` watches the pipes."""

    def __init__(
        self,
        service: Service,
        name: str,
        trade: Trade[J, D],
        module: tuple[str, ...],
        on_done: Callable[[D], None],
        *,
        timeout_s: float,
        timeout_words: str = "",
        first: Callable[[], bytes] = bytes,
    ) -> None:
        """Make it; nothing is started yet.

        `name` is what the log calls it; `module` is run with its arguments and the two pipes'
        numbers; `first` is what it is told before its first job; `timeout_words` names a setting.
        """
        self.timeout_s = timeout_s
        self._service = service
        self._name = name
        self._trade = trade
        self._module = module
        self._on_done = on_done
        self._timeout_words = timeout_words
        self._first = first
        self._waiting: deque[tuple[J, float]] = deque()  # and until when somebody waits for it
        self._process: subprocess.Popen[bytes] | None = None
        self._jobs = self._answers = -1  # descriptors of the pipes
        self._errors: ErrorPipe | None = None
        self._doing: J | None = None
        self._deadline = 0.0
        self._buffer = bytearray()

    def do(self, job: J, wait_s: float = math.inf) -> None:
        """Queue a job; after `wait_s` nobody waits for it any more."""
        self._waiting.append((job, time.monotonic() + wait_s))
        self._next()

    def warm(self) -> None:
        """Start the process before the first job, which waits no second for it then."""
        with suppress(OSError):  # the first job tries again, and says so
            self._start()

    def wake_at(self) -> float | None:
        """Return when the job at hand runs out of time."""
        return None if self._doing is None else self._deadline

    def tick(self) -> None:
        """End the process if its job has run out of time."""
        if self._doing is not None and time.monotonic() >= self._deadline:
            setting = f" ({self._timeout_words})" if self._timeout_words else ""
            self._fail(f"no answer within {self.timeout_s:g} s{setting}; the process was ended")

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._close_pipes()

    def _next(self) -> None:
        while self._doing is None and self._waiting:
            job, wanted_until = self._waiting.popleft()
            if time.monotonic() >= wanted_until:
                continue  # it would only delay the others
            self._doing = job
            self._deadline = time.monotonic() + self.timeout_s
            try:
                self._hand(job)
            except OSError as error:
                self._fail(f"its process cannot be started: {error}")

    def _hand(self, job: J) -> None:
        """Give the process its next job; one that has died since its last never got it."""
        # A job is smaller than a pipe, and only one is ever in it.
        line = to_line(job)
        if self._process is not None:
            with suppress(BrokenPipeError):
                os.write(self._jobs, line)
                return
            self._say_ended(self._ended_words())
            self.close()
        self._start()
        os.write(self._jobs, line)

    def _start(self) -> None:
        jobs_read, self._jobs = os.pipe()
        self._answers, answers_write = os.pipe()
        self._errors = ErrorPipe(self._service, self._name)
        os.set_blocking(self._answers, False)
        try:
            self._process = subprocess.Popen(
                interpreter.python(*self._module, str(jobs_read), str(answers_write)),
                stdin=subprocess.DEVNULL,
                stderr=self._errors.writing,
                pass_fds=(jobs_read, answers_write),
                env=interpreter.environment(),
                start_new_session=True,
            )
        except OSError:
            self._close_pipes()
            raise
        finally:
            os.close(jobs_read)
            os.close(answers_write)
            self._errors.started()
        self._service.watch(self._answers, self._read)
        if told := self._first():
            os.write(self._jobs, told)

    def _read(self) -> None:
        try:
            data = os.read(self._answers, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._fail(self._ended_words())
            return
        self._buffer += data
        if data.endswith(b"\n"):
            line, self._buffer = bytes(self._buffer), bytearray()
            self._answered(line)
        elif len(self._buffer) > _ANSWER_BYTES_MAX:
            self._fail(f"its answer is larger than {_ANSWER_BYTES_MAX} bytes")

    def _answered(self, line: bytes) -> None:
        try:
            done = self._trade.decode(line)
        except ValueError as error:
            self._fail(f"its answer cannot be understood: {error}")
            return
        self._doing = None
        self._next()
        self._on_done(done)

    def _fail(self, why: str) -> None:
        job, self._doing = self._doing, None
        self._say_ended(why)
        self.close()
        self._next()
        if job is not None:
            self._on_done(self._trade.failed(job, sendable(why)))

    def _close_pipes(self) -> None:
        self._service.unwatch(self._answers)
        os.close(self._answers)
        os.close(self._jobs)
        self._buffer.clear()
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def _say_ended(self, why: str) -> None:
        log.error("%s: %s", self._name, why)

    def _ended_words(self) -> str:
        assert self._process is not None
        assert self._errors is not None
        code = self._process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return self._errors.last_words().after(f"its process has ended {how}")
