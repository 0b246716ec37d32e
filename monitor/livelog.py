"""The monitor's own warnings on the channel `log`, beside those of all other daemons."""

import logging
from collections.abc import Callable

Say = Callable[[str, str, str], None]
_LEVELS = {
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


class LiveLog(logging.Handler):
    """Passes warnings and worse on; `say` takes level, source and text."""

    def __init__(self, say: Say) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one line on; the story of an exception stays in the monitor's own log."""
        self._say(_LEVELS.get(record.levelno, "warning"), "monitor", record.getMessage())
