"""What goes into the ledger's machine, and what comes out of it: plain values. Pure."""

from dataclasses import dataclass

from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome
from shotline.common.settings.configuration import Config
from shotline.common.volumes.commands import AnyRecordsCommand
from shotline.common.volumes.records import LedgerRecord
from shotline.common.volumes.views import AnyRecordsResult


@dataclass(frozen=True, slots=True)
class Operation:
    """Somebody asks for something; `id` is the command's."""

    id: str
    command: AnyRecordsCommand
    user: str  # as the connection says


@dataclass(frozen=True, slots=True)
class CommandAnswered:
    """What the dispatcher has answered to a command of a rule."""

    command: str
    outcome: Outcome
    message: str
    exists: bool = False  # refused, since the pulse exists


@dataclass(frozen=True, slots=True)
class Recovered:
    """The dispatcher dispatches from now on."""


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """Another configuration counts from now on."""

    config: Config


@dataclass(frozen=True, slots=True)
class TimePassed:
    """It is time to look at what is due."""


LedgerInput = CommandAnswered | Recovered | Reconfigured | TimePassed


@dataclass(frozen=True, slots=True)
class Keep:
    """Journal this; it is true already."""

    record: LedgerRecord


@dataclass(frozen=True, slots=True)
class Give:
    """Give the dispatcher a command, as any supervisor does."""

    id: str
    command: AnyCommand


@dataclass(frozen=True, slots=True)
class AnswerTo:
    """The answer to an operation that has waited."""

    id: str
    verb: str
    answer: "LedgerAnswer"


@dataclass(frozen=True, slots=True)
class LedgerAnswer:
    """What an operation is answered with."""

    outcome: Outcome
    message: str
    result: AnyRecordsResult | None = None
    unknown: bool = False


LedgerOutput = Keep | Give | AnswerTo
