"""The journal as the dispatcher sees it: what it is asked for and what it tells. Pure.

`commit` turns a commit into bytes, `projection` into Redis's keys and values, `layout` reads them
back (all pure). `redis_journal` is the shell that writes to Redis and, while that is away, to the
spill file (DESIGN I4, I9). It is imported from there, so that this module stays without sockets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from shotline.common.records import CommandDone, ServerSeen, ShotKey, ShotRecord
from shotline.dispatcher.journal.commit import EncodedCommit, encode_commit

__all__ = [
    "AttemptsRead",
    "EncodedCommit",
    "Forgotten",
    "HistoryLost",
    "Journal",
    "JournalEvent",
    "JournalState",
    "Loaded",
    "LoadedShot",
    "OutputRead",
    "ReadFailed",
    "ShotRead",
    "StateChanged",
    "StoredLine",
    "SupersededByTerm",
    "Where",
    "Written",
    "encode_commit",
]


class Where(StrEnum):
    """Where a commit is safe now."""

    REDIS = "redis"
    SPILL = "spill"  # in the spill file; it goes to Redis later


class JournalState(StrEnum):
    """How the journal stands; the words are shown to operators (I9)."""

    OK = "ok"
    DEGRADED = "degraded"  # Redis is away or lags behind; commits go to the spill file
    STOPPED = "stopped"  # neither Redis nor the file takes a commit: start nothing new


@dataclass(frozen=True, slots=True)
class Written:
    """The commit is journalled: its effects may leave now (I4)."""

    term: int
    number: int
    where: Where


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The journal's state, or the text about it, has changed."""

    state: JournalState
    text: str  # what happened and what to do, in words


@dataclass(frozen=True, slots=True)
class SupersededByTerm:
    """A dispatcher with a higher term has claimed the journal. Nothing is written any more."""

    term: int


@dataclass(frozen=True, slots=True)
class HistoryLost:
    """Redis has lost what it had confirmed (it was emptied, or is an older copy), or lost a key.

    What is kept here is written again. For what is not, the dispatcher now commits snapshots of its
    shots: TableBuilt and whatever makes their present state. A stored shot may therefore begin in
    the middle: what precedes its first TableBuilt, but for PulseCreated, is left out when it is
    read.
    """

    text: str  # what was lost and what is done, in words
    shots: frozenset[ShotKey] | None  # whose state is to be written anew; None: everything known


@dataclass(frozen=True, slots=True)
class ShotRead:
    """Answer to `read_shot`: its records, oldest first; none when the shot is not stored."""

    request: int
    shot: ShotKey
    records: tuple[ShotRecord, ...]
    output_lines: Mapping[tuple[str, int], int]  # (path, attempt) → lines stored


class StoredLine(NamedTuple):
    """One line of output as it was given: its number, wall time, stream, and its bytes.

    Stream 1 is standard output, 2 standard error, 0 a note of ours. Where numbers are missing,
    Redis has lost the lines.
    """

    number: int
    time: float
    stream: int
    text: bytes


@dataclass(frozen=True, slots=True)
class OutputRead:
    """Answer to `read_output`: lines from the asked number on; they were numbered to `total`."""

    request: int
    lines: tuple[StoredLine, ...]
    total: int

    @property
    def more(self) -> bool:
        """Whether lines follow that are not in this page."""
        return bool(self.lines) and self.lines[-1].number + 1 < self.total


@dataclass(frozen=True, slots=True)
class AttemptsRead:
    """Answer to `attempts_with_output`: lines stored by attempt, in the attempts' order."""

    request: int
    lines: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Answer to `forget`: the shots that were removed; open, newest and current ones are kept."""

    request: int
    shots: tuple[ShotKey, ...]


@dataclass(frozen=True, slots=True)
class ReadFailed:
    """Answer to any request that could not be carried out, with the reason in words."""

    request: int
    text: str


JournalEvent = (
    Written
    | StateChanged
    | SupersededByTerm
    | HistoryLost
    | ShotRead
    | OutputRead
    | AttemptsRead
    | Forgotten
    | ReadFailed
)


@dataclass(frozen=True, slots=True)
class LoadedShot:
    """A shot that is held in memory from the start: all its records, oldest first."""

    records: tuple[ShotRecord, ...]
    output_lines: Mapping[tuple[str, int], int]  # (path, attempt) → lines stored


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the journal knows at the dispatcher's start. The term is claimed already."""

    term: int
    shots: Mapping[ShotKey, LoadedShot]  # open ones, the newest of each experiment, the current one
    open: frozenset[ShotKey] = frozenset()  # with an open or HELD run
    newest: Mapping[str, int] = field(default_factory=dict)  # tree → newest built shot
    current: ShotKey | None = None  # the current pulse (D16)
    stored: tuple[ShotKey, ...] = ()  # all shots, the one unused for longest first
    commands: tuple[CommandDone, ...] = ()  # the last ones, oldest first (D15)
    servers: tuple[ServerSeen, ...] = ()  # as they were last seen
    warnings: tuple[str, ...] = ()  # what is wrong with Redis's settings, in words


class Journal(Protocol):
    """The dispatcher's journal. One thread uses it; after `load` no call ever blocks.

    Watch `fileno()` for reading (it stays the same for the journal's life, whatever happens to
    connections) and call `poll` when it is readable or `wake_at` has come. Start:

        loaded = journal.load()                # blocks; replays the spill file, claims a term
        term = journal.claim_term(above)       # only if the servers know of a higher term
        journal.write(now, encode_commit(Commit(loaded.term, 1, …)))
        events = journal.poll(now)             # Written(term, 1, Where.REDIS)

    The numbers of a term's commits begin with 1 and rise by one. One commit is in flight: the next
    `write` comes after its Written. Requests are numbered by the caller and answered by exactly one
    event each. `now` is monotonic seconds.
    """

    def load(self) -> Loaded:
        """Lock the spill file, connect, write what the file holds, claim a term, read.

        The term is above all that Redis and the spill file know. Raise JournalError, in words for
        the operator, when one of these steps fails: then all of it may be tried again, whatever was
        wrong. The lock is kept meanwhile; a password file is read at each try.
        """

    def claim_term(self, above: int) -> int:
        """Claim and return a term higher than `above` and the present one. Blocks.

        From then on commits of lower terms are refused. Only between `load` and the first `write`.
        Raise JournalError when Redis is not reachable.
        """

    def fileno(self) -> int:
        """Return the descriptor to watch for reading."""

    def wake_at(self) -> float | None:
        """Return when `poll` must be called at the latest (monotonic), None: no need."""

    def write(self, now: float, commit: EncodedCommit) -> None:
        """Begin to write a commit; Written follows from `poll`, perhaps much later (I9)."""

    def poll(self, now: float) -> list[JournalEvent]:
        """Do all that can be done without blocking and return what has happened."""

    def read_shot(self, request: int, shot: ShotKey) -> None:
        """Ask for a shot's records (ShotRead)."""

    def read_output(
        self, request: int, shot: ShotKey, path: str, attempt: int, since: int, limit: int
    ) -> None:
        """Ask for a page of an attempt's lines from number `since` on (OutputRead).

        It has at most `limit` lines, and some hundreds of kilobytes.
        """

    def attempts_with_output(self, request: int, shot: ShotKey, path: str) -> None:
        """Ask which attempts of an action have output (AttemptsRead)."""

    def forget(self, request: int, shots: tuple[ShotKey, ...]) -> None:
        """Remove shots for good (Forgotten)."""

    def close(self) -> None:
        """Close the connection and the file. What was not Written may or may not be there."""
