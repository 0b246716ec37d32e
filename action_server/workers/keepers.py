"""The keepers: one process for each mdsip url that this server's tasks run on.

A keeper owns the connections to its url, outside of every worker's process group, so that ending a
worker does not end the only one who hears of the task's end. What it says comes out as events; it
ends when this process does. What it does is in `trees.mdsip_keeper`.
"""

import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final, cast

from shotline.action_server.events import TaskProven
from shotline.common.actions import AttemptId, Status
from shotline.common.messages import Bound
from shotline.common.process import interpreter
from shotline.common.process.error_pipe import ErrorPipe
from shotline.common.process.service import Service
from shotline.common.settings.sections.action_server import ActionServerSection
from shotline.trees.mdsip_client import (
    Clear,
    Handed,
    KeeperCommand,
    KeeperEvent,
    Late,
    UrlChanged,
    Withdrawn,
    WorkerGone,
    as_line,
    keeper_command,
    read_event,
)

log = logging.getLogger(__name__)

_READ_BYTES: Final = 1 << 16
_CLOSE_S: Final = 5.0

Tell = Callable[[Bound | TaskProven], None]


@dataclass(slots=True)
class _Keeper:
    process: "subprocess.Popen[bytes]"
    address: Path
    errors: ErrorPipe
    rest: bytes = b""

    @property
    def commands(self) -> IO[bytes]:
        return cast("IO[bytes]", self.process.stdin)

    @property
    def events(self) -> IO[bytes]:
        return cast("IO[bytes]", self.process.stdout)


class Keepers:
    """All keepers of this server. `tell` takes what they say; `service` watches them."""

    def __init__(self, service: Service, tell: Tell, section: ActionServerSection) -> None:
        self._section = section
        self._service = service
        self._tell = tell
        self._keepers: dict[str, _Keeper] = {}
        self._folder: Path | None = None
        self._started = 0

    @property
    def pids(self) -> set[int]:
        """Their processes, which are our children and no leftovers of tasks."""
        return {keeper.process.pid for keeper in self._keepers.values()}

    def address(self, url: str) -> str:
        """Return where workers reach the keeper of a url; start it if there is none.

        Raise OSError when that cannot be done.
        """
        keeper = self._keepers.get(url)
        if keeper is None:
            keeper = self._keepers[url] = self._start(url)
        return str(keeper.address)

    def clear(self, url: str) -> None:
        """Tell the keeper of a url, where there is one, that what was given up does not run."""
        self._command(url, Clear())

    def withdraw(self, url: str, attempt: AttemptId) -> None:
        """Tell the keeper of a url that an attempt's worker is gone: it must not be started now."""
        self._command(url, WorkerGone(attempt=attempt))

    def _command(self, url: str, command: KeeperCommand) -> None:
        keeper = self._keepers.get(url)
        if keeper is not None:
            with contextlib.suppress(OSError):
                keeper.commands.write(as_line(command))
                keeper.commands.flush()

    def close(self) -> None:
        """End all; what they wait for goes on in the mdsip servers."""
        keepers, self._keepers = self._keepers, {}
        for keeper in keepers.values():
            self._service.unwatch(keeper.events.fileno())
            with contextlib.suppress(OSError):
                keeper.commands.close()
        for keeper in keepers.values():
            try:
                keeper.process.wait(_CLOSE_S)
            except subprocess.TimeoutExpired:
                keeper.process.kill()
                keeper.process.wait()
            keeper.events.close()
            keeper.errors.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, url: str) -> _Keeper:
        if self._folder is None:
            # Short, because the address of a Unix socket has at most 107 bytes.
            self._folder = Path(tempfile.mkdtemp(prefix="shotline-keeper-"))
        self._started += 1
        address = self._folder / str(self._started)
        section = self._section
        command = keeper_command(
            url, address, section.mdsip_connect_timeout_s, section.mdsip_keep_alive_s
        )
        errors = ErrorPipe(self._service, f"the keeper of {url}")
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors.writing,
                env=interpreter.environment(),
                start_new_session=True,
            )
        except OSError:
            errors.close()
            raise
        finally:
            errors.started()
        keeper = _Keeper(process, address, errors)
        os.set_blocking(keeper.events.fileno(), False)
        self._service.watch(keeper.events.fileno(), partial(self._read, url))
        return keeper

    def _read(self, url: str) -> None:
        keeper = self._keepers[url]
        try:
            data = os.read(keeper.events.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._ended(url, keeper)
            return
        *lines, keeper.rest = (keeper.rest + data).split(b"\n")
        for line in lines:
            try:
                event = read_event(line)
            except ValueError as error:
                log.error("the keeper of %s said what cannot be understood: %s", url, error)
                continue
            self._take(event)

    def _take(self, event: KeeperEvent) -> None:
        match event:
            case UrlChanged(bound=bound):
                self._tell(bound)
            case Handed():
                self._tell(TaskProven(event.attempt))
            case Withdrawn():
                self._tell(TaskProven(event.attempt, text="it was never started there"))
            case Late(outcome=None):
                log.warning("no answer will come for %s: %s", event.attempt, event.lost)
            case Late(outcome=outcome):
                assert outcome is not None
                status = Status.SUCCESS if outcome.ok else Status.FAILURE
                self._tell(TaskProven(event.attempt, status, outcome.code, outcome.text))

    def _ended(self, url: str, keeper: _Keeper) -> None:
        """It died; the next task gets a new one. What it waited for stays unknown."""
        ended = f"the keeper of {url} has ended; what it waited for is not known any more"
        log.error("%s", keeper.errors.last_words().after(ended))
        keeper.errors.close()
        self._service.unwatch(keeper.events.fileno())
        keeper.events.close()
        with contextlib.suppress(OSError):
            keeper.commands.close()
        del self._keepers[url]
