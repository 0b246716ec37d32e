"""Runs the site's own programs, each time for a limited time. A shell.

Always with an argument list; no shell ever sees what somebody has typed (DESIGN §8).
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from shotline.common.process import interpreter
from shotline.common.settings.config import packaged
from shotline.dispatcher.effects import ProgramDone, RunProgram

LOOK_S: Final = 0.05
OUTPUT_BYTES_MAX: Final = 16 * 1024
_PACKAGED: Final = "server_command.sh"


@dataclass(slots=True)
class _Running:
    job: int
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    until: float  # monotonic


class Programs:
    """Starts programs and tells how they ended. Nothing waits for what they leave running."""

    def __init__(self, tell: Callable[[ProgramDone], None]) -> None:
        self._tell = tell
        self._running: list[_Running] = []
        self._look_at: float | None = None

    def run(self, asked: RunProgram) -> None:
        """Start one."""
        script = Path(asked.script) if asked.script else packaged(_PACKAGED)
        words = [str(script), *asked.arguments]
        if not os.access(script, os.X_OK):
            words = ["sh", *words]
        output = tempfile.TemporaryFile()  # noqa: SIM115  # it is read at the program's end
        try:
            with _readable(asked.given) as given:
                process = subprocess.Popen(
                    words,
                    stdin=given,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=interpreter.environment() | dict(asked.environment),
                    start_new_session=True,
                )
        except OSError as error:
            output.close()
            why = f"{words[0]} cannot be run: {error.strerror}"
            self._tell(ProgramDone(asked.job, error=why))
            return
        now = time.monotonic()
        until = now + asked.timeout_s
        self._look_at = self._look_at or now + LOOK_S
        self._running.append(_Running(asked.job, process, output, until))

    def wake_at(self) -> float | None:
        """Return when to look at those that run."""
        return self._look_at

    def tick(self) -> None:
        """Tell of those that have ended; end those that take too long."""
        now = time.monotonic()
        if self._look_at is None or now < self._look_at:
            return
        still = []
        for one in self._running:
            code = one.process.poll()
            if code is None and now < one.until:
                still.append(one)
                continue
            if code is None:
                _end(one.process)
            self._tell(ProgramDone(one.job, code, _output_of(one.output)))
        self._running = still
        self._look_at = now + LOOK_S if still else None

    def close(self) -> None:
        """End what still runs."""
        for one in self._running:
            _end(one.process)
            one.output.close()
        self._running.clear()


def _readable(given: bytes) -> IO[bytes]:
    """Return a file from which a program can read this, without anybody waiting for it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    file.write(given)
    file.seek(0)
    return file


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _output_of(output: IO[bytes]) -> str:
    """Return the end of what was written; bytes that are not UTF-8 are shown as \\xNN."""
    with output:
        size = output.seek(0, os.SEEK_END)
        output.seek(max(size - OUTPUT_BYTES_MAX, 0))
        return output.read().decode(errors="backslashreplace")
