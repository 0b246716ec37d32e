"""What of a configuration runs on this machine already, and was started by somebody else.

`shotline up` looks here before it starts anything. A daemon of the same configuration that stands
by itself is adopted. One that ends with another program is no ground to build on, and what is none
of ours but has our address is in the way: both are refused in words, before anything is started.
"""

import errno
import fcntl
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Final

import psutil

from shotline.client.local.daemons import NOTICES_VARIABLE, Daemon, DaemonError, Daemons, notices_of
from shotline.common.settings.config import CONFIG_VARIABLE

_PROGRAM: Final = re.compile(r"shotline-([a-z-]+)")
_MODULE: Final = re.compile(r"shotline\.((?:bridges\.)?[a-z_]+)")
_STARTER: Final = re.compile(re.escape(notices_of(0)).replace("0", r"(\d+)"))
_SERVER: Final = "action_server"
_LOOK_S: Final = 0.05
_COMMAND_SHOWN: Final = 160
_WHERE: Final = {
    "clients": "broker.clients",
    "servers": "broker.servers",
    "events": "broker.events",
}
Tell = Callable[[str], None]


def look_around(daemons: Daemons, tell: Tell) -> None:
    """Adopt what runs already, or raise DaemonError. What is just ending is waited for."""
    there = shotlines()
    for daemon in daemons.all:
        take_note(daemons, daemon, there, tell)
    adopted = {daemon.name for daemon in daemons.all if daemon.adopted}
    for what, address, key in _addresses(daemons):
        if what not in adopted and _in_use(address):
            raise DaemonError(
                f"the {what}'s address {address} ({key}) is in use by {_listener(address)}: end "
                "that one first, or give this one another address"
            )
    _check_redis(daemons, tell)
    spill = daemons.config.journal.spill_file
    dispatcher = daemons.config.up.runner_of("dispatcher")
    if dispatcher is not None and dispatcher not in adopted and _held(spill):
        raise DaemonError(
            f"{_holder(spill)} uses the spill file {spill}, as only another dispatcher does: end "
            "that one first, or give this one a file of its own (journal.spill_file)"
        )


def take_note(
    daemons: Daemons, daemon: Daemon, there: Sequence[psutil.Process], tell: Tell
) -> None:
    """Adopt the process among those `there` that is this daemon already. Raise DaemonError."""
    for process in there:
        if not _is(process, daemon, daemons.file):
            continue
        starter = _starter(process)
        if starter == os.getpid():
            continue
        if starter is None:
            daemon.adopt(process)
            tell(
                f"found {daemon.name} (process {process.pid}, started elsewhere): it is used as it "
                "is, and stays at the end"
            )
            return
        with suppress(psutil.NoSuchProcess):
            if process.ppid() == starter:
                raise DaemonError(
                    f"{daemon.name} runs as process {process.pid} and ends with process {starter}, "
                    f"which has started it ({_command(starter)}): end that one first"
                )
        _wait_for(process, daemon.name, daemons.config.up.stop_s, tell)


def process_of(daemons: Daemons, daemon: Daemon) -> psutil.Process | None:
    """Return the process on this machine that is this daemon, whoever has started it."""
    return next((one for one in shotlines() if _is(one, daemon, daemons.file)), None)


def shotlines() -> list[psutil.Process]:
    """Return the processes of this machine that are daemons of Shotline."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if _words(process):
                found.append(process)
    return found


def _words(process: psutil.Process) -> tuple[str, list[str]] | None:
    """Return which daemon a process is, and its arguments; None where it is none."""
    command = process.cmdline()
    by_python = bool(command) and Path(command[0]).name.startswith("python")
    if by_python and "-m" in command[:-1]:
        place = command.index("-m") + 1
        if found := _MODULE.fullmatch(command[place]):
            return found[1], command[place + 1 :]
    for place, word in enumerate(command[: 3 if by_python else 1]):
        if found := _PROGRAM.fullmatch(Path(word).name):
            return found[1].replace("-", "_"), command[place + 1 :]
    return None


def _is(process: psutil.Process, daemon: Daemon, file: Path) -> bool:
    """Return whether a process is what `daemon` is to be: of this configuration."""
    with suppress(psutil.Error):
        told = _words(process)
        if told is None or f"shotline.{told[0]}" != daemon.module:
            return False
        if told[0] != _SERVER:
            return _file_of(process, told[1]) == file.resolve()
        server_class, server_id, broker = daemon.arguments
        place = next((at for at, word in enumerate(told[1]) if word == server_class), len(told[1]))
        if told[1][place + 1 : place + 2] != [server_id]:
            return False
        named = [word for word in told[1][place + 2 :] if re.fullmatch(r"(tcp://)?.+:\d+", word)]
        if named:
            return broker in (named[0], f"tcp://{named[0]}")
        return _file_of(process, told[1]) == file.resolve()
    return False


def _file_of(process: psutil.Process, arguments: Sequence[str]) -> Path | None:
    """Return the configuration file that a process was told of, None where it was of none."""
    named = None
    for word, following in pairwise((*arguments, "")):
        if word in ("-c", "--config"):
            named = following
        elif word.startswith("--config="):
            named = word.partition("=")[2]
    if named is None:
        named = process.environ().get(CONFIG_VARIABLE)
    return (Path(process.cwd()) / named).resolve() if named else None


def _starter(process: psutil.Process) -> int | None:
    """Return the process that has started it and with which it ends; None: it stands by itself."""
    with suppress(psutil.Error):
        found = _STARTER.match(process.environ().get(NOTICES_VARIABLE, ""))
        return int(found[1]) if found else None
    return None


def _wait_for(process: psutil.Process, name: str, seconds: float, tell: Tell) -> None:
    tell(f"waits for {name} (process {process.pid}) to end: who started it is gone")
    try:
        process.wait(seconds)
    except psutil.TimeoutExpired:
        raise DaemonError(
            f"{name} was left behind as process {process.pid} by a program that is gone, and does "
            f"not end: kill -9 {process.pid}"
        ) from None


def _check_redis(daemons: Daemons, tell: Tell) -> None:
    redis = daemons.redis
    if redis is None:
        return
    address = f"tcp://127.0.0.1:{redis.port}"
    until = time.monotonic() + daemons.config.up.stop_s
    if _held(redis.lock_file):
        tell(f"waits for {_listener(address)} to end, a Redis server that uses {redis.folder}")
        while _held(redis.lock_file) and time.monotonic() < until:
            time.sleep(_LOOK_S)
    if _held(redis.lock_file):
        raise DaemonError(
            f"a Redis server uses the folder {redis.folder} already, {_listener(address)}: end it; "
            f"or, to use it as it is, say `url: {redis.url}` and "
            f"`password_file: {redis.password_file}` under `redis`"
        )
    if _in_use(address):
        raise DaemonError(
            f"port {redis.port} for Redis (redis.port) is in use by {_listener(address)}: end that "
            f"one first, or give this one another port; a Redis server that is to be used as it is "
            f"goes under `redis` as `url: {redis.url}`"
        )


def _addresses(daemons: Daemons) -> Iterator[tuple[str, str, str]]:
    """Yield each address that is to be bound here: by which daemon, and by which key."""
    config = daemons.config
    if (broker := config.up.runner_of("broker")) is not None:
        for key, address in config.broker.bound_endpoints().items():
            yield broker, address, _WHERE[key]
    if "monitor" in config.up.daemons:
        host = config.monitor.address.strip("[]")
        host = f"[{host}]" if ":" in host else host
        yield "monitor", f"tcp://{host}:{config.monitor.port}", "monitor.port"


def _in_use(address: str) -> bool:
    """Return whether somebody listens there. What cannot be bound at all is the daemon's to say."""
    if address.startswith("ipc://"):
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(address.removeprefix("ipc://"))
            return True
        return False
    host, port = _host_and_port(address)
    with suppress(OSError):
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(place)
                probe.listen()
            except OSError as error:
                return error.errno == errno.EADDRINUSE
    return False


def _host_and_port(address: str) -> tuple[str | None, int]:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    return (None if host == "*" else host.strip("[]")), int(port)


def _listener(address: str) -> str:
    """Return in words who listens at an address."""
    if address.startswith("ipc://"):
        file = address.removeprefix("ipc://")
        pids = [one.pid for one in psutil.net_connections("unix") if str(one.laddr) == file]
    else:
        port = _host_and_port(address)[1]
        listening = (
            one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN
        )
        pids = [one.pid for one in listening if getattr(one.laddr, "port", None) == port]
    return next(
        (f"process {pid} ({_command(pid)})" for pid in pids if pid), "another user's process"
    )


def _command(pid: int) -> str:
    try:
        command = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return "gone by now"
    return command if len(command) <= _COMMAND_SHOWN else f"{command[:_COMMAND_SHOWN]}…"


def _held(file: Path) -> bool:
    """Return whether somebody holds the lock of a file."""
    try:
        opened = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False


def _holder(file: Path) -> str:
    """Return in words who holds the lock of a file."""
    with suppress(OSError):
        inode = str(file.stat().st_ino)
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()
            if len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
                return f"process {words[4]} ({_command(int(words[4]))})"
    return "another process"
