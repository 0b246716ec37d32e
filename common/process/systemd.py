"""The few words that systemd understands (sd_notify), and its watchdog."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

log = logging.getLogger(__name__)

_TELL_AGAIN_S: Final = 1.0
_STATES: Final = ("READY", "RELOADING", "STOPPING")  # each takes the place of the one before


class Systemd:
    """What is told to systemd, where it started us.

    A systemd that does not read is waited for by nobody: what it was not told is told later.
    """

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog = os.environ.get("WATCHDOG_USEC", "")
        ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._interval_s = int(watchdog) / 2e6 if watchdog.isdigit() and ours else None
        self.due = time.monotonic() if self._interval_s is not None and self._socket else None
        self._untold: dict[str, str] = {}  # lines by what they are about, the last of each
        self._is_ready = False

    def ready(self, status: str) -> None:
        """Tell it that the daemon serves, and a line for `systemctl status`."""
        self._is_ready = True
        self.send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Tell it that the daemon ends."""
        self._is_ready = False
        self.send("STOPPING=1")

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Tell it, within, that the configuration is read anew: `systemctl reload` waits for it.

        A daemon that does not serve yet says nothing: it would count as ready at the end.
        """
        if self._is_ready:
            self.send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            if self._is_ready:
                self.send("READY=1")

    def send(self, text: str) -> None:
        """Tell it something, as STATUS=…"""
        if self._socket is None:
            return
        for line in text.split("\n"):
            word = line.partition("=")[0]
            self._untold["state" if word in _STATES else word] = line
        try:
            told = "\n".join(self._untold.values())
            self._socket.sendto(told.encode(), socket.MSG_DONTWAIT, self._address)
        except BlockingIOError:
            if self._interval_s is None:
                self.due = time.monotonic() + _TELL_AGAIN_S
            return
        except OSError as error:
            log.debug("systemd was not told: %s", error)
        self._untold.clear()
        if self._interval_s is None:
            self.due = None

    def keep_alive(self) -> None:
        """Tell its watchdog that we are alive, as often as it wants to know; call it when `due`."""
        if self.due is None:
            return
        now = time.monotonic()
        if now >= self.due:
            if self._interval_s is not None:
                self.due = now + self._interval_s
                self.send("WATCHDOG=1")
            else:
                self.send("\n".join(self._untold.values()))

    def close(self) -> None:
        """Tell it nothing more."""
        if self._socket is not None:
            self._socket.close()
            self._socket, self.due = None, None
