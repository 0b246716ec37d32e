"""The ends of servers' logs, those of the dead included, as far as they were told. Pure."""

from collections import deque
from collections.abc import Iterable
from typing import Final

from shotline.common.fleet.facts import LoggedLine
from shotline.common.messages import LogLine

LINES_MAX: Final = 100  # of a server
LAST_WORDS: Final = 20  # of them are journalled when it is lost
_SERVERS_MAX: Final = 2000
_TEXT_MAX: Final = 1000


class ServerLogs:
    """The last lines of each server."""

    def __init__(self) -> None:
        self._of: dict[str, deque[LoggedLine]] = {}

    def take(self, server: str, line: LogLine) -> bool:
        """Keep a line. Return False for one that was told before."""
        lines = self._lines(server)
        if lines and line.at <= lines[-1].at:
            return False
        lines.append(LoggedLine(at=line.at, level=line.level, text=line.text[:_TEXT_MAX]))
        return True

    def load(self, server: str, lines: Iterable[LoggedLine]) -> None:
        """Take what was journalled of a server that was lost."""
        self._lines(server).extend(lines)

    def of(self, server: str, limit: int = LINES_MAX) -> tuple[LoggedLine, ...]:
        """Return the last lines of a server, the newest last."""
        lines = tuple(self._of.get(server, ()))
        return lines[-limit:]

    def __contains__(self, server: str) -> bool:
        return server in self._of

    def forget(self, server: str) -> None:
        """Forget a server's lines: somebody has dismissed it."""
        self._of.pop(server, None)

    def _lines(self, server: str) -> deque[LoggedLine]:
        found = self._of.get(server)
        if found is None:
            found = self._of[server] = deque(maxlen=LINES_MAX)
            if len(self._of) > _SERVERS_MAX:
                del self._of[next(iter(self._of))]
        return found
