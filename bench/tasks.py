"""What the benchmark's actions do, in Shotline's worker processes."""

import sys

_LINES_AT_A_TIME = 1000


def nothing() -> None:
    """Do nothing: what is measured is the way there and back."""


def print_lines(count: int, line_bytes: int) -> None:
    """Print so many lines of so many bytes, line feed included."""
    line = "x" * (line_bytes - 1) + "\n"
    for begin in range(0, count, _LINES_AT_A_TIME):
        sys.stdout.write(line * min(_LINES_AT_A_TIME, count - begin))
    sys.stdout.flush()
