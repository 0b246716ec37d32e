"""One function per command about volumes and data records.

What consumers need is easier had from `consumer`. A refusal is errors.Refused; its `result`
(RecordsRefused) has the code.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from shotline.client.calls import Call, make, result, waiting
from shotline.common.base import Json
from shotline.common.fleet.facts import DiskSpace
from shotline.common.volumes import commands as r
from shotline.common.volumes import views as v
from shotline.common.volumes.files import FileSeen
from shotline.common.volumes.records import FileKeptOut

File = FileSeen | Mapping[str, Json]
"""A file, or its fields as JSON would have them."""


def records_lease(
    group: str,
    consumer: str,
    *,
    host: str = "",
    limit: int = 1,
    hold_s: float | None = None,
    wait: float = 0.0,
    files_on: str = "",
) -> Call[v.LeasesResult]:
    """Take the oldest ready records of a group; `wait` so many seconds for the first.

    `files_on`: only those whose files are on this host.
    """
    asked = {"host": host, "limit": limit, "hold_s": hold_s, "wait": wait, "files_on": files_on}
    command = make(r.RecordsLease, group=group, consumer=consumer, **asked)
    return waiting(command, v.LeasesResult)


def records_renew(consumer: str, tokens: Sequence[str] = ()) -> Call[v.TokensResult]:
    """Begin the time of leases anew; without any only say that the consumer is there."""
    return result(make(r.RecordsRenew, consumer=consumer, tokens=tuple(tokens)), v.TokensResult)


def records_complete(consumer: str, tokens: Sequence[str]) -> Call[v.TokensResult]:
    """Say that records are done."""
    return result(make(r.RecordsComplete, consumer=consumer, tokens=tuple(tokens)), v.TokensResult)


def records_return(
    consumer: str,
    tokens: Sequence[str],
    *,
    delay_s: float = 0.0,
    never: bool = False,
    reason: str = "",
) -> Call[v.TokensResult]:
    """Give records back; `never`: they are not offered again."""
    asked = {"delay_s": delay_s, "never": never, "reason": reason}
    command = make(r.RecordsReturn, consumer=consumer, tokens=tuple(tokens), **asked)
    return result(command, v.TokensResult)


def records_credit(group: str, consumer: str, count: int = 1) -> Call[v.RecordsChangedResult]:
    """Ask for so many more records of a group to be sent to somebody."""
    command = make(r.RecordsCredit, group=group, consumer=consumer, credits=count)
    return result(command, v.RecordsChangedResult)


def records_leave(consumer: str) -> Call[v.RecordsChangedResult]:
    """Say that a consumer is gone: what it has is given back."""
    return result(make(r.RecordsLeave, consumer=consumer), v.RecordsChangedResult)


def records_announce(
    volume: str,
    files: Sequence[File],
    *,
    host: str,
    folder: str,
    memory: str,
    number: int,
    group: str | None = None,
) -> Call[v.AnnouncedResult]:
    """Announce complete files of a volume; the first has this number, which is taken once."""
    asked = {"host": host, "folder": folder, "memory": memory, "number": number, "group": group}
    command = make(r.RecordsAnnounce, volume=volume, files=tuple(files), **asked)
    return result(command, v.AnnouncedResult)


def records_gone(volume: str, paths: Sequence[str], reason: str = "") -> Call[v.AnnouncedResult]:
    """Say that files of a volume are gone."""
    command = make(r.RecordsGone, volume=volume, paths=tuple(paths), reason=reason)
    return result(command, v.AnnouncedResult)


def records_watch(
    volume: str,
    *,
    host: str,
    memory: str,
    folder: str,
    disk: DiskSpace | None = None,
    known: int = 0,
    waiting: int = 0,
    unsent: int = 0,
    scanned_at: float | None = None,
    scan_s: float | None = None,
    trouble: str = "",
    quarantine: Sequence[FileKeptOut] | None = None,
    taken: Mapping[str, str] | None = None,
) -> Call[v.WatchResult]:
    """Say how a volume stands, and hear what its watcher is to do."""
    command = make(
        r.RecordsWatch,
        volume=volume,
        host=host,
        memory=memory,
        folder=folder,
        disk=disk,
        known=known,
        waiting=waiting,
        unsent=unsent,
        scanned_at=scanned_at,
        scan_s=scan_s,
        trouble=trouble,
        quarantine=None if quarantine is None else tuple(quarantine),
        taken=dict(taken or {}),
    )
    return result(command, v.WatchResult)


def records_redrive(
    numbers: Sequence[int] = (), *, group: str | None = None, volume: str | None = None
) -> Call[v.RecordsChangedResult]:
    """Offer dead records again: these, or all of a group or a volume."""
    command = make(r.RecordsRedrive, numbers=tuple(numbers), group=group, volume=volume)
    return result(command, v.RecordsChangedResult)


def records_remove(volume: str, path: str, reason: str = "") -> Call[v.AnnouncedResult]:
    """Take a file off the ledger."""
    command = make(r.RecordsRemove, volume=volume, path=path, reason=reason)
    return result(command, v.AnnouncedResult)


def records_scan(
    volume: str, *, since: float = 0.0, pattern: str = ""
) -> Call[v.RecordsChangedResult]:
    """Have what is on a volume and was never announced be announced."""
    command = make(r.RecordsScan, volume=volume, since=since, pattern=pattern)
    return result(command, v.RecordsChangedResult)


def records_replay(
    volume: str, group: str, *, since: float = 0.0, pattern: str = ""
) -> Call[v.RecordsChangedResult]:
    """Have what was announced of a volume be announced again, for one group."""
    command = make(r.RecordsReplay, volume=volume, group=group, since=since, pattern=pattern)
    return result(command, v.RecordsChangedResult)


def records_status() -> Call[v.RecordsStatusResult]:
    """Return how the volumes, the groups and their consumers stand."""
    return result(make(r.RecordsStatus), v.RecordsStatusResult)


def records_list(
    volume: str | None = None,
    *,
    group: str | None = None,
    state: Literal["ready", "leased", "dead", "orphaned"] | None = None,
    path: str | None = None,
) -> Call[v.RecordsListResult]:
    """Return the records that are not done."""
    command = make(r.RecordsList, volume=volume, group=group, state=state, path=path)
    return result(command, v.RecordsListResult)


def records_file(volume: str, path: str) -> Call[v.RecordsFileResult]:
    """Return what is known of one file."""
    return result(make(r.RecordsFile, volume=volume, path=path), v.RecordsFileResult)
