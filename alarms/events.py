"""What goes into the machine of alarms, and what comes out of it: plain values. Pure."""

from shotline.common.alarms.alarm import Alarm, AlarmKind, AlarmSeverity
from shotline.common.alarms.commands import AlarmsAck, AlarmsShelve
from shotline.common.alarms.records import AlarmRecord
from shotline.common.alarms.views import AlarmsAnswered
from shotline.common.base import Value
from shotline.common.messages import Outcome
from shotline.common.settings.sections.alarms import AlarmsSection


class AlarmOperation(Value):
    """Somebody acknowledges or shelves."""

    command: AlarmsAck | AlarmsShelve
    user: str  # as the connection says


class ActionHasFailed(Value):
    """An attempt at an action has failed; `name` is how people call it."""

    tree: str
    shot: int
    phase: str
    path: str
    name: str
    attempt: int
    server: str | None
    text: str
    severity: AlarmSeverity
    help: str = ""
    contact: str = ""


class ActionIsWell(Value):
    """An action that had failed has not, this time."""

    tree: str
    shot: int
    path: str
    text: str


class ShotIsNew(Value):
    """Nothing of what a shot's actions have done is known any more: it begins anew."""

    tree: str
    shot: int
    text: str


class Trouble(Value):
    """Something that lasts has begun; `about` says what is concerned."""

    kind: AlarmKind
    about: str
    text: str
    severity: AlarmSeverity
    tree: str | None = None
    shot: int | None = None
    server: str | None = None


class TroubleIsOver(Value):
    """It lasts no longer."""

    kind: AlarmKind
    about: str
    text: str


class CommandEnded(Value):
    """The site's own command has ended; `trouble` says why it has not done what it should."""

    numbers: tuple[int, ...]
    trouble: str = ""


class AlarmsRecovered(Value):
    """The dispatcher dispatches from now on."""


class AlarmsConfigured(Value):
    """This configuration counts from now on."""

    section: AlarmsSection


class LookAtDue(Value):
    """It is time to look at what is due."""


AlarmInput = (
    ActionHasFailed
    | ActionIsWell
    | ShotIsNew
    | Trouble
    | TroubleIsOver
    | CommandEnded
    | AlarmsRecovered
    | AlarmsConfigured
    | LookAtDue
)


class KeepRecord(Value):
    """Journal this; it is true already."""

    record: AlarmRecord


class TellOthers(Value):
    """Run the site's own command for these; `CommandEnded` answers."""

    alarms: tuple[Alarm, ...]


AlarmOutput = KeepRecord | TellOthers


class AlarmsDone(Value):
    """What an operation is answered with."""

    outcome: Outcome
    message: str
    result: AlarmsAnswered
    unknown: bool = False
