"""The journal in memory as what the past is read from. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from shotline.client.testing.journal import MemoryJournal
from shotline.common.records import ShotKey, Transition
from shotline.common.views import OutputLine
from shotline.dispatcher.journal.layout import format_pieces
from shotline.dispatcher.past.store import JournalEntry, Stored


class MemoryStore:
    """The shots of a journal in memory; each record is an entry of its own."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal

    def shots(self) -> Sequence[Stored]:
        """Return all shots."""
        found = self._journal.shots.items()
        return [Stored(records[-1].time, key) for key, records in found if records]

    def version(self, key: ShotKey) -> str:
        """Return how much is known of a shot."""
        count = len(self._journal.shots.get(key, ()))
        lines = sum(self._journal.lines.get(key, {}).values())
        return f"{count}-{lines}" if count or lines else ""

    def entries(self, key: ShotKey, after: str = "") -> Iterator[JournalEntry]:
        """Yield a shot's records."""
        for number, record in enumerate(self._journal.shots.get(key, ()), 1):
            if number > int(after.partition("-")[2] or 0):
                yield JournalEntry(f"1-{number}", (record,))

    def outputs(self, key: ShotKey) -> Mapping[tuple[str, int], int]:
        """Return the lines of each attempt."""
        return self._journal.lines.get(key, {})

    def output(self, key: ShotKey, path: str, attempt: int, since: int) -> Iterator[bytes]:
        """Yield an attempt's output, each line as a piece."""
        lines: list[OutputLine] = self._journal.output.get(key, {}).get((path, attempt), [])
        for line in lines:
            if line.number >= since:
                pieces, _ = format_pieces(line.number, [(line.at, line.stream, line.text.encode())])
                yield from pieces

    def last(self, key: ShotKey, path: str) -> Transition | None:
        """Return an action's last transition."""
        found = None
        for record in self._journal.shots.get(key, ()):
            if isinstance(record, Transition) and record.path == path:
                found = record
        return found
