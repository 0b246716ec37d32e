"""Where a daemon's log goes, in which form, and how it is rotated: a file, standard error, the
journal of systemd, or the system's log where there is nothing else.

Who logs may say which shot or attempt a line is about: `extra={"about": key}`.
"""

import json
import logging
import logging.handlers
import os
import select
import stat
import sys
import syslog
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from shotline.common.actions import AttemptId
from shotline.common.errors import ConfigError
from shotline.common.files.own import GROUP_FOLDER, log_opener, make_folder
from shotline.common.records import ShotKey
from shotline.common.settings.sections.logs import LoggingSection

# Names the file that standard error is, where who starts the daemon wants it rotated.
ERROR_FILE_VARIABLE: Final = "SHOTLINE_ERROR_FILE"
_HANDLER: Final = "shotline"  # what `configure_logging` has set
_LOOK_BYTES: Final = 64 * 1024
"""After so many of ours a log file is asked again how large it is: others may write there, too."""
_JOURNAL_LEVELS: Final = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


def configure_logging(program: str, settings: LoggingSection) -> None:
    """Let all loggers write where the configuration says: a rotated file, or standard error.

    Standard error is rotated, too, where it is the file that ERROR_FILE_VARIABLE names: it then
    follows the log, with all that is written to it past the loggers. Lines for the journal carry
    its own level mark, and no time, which it adds, unless they are JSON. Where standard error leads
    nowhere, errors go to the system's log. Called again it opens the file anew; handlers of others
    stay. Raise ConfigError when the file cannot be written; logging then goes where it went before,
    at first to standard error.
    """
    _record_little()
    named = settings.file_of(program)
    path = named or _error_file()
    lines = _lines_of(settings, program)
    stream = _SystemLog() if _leads_nowhere(2) else logging.StreamHandler(sys.stderr)
    if not isinstance(stream, _SystemLog):
        stream.setFormatter(_JournalFormatter(lines) if _stderr_is_the_journal() else lines)
    if path is None:
        _log_to(stream, settings)
        return
    try:
        make_folder(path.parent, GROUP_FOLDER)
        file = _LogFile(path, settings, stream) if named else _ErrorFile(path, settings)
    except OSError as error:
        if not _own_handlers():
            _log_to(stream, settings)
        raise ConfigError(f"cannot write the log file {path}: {error.strerror}") from error
    file.setFormatter(lines)
    _log_to(file, settings)


def _record_little() -> None:
    """Leave out of records what no line of ours shows (see Optimization in logging's how-to)."""
    logging._srcfile = None  # the line of code
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def _leads_nowhere(descriptor: int) -> bool:
    try:
        status = os.fstat(descriptor)
        os.write(descriptor, b"")  # a full disk takes not even that
    except BlockingIOError:
        return False
    except OSError:
        return True
    poll = select.poll()
    poll.register(descriptor, 0)
    if any(events & select.POLLERR for _, events in poll.poll(0)):  # a pipe that nobody reads
        return True
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == Path(os.devnull).stat().st_rdev


class _SystemLog(logging.Handler):
    """The system's log, for the errors of a daemon that can tell nobody else."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        text = _visible(f"shotline[{os.getpid()}]: {self.format(record)}")
        syslog.syslog(syslog.LOG_DAEMON | _JOURNAL_LEVELS.get(record.levelno, 3), text)


class _LogFile(logging.handlers.RotatingFileHandler):
    """The log in a file. What the file does not take goes to `instead`: its disk may be full."""

    def __init__(self, path: Path, settings: LoggingSection, instead: logging.Handler) -> None:
        super().__init__(
            path, maxBytes=settings.max_size, backupCount=settings.rotations, encoding="utf-8"
        )
        self._instead = instead
        self._room = 0  # characters that are written before the file is asked for its size

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, laid out once; the file is seldom asked whether it is full."""
        try:
            if self._room <= 0 and self.shouldRollover(record):
                self.doRollover()
            if self.stream is None:
                self.stream = self._open()
            line = self.format(record) + self.terminator
            self._room -= len(line)
            self.stream.write(line)
            self.stream.flush()  # the last words before a crash are wanted most
        except Exception:  # noqa: BLE001  # as logging has it: who logs is not disturbed
            self.handleError(record)

    def _open(self) -> TextIOWrapper:
        opened = open(self.baseFilename, self.mode, encoding=self.encoding, opener=log_opener)  # noqa: SIM115  # logging closes it
        assert isinstance(opened, TextIOWrapper)
        return opened

    def shouldRollover(self, _record: logging.LogRecord) -> bool:  # noqa: N802  # logging's own name
        """Ask the file for its place alone, and note how much it still takes."""
        stream = self.stream
        if stream is None or not stream.seekable() or self.maxBytes <= 0:
            return False
        room = self.maxBytes - stream.tell()
        self._room = min(room, _LOOK_BYTES)
        return room <= 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        if self.stream is not None and self.stream.closed:
            self.stream = None  # opened anew with the next line
        self._instead.handle(record)

    def doRollover(self) -> None:  # noqa: N802  # logging's own name
        if self.backupCount == 0 and self.stream is not None:
            self.stream.truncate(0)  # logging itself would let it grow
        else:
            super().doRollover()

    def close(self) -> None:
        with suppress(OSError):  # a full disk does not take what it still holds
            super().close()


class _ErrorFile(_LogFile):
    """Standard error as a log that is rotated: it and standard output go with it."""

    def __init__(self, path: Path, settings: LoggingSection) -> None:
        super().__init__(path, settings, _SystemLog())

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        for descriptor in (1, 2):
            os.dup2(stream.fileno(), descriptor)
        return stream


def _error_file() -> Path | None:
    """Return the file that standard error is, and that is ours to rotate; None where it is not."""
    named = os.environ.get(ERROR_FILE_VARIABLE)
    if not named:
        return None
    if any(isinstance(one, _ErrorFile) for one in _own_handlers()):
        return Path(named)  # it was, and may have been moved away meanwhile
    try:
        ours = os.path.samestat(os.fstat(2), Path(named).stat())
    except OSError:
        return None
    return Path(named) if ours else None


def rotate(path: Path, settings: LoggingSection) -> None:
    """Rotate a log that somebody else writes and opens anew, when it is full."""
    if path.is_file() and path.stat().st_size >= settings.max_size:
        file = _LogFile(path, settings, _SystemLog())
        file.doRollover()
        file.close()


def _lines_of(settings: LoggingSection, program: str) -> logging.Formatter:
    if settings.format == "json":
        return _JsonFormatter(program)
    return _Formatter(_Clock(UTC if settings.times == "utc" else None, " "))


def is_configured() -> bool:
    """Return whether `configure_logging` has been called."""
    return bool(_own_handlers())


def goes_past_standard_error() -> bool:
    """Return whether what is logged is not seen on standard error."""
    return any(isinstance(one, _LogFile | _SystemLog) for one in _own_handlers())


def _own_handlers() -> list[logging.Handler]:
    return [one for one in logging.getLogger().handlers if one.get_name() == _HANDLER]


def _log_to(handler: logging.Handler, settings: LoggingSection) -> None:
    root = logging.getLogger()
    root.setLevel(settings.level.upper())
    before = _own_handlers()
    handler.set_name(_HANDLER)
    root.addHandler(handler)
    for old in before:
        root.removeHandler(old)
        old.close()


class _Clock:
    """Writes times to the millisecond; what is the same within a second is made once."""

    def __init__(self, zone: tzinfo | None, separator: str) -> None:
        """Make it; `zone` None: local time."""
        self._zone, self._separator = zone, separator
        self._second = -1
        self._before = self._behind = ""

    def text(self, at: float) -> str:
        second = int(at // 1)
        if second != self._second:
            whole = datetime.fromtimestamp(second, UTC).astimezone(self._zone)
            text = whole.isoformat(self._separator, "milliseconds")
            self._before, _, behind = text.partition(".")
            self._behind, self._second = behind[3:], second
        return f"{self._before}.{int((at - second) * 1000):03d}{self._behind}"


class _Formatter(logging.Formatter):
    """Lines that a terminal shows and never obeys, and that nobody else can begin.

    What peers send stands in messages: only their own line feeds are kept, with an indent behind.
    """

    def __init__(self, clock: _Clock | None) -> None:
        super().__init__()
        self._clock = clock  # None: lines have neither time nor level

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's own name
        text = f"{record.name}: {record.message}".replace("\n", "\n    ")
        if self._clock is None:
            return text
        return f"{self._clock.text(record.created)} {record.levelname:<8} {text}"

    def format(self, record: logging.LogRecord) -> str:
        return _visible(super().format(record))


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode()
        for one in text
    )


class _JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII: nobody else can begin a line or reach a terminal."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program
        self._pid = os.getpid()
        self._clock = _Clock(UTC, "T")

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": self._clock.text(record.created),
            "level": record.levelname.lower(),
            "program": self._program,
            "pid": self._pid,
            "logger": record.name,
            "message": record.getMessage(),
        }
        about: AttemptId | ShotKey | None = getattr(record, "about", None)
        if about is not None:
            said["shot"] = f"{about.tree}/{about.shot}"
        if isinstance(about, AttemptId):
            said |= {"action": about.path, "attempt": about.number}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said)


class _JournalFormatter(logging.Formatter):
    """One line of the journal for each line of the record, each with its level's mark."""

    def __init__(self, lines: logging.Formatter) -> None:
        super().__init__()
        is_text = isinstance(lines, _Formatter)
        self._lines = _Formatter(None) if is_text else lines  # it adds the time

    def format(self, record: logging.LogRecord) -> str:
        mark = f"<{_JOURNAL_LEVELS.get(record.levelno, 5)}>"
        return "\n".join(mark + line for line in self._lines.format(record).splitlines())


def _stderr_is_the_journal() -> bool:
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
