"""The limits of a task while it runs in a worker process, and which of them has ended it.

They are the kernel's (setrlimit(2)): soft ones, set for the task and taken back after it. What it
starts inherits them. A worker has used processor time and memory before: the time counts from the
task's start, and a worker that has used up a limit itself `is_worn`, so that a task finds no less
than it may have, and what it starts not much more.
"""

import contextlib
import errno
import os
import resource
import signal
import subprocess
import time
from math import ceil
from pathlib import Path
from typing import Final

from shotline.action_server.task.channel import Limits

_PAGE_BYTES: Final = resource.getpagesize()
_WORN: Final = 4  # a worker that has less than this part left of the memory that it began with
_EXIT_OF_SIGNAL: Final = 128  # a shell's exit code for a program that a signal has ended
# What a program does whose memory cannot grow, where it does not look.
_CRASHES: Final = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)


class TaskLimiter:
    """A server class's limits, in one worker: a context in which a task runs."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._cpu_s = limits.cpu_s
        wanted = (
            (resource.RLIMIT_AS, limits.memory_bytes),
            (resource.RLIMIT_NOFILE, limits.open_files),
            (resource.RLIMIT_NPROC, limits.processes),
        )
        self._before = [(kind, resource.getrlimit(kind)) for kind, most in wanted if most]
        self._during = [
            (kind, _within(most, resource.getrlimit(kind)[1])) for kind, most in wanted if most
        ]
        if self._cpu_s is not None:
            self._before.append((resource.RLIMIT_CPU, resource.getrlimit(resource.RLIMIT_CPU)))
        self._bytes_at_first = _address_space() if limits.memory_bytes else 0

    def __enter__(self) -> None:
        for kind, most in self._during:
            resource.setrlimit(kind, most)
        if self._cpu_s is not None:
            used_s = ceil(time.process_time())
            hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
            resource.setrlimit(resource.RLIMIT_CPU, _within(used_s + self._cpu_s, hard))

    def __exit__(self, *_error: object) -> None:
        for which, (soft, _) in self._before:
            hard = resource.getrlimit(which)[1]  # a task may have lowered it, for good
            resource.setrlimit(which, _within(soft, hard))

    def started(self, pid: int) -> None:
        """Let a program's processor time count from its start: the task has just started it."""
        if self._cpu_s is not None:
            hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
            # It may have ended, or be another user's by now.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, resource.RLIMIT_CPU, _within(self._cpu_s, hard))

    @property
    def is_worn(self) -> bool:
        """Whether the next task should find a new worker process."""
        if self._cpu_s is not None and time.process_time() >= self._cpu_s:
            return True
        most = self._limits.memory_bytes
        if most is None:
            return False
        return most - _address_space() < (most - self._bytes_at_first) // _WORN

    def after_error(self, error: BaseException) -> str:
        """Return which limit may be behind an exception, in words to stand behind its own."""
        if self._limits == _NONE:
            return ""
        waiting = [error]
        for _ in range(_CHAIN_MAX):
            if not waiting:
                break
            seen = waiting.pop(0)
            if words := self._behind(seen):
                return words
            if isinstance(seen, BaseExceptionGroup):
                waiting += seen.exceptions
            if (before := seen.__cause__ or seen.__context__) is not None:
                waiting.append(before)
        return ""

    def after_exit(self, code: int) -> str:
        """Return which limit has ended a program, by its exit code, less than 0 for a signal."""
        number = -code if code < 0 else code - _EXIT_OF_SIGNAL
        if number == signal.SIGXCPU:
            return self._words("cpu_s")
        if number in _CRASHES:
            return self._words("memory_bytes")
        return ""

    def _behind(self, error: BaseException) -> str:
        if isinstance(error, subprocess.CalledProcessError):
            return self.after_exit(error.returncode)
        number = error.errno if isinstance(error, OSError) else None
        try:
            text = str(error)
        except BaseException:  # noqa: BLE001 (a task's own may raise anything)
            text = ""

        def is_about(*codes: int) -> bool:
            return number in codes or any(os.strerror(code) in text for code in codes)

        if isinstance(error, MemoryError) or is_about(errno.ENOMEM) or _UNMAPPED in text:
            return self._words("memory_bytes")
        if is_about(errno.EMFILE):
            return self._words("open_files")
        if is_about(errno.EAGAIN) or _NO_THREAD in text:
            return self._words("processes") or self._words("memory_bytes")
        return ""

    def _words(self, key: str) -> str:
        most = getattr(self._limits, key)
        return "" if most is None else f"; {_WORDS[key].format(most)} ({key})"


_NONE: Final = Limits()
_CHAIN_MAX: Final = 20
_UNMAPPED: Final = "failed to map segment"  # the loader, of a library
_NO_THREAD: Final = "can't start new thread"
_WORDS: Final = {
    "memory_bytes": "its memory is limited to {} bytes",
    "cpu_s": "its processor time is limited to {} s",
    "open_files": "it may have {} files open",
    "processes": "its user may have {} processes",
}


def _within(soft: int, hard: int) -> tuple[int, int]:
    if hard == resource.RLIM_INFINITY:
        return soft, hard
    return (hard if soft == resource.RLIM_INFINITY else min(soft, hard)), hard


def _address_space() -> int:
    """Return the address space of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE_BYTES
