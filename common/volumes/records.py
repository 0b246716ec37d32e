"""The ledger's records: everything that ever happened to announced files, one class each. Pure.

The ledger's state is their fold (`volumes.fold`). A data record has a number that is never given
again; a lease is named by that number and its attempt. Deadlines are not journalled: after a
restart each lease has its whole time again.
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shotline.common.base import Struct, tag_of
from shotline.common.ranges import Count, Duration, Small, Wall
from shotline.common.volumes.files import (
    FilePath,
    FileSeen,
    Generation,
    GroupName,
    Host,
    VolumeName,
    Words,
)

Who = Annotated[str, Meta(max_length=256)]
ConsumerName = Annotated[str, Meta(min_length=1, max_length=200)]
Numbers = tuple[Count, ...]


class RecordState(StrEnum):
    """How a data record stands. Those that are announced are the sum of all of these."""

    READY = "ready"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"  # never offered again, until somebody has it redriven
    ORPHANED = "orphaned"  # leased while its file went; it may be completed
    REMOVED = "removed"  # its file went, or was written anew


class _LedgerRecord(Struct, tag_field="type"):
    """The base of the ledger's records. `by` is who asked, empty where nobody did."""

    time: Wall
    by: Who = ""

    @property
    def type(self) -> str:
        """Its name in the journal."""
        return tag_of(self)


class LedgerBegun(_LedgerRecord, tag="ledger_begun"):
    """There was no ledger before; `life` is in the name of every lease."""

    life: Annotated[str, Meta(min_length=1, max_length=32)]


class HeldFile(Struct):
    """An announced file. Its parts, for each group in turn, are records from `first` on."""

    file: FileSeen
    groups: tuple[GroupName, ...]
    first: Count
    announced_at: Wall
    host: Host = ""  # where it is


class FilesAnnounced(_LedgerRecord, tag="files_announced"):
    """A watcher has announced files; `number` counts what it has ever announced of the volume."""

    volume: VolumeName
    host: Host
    folder: FilePath
    memory: Annotated[str, Meta(max_length=64)]  # which of the watcher's memories has counted
    number: Count
    files: tuple[HeldFile, ...]


class FilesGone(_LedgerRecord, tag="files_gone"):
    """Files are no more what was announced: ready records are removed, leased ones orphaned."""

    volume: VolumeName
    paths: tuple[FilePath, ...]
    reason: Words = ""


class FileKeptOut(Struct):
    """A file that no record was made of, and why."""

    path: FilePath
    generation: Generation
    rule: Annotated[str, Meta(max_length=80)] = ""
    reason: Words
    at: Wall = 0.0


class FilesQuarantined(_LedgerRecord, tag="files_quarantined"):
    """Files could not be read; all that are kept out of this volume, as they are now."""

    volume: VolumeName
    files: tuple[FileKeptOut, ...]


class RecordsLeased(_LedgerRecord, tag="records_leased"):
    """A consumer has these records now."""

    group: GroupName
    consumer: ConsumerName
    host: Host
    numbers: Numbers
    hold_s: Duration
    command: Annotated[str, Meta(max_length=200)]  # which has asked for them


class RecordsDone(_LedgerRecord, tag="records_done"):
    """Records were completed."""

    consumer: ConsumerName
    numbers: Numbers


class RecordsReturned(_LedgerRecord, tag="records_returned"):
    """Leased records are offered again, after a while; nobody has completed them."""

    numbers: Numbers
    delay_s: Duration = 0.0
    reason: Words = ""
    why: Literal["given_back", "expired"] = "given_back"


class RecordsDead(_LedgerRecord, tag="records_dead"):
    """Records are never offered again."""

    numbers: Numbers
    reason: Words


class RecordsRedriven(_LedgerRecord, tag="records_redriven"):
    """Dead records are offered again, with all their attempts before them."""

    numbers: Numbers


class OrphansGone(_LedgerRecord, tag="orphans_gone"):
    """Whoever had these records has not completed them, and their files are gone."""

    numbers: Numbers


class CreditsSet(_LedgerRecord, tag="credits_set"):
    """So many records of a group somebody has asked to be sent."""

    group: GroupName
    consumer: ConsumerName
    credits: Count


class OrderKind(StrEnum):
    """What a watcher is to do."""

    SCAN = "scan"  # announce what is there and was not announced
    REPLAY = "replay"  # announce again what was, for one group


class WatchOrder(Struct):
    """Something that the watcher of a volume is to do once."""

    id: Annotated[str, Meta(max_length=200)]
    kind: OrderKind
    since: Wall = 0.0  # files that were last written before are left out
    pattern: Annotated[str, Meta(max_length=512)] = ""  # of paths; empty: all
    group: GroupName | None = None


class OrderGiven(_LedgerRecord, tag="order_given"):
    """The watcher of a volume is to do something."""

    volume: VolumeName
    order: WatchOrder


class OrderTaken(_LedgerRecord, tag="order_taken"):
    """The watcher of a volume has done it."""

    volume: VolumeName
    order: Annotated[str, Meta(max_length=200)]
    said: Words = ""


class StepGiven(_LedgerRecord, tag="step_given"):
    """A rule has had the dispatcher do something for a record; the same id is given again."""

    number: Count
    step: Small
    command: Annotated[str, Meta(max_length=200)]


class StepDone(_LedgerRecord, tag="step_done"):
    """What was to be done for a record has been done."""

    number: Count


class HeldLease(Struct):
    """Who has a record."""

    consumer: ConsumerName
    host: Host
    hold_s: Duration
    command: Annotated[str, Meta(max_length=200)] = ""
    at: Wall


class HeldRecord(Struct):
    """A record that is not done."""

    number: Count
    state: RecordState
    attempts: Small = 0
    forgiven: Small = 0
    lease: HeldLease | None = None
    reason: Words = ""  # why it is dead, or was given back
    delay_s: Duration = 0.0  # for which it is not offered, since it was given back
    step: Small = 0  # of its rule, that is next
    command: Annotated[str, Meta(max_length=200)] = ""  # of a step that was given


class LedgerPart(_LedgerRecord, tag="ledger_part"):
    """Some of what the ledger holds, as it stands now. It changes nothing; see LedgerKept."""

    volume: VolumeName
    files: tuple[HeldFile, ...]
    records: tuple[HeldRecord, ...]


class Counted(Struct):
    """How many records of a volume stand how; their sum is `announced`, always."""

    announced: Count = 0
    ready: Count = 0
    leased: Count = 0
    done: Count = 0
    dead: Count = 0
    orphaned: Count = 0
    removed: Count = 0


class HeldVolume(Struct):
    """What the ledger holds of a volume, beside its records."""

    volume: VolumeName
    host: Host = ""
    folder: Annotated[str, Meta(max_length=4096)] = ""
    memory: Annotated[str, Meta(max_length=64)] = ""
    number: Count = 0
    counts: Counted = Counted()
    quarantine: tuple[FileKeptOut, ...] = ()
    orders: tuple[WatchOrder, ...] = ()


class LedgerKept(_LedgerRecord, tag="ledger_kept"):
    """The whole state, together with the parts before it: the ledger's stream may begin there.

    `since` is the commit with the first of them, empty where there are none.
    """

    since: Annotated[str, Meta(max_length=64)] = ""
    life: Annotated[str, Meta(max_length=32)]
    next_number: Count
    volumes: tuple[HeldVolume, ...] = ()
    credits: tuple[CreditsSet, ...] = ()


LedgerRecord = (
    LedgerBegun
    | FilesAnnounced
    | FilesGone
    | FilesQuarantined
    | RecordsLeased
    | RecordsDone
    | RecordsReturned
    | RecordsDead
    | RecordsRedriven
    | OrphansGone
    | CreditsSet
    | OrderGiven
    | OrderTaken
    | StepGiven
    | StepDone
    | LedgerPart
    | LedgerKept
)

_MANY: msgspec.json.Decoder[tuple[LedgerRecord, ...]] = msgspec.json.Decoder(
    tuple[LedgerRecord, ...]
)


def decode_ledger_records(data: bytes | str) -> tuple[LedgerRecord, ...]:
    """Return the ledger's records of a JSON array. Raise ValueError when one is none of ours."""
    return _MANY.decode(data)
