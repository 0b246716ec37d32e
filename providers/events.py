"""What a provider's machine is told, and what it asks for. Plain values; no decisions. Pure."""

from typing import Literal

from shotline.common.base import Value
from shotline.common.pilots import PilotState
from shotline.common.views import DemandResult

EngineName = Literal["script", "slurm"]


class Heard(Value):
    """The dispatcher has taken our report of that time, and says what is needed."""

    demand: DemandResult
    asked_at: float


class Unheard(Value):
    """It has not: nothing is started."""

    why: str


class Job(Value):
    """What an engine says of one pilot. STARTING: the engine runs it."""

    server: str
    token: str
    job: str
    state: PilotState
    reason: str = ""
    proof: str = ""  # of one that has ended
    started_at: float | None = None  # wall; the last time
    is_kept: bool = False


class Listed(Value):
    """All that an engine has of ours, as it was when it was asked."""

    engine: EngineName
    jobs: tuple[Job, ...]
    asked_at: float


class NotListed(Value):
    """The engine does not answer."""

    engine: EngineName
    why: str


class Started(Value):
    """A start was accepted."""

    server: str
    token: str
    job: str = ""


class NotStarted(Value):
    """It was not; `is_unsure`: perhaps it was, the engine has not answered."""

    server: str
    token: str
    why: str
    is_unsure: bool = False


Event = Heard | Unheard | Listed | NotListed | Started | NotStarted


class Look(Value):
    """Ask an engine what it has of ours. `judged`: jobs of which nothing more need be known."""

    engine: EngineName
    judged: frozenset[str]


class Start(Value):
    """Start a pilot. `is_kept`: it does not end for want of work. `may_run`: the one before in its
    place may still be there, and is ended first.
    """

    server: str
    token: str
    is_kept: bool
    may_run: bool = False


class Cancel(Value):
    """End a pilot; `only_queued`: where the engine has not started it."""

    server: str
    job: str
    why: str
    only_queued: bool = False


class Say(Value):
    """A line for the log."""

    level: Literal["info", "warning", "error"]
    text: str


Effect = Look | Start | Cancel | Say
