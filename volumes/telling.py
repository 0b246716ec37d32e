"""How volumes, groups, consumers and records are shown. Pure."""

from collections.abc import Iterator
from typing import Final

from msgspec import structs

from shotline.common.volumes import commands as r
from shotline.common.volumes.records import RecordState
from shotline.common.volumes.views import (
    ConsumerView,
    GroupView,
    LedgerView,
    RecordsCode,
    RecordsFileResult,
    RecordsStatusResult,
    RecordView,
    VolumeView,
)
from shotline.volumes.core import RULE, LedgerCore, RecordsRefusal, ok
from shotline.volumes.events import LedgerAnswer
from shotline.volumes.fold import Item

CONSUMERS_MAX: Final = 500  # in the channel


class Telling:
    """Answers questions."""

    def __init__(self, core: LedgerCore) -> None:
        self._core = core

    def status(self) -> RecordsStatusResult:
        """Return how everything stands."""
        core = self._core
        names = dict.fromkeys((*core.section.folders, *core.fold.volumes))
        return RecordsStatusResult(
            volumes=tuple(map(self._volume, names)),
            groups=tuple(map(self._group, self.groups())),
            consumers=tuple(self._consumers()),
        )

    def ledger(self) -> LedgerView:
        """Return how everything stands, as the channel `volumes` tells it."""
        status = self.status()
        consumers = sorted(status.consumers, key=lambda one: (-one.leased, one.consumer))
        volumes = (
            structs.replace(one, oldest_ready_s=None, quarantine=()) for one in status.volumes
        )
        groups = (structs.replace(one, oldest_ready_s=None) for one in status.groups)
        shown = (structs.replace(one, seen_s=0.0) for one in consumers[:CONSUMERS_MAX])
        return LedgerView(
            volumes=tuple(volumes),
            groups=tuple(groups),
            consumers=tuple(shown),
            consumers_all=len(consumers),
            changes=self._core.changes,
        )

    def groups(self) -> list[str]:
        """Return the groups that are configured, those of rules, and those that hold records."""
        core = self._core
        rules = (f"{RULE}{name}" for name, one in core.section.rules.items() if one.then.runs)
        held = (group for (group, _), count in core.offers.counts.items() if count)
        return list(dict.fromkeys((*core.section.consumers, *rules, *held)))

    def _at(self, mono: float) -> float:
        """Return the wall time of a moment, the same one whenever it is asked for."""
        return round(self._core.wall - (self._core.now - mono), 1)

    def _is_late(self, age_s: float | None) -> bool:
        limit_s = self._core.section.ready_age_max_s
        return limit_s is not None and age_s is not None and age_s > limit_s

    def _age(self, at: float | None) -> float | None:
        return None if at is None else max(self._core.wall - at, 0.0)

    def _volume(self, name: str) -> VolumeView:
        core = self._core
        ready = core.ready_of[name].get() if name in core.ready_of else None
        oldest = ready.held.announced_at if ready is not None else None
        known, folder = core.fold.volumes.get(name), core.section.folders.get(name)
        view = VolumeView(
            volume=name,
            host=(folder.host or "") if folder is not None else "",
            folder=str(folder.folder) if folder is not None else "",
        )
        fields: dict[str, object] = {}
        if known is not None:
            fields |= {
                "counts": known.counted(),
                "host": known.host or view.host,
                "folder": known.folder or view.folder,
                "kept_out": len(known.quarantine),
                "quarantine": tuple(known.quarantine.values()),
                "orders": tuple(known.orders.values()),
                "oldest_ready_s": self._age(oldest),
                "oldest_ready_at": oldest,
                "late": self._is_late(self._age(oldest)),
            }
        if name in core.arrived:
            fields["per_minute"] = core.arrived[name].of(core.now)
        if name in core.ended:
            fields["done_per_minute"] = core.ended[name].of(core.now)
        found = core.watchers.get(name)
        if found is not None:
            seen, said = found
            least = folder.free_b_min if folder is not None else None
            fields |= {
                "watched": core.now < seen + core.section.watcher_lost_s,
                "seen_at": self._at(seen),
                "host": said.host,
                "folder": said.folder,
                "disk": said.disk,
                "low": least is not None and said.disk is not None and said.disk.free_b < least,
                "known": said.known,
                "waiting": said.waiting,
                "unsent": said.unsent,
                "scanned_at": said.scanned_at,
                "scan_s": said.scan_s,
                "trouble": said.trouble,
            }
        return structs.replace(view, **fields)

    def _group(self, name: str) -> GroupView:
        core = self._core
        oldest = core.offers.oldest(name)
        rate = core.completed.get(name)
        return GroupView(
            group=name,
            ready=core.count_of(name, RecordState.READY),
            delayed=core.offers.delayed[name],
            leased=core.count_of(name, RecordState.LEASED),
            dead=core.count_of(name, RecordState.DEAD),
            credits=sum(core.fold.credits.get(name, {}).values()),
            oldest_ready_s=self._age(oldest.held.announced_at) if oldest is not None else None,
            oldest_ready_at=oldest.held.announced_at if oldest is not None else None,
            done_per_minute=rate.of(core.now) if rate is not None else 0,
        )

    def _consumers(self) -> Iterator[ConsumerView]:
        core = self._core
        waiting = {one.command.consumer for one in core.waiting.values()}
        for name in dict.fromkeys((*core.consumers, *core.fold.leased)):
            one = core.consumers.get(name)
            had = core.fold.leased.get(name, set())
            group = one.group if one is not None else ""
            if not group and had:
                group = core.fold.items[next(iter(had))].group
            if group.startswith(RULE):
                continue
            yield ConsumerView(
                consumer=name,
                group=group,
                host=one.host if one is not None else "",
                leased=len(had),
                credits=core.fold.credits.get(group, {}).get(name, 0),
                done=one.done if one is not None else 0,
                done_per_minute=one.rate.of(core.now) if one is not None else 0,
                waiting=name in waiting,
                seen_s=max(core.now - one.seen, 0.0) if one is not None else 0.0,
                seen_at=self._at(one.seen) if one is not None else None,
            )

    def record(self, item: Item) -> RecordView:
        """Return one record."""
        core, file = self._core, item.file
        due = core.due.get(item.number)
        return RecordView(
            number=item.number,
            volume=item.volume,
            path=file.path,
            generation=file.generation,
            part=item.part,
            group=item.group,
            rule=file.rule,
            state=item.state,
            attempts=item.tries,
            token=core.token(item) if item.lease is not None else "",
            consumer=item.lease.consumer if item.lease is not None else "",
            left_s=max(due - core.now, 0.0) if due is not None else None,
            reason=item.reason,
            announced_at=item.held.announced_at,
            size_b=file.size_b,
            run=file.run,
            record_type=file.record_type,
            key=item.key,
        )

    def wanted(self, command: r.RecordsList) -> list[int]:
        """Return the numbers of the records that a list is of."""
        items = self._core.fold.items.values()
        if command.path is not None and command.volume is not None:
            items = self._core.fold.of_path(command.volume, command.path)  # type: ignore[assignment]
        return [
            item.number
            for item in items
            if item.number >= command.since
            and command.volume in (None, item.volume)
            and command.group in (None, item.group)
            and command.state in (None, item.state.value)
            and command.path in (None, item.file.path)
        ]

    def file(self, command: r.RecordsFile) -> LedgerAnswer:
        """Return what is known of a file. Raise RecordsRefusal."""
        core = self._core
        known = core.fold.volumes.get(command.volume)
        kept_out = known.quarantine.get(command.path) if known is not None else None
        story = core.story.of(core.fold, command.volume, command.path)
        records = tuple(map(self.record, core.fold.of_path(command.volume, command.path)))
        if not records and not story and kept_out is None:
            text = (
                f"nothing is known of {command.path} on {command.volume}: it was never announced, "
                "or all of it ended before the dispatcher's start"
            )
            raise RecordsRefusal(RecordsCode.UNKNOWN_FILE, text)
        result = RecordsFileResult(
            volume=command.volume,
            path=command.path,
            records=records,
            quarantine=kept_out,
            story=story,
        )
        return ok("", result)
