"""Which limit is named for what a task has raised, or how a program has ended."""

import errno
import os
import signal
import subprocess

import pytest

from shotline.action_server.task.channel import Limits
from shotline.action_server.task.limits import TaskLimiter

ALL = Limits(memory_bytes=2**30, cpu_s=60, open_files=100, processes=50)


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError


def after(error: BaseException, cause: BaseException) -> BaseException:
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (MemoryError(), "memory_bytes"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "memory_bytes"),
        (ImportError("x.so: failed to map segment from shared object"), "memory_bytes"),
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "open_files"),
        (ImportError("x.so: cannot open shared object file: Too many open files"), "open_files"),
        (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "processes"),
        (RuntimeError("can't start new thread"), "processes"),
        (subprocess.CalledProcessError(-signal.SIGXCPU, ["fit"]), "cpu_s"),
        (after(ValueError("no fit"), after(KeyError("x"), MemoryError())), "memory_bytes"),
        (ExceptionGroup("all", [ValueError(), ExceptionGroup("some", [MemoryError()])]), "memory"),
        (Mute(), None),
        (after(Mute(), MemoryError()), "memory_bytes"),
        (OSError(errno.ENOENT, os.strerror(errno.ENOENT)), None),
        (subprocess.CalledProcessError(1, ["fit"]), None),
    ],
)
def test_an_exception_names_the_limit_behind_it(error: BaseException, key: str | None) -> None:
    said = TaskLimiter(ALL).after_error(error)
    assert said == "" if key is None else f"({key}" in said
    assert TaskLimiter(Limits()).after_error(error) == ""


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (-signal.SIGXCPU, "cpu_s"),
        (128 + signal.SIGXCPU, "cpu_s"),
        (-signal.SIGABRT, "memory_bytes"),
        (128 + signal.SIGSEGV, "memory_bytes"),
        (-signal.SIGKILL, None),
        (0, None),
        (1, None),
    ],
)
def test_an_exit_code_names_the_limit_behind_it(code: int, key: str | None) -> None:
    said = TaskLimiter(ALL).after_exit(code)
    assert said == "" if key is None else said.endswith(f"({key})")
    assert TaskLimiter(Limits()).after_exit(code) == ""
