"""The commands about volumes and data records, one class each. Pure.

Consumers lease records, renew and end their leases; watchers announce files and ask what to do;
people look, redrive, and have a volume scanned or replayed.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from shotline.common.command import Command
from shotline.common.fleet.facts import DiskSpace
from shotline.common.ranges import Count, Duration, Wall
from shotline.common.scopes import Scope
from shotline.common.volumes.files import (
    FilePath,
    FileSeen,
    GroupName,
    Host,
    VolumeName,
    Words,
)
from shotline.common.volumes.records import ConsumerName, FileKeptOut

Token = Annotated[str, Meta(min_length=1, max_length=100)]
Tokens = Annotated[tuple[Token, ...], Meta(min_length=1, max_length=10_000)]
HoldTime = Annotated[float, Meta(gt=0, le=86_400)]
WaitTime = Annotated[float, Meta(ge=0, le=60)]
Verify = Literal["checksum", "size", ""]
"""What of a record's file is compared with what was announced, before it is given to anybody."""
Batch = Annotated[int, Meta(ge=1, le=1000)]


class _Consuming(Command):
    """The base of what consumers give: all the time, by themselves."""

    SCOPE: ClassVar[Scope] = Scope.RECORDS
    ALWAYS: ClassVar[bool] = True
    ROUTINE: ClassVar[bool] = True


class RecordsLease(_Consuming, tag="records_lease"):
    """Take the oldest ready records of a group, for a while; `wait` so many seconds for the first.

    `host`: where the consumer runs, for groups whose records stay on their hosts. `verify`: what
    whoever passes the answer on compares, where the file is on its machine; what has changed is
    given back, and not passed on. `files_on`: only records whose files are on this host.
    """

    group: GroupName
    consumer: ConsumerName
    host: Host = ""
    limit: Batch = 1
    hold_s: HoldTime | None = None  # None: as the group's configuration says
    wait: WaitTime = 0.0
    verify: Verify = "size"
    files_on: Host = ""


class RecordsRenew(_Consuming, tag="records_renew"):
    """Begin the time of leases anew; without any only say that the consumer is there."""

    consumer: ConsumerName
    tokens: Annotated[tuple[Token, ...], Meta(max_length=10_000)] = ()


class RecordsComplete(_Consuming, tag="records_complete"):
    """Say that records are done; each token is answered by itself."""

    consumer: ConsumerName
    tokens: Tokens


class RecordsReturn(_Consuming, tag="records_return"):
    """Give records back: they are offered again, after `delay_s`. Or never again, as dead ones."""

    consumer: ConsumerName
    tokens: Tokens
    delay_s: Duration = 0.0
    never: bool = False
    reason: Words = ""


class RecordsCredit(_Consuming, tag="records_credit"):
    """Ask for so many more records to be sent, where a group's consumers must be asked for them."""

    group: GroupName
    consumer: ConsumerName
    credits: Annotated[int, Meta(ge=1, le=10_000)] = 1


class RecordsLeave(_Consuming, tag="records_leave"):
    """Say that a consumer is gone: its credits end, what it has is given back at once."""

    consumer: ConsumerName


# Watchers


class _Watching(Command):
    """The base of what watchers give."""

    SCOPE: ClassVar[Scope] = Scope.RECORDS
    ALWAYS: ClassVar[bool] = True
    ROUTINE: ClassVar[bool] = True
    WATCHES: ClassVar[bool] = True
    volume: VolumeName


class RecordsAnnounce(_Watching, tag="records_announce"):
    """Announce complete files. What was announced under a number is never taken again."""

    host: Host
    folder: FilePath
    memory: Annotated[str, Meta(min_length=1, max_length=64)]
    number: Count  # of the first file; the others follow it
    files: Annotated[tuple[FileSeen, ...], Meta(min_length=1, max_length=10_000)]
    group: GroupName | None = None  # only for this one, whatever the rules say


class RecordsGone(_Watching, tag="records_gone"):
    """Say that files are gone."""

    paths: Annotated[tuple[FilePath, ...], Meta(min_length=1, max_length=10_000)]
    reason: Words = ""


class RecordsWatch(_Watching, tag="records_watch"):
    """Say how a volume stands, and hear what is to be done. A watcher's beat.

    `taken`: orders that were carried out. `quarantine`: None as it was told last.
    """

    host: Host
    memory: Annotated[str, Meta(min_length=1, max_length=64)]
    folder: FilePath
    disk: DiskSpace | None = None
    known: Count = 0  # files
    waiting: Count = 0  # that are not complete
    unsent: Count = 0  # announcements
    scanned_at: Wall | None = None
    scan_s: Duration | None = None
    trouble: Words = ""
    quarantine: Annotated[tuple[FileKeptOut, ...], Meta(max_length=1000)] | None = None
    taken: dict[str, Words] = {}


# People


class _Managing(Command):
    """The base of what people give."""

    SCOPE: ClassVar[Scope] = Scope.RECORDS


class RecordsRedrive(_Managing, tag="records_redrive"):
    """Offer dead records again: those with these numbers, or all of a group or a volume."""

    numbers: Annotated[tuple[Count, ...], Meta(max_length=10_000)] = ()
    group: GroupName | None = None
    volume: VolumeName | None = None


class RecordsRemove(_Managing, tag="records_remove"):
    """Take a file off the ledger: its ready records go, leased ones may be completed."""

    volume: VolumeName
    path: FilePath
    reason: Words = ""


class RecordsScan(_Managing, tag="records_scan"):
    """Have a volume's watcher announce what is there and was never announced."""

    volume: VolumeName
    since: Wall = 0.0  # seconds since 1970: only files that were written then or later
    pattern: Annotated[str, Meta(max_length=512)] = ""


class RecordsReplay(_Managing, tag="records_replay"):
    """Have a volume's watcher announce again what was announced, for one group of consumers."""

    volume: VolumeName
    group: GroupName
    since: Wall = 0.0
    pattern: Annotated[str, Meta(max_length=512)] = ""


# Reading


class RecordsStatus(Command, tag="records_status"):
    """How the volumes, the groups and their consumers stand."""

    SCOPE: ClassVar[Scope] = Scope.READ


class RecordsList(Command, tag="records_list"):
    """Records that are not done, the oldest first."""

    SCOPE: ClassVar[Scope] = Scope.READ
    since: Count = 0
    volume: VolumeName | None = None
    group: GroupName | None = None
    state: Literal["ready", "leased", "dead", "orphaned"] | None = None
    path: FilePath | None = None


class RecordsFile(Command, tag="records_file"):
    """What is known of one file: its records, what became of them lately, or why it is kept out."""

    SCOPE: ClassVar[Scope] = Scope.READ
    volume: VolumeName
    path: FilePath


AnyRecordsCommand = (
    RecordsLease
    | RecordsRenew
    | RecordsComplete
    | RecordsReturn
    | RecordsCredit
    | RecordsLeave
    | RecordsAnnounce
    | RecordsGone
    | RecordsWatch
    | RecordsRedrive
    | RecordsRemove
    | RecordsScan
    | RecordsReplay
    | RecordsStatus
    | RecordsList
    | RecordsFile
)
