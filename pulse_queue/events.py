"""What goes into the queue's machine, and what comes out of it: plain values. Pure."""

from collections.abc import Mapping

from msgspec import field

from shotline.common.base import Value
from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome
from shotline.common.queue.commands import AnyQueueCommand
from shotline.common.queue.plans import PlanRun
from shotline.common.queue.records import EnvironmentServer, QueueRecord
from shotline.common.queue.views import AnyQueueResult, ProgressView
from shotline.common.settings.configuration import Config


class Operation(Value):
    """Somebody asks for something; `id` is the command's."""

    id: str
    command: AnyQueueCommand
    user: str  # as the connection says


class Opened(Value):
    """The run that a command of the queue has opened, or found."""

    run: PlanRun
    is_open: bool = True
    held: str = ""
    failure: str = ""  # of one that has ended; see `RunNews`


class CommandAnswered(Value):
    """What the dispatcher has answered to a command of the queue."""

    command: str
    outcome: Outcome
    message: str
    notices: tuple[str, ...] = ()
    exists: bool = False  # refused, since the pulse exists
    opened: Opened | None = None
    shot: int = 0  # the site's number that was asked for
    servers: tuple[EnvironmentServer, ...] = ()  # what they say of an order


class RunNews(Value):
    """Something has become of a run of the running plan's shot.

    `failures`: why it counts as failed, by what a plan fails on.
    """

    run: PlanRun
    command: str  # that opened it
    is_open: bool
    held: str = ""  # why nothing more of it starts
    aborted: tuple[str, ...] = ()  # actions that were ended for that
    failures: Mapping[str, str] = field(default_factory=dict)


class FunctionEnded(Value):
    """A function of a task has ended; `text` is what it returned, as JSON, or why it failed."""

    command: str
    ok: bool
    text: str
    server: str = ""
    duration_s: float | None = None


class Recovered(Value):
    """The dispatcher dispatches from now on. `silent_s`: since the last sign of life before;
    `may_lack_end`: what was journalled last may be lost.
    """

    silent_s: float = 0.0
    may_lack_end: bool = False


class Reconfigured(Value):
    """Another configuration counts from now on."""

    config: Config
    emergency_key: str = ""


class TimePassed(Value):
    """It is time to look at what is due."""


QueueInput = (
    Operation | CommandAnswered | RunNews | FunctionEnded | Recovered | Reconfigured | TimePassed
)


class Keep(Value):
    """Journal this; it is true already."""

    record: QueueRecord


class Give(Value):
    """Give the dispatcher a command, as any supervisor does."""

    id: str
    command: AnyCommand


class AnswerTo(Value):
    """The final answer to an operation that has waited."""

    id: str
    verb: str
    answer: "QueueAnswer"


class TellProgress(Value):
    """Tell observers how far the running plan is."""

    progress: ProgressView


class QueueAnswer(Value):
    """What an operation is answered with."""

    outcome: Outcome
    message: str
    result: AnyQueueResult | None = None
    notices: tuple[str, ...] = ()
    unknown: bool = False


QueueOutput = Keep | Give | AnswerTo | TellProgress
