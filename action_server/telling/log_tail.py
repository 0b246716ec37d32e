"""The end of the server's own log, for those who are elsewhere: told line by line, kept bounded.

After each registration all that is kept is told again: the dispatcher may be a new one, and drops
what it has.
"""

import logging
from collections import deque
from typing import Final

from shotline.common.codec import sendable
from shotline.common.messages import LogLevel, LogLine

_LINES_MAX: Final = 100
_TEXT_MAX: Final = 4096
_LEVELS: Final[dict[str, LogLevel]] = {
    "DEBUG": "debug",
    "INFO": "info",
    "WARNING": "warning",
    "ERROR": "error",
    "CRITICAL": "critical",
}


class LogTail(logging.Handler):
    """Takes what is logged, from any thread."""

    def __init__(self, source: str) -> None:
        super().__init__(logging.INFO)
        self._source = source
        self._kept: deque[LogLine] = deque(maxlen=_LINES_MAX)
        self._untold: deque[LogLine] = deque(maxlen=_LINES_MAX)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        text = sendable(self.format(record))[:_TEXT_MAX]
        level = _LEVELS.get(record.levelname, "info")
        line = LogLine(source=self._source, level=level, text=text, at=record.created)
        self._kept.append(line)
        self._untold.append(line)

    def tell_again(self) -> None:
        """Let all that is kept be told once more."""
        self._untold = deque(self._kept, _LINES_MAX)

    def take(self) -> list[LogLine]:
        """Return what is to be told."""
        if not self._untold:
            return []
        untold, self._untold = self._untold, deque(maxlen=_LINES_MAX)
        return list(untold)
