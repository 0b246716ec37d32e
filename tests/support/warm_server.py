"""The process that has loaded Shotline's programs and whose children become them.

`python -P warm_server.py DESCRIPTOR`: requests come in on that socket, each with the descriptors of
the new program; `warm_starts` sends them. It never has threads, sockets of ZeroMQ or an event loop,
which no child could use.
"""

import array
import ctypes
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypedDict

LOADED: Final = ("hub", "monitor", "action_server", "client.cli")
"""Programs whose modules are loaded; what another one needs beyond these it loads itself."""
REQUEST_BYTES: Final = 1 << 20
DESCRIPTORS: Final = 64
SET_CHILD_SUBREAPER: Final = 36
_SET_PDEATHSIG: Final = 1
_SET_MM: Final = 35
_MM_MAP: Final = 14
_NO_FILE: Final = 0xFFFFFFFF << 32
_OWN_DESCRIPTORS: Final = 128  # more than are ever open here
_shown: list[ctypes.Array[ctypes.c_char]] = []


class Request(TypedDict):
    """What a new program is to be."""

    words: list[str]  # its command line
    module: str
    environment: dict[str, str]
    folder: str
    umask: int
    own_session: bool
    tied_to: int | None  # the process with whose end the kernel asks it to end
    numbers: list[int]  # of its descriptors, in the order in which they come along


def prctl(option: int, *arguments: Any) -> None:
    """Call prctl(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, *arguments, *[0] * (4 - len(arguments))) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def serve(requests: socket.socket) -> tuple[Request, list[int]] | None:
    """Fork for each request; return it in the new process, None in this one once all have come."""
    while True:
        told, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES, DESCRIPTORS)
        if not told:
            return None
        waiting, go = os.pipe()
        # The kernel hands the child of one that has ended on to the process that asks, as its own.
        if (between := os.fork()) == 0:
            if child := os.fork():
                requests.send(str(child).encode())
                os._exit(0)
            os.close(go)
            os.read(waiting, 1)
            request: Request = json.loads(told)
            return request, descriptors
        os.waitpid(between, 0)
        requests.send(b"it is yours")
        for one in (waiting, go, *descriptors):
            os.close(one)


def become(request: Request, descriptors: Sequence[int]) -> None:
    """Make this process what a new one would be that runs the program."""
    if request["own_session"]:
        os.setsid()
    os.umask(request["umask"])
    os.chdir(request["folder"])
    numbers = request["numbers"]
    aside = max(_OWN_DESCRIPTORS, *numbers) + 1
    moved = [fcntl.fcntl(one, fcntl.F_DUPFD, aside) for one in descriptors]
    os.closerange(0, aside)
    for one, number in zip(moved, numbers, strict=True):
        os.dup2(one, number)
    os.closerange(aside, max(moved) + 1)
    if request["tied_to"] is not None:
        prctl(_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != request["tied_to"]:
            sys.exit("the process that wanted this one is gone")
    os.environ.clear()
    os.environ.update(request["environment"])
    _open_streams()
    words = request["words"]
    sys.orig_argv = words
    sys.argv = words[words.index(request["module"]) :]
    found = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [*([] if "-P" in words[:2] else [request["folder"]]), *filter(None, found)]
    _show_as(words, request["environment"])


def _open_streams() -> None:
    """Open the standard streams anew, of the kinds that they had."""
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        mode, buffering = ("wb", 0 if unbuffered else -1) if number else ("rb", -1)
        raw = open(number, mode, buffering, closefd=False)  # noqa: SIM115
        old = getattr(sys, name)
        new = io.TextIOWrapper(
            raw,
            encoding=old.encoding,
            errors=old.errors,
            line_buffering=name == "stderr" or raw.isatty(),
            write_through=unbuffered,
        )
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _show_as(words: Sequence[str], environment: Mapping[str, str]) -> None:
    """Let the system tell this command line and this environment of us: PR_SET_MM_MAP."""
    told = b"".join(os.fsencode(word) + b"\0" for word in words)
    known = b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in environment.items())
    _shown.append(ctypes.create_string_buffer(told + known))
    start = ctypes.addressof(_shown[-1])
    middle, end = start + len(told), start + len(told) + len(known)
    stat = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    code_and_data = [int(stat[number - 3]) for number in (26, 27, 45, 46, 47)]  # as in proc(5)
    stack = int(stat[28 - 3])
    sbrk = ctypes.CDLL(None).sbrk
    sbrk.restype = ctypes.c_uint64
    places = array.array(
        "Q", [*code_and_data, sbrk(0), stack, start, middle, middle, end, 0, _NO_FILE]
    )
    address, count = places.buffer_info()
    size = count * places.itemsize
    prctl(_SET_MM, _MM_MAP, ctypes.c_void_p(address), ctypes.c_size_t(size))


if __name__ == "__main__":
    for name in LOADED:
        importlib.import_module(f"shotline.{name}.__main__")
    for name in [one for one in sys.modules if one.endswith(".__main__")]:
        del sys.modules[name]  # it is run, and not imported before
    gc.freeze()
    _show_as(sys.orig_argv, os.environ)  # a kernel that cannot do it: we end, and all starts cold
    asking = socket.socket(fileno=int(sys.argv[1]))
    asking.send(b"loaded")
    if asked := serve(asking):
        become(*asked)
        runpy.run_module(asked[0]["module"], run_name="__main__", alter_sys=True)
