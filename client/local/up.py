"""`shotline up`: the daemons that the configuration names here, until somebody ends it."""

import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Final

from shotline.client.local.backoff import Backoff
from shotline.client.local.daemons import Daemon, Daemons
from shotline.client.local.elsewhere import look_around
from shotline.client.local.guard import Guard
from shotline.client.local.keys import make_keys
from shotline.client.local.link import UpLink
from shotline.client.local.requests import Requests, Units
from shotline.common.errors import LocalError
from shotline.common.messages import Outcome
from shotline.common.process.logs import rotate
from shotline.common.process.service import Service

_ROTATE_S: Final = 30.0  # Redis does not rotate its log, and says little
_LATE_S: Final = 1.0  # by which a deadline is missed where `up` stood still; so may they have
_TYPED_BYTES_MAX: Final = 4096
_PASSED_ON: Final = "SIGHUP was passed on: the daemons open their logs anew"
Tell = Callable[[str], None]


class Terminated(BaseException):
    """SIGTERM came: like Ctrl-C it is not to be caught on the way."""


@dataclass
class Up:
    """What runs, who may ask for something, and who is told."""

    daemons: Daemons
    link: UpLink
    tell: Tell
    guard: Guard
    untold: str = ""  # what a signal has done in the middle of something


@contextmanager
def started(daemons: Daemons, tell: Tell) -> Iterator[Up]:
    """Start the daemons, and end them however the body ends.

    SIGTERM, and SIGHUP when the terminal has gone, raise Terminated in this thread meanwhile; any
    other SIGHUP is passed on. Raise LocalError, in words, where something is in the way.
    """
    raise_descriptor_limit()
    for daemon in daemons.all:
        daemon.watchdog_s = daemons.config.up.watchdog_s if daemons.config.up.restart else None
    with (
        UpLink(daemons.config.data_folder) as link,
        Guard(daemons.config.up.stop_s) as guard,
        _terminable(Up(daemons, link, tell, guard)) as up,
    ):
        look_around(daemons, tell)
        make_keys(daemons, tell)

        def serves(name: str) -> None:
            guard.look_after(daemons.children())
            tell(f"up    {name}")

        try:
            daemons.start(serves)
            yield up
        finally:
            with _undisturbed():
                daemons.stop(lambda name: tell(f"ended {name}"))


def raise_descriptor_limit() -> None:
    """Let this process and all that it starts open as many files as they ever may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(
    up: Up,
    words: str,
    *,
    every_s: float | None = None,
    do: Callable[[], object] = lambda: None,
) -> bool:
    """Say these words, and stay until Ctrl-C or SIGTERM, or until none is left and one was lost.

    Whoever has read them may end it at once: then it has ended well. What hangs is killed, what
    ends by itself is told, and started again: after a while, or on request only, as the
    configuration says. Meanwhile `do` is done every `every_s`. SIGHUP is passed on
    to the daemons; only the end of the terminal from which all this was started ends it, like
    Ctrl-C. Return whether nothing was lost and is still missing.
    """
    return _Watch(up, words, every_s, do).run()


class _Watch:
    """Looks after what runs until it is to end."""

    def __init__(self, up: Up, words: str, every_s: float | None, do: Callable[[], object]) -> None:
        self._started = up
        self._words = words
        self._tell = up.tell
        self._daemons = up.daemons
        self._link = up.link
        self._units = Units(up.daemons)
        self._requests = Requests(self._units)
        self._up = {name for name in self._units.names if self._units.pid(name) is not None}
        self._every_s = every_s
        self._do = do
        now = time.monotonic()
        self._do_at = None if every_s is None else now + every_s
        self._rotate_at = now
        self._pidfds: dict[str, int] = {}
        self._heard: dict[str, socket.socket] = {}  # by daemon
        self._heard_on: dict[str, int] = {}  # the descriptor, which a closed socket does not tell
        self._backoff = Backoff(up.daemons.config.up)
        for name in self._up:
            self._backoff.started(name, now)
        self._had_terminal = _has_terminal()
        self._service = Service("up")

    def run(self) -> bool:
        service = self._service
        service.on_due(lambda: min(self._rotate_at, self._do_at or self._rotate_at), self._tick)
        service.on_due(lambda: self._backoff.wake_at, self._start_again)
        service.on_due(self._hangs_at, self._kill_hanging)
        service.on_signal(signal.SIGCHLD, self._look)
        service.on_signal(signal.SIGHUP, self._hang_up)
        service.on_signal(signal.SIGCONT, self._listen_to_terminal)
        service.after_each(self._look)
        service.watch(self._link.socket.fileno(), lambda: self._link.serve(self._ask))
        self._listen_to_terminal()
        self._look()  # one may have ended meanwhile
        service.run()
        return not self._missing()

    def _missing(self) -> bool:
        """Return whether one does not run that was not ended in order."""
        return any(
            self._units.pid(name) is None and name not in self._requests.stopped
            for name in self._units.names
        )

    def _tick(self) -> None:
        words, self._words = self._words, ""
        if words:
            self._tell(words)
        now = time.monotonic()
        if self._do_at is not None and self._do_at <= now:
            self._do()
            assert self._every_s is not None
            self._do_at = time.monotonic() + self._every_s
        if self._rotate_at <= now:
            self._rotate_at = now + _ROTATE_S
            if self._daemons.redis is not None:
                rotate(self._daemons.redis.log_file, self._daemons.config.logging)

    def _look(self) -> None:
        """Tell what has ended by itself, and what was not told yet."""
        untold, self._started.untold = self._started.untold, ""  # the next may come while we tell
        if untold:
            self._tell(untold)
        for name in self._units.names:
            if self._units.pid(name) is not None:
                if name not in self._up:
                    self._up.add(name)
                    self._backoff.started(name, time.monotonic())
            elif name in self._up:
                self._up.discard(name)
                if name not in self._requests.stopped:
                    self._take_end(name)
        for name in self._requests.stopped:
            self._backoff.forget(name)
        self._started.guard.look_after(self._daemons.children())
        self._watch_adopted()
        self._listen_to_daemons()
        if not self._up and self._missing() and self._backoff.wake_at is None:
            self._service.stop()

    def _take_end(self, name: str) -> None:
        """Tell of one that has ended by itself, and say when it is started again."""
        again = f"`shotline up start {name}` starts it again"
        daemon = self._units.daemon(name)
        if daemon is not None and daemon.exit_status == 0:
            self._requests.stopped.add(name)
            self._tell(f"ended {name} by itself, as it was asked to; {again}")
            return
        if self._daemons.config.up.restart and not self._units.adopted(name):
            wait_s = self._backoff.lost(name, time.monotonic())
            again = f"it is started again in {wait_s:g} s"
        self._tell(f"LOST  {name} ({self._units.how_it_ended(name)}); {again}")

    def _start_again(self) -> None:
        for name in self._backoff.due(time.monotonic()):
            self._backoff.forget(name)
            if self._units.pid(name) is not None or name in self._requests.stopped:
                continue
            try:
                begun = self._units.begin(name, self._tell)
            except LocalError as error:
                wait_s = self._backoff.lost(name, time.monotonic())
                self._tell(f"{name} was not started: {error}; again in {wait_s:g} s")
                continue
            if begun is None:  # Redis serves by now
                self._tell(f"up    {name} (process {self._units.pid(name)})")

    # Signs of life

    def _listen_to_daemons(self) -> None:
        for daemon in self._daemons.all:
            now, before = daemon.notices, self._heard.get(daemon.name)
            if now is before:
                continue
            if before is not None:
                self._service.unwatch(self._heard_on.pop(daemon.name))
                del self._heard[daemon.name]
            if now is not None:
                self._heard[daemon.name] = now
                self._heard_on[daemon.name] = now.fileno()
                self._service.watch(now.fileno(), partial(self._hear, daemon))

    def _hear(self, daemon: Daemon) -> None:
        served = daemon.ready
        daemon.hear()
        if daemon.ready and not served:
            self._tell(f"up    {daemon.name} (process {daemon.pid})")

    def _hangs_at(self) -> float | None:
        due = [at for daemon in self._daemons.all if (at := daemon.hangs_at) is not None]
        return min(due, default=None)

    def _kill_hanging(self) -> None:
        for daemon in self._daemons.all:
            daemon.hear()  # we may have been busy, or stopped, while it told
            at, now = daemon.hangs_at, time.monotonic()
            if at is None or at > now:
                continue
            if now - at > _LATE_S:
                daemon.excuse()
            else:
                self._tell(
                    f"HUNG  {daemon.name} (process {daemon.pid}): no sign of life for "
                    f"{daemon.watchdog_s:g} s; it is killed"
                )
                daemon.signal(signal.SIGKILL)
                daemon.wait(self._daemons.config.up.stop_s)

    def _watch_adopted(self) -> None:
        """Hear of the end of those who are no children of ours."""
        for name in self._units.names:
            pid = self._units.pid(name) if self._units.adopted(name) else None
            if pid is not None and name not in self._pidfds:
                with suppress(OSError):  # it has ended just now
                    self._pidfds[name] = os.pidfd_open(pid)
                    self._service.watch(self._pidfds[name], self._look)
            elif pid is None and name in self._pidfds:
                descriptor = self._pidfds.pop(name)
                self._service.unwatch(descriptor)
                os.close(descriptor)

    def _hang_up(self) -> None:
        if self._had_terminal and not _has_terminal():
            self._service.stop()
            return
        self._daemons.hang_up()
        self._tell(_PASSED_ON)

    def _ask(self, line: str, tell: Tell) -> Outcome:
        """Do what somebody asks for, and let Ctrl-C and SIGTERM break that off."""

        def both(text: str) -> None:
            self._tell(text)
            tell(text)

        words = line.split()
        with suppress(_Broken), _breakable():
            return self._requests.answer(words, tell if words[:1] == ["status"] else both)
        both("broken off: `shotline up` is ending")
        self._service.stop()
        return Outcome.ERROR

    def _listen_to_terminal(self) -> None:
        """Read what is typed where this runs in the foreground of its terminal."""
        with suppress(OSError, ValueError):
            if os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp():
                self._service.watch(0, self._read_typed)

    def _read_typed(self) -> None:
        # In the background a terminal's lines are for others, and reading one would stop us.
        typed = b""
        with suppress(OSError):
            if os.tcgetpgrp(0) == os.getpgrp():
                typed = os.read(0, _TYPED_BYTES_MAX)
        if not typed:
            self._service.unwatch(0)
            return
        for line in typed.decode(errors="replace").splitlines():
            if line.strip():
                status = line.split()[0] == "status"
                self._ask(line, self._tell if status else lambda _: None)


class _Broken(BaseException):
    """A request was broken off by a signal."""


@contextmanager
def _breakable() -> Iterator[None]:
    def break_(_number: int, _frame: FrameType | None) -> None:
        raise _Broken

    with _handled(break_, signal.SIGINT, signal.SIGTERM):
        yield


@contextmanager
def _terminable(up: Up) -> Iterator[Up]:
    """Let SIGTERM raise Terminated in this thread, so that what was begun is ended.

    SIGHUP does so when the terminal has gone. Else it is passed on to the daemons, also to those
    that are still beginning.
    """
    had_terminal = _has_terminal()

    def terminate(number: int, _frame: FrameType | None) -> None:
        raise Terminated(number)

    def hang_up(number: int, _frame: FrameType | None) -> None:
        if had_terminal and not _has_terminal():
            raise Terminated(number)
        up.daemons.hang_up()
        up.untold = _PASSED_ON  # it may have come in the middle of a line

    with _handled(terminate, signal.SIGTERM), _handled(hang_up, signal.SIGHUP):
        yield up


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a second Ctrl-C not break off what ends the daemons; that takes a bounded time."""
    with _handled(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield


@contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], None] | signal.Handlers, *numbers: signal.Signals
) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _has_terminal() -> bool:
    """Return whether this process has a terminal that can still be used."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
