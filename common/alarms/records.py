"""The records of alarms; their fold (`fold`) is the list of alarms. Pure.

`by` is who asked, empty where it came about by itself.
"""

from typing import Final

import msgspec

from shotline.common.alarms.alarm import Alarm, AlarmSeverity, Note, Said, ToldHow
from shotline.common.base import Struct
from shotline.common.queue.plans import Who
from shotline.common.ranges import Small, Wall


class _AlarmRecord(Struct, tag_field="type"):
    """The base of the records of alarms."""

    time: Wall
    by: Who = ""


class AlarmRaised(_AlarmRecord, tag="alarm_raised"):
    """There is a new alarm: the first of its key, or again after an acknowledgement.

    `member` is the path of the action for which a group was raised, `name` how people call it.
    """

    alarm: Alarm
    member: str = ""
    name: str = ""


class AlarmRepeated(_AlarmRecord, tag="alarm_repeated"):
    """What an alarm tells of has happened again before anybody acknowledged it."""

    number: Small
    text: Said
    severity: AlarmSeverity
    attempt: Small = 0
    member: str = ""
    name: str = ""


class AlarmCleared(_AlarmRecord, tag="alarm_cleared"):
    """What an alarm tells of is over; of a group for one member."""

    number: Small
    text: Said
    member: str = ""


class AlarmsAcked(_AlarmRecord, tag="alarms_acked"):
    """Somebody has acknowledged these."""

    numbers: tuple[Small, ...]
    note: Note = ""


class AlarmsShelved(_AlarmRecord, tag="alarms_shelved"):
    """These are quiet until then; None: no longer."""

    numbers: tuple[Small, ...]
    until: Wall | None = None
    reason: Note = ""


class AlarmsTold(_AlarmRecord, tag="alarms_told"):
    """The site's own command was begun for these, or has ended."""

    numbers: tuple[Small, ...]
    told: ToldHow
    text: Said = ""


class AlarmsDropped(_AlarmRecord, tag="alarms_dropped"):
    """These are kept no longer: they were acknowledged, and others need the room."""

    numbers: tuple[Small, ...]


class AlarmsKept(_AlarmRecord, tag="alarms_kept"):
    """The whole state: the journal of alarms may begin here."""

    last: Small = 0  # the highest number that was given
    alarms: tuple[Alarm, ...] = ()
    members: dict[str, dict[str, bool]] = {}  # of groups, by key: path → whether it is still failed


AlarmRecord = (
    AlarmRaised
    | AlarmRepeated
    | AlarmCleared
    | AlarmsAcked
    | AlarmsShelved
    | AlarmsTold
    | AlarmsDropped
    | AlarmsKept
)

_MANY: Final[msgspec.json.Decoder[tuple[AlarmRecord, ...]]] = msgspec.json.Decoder(
    tuple[AlarmRecord, ...]
)


def decode_alarm_records(data: bytes | str) -> tuple[AlarmRecord, ...]:
    """Return the records of a JSON array. Raise ValueError when one is none of ours."""
    return _MANY.decode(data)
