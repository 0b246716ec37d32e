"""What goes into the ledger's machine, and what comes out of it: plain values. Pure."""

from shotline.common.base import Value
from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome
from shotline.common.settings.configuration import Config
from shotline.common.volumes.commands import AnyRecordsCommand
from shotline.common.volumes.records import LedgerRecord
from shotline.common.volumes.views import AnyRecordsResult


class Operation(Value):
    """Somebody asks for something; `id` is the command's."""

    id: str
    command: AnyRecordsCommand
    user: str  # as the connection says


class CommandAnswered(Value):
    """What the dispatcher has answered to a command of a rule."""

    command: str
    outcome: Outcome
    message: str
    exists: bool = False  # refused, since the pulse exists


class Recovered(Value):
    """The dispatcher dispatches from now on."""


class Reconfigured(Value):
    """Another configuration counts from now on."""

    config: Config


class TimePassed(Value):
    """It is time to look at what is due."""


LedgerInput = CommandAnswered | Recovered | Reconfigured | TimePassed


class Keep(Value):
    """Journal this; it is true already."""

    record: LedgerRecord


class Give(Value):
    """Give the dispatcher a command, as any supervisor does."""

    id: str
    command: AnyCommand


class AnswerTo(Value):
    """The answer to an operation that has waited."""

    id: str
    verb: str
    answer: "LedgerAnswer"


class LedgerAnswer(Value):
    """What an operation is answered with."""

    outcome: Outcome
    message: str
    result: AnyRecordsResult | None = None
    unknown: bool = False


LedgerOutput = Keep | Give | AnswerTo
