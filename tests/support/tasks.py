"""Tasks that tests let action servers run: each does one awkward thing."""

import asyncio
import atexit
import contextlib
import ctypes
import gc
import importlib
import locale
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import shared_memory
from pathlib import Path
from typing import Final

from shotline.action_server.progress import progress

_libc = ctypes.CDLL(None)


def returns(value: object = None) -> object:
    return value


async def measures(value: object = None) -> object:
    await asyncio.sleep(0)
    return value


def yields() -> Iterator[int]:
    yield 1


def returns_half_a_character() -> str:
    return "8 \ud83d pulses"


def raises_half_a_character() -> None:
    raise ValueError("gas \udc80")


def returns_too_much() -> int:
    return 2**64 + 1


def leaves_too_much() -> None:
    sys.exit(2**70)


class Unspeakable(Exception):
    """Nobody can be told what it is."""

    def __str__(self) -> str:
        raise SystemExit("no words")

    __repr__ = __str__


def returns_the_unspeakable() -> object:
    return [Unspeakable()]


def raises_the_unspeakable() -> None:
    raise Unspeakable


def leaves_the_unspeakable() -> None:
    sys.exit(Unspeakable())  # type: ignore[arg-type]


def leaves_an_unspeakable_thread(file: str) -> None:
    name = "left \udc80" + "." * 5_000_000
    threading.Thread(target=waits_for, args=(file,), name=name, daemon=True).start()


def raises() -> None:
    raise ValueError("no gas")


class ValveStuckError(Exception):
    pass


def raises_its_own() -> None:
    raise ValveStuckError("valve 3 is stuck")


def leaves(code: int) -> None:
    sys.exit(code)


def dies(code: int) -> None:
    os._exit(code)


def waits_for(file: str, say: str = "") -> None:
    """Say something without a line end's help, then wait until the file exists."""
    if say:
        print(say)
    while not Path(file).exists():
        time.sleep(0.01)


def prints_in_c(text: str, file: str = "") -> None:
    _libc.printf(b"%s\n", text.encode())
    if file:
        waits_for(file)
    _libc.printf(b"without an end")


def prints_lines(count: int) -> None:
    for number in range(count):
        print(f"{number:06d} {'x' * 72}")


def writes(data: str, times: int = 1) -> None:
    """Write bytes, given in hexadecimal."""
    for _ in range(times):
        os.write(1, bytes.fromhex(data))


def alternates(count: int) -> None:
    for number in range(count):
        print(f"out {number}")
        print(f"err {number}", file=sys.stderr)


def ignores_term(pid_file: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"]
    )
    Path(pid_file).write_text(f"{os.getpid()} {child.pid}\n")
    while True:
        time.sleep(1)


def starts_child(pid_file: str, *, own_session: bool = False, stay: bool = True) -> None:
    child = subprocess.Popen(["sleep", "1000"], start_new_session=own_session)
    Path(pid_file).write_text(f"{os.getpid()} {child.pid}\n")
    while stay:
        time.sleep(1)


def forks(pid_file: str) -> None:
    """The child says something, comes out of the task like its parent, which does not wait."""
    if os.fork() == 0:
        print("the child")
        Path(pid_file).write_text(f"{os.getpid()}\n")
        return
    while not Path(pid_file).exists():
        time.sleep(0.01)
    print("the parent")


def leaves_thread(file: str) -> None:
    threading.Thread(target=waits_for, args=(file,), name="left-behind", daemon=True).start()


def is_busy(seconds: float) -> None:
    """Keep the interpreter busy; a server in the same process would not come to its turn."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def spoils_its_surroundings() -> None:
    os.environ["SPOILT"] = "1"
    os.chdir("/")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    sys.stderr.close()


def spoils_its_streams() -> None:
    os.environ["SHOTLINE_TREE"] = "SPOILT"
    del os.environ["SHOTLINE_PATH"]
    os.umask(0o777)
    signal.alarm(1)
    signal.signal(signal.SIGINT, lambda *_: None)
    sys.stdout.reconfigure(line_buffering=False, errors="strict")  # type: ignore[union-attr]
    sys.stdout.write("begun")
    sys.stderr = None


def replaces_its_environment() -> None:
    os.environ = {"SPOILT": "1"}  # type: ignore[assignment]  # noqa: B003 (as bad as it gets)
    sys.stdout.detach()  # type: ignore[union-attr]
    os.close(2)


def shows_its_surroundings() -> None:
    names = sorted(name for name in os.environ if name.startswith(("SHOTLINE_", "SPOILT")))
    for name in names:
        print(f"{name}={os.environ[name]}")
    subprocess.run(["sh", "-c", "echo program: $SHOTLINE_PATH $SPOILT $SHOTLINE_SHOT_DIR"])
    mask = os.umask(0)
    os.umask(mask)
    print(f"folder={Path.cwd()}")
    print(f"mask={mask:o} alarm={signal.alarm(0)}")
    for number in (signal.SIGTERM, signal.SIGINT):
        print(f"{number.name}={signal.getsignal(number).name}")  # type: ignore[union-attr]
    print(sys.stdout.errors, sys.stdout.line_buffering)  # type: ignore[union-attr]
    print("to stderr", file=sys.stderr)


def uses_up(stock: dict[str, list[int]], left: int) -> str:
    """Change what it was given; return what that was."""
    found = f"{stock} {left}"
    stock["pellets"].clear()
    left = 0
    return found


def reports(file: str) -> None:
    progress(0.25, "a quarter")
    waits_for(file)


def appends(file: str) -> None:
    with Path(file).open("a") as lines:
        lines.write(f"{os.environ['SHOTLINE_ATTEMPT']}\n")


def _waits_for_signal() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGUSR2])
    signal.raise_signal(signal.SIGUSR2)  # waits


def _moves_to_tokyo() -> None:
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


def _limits(kind: int, soft: int) -> None:
    resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))


SPOILS: Final[dict[str, Callable[[], object]]] = {
    "timer": lambda: signal.setitimer(signal.ITIMER_REAL, 1000.0),
    "timer of its time": lambda: signal.setitimer(signal.ITIMER_VIRTUAL, 1000.0),
    "timer of all its time": lambda: signal.setitimer(signal.ITIMER_PROF, 1000.0),
    "files": lambda: _limits(resource.RLIMIT_NOFILE, 200),
    "memory": lambda: _limits(resource.RLIMIT_AS, 2**40),
    "handler": lambda: signal.signal(signal.SIGUSR1, lambda *_: None),
    "children": lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    "mask": _waits_for_signal,
    "language": lambda: locale.setlocale(locale.LC_ALL, "C"),
    "numbers": lambda: locale.setlocale(locale.LC_NUMERIC, "C.UTF-8"),
    "processors": lambda: os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]),
    "time zone": _moves_to_tokyo,
    "recursions": lambda: sys.setrecursionlimit(5000),
    "arguments": lambda: setattr(sys, "argv", ["spoilt"]),
    "no arguments": lambda: delattr(sys, "argv"),
    "garbage": gc.disable,
    "sockets": lambda: socket.setdefaulttimeout(5.0),
    "input": lambda: os.dup2(os.open("/dev/zero", os.O_RDONLY), 0),
}
"""What can be put back, by what is changed."""


def spoils_its_process(what: str | None = None) -> None:
    """Change one thing that can be put back, or all of them."""
    for spoil in SPOILS.values() if what is None else (SPOILS[what],):
        spoil()


def shows_its_process() -> None:
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        print(f"timer {timer} {signal.getitimer(timer)}")
    for name in sorted(name for name in dir(resource) if name.startswith("RLIMIT_")):
        print(f"{name}={resource.getrlimit(getattr(resource, name))}")
    for number in sorted(signal.valid_signals()):
        print(f"{number}={signal.getsignal(number)}")
    print(f"blocked={signal.pthread_sigmask(signal.SIG_BLOCK, [])} {signal.sigpending()}")
    print(f"locale={locale.setlocale(locale.LC_ALL)}")
    print(f"priority={os.getpriority(os.PRIO_PROCESS, 0)} on {os.sched_getaffinity(0)}")
    print(f"time zone={time.tzname}")
    print(f"recursions={sys.getrecursionlimit()} arguments={len(sys.argv)}")
    print(f"garbage={gc.isenabled()} sockets={socket.getdefaulttimeout()}")
    print(f"input={Path('/proc/self/fd/0').readlink()}")
    print(f"path={sys.path}")
    print(f"users={os.getresuid()} {os.getresgid()}")


def changes_for_good(what: str, folder: str = "") -> None:
    """Change what cannot be put back, or not by everybody."""
    match what:
        case "limits":
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        case "priority":
            os.nice(3)
        case "modules":
            sys.path.insert(0, folder)
            importlib.import_module("elsewhere")
        case "user":
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)


def is_loaded(module: str) -> str:
    return str(module in sys.modules)


def registers_for_the_end() -> None:
    atexit.register(print, "first")
    atexit.register(print, "never")
    atexit.register(tasks_end, "second")
    atexit.unregister(print)
    atexit.register(print, "third")
    tempfile.TemporaryDirectory().cleanup()  # registers for its own kind, when it is the first
    print("the task")


def tasks_end(text: str) -> None:
    print(text)
    raise ValueError("at the end")


def shares(text: str) -> str:
    """Use memory that several processes could share."""
    memory = shared_memory.SharedMemory(create=True, size=len(text))
    memory.buf[: len(text)] = text.encode()
    found = bytes(memory.buf[: len(text)]).decode()
    memory.close()
    memory.unlink()
    return found


def computes_in_processes(way: str) -> str:
    context = multiprocessing.get_context(way)
    queue = context.SimpleQueue()
    process = context.Process(target=queue.put, args=("six times seven",))
    process.start()
    found = queue.get()
    process.join()
    return str(found)


def uses_memory(count: int) -> None:
    bytearray(count)


def raises_for_want_of_memory(count: int) -> None:
    try:
        uses_memory(count)
    except MemoryError as error:
        raise RuntimeError("no image") from error


def opens_files(count: int) -> None:
    with contextlib.ExitStack() as files:
        for _ in range(count):
            files.enter_context(Path("/dev/null").open())


def uses_processor(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def calls(arguments: list[str]) -> None:
    subprocess.run(arguments, check=True)


def starts_as_nobody() -> None:
    """Start a program as somebody who is not root, whom the kernel counts no processes."""
    if os.getuid() == 0:
        os.setresuid(65534, 65534, 65534)
    subprocess.call(["true"])
