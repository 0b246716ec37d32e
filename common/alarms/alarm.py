"""An alarm, as it is kept and as it is shown. Pure.

Its words are those of ISA-18.2: it is *active* while what it tells of lasts, *cleared* when that is
over; it stays until somebody has *acknowledged* it; *shelved*, it is quiet for a time.
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from shotline.common.base import Struct
from shotline.common.nodes import Contact, Help
from shotline.common.queue.plans import Who
from shotline.common.ranges import Count, ShotNumber, Small, Wall

NOTE_MAX: Final = 2000
TEXT_MAX: Final = 1000
NAMED_MAX: Final = 20  # members of a group that are named

Note = Annotated[str, Meta(max_length=NOTE_MAX)]
Said = Annotated[str, Meta(max_length=TEXT_MAX)]
Key = Annotated[str, Meta(max_length=1400)]


class AlarmSeverity(StrEnum):
    """How soon somebody has to look."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Return 0 for the most urgent one."""
        return list(AlarmSeverity).index(self)


class AlarmKind(StrEnum):
    """What an alarm is about."""

    ACTION = "action"  # an action has failed
    ACTIONS = "actions"  # further ones of the same phase have, and are told of together
    HELD = "held"  # a run is HELD, and waits for somebody
    SERVER = "server"  # an action server was lost
    DAEMON = "daemon"  # a daemon, or Redis, is away
    COMMAND = "command"  # the site's own alarm command does not do what it should
    KEEPING = "keeping"  # old shots cannot be written into files, and stay in Redis
    OVERFLOW = "overflow"  # more alarms than can be kept: the others are only counted


class ToldHow(StrEnum):
    """What became of the site's own alarm command."""

    NOT_YET = ""
    BEGUN = "begun"
    DONE = "told"
    PERHAPS = "perhaps"  # the dispatcher ended meanwhile
    FAILED = "failed"


class Alarm(Struct):
    """An alarm. Raised again after an acknowledgement it has a new `number`.

    `key` is what it is told from others by; `about` names the same for people.
    """

    number: Small
    kind: AlarmKind
    key: Key
    about: Key
    text: Said  # what was so the last time
    severity: AlarmSeverity
    first_at: Wall
    last_at: Wall
    times: Count = 1
    active: bool = True
    cleared_at: Wall | None = None
    cleared: Said = ""  # how it came to be over
    acked_at: Wall | None = None
    acked_by: Who = ""
    note: Note = ""
    shelved_until: Wall | None = None
    shelved_by: Who = ""
    shelved_why: Note = ""
    help: Help = ""
    contact: Contact = ""
    tree: str | None = None
    shot: ShotNumber | None = None
    phase: str = ""
    path: str | None = None  # of the action
    attempt: Small = 0
    server: str | None = None
    members: Count = 0  # actions of a group
    failing: Count = 0  # of them, those that have not succeeded since
    names: tuple[str, ...] = ()  # of the last of them
    told: ToldHow = ToldHow.NOT_YET
    told_text: Said = ""

    @property
    def is_new(self) -> bool:
        """Whether it waits for an acknowledgement."""
        return self.acked_at is None

    @property
    def calls(self) -> bool:
        """Whether somebody is to look at it: not acknowledged, and not shelved."""
        return self.acked_at is None and self.shelved_until is None


def urgency(alarm: Alarm) -> tuple[bool, bool, int, bool, float]:
    """Return a key that sorts alarms: those that call first, the most severe, the latest."""
    return (
        not alarm.calls,
        not alarm.is_new,
        alarm.severity.rank,
        not alarm.active,
        -alarm.last_at,
    )
