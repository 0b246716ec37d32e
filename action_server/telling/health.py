"""The site's check of this host: one server of the host runs it, all of them tell what it said.

Which server runs it is settled by a lock on a file in the state folder, beside which the result
lies. The command gets no shell, its exit code says whether the host is well, and the end of what it
writes is the reason. Nothing here blocks; its process is reaped by `workers`.
"""

import fcntl
import logging
import os
import signal
import socket
import subprocess
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final

import msgspec

from shotline.common.base import to_json
from shotline.common.codec import sendable
from shotline.common.fleet.facts import Health
from shotline.common.process.service import Service
from shotline.common.settings.sections.action_server import HealthSection

log = logging.getLogger(__name__)

_OUTPUT_BYTES_MAX: Final = 2048  # the end of it is kept
_LOOK_S: Final = 5.0  # at what another server of the host has found
_DECODER: Final = msgspec.json.Decoder(Health)


class HealthCheck:
    """Runs the check, or reads what it has said. `latest` is None while nobody knows."""

    def __init__(self, service: Service, section: HealthSection, folder: Path) -> None:
        host = socket.gethostname().replace("/", "_")
        self.latest: Health | None = None
        self._service = service
        self._section = section
        self._file = folder / f"health@{host}.json"
        self._lock: int | None = None  # while this server runs it
        self._process: subprocess.Popen[bytes] | None = None
        self._output = b""
        self._end_at = inf
        self.look_at = 0.0 if section.command else inf

    @property
    def pids(self) -> set[int]:
        """Its process, which is a child of ours and no leftover of a task."""
        return set() if self._process is None else {self._process.pid}

    def tick(self) -> None:
        """Begin, end what takes too long, or look at what another server has found."""
        now = self._service.instant()
        if now.mono < self.look_at:
            return
        if self._process is not None:
            self._kill()
            self.look_at = inf
            self._finish(None)
            return
        self.look_at = now.mono + min(_LOOK_S, self._section.every_s)
        if self._take_lock():
            self._read()
            age_s = inf if self.latest is None else now.wall - self.latest.at
            if 0 <= age_s < self._section.every_s:
                self._release()
                self.look_at = now.mono + min(_LOOK_S, self._section.every_s - age_s)
            else:
                self._start(now.mono)
        else:
            self._read()

    def reaped(self, pid: int, code: int) -> None:
        """Take the end of a child that is no worker; less than 0: a signal."""
        if self._process is not None and self._process.pid == pid:
            self._read_output()
            self._process.returncode = code
            self._finish(code)

    def close(self) -> None:
        """End it, at once."""
        if self._process is not None:
            self._kill()
            self._release()

    def _start(self, mono: float) -> None:
        try:
            self._process = process = subprocess.Popen(
                self._section.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self._tell(ok=False, text=f"{self._section.command[0]} cannot be run: {error.strerror}")
            return
        assert process.stdout is not None
        self._output = b""
        os.set_blocking(process.stdout.fileno(), False)
        self._service.watch(process.stdout.fileno(), self._read_output)
        self.look_at = mono + self._section.timeout_s

    def _read_output(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        with suppress(BlockingIOError):
            data = os.read(process.stdout.fileno(), 65_536)
            self._output = (self._output + data)[-_OUTPUT_BYTES_MAX:]
            if not data:
                self._service.unwatch(process.stdout.fileno())

    def _kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _finish(self, code: int | None) -> None:
        """Take its end, or that it has not ended in time."""
        process, self._process = self._process, None
        assert process is not None
        assert process.stdout is not None
        self._service.unwatch(process.stdout.fileno())
        process.stdout.close()
        process.returncode = code if code is not None else -signal.SIGKILL  # reaped elsewhere
        said = sendable(self._output.decode(errors="backslashreplace").strip())
        if code is None:
            said = f"it did not end in {self._section.timeout_s:g} s{said and ': '}{said}"
        elif code and not said:
            said = f"exit code {code}" if code > 0 else f"killed by signal {-code}"
        self._tell(ok=code == 0, text=said)

    def _tell(self, *, ok: bool, text: str) -> None:
        now = self._service.instant()
        self.latest = Health(ok=ok, text=text, at=now.wall, resumes=self._section.resumes)
        self.look_at = now.mono + self._section.every_s
        try:
            new = self._file.with_suffix(f".{os.getpid()}")
            new.write_bytes(to_json(self.latest))
            new.replace(self._file)
        except OSError as error:
            log.warning("what the check of the host says cannot be written down: %s", error)
        self._release()

    def _read(self) -> None:
        with suppress(OSError, ValueError):
            found = _DECODER.decode(self._file.read_bytes())
            if found != self.latest:
                self.latest = found

    def _take_lock(self) -> bool:
        try:
            lock = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        except OSError as error:
            log.warning("the host cannot be checked: %s", error)
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        return True

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
