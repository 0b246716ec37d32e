"""What a provider's machine is told, and what it asks for. Plain values; no decisions. Pure."""

from dataclasses import dataclass
from typing import Literal

from shotline.common.pilots import PilotState
from shotline.common.views import DemandResult

EngineName = Literal["script", "slurm"]


@dataclass(frozen=True, slots=True)
class Heard:
    """The dispatcher has taken our report, and says what is needed."""

    demand: DemandResult


@dataclass(frozen=True, slots=True)
class Unheard:
    """It has not: nothing is started."""

    why: str


@dataclass(frozen=True, slots=True)
class Job:
    """What an engine says of one pilot. STARTING: the engine runs it."""

    server: str
    token: str
    job: str
    state: PilotState
    reason: str = ""
    proof: str = ""  # of one that has ended
    started_at: float | None = None  # wall; the last time
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """All that an engine has of ours, as it was when it was asked (monotonic)."""

    engine: EngineName
    jobs: tuple[Job, ...]
    asked_at: float


@dataclass(frozen=True, slots=True)
class NotListed:
    """The engine does not answer."""

    engine: EngineName
    why: str


@dataclass(frozen=True, slots=True)
class Started:
    """A start was accepted."""

    server: str
    token: str
    job: str = ""


@dataclass(frozen=True, slots=True)
class NotStarted:
    """It was not; `is_unsure`: perhaps it was, the engine has not answered."""

    server: str
    token: str
    why: str
    is_unsure: bool = False


Event = Heard | Unheard | Listed | NotListed | Started | NotStarted


@dataclass(frozen=True, slots=True)
class Look:
    """Ask an engine what it has of ours. `judged`: jobs of which nothing more need be known."""

    engine: EngineName
    judged: frozenset[str]


@dataclass(frozen=True, slots=True)
class Start:
    """Start a pilot. `is_kept`: it does not end for want of work. `may_run`: the one before in its
    place may still be there, and is ended first.
    """

    server: str
    token: str
    is_kept: bool
    may_run: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """End a pilot; `only_queued`: where the engine has not started it."""

    server: str
    job: str
    why: str
    only_queued: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """A line for the log."""

    level: Literal["info", "warning", "error"]
    text: str


Effect = Look | Start | Cancel | Say
