"""Volumes, records and consumers as tables and lines for the terminal."""

from rich.console import Console
from rich.table import Table

from shotline.client.plain import plain
from shotline.client.text import clock, duration
from shotline.common.views import AnyResult
from shotline.common.volumes.views import (
    LeasesResult,
    RecordsFileResult,
    RecordsListResult,
    RecordsStatusResult,
    RecordView,
    TokensResult,
    VolumeView,
)

_LONG = 60


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _age(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def _bytes(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, 4)
    return f"{count / 1024**power:.1f} {'KMGT'[power - 1]}iB"


def show_status(out: Console, result: AnyResult) -> None:
    """Show volumes, groups, consumers."""
    if not isinstance(result, RecordsStatusResult):
        return
    table = _table(
        *("VOLUME", "HOST", "ANNOUNCED", "READY", "LEASED", "DONE", "DEAD", "ORPHANED", "REMOVED"),
        *("PER MIN", "OLDEST", "FREE", ""),
    )
    for one in result.volumes:
        counts = one.counts
        table.add_row(
            one.volume,
            plain(one.host),
            *map(str, (counts.announced, counts.ready, counts.leased, counts.done, counts.dead)),
            *map(str, (counts.orphaned, counts.removed, one.per_minute)),
            _age(one.oldest_ready_s),
            "" if one.disk is None else _bytes(one.disk.free_b),
            plain(_remark(one)),
        )
    out.print(table)
    if result.groups:
        table = _table("GROUP", "READY", "LEASED", "DEAD", "CREDITS", "OLDEST", "DONE PER MIN")
        for group in result.groups:
            numbers = (group.ready, group.leased, group.dead, group.credits)
            table.add_row(
                group.group,
                *map(str, numbers),
                _age(group.oldest_ready_s),
                str(group.done_per_minute),
            )
        out.print(table)
    if result.consumers:
        table = _table("CONSUMER", "GROUP", "HOST", "HAS", "DONE", "CREDITS", "LAST SEEN")
        for consumer in result.consumers:
            table.add_row(
                plain(consumer.consumer),
                consumer.group,
                plain(consumer.host),
                *map(str, (consumer.leased, consumer.done, consumer.credits)),
                "waits" if consumer.waiting else f"{duration(consumer.seen_s)} ago",
            )
        out.print(table)


def _remark(one: VolumeView) -> str:
    """Return what somebody should know of a volume."""
    remarks = [] if one.watched else ["not watched"]
    if one.trouble:
        remarks.append(one.trouble)
    if one.late:
        remarks.append("a record is ready for too long")
    if one.low:
        remarks.append("little is free")
    if one.quarantine:
        remarks.append(f"{len(one.quarantine)} kept out")
    if one.waiting:
        remarks.append(f"{one.waiting} not complete")
    if one.unsent:
        remarks.append(f"{one.unsent} unsent")
    remarks += [order.kind.value for order in one.orders]
    return "; ".join(remarks)


def _rows(records: tuple[RecordView, ...]) -> Table:
    table = _table("NUMBER", "STATE", "GROUP", "VOLUME", "FILE", "RECORD", "TRIES", "SINCE", "")
    for one in records:
        who = one.consumer + ("" if one.left_s is None else f" for {duration(one.left_s)}")
        table.add_row(
            str(one.number),
            one.state.value,
            one.group,
            one.volume,
            plain(one.path),
            plain(one.part.name),
            str(one.attempts),
            clock(one.announced_at),
            plain((who or one.reason)[: 2 * _LONG]),
        )
    return table


def show_list(out: Console, result: AnyResult) -> None:
    """Show records."""
    if isinstance(result, RecordsListResult):
        out.print(_rows(result.records))


def show_file(out: Console, result: AnyResult) -> None:
    """Show a file's records and its story."""
    if not isinstance(result, RecordsFileResult):
        return
    if result.records:
        out.print(_rows(result.records))
    if result.quarantine is not None:
        out.print(f"kept out: {plain(result.quarantine.reason)}")
    for event in result.story:
        number = "" if event.number is None else f" {event.number}"
        out.print(f"{clock(event.time)}{number} {plain(event.text)}")


def show_leases(out: Console, result: AnyResult) -> None:
    """Show what was leased."""
    if not isinstance(result, LeasesResult) or not result.leases:
        return
    table = _table("TOKEN", "FILE", "RECORD", "SIZE", "TRY", "FOR")
    for one in result.leases:
        table.add_row(
            one.token,
            plain(one.file),
            plain(one.part.name),
            _bytes(one.size_b),
            str(one.attempt),
            duration(one.hold_s),
        )
    out.print(table)


def show_tokens(out: Console, result: AnyResult) -> None:
    """Show what became of tokens, where it is not what was asked for."""
    if isinstance(result, TokensResult):
        for one in result.answers:
            if one.fate.value != "ok":
                out.print(f"{plain(one.token)}: {one.fate}")
