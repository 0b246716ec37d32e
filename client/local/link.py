"""How one asks a running `shotline up`: a socket in its data folder, for its user alone.

One request, a line, gets lines back: what is done, as it is done, and at the end the outcome. The
lock beside it lets one `up` run in a data folder at a time.
"""

import fcntl
import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from shotline.common.base import Struct, to_json
from shotline.common.closable import Closable
from shotline.common.errors import LocalError
from shotline.common.files.own import GROUP_FOLDER, make_folder
from shotline.common.messages import Outcome

_LOCK: Final = "up.lock"
_SOCKET: Final = "up.sock"
_LINE_BYTES_MAX: Final = 4096
_WAITING_MAX: Final = 16
# The other end is a program of ours on this machine; it says at once what it has to say.
_SAY_S: Final = 1.0
UpAnswer = Callable[[str, Callable[[str], None]], Outcome]


class UpRunsAlready(LocalError):
    """Another `shotline up` runs in this data folder."""


class UpAway(LocalError):
    """No `shotline up` runs in this data folder."""


class _Said(Struct):
    """A line of an answer; the last one has the outcome."""

    text: str = ""
    outcome: Outcome | None = None


class UpLink(Closable):
    """The lock and the socket of the `up` that runs in a data folder."""

    def __init__(self, folder: Path) -> None:
        """Take both. Raise UpRunsAlready when another has them."""
        make_folder(folder, GROUP_FOLDER)
        self._folder = folder
        self._lock = _locked(folder)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with suppress(FileNotFoundError):
            (folder / _SOCKET).unlink()
        os.fchmod(self.socket.fileno(), stat.S_IRUSR | stat.S_IWUSR)  # bind makes the file so
        with _Address(folder) as address:
            self.socket.bind(address)
        self.socket.listen(_WAITING_MAX)

    def serve(self, answer: UpAnswer) -> None:
        """UpAnswer one request that waits; what is told meanwhile goes to who asked."""
        try:
            connection, _ = self.socket.accept()
        except OSError:  # it has gone
            return
        with connection, suppress(OSError):
            connection.settimeout(_SAY_S)
            line = connection.makefile("rb").readline(_LINE_BYTES_MAX)
            if line.endswith(b"\n"):
                self._answer(connection, line.decode(errors="replace").strip(), answer)

    def _answer(self, connection: socket.socket, request: str, answer: UpAnswer) -> None:
        def say(said: _Said) -> None:
            with suppress(OSError):  # who asked may have gone; it is done all the same
                connection.sendall(to_json(said) + b"\n")

        outcome = answer(request, lambda text: say(_Said(text=text)))
        say(_Said(outcome=outcome))

    def close(self) -> None:
        """Let another take both."""
        self.socket.close()
        (self._folder / _SOCKET).unlink(missing_ok=True)
        os.close(self._lock)


def ask_up(folder: Path, request: str, tell: Callable[[str], None], timeout_s: float) -> Outcome:
    """Ask the `up` of a data folder; `tell` gets its lines. Return the outcome.

    `timeout_s` bounds the time between two lines. Raise UpAway.
    """
    with _connected(folder) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.sendall(request.encode() + b"\n")
            for line in connection.makefile("rb"):
                said = msgspec.json.decode(line, type=_Said)
                if said.outcome is not None:
                    return said.outcome
                tell(said.text)
        except TimeoutError:
            raise UpAway(
                f"`shotline up` (process {_pid_in(folder)}) does not answer in {timeout_s:g} s"
            ) from None
        except (OSError, ValueError):
            pass
    raise UpAway(f"the `shotline up` of {folder} has ended before it had answered")


def is_up(folder: Path) -> bool:
    """Return whether an `up` runs in a data folder, and may be asked by this user."""
    try:
        _connected(folder).close()
    except UpAway:
        return False
    return True


def _connected(folder: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(_SAY_S)
    try:
        with _Address(folder) as address:
            connection.connect(address)
    except PermissionError:
        connection.close()
        raise UpAway(f"the `shotline up` of {folder} is another user's") from None
    except OSError:
        connection.close()
        raise UpAway(f"no `shotline up` runs with the data folder {folder}") from None
    return connection


class _Address:
    """The socket's address, however long the folder's path is: such an address has 107 bytes."""

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> str:
        return f"/proc/self/fd/{self._descriptor}/{_SOCKET}"

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _locked(folder: Path) -> int:
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise UpRunsAlready(
            f"another `shotline up` (process {_pid_in(folder)}) runs with the data folder "
            f"{folder}: `shotline up status` shows what it runs; end that one first, or give this "
            "one another data_folder"
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _pid_in(folder: Path) -> str:
    with suppress(OSError):
        if pid := (folder / _LOCK).read_text(encoding="utf-8", errors="replace").strip():
            return pid
    return "unknown"
