"""What we ask of the Linux kernel beyond Python's `os`: lifelines, subreapers, pipes, processes.

Used by both ends, the server and its workers; knows nothing about tasks.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
from pathlib import Path
from typing import Final, NamedTuple

_PIPE_BYTES: Final = 1024 * 1024
_PR_SET_CHILD_SUBREAPER: Final = 36
_IOLBF: Final = 1
# For calls that are over at once, or that nobody else may run beside.
_libc: Final = ctypes.PyDLL(None)
# Called after each task, without `argtypes`: converting by them costs as much as the call.
_fflush: Final = _libc.fflush
_waitid: Final = _libc.waitid
_LOOK_FOR_CHILDREN: Final = os.WEXITED | os.WNOHANG | os.WNOWAIT


def adopt_orphans() -> None:
    """Become the parent of all descendants whose parents die; so that they can be ended."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_group_when_closed(lifeline: int) -> None:
    """Let the kernel KILL our whole process group when the pipe's other end is closed.

    No thread of ours is needed for it, so it works while a task holds the interpreter lock, and
    for all that a task has started in the group. Nothing is ever written into the pipe.

    A parent death signal must not be asked for beside it: it ends this process alone, perhaps
    before the pipe is closed, and then nobody holds the lifeline for the rest of the group.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, int(signal.SIGKILL))
    flags = fcntl.fcntl(lifeline, fcntl.F_GETFL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, flags | os.O_ASYNC | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        if not os.read(lifeline, 1):  # closed before we came so far
            os.killpg(0, signal.SIGKILL)


def enlarge_pipe(descriptor: int) -> None:
    """Let the pipe hold 1 MiB where the system allows it; output moves three times faster."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def buffer_c_output_by_lines() -> None:
    """Let C's standard output, which is a pipe, be written at each line end."""
    with contextlib.suppress(ValueError):  # another C library names it differently
        _libc.setvbuf(ctypes.c_void_p.in_dll(_libc, "stdout"), None, _IOLBF, ctypes.c_size_t(0))


def flush_c_output() -> None:
    """Write what C's buffers still hold."""
    _fflush(None)


def has_children() -> bool:
    """Return whether this process has any, ended ones that nobody has waited for included."""
    # As `os.waitid`, without the exception that says that there are none, as most often.
    is_none: bool = _waitid(os.P_ALL, 0, None, _LOOK_FOR_CHILDREN) != 0
    return not is_none


def children(pid: int) -> list[int]:
    """Return the children of a process of ours, ended ones included."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, file.read_text().split())
    return found


class Process(NamedTuple):
    """What the kernel says of a process."""

    group: int
    start_ticks: int  # from the boot to its start: two processes of one id have different ones
    is_zombie: bool


def process(pid: int) -> Process | None:
    """Return what is known of a process of this machine, None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # proc(5): the command in brackets may contain anything; the state is the first field after
    # it, `pgrp` the third, `starttime` the twentieth.
    fields = stat.rpartition(b")")[2].split()
    return Process(int(fields[2]), int(fields[19]), fields[0] in (b"Z", b"X"))


def boot_id() -> str:
    """Return what tells this run of the machine from all others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def has_group(group: int) -> bool:
    """Return whether any process of the group is left, ended but unreaped ones included."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def in_words(wait_status: int) -> str:
    """Return how a process ended: 'exited with code 3', 'was killed by SIGKILL'."""
    code = os.waitstatus_to_exitcode(wait_status)
    if code >= 0:
        return f"exited with code {code}"
    return f"was killed by {signal_name(-code)}"


def signal_name(number: int) -> str:
    """Return a signal's name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
