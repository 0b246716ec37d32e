"""What has happened to files, in words: told by the ledger's records alone, so that it is told
again when the journal is read after a restart. Pure.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from shotline.common.volumes.records import (
    FilesAnnounced,
    FilesGone,
    FilesQuarantined,
    LedgerRecord,
    OrphansGone,
    RecordsDead,
    RecordsDone,
    RecordsLeased,
    RecordsRedriven,
    RecordsReturned,
    StepGiven,
)
from shotline.common.volumes.views import FileEvent
from shotline.volumes.fold import Item, LedgerFold

STORY_MAX: Final = 50_000  # events of all files that are remembered

_OfFile = tuple[str, str, FileEvent]  # volume, path


class Story:
    """The last events of all files."""

    def __init__(self) -> None:
        self._events: deque[_OfFile] = deque(maxlen=STORY_MAX)

    def note(self, fold: LedgerFold, record: LedgerRecord) -> None:
        """Take a record that is about to become true."""
        self._events.extend(_said(fold, record))

    def of(self, fold: LedgerFold, volume: str, path: str) -> tuple[FileEvent, ...]:
        """Return a file's events; what is held of it is told from its beginning on."""
        found = [event for one, of, event in self._events if of == path and one == volume]
        known = fold.volumes.get(volume)
        held = known.files.get(path, ()) if known is not None else ()
        begun = {event.time for event in found if event.number is None}
        found += [
            _announced(one.announced_at, one.file.rule)
            for one in held
            if one.announced_at not in begun
        ]
        return tuple(sorted(found, key=lambda event: event.time))


def _announced(time: float, rule: str) -> FileEvent:
    return FileEvent(time=time, text=f"announced by rule {rule or '-'}")


def _said(fold: LedgerFold, record: LedgerRecord) -> Iterator[_OfFile]:
    match record:
        case FilesAnnounced(volume=volume, files=files):
            for held in files:
                yield volume, held.file.path, _announced(held.announced_at, held.file.rule)
        case FilesGone(volume=volume, paths=paths, reason=reason):
            gone = (item for path in paths for item in fold.of_path(volume, path))
            yield from _of(gone, record, reason or "gone")
        case FilesQuarantined(volume=volume, files=kept_out):
            before = fold.volume(volume).quarantine
            for one in kept_out:
                if one.path not in before or before[one.path].reason != one.reason:
                    event = FileEvent(time=record.time, text=f"kept out: {one.reason}")
                    yield volume, one.path, event
        case (
            RecordsLeased(numbers=numbers)
            | RecordsDone(numbers=numbers)
            | RecordsReturned(numbers=numbers)
            | RecordsDead(numbers=numbers)
            | RecordsRedriven(numbers=numbers)
            | OrphansGone(numbers=numbers)
        ):
            yield from _of(fold.of_numbers(numbers), record, _words(record))
        case StepGiven(number=number, step=step):
            yield from _of(
                fold.of_numbers((number,)), record, f"step {step + 1} of its rule begins"
            )
        case _:
            pass


def _of(items: Iterable[Item], record: LedgerRecord, text: str) -> Iterator[_OfFile]:
    for item in items:
        event = FileEvent(time=record.time, text=f"{text} ({item.group})", number=item.number)
        yield item.volume, item.file.path, event


def _words(record: LedgerRecord) -> str:
    match record:
        case RecordsLeased(consumer=consumer):
            return f"leased to {consumer}"
        case RecordsDone(consumer=consumer):
            return f"completed by {consumer}"
        case RecordsReturned(reason=reason, delay_s=delay_s):
            later = f" in {delay_s:g} s" if delay_s else ""
            return f"offered again{later}: {reason}"
        case RecordsDead(reason=reason):
            return f"dead: {reason}"
        case RecordsRedriven(by=by):
            return f"redriven by {by or 'an operator'}"
        case _:
            return "given up: its file is gone, and nobody has completed it"
