"""What must hold of data records, checked from outside: from the ledger's records alone.

A violation is an AssertionError that names the rule.
"""

from collections import Counter
from collections.abc import Sequence

from shotline.common.volumes.records import (
    FilesAnnounced,
    FilesGone,
    LedgerPart,
    LedgerRecord,
    OrphansGone,
    RecordsDead,
    RecordsDone,
    RecordsLeased,
    RecordsRedriven,
    RecordsReturned,
)

MAX_ATTEMPTS = 4
PER_CONSUMER = 3


class LedgerChecks:
    """The ledger as its records tell it, folded in the plainest way. `is_read`: they are those of
    the journal, which may begin with parts of the whole state.
    """

    def __init__(self, *, is_read: bool = False) -> None:
        self._is_read = is_read
        self.state: dict[int, str] = {}
        self.of: dict[int, tuple[str, str, str]] = {}  # path, generation, part
        self.keys: dict[int, str] = {}
        self.holder: dict[int, str] = {}
        self.tries: Counter[int] = Counter()
        self.seen: set[tuple[str, str]] = set()
        self.announced = 0

    def records(self, records: Sequence[LedgerRecord]) -> None:
        """What one commit has."""
        for record in records:
            self._take(record)
        leased = Counter(self.holder.values())
        assert all(count <= PER_CONSUMER for count in leased.values()), f"V3: limit: {leased}"
        busy = Counter(
            self.keys[number] for number, state in self.state.items() if state == "leased"
        )
        assert all(count == 1 for count in busy.values()), f"V3: two of one key: {busy}"

    def _take(self, record: LedgerRecord) -> None:
        match record:
            case FilesAnnounced():
                self._announced(record)
            case RecordsLeased():
                for number in self._known(record.numbers):
                    self._leased(number, record.consumer)
            case RecordsDone():
                for number in self._known(record.numbers):
                    state = self.state[number]
                    assert state not in ("done", "removed"), f"V3: {number} was {state}, and done"
                    holder = self.holder.pop(number, record.consumer)
                    assert holder == record.consumer, f"V3: {number} was done, but is {holder}'s"
                    self.state[number] = "done"
            case RecordsReturned():
                self._from(record.numbers, ("leased",), "ready")
            case RecordsDead():
                self._from(record.numbers, ("leased",), "dead")
            case RecordsRedriven():
                self._from(record.numbers, ("dead",), "ready")
                for number in record.numbers:
                    self.tries[number] = 0
            case OrphansGone():
                self._from(record.numbers, ("orphaned",), "removed")
            case FilesGone(paths=paths):
                for number, (path, _, _) in self.of.items():
                    if path in paths:
                        after = {"leased": "orphaned", "ready": "removed", "dead": "removed"}
                        self.state[number] = after.get(self.state[number], self.state[number])
            case LedgerPart() if self._is_read:
                self._read(record)
            case LedgerPart(records=held):
                for one in held:
                    assert self.state[one.number] == one.state, f"V2: {one} kept otherwise"
            case _:
                pass

    def _known(self, numbers: Sequence[int]) -> list[int]:
        """Return these records; of the journal those that come later, in a part, are left out."""
        return [number for number in numbers if number in self.state or not self._is_read]

    def _read(self, part: LedgerPart) -> None:
        states = {one.number: str(one.state) for one in part.records}
        for held in part.files:
            parts = [one.name for _group in held.groups for one in held.file.parts]
            for number, name in enumerate(parts, held.first):
                if number in states:
                    self.of[number] = (held.file.path, held.file.generation, name)
                    self.keys[number] = held.file.key or f"alone {number}"
        self.state |= states

    @property
    def held(self) -> dict[int, str]:
        """How those stand that have not ended."""
        return {n: str(s) for n, s in self.state.items() if s not in ("done", "removed")}

    def is_told_by(self, records: Sequence[LedgerRecord]) -> bool:
        """Return whether the journal's records come to the same."""
        told = LedgerChecks(is_read=True)
        try:
            for record in records:
                told._take(record)
        except (AssertionError, KeyError):  # their beginning is not among them
            return False
        return told.held == self.held

    def _announced(self, record: FilesAnnounced) -> None:
        for held in record.files:
            key = (held.file.path, held.file.generation)
            assert key not in self.seen, f"V2: {key} was announced twice"
            self.seen.add(key)
            number = held.first
            for _group in held.groups:
                for part in held.file.parts:
                    assert number not in self.state, f"V2: number {number} was given twice"
                    self.state[number] = "ready"
                    self.of[number] = (*key, part.name)
                    self.keys[number] = held.file.key or f"alone {number}"
                    self.announced += 1
                    number += 1

    def _leased(self, number: int, consumer: str) -> None:
        assert self.state[number] == "ready", f"V3: {number} was {self.state[number]}, and leased"
        older = [
            other
            for other, key in self.keys.items()
            if key == self.keys[number]
            and other < number
            and self.state[other] in ("ready", "leased")
        ]
        assert not older, f"V3: {number} was leased before {older} of its key"
        self.state[number] = "leased"
        self.holder[number] = consumer
        self.tries[number] += 1
        assert self.tries[number] <= MAX_ATTEMPTS, f"V3: {number} was leased too often"

    def _from(self, numbers: Sequence[int], before: tuple[str, ...], after: str) -> None:
        for number in self._known(numbers):
            assert self.state[number] in before, f"V3: {number}: {self.state[number]} to {after}"
            self.state[number] = after
            self.holder.pop(number, None)

    def at_end(self, files: set[tuple[str, str]]) -> None:
        """All that was found has been announced, and everything has ended."""
        missing = files - self.seen
        assert not missing, f"V2: never announced: {missing}"
        counts = Counter(self.state.values())
        assert sum(counts.values()) == self.announced, f"V1: {counts}"
        assert not self.held, f"V3: has not ended: {self.held}"
