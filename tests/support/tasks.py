"""Tasks that tests let action servers run: each does one awkward thing."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from shotline.action_server.progress import progress

_libc = ctypes.CDLL(None)


def returns(value: object = None) -> object:
    return value


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
