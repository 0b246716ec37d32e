"""The standard error of a process that a daemon has started: into the daemon's log, line by line.

Where the daemon logs into a file, what the process says would be lost otherwise, and why it ended.
"""

import logging
import os
from typing import Final

from shotline.common.process.last_words import LastWords
from shotline.common.process.service import Service

log = logging.getLogger(__name__)

_READ_BYTES: Final = 1 << 16
_READS_AT_END: Final = 16
_LINES_MAX: Final = 50  # of one read are logged


class ErrorPipe:
    """A pipe for one process, `who` in the log. Give it `writing`, then call `started`."""

    def __init__(self, service: Service, who: str) -> None:
        self._words = LastWords()
        self._service = service
        self._who = who
        self._reading, self.writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reading, False)
        service.watch(self._reading, self._read_some)

    def started(self) -> None:
        """Close our copy of the process's end; also when it could not be started."""
        os.close(self.writing)

    def close(self) -> None:
        """Close the pipe, and read what is left in it before."""
        self.last_words()
        self._service.unwatch(self._reading)
        os.close(self._reading)

    def last_words(self) -> LastWords:
        """Return what the process has said last."""
        for _ in range(_READS_AT_END):
            if not self._read():
                break
        return self._words

    def _read_some(self) -> None:
        self._read()

    def _read(self) -> bool:
        try:
            data = os.read(self._reading, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._service.unwatch(self._reading)
        self._words.take(data)
        lines = data.decode(errors="backslashreplace").splitlines()
        for line in lines[:_LINES_MAX]:
            log.warning("%s says: %.1000s", self._who, line)
        if len(lines) > _LINES_MAX:
            log.warning("%s says %d more lines", self._who, len(lines) - _LINES_MAX)
        return bool(data)
