"""`shotline up`: the daemons that the configuration names here, until somebody ends it."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from shotline.client.daemons import Daemon, Daemons
from shotline.common.service import Service


class Terminated(BaseException):
    """SIGTERM came: like Ctrl-C it is not to be caught on the way."""


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise Terminated in this thread, so that what was begun is ended."""

    def raise_(number: int, _: FrameType | None) -> None:
        raise Terminated(number)

    before = {number: signal.signal(number, raise_) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let a second Ctrl-C not break off what ends the daemons; that takes a bounded time."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def started(daemons: Daemons, tell: Callable[[str], None]) -> Iterator[None]:
    """Start the daemons, and end them however the body ends."""
    try:
        daemons.start(lambda name: tell(f"up    {name}"))
        yield
    finally:
        with undisturbed():
            daemons.stop(lambda name: tell(f"ended {name}"))


def serve(
    daemons: Daemons,
    tell: Callable[[str], None],
    *,
    every_s: float | None = None,
    do: Callable[[], object] = lambda: None,
) -> bool:
    """Stay until Ctrl-C or SIGTERM, or until no daemon is left; tell which end by themselves.

    None is restarted: who does that is systemd. Meanwhile `do` is done every `every_s`. SIGHUP is
    passed on to the daemons; only the end of the terminal from which all this was started ends it,
    like Ctrl-C. Return whether all daemons were still there at the end.
    """
    service = Service("up")
    due = None if every_s is None else time.monotonic() + every_s

    def do_again() -> None:
        nonlocal due
        do()
        due = None if every_s is None else time.monotonic() + every_s

    service.set_wake(lambda: due)
    service.on_tick(do_again)
    known: set[Daemon] = {daemon for daemon in daemons.all if daemon.running}
    lost: list[Daemon] = [daemon for daemon in daemons.all if daemon not in known]

    redis = daemons.redis
    redis_was_up = redis is not None and redis.running

    def look() -> None:
        nonlocal redis_was_up
        if redis is not None and redis_was_up and not redis.running:
            redis_was_up = False
            tell(f"LOST  redis; see {redis.log_file}")
        for daemon in [one for one in known if not one.running]:
            known.discard(daemon)
            lost.append(daemon)
            tell(f"LOST  {daemon.name} (exit status {daemon.exit_status}); see {daemon.log_file}")
        if not known:
            service.stop()

    had_terminal = _has_terminal()

    def hang_up() -> None:
        if had_terminal and not _has_terminal():
            service.stop()
            return
        for daemon in known:
            daemon.signal(signal.SIGHUP)
        tell("SIGHUP was passed on: the daemons open their logs anew")

    service.on_signal(signal.SIGCHLD, look)
    service.on_signal(signal.SIGHUP, hang_up)
    service.after_each(look)
    look()  # one may have ended meanwhile
    service.run()
    return not lost and (redis is None or redis_was_up)


def _has_terminal() -> bool:
    """Return whether this process has a terminal that can still be used."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
