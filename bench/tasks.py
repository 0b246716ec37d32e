"""What the benchmark's actions do, in Shotline's worker processes."""

import signal
import sys
import time

_LINES_AT_A_TIME = 1000
_LONG_S = 50.0


def nothing() -> None:
    """Do nothing: what is measured is the way there and back."""


def print_lines(count: int, line_bytes: int) -> None:
    """Print so many lines of so many bytes, line feed included."""
    line = "x" * (line_bytes - 1) + "\n"
    for begin in range(0, count, _LINES_AT_A_TIME):
        sys.stdout.write(line * min(_LINES_AT_A_TIME, count - begin))
    sys.stdout.flush()


def wait() -> None:
    """Wait until somebody ends it, and say so, again for whoever has just begun to listen."""
    until = time.monotonic() + _LONG_S
    while time.monotonic() < until:
        print("waits", flush=True)
        time.sleep(1.0)


def ignore_term() -> None:
    """Wait until somebody kills it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait()
