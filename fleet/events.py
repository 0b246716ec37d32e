"""What goes into the fleet's machine, and what comes out of it: plain values. Pure."""

from shotline.common.base import Value
from shotline.common.fleet.commands import AnyFleetCommand
from shotline.common.fleet.records import FleetRecord
from shotline.common.fleet.views import FleetAnswers, FleetExpectedResult
from shotline.common.messages import Outcome
from shotline.common.views import ServerView


class Operation(Value):
    """Somebody asks for something; `id` is the command's."""

    id: str
    command: AnyFleetCommand
    user: str  # as the connection says


class Registered(Value):
    """A server has registered: perhaps a new life of it."""

    server: str
    incarnation: str


class Lost(Value):
    """A server is not there any more; this is the last that is known of it."""

    last: ServerView


class ServersChanged(Value):
    """Something has changed with these: actions, liveness, slots."""

    servers: tuple[str, ...]


class ActionGiven(Value):
    """A server was given an action of a shot."""

    server: str
    shot: str  # TREE/SHOT


class ActionEnded(Value):
    """An action of a server has ended."""

    server: str


class RunOver(Value):
    """A run in which these servers took part has ended."""

    servers: tuple[str, ...]


class RunBegun(Value):
    """A run of a shot has begun."""

    shot: str


class CheckFailed(Value):
    """A server's host is not well, and somebody has to say when it may go on."""

    server: str
    host: str
    text: str


class Recovered(Value):
    """The dispatcher dispatches from now on; every server that is there has registered."""

    gone: tuple[ServerView, ...] = ()  # that were there before, and are not


class TimePassed(Value):
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


class Keep(Value):
    """Journal this; it is true already."""

    record: FleetRecord


class Stands(Value):
    """How much this server may take has changed, or how it is shown."""

    server: str


class EndActions(Value):
    """End what a server runs."""

    server: str
    why: str


class Order(Value):
    """Let a server end, or begin anew; it runs nothing."""

    server: str
    quit: bool
    why: str


class SetHeartbeat(Value):
    """Tell a server how often it is to tell of itself, or ask it now."""

    server: str
    every_s: float | None
    now: bool


class Forget(Value):
    """Nobody needs to know of these servers any more."""

    servers: tuple[str, ...]


FleetOutput = Keep | Stands | EndActions | Order | SetHeartbeat | Forget


class FleetDone(Value):
    """What an operation is answered with."""

    outcome: Outcome
    message: str
    result: FleetAnswers | FleetExpectedResult | None = None
    notices: tuple[str, ...] = ()
    unknown: bool = False
