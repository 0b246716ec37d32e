"""How long a run will still take, what limits it, and which actions are slow. Pure.

What is open is played through with the usual durations: sequence numbers class by class, conditions
as if all went well, as many actions at a time as the class has slots. What has ended counts as it
was. It is an estimate for people; nothing is decided by it.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from shotline.common.actions import IN_PROGRESS, ActionState
from shotline.common.base import Value
from shotline.common.views import ActionView, ServerView

STEP: Final = 100  # actions that are looked at in one go
LISTED_MAX: Final = 1000  # paths of each kind that are told
NOTABLE_S: Final = 0.2  # less than this longer than usual is not worth a mark
_EPSILON_S: Final = 0.05  # clocks of two machines are not the same

Usual = Callable[[str], float | None]


class Forecast(Value):
    """What is expected of a run."""

    run: int
    remaining_s: float | None  # None: nothing is known of how long its actions take
    known: float  # share of the open actions whose usual duration is known
    critical: tuple[str, ...]  # what limits the run, in order
    slow: tuple[str, ...]

    def time_left(self) -> dict[str, object]:
        """Return what changes all the time, as a message has it."""
        remaining = None if self.remaining_s is None else round(self.remaining_s, 2)
        return {"run": self.run, "remaining_s": remaining, "known": round(self.known, 3)}

    def limits(self) -> dict[str, object]:
        """Return which actions are noted, as a message has it: of many the last ones."""
        critical, slow = self.critical[-LISTED_MAX:], self.slow[-LISTED_MAX:]
        return {"run": self.run, "critical": list(critical), "slow": list(slow)}


def estimating(
    run: int,
    actions: Sequence[ActionView],
    usual: Usual,
    slots: Mapping[str, int],
    now: float,
    slow_factor: float,
    others: Sequence[ActionView] = (),
) -> Generator[None, None, Forecast]:
    """Return what is expected of a run with these actions at a wall clock time.

    `others` are not of the run: only whether they were slow is told. Of many actions that takes a
    while: it yields now and then, so that others come in between.
    """
    open_ones = [action for action in actions if action.last.cause is None]
    known = [duration for one in open_ones if (duration := usual(one.path)) is not None]
    yield
    share = len(known) / len(open_ones) if open_ones else 1.0
    play = _Play({one.path: one for one in actions}, usual, slots, now)
    if open_ones and not known:
        remaining = None
    else:
        play.fallback_s = sum(known) / len(known) if known else 0.0
        remaining = yield from play.to_the_end(open_ones)
    slow: list[str] = []
    for one in _in_parts([*others, *actions]):
        if one is None:
            yield
        elif is_slow(one, usual(one.path), now, slow_factor):
            slow.append(one.path)
    critical = yield from _critical(actions, play)
    return Forecast(run, remaining, share, tuple(critical), tuple(slow))


T = TypeVar("T")


def _in_parts(items: Iterable[T]) -> Iterator[T | None]:
    """Yield the items, and None in between where it is time for others to come in."""
    for number, item in enumerate(items, 1):
        yield item
        if number % STEP == 0:
            yield None


def is_slow(action: ActionView, usual_s: float | None, now: float, factor: float) -> bool:
    """Return whether an action takes, or took, notably longer than usual; not while it waits."""
    live = action.last
    if usual_s is None:
        return False
    took = live.duration_s
    if live.state is ActionState.DOING and live.started_at is not None:
        took = now - live.started_at
    return took is not None and took > max(usual_s * factor, usual_s + NOTABLE_S)


def slots_by_class(servers: Iterable[ServerView]) -> dict[str, int]:
    """Return how many actions of each class run at a time."""
    slots: dict[str, int] = {}
    for server in servers:
        if server.liveness in ("alive", "suspect"):
            working = max(0, server.slots - server.stuck - server.broken)
            slots[server.server_class] = slots.get(server.server_class, 0) + working
    return slots


@dataclass(slots=True)
class _Play:
    """The rest of a run, played through. Times are seconds from now."""

    actions: Mapping[str, ActionView]
    usual: Usual
    slots: Mapping[str, int]
    now: float
    fallback_s: float = 0.0
    ends: dict[str, float] = field(default_factory=dict)
    because: dict[str, str] = field(default_factory=dict)  # what each had to wait for
    _free: dict[str, int] = field(default_factory=dict)
    _queues: dict[str, list[tuple[float, int, str]]] = field(default_factory=dict)
    _groups: dict[str, dict[int, dict[str, None]]] = field(default_factory=dict)
    _numbers: dict[str, list[int]] = field(default_factory=dict)  # of the groups, a heap
    _waiting_for: dict[str, set[str]] = field(default_factory=dict)
    _dependents: dict[str, list[str]] = field(default_factory=dict)
    _running: list[tuple[float, str]] = field(default_factory=list)
    _queued: set[str] = field(default_factory=set)
    _count: int = 0

    def to_the_end(self, open_ones: Sequence[ActionView]) -> Generator[None, None, float]:
        """Return when the last of them ends; yields now and then."""
        for action in open_ones:
            slots = max(1, self.slots.get(action.server_class, 1))
            self._free.setdefault(action.server_class, slots)
        for action in open_ones:
            if action.number is not None:
                group = self._groups.setdefault(action.server_class, {})
                group.setdefault(action.number, {})[action.path] = None
        for server_class, groups in self._groups.items():
            self._numbers[server_class] = sorted(groups)
        yield
        for one in _in_parts(open_ones):
            if one is None:
                yield
            else:
                self._place(one)
        for server_class in self._groups:
            self._next_number(server_class, 0.0, None)
            yield
        last, number = 0.0, 0
        while self._running:
            last, path = heapq.heappop(self._running)
            self._ended(path, last)
            number += 1
            if number % STEP == 0:
                yield
        return last

    def _place(self, action: ActionView) -> None:
        live = action.last
        if live.state in IN_PROGRESS:
            passed = self.now - live.started_at if live.started_at is not None else 0.0
            self._start(action, 0.0, max(0.0, self._duration(action.path) - max(0.0, passed)))
        elif action.number is None:
            open_references = {
                path
                for path in action.references
                if (one := self.actions.get(path)) is not None and one.last.cause is None
            }
            self._waiting_for[action.path] = open_references
            for path in open_references:
                self._dependents.setdefault(path, []).append(action.path)
            if not open_references:
                self._ready(action.path, 0.0, None)

    def _duration(self, path: str) -> float:
        usual = self.usual(path)
        return self.fallback_s if usual is None else usual

    def _start(self, action: ActionView, at: float, duration_s: float) -> None:
        self._free[action.server_class] -= 1
        self.ends[action.path] = at + duration_s
        heapq.heappush(self._running, (at + duration_s, action.path))

    def _ready(self, path: str, at: float, because: str | None) -> None:
        action = self.actions[path]
        if because is not None:
            self.because[path] = because
        self._count += 1
        self._queued.add(path)
        queue = self._queues.setdefault(action.server_class, [])
        heapq.heappush(queue, (at, self._count, path))
        self._fill(action.server_class, at, None)

    def _fill(self, server_class: str, at: float, freed_by: str | None) -> None:
        queue = self._queues.get(server_class, [])
        while queue and self._free[server_class] > 0:
            ready_at, _, path = heapq.heappop(queue)
            if freed_by is not None and at > ready_at:
                self.because[path] = freed_by  # it was ready, and waited for a slot
            self._start(self.actions[path], at, self._duration(path))

    def _ended(self, path: str, at: float) -> None:
        action = self.actions[path]
        self._free[action.server_class] += 1
        self._fill(action.server_class, at, path)
        if action.number is not None:
            group = self._groups[action.server_class]
            members = group.get(action.number, {})
            members.pop(path, None)
            if not members and group.pop(action.number, None) is not None:
                self._next_number(action.server_class, at, path)
        for dependent in self._dependents.pop(path, ()):
            waiting = self._waiting_for[dependent]
            waiting.discard(path)
            if not waiting:
                self._ready(dependent, at, path)

    def _next_number(self, server_class: str, at: float, because: str | None) -> None:
        group, numbers = self._groups[server_class], self._numbers[server_class]
        while numbers and numbers[0] not in group:
            heapq.heappop(numbers)
        for path in list(group[numbers[0]]) if numbers else ():
            if path not in self.ends and path not in self._queued:
                self._ready(path, at, because)


def _critical(actions: Sequence[ActionView], play: _Play) -> Generator[None, None, list[str]]:
    """Return the chain of actions that the run's end hangs on, in order."""
    past = _Past()
    for one in _in_parts(actions):
        if one is None:
            yield
        else:
            past.add(one)
    past.sort()
    yield
    last = max(play.ends, key=lambda path: play.ends[path], default=None) or past.last()
    chain: list[str] = []
    seen: set[str] = set()
    while last is not None and last not in seen:
        chain.append(last)
        seen.add(last)
        last = play.because.get(last) or past.before(play.actions[last])
    return chain[::-1]


class _Past:
    """What has ended, by class and by server, so that each one's predecessor is found at once."""

    def __init__(self) -> None:
        self._ended: dict[str, tuple[float, str]] = {}
        self._by_server: dict[str, list[tuple[float, str]]] = {}
        self._by_number: dict[str, dict[int, tuple[float, str]]] = {}
        self._numbers: dict[str, list[int]] = {}

    def add(self, one: ActionView) -> None:
        """Take an action; one that has not ended is passed over."""
        if one.last.ended_at is None or one.last.cause is None:
            return
        end = self._ended[one.path] = (one.last.ended_at, one.path)
        self._by_server.setdefault(one.last.server or "", []).append(end)
        if one.number is not None:
            numbers = self._by_number.setdefault(one.server_class, {})
            numbers[one.number] = max(end, numbers.get(one.number, end))

    def sort(self) -> None:
        """Put each server's in order, once all are there."""
        for ends in self._by_server.values():
            ends.sort()
        self._numbers = {name: sorted(numbers) for name, numbers in self._by_number.items()}

    def last(self) -> str | None:
        """Return what ended last."""
        return max(self._ended.values())[1] if self._ended else None

    def before(self, action: ActionView) -> str | None:
        """Return what an action that has begun had to wait for: what ended last before it."""
        begun = action.last.dispatched_at or action.last.started_at
        if begun is None:
            return None
        limit = begun + _EPSILON_S
        found = [self._ended[path] for path in action.references if path in self._ended]
        if action.number is not None:
            numbers = self._numbers.get(action.server_class, [])
            place = bisect_left(numbers, action.number)
            if place:
                found.append(self._by_number[action.server_class][numbers[place - 1]])
        ends = self._by_server.get(action.last.server or "", [])
        index = bisect_right(ends, (limit, ""))
        if index:
            found.append(ends[index - 1])
        usable = [end for end in found if end[0] <= limit and end[1] != action.path]
        return max(usable)[1] if usable else None
