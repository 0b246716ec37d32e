"""`progress(fraction, text)`: how a running task says how far it is.

    from shotline.action_server.progress import progress

    progress(0.25, "shot 42: filling the tank")

Outside of a worker process it does nothing, so that a task's code also runs by hand. Any program
may instead print a line `::progress 0.25 filling the tank` on its standard output; such lines are
shown as progress and are not kept as output.
"""

import contextlib
import os
from typing import Final

DESCRIPTOR_VARIABLE: Final = "SHOTLINE_PROGRESS_FD"
_TEXT_MAX: Final = 512


def progress(fraction: float, text: str = "") -> None:
    """Report that the fraction (0 to 1) of the running task's work is done.

    It never blocks and never fails because nobody reads: reports are for display, the latest one
    counts. Raise ValueError when the fraction is not between 0 and 1.
    """
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"the fraction must be between 0 and 1, not {fraction!r}")
    descriptor = os.environ.get(DESCRIPTOR_VARIABLE, "")
    if descriptor.isdigit():
        line = f"{fraction:.6g} {' '.join(text.split())}"[:_TEXT_MAX]
        with contextlib.suppress(OSError):
            os.write(int(descriptor), line.encode(errors="backslashreplace") + b"\n")
