"""The server's end of one worker process: starting it, its pipes, its control channel, its end.

Nothing here blocks. What is read is handed on; what it means is the machine's business (`slots`).

Each worker is the leader of a session and a process group of its own. When this process dies, in
whatever way, the kernel ends the whole group, by the lifeline (`kernel`); what even that does not
reach, the next incarnation ends (`leftovers`).
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from typing import Final

from shotline.action_server import kernel
from shotline.action_server.channel import Frame, Job, Unpacker, pack
from shotline.action_server.output import STDERR, STDOUT

READ_BYTES: Final = 64 * 1024


class Worker:
    """One worker process and all descriptors that belong to it. Raise OSError when it fails."""

    def __init__(self) -> None:
        with contextlib.ExitStack() as undo:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            opened: list[int] = []

            def pipe() -> tuple[int, int]:
                reading, writing = os.pipe2(os.O_CLOEXEC)
                opened.extend((reading, writing))
                return reading, writing

            undo.callback(lambda: _close_all(opened))
            with contextlib.closing(theirs):
                output, errors, progress, lifeline = pipe(), pipe(), pipe(), pipe()
                for reading, _ in (output, errors):
                    kernel.enlarge_pipe(reading)
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "shotline.action_server.worker_start",
                        *map(str, (theirs.fileno(), lifeline[0], progress[1])),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=output[1],
                    stderr=errors[1],
                    pass_fds=(theirs.fileno(), lifeline[0], progress[1]),
                    start_new_session=True,
                )
            for descriptor in (output[1], errors[1], progress[1], lifeline[0]):
                os.close(descriptor)
            undo.pop_all()
        ours.setblocking(False)
        for reading in (output[0], errors[0], progress[0]):
            os.set_blocking(reading, False)
        self.pid = self._process.pid
        self.control = ours
        self.streams: dict[int, int] = {STDOUT: output[0], STDERR: errors[0]}
        self.progress = progress[0]
        self._lifeline = lifeline[1]
        self._output = select.poll()
        for reading in (self.progress, *self.streams.values()):
            self._output.register(reading, select.POLLIN)
        self._unsent = bytearray()
        self._unpacker = Unpacker()
        self._rest_of_report = b""
        self._is_open = True
        self.is_reaped = False

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that may be watched."""
        return (self.control.fileno(), self.progress, *self.streams.values())

    def give(self, job: Job) -> bool:
        """Hand over a job. Return False when a part of it still waits: call `push` later."""
        self._unsent += pack(job)
        return self.push()

    def push(self) -> bool:
        """Go on sending. Return whether nothing waits any more."""
        while self._unsent:
            try:
                sent = self.control.send(self._unsent)
            except BlockingIOError:
                return False
            except OSError:  # it has died; its exit is reported in another way
                self._unsent.clear()
                break
            del self._unsent[:sent]
        return True

    def frames(self) -> tuple[list[Frame], bool]:
        """Return what the worker has said, and whether it has closed its end.

        Raise MalformedMessage when a task has written into the channel.
        """
        frames: list[Frame] = []
        while True:
            try:
                data = self.control.recv(READ_BYTES)
            except BlockingIOError:
                return frames, False
            except OSError:
                data = b""
            if not data:
                return frames, True
            frames += self._unpacker.feed(data)
            if len(data) < READ_BYTES:  # that was all; asking again costs as much as the answer
                return frames, False
            if len(data) < READ_BYTES:  # that was all
                return frames, False

    def has_output(self) -> bool:
        """Return whether a stream or the channel of progress has something to read, or its end."""
        return bool(self._output.poll(0))

    def read(self, stream: int) -> bytes | None:
        """Return bytes of a stream: None when there are none now, empty at its end."""
        return _read(self.streams[stream])

    def reports(self) -> list[bytes]:
        """Return the complete reports of progress that have come."""
        data = _read(self.progress) or b""
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
            self.control.close()
            for descriptor in (*self.streams.values(), self.progress, self._lifeline):
                os.close(descriptor)


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _read(descriptor: int) -> bytes | None:
    try:
        return os.read(descriptor, READ_BYTES)
    except BlockingIOError:
        return None
