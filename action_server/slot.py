"""One slot of the action server: its state, what runs in it, its deadlines; and all settings.

Records only; what changes them is `slots`. Pure.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Literal

from shotline.action_server.contact import ContactTimes
from shotline.action_server.output import OutputLimits, OutputLog
from shotline.action_server.reports import ReportLimits
from shotline.common.actions import AttemptId
from shotline.common.machine import Instant
from shotline.common.messages import Dispatch, EndedBy


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says about this server."""

    kill_grace_s: float = 0.5
    kill_wait_s: float = 5.0
    on_return: Literal["finish", "end"] = "finish"
    server_lost_s: float = 10.0
    task_timeout_s: float | None = None
    results_max: int = 1000
    held_bytes_max: int = 256 * 1024 * 1024  # of output that waits to be stored, all attempts
    fold_s: float = 0.005
    output_hold_s: float = 0.005
    report_hold_s: float = 0.001  # a result waits so long for those of other short tasks
    progress_s: float = 0.1
    worker_start_s: float = 60.0
    worker_retry_s: float = 1.0
    deliver_s: float = 5.0  # how long an ending server waits for answers to its results
    seen_max: int = 10_000
    aborts_max: int = 1000
    output: OutputLimits = field(default_factory=OutputLimits)
    reports: ReportLimits = field(default_factory=ReportLimits)
    contact: ContactTimes = field(default_factory=ContactTimes)


class SlotState(Enum):
    """Where a slot stands; the module's docstring shows the way from one to the next."""

    STARTING = auto()
    IDLE = auto()
    RUNNING = auto()
    ENDING = auto()
    STUCK = auto()
    BROKEN = auto()
    GONE = auto()


@dataclass(slots=True)
class Run:
    """A started attempt."""

    dispatch: Dispatch
    log: OutputLog
    started: Instant
    timeout_at: float | None
    url: str | None = None  # of the mdsip server that it runs on
    is_over_there: bool = False  # proof: nothing of it runs in that server
    is_start_sent: bool = False
    flush_at: float | None = None
    progress: tuple[float, str] | None = None
    progress_at: float = 0.0  # not sent again before

    @property
    def attempt(self) -> AttemptId:
        """Which attempt it is."""
        return self.dispatch.attempt


@dataclass(slots=True)
class Slot:
    """A worker process with its process group, and what runs in it."""

    index: int
    state: SlotState = SlotState.STARTING
    run: Run | None = None
    ended_by: EndedBy = EndedBy.RESULT  # while ENDING with a run: why
    reason: str = ""
    ready_by: float | None = None
    kill_at: float | None = None
    give_up_at: float | None = None
    retry_at: float | None = None
    is_parked: bool = False
    pid: int = 0

    def deadlines(self) -> tuple[float | None, ...]:
        """Return when something about the worker itself is due."""
        retry_at = self.retry_at if self.state is SlotState.BROKEN else None
        return (self.ready_by, self.kill_at, self.give_up_at, retry_at)
