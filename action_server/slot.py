"""One slot of the action server: its state, what runs in it, its deadlines.

Records only. Who changes them: `slots` the worker's life, `attempts` what runs, `live` what is
told of it. Pure.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf

from shotline.action_server.output import OutputLog
from shotline.common.actions import AttemptId
from shotline.common.last_words import LastWords
from shotline.common.machine import Instant
from shotline.common.messages import Dispatch, EndedBy


class SlotState(Enum):
    """Where a slot stands; `slots` shows the way from one to the next."""

    STARTING = auto()
    IDLE = auto()
    RUNNING = auto()
    ENDING = auto()
    STUCK = auto()
    BROKEN = auto()
    GONE = auto()


@dataclass(slots=True)
class Run:
    """A started attempt. Its times are deadlines, `inf`: none; `reckon` follows their changes."""

    dispatch: Dispatch
    attempt: AttemptId
    started: Instant
    timeout_at: float
    tell_at: float  # that it has started, unless it has ended before
    url: str | None = None  # of the mdsip server that it runs on
    is_over_there: bool = False  # proof: nothing of it runs in that server
    log: OutputLog | None = None  # none before its first output
    flush_at: float = inf
    tail_at: float = inf  # a line that does not end is told then
    progress: tuple[float, str] | None = None
    progress_at: float = 0.0  # not sent again before
    due_at: float = 0.0  # the first of all of them

    def __post_init__(self) -> None:
        self.reckon()

    @property
    def lines(self) -> int:
        """How many lines of output there were."""
        return 0 if self.log is None else self.log.lines

    def reckon(self) -> None:
        """Note when the first thing is due, also when something of it is to be told."""
        progress_at = inf if self.progress is None else self.progress_at
        self.due_at = min(self.timeout_at, self.tell_at, self.flush_at, self.tail_at, progress_at)


@dataclass(slots=True)
class Slot:
    """A worker process with its process group, and what runs in it."""

    index: int
    state: SlotState = SlotState.STARTING
    run: Run | None = None
    ended_by: EndedBy = EndedBy.RESULT  # while ENDING with a run: why
    reason: str = ""
    ready_by: float = inf
    kill_at: float = inf
    give_up_at: float = inf
    retry_at: float = inf
    is_parked: bool = False
    pid: int = 0
    failures: int = 0  # workers in a row that ended before they ran anything
    trouble: str = ""  # why no worker starts, while that is so
    words: LastWords = field(default_factory=LastWords)  # of its worker, while it runs nothing

    def due(self, *, is_registered: bool) -> float:
        """Return when something is due. Nothing is told without a registration."""
        run = self.run
        if self.state is SlotState.RUNNING and run is not None:
            return run.due_at if is_registered else run.timeout_at
        due = min(self.ready_by, self.kill_at, self.give_up_at)
        if self.state is SlotState.BROKEN:
            due = min(due, self.retry_at)
        if run is not None and is_registered:
            due = min(due, run.due_at)
        return due
