"""What a process of ours has said last, for whoever asks why it ended. Pure."""

from typing import Final

BYTES_MAX: Final = 4096
_LINES_MAX: Final = 20


class LastWords:
    """The end of what a process has written."""

    def __init__(self) -> None:
        self._tail = b""

    def take(self, data: bytes) -> None:
        """Take what it has written."""
        self._tail = (self._tail + data)[-BYTES_MAX:]

    @property
    def lines(self) -> list[str]:
        """Its last lines that are not empty."""
        lines = self._tail.decode(errors="backslashreplace").splitlines()
        return [line.rstrip() for line in lines if line.strip()][-_LINES_MAX:]

    def after(self, text: str) -> str:
        """Return `text` with the last line, where there is one: of a traceback the exception."""
        return f"{text}: {self.lines[-1].strip()}" if self.lines else text

    def below(self, text: str) -> str:
        """Return `text` with the last lines under it, for a log."""
        return "\n  ".join((text, *self.lines))
