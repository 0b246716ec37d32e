"""The ledger's state: the fold of its records. Pure.

It holds what is not done, and counts the rest (V2). `apply` returns the records that changed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import structs

from shotline.common.volumes.files import FileSeen, Part
from shotline.common.volumes.records import (
    Counted,
    CreditsSet,
    FileKeptOut,
    FilesAnnounced,
    FilesGone,
    FilesQuarantined,
    HeldFile,
    HeldLease,
    HeldRecord,
    HeldVolume,
    LedgerBegun,
    LedgerKept,
    LedgerPart,
    LedgerRecord,
    OrderGiven,
    OrderTaken,
    OrphansGone,
    RecordsDead,
    RecordsDone,
    RecordsLeased,
    RecordsRedriven,
    RecordsReturned,
    RecordState,
    StepDone,
    StepGiven,
    WatchOrder,
)

ENDED = (RecordState.DONE, RecordState.REMOVED)
HELD = tuple(state for state in RecordState if state not in ENDED)


@dataclass(slots=True)
class Item:
    """A data record that is offered to one group."""

    number: int
    volume: str
    held: HeldFile
    part: Part
    group: str
    state: RecordState = RecordState.READY
    attempts: int = 0  # leases ever: they tell these apart
    forgiven: int = 0  # of them, since it was redriven
    lease: HeldLease | None = None
    delay_s: float = 0.0  # for which it is not offered, since it was given back
    reason: str = ""
    step: int = 0
    command: str = ""

    @property
    def file(self) -> FileSeen:
        """Its file."""
        return self.held.file

    @property
    def tries(self) -> int:
        """How often it was leased, since it was redriven."""
        return self.attempts - self.forgiven

    @property
    def key(self) -> str:
        """What its order is kept within."""
        return self.file.key or ("" if self.file.run is None else str(self.file.run))

    def kept(self) -> HeldRecord:
        """Return it as the whole state's record has it."""
        return HeldRecord(
            number=self.number,
            state=self.state,
            attempts=self.attempts,
            forgiven=self.forgiven,
            lease=self.lease,
            reason=self.reason,
            delay_s=self.delay_s,
            step=self.step,
            command=self.command,
        )

    def take(self, record: HeldRecord) -> None:
        """Stand as the whole state's record has it."""
        self.state, self.reason, self.delay_s = record.state, record.reason, record.delay_s
        self.attempts, self.forgiven = record.attempts, record.forgiven
        self.lease, self.step, self.command = record.lease, record.step, record.command


@dataclass(slots=True)
class Volume:
    """What is held of a volume."""

    name: str
    host: str = ""
    folder: str = ""
    memory: str = ""
    number: int = 0
    announced: int = 0
    counts: Counter[RecordState] = field(default_factory=Counter)
    files: dict[str, list[HeldFile]] = field(default_factory=dict)  # by path, the newest last
    left: Counter[int] = field(default_factory=Counter)  # records of a file, by its first's number
    quarantine: dict[str, FileKeptOut] = field(default_factory=dict)
    orders: dict[str, WatchOrder] = field(default_factory=dict)

    def counted(self) -> Counted:
        """Return how its records stand."""
        by_state = {state.value: self.counts[state] for state in RecordState}
        return Counted(announced=self.announced, **by_state)


def items_of(volume: str, held: HeldFile) -> Iterator[Item]:
    """Yield the records of a file, for each group in turn."""
    number = held.first
    for group in held.groups:
        for part in held.file.parts:
            yield Item(number, volume, held, part, group)
            number += 1


@dataclass(slots=True)
class LedgerFold:
    """All volumes and their records.

    While the journal is read, a record may be about what comes only later, in a part of the whole
    state: there it has what became of it. `loaded` ends that.
    """

    life: str = ""
    next_number: int = 1
    volumes: dict[str, Volume] = field(default_factory=dict)
    items: dict[int, Item] = field(default_factory=dict)  # by number
    leased: dict[str, set[int]] = field(default_factory=dict)  # by consumer, orphaned ones, too
    credits: dict[str, dict[str, int]] = field(default_factory=dict)  # by group, by consumer
    loading: bool = False

    def apply(self, record: LedgerRecord) -> list[Item]:
        """Make a record true; return what has changed, what has ended included."""
        match record:
            case LedgerBegun(life=life):
                self.life = life
            case FilesAnnounced():
                return self._announced(record)
            case FilesGone(volume=volume, paths=paths, reason=reason):
                return self._gone(volume, paths, reason)
            case FilesQuarantined(volume=volume, files=files):
                self.volume(volume).quarantine = {one.path: one for one in files}
            case RecordsLeased():
                return self._lease(record)
            case RecordsDone(numbers=numbers):
                return self._each(numbers, RecordState.DONE)
            case RecordsReturned():
                return self._returned(record)
            case RecordsDead(numbers=numbers, reason=reason):
                return self._each(numbers, RecordState.DEAD, reason)
            case RecordsRedriven(numbers=numbers):
                return self._redriven(numbers)
            case OrphansGone(numbers=numbers):
                return self._each(numbers, RecordState.REMOVED)
            case CreditsSet(group=group, consumer=consumer, credits=count):
                self._set_credits(group, consumer, count)
            case OrderGiven(volume=volume, order=order):
                self.volume(volume).orders[order.id] = order
            case OrderTaken(volume=volume, order=id_):
                self.volume(volume).orders.pop(id_, None)
            case StepGiven(number=number, step=step, command=command):
                for item in self.of_numbers((number,)):
                    item.step, item.command = step, command
            case StepDone(number=number):
                for item in self.of_numbers((number,)):
                    item.step, item.command = item.step + 1, ""
            case LedgerPart():
                self._part(record)
            case LedgerKept():
                self._kept(record)
        return []

    def volume(self, name: str) -> Volume:
        """Return a volume, which is known from now on."""
        return self.volumes.setdefault(name, Volume(name))

    def of_path(self, volume: str, path: str) -> list[Item]:
        """Return the records of a file that are held."""
        known = self.volumes.get(volume)
        return [
            self.items[number]
            for held in (known.files.get(path, ()) if known is not None else ())
            for number in range(held.first, held.first + len(held.groups) * len(held.file.parts))
            if number in self.items
        ]

    def of_numbers(self, numbers: Iterable[int]) -> list[Item]:
        """Return these records; all of them are held, but while the journal is read."""
        if self.loading:
            return [self.items[number] for number in numbers if number in self.items]
        return [self.items[number] for number in numbers]

    # Files

    def _announced(self, record: FilesAnnounced) -> list[Item]:
        volume = self.volume(record.volume)
        volume.host, volume.folder = record.host, record.folder
        volume.memory = record.memory
        volume.number = record.number
        made: list[Item] = []
        for held in record.files:
            made += self._hold(volume, held)
        return made

    def _hold(self, volume: Volume, held: HeldFile) -> list[Item]:
        made = list(items_of(volume.name, held))
        self.next_number = held.first + len(made)
        volume.announced += len(made)
        volume.counts[RecordState.READY] += len(made)
        volume.files.setdefault(held.file.path, []).append(held)
        volume.left[held.first] = len(made)
        self.items.update((item.number, item) for item in made)
        return made

    def _gone(self, volume: str, paths: Iterable[str], reason: str) -> list[Item]:
        changed = []
        for path in paths:
            for item in self.of_path(volume, path):
                if item.state is RecordState.LEASED:
                    self._turn(item, RecordState.ORPHANED, reason)
                elif item.state in (RecordState.READY, RecordState.DEAD):
                    self._turn(item, RecordState.REMOVED, reason)
                changed.append(item)
        return changed

    # Records

    def _lease(self, record: RecordsLeased) -> list[Item]:
        changed = self.of_numbers(record.numbers)
        for item in changed:
            self._turn(item, RecordState.LEASED)
            item.attempts += 1
            item.lease = HeldLease(
                consumer=record.consumer,
                host=record.host,
                hold_s=record.hold_s,
                command=record.command,
                at=record.time,
            )
            self.leased.setdefault(record.consumer, set()).add(item.number)
        return changed

    def _returned(self, record: RecordsReturned) -> list[Item]:
        changed = self._each(record.numbers, RecordState.READY, record.reason)
        for item in changed:
            item.delay_s, item.command = record.delay_s, ""
        return changed

    def _redriven(self, numbers: Iterable[int]) -> list[Item]:
        changed = self._each(numbers, RecordState.READY)
        for item in changed:
            item.forgiven, item.step, item.command = item.attempts, 0, ""
        return changed

    def _each(self, numbers: Iterable[int], state: RecordState, reason: str = "") -> list[Item]:
        changed = self.of_numbers(numbers)
        for item in changed:
            self._turn(item, state, reason)
        return changed

    def _turn(self, item: Item, state: RecordState, reason: str = "") -> None:
        """Let a record stand otherwise; it is held no longer where it has ended."""
        counts = self.volumes[item.volume].counts
        counts[item.state] -= 1
        counts[state] += 1
        item.state, item.reason, item.delay_s = state, reason, 0.0
        if state is RecordState.ORPHANED:
            return  # whoever has it may still complete it
        if item.lease is not None:
            had = self.leased.get(item.lease.consumer)
            if had is not None:
                had.discard(item.number)
                if not had:
                    del self.leased[item.lease.consumer]
            item.lease = None
        if state in ENDED:
            self._drop(item)

    def _drop(self, item: Item) -> None:
        volume, path = self.volumes[item.volume], item.file.path
        del self.items[item.number]
        first = item.held.first
        volume.left[first] -= 1
        if volume.left[first]:
            return
        del volume.left[first]
        volume.files[path] = [one for one in volume.files[path] if one.first != first]
        if not volume.files[path]:
            del volume.files[path]

    def _set_credits(self, group: str, consumer: str, count: int) -> None:
        of_group = self.credits.setdefault(group, {})
        if count:
            of_group[consumer] = count
        else:
            of_group.pop(consumer, None)

    # The whole

    def parts(self, wall: Callable[[], float], size: int) -> Iterator[LedgerPart]:
        """Yield all that is held, in parts of about so many records, each as it stands then.

        What is announced meanwhile need not be among them: its own record follows the first part.
        """
        files: dict[int, HeldFile] = {}
        records: list[HeldRecord] = []
        volume = ""

        def part() -> LedgerPart:
            made = LedgerPart(
                time=wall(), volume=volume, files=tuple(files.values()), records=tuple(records)
            )
            files.clear()
            records.clear()
            return made

        for number in list(self.items):
            item = self.items.get(number)
            if item is None:
                continue
            first = item.held.first
            if records and (item.volume != volume or (len(records) >= size and first not in files)):
                yield part()
                item = self.items.get(number)  # a while later
                if item is None:
                    continue
            volume = item.volume
            files[first] = item.held
            records.append(item.kept())
        if records:
            yield part()

    def kept(self, time: float, since: str = "") -> LedgerKept:
        """Return the record that makes this state again, with the parts since that commit."""
        return LedgerKept(
            time=time,
            since=since,
            life=self.life,
            next_number=self.next_number,
            volumes=tuple(
                HeldVolume(
                    volume=volume.name,
                    host=volume.host,
                    folder=volume.folder,
                    memory=volume.memory,
                    number=volume.number,
                    counts=volume.counted(),
                    quarantine=tuple(volume.quarantine.values()),
                    orders=tuple(volume.orders.values()),
                )
                for volume in self.volumes.values()
            ),
            credits=tuple(
                CreditsSet(time=time, group=group, consumer=consumer, credits=count)
                for group, of_group in self.credits.items()
                for consumer, count in of_group.items()
            ),
        )

    def _part(self, part: LedgerPart) -> None:
        volume = self.volume(part.volume)
        states = {record.number: record for record in part.records}
        for held in part.files:
            for made in items_of(volume.name, held):
                record = states.get(made.number)
                if record is None:
                    continue
                item = self.items.get(made.number)
                if item is None:
                    item = self.items[made.number] = made
                    if not volume.left[held.first]:
                        volume.files.setdefault(held.file.path, []).append(held)
                    volume.left[held.first] += 1
                item.take(record)

    def _kept(self, kept: LedgerKept) -> None:
        self.life, self.next_number = kept.life, kept.next_number
        for one in kept.volumes:
            volume = self.volume(one.volume)
            volume.host, volume.folder = one.host, one.folder
            volume.memory, volume.number = one.memory, one.number
            counts = structs.asdict(one.counts)
            volume.announced = counts.pop("announced")
            volume.counts = Counter({RecordState(state): n for state, n in counts.items()})
            volume.quarantine = {kept_out.path: kept_out for kept_out in one.quarantine}
            volume.orders = {order.id: order for order in one.orders}
        self.credits = {}
        for credit in kept.credits:
            self._set_credits(credit.group, credit.consumer, credit.credits)

    def loaded(self) -> None:
        """The journal was read: find again what follows from how records stand."""
        self.loading = False
        self.items = dict(sorted(self.items.items()))
        self.leased = {}
        held: dict[str, Counter[RecordState]] = {name: Counter() for name in self.volumes}
        for item in self.items.values():
            held[item.volume][item.state] += 1
            if item.lease is not None:
                self.leased.setdefault(item.lease.consumer, set()).add(item.number)
        for volume in self.volumes.values():
            for files in volume.files.values():
                files.sort(key=lambda one: one.first)
            # Where Redis had lost records of the journal, nobody knows how many have ended.
            for state in HELD:
                volume.counts[state] = held[volume.name][state]
            volume.announced = sum(volume.counts.values())

    # For tests

    def check(self) -> None:
        """Assert that what was announced is the sum of how records stand (V1)."""
        held: dict[str, Counter[RecordState]] = {}
        for item in self.items.values():
            held.setdefault(item.volume, Counter())[item.state] += 1
            is_had = item.state in (RecordState.LEASED, RecordState.ORPHANED)
            assert is_had == (item.lease is not None), f"V3: {item}"
            if item.lease is not None:
                assert item.number in self.leased[item.lease.consumer], f"V3: {item}"
        for volume in self.volumes.values():
            assert volume.announced == sum(volume.counts.values()), f"V1: {volume.counted()}"
            for state in RecordState:
                count = volume.counts[state]
                assert count >= 0, f"V1: {volume.counted()}"
                if state not in ENDED:
                    found = held.get(volume.name, Counter())[state]
                    assert count == found, f"V1: {state}: {count} counted, {found} held"
            firsts = {one.first for files in volume.files.values() for one in files}
            assert set(volume.left) == firsts, f"V2: {volume.name}"
