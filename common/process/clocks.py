"""Clocks beside the monotonic one, by which all deadlines are."""

import time


def elapsed_s() -> float:
    """Return seconds of a clock that also goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
