"""A daemon that hangs because somebody wants to see what comes of it: `shotline debug hang`.

Where the configuration allows it (`debug.rehearsals`), SIGUSR1 lets the daemon's own loop stand
still for good, while the threads of its sockets go on, as in a daemon that a fault has caught.
"""

import logging
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Final

log = logging.getLogger(__name__)

HANG: Final = signal.SIGUSR1
_STEP_S: Final = 3600.0


def listen() -> None:
    """Let this process hang from the next HANG on."""
    signal.signal(HANG, _hang)


def listens(pid: int) -> bool:
    """Return whether a process of this machine would hang by HANG; others it would end."""
    try:
        told = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return False
    caught = next((line for line in told.splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    return bool(int(caught.split()[1], 16) & (1 << (HANG - 1)))


def _hang(_number: int, _frame: FrameType | None) -> None:
    log.critical("hangs from here on: somebody rehearses that, by `shotline debug hang`")
    while True:
        time.sleep(_STEP_S)
