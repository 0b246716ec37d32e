"""What the action server's machine is told, and what it asks for. Plain values; no decisions. Pure.

Messages of the broker and the dispatcher are events as they are (`shotline.common.messages`).
`Outlet` gathers the effects of one event.
"""

from enum import Enum, auto
from typing import NamedTuple

from shotline.action_server.task.channel import Ended
from shotline.common.actions import AttemptId, Status
from shotline.common.base import Value
from shotline.common.fleet.facts import Health, HostFacts
from shotline.common.machine import Tick
from shotline.common.messages import (
    AbortAttempt,
    Answered,
    ClearBinding,
    CommandBeats,
    CommandServer,
    CommandWorkers,
    Dispatch,
    LogLevel,
    Message,
    OutputStored,
    Pong,
    Probe,
    Problem,
    RegisterAnew,
    Registered,
    RegistrationRefused,
    ServerOrder,
)

RECEIVED = (
    Dispatch,
    AbortAttempt,
    Answered,
    OutputStored,
    CommandServer,
    ClearBinding,
    CommandWorkers,
    CommandBeats,
    Pong,
    Probe,
    Problem,
    RegisterAnew,
    Registered,
    RegistrationRefused,
)
"""The messages that a server takes; any other is refused before it gets here (I7)."""


class Connected(Value):
    """A connection to the broker was made; what was sent over the one before may be lost."""


class SendFailed(Value):
    """A message could not be sent: no connection, or too much waits. It is lost."""


class StoodStill(NamedTuple):
    """The server itself has done nothing for so long: it, or its machine, was suspended.

    It stands before all that came meanwhile.
    """

    for_s: float


class WorkerReady(NamedTuple):
    """A slot's new worker process takes tasks."""

    slot: int
    pid: int
    cpu_s: float = 0.0  # that it has used so far


class TaskOutput(NamedTuple):
    """Bytes that a task wrote to standard output (1) or standard error (2)."""

    slot: int
    stream: int
    data: bytes


class TaskProgress(NamedTuple):
    """A task's own report of its progress."""

    slot: int
    fraction: float
    text: str


class TaskEnded(NamedTuple):
    """The task has ended; all its output was given before."""

    slot: int
    how: Ended


class TaskProven(NamedTuple):
    """Proof: nothing of the attempt runs in its mdsip server (any more).

    `status` is there when the answer came after our worker had been ended.
    """

    attempt: AttemptId
    status: Status | None = None
    code: int | None = None
    text: str = ""


class WorkerExited(NamedTuple):
    """A slot's worker process has ended, in words; others of its group may still be there."""

    slot: int
    how: str
    cpu_s: float = 0.0  # that it has used, with all that it had started


class GroupGone(NamedTuple):
    """Proof: no process of the slot's group is left. Its last output was given before."""

    slot: int


class Measured(NamedTuple):
    """The host was measured, or its check has said something new."""

    host: HostFacts | None
    health: Health | None = None


class Stop(NamedTuple):
    """The process was asked to end (a signal), or to end and start again."""

    order: ServerOrder
    reason: str


Event = (
    Message
    | Tick
    | Connected
    | SendFailed
    | StoodStill
    | WorkerReady
    | TaskOutput
    | TaskProgress
    | TaskEnded
    | TaskProven
    | WorkerExited
    | GroupGone
    | Measured
    | Stop
)


class GroupSignal(Enum):
    """How a process group is asked to end."""

    TERM = auto()
    KILL = auto()


class Send(NamedTuple):
    """Send a message to the broker; when that fails, say `SendFailed`."""

    message: Message


class StartWorker(NamedTuple):
    """Start a worker process in this slot; answer with WorkerReady, or WorkerExited, GroupGone."""

    slot: int


class StartTask(NamedTuple):
    """Give this task to the slot's idle worker. `url`: of the mdsip server that it runs on."""

    slot: int
    dispatch: Dispatch
    url: str | None = None


class FreeUrl(NamedTuple):
    """Tell the keeper of this url that nothing given up runs there."""

    url: str


class WithdrawAttempt(NamedTuple):
    """Tell the keeper of this url that an attempt's worker is gone; TaskProven when it can."""

    url: str
    attempt: AttemptId


class SignalGroup(NamedTuple):
    """Signal the slot's process group and whatever came out of it; GroupGone follows once it is."""

    slot: int
    signal: GroupSignal


class Park(NamedTuple):
    """Stop reading the slot's output: too much waits to be stored. The task blocks, and waits."""

    slot: int


class Unpark(NamedTuple):
    """Read the slot's output again."""

    slot: int


class Measure(NamedTuple):
    """Measure the host now; `Measured` follows."""


class Log(NamedTuple):
    """Write a line to the daemon's log; `about`: the attempt that it is about."""

    level: LogLevel
    text: str
    about: AttemptId | None = None


class Exit(NamedTuple):
    """End the process; `restart`: then start again, as a new incarnation."""

    restart: bool
    code: int
    reason: str


Effect = (
    Send
    | StartWorker
    | StartTask
    | FreeUrl
    | WithdrawAttempt
    | SignalGroup
    | Park
    | Unpark
    | Measure
    | Log
    | Exit
)


class Outlet:
    """Where the parts of the machine put their effects, in order, until the event is handled."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []

    def add(self, effect: Effect) -> None:
        """Let this be done, after what was asked for before."""
        self._effects.append(effect)

    def send(self, message: Message) -> None:
        """Let a message be sent."""
        self._effects.append(Send(message))

    def log(self, level: LogLevel, text: str, about: AttemptId | None = None) -> None:
        """Let a line be written to the daemon's log."""
        self._effects.append(Log(level, text, about))

    def take(self) -> list[Effect]:
        """Return all, and begin anew."""
        effects, self._effects = self._effects, []
        return effects
