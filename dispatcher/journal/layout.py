"""Where everything is in Redis, and how its texts are read back. Pure; docs/redis.md shows it.

What is written there for a commit is `projection`'s business.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple, Self

from shotline.common.base import Struct
from shotline.common.errors import JournalError
from shotline.common.records import (
    NoteWritten,
    PulseCreated,
    Redispatched,
    RunAborting,
    RunEnded,
    RunOpened,
    RunPutOnHold,
    RunResumed,
    ShotKey,
    ShotRecord,
    TableBuilt,
    decode_records,
)
from shotline.common.views import OutputLine
from shotline.dispatcher.journal.hosted import HOSTED

RECORDS: Final = b"records"
SYSTEM: Final = b"system"
LINE: Final = b"line"  # of the audit

_NUMBERS: Final[dict[bytes, Literal[0, 1, 2]]] = {b"note": 0, b"out": 1, b"err": 2}
_STREAMS: Final[dict[int, bytes]] = {number: word for word, number in _NUMBERS.items()}
_TICKS: Final = 10_000_000  # tenths of microseconds tell all wall-clock floats apart
_ALONE: Final = (PulseCreated, NoteWritten)  # what is understood without a table
_OF_RUN: Final = (RunEnded, RunPutOnHold, RunResumed, RunAborting, Redispatched)
_LAST_SECOND: Final = 253402300799  # of the year 9999
_PIECE: Final = re.compile(
    rb"(\d+) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{7})Z (note|out|err) (.*)", re.DOTALL
)


class CommitId(NamedTuple):
    """The id of a commit and of what it wrote to the streams: `term-number`."""

    term: int
    number: int

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Return the id of Redis's text."""
        term, _, number = text.partition(b"-")
        return cls(int(term), int(number))

    def __str__(self) -> str:
        return f"{self.term}-{self.number}"


NO_COMMIT: Final = CommitId(0, 0)


class Keys:
    """All keys of one Shotline: they begin with its prefix.

    `kinds` are those that belong to no shot, but for the commits, the audit, the process of Redis
    that had everything last, and the dispatchers that hold the last term and ask for the next, with
    the type of each in Redis.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.commits = prefix + "commits"
        self.servers = prefix + "servers"
        self.shots = prefix + "shots"
        self.open = prefix + "open"
        self.newest = prefix + "newest"
        self.current = prefix + "current"
        self.audit = prefix + "audit"
        self.process = prefix + "process"
        self.holder = prefix + "dispatcher"
        self.asks = prefix + "dispatcher:next"
        self.hosted = {name: prefix + name for name in HOSTED}
        self.history = prefix + "queue:history"
        self.kinds = {
            self.servers: "hash",
            self.shots: "zset",
            self.open: "set",
            self.newest: "hash",
            self.current: "string",
        }
        self.hosted_kinds = dict.fromkeys((*self.hosted.values(), self.history), "stream")

    def of(self, shot: ShotKey) -> "ShotKeys":
        """Return the keys of a shot."""
        return ShotKeys(f"{self._prefix}{shot.tree}:{shot.shot}:")

    def shot_of(self, key: str) -> ShotKey:
        """Return the shot that one of these keys belongs to."""
        tree, shot, _ = key.removeprefix(self._prefix).split(":", 2)
        return ShotKey(tree, int(shot))


class ShotKeys(NamedTuple):
    """The keys of one shot."""

    base: str

    @property
    def journal(self) -> str:
        """Stream: all its records, the truth."""
        return self.base + "journal"

    @property
    def actions(self) -> str:
        """Hash: path → the action's last transition in its present run."""
        return self.base + "actions"

    @property
    def nodes(self) -> str:
        """Hash: path → what the tree declares."""
        return self.base + "nodes"

    @property
    def runs(self) -> str:
        """Hash: `RUN TYPE` → the run's last record of that type."""
        return self.base + "runs"

    @property
    def outputs(self) -> str:
        """Hash: `PATH#ATTEMPT` → lines of output stored."""
        return self.base + "outputs"

    @property
    def kinds(self) -> dict[str, str]:
        """All of them but the outputs themselves, with the type that each has in Redis."""
        hashes = (self.actions, self.nodes, self.runs, self.outputs)
        return {self.journal: "stream", **dict.fromkeys(hashes, "hash")}

    def output(self, path: str, attempt: int) -> str:
        """List: the output of one attempt, in pieces of whole lines."""
        return f"{self.base}output:{path}#{attempt}"


def attempt_name(path: str, attempt: int) -> str:
    """Return an attempt's name among the shot's outputs."""
    return f"{path}#{attempt}"


def shot_name(text: bytes) -> ShotKey:
    """Return the shot of `TEST/42`."""
    tree, _, shot = text.decode().partition("/")
    return ShotKey(tree, int(shot))


@lru_cache(maxsize=64)
def _second_text(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


def displayable(time: float) -> float:
    """Return a wall time that can be written: 0 for what a mad clock says."""
    return time if 0 <= time <= _LAST_SECOND else 0.0


def format_pieces(
    first: int, pieces: Iterable[tuple[float, int, bytes]]
) -> tuple[list[bytes], int]:
    """Return pieces of output as stored, and the number of the line that follows them.

    A piece reads `17 2026-11-22T14:27:15.1234567Z out text`, where 17 is the number of its first
    line. The text is kept byte by byte, the time to a tenth of a microsecond.
    """
    stored = []
    shown, shown_text = -1, b""
    for time, stream, text in pieces:
        moment = displayable(time)
        second = int(moment)
        ticks = round((moment - second) * _TICKS)
        if ticks == _TICKS:
            second, ticks = second + 1, 0
        if second != shown:
            shown, shown_text = second, _second_text(second)
        head = b"%d %b.%07dZ %b " % (first, shown_text, ticks, _STREAMS[stream])
        stored.append(head + text)
        first += text.count(b"\n") + 1
    return stored, first


@lru_cache(maxsize=64)
def _second(text: bytes) -> int:
    return int(datetime.strptime(text.decode() + "+0000", "%Y-%m-%dT%H:%M:%S%z").timestamp())


class StoredLine(NamedTuple):
    """One line of output as it was given: its number, wall time, stream, and its bytes."""

    number: int
    time: float
    stream: Literal[0, 1, 2]  # 1 standard output, 2 standard error, 0 a note of ours
    text: bytes

    @property
    def shown(self) -> OutputLine:
        """The line as people see it: bytes that are not UTF-8 as \\xNN."""
        text = self.text.decode("utf-8", "backslashreplace")
        return OutputLine(number=self.number, at=self.time, stream=self.stream, text=text)


def parse_piece(stored: bytes) -> list[StoredLine]:
    """Return the lines of a stored piece; none when somebody else wrote it."""
    found = _PIECE.fullmatch(stored)
    if found is None:
        return []
    first, second, ticks, stream, text = found.groups()
    time = _second(second) + int(ticks) / _TICKS
    return [
        StoredLine(number, time, _NUMBERS[stream], line)
        for number, line in enumerate(text.split(b"\n"), int(first))
    ]


def parse_outputs(names_and_lines: Iterable[tuple[bytes, bytes]]) -> dict[tuple[str, int], int]:
    """Return the stored lines per (path, attempt) of the hash `outputs`."""
    lines = {}
    for name, count in names_and_lines:
        path, _, attempt = name.decode().rpartition("#")
        lines[path, int(attempt)] = int(count)
    return lines


Entry = tuple[bytes, Sequence[bytes]]  # a stream's entry: its id, fields and values in turn


def field_of(entry: Entry, name: bytes) -> bytes | None:
    """Return the value of a field of a stream's entry."""
    values = entry[1]
    for index in range(0, len(values), 2):
        if values[index] == name:
            return values[index + 1]
    return None


def parse_journal(shot: ShotKey, entries: Iterable[Entry]) -> list[ShotRecord]:
    """Return the records of entries of a shot's journal.

    Raise JournalError, naming shot and entry, when one is not ours.
    """
    records: list[ShotRecord] = []
    for entry in entries:
        body = field_of(entry, RECORDS)
        try:
            if body is None:
                raise ValueError("it has no field `records`")
            records += decode_records(body)  # type: ignore[arg-type]  # only a shot's are written
        except ValueError as error:
            raise JournalError(
                f"the journal of {shot} cannot be read: its entry {entry[0].decode()} is not one "
                f"of this version's: {error}"
            ) from error
    return records


def parse_hosted(stream: str, key: str, entries: Iterable[Entry]) -> list[Struct]:
    """Return the records of entries of a hosted stream. Raise JournalError, naming one."""
    records: list[Struct] = []
    for entry in entries:
        body = field_of(entry, RECORDS)
        try:
            if body is None:
                raise ValueError("it has no field `records`")
            records += HOSTED[stream].decode(body)
        except ValueError as error:
            raise JournalError(
                f"{key} cannot be read: its entry {entry[0].decode()} is not one of this "
                f"version's: {error}"
            ) from error
    return records


def _of_known_runs(records: Sequence[ShotRecord]) -> Iterator[ShotRecord]:
    opened: set[int] = set()
    for record in records:
        if isinstance(record, RunOpened):
            opened.add(record.run)
        if not isinstance(record, _OF_RUN) or record.run in opened:
            yield record


def readable_history(records: Sequence[ShotRecord]) -> tuple[ShotRecord, ...]:
    """Leave out what cannot be understood: all before the first table but pulses and notes, and
    what is about a run whose beginning is not there.

    Only a shot of which Redis has lost the beginning, or what was between, has such records; mostly
    a snapshot follows them.
    """
    for index, record in enumerate(records):
        if isinstance(record, TableBuilt):
            kept = [before for before in records[:index] if isinstance(before, _ALONE)]
            return (*kept, *_of_known_runs(records[index:]))
    return tuple(record for record in records if isinstance(record, _ALONE))
