"""Another user of the machine: what it can do, tried by a process that is that user.

Only root can become another user. The process is a fork, so that it needs no right to read our
programs; what it imports must have been imported before.
"""

import encodings.idna  # noqa: F401  # which sockets import when they first see a name
import json
import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")
NOBODY: Final = 65534


def can_be_strangers() -> bool:
    """Whether this user may become another one."""
    return os.geteuid() == 0


def as_stranger(act: Callable[[], T]) -> T:
    """Return what `act`, done by another user, has returned; JSON carries it."""
    ours, its = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.chdir("/")
            said = {"done": act()}
        except Exception as error:  # noqa: BLE001  # told to the test below
            said = {"error": f"{type(error).__name__}: {error}"}
        with os.fdopen(its, "w") as pipe:
            json.dump(said, pipe)
        os._exit(0)
    os.close(its)
    with os.fdopen(ours) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    answer = json.loads(told)
    if "error" in answer:
        raise AssertionError(answer["error"])
    done: T = answer["done"]
    return done


def reached(paths: Iterable[Path]) -> list[str]:
    """Return what this user can do with any of these files, folders and sockets, one line each."""
    found = []
    for path in paths:
        for what, attempt in _ATTEMPTS:
            try:
                attempt(path)
            except OSError:
                continue
            found.append(f"{what} {path}")
    return found


def _plant(folder: Path) -> None:
    (folder / "planted").symlink_to("/etc/passwd")


def _connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as tried:
        tried.settimeout(5.0)
        tried.connect(str(path))


def _tell(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as tried:
        tried.sendto(b"READY=1", str(path))


_ATTEMPTS: Final[tuple[tuple[str, Callable[[Path], object]], ...]] = (
    ("read", lambda path: os.close(os.open(path, os.O_RDONLY))),  # a folder: listed
    ("write", lambda path: os.close(os.open(path, os.O_WRONLY))),
    ("remove", lambda path: path.unlink()),
    ("replace", lambda path: path.rename(path.with_suffix(".taken"))),
    ("plant in", _plant),
    ("connect to", _connect),
    ("tell", _tell),
)
