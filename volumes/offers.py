"""Which record is next for a consumer: by age, in order within a key, on its own host. Pure.

A lane holds the ready records of a group that only the first of may be taken from: those of one key
where the group is ordered, else those of one host.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, Literal

from shotline.common.settings.sections.volumes import ConsumersSection
from shotline.common.volumes.records import RecordState
from shotline.volumes.fold import Item

_Status = Literal["offered", "delayed", "had"]
_Lane = tuple[str, str]  # group, key or host
_HEAP_LEAST: Final = 1000


class Oldest:
    """The ready records of a volume, of which only the oldest is asked for."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, Item]] = []
        self._clear_at = 2 * _HEAP_LEAST

    def add(self, item: Item) -> None:
        """Take a record that is ready."""
        heapq.heappush(self._heap, (item.number, item))
        if len(self._heap) >= self._clear_at:
            ready = {number: one for number, one in self._heap if one.state is RecordState.READY}
            self._heap = sorted(ready.items())
            self._clear_at = 2 * max(len(self._heap), _HEAP_LEAST)

    def get(self) -> Item | None:
        """Return the oldest that is still ready."""
        while self._heap and self._heap[0][1].state is not RecordState.READY:
            heapq.heappop(self._heap)
        return self._heap[0][1] if self._heap else None


class Offers:
    """The ready records of all groups. Times are monotonic seconds."""

    def __init__(self, group_of: Callable[[str], ConsumersSection]) -> None:
        self._group_of = group_of
        self._lanes: dict[str, dict[str, list[tuple[int, Item]]]] = {}
        self._status: dict[int, tuple[_Status, _Lane]] = {}
        self._had: Counter[_Lane] = Counter()  # leased or delayed: their lane waits, if ordered
        self._delayed: list[tuple[float, int, Item]] = []
        self.counts: Counter[tuple[str, RecordState]] = Counter()
        self.delayed: Counter[str] = Counter()
        self._states: dict[int, RecordState] = {}

    def changed(self, now: float, item: Item) -> None:
        """Take note of how a record stands."""
        self._count(item)
        before = self._status.pop(item.number, None)
        if before is not None and before[0] != "offered":
            self._had[before[1]] -= 1
            self.delayed[item.group] -= before[0] == "delayed"
        lane = before[1] if before is not None else self._lane(item)
        if item.state is RecordState.READY and item.delay_s > 0:
            self._status[item.number] = ("delayed", lane)
            self._had[lane] += 1
            self.delayed[item.group] += 1
            heapq.heappush(self._delayed, (now + item.delay_s, item.number, item))
        elif item.state is RecordState.READY:
            self._offer(item, lane)
        elif item.state is RecordState.LEASED:
            self._status[item.number] = ("had", lane)
            self._had[lane] += 1

    def _offer(self, item: Item, lane: _Lane) -> None:
        self._status[item.number] = ("offered", lane)
        heapq.heappush(
            self._lanes.setdefault(lane[0], {}).setdefault(lane[1], []), (item.number, item)
        )

    def _count(self, item: Item) -> None:
        before = self._states.pop(item.number, None)
        if before is not None:
            self.counts[item.group, before] -= 1
        if item.state not in (RecordState.DONE, RecordState.REMOVED):
            self._states[item.number] = item.state
            self.counts[item.group, item.state] += 1

    def _lane(self, item: Item) -> _Lane:
        group = self._group_of(item.group)
        return item.group, item.key if group.ordered else f"{item.volume}\0{item.held.host}"

    def due_at(self) -> float | None:
        """Return when a delayed record is offered again."""
        return self._delayed[0][0] if self._delayed else None

    def tick(self, now: float) -> set[str]:
        """Offer what was delayed for long enough; return its groups."""
        groups = set()
        while self._delayed and self._delayed[0][0] <= now:
            _, number, item = heapq.heappop(self._delayed)
            found = self._status.get(number)
            if found is None or found[0] != "delayed":
                continue
            self._had[found[1]] -= 1
            self.delayed[item.group] -= 1
            self._offer(item, found[1])
            groups.add(item.group)
        return groups

    def oldest(self, group: str) -> Item | None:
        """Return the oldest record that is offered."""
        return min(
            (head for head, _ in self._heads(group)), key=lambda item: item.number, default=None
        )

    def _heads(self, group: str) -> Iterator[tuple[Item, _Lane]]:
        lanes = self._lanes.get(group, {})
        for name in list(lanes):
            heap, lane = lanes[name], (group, name)
            while heap and self._status.get(heap[0][0]) != ("offered", lane):
                heapq.heappop(heap)
            if heap:
                yield heap[0][1], lane
            else:
                del lanes[name]

    def next(
        self, group: str, host: str, host_of: Callable[[Item], str], files_on: str = ""
    ) -> Item | None:
        """Return the record that a consumer on this host would be given; None: there is none.

        `files_on`: only one whose file is there.
        """
        wanted = self._group_of(group)
        best: tuple[bool, int] | None = None
        found: Item | None = None
        for item, lane in self._heads(group):
            if wanted.ordered and self._had[lane] > 0:
                continue
            if files_on and host_of(item) != files_on:
                continue
            is_far = wanted.hosts != "any" and host_of(item) != host
            if is_far and wanted.hosts == "own":
                continue
            rank = (is_far, item.number)
            if best is None or rank < best:
                best, found = rank, item
        return found
