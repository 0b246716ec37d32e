"""The journal as the dispatcher sees it: what it is asked for and what it tells. Pure.

`commit` turns a commit into bytes, `projection` into Redis's keys and values, `layout` reads them
back (all pure). `redis_journal` is the shell that writes to Redis and, while that is away, to the
spill file (DESIGN I4, I9). It is imported from there, so that this module stays without sockets.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

from msgspec import field

from shotline.common.base import Struct, Value
from shotline.common.queue.plans import HistoryItem
from shotline.common.records import Audited, CommandDone, ServerSeen, ShotKey, ShotRecord
from shotline.common.views import JournalState, OutputLine
from shotline.dispatcher.journal.commit import EncodedCommit, encode_commit
from shotline.dispatcher.journal.hosted import HOSTED

__all__ = [
    "HOSTED",
    "AuditRead",
    "AuditTrimmed",
    "EncodedCommit",
    "ForgetShots",
    "Forgotten",
    "HistoryLost",
    "JournalChanged",
    "JournalEvent",
    "JournalQuery",
    "Loaded",
    "LoadedShot",
    "OutputRead",
    "PlaceAsked",
    "ReadAudit",
    "ReadOutput",
    "ReadShot",
    "ShotRead",
    "TermPassed",
    "TrimAudit",
    "VouchForRedis",
    "Where",
    "Written",
    "encode_commit",
    "failed",
]


class Where(StrEnum):
    """Where a commit is safe now."""

    REDIS = "redis"
    SPILL = "spill"  # in the spill file; it goes to Redis later


class ReadShot(Value):
    """Read a shot's records; `ShotRead` answers."""

    query: int
    key: ShotKey


class ReadOutput(Value):
    """Read a page of an attempt's output from line `since` on; `OutputRead` answers.

    It has at most `limit` lines, and some hundreds of kilobytes.
    """

    query: int
    key: ShotKey
    path: str
    attempt: int
    since: int
    limit: int


class ForgetShots(Value):
    """Remove these shots for good (retention); `Forgotten` answers."""

    keys: tuple[ShotKey, ...]


class ReadAudit(Value):
    """Read lines of the audit that are wanted, the newest first; `AuditRead` answers.

    It looks at a few thousand at most, so that commits go in between. `before`: from behind this
    one on; `after`: no further back than this one, by id or by time.
    """

    query: int
    wanted: Callable[[Audited], bool]
    limit: int
    bytes_max: int
    before: str | None = None
    after: str | None = None


class TrimAudit(Value):
    """Keep about so many lines of the audit, and none that is older; nobody waits for it."""

    keep: int
    before: str  # an id


class VouchForRedis(Value):
    """Whatever servers knew better than the journal is written: Redis has all of it.

    While the same process of Redis answers, that stays so.
    """


JournalQuery = ReadShot | ReadOutput | ForgetShots | ReadAudit | TrimAudit


class Written(Value):
    """The commit with this number is journalled: its effects may leave now (I4)."""

    number: int
    where: Where = Where.REDIS


class JournalChanged(Value):
    """The journal's state, or the text about it, has changed."""

    state: JournalState
    text: str  # what happened and what to do, in words


class TermPassed(Value):
    """A dispatcher with a higher term has claimed the journal. Nothing is written any more."""

    term: int


class PlaceAsked(Value):
    """Another dispatcher begins, and asks for the place; Redis has everything from this one."""

    by: str


class HistoryLost(Value):
    """Redis has lost what it had confirmed (it was emptied, or is an older copy), or lost a key.

    What is kept here is written again. For what is not, the dispatcher now commits snapshots of its
    shots: TableBuilt and whatever makes their present state. A stored shot may therefore begin in
    the middle: what precedes its first TableBuilt, but for PulseCreated, is left out when it is
    read.
    """

    text: str  # what was lost and what is done, in words
    shots: frozenset[ShotKey] | None = None  # whose state is written anew; None: everything known


class ShotRead(Value):
    """A shot's records, oldest first; none when it is not stored."""

    query: int
    records: tuple[ShotRecord, ...] = ()
    lines: Mapping[tuple[str, int], int] = field(default_factory=dict)  # output lines stored
    error: str = ""  # why it cannot be read now


class OutputRead(Value):
    """Lines of an attempt from the asked number on. Where numbers are missing, Redis lost them."""

    query: int
    attempt: int = 0
    attempts: tuple[int, ...] = ()  # of the action, that have output
    lines: tuple[OutputLine, ...] = ()
    more: bool = False  # whether lines follow that are not in this page
    error: str = ""  # why it cannot be read now


class AuditRead(Value):
    """Lines of the audit, the newest first; `next` where older ones may follow."""

    query: int
    lines: tuple[Audited, ...] = ()
    next: str | None = None
    error: str = ""  # why it cannot be read now


class AuditTrimmed(Value):
    """The audit was trimmed, or could not be now."""

    error: str = ""


class Forgotten(Value):
    """The shots that were removed; open, newest and current ones are kept."""

    shots: tuple[ShotKey, ...]
    error: str = ""  # why none can be removed now


JournalEvent = (
    Written
    | JournalChanged
    | TermPassed
    | PlaceAsked
    | HistoryLost
    | ShotRead
    | OutputRead
    | Forgotten
    | AuditRead
    | AuditTrimmed
)


def failed(asked: JournalQuery, why: str) -> JournalEvent:
    """Return the answer that says why a query cannot be carried out now."""
    match asked:
        case ReadShot():
            return ShotRead(asked.query, error=why)
        case ReadOutput():
            return OutputRead(asked.query, error=why)
        case ForgetShots():
            return Forgotten((), error=why)
        case ReadAudit():
            return AuditRead(asked.query, error=why)
        case TrimAudit():
            return AuditTrimmed(error=why)


class LoadedShot(Value):
    """A shot that is held in memory from the start: all its records, oldest first."""

    records: tuple[ShotRecord, ...]
    lines: Mapping[tuple[str, int], int]  # (path, attempt) → lines stored


class Loaded(Value):
    """What the journal knows at the dispatcher's start. The term is claimed already."""

    term: int
    shots: Mapping[ShotKey, LoadedShot]  # open ones, the newest of each experiment, the current one
    newest: Mapping[str, int] = field(default_factory=dict)  # tree → newest built shot
    current: ShotKey | None = None  # the current pulse (D16)
    stored: tuple[ShotKey, ...] = ()  # all shots, the one unused for longest first
    commands: tuple[CommandDone, ...] = ()  # the last ones, oldest first (D15)
    servers: tuple[ServerSeen, ...] = ()  # as they were last seen
    audited: str = "0-0"  # id of the audit's last line
    hosted: Mapping[str, tuple[Struct, ...]] = field(default_factory=dict)  # records by stream
    history: tuple[HistoryItem, ...] = ()  # the last ended plans of the queue, oldest first
    warnings: tuple[str, ...] = ()  # what is wrong with Redis's settings, in words
    may_lack_end: bool = False  # Redis was started anew, or is another, since somebody vouched
