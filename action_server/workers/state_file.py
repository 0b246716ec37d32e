"""What an earlier life of this server left running, and the file that tells a later one of ours.

Each server process keeps one file `CLASS:ID.PID.json` with its workers' process ids and starts. A
new incarnation ends the process groups of those whose server is dead, and only of those: a process
id alone proves nothing, it may belong to somebody else by now.
"""

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
import psutil

from shotline.action_server import kernel
from shotline.common.base import Struct, Value, to_json
from shotline.common.files.own import make_folder, private_opener

log = logging.getLogger(__name__)

_KILL_WAIT_S: Final = 5.0
_BEFORE_MAX: Final = 20
"""So many earlier incarnations are remembered."""

_POLL_S: Final = 0.01


class KnownProcess(Struct):
    """A process that cannot be mistaken for a later one with the same id.

    Known by its start in the kernel's own count, which no step of the wall clock moves.
    """

    pid: int
    boot: str
    start_ticks: int  # since that boot

    @classmethod
    def of(cls, pid: int) -> "KnownProcess":
        """Return a process of ours. One that has just ended is known by its id alone."""
        found = kernel.process(pid)
        return cls(
            pid=pid, boot=kernel.boot_id(), start_ticks=-1 if found is None else found.start_ticks
        )

    def is_alive(self) -> bool:
        """Return whether this very process runs."""
        found = kernel.process(self.pid)
        return (
            found is not None
            and not found.is_zombie
            and (self.boot, self.start_ticks) == (kernel.boot_id(), found.start_ticks)
        )


class ServerFile(Struct):
    """The contents of a file."""

    server: KnownProcess
    host: str = ""
    incarnation: str = ""
    before: tuple[str, ...] = ()  # incarnations whose processes it has found gone
    workers: tuple[KnownProcess, ...] = ()


class Cleared(Value):
    """What was found of earlier lives."""

    incarnations: tuple[str, ...]  # whose processes are proven gone, the last one at the end
    ended: tuple[int, ...]  # process groups that were still there
    left: tuple[int, ...]  # those that could not be ended
    living: tuple[int, ...]  # server processes of this name that are alive


class StateFile:
    """The file of this life of the server."""

    def __init__(self, folder: Path, name: str, incarnation: str) -> None:
        make_folder(folder)
        self._folder = folder
        self._name = name
        self._path = folder / f"{name}.{os.getpid()}.json"
        self._server = KnownProcess.of(os.getpid())
        self._incarnation = incarnation
        self._before: tuple[str, ...] = ()
        self._workers: dict[int, KnownProcess] = {}

    def clear(self) -> Cleared:
        """End what dead servers of this name left, and remove their files. Waits a few seconds."""
        living: list[int] = []
        gone: list[str] = []
        ended: list[int] = []
        left: list[int] = []
        for path in sorted(self._folder.glob(f"{self._name}.*.json")):
            contents = _read(path)
            if contents is None or _is_of_elsewhere(contents):
                continue
            if contents.server.is_alive() and contents.server.pid != os.getpid():
                living.append(contents.server.pid)
                continue
            groups = [worker.pid for worker in contents.workers if _is_its_group(worker)]
            ended += groups
            still_there = _end(groups)
            left += still_there
            if not still_there:
                _remove(path)
                gone += [*contents.before, contents.incarnation]
        known = dict.fromkeys(incarnation for incarnation in gone if incarnation)
        self._before = tuple(known)[-_BEFORE_MAX:]
        return Cleared(self._before, tuple(ended), tuple(left), tuple(living))

    def set_workers(self, pids: Iterable[int]) -> None:
        """Write down which worker processes there are."""
        self._workers = {pid: self._workers.get(pid) or KnownProcess.of(pid) for pid in pids}
        contents = ServerFile(
            server=self._server,
            host=socket.gethostname(),
            incarnation=self._incarnation,
            before=self._before,
            workers=tuple(self._workers.values()),
        )
        new = self._path.with_suffix(".new")
        try:
            with open(new, "wb", opener=private_opener) as file:
                file.write(msgspec.json.format(to_json(contents), indent=1))
            new.replace(self._path)
        except OSError as error:
            log.error("cannot write %s: %s; a later server would not know our workers", new, error)

    def remove(self) -> None:
        """Remove the file: nothing of ours is left."""
        _remove(self._path)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.error("cannot remove %s: %s", path, error)


def _read(path: Path) -> ServerFile | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=ServerFile)
    except (OSError, ValueError) as error:
        log.warning("%s cannot be read, what it names is left alone: %s", path, error)
        return None


def _is_of_elsewhere(contents: ServerFile) -> bool:
    """Return whether another machine has written it, into a folder that several share.

    What runs there is not seen from here: that it is not found proves nothing.
    """
    here = (kernel.boot_id(), socket.gethostname())
    return contents.server.boot != here[0] and contents.host not in ("", here[1])


def _is_its_group(worker: KnownProcess) -> bool:
    """Return whether the process group is still the one that the worker led.

    While a group has members its number is not given to a new process: a group without its leader
    is the old one, a leader that started at another time is a stranger; nothing outlives a boot.
    """
    if worker.boot != kernel.boot_id():
        return False
    if kernel.process(worker.pid) is not None:
        return worker.is_alive()
    return _has_members(worker.pid)


def _has_members(group: int) -> bool:
    found = map(kernel.process, psutil.pids())
    return any(one is not None and one.group == group and not one.is_zombie for one in found)


def _end(groups: list[int]) -> list[int]:
    """KILL process groups; their server is dead, nobody waits for them. Return what is left."""
    give_up_at = time.monotonic() + _KILL_WAIT_S
    left = groups
    while left and time.monotonic() < give_up_at:
        for group in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        time.sleep(_POLL_S)
        left = [group for group in left if _has_members(group)]
    return left
