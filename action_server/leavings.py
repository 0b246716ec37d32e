"""What a task leaves behind in its worker process: processes, which are ended, and threads.

Runs in the worker. What an earlier life of the whole server left is `leftovers`' business.
"""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Final

from shotline.action_server import kernel

GRACE_S: Final = 0.5  # between TERM and KILL, and again until they are given up
_POLL_S: Final = 0.005


class Threads:
    """The threads of this process that are no task's."""

    def __init__(self) -> None:
        """Take those that there are now."""
        self._ours = set(threading.enumerate())
        self._count = threading.active_count()

    def left(self) -> list[str]:
        """Return the names of the others."""
        if threading.active_count() == self._count:
            return []
        left = set(threading.enumerate()) - self._ours
        return sorted(thread.name for thread in left if _runs(thread))


def _runs(thread: threading.Thread) -> bool:
    """Return whether a thread is there; one that C made, as MDSplus does, is listed for ever."""
    return (
        not isinstance(thread, threading._DummyThread)
        or Path(f"/proc/self/task/{thread.native_id}").exists()
    )


def end_processes() -> list[str]:
    """End all processes that the task left behind. Return notes for its output."""
    if not kernel.has_children():
        return []
    found: dict[int, str] = {}
    give_up_at = time.monotonic() + GRACE_S
    number = signal.SIGTERM
    while kernel.has_children():
        _reap()
        for pid in kernel.children(os.getpid()):
            if pid not in found or number is signal.SIGKILL:
                found.setdefault(pid, _command_of(pid))
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        if time.monotonic() > give_up_at + GRACE_S:
            break  # stuck in a driver; the server's business from here on
        if time.monotonic() > give_up_at:
            number = signal.SIGKILL
        time.sleep(_POLL_S)
    return [
        f"[the task left process {pid} ({command}) running; it was ended]"
        for pid, command in found.items()
    ]


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
    return words.decode(errors="replace")[:80]
