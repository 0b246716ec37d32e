"""What the parts of the ledger share: its knowledge, and the ways out. Pure.

`put` makes a record true and journals it; whatever the ledger does begins with one.
"""

import heapq
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from shotline.common.commands import AnyCommand
from shotline.common.machine import Instant
from shotline.common.messages import Outcome
from shotline.common.settings.configuration import Config
from shotline.common.settings.sections.volumes import ConsumersSection, VolumesSection
from shotline.common.volumes.commands import RecordsLease, RecordsWatch
from shotline.common.volumes.records import LedgerRecord, RecordState
from shotline.common.volumes.views import AnyRecordsResult, RecordsCode, RecordsRefused
from shotline.volumes.events import Give, Keep, LedgerAnswer, LedgerOutput
from shotline.volumes.fold import Item, LedgerFold
from shotline.volumes.offers import Offers, Oldest
from shotline.volumes.story import Story

RULE: Final = "rule:"
"""What the name of a group begins with whose records a rule has something run for."""

MINUTE_S: Final = 60.0
_OF_RULES: Final = ConsumersSection(max_attempts=10, retry_delays_s=(2.0, 5.0, 10.0, 30.0, 60.0))


class RecordsRefusal(Exception):
    """The operation may not be carried out now; nothing was changed."""

    def __init__(self, code: RecordsCode, text: str, number: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.number = number

    def answer(self) -> LedgerAnswer:
        """Return the answer that says so."""
        unknown = self.code.value.startswith("unknown")
        result = RecordsRefused(code=self.code, number=self.number)
        return LedgerAnswer(Outcome.REFUSED, str(self), result, unknown=unknown)


class Rate:
    """How many there were in the last minute."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, now: float, count: int) -> None:
        """Count some."""
        self._counts.append((now, count))
        self._total += count
        self.of(now)

    def of(self, now: float) -> int:
        """Return how many there were."""
        while self._counts and self._counts[0][0] < now - MINUTE_S:
            self._total -= self._counts.popleft()[1]
        return self._total


@dataclass(slots=True)
class Consumer:
    """A consumer that has said something lately."""

    name: str
    group: str = ""
    host: str = ""
    seen: float = 0.0
    done: int = 0
    rate: Rate = field(default_factory=Rate)


@dataclass(slots=True)
class Waiting:
    """A lease that somebody waits for."""

    command: RecordsLease
    until: float


@dataclass(slots=True)
class LedgerCore:
    """The ledger's knowledge. Times are monotonic seconds, where nothing else is said."""

    config: Config
    instant: Instant
    fold: LedgerFold = field(default_factory=LedgerFold)
    offers: Offers = field(init=False)
    ready: bool = False  # the dispatcher dispatches; nothing is leased before
    consumers: dict[str, Consumer] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)  # by the command's id
    watchers: dict[str, tuple[float, RecordsWatch]] = field(default_factory=dict)  # by volume
    due: dict[int, float] = field(default_factory=dict)  # when leases end, by number
    deadlines: list[tuple[float, int]] = field(default_factory=list)  # old ones among them
    stirred: dict[str, None] = field(default_factory=dict)  # groups that may have more to give
    story: Story = field(default_factory=Story)
    arrived: dict[str, Rate] = field(default_factory=dict)  # by volume
    ended: dict[str, Rate] = field(default_factory=dict)  # completed, by volume
    completed: dict[str, Rate] = field(default_factory=dict)  # by group
    ready_of: dict[str, Oldest] = field(default_factory=dict)  # by volume
    changes: int = 0  # records since the start
    causes: Counter[str] = field(default_factory=Counter)  # of what was returned or died
    out: list[LedgerOutput] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.offers = Offers(self.group_of)

    @property
    def section(self) -> VolumesSection:
        """The configuration's section."""
        return self.config.volumes

    @property
    def now(self) -> float:
        """Monotonic seconds of what is being handled."""
        return self.instant.mono

    @property
    def wall(self) -> float:
        """Wall clock of what is being handled."""
        return self.instant.wall

    def group_of(self, name: str) -> ConsumersSection:
        """Return how a group is to be served; one that is configured no longer has the defaults."""
        if name.startswith(RULE):
            return _OF_RULES
        return self.section.consumers.get(name) or ConsumersSection()

    def put(self, record: LedgerRecord) -> list[Item]:
        """Make a record true, and journal it. Return what it has changed."""
        self.story.note(self.fold, record)
        changed = self.fold.apply(record)
        self.changes += 1
        for item in changed:
            self.note(item)
        self.out.append(Keep(record))
        return changed

    def note(self, item: Item) -> None:
        """Take note of how a record stands."""
        self.offers.changed(self.now, item)
        if item.state is RecordState.READY:
            self.ready_of.setdefault(item.volume, Oldest()).add(item)
        self.stirred[item.group] = None
        if item.lease is None:
            self.due.pop(item.number, None)

    def done(self, item: Item) -> None:
        """Count a record that is done."""
        self.completed.setdefault(item.group, Rate()).add(self.now, 1)
        self.ended.setdefault(item.volume, Rate()).add(self.now, 1)

    def give(self, command_id: str, command: AnyCommand) -> None:
        """Give the dispatcher a command, behind all that was recorded so far."""
        self.out.append(Give(command_id, command))

    # Leases

    def hold(self, item: Item) -> None:
        """Begin the time of a lease, or begin it anew."""
        assert item.lease is not None
        due = self.due[item.number] = self.now + item.lease.hold_s
        heapq.heappush(self.deadlines, (due, item.number))

    def token(self, item: Item) -> str:
        """Return the name of a record's lease."""
        return f"{self.fold.life}-{item.number}-{item.attempts}"

    def taken_by(self, consumer: str) -> Iterator[Item]:
        """Yield what a consumer has, the oldest first."""
        for number in sorted(self.fold.leased.get(consumer, ())):
            yield self.fold.items[number]

    def host_of(self, item: Item) -> str:
        """Return the host that a record's file is on."""
        return item.held.host or self.fold.volumes[item.volume].host

    def seen(self, name: str, group: str = "", host: str = "") -> Consumer:
        """Return a consumer, who has just said something."""
        consumer = self.consumers.setdefault(name, Consumer(name))
        consumer.seen = self.now
        consumer.group, consumer.host = group or consumer.group, host or consumer.host
        return consumer

    def require_group(self, name: str) -> ConsumersSection:
        """Return a group that is configured. Raise RecordsRefusal."""
        found = self.section.consumers.get(name)
        if found is None:
            known = ", ".join(sorted(self.section.consumers)) or "none"
            text = f"there is no group of consumers {name}; known: {known} (volumes.consumers)"
            raise RecordsRefusal(RecordsCode.UNKNOWN_GROUP, text)
        return found

    def count_of(self, group: str, state: RecordState) -> int:
        """Return how many records of a group stand so."""
        return self.offers.counts[group, state]


def ok(message: str, result: AnyRecordsResult | None = None) -> LedgerAnswer:
    """Return the answer that it was done."""
    return LedgerAnswer(Outcome.OK, message, result)
