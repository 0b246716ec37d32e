"""What watchers announce becomes records; what they say is gone ends them (V1, V2). Pure."""

from collections.abc import Iterable, Sequence

from shotline.common.volumes import commands as r
from shotline.common.volumes.files import FileSeen
from shotline.common.volumes.records import (
    FilesAnnounced,
    FilesGone,
    FilesQuarantined,
    HeldFile,
    LedgerBegun,
    OrderTaken,
)
from shotline.common.volumes.views import AnnouncedResult, RecordsCode, WatchResult
from shotline.volumes.core import RULE, LedgerCore, Rate, RecordsRefusal, ok
from shotline.volumes.events import LedgerAnswer

ANEW = "written anew"


class Announcing:
    """Takes what watchers say."""

    def __init__(self, core: LedgerCore) -> None:
        self._core = core

    def announce(self, command: r.RecordsAnnounce) -> LedgerAnswer:
        """Make records of files, but for those that were announced before."""
        core = self._core
        self.require_volume(command.volume)
        if not core.fold.life:
            core.put(LedgerBegun(time=core.wall, life=format(int(core.wall * 1000), "x")))
        known = core.fold.volume(command.volume)
        taken = known.number if known.memory == command.memory else 0
        files = command.files[max(taken + 1 - command.number, 0) :]
        last = max(command.number + len(command.files) - 1, taken)
        if not files:
            return ok("it was announced before", AnnouncedResult(number=last))
        if known.memory == command.memory and command.number > taken + 1:
            text = f"{command.volume}: number {taken + 1} has not come, but {command.number} has"
            raise RecordsRefusal(RecordsCode.GAP, text, taken)
        held, count = self._held(command, files)
        if count + len(core.fold.items) > core.section.records_max:
            text = (
                f"the ledger holds {len(core.fold.items)} records of at most "
                f"{core.section.records_max} (volumes.records_max); announce them again later"
            )
            raise RecordsRefusal(RecordsCode.FULL, text, taken)
        self._replace(command.volume, held)
        core.put(
            FilesAnnounced(
                time=core.wall,
                volume=command.volume,
                host=command.host,
                folder=command.folder,
                memory=command.memory,
                number=last,
                files=held,
            )
        )
        core.arrived.setdefault(command.volume, Rate()).add(core.now, count)
        return ok(f"{count} records", AnnouncedResult(number=last, records=count))

    def _held(
        self, command: r.RecordsAnnounce, files: Sequence[FileSeen]
    ) -> tuple[tuple[HeldFile, ...], int]:
        core, known = self._core, self._core.fold.volume(command.volume)
        first = number = core.fold.next_number
        made: dict[str, HeldFile] = {}
        newest = {file.path: file for file in files}  # of a path that was written meanwhile
        for file in newest.values():
            groups = (command.group,) if command.group is not None else self._groups(file)
            served = {
                group
                for one in known.files.get(file.path, ())
                if one.file.generation == file.generation
                for group in one.groups
            }
            groups = tuple(group for group in groups if group not in served)
            if not groups:
                continue
            made[file.path] = HeldFile(
                file=file,
                groups=groups,
                first=number,
                announced_at=core.wall,
                host=command.host,
            )
            number += len(groups) * len(file.parts)
        return tuple(made.values()), number - first

    def _groups(self, file: FileSeen) -> tuple[str, ...]:
        rule = self._core.section.rules.get(file.rule)
        if rule is None:
            return ()
        return (*rule.then.consumers, *((f"{RULE}{file.rule}",) if rule.then.runs else ()))

    def _replace(self, volume: str, held: Iterable[HeldFile]) -> None:
        """End the records of what these files were before."""
        core = self._core
        known = core.fold.volume(volume)
        paths = tuple(
            one.file.path
            for one in held
            if any(
                before.file.generation != one.file.generation
                for before in known.files.get(one.file.path, ())
            )
        )
        if paths:
            self._gone(volume, paths, ANEW)

    def _gone(self, volume: str, paths: tuple[str, ...], reason: str) -> int:
        core = self._core
        return len(
            core.put(FilesGone(time=core.wall, volume=volume, paths=paths, reason=reason[:1000]))
        )

    def gone(self, command: r.RecordsGone, by: str = "") -> LedgerAnswer:
        """End the records of files that are gone."""
        self.require_volume(command.volume)
        known = self._core.fold.volume(command.volume)
        paths = tuple(path for path in command.paths if path in known.files)
        count = 0
        if paths:
            reason = command.reason or "the file is gone"
            count = self._gone(command.volume, paths, f"{reason} ({by})" if by else reason)
        result = AnnouncedResult(number=known.number, records=count)
        return ok(f"{count} records of {len(paths)} files", result)

    def watch(self, command: r.RecordsWatch) -> LedgerAnswer:
        """Take how a volume stands, and say what its watcher is to do."""
        core = self._core
        self.require_volume(command.volume)
        core.watchers[command.volume] = (core.now, command)
        known = core.fold.volume(command.volume)
        for id_, said in command.taken.items():
            if id_ in known.orders:
                core.put(OrderTaken(time=core.wall, volume=command.volume, order=id_, said=said))
        if command.quarantine is not None:
            told = {one.path: one for one in command.quarantine}
            if told != known.quarantine:
                files = tuple(told.values())
                core.put(FilesQuarantined(time=core.wall, volume=command.volume, files=files))
        result = WatchResult(
            memory=known.memory, number=known.number, orders=tuple(known.orders.values())
        )
        return ok("", result)

    def require_volume(self, name: str) -> None:
        """Raise RecordsRefusal where a volume is not configured."""
        core = self._core
        if name not in core.section.folders:
            known = ", ".join(sorted(core.section.folders)) or "none"
            text = f"there is no volume {name}; known: {known} (volumes.folders)"
            raise RecordsRefusal(RecordsCode.UNKNOWN_VOLUME, text)
