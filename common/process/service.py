"""What every daemon needs besides its sockets: the run loop, signals, profiling.

What a daemon does is its own `server` module's business; configuration is `config`'s.
"""

import cProfile
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Final, NoReturn

import zmq

from shotline.common.errors import RemoteError
from shotline.common.machine import Instant
from shotline.common.process.logs import (
    configure_logging,
    goes_past_standard_error,
    is_configured,
)
from shotline.common.process.systemd import Systemd
from shotline.common.settings.config import LoggingSection

log = logging.getLogger(__name__)

Readable = zmq.Socket[bytes] | int
EXIT_FAULT: Final = 70  # EX_SOFTWARE: a fault of ours; systemd starts the daemon again
PROFILE_VARIABLE: Final = "SHOTLINE_PROFILE"
_IDLE_MS: Final = 60_000
# Plain numbers: this is done for every source of every wake-up.
_FAILED: Final = int(zmq.POLLERR)
_READY: Final = int(zmq.POLLIN | zmq.POLLOUT)


@dataclass(slots=True)
class _Timed:
    """What is called when it is due; `due` is what `wake_at` said last."""

    wake_at: Callable[[], float | None]
    callback: Callable[[], None]
    due: float | None = None


class Service:
    """The run loop of a daemon: one wake-up, the callbacks of what is ready, one flush.

    A callback drains its source (bounded) and returns. What it raises is logged with its story: a
    RemoteError is the peer's fault, and the daemon goes on; anything else is ours, and `run` ends
    with EXIT_FAULT. SIGTERM and SIGINT call `on_stop`'s function, by default `stop()`.
    """

    def __init__(self, name: str, systemd: Systemd | None = None) -> None:
        self.name = name
        self._poller = zmq.Poller()
        self._callbacks: dict[Readable, Callable[[], None]] = {}
        self._code: int | None = None
        self._goes_on = False
        self._timed: list[_Timed] = []
        self._due: float | None = None  # the earliest of all deadlines
        self._flushes: list[Callable[[], None]] = []
        self._signals: dict[int, Callable[[], None]] = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self.stop,
        }
        self._arrived: list[int] = []
        self._systemd = Systemd() if systemd is None else systemd

    def watch(
        self, source: Readable, callback: Callable[[], None], events: int = zmq.POLLIN
    ) -> None:
        """Call `callback` whenever the socket or descriptor is ready; again replaces it.

        A pipe whose other end was closed is ready once: read it to its end. A callback that does
        not unwatch it then does not see it again.
        """
        self._callbacks[source] = callback
        self._poller.register(source, events)

    def unwatch(self, source: Readable) -> None:
        """Watch it no longer; one that is not watched is no error."""
        if self._callbacks.pop(source, None) is not None:
            self._poller.unregister(source)

    def on_due(self, wake_at: Callable[[], float | None], callback: Callable[[], None]) -> None:
        """Call `callback` in a wake-up in which its deadline is due, after the sources.

        `wake_at` tells the deadline at the end of every wake-up (monotonic seconds, None: none).
        """
        self._timed.append(_Timed(wake_at, callback))

    def after_each(self, callback: Callable[[], None]) -> None:
        """Call it once at the end of every wake-up: to send what was gathered."""
        self._flushes.append(callback)

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Set what SIGTERM and SIGINT do; it calls `stop` when the daemon may end."""
        self.on_signal(signal.SIGTERM, callback)
        self.on_signal(signal.SIGINT, callback)

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """Set, before `run`, what a signal does. It is called from the run loop, as all else."""
        self._signals[number] = callback

    def instant(self) -> Instant:
        """Return now."""
        return Instant(time.monotonic(), time.time())

    def stop(self, code: int = 0, *, goes_on: bool = False) -> None:
        """End `run` with this exit code after the current wake-up.

        `goes_on`: the process then begins another life. systemd is not told that it ends, or would
        kill it when the time for that is over.
        """
        if self._code is None:
            self._code = code
            self._goes_on = goes_on

    def ready(self, status: str) -> None:
        """Tell systemd that the daemon serves, and a line for `systemctl status`."""
        self._systemd.ready(status)

    def status(self, status: str) -> None:
        """Tell systemd the line for `systemctl status`."""
        self._systemd.send(f"STATUS={status}")

    def run(self) -> int:
        """Serve until `stop`. Return the exit code."""
        # What is loaded by now stays; what a wake-up makes has few cycles, and is looked at rarely.
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        profile = os.environ.get(PROFILE_VARIABLE)
        if not profile:
            return self._run()
        profiler = cProfile.Profile()
        try:
            return profiler.runcall(self._run)
        finally:
            # Several daemons may inherit the same variable.
            file = profile.replace("{program}", self.name).replace("{pid}", str(os.getpid()))
            profiler.dump_stats(file)

    def _run(self) -> int:
        with self._signals_heard() as signals:
            self.watch(signals, lambda: self._take_signals(signals))
            try:
                self._look_at_deadlines()
                while self._code is None:
                    self._once()
            except Exception:
                log.critical("%s ends because of a fault of its own", self.name, exc_info=True)
                self._code = EXIT_FAULT
            finally:
                if not self._goes_on:
                    self._systemd.stopping()
                self.unwatch(signals)
        return self._code

    @contextmanager
    def _signals_heard(self) -> Iterator[int]:
        """Let signals arrive here; the descriptor is readable when one has."""
        before = {number: signal.getsignal(number) for number in self._signals}
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # A signal alone would not end poll(): pyzmq goes on waiting for the rest of the time.
        old_wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in self._signals:
            signal.signal(number, lambda got, _frame: self._arrived.append(got))
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(old_wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(reading)
            os.close(writing)

    def _once(self) -> None:
        for source, events in self._poller.poll(self._timeout_ms()):
            callback = self._callbacks.get(source)
            if callback is None:  # an earlier callback of this wake-up has unwatched it
                continue
            self._call(callback)
            ended = events & _FAILED and not events & _READY
            if ended and self._callbacks.get(source) is callback:
                self.unwatch(source)
        now = time.monotonic()
        for timed in self._timed:
            if timed.due is not None and timed.due <= now:
                self._call(timed.callback)
        for flush in self._flushes:
            self._call(flush)
        self._systemd.keep_alive()
        self._look_at_deadlines()

    def _look_at_deadlines(self) -> None:
        earliest = self._systemd.due
        for timed in self._timed:
            timed.due = due = timed.wake_at()
            if due is not None and (earliest is None or due < earliest):
                earliest = due
        self._due = earliest

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except RemoteError:
            log.warning("a peer sent what is not allowed; it was ignored", exc_info=True)

    def _timeout_ms(self) -> int:
        if self._code is not None:
            return 0
        if self._due is None:
            return _IDLE_MS
        # Rounded up: 0.4 ms would be polled as 0, again and again.
        # "At once" and "never" may come as infinities.
        wait_s = min(max(self._due - time.monotonic(), 0.0), _IDLE_MS / 1000)
        return ceil(wait_s * 1000)

    def _take_signals(self, descriptor: int) -> None:
        os.read(descriptor, 4096)
        arrived, self._arrived = self._arrived, []
        for number in dict.fromkeys(arrived):
            self._signals[number]()


def give_up(program: str, error: Exception) -> NoReturn:
    """End a daemon that cannot begin. Say why on standard error, in its log, and to systemd."""
    if not is_configured():
        configure_logging(program, LoggingSection(file=None))
    if goes_past_standard_error():
        log.critical("%s cannot begin: %s", program, error)
    Systemd().send(f"STATUS=cannot begin: {error}")
    sys.exit(f"{program}: {error}")
