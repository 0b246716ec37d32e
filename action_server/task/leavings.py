"""What a task leaves behind in its worker process: processes, which are ended, and threads.

Runs in the worker. What an earlier life of the whole server left is `state_file`' business.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from shotline.action_server import kernel
from shotline.action_server.task.outcomes import text_of

_NAME_MAX: Final = 80  # characters of a thread's or a command's
_GRACE_S: Final = 0.5  # between TERM and KILL, and again until they are given up
_ENDING_S: Final = 0.1  # for threads that are about to end
# They have no other way to be ended than what Python's own tests use. The forkserver holds the
# tracker's pipe, too.
_HELPERS: Final = (
    ("multiprocessing.forkserver", "_forkserver", "_forkserver_pid"),
    ("multiprocessing.resource_tracker", "_resource_tracker", "_pid"),
)
_POLL_S: Final = 0.005


class Threads:
    """The threads of this process that are no task's."""

    def __init__(self) -> None:
        """Take those that there are now."""
        self._ours = set(threading.enumerate())
        self._count = threading.active_count()

    def left(self) -> list[str]:
        """Return the names of the others, but for those that are about to end."""
        if threading.active_count() == self._count:
            return []
        left = [thread for thread in threading.enumerate() if thread not in self._ours]
        give_up_at = time.monotonic() + _ENDING_S
        for thread in left:
            if not isinstance(thread, threading._DummyThread):
                thread.join(max(0.0, give_up_at - time.monotonic()))
        return sorted(text_of(thread.name)[:_NAME_MAX] for thread in left if _runs(thread))


def _runs(thread: threading.Thread) -> bool:
    """Return whether a thread is there; one that C made, as MDSplus does, is listed for ever."""
    if isinstance(thread, threading._DummyThread):
        return Path(f"/proc/self/task/{thread.native_id}").exists()
    return thread.is_alive()


def end_processes() -> list[str]:
    """End all processes that the task left behind. Return notes for its output.

    The helpers of Python's own `multiprocessing` are nothing that a task leaves: they stay for as
    long as their program does, and are ended quietly, once nobody needs them any more.
    """
    if not kernel.has_children():
        return []
    found: dict[int, str] = {}
    give_up_at = time.monotonic() + _GRACE_S
    number = signal.SIGTERM
    while kernel.has_children():
        _reap()
        helpers = _helpers()
        others = [pid for pid in kernel.children(os.getpid()) if pid not in helpers]
        for pid in others:
            if pid not in found or number is signal.SIGKILL:
                found.setdefault(pid, _command_of(pid))
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        if not others and helpers:
            _stop(*next(iter(helpers.items())))  # what it leaves is ours by then
            continue
        if time.monotonic() > give_up_at + _GRACE_S:
            break  # stuck in a driver; the server's business from here on
        if time.monotonic() > give_up_at:
            number = signal.SIGKILL
        time.sleep(_POLL_S)
    return [
        f"[the task left process {pid} ({command}) running; it was ended]"
        for pid, command in found.items()
    ]


def _helpers() -> dict[int, tuple[Any, str]]:
    """Return the processes that `multiprocessing` keeps, the first to be stopped first.

    With each stand the object that keeps it and the name by which that knows its process id.
    """
    found = {}
    for module, name, attribute in _HELPERS:
        keeper = getattr(sys.modules.get(module), name, None)
        pid = getattr(keeper, attribute, None)
        if pid is not None:
            found[pid] = keeper, attribute
    return found


def _stop(pid: int, helper: tuple[Any, str]) -> None:
    keeper, attribute = helper
    # It is waited for without a limit.
    end = threading.Timer(_GRACE_S, os.kill, (pid, signal.SIGKILL))
    end.start()
    try:
        keeper._stop()
    except ChildProcessError:  # it had ended before
        pass
    finally:
        end.cancel()
        end.join()
        setattr(keeper, attribute, None)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _command_of(pid: int) -> str:
    folder = Path(f"/proc/{pid}")
    try:
        words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").strip()
        words = words or (folder / "comm").read_bytes().strip()
    except OSError:
        return "ended"
    return words.decode(errors="backslashreplace")[:_NAME_MAX]
