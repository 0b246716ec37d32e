"""Programs of Shotline that start warm: forked from a process that has loaded their modules.

To load what a daemon or a command needs takes more processor time than most tests. So
`subprocess.Popen` of `python -m shotline…` asks `warm_server` for a process that becomes the
program: the real code, in a process of its own and child of ours, with the command line,
environment, folder, session and descriptors that it would have. What asks for more than that starts
cold, and so does what other programs start, and everything where SHOTLINE_TEST_STARTS is `cold`.
"""

import inspect
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support import warm_server as program
from tests.support.warm_server import SET_CHILD_SUBREAPER, Request, prctl

VARIABLE: Final = "SHOTLINE_TEST_STARTS"
_EARLY: Final = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "MALLOC_")
_ONLY_COLD: Final = ("executable", "preexec_fn", "shell", "uid", "gid", "gids")
_Popen: Final = subprocess.Popen
_TIED: Final = 6  # words of `interpreter.tied` before the program's own


def early(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what an interpreter reads of an environment before it runs anything."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_EARLY) and name != "PYTHONPATH"
    }


def program_of(words: Sequence[str]) -> tuple[list[str], str, bool] | None:
    """Return a program's words, its module and whether it is tied to us; None: not one of ours."""
    tied = list(words[:4]) == [sys.executable, "-I", "-S", "-c"]
    own = list(words[_TIED:] if tied else words)
    flags = 2 if own[1:2] == ["-P"] else 1
    if own[:1] != [sys.executable] or own[flags : flags + 1] != ["-m"]:
        return None
    module = "".join(own[flags + 1 : flags + 2])
    return (own, module, tied) if module.startswith("shotline.") else None


class WarmServer:
    """That process, as whoever asks it has it."""

    def __init__(self) -> None:
        self._circumstances = _circumstances(os.environ)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            words = [sys.executable, "-P", program.__file__, str(number)]
            self._process = _Popen(words, stdin=subprocess.DEVNULL, pass_fds=[number], cwd="/")
        self._is_there = self._socket.recv(program.REQUEST_BYTES) == b"loaded"

    def serves(self, environment: Mapping[str, str]) -> bool:
        """Return whether a program would begin as that process has."""
        return self._is_there and _circumstances(environment) == self._circumstances

    def start(self, request: Request, descriptors: Sequence[int]) -> int:
        """Return the pid of a new child of ours."""
        prctl(SET_CHILD_SUBREAPER, 1)
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
            pid = int(self._socket.recv(program.REQUEST_BYTES))
            assert self._socket.recv(program.REQUEST_BYTES) == b"it is yours"
        finally:
            prctl(SET_CHILD_SUBREAPER, 0)
        return pid

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


def _circumstances(environment: Mapping[str, str]) -> object:
    ignored = [one for one in signal.Signals if signal.getsignal(one) == signal.SIG_IGN]
    limits = [resource.getrlimit(one) for one in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS)]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return early(environment), ignored, limits, blocked


class _WarmPopen(_Popen[Any]):
    """Asks the server wherever it can."""

    server: WarmServer

    def _execute_child(self, *given: Any) -> None:
        asked = inspect.signature(super()._execute_child).bind(*given).arguments  # type: ignore[misc]
        words, folder = asked["args"], Path(asked["cwd"] or ".").absolute()
        environment = dict(os.environ if asked["env"] is None else asked["env"])
        found = program_of([*map(str, words)]) if isinstance(words, list | tuple) else None
        if (
            found is None
            or os.environ.get(VARIABLE) == "cold"
            or any(asked[name] for name in _ONLY_COLD)
            or asked["process_group"] not in (None, -1)
            or not self.server.serves(environment)
            or not folder.is_dir()
            or threading.current_thread() is not threading.main_thread()
        ):
            super()._execute_child(*given)  # type: ignore[misc]
            return
        own, module, tied = found
        pipes = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        streams = [number if one == -1 else one for number, one in enumerate(pipes)]
        request = Request(
            words=own,
            module=module,
            environment=environment,
            folder=str(folder),
            umask=_umask() if asked["umask"] < 0 else asked["umask"],
            own_session=bool(asked["start_new_session"]),
            tied_to=os.getpid() if tied else None,
            numbers=[0, 1, 2, *asked["pass_fds"]],
        )
        self.pid = self.server.start(request, [*streams, *asked["pass_fds"]])
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in ends))  # type: ignore[attr-defined]


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


@pytest.fixture(scope="session")
def warm_server() -> Iterator[WarmServer | None]:
    """That process; None where everything starts cold."""
    if os.environ.get(VARIABLE) == "cold":
        yield None
        return
    server = WarmServer()
    yield server
    server.close()


@pytest.fixture(scope="module", autouse=True)
def warm_starts(warm_server: WarmServer | None) -> Iterator[None]:
    """Let programs of Shotline start warm in the tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        if warm_server is not None:
            patch.setattr(_WarmPopen, "server", warm_server, raising=False)
            patch.setattr(subprocess, "Popen", _WarmPopen)
        yield


@pytest.fixture
def cold_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all programs of a test start as everywhere else."""
    monkeypatch.setenv(VARIABLE, "cold")
