"""The server's end of one worker process: starting it, its pipes, its end.

Nothing here blocks. What is read is handed on; what it means is the machine's business (`machine`).

Each worker is the leader of a session and a process group of its own. When this process dies, in
whatever way, the kernel ends the whole group, by the lifeline (`kernel`); what even that does not
reach, the next incarnation ends (`state_file`).
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable
from typing import Final

from shotline.action_server import kernel
from shotline.action_server.output import STDERR, STDOUT
from shotline.action_server.task.channel import Frame, Job, Setup, Unpacker, pack
from shotline.common.process import interpreter

READ_BYTES: Final = 64 * 1024
_ANSWER_BYTES: Final = 4096


class WorkerProcess:
    """One worker process and all descriptors that belong to it. Raise OSError when it fails."""

    def __init__(self, setup: Setup) -> None:
        with contextlib.ExitStack() as undo:
            opened: list[int] = []

            def pipe() -> tuple[int, int]:
                reading, writing = os.pipe2(os.O_CLOEXEC)
                opened.extend((reading, writing))
                return reading, writing

            undo.callback(lambda: _close_all(opened))
            output, errors, progress, lifeline, jobs, answers = (pipe() for _ in range(6))
            for reading, _ in (output, errors):
                kernel.enlarge_pipe(reading)
            theirs = (lifeline[0], jobs[0], answers[1], progress[1])
            self._process = subprocess.Popen(
                interpreter.python(
                    "shotline.action_server.task", *map(str, theirs), setup.as_argument()
                ),
                stdin=subprocess.DEVNULL,
                stdout=output[1],
                stderr=errors[1],
                pass_fds=theirs,
                env=interpreter.environment(),
                start_new_session=True,
            )
            undo.pop_all()
        _close_all((*theirs, output[1], errors[1]))
        for ours in (output[0], errors[0], progress[0], answers[0], jobs[1]):
            os.set_blocking(ours, False)
        self.pid = self._process.pid
        self.answers = answers[0]
        self.streams: dict[int, int] = {STDOUT: output[0], STDERR: errors[0]}
        self.progress = progress[0]
        self._jobs = jobs[1]
        self._lifeline = lifeline[1]
        self._unsent = b""
        self._unpacker = Unpacker()
        self._rest_of_report = b""
        self._is_open = True
        self.is_reaped = False

    def give(self, job: Job) -> None:
        """Take a job for it; `push` hands it over."""
        self._unsent += pack(job)

    def push(self) -> bool:
        """Send what was given. Return whether nothing waits any more; else call it again later."""
        while self._unsent:
            try:
                sent = os.write(self._jobs, self._unsent)
            except BlockingIOError:
                return False
            except OSError:  # it has died; its exit is reported in another way
                self._unsent = b""
                break
            self._unsent = self._unsent[sent:]
        return True

    def frames(self) -> tuple[list[Frame], bool]:
        """Return what the worker has said, and whether it has closed its end.

        Raise MalformedMessage when a task has written into the channel.
        """
        frames: list[Frame] = []
        while True:
            data = _read(self.answers, _ANSWER_BYTES)
            if not data:
                return frames, data is not None
            frames += self._unpacker.feed(data)
            if len(data) < _ANSWER_BYTES:  # that was all; asking again costs as much as the answer
                return frames, False

    def read(self, stream: int) -> bytes | None:
        """Return bytes of a stream: None when there are none now, empty at its end."""
        return _read(self.streams[stream], READ_BYTES)

    def reports(self) -> list[bytes]:
        """Return the complete reports of progress that have come."""
        data = _read(self.progress, READ_BYTES) or b""
        *lines, rest = (self._rest_of_report + data).split(b"\n")
        self._rest_of_report = rest[:READ_BYTES]
        return lines

    def signal(self, number: signal.Signals) -> None:
        """Signal the process group; one that is gone already is no error."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def reaped(self, wait_status: int) -> str:
        """Take the process's end. Return it in words."""
        self.is_reaped = True
        # It was not waited for through Popen, which would ask for it again.
        self._process.returncode = os.waitstatus_to_exitcode(wait_status)
        return kernel.in_words(wait_status)

    def is_gone(self) -> bool:
        """Return whether no process of the group is left."""
        return self.is_reaped and not kernel.has_group(self.pid)

    def close(self) -> None:
        """Close all descriptors. What is left of the group is ended by the closing lifeline."""
        if self._is_open:
            self._is_open = False
            _close_all(
                (
                    *self.streams.values(),
                    self.progress,
                    self.answers,
                    self._jobs,
                    self._lifeline,
                )
            )


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _read(descriptor: int, most: int) -> bytes | None:
    try:
        return os.read(descriptor, most)
    except BlockingIOError:
        return None
