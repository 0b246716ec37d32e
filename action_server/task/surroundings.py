"""What every task finds in its worker process as if it were the first, and how it is put back.

Environment, current folder, mask of new files, standard streams. What the process itself keeps is
`process_state`'s business, processes and threads that a task leaves behind are `leavings`'.

This is done for every task: what is put back is only compared where comparing is cheaper.
"""

import contextlib
import io
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from shotline.action_server import kernel
from shotline.action_server.progress import DESCRIPTOR_VARIABLE
from shotline.action_server.task.channel import Job

_TASK_VARIABLES: Final = (
    "SHOTLINE_TREE",
    "SHOTLINE_SHOT",
    "SHOTLINE_PATH",
    "SHOTLINE_ATTEMPT",
    "SHOTLINE_SHOT_DIR",
    "SHOTLINE_VARIABLES",
)
"""What tells a task which attempt it is; the last two only where the pulse has them."""

_KEYS: Final = tuple(map(os.fsencode, _TASK_VARIABLES))
_NOTHING_TOLD: Final[tuple[str | None, ...]] = (None,) * len(_KEYS)
_HANDLED_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)
_ERRORS: Final = "backslashreplace"


class Surroundings:
    """What a worker process was when it began, and what its present task was told."""

    def __init__(self, progress: int) -> None:
        """Take what there is now. `progress`: the descriptor of the reports of progress."""
        for name in _TASK_VARIABLES:
            os.environ.pop(name, None)
        os.environ["PYTHONUNBUFFERED"] = "1"  # for the Python programs that a task starts
        os.environ[DESCRIPTOR_VARIABLE] = str(progress)
        for number in _HANDLED_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        self.pid = os.getpid()
        self.progress = progress
        self._environ = os.environ
        self._environment = dict(os.environ)
        # It as `os.environ` keeps it; comparing two of these costs next to nothing.
        self._encoded: dict[bytes, bytes] = vars(os.environ)["_data"]
        self._expected = dict(self._encoded)
        self._told = _NOTHING_TOLD  # the task's variables as they are set
        self._mask = os.umask(0o022)
        os.umask(self._mask)
        self._folder = os.open(Path.cwd(), os.O_PATH | os.O_DIRECTORY)
        self._input, self._output, self._errors = map(os.dup, (0, 1, 2))
        self._stdout, self._stderr = sys.stdout, sys.stderr = _stream(1), _stream(2)
        self._are_streams_open = True

    def tell(self, job: Job) -> None:
        """Tell the task which attempt it is, and go to its pulse's folder."""
        folder = job.folder
        told = (job.tree, str(job.shot), job.path, str(job.number), folder, job.variables)
        for key, before, value in zip(_KEYS, self._told, told, strict=True):
            if value != before:
                self._set(key, value)
        self._told = told
        if folder is not None:
            with contextlib.suppress(OSError):
                os.chdir(folder)

    def flush(self) -> None:
        """Write what the task's streams, and C's, still hold."""
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            self._are_streams_open = sys.stdout is self._stdout and sys.stderr is self._stderr
        except (OSError, ValueError, AttributeError):  # closed, full, or no streams at all
            self._are_streams_open = False
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    stream.flush()
        kernel.flush_c_output()

    def restore(self) -> None:
        """Put back what a task may have changed; `flush` comes before."""
        os.dup2(self._input, 0)
        os.dup2(self._output, 1)
        os.dup2(self._errors, 2)
        out, errors = self._stdout, self._stderr
        if not (
            self._are_streams_open
            and out.line_buffering
            and errors.line_buffering
            and out.errors == errors.errors == _ERRORS
        ):
            self._stdout, self._stderr = sys.stdout, sys.stderr = _stream(1), _stream(2)
        if os.environ is not self._environ or self._encoded != self._expected:
            self._restore_environment()
        os.umask(self._mask)
        os.fchdir(self._folder)

    def _restore_environment(self) -> None:
        os.environ = self._environ  # noqa: B003 (it is cleared below)
        os.environ.clear()
        os.environ.update(self._environment)
        self._told = _NOTHING_TOLD
        self._expected = dict(self._encoded)
        time.tzset()  # it may have been TZ

    def _set(self, key: bytes, value: str | None) -> None:
        """Do what `os.environ` does."""
        if value is None:
            os.unsetenv(key)
            del self._encoded[key], self._expected[key]
        else:
            encoded = os.fsencode(value)
            os.putenv(key, encoded)
            self._encoded[key] = self._expected[key] = encoded


def _stream(descriptor: int) -> io.TextIOWrapper:
    """Return a text stream that is written at each line end and takes any string."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", errors=_ERRORS, line_buffering=True)
