"""The slots: each one worker process, its states and deadlines, and what runs in it. Pure.

    STARTING ─ ready ─→ IDLE ─ start ─→ RUNNING ─ ended ─→ IDLE
        │                 │                │
        └─ died, or must end: TERM, KILL ──┴─→ ENDING ─ gone ─→ STARTING (or GONE when we end)
                                                 └─ not gone in time ─→ STUCK ─ gone ─→ STARTING
    BROKEN: its worker does not even start; tried again after a while, each time after a longer one.

`Slots` leads a slot from state to state. That one is RUNNING is `attempts`' doing, which knows what
runs and what becomes of it; what is told of it meanwhile is `live`'s.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from typing import Final

from shotline.action_server.events import (
    GroupSignal,
    Outlet,
    SignalGroup,
    StartWorker,
    Unpark,
)
from shotline.action_server.output import OutputLog
from shotline.common.actions import AttemptId
from shotline.common.machine import Instant
from shotline.common.messages import EndedBy
from shotline.common.process.last_words import LastWords
from shotline.common.settings.sections.action_server import ActionServerSection

_WORKER_START_S: Final = 60.0
_WORKER_RETRY_S: Final = 1.0  # after a worker that did not start; doubled each time
_WORKER_RETRY_MAX_S: Final = 30.0
_DOUBLINGS_MAX: Final = 20


class SlotState(Enum):
    """Where a slot stands; the way from one to the next is drawn above."""

    STARTING = auto()
    IDLE = auto()
    RUNNING = auto()
    ENDING = auto()
    STUCK = auto()
    BROKEN = auto()
    GONE = auto()


@dataclass(slots=True, eq=False)
class RunningAttempt:
    """A started attempt that is not settled.

    What ends with `_at` is a deadline, `inf`: none. `note_due` is called when one has changed.
    """

    slot: "Slot"
    attempt: AttemptId
    started: Instant
    timeout_at: float
    tell_at: float  # that it has started, unless it has ended before
    url: str | None = None  # of the mdsip server that it runs on
    is_proven_over: bool = False  # proof: nothing of it runs in that server
    ended_by: EndedBy = EndedBy.RESULT  # while its slot is ENDING: why
    reason: str = ""  # and in words
    log: OutputLog | None = None  # none before its first output
    flush_at: float = inf
    tail_at: float = inf  # a line that does not end is told then
    progress: tuple[float, str] | None = None
    progress_at: float = 0.0  # not sent again before
    due_at: float = 0.0  # the first of all of them

    def __post_init__(self) -> None:
        self.due_at = min(self.timeout_at, self.tell_at)

    @property
    def lines(self) -> int:
        """How many lines of output there were."""
        return 0 if self.log is None else self.log.lines

    def note_due(self) -> None:
        """Note when the first thing is due."""
        progress_at = inf if self.progress is None else self.progress_at
        self.due_at = min(self.timeout_at, self.tell_at, self.flush_at, self.tail_at, progress_at)


@dataclass(slots=True, eq=False)
class Slot:
    """A worker process with its process group, and what runs in it."""

    index: int
    state: SlotState = SlotState.STARTING
    running: RunningAttempt | None = None
    ready_by: float = inf
    kill_at: float = inf
    give_up_at: float = inf
    retry_at: float = inf
    is_parked: bool = False
    pid: int = 0
    cpu_s: float = 0.0  # processor time of its worker as last told
    failures: int = 0  # workers in a row that ended before they ran anything
    trouble: str = ""  # why no worker starts, while that is so
    last_words: LastWords = field(default_factory=LastWords)  # of its worker, while it runs nothing

    @property
    def due_at(self) -> float:
        """When something is due of its worker process."""
        due = min(self.ready_by, self.kill_at, self.give_up_at)
        return min(due, self.retry_at) if self.state is SlotState.BROKEN else due


_UNUSABLE: Final = (SlotState.STUCK, SlotState.BROKEN, SlotState.GONE)


class Slots:
    """All slots, and their states but for what runs."""

    def __init__(self, slots: int, section: ActionServerSection, out: Outlet) -> None:
        self._all: Sequence[Slot] = [Slot(index) for index in range(slots)]
        self.closed = False  # its workers are to be gone until somebody opens them
        self._section = section
        self._out = out

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._all)

    def __getitem__(self, index: int) -> Slot:
        return self._all[index]

    @property
    def stuck(self) -> int:
        """How many slots wait for a process that cannot be ended."""
        return sum(slot.state is SlotState.STUCK for slot in self._all)

    @property
    def is_any_usable(self) -> bool:
        """Whether a slot can run something, now or soon."""
        return any(slot.state not in _UNUSABLE and not slot.trouble for slot in self._all)

    @property
    def broken(self) -> int:
        """How many slots have no worker because none starts."""
        return sum(bool(slot.trouble) for slot in self._all)

    @property
    def trouble(self) -> str:
        """Why workers do not start, where that is so."""
        return next((slot.trouble for slot in self._all if slot.trouble), "")

    @property
    def why_unusable(self) -> str:
        """Return in words why no slot can run anything."""
        text = "none of the server's worker processes can be used"
        return f"{text}: {self.trouble}" if self.trouble else text

    @property
    def are_all_ended(self) -> bool:
        """Whether no slot has a process any more that can be ended."""
        return all(slot.state in (SlotState.GONE, SlotState.STUCK) for slot in self._all)

    def wake_at(self, *, is_registered: bool) -> float:
        """Return when something is due, `inf` for never. Nothing is told without a registration."""
        due = inf
        for slot in self._all:
            running = slot.running
            if running is not None:
                due = min(due, running.due_at if is_registered else running.timeout_at)
            if slot.state is not SlotState.IDLE and slot.state is not SlotState.RUNNING:
                due = min(due, slot.due_at)
        return due

    def start(self, now: Instant, slot: Slot) -> None:
        """Start the slot's worker process."""
        slot.state = SlotState.STARTING
        slot.retry_at = inf
        slot.last_words = LastWords()
        slot.ready_by = now.mono + _WORKER_START_S
        self._out.add(StartWorker(slot.index))

    def is_ready(self, slot: Slot, pid: int) -> None:
        """Take the worker's word that it takes tasks."""
        if slot.state is SlotState.STARTING:
            slot.state = SlotState.IDLE
            slot.ready_by = inf
            slot.pid = pid
            if slot.trouble:
                self._out.log("info", f"worker process {slot.index} starts again")
            slot.trouble = ""
            slot.last_words = LastWords()

    def exited(self, now: Instant, slot: Slot, how: str) -> None:
        """Take the end of a worker in which nothing runs; others of its group may be there."""
        if slot.state is SlotState.STARTING:
            self._failed(now, slot, f"does not start: it {how}")
        elif slot.state is SlotState.IDLE and slot.failures:
            self._failed(now, slot, f"{how} while idle, again")
        elif slot.state is SlotState.IDLE:
            slot.failures = 1  # the next one is started at once
            said = slot.last_words.below(f"worker process {slot.index} {how} while idle")
            self._out.log("warning", said)
            self.end(now, slot)

    def _failed(self, now: Instant, slot: Slot, how: str) -> None:
        """Take note of a worker that was of no use. The next one waits, each time for longer."""
        what = f"worker process {slot.index} {how}"
        slot.trouble = slot.last_words.after(what)
        slot.failures += 1
        wait_s = _WORKER_RETRY_S * 2.0 ** min(slot.failures - 1, _DOUBLINGS_MAX)
        slot.retry_at = now.mono + min(wait_s, _WORKER_RETRY_MAX_S)
        self._out.log("error", slot.last_words.below(what))
        self.end(now, slot)

    def end(self, now: Instant, slot: Slot) -> None:
        """End the slot's process group: TERM, after a grace KILL (D8)."""
        slot.state = SlotState.ENDING
        slot.ready_by = inf
        slot.kill_at = now.mono + self._section.kill_grace_s
        self.unpark(slot)
        self._out.add(SignalGroup(slot.index, GroupSignal.TERM))

    def gone(self, now: Instant, slot: Slot, *, is_ending: bool) -> None:
        """Take the proof that nothing of the group is left; what ran in it is settled."""
        slot.kill_at = slot.give_up_at = inf
        self.unpark(slot)
        if slot.state is SlotState.STUCK:
            self._out.log("info", f"the stuck process of slot {slot.index} is gone")
        if is_ending or self.closed:
            slot.state = SlotState.GONE
        elif slot.retry_at != inf:
            slot.state = SlotState.BROKEN
        else:
            self.start(now, slot)

    def unpark(self, slot: Slot) -> None:
        """Let the slot's output be read again."""
        if slot.is_parked:
            slot.is_parked = False
            self._out.add(Unpark(slot.index))

    def close(self, now: Instant) -> None:
        """End what runs nothing, for good."""
        for slot in self._all:
            if slot.state in (SlotState.IDLE, SlotState.STARTING):
                self.end(now, slot)
            elif slot.state is SlotState.BROKEN:
                slot.state, slot.retry_at = SlotState.GONE, inf

    def tick(self, now: Instant, slot: Slot) -> bool:
        """Do what is due. Return whether the slot has just become STUCK."""
        has_stuck = False
        if now.mono >= slot.kill_at:
            slot.kill_at = inf
            slot.give_up_at = now.mono + self._section.kill_wait_s
            self._out.add(SignalGroup(slot.index, GroupSignal.KILL))
        if now.mono >= slot.give_up_at:
            slot.give_up_at = inf
            slot.state = SlotState.STUCK
            has_stuck = True
            self._out.log(
                "error",
                f"process group {slot.pid} of slot {slot.index} is not gone "
                f"{self._section.kill_wait_s:g} s after KILL; the slot stays taken until it is",
            )
        if slot.state is SlotState.BROKEN and now.mono >= slot.retry_at:
            self.start(now, slot)
        if now.mono >= slot.ready_by:
            self._failed(now, slot, f"is not ready after {_WORKER_START_S:g} s; it is ended")
        return has_stuck
