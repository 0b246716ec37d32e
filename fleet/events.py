"""What goes into the fleet's machine, and what comes out of it: plain values. Pure."""

from dataclasses import dataclass

from shotline.common.fleet.commands import AnyFleetCommand
from shotline.common.fleet.records import FleetRecord
from shotline.common.fleet.views import FleetAnswers, FleetExpectedResult
from shotline.common.messages import Outcome
from shotline.common.views import ServerView


@dataclass(frozen=True, slots=True)
class Operation:
    """Somebody asks for something; `id` is the command's."""

    id: str
    command: AnyFleetCommand
    user: str  # as the connection says


@dataclass(frozen=True, slots=True)
class Registered:
    """A server has registered: perhaps a new life of it."""

    server: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A server is not there any more; this is the last that is known of it."""

    last: ServerView


@dataclass(frozen=True, slots=True)
class ServersChanged:
    """Something has changed with these: actions, liveness, slots."""

    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActionGiven:
    """A server was given an action of a shot."""

    server: str
    shot: str  # TREE/SHOT


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """An action of a server has ended."""

    server: str


@dataclass(frozen=True, slots=True)
class RunOver:
    """A run in which these servers took part has ended."""

    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunBegun:
    """A run of a shot has begun."""

    shot: str


@dataclass(frozen=True, slots=True)
class CheckFailed:
    """A server's host is not well, and somebody has to say when it may go on."""

    server: str
    host: str
    text: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """The dispatcher dispatches from now on; every server that is there has registered."""

    gone: tuple[ServerView, ...] = ()  # that were there before, and are not


@dataclass(frozen=True, slots=True)
class TimePassed:
    """It is time to look at what is due."""


FleetInput = (
    Registered
    | Lost
    | ServersChanged
    | ActionGiven
    | ActionEnded
    | RunOver
    | RunBegun
    | CheckFailed
    | Recovered
    | TimePassed
)


@dataclass(frozen=True, slots=True)
class Keep:
    """Journal this; it is true already."""

    record: FleetRecord


@dataclass(frozen=True, slots=True)
class Stands:
    """How much this server may take has changed, or how it is shown."""

    server: str


@dataclass(frozen=True, slots=True)
class EndActions:
    """End what a server runs."""

    server: str
    why: str


@dataclass(frozen=True, slots=True)
class Order:
    """Let a server end, or begin anew; it runs nothing."""

    server: str
    quit: bool
    why: str


@dataclass(frozen=True, slots=True)
class SetHeartbeat:
    """Tell a server how often it is to tell of itself, or ask it now."""

    server: str
    every_s: float | None
    now: bool


@dataclass(frozen=True, slots=True)
class Forget:
    """Nobody needs to know of these servers any more."""

    servers: tuple[str, ...]


FleetOutput = Keep | Stands | EndActions | Order | SetHeartbeat | Forget


@dataclass(frozen=True, slots=True)
class FleetDone:
    """What an operation is answered with."""

    outcome: Outcome
    message: str
    result: FleetAnswers | FleetExpectedResult | None = None
    notices: tuple[str, ...] = ()
    unknown: bool = False
