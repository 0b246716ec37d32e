"""Shotline's daemons as child processes: started, waited for, watched, ended in order.

`shotline up`, the demo and the tests stand on it. Readiness is what the daemons tell systemd, which
they tell us here. No child outlives this process: the kernel ends it with its parent.
"""

import json
import os
import secrets
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

from shotline.client.local.redis_server import RedisServer
from shotline.common.errors import LocalError
from shotline.common.files.own import GROUP_FOLDER, log_opener, make_folder
from shotline.common.process import interpreter
from shotline.common.process.logs import ERROR_FILE_VARIABLE, rotate
from shotline.common.settings.config import Config, LoggingSection
from shotline.common.settings.sections.up import UpServer

_LINES_SHOWN: Final = 8
FOLDERS: Final = {
    "legacy": "bridges.redis_dispatcher",
    "qserver": "bridges.qserver",
    "filterorchestrator": "bridges.filterorchestrator",
    "provider": "providers",
    "watcher": "volumes.watcher",
}
"""Where the daemons live whose name in `up.daemons` is not that of their folder."""
DAEMONS: Final = ("hub", "broker", "dispatcher", "monitor", *FOLDERS)
NOTICES_VARIABLE: Final = "NOTIFY_SOCKET"
_FORGOTTEN: Final = ("WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM")
_NOTICE_BYTES: Final = 4096


class DaemonError(LocalError):
    """A daemon could not be started."""


class Daemon:
    """One daemon: `python -P -m MODULE …` in a session of its own, its output in `log_file`.

    `adopt` lets it stand for a process that somebody else has started: such a one is watched, and
    neither signalled nor ended. `watchdog_s`, set before `start`, lets it give signs of life at
    least so often, which somebody must then hear (`hear`).
    """

    watchdog_s: float | None = None

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        rotation: LoggingSection | None = None,
    ) -> None:
        self.name = name
        self.log_file = log_file
        self.ready = False
        self.module = module
        self.arguments = tuple(arguments)
        self._rotation = LoggingSection() if rotation is None else rotation
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._adopted: psutil.Process | None = None
        self._notices: socket.socket | None = None
        self._hang_up_when_ready = False
        self._heard_at: float | None = None  # None: no sign of life is expected of it

    @property
    def pid(self) -> int | None:
        """Its process id; None when it does not run."""
        if not self.running:
            return None
        if self._adopted is not None:
            return int(self._adopted.pid)
        return self._process.pid if self._process is not None else None

    @property
    def adopted(self) -> bool:
        """Whether it is a process that somebody else has started."""
        return self._adopted is not None

    @property
    def running(self) -> bool:
        """Whether its process is there (it may be stopped)."""
        if self._adopted is not None:
            return is_alive(self._adopted)
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """How it ended: its exit status, or less than 0 for a signal; None while it runs.

        How an adopted one ended is not known.
        """
        return None if self._process is None else self._process.poll()

    def adopt(self, process: psutil.Process) -> None:
        """Let it be a process that runs already."""
        if self.running:
            raise DaemonError(f"{self.name} runs already")
        self._process, self._adopted = None, process

    def start(self) -> None:
        """Start it; `wait_ready` waits until it serves.

        It ends with the *thread* that calls this: call it from one that lives long enough.
        """
        if self.running:
            raise DaemonError(f"{self.name} runs already")
        self._close_notices()
        self._adopted = self._heard_at = None
        self.ready = False
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = f"{notices_of(os.getpid())}{secrets.token_hex(8)}"
        self._notices.bind("\0" + address[1:])
        make_folder(self.log_file.parent, GROUP_FOLDER)
        # The daemon itself rotates it from then on.
        rotate(self.log_file, self._rotation)
        inherited = interpreter.environment()
        for name in _FORGOTTEN:
            inherited.pop(name, None)
        own = {NOTICES_VARIABLE: address, ERROR_FILE_VARIABLE: str(self.log_file)}
        if self.watchdog_s is not None:
            own["WATCHDOG_USEC"] = str(round(self.watchdog_s * 1e6))
        with open(self.log_file, "ab", opener=log_opener) as log:
            self._process = subprocess.Popen(
                interpreter.tied(*interpreter.python(self.module, *self.arguments)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=inherited | self._environment | own,
                start_new_session=True,
            )

    def wait_ready(self, deadline: float) -> None:
        """Return once it serves. Raise DaemonError when it ends, or the deadline has passed."""
        assert self._process is not None
        assert self._notices is not None
        pidfd = os.pidfd_open(self._process.pid)
        try:
            while not self.ready:
                left = deadline - time.monotonic()
                sources = [self._notices.fileno(), pidfd]
                readable, _, _ = select.select(sources, [], [], max(0.0, left))
                if sources[0] in readable:
                    self.hear()
                elif pidfd in readable:
                    raise DaemonError(self._ended())
                elif left <= 0:
                    end = f"the end of {self.log_file}:\n{self.last_lines()}"
                    raise DaemonError(f"{self.name} is not ready in time; {end}")
        finally:
            os.close(pidfd)
            if self.watchdog_s is None or not self.ready:
                self._close_notices()

    @property
    def notices(self) -> socket.socket | None:
        """Where it tells that it serves, and lives; readable when it has. None: nobody hears it."""
        return self._notices

    @property
    def hangs_at(self) -> float | None:
        """When it is to count as hanging unless it is heard before; monotonic seconds."""
        if self._heard_at is None or self.watchdog_s is None or not self.running:
            return None
        return self._heard_at + self.watchdog_s

    def hear(self) -> None:
        """Take what it has told. From its READY to its STOPPING signs of life are expected."""
        while self._notices is not None:
            try:
                told = self._notices.recv(_NOTICE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if b"STOPPING=1" in told:
                self._heard_at = None
            elif b"READY=1" in told:
                self._heard_at = time.monotonic()
                self._serves()
            elif self._heard_at is not None:
                self._heard_at = time.monotonic()

    def excuse(self) -> None:
        """Expect the next sign of life from now on, should one be expected."""
        if self._heard_at is not None:
            self._heard_at = time.monotonic()

    def _serves(self) -> None:
        self.ready = True
        if self._hang_up_when_ready:
            self._hang_up_when_ready = False
            self.signal(signal.SIGHUP)

    def hang_up(self) -> None:
        """Let it open its log anew: now, or once it serves, since before SIGHUP would end it."""
        if self.ready:
            self.signal(signal.SIGHUP)
        else:
            self._hang_up_when_ready = self._process is not None and self.running

    def signal(self, number: int) -> None:
        """Send it a signal, when it runs."""
        if self._process is not None and self.running:
            self._process.send_signal(number)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; return whether it has."""
        if self._process is None:
            return True
        try:
            self._process.wait(max(0.0, timeout_s))
        except subprocess.TimeoutExpired:
            return False
        self._close_notices()
        return True

    def kill(self) -> None:
        """End it by KILL, as a crash would, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._close_notices()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it in order; KILL when it has not gone in time."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        if not self.wait(timeout_s):
            self.kill()

    def last_lines(self, count: int = _LINES_SHOWN) -> str:
        """Return the end of its log."""
        try:
            text = self.log_file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-count:])

    def _ended(self) -> str:
        assert self._process is not None
        status = self._process.wait()
        how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
        return f"{self.name} ended {how}; the end of {self.log_file}:\n{self.last_lines()}"

    def _close_notices(self) -> None:
        if self._notices is not None:
            self._notices.close()
            self._notices = None


def notices_of(starter: int) -> str:
    """Return how the addresses begin to which the daemons tell that they serve, by who started."""
    return f"@shotline-{starter}-"


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process is there and has not ended."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class Daemons:
    """The daemons that a configuration's `up` names on this machine, and Redis where it is ours."""

    def __init__(self, config: Config, config_file: Path) -> None:
        self.config = config
        self.logs = config.data_folder / "log"
        self.file = config_file.absolute()
        ours = config.redis.url is None and config.up.runner_of("dispatcher") is not None
        folder, port, password = config.redis.folder, config.redis.port, config.redis.secret_file
        self.redis = RedisServer(folder, port, password_file=password) if ours else None
        self.central = [self._daemon(name) for name in config.up.daemons]
        self.servers = [self._server(server) for server in config.up.servers]

    @property
    def all(self) -> list[Daemon]:
        """All but Redis, in the order of their start."""
        return [*self.central, *self.servers]

    def children(self) -> Iterator[int | None]:
        """Yield the process ids of all that was started here; None for what does not run."""
        if self.redis is not None:
            yield self.redis.pid
        for daemon in self.all:
            yield None if daemon.adopted else daemon.pid

    def named(self, name: str) -> Daemon | None:
        """Return the daemon of a name, also one that is started by others; None: it is no name."""
        for daemon in self.all:
            if daemon.name == name:
                return daemon
        if name in DAEMONS:
            return self._daemon(name)
        server_class, _, server_id = name.partition(":")
        if not server_class or not server_id:
            return None
        return self._server(UpServer.model_validate({"class": server_class, "id": server_id}))

    def start(self, tell: Callable[[str], None]) -> None:
        """Start them in order, each when those before it serve; the servers side by side.

        What was adopted is left as it is. `tell` gets the name of each that serves. Raise
        DaemonError or RedisServerError.
        """
        start_s = self.config.up.start_s
        if self.redis is not None:
            self.redis.start(start_s)
            tell(f"redis at {self.redis.url}")
        for daemon in self.central:
            if not daemon.adopted:
                daemon.start()
                daemon.wait_ready(time.monotonic() + start_s)
                tell(daemon.name)
        servers = [server for server in self.servers if not server.adopted]
        for server in servers:
            server.start()
        deadline = time.monotonic() + start_s
        for server in servers:
            server.wait_ready(deadline)
            tell(server.name)

    def stop(self, tell: Callable[[str], None]) -> None:
        """End them: servers, then the others from the last started to the first, then Redis."""
        self._stop_together(self.servers, tell)
        for daemon in reversed(self.central):
            self._stop_together([daemon], tell)
        if self.redis is not None and self.redis.running:
            self.redis.stop(self.config.up.stop_s)
            tell("redis")

    def hang_up(self) -> None:
        """Let all open their logs anew, and those that are still beginning once they serve."""
        for daemon in self.all:
            daemon.hang_up()

    def _stop_together(self, daemons: Sequence[Daemon], tell: Callable[[str], None]) -> None:
        daemons = [daemon for daemon in daemons if not daemon.adopted]
        running = [daemon for daemon in daemons if daemon.running]
        for daemon in daemons:
            if daemon not in running and daemon.exit_status is not None:
                status = daemon.exit_status
                tell(f"{daemon.name} by itself before, exit status {status}; see {daemon.log_file}")
        for daemon in running:
            daemon.signal(signal.SIGTERM)
            daemon.signal(signal.SIGCONT)
        deadline = time.monotonic() + self.config.up.stop_s
        for daemon in running:
            if not daemon.wait(deadline - time.monotonic()):
                daemon.kill()
                tell(f"{daemon.name} (killed: it did not end in {self.config.up.stop_s:g} s)")
            else:
                tell(daemon.name)

    def _daemon(self, name: str) -> Daemon:
        return Daemon(
            name,
            f"shotline.{FOLDERS.get(name, name)}",
            ("--config", str(self.file)),
            self.logs / f"{name}.log",
            rotation=self.config.logging,
        )

    def _server(self, server: UpServer) -> Daemon:
        name = f"{server.server_class}:{server.id}"
        environment = {"SHOTLINE_CONFIG": str(self.file)}
        if server.slots is not None:
            environment["SHOTLINE_ACTION_SERVER__SLOTS"] = str(server.slots)
        if server.mdsip_url is not None:
            environment["SHOTLINE_ACTION_SERVER__MDSIP_URL"] = server.mdsip_url
        if server.labels is not None:
            environment["SHOTLINE_ACTION_SERVER__LABELS"] = json.dumps(server.labels)
        return Daemon(
            name,
            "shotline.action_server",
            (server.server_class, server.id, self.config.broker.servers),
            self.logs / f"{server.server_class}-{server.id}.log",
            environment,
            self.config.logging,
        )
