"""What a task may change of its worker process itself, and how that is put back.

Timers, signal handlers and masks, limits, priority, locale, what the interpreter keeps. The
environment, current folder and standard streams are `surroundings`' business, processes and threads
that a task leaves are `leavings`'.

What cannot be put back, or stays in what was loaded meanwhile, is named: the worker is replaced.
It is looked at after every task, before its end is told, so all of it together takes some ten
microseconds.
"""

import _locale
import _signal  # type: ignore[import-not-found]
import _socket
import contextlib
import faulthandler
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from operator import call, is_
from typing import Any, Final

# Those of the modules `signal` and `locale` make enumeration members: ten times slower.
_handler_of: Final = _signal.getsignal
_set_timer: Final = _signal.setitimer
_mask: Final = _signal.pthread_sigmask
_locale_of: Final = _locale.setlocale
_LIST_BYTES: Final = 4096
_BLOCK: Final = int(signal.SIG_BLOCK)
_TIMERS: Final = (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF)
_SIGNALS: Final = tuple(sorted(map(int, signal.valid_signals())))
_LIMITS: Final = tuple(
    {getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
)
# By which we are told to end.
_FOR_US: Final = frozenset((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))

# What the interpreter keeps for the process: how it is asked for, and set.
_KEPT: Final[tuple[tuple[Callable[[], Any], Callable[[Any], object]], ...]] = (
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.getswitchinterval, sys.setswitchinterval),
    (sys.gettrace, sys.settrace),
    (sys.getprofile, sys.setprofile),
    (gc.isenabled, lambda enabled: gc.enable() if enabled else gc.disable()),
    (gc.get_threshold, lambda threshold: gc.set_threshold(*threshold)),
    (_socket.getdefaulttimeout, _socket.setdefaulttimeout),
    (faulthandler.is_enabled, lambda _: faulthandler.enable(file=2)),
)
_NAMES: Final = ("argv", "excepthook", "unraisablehook", "displayhook", "stdin")  # of `sys`


# All that the kernel, libc and the interpreter tell at one call each.
_ASKED: Final[tuple[Callable[[], Any], ...]] = (
    *(ask for ask, _ in _KEPT),
    partial(_mask, _BLOCK, ()),
    partial(_locale_of, _locale.LC_ALL, None),
    partial(os.getpriority, os.PRIO_PROCESS, 0),
    partial(os.sched_getscheduler, 0),
    partial(os.sched_getaffinity, 0),
    os.getresuid,
    os.getresgid,
)


class ProcessState:
    """What a worker process is when it begins."""

    def __init__(self) -> None:
        """Take what there is now."""
        self._handlers = list(map(_handler_of, _SIGNALS))
        self._mask = _mask(_BLOCK, ())
        self._limits = list(map(resource.getrlimit, _LIMITS))
        self._limits_file = os.open("/proc/self/limits", os.O_RDONLY)
        self._priority = os.getpriority(os.PRIO_PROCESS, 0)
        self._processors = os.sched_getaffinity(0)
        self._scheduler = os.sched_getscheduler(0), os.sched_getparam(0)
        self._users = _users()
        self._locale: str = _locale_of(_locale.LC_ALL, None)
        self._path = list(sys.path)
        self._kept = [ask() for ask, _ in _KEPT]
        self._named = [getattr(sys, name) for name in _NAMES]
        self._answers = list(map(call, _ASKED))
        self._listed_limits = self._list_limits()

    def disarm(self) -> None:
        """Let no timer of the task's go off any more. First of all, at its end."""
        for timer in _TIMERS:
            _set_timer(timer, 0)
        faulthandler.cancel_dump_traceback_later()

    def restore(self) -> list[str]:
        """Put back what can be. Return in words what cannot: 'changed its user'."""
        # Compared as a whole: most tasks change nothing.
        if (
            list(map(call, _ASKED)) == self._answers
            and list(map(_handler_of, _SIGNALS)) == self._handlers
            and all(map(is_, map(vars(sys).get, _NAMES), self._named))
            and sys.path == self._path
            and self._list_limits() == self._listed_limits
        ):
            return []
        return self._put_back()

    def _list_limits(self) -> bytes:
        """Return all limits as the kernel lists them: one call costs less than one for each."""
        try:
            return os.pread(self._limits_file, _LIST_BYTES, 0)
        except OSError:  # a task has closed what was not its own
            return b""

    def _put_back(self) -> list[str]:
        self._restore_handlers()
        self._restore_mask()
        _locale_of(_locale.LC_ALL, self._locale)
        for (_, put), kept in zip(_KEPT, self._kept, strict=True):
            put(kept)
        for name, value in zip(_NAMES, self._named, strict=True):
            setattr(sys, name, value)
        changed = []
        if not self._restore_limits():
            changed.append("lowered limits for good")
        if not self._restore_scheduling():
            changed.append("changed its priority or processors")
        if _users() != self._users:
            changed.append("changed its user or group")
        if sys.path != self._path:
            # Put back, it would be missing to what was loaded by it, and never loads again.
            changed.append("changed where modules are found (sys.path)")
        return changed

    def _restore_handlers(self) -> None:
        for number, handler in zip(_SIGNALS, self._handlers, strict=True):
            # One that is not Python's cannot be set again; nor could those of KILL and STOP.
            if _handler_of(number) != handler and handler is not None:
                signal.signal(number, handler)

    def _restore_mask(self) -> None:
        ours = _mask(_BLOCK, ()) - self._mask - _FOR_US
        # What has come for the task meanwhile is not ours, and would end us.
        while pending := signal.sigpending() & ours:
            signal.sigtimedwait(pending, 0)
        _mask(int(signal.SIG_SETMASK), self._mask)

    def _restore_limits(self) -> bool:
        for which, kept in zip(_LIMITS, self._limits, strict=True):
            with contextlib.suppress(ValueError, OSError):  # a lowered hard one, without privilege
                resource.setrlimit(which, kept)
        return list(map(resource.getrlimit, _LIMITS)) == self._limits

    def _restore_scheduling(self) -> bool:
        with contextlib.suppress(OSError):  # without privilege none becomes more important again
            if os.sched_getscheduler(0) != self._scheduler[0]:
                os.sched_setscheduler(0, *self._scheduler)
            if os.getpriority(os.PRIO_PROCESS, 0) != self._priority:
                os.setpriority(os.PRIO_PROCESS, 0, self._priority)
            if os.sched_getaffinity(0) != self._processors:
                os.sched_setaffinity(0, self._processors)
            return True
        return False


def _users() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    return os.getresuid(), os.getresgid()
