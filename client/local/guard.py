"""What `shotline up` started ends with it, also what hangs while `up` itself is killed by KILL.

The kernel then asks all of it to end in order, by TERM, which a loop that stands still does not
hear. So a process of its own waits for the end of `up`, gives the others the time that the
configuration has for that, and kills what is left.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from shotline.common.closable import Closable
from shotline.common.process import interpreter

_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Guard(Closable):
    """The process that outlives us, and whom it is to look after."""

    def __init__(self, stop_s: float) -> None:
        words = interpreter.python("shotline.client.local.guard", f"{stop_s:g}")
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=interpreter.environment(),
            start_new_session=True,
        )
        self._told: set[int] = set()

    def look_after(self, pids: Iterable[int | None]) -> None:
        """Let these processes, children of ours, not outlive us; known ones are told once."""
        assert self._process.stdin is not None
        for pid in pids:
            if pid is not None and pid not in self._told:
                self._told.add(pid)
                with suppress(OSError):  # somebody has killed it; the kernel's TERM is left
                    self._process.stdin.write(f"{pid}\n".encode())
                    self._process.stdin.flush()

    def close(self) -> None:
        """Let it end: those whom it looks after have ended."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait()


def main(stop_s: float) -> None:
    """Hold those whose process ids come in; at the end of the input wait, then kill."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    held: list[int] = []
    for line in sys.stdin:
        ended = [one for one in held if _has_ended(one, 0.0)]
        for one in ended:
            os.close(one)
        held = [one for one in held if one not in ended] + _held(int(line))
    deadline = time.monotonic() + stop_s
    for one in held:
        if not _has_ended(one, max(deadline - time.monotonic(), 0.0)):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(one, signal.SIGKILL)


def _held(pid: int) -> list[int]:
    """Return a descriptor that means this process and never another one of its number."""
    with suppress(ProcessLookupError):
        return [os.pidfd_open(pid)]
    return []


def _has_ended(pidfd: int, wait_s: float) -> bool:
    return bool(select.select([pidfd], [], [], wait_s)[0])


if __name__ == "__main__":
    main(float(sys.argv[1]))
