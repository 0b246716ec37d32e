"""What commands about volumes and data records are answered with. Pure."""

from enum import StrEnum
from typing import ClassVar, Literal

from shotline.common.base import Struct
from shotline.common.fleet.facts import DiskSpace
from shotline.common.paged import Paged, Result
from shotline.common.ranges import Count, Duration, Small, Wall
from shotline.common.volumes.files import Part
from shotline.common.volumes.records import Counted, FileKeptOut, RecordState, WatchOrder


class RecordsCode(StrEnum):
    """Why the ledger refuses; the words beside it are for people and may change."""

    UNKNOWN_VOLUME = "unknown_volume"
    UNKNOWN_GROUP = "unknown_group"
    UNKNOWN_FILE = "unknown_file"
    UNKNOWN_RECORD = "unknown_record"
    NOT_DEAD = "not_dead"
    FULL = "full"  # announce it again later
    GAP = "gap"  # an announcement before this one has not come


class RecordsRefused(Result, tag="records_refused"):
    """A refusal, with its code; nothing was changed."""

    code: RecordsCode
    number: Count = 0  # the last one that was announced of the volume


class LeaseView(Struct):
    """A leased record: where it is, what it is, and for how long it is whose."""

    token: str
    number: Count
    group: str
    volume: str
    host: str
    folder: str
    path: str
    generation: str
    size_b: Count
    checksum: str = ""
    companions: tuple[str, ...] = ()
    part: Part = Part()
    run: Count | None = None
    record_type: str = ""
    key: str = ""
    fields: dict[str, str] = {}
    attempt: Small = 1
    hold_s: Duration = 0.0  # from the answer on

    @property
    def file(self) -> str:
        """The file's whole path, on its host."""
        return f"{self.folder.rstrip('/')}/{self.path}"


class LeasesResult(Result, tag="records_leases"):
    """Answer to `records_lease`; none when nothing came up in time."""

    leases: tuple[LeaseView, ...] = ()
    why: str = ""  # there is none, where something else than want of records is the reason
    code: Literal["", "no_credit", "limit", "elsewhere"] = ""


class TokenFate(StrEnum):
    """What became of one token."""

    OK = "ok"
    DUPLICATE = "duplicate"  # it had been completed before
    LATE = "late"  # its lease had ended; nobody else has the record, so it counts
    SUPERSEDED = "superseded"  # its lease had ended, and somebody else has the record
    GONE = "gone"  # the record was removed
    UNKNOWN = "unknown"


class TokenAnswer(Struct):
    """What became of one token."""

    token: str
    fate: TokenFate


class TokensResult(Result, tag="records_tokens"):
    """Answer to what consumers say of their leases, one for each token."""

    answers: tuple[TokenAnswer, ...] = ()


class AnnouncedResult(Result, tag="records_announced"):
    """Answer to `records_announce`."""

    number: Count  # the last one that was announced of the volume
    records: Count = 0  # new ones


class WatchResult(Result, tag="records_watch"):
    """Answer to `records_watch`."""

    memory: str  # which the ledger has heard of last; empty: none
    number: Count  # and what was announced of it
    orders: tuple[WatchOrder, ...] = ()


class VolumeView(Struct):
    """A volume as it stands."""

    volume: str
    host: str = ""
    folder: str = ""
    counts: Counted = Counted()
    per_minute: Count = 0  # announced in the last minute
    done_per_minute: Count = 0
    oldest_ready_s: Duration | None = None
    oldest_ready_at: Wall | None = None
    late: bool = False  # it is older than the configuration wants
    disk: DiskSpace | None = None
    low: bool = False  # less is free than the configuration wants
    watched: bool = False  # its watcher has said something lately
    seen_at: Wall | None = None
    known: Count = 0
    waiting: Count = 0
    unsent: Count = 0
    scanned_at: Wall | None = None
    scan_s: Duration | None = None
    trouble: str = ""
    kept_out: Count = 0  # files
    quarantine: tuple[FileKeptOut, ...] = ()
    orders: tuple[WatchOrder, ...] = ()


class GroupView(Struct):
    """A group of consumers as it stands."""

    group: str
    ready: Count = 0
    delayed: Count = 0  # of these, that were given back and are not offered yet
    leased: Count = 0
    dead: Count = 0
    credits: Count = 0
    oldest_ready_s: Duration | None = None
    oldest_ready_at: Wall | None = None
    done_per_minute: Count = 0


class ConsumerView(Struct):
    """A consumer as it stands."""

    consumer: str
    group: str
    host: str = ""
    leased: Count = 0
    credits: Count = 0
    done: Count = 0  # since the dispatcher's start
    done_per_minute: Count = 0
    waiting: bool = False
    seen_s: Duration = 0.0  # ago
    seen_at: Wall | None = None


class RecordsStatusResult(Result, tag="records_status"):
    """Answer to `records_status`."""

    volumes: tuple[VolumeView, ...] = ()
    groups: tuple[GroupView, ...] = ()
    consumers: tuple[ConsumerView, ...] = ()


class LedgerView(Struct):
    """How everything stands, for who looks all the time: nothing in it grows older by itself.

    Files that are kept out are counted; `records_status` names them.
    """

    volumes: tuple[VolumeView, ...] = ()
    groups: tuple[GroupView, ...] = ()
    consumers: tuple[ConsumerView, ...] = ()  # those that have most, where there are very many
    consumers_all: Count = 0
    changes: Count = 0  # to records, since the dispatcher's start: a list may be another one


class VolumesEvent(Struct):
    """An event of the channel `volumes`."""

    ledger: LedgerView


class RecordView(Struct):
    """A record that is not done."""

    number: Count
    volume: str
    path: str
    generation: str
    part: Part
    group: str
    rule: str
    state: RecordState
    attempts: Small = 0
    token: str = ""  # of its lease
    consumer: str = ""
    left_s: Duration | None = None  # of its lease
    reason: str = ""
    announced_at: Wall
    size_b: Count = 0
    run: Count | None = None
    record_type: str = ""
    key: str = ""


class RecordsListResult(Paged, tag="records_list"):
    """Answer to `records_list`."""

    LIST: ClassVar[str] = "records"
    records: tuple[RecordView, ...] = ()


class FileEvent(Struct):
    """Something that has happened to a file or one of its records."""

    time: Wall
    text: str
    number: Count | None = None


class RecordsFileResult(Result, tag="records_file"):
    """Answer to `records_file`. The story goes back as far as the dispatcher remembers."""

    volume: str
    path: str
    records: tuple[RecordView, ...] = ()
    quarantine: FileKeptOut | None = None
    story: tuple[FileEvent, ...] = ()


class RecordsChangedResult(Result, tag="records_changed"):
    """Answer to what people have done to records: how many it was done to."""

    records: Count = 0


AnyRecordsResult = (
    RecordsRefused
    | LeasesResult
    | TokensResult
    | AnnouncedResult
    | WatchResult
    | RecordsStatusResult
    | RecordsListResult
    | RecordsFileResult
    | RecordsChangedResult
)
