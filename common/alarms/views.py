"""What commands about alarms are answered with, and what observers are told. Pure."""

from typing import ClassVar

from shotline.common.alarms.alarm import Alarm
from shotline.common.base import Struct
from shotline.common.paged import Paged, Result
from shotline.common.ranges import Count, Small


class AlarmsResult(Paged, tag="alarms"):
    """Answer to `alarms`: those that call for somebody first, the most severe, the latest."""

    LIST: ClassVar[str] = "alarms"
    alarms: tuple[Alarm, ...] = ()
    new: Count = 0  # that wait for an acknowledgement, of all that there are
    last: Small = 0  # the highest number that was given


class AlarmsAnswered(Result, tag="alarms_answered"):
    """Answer to who acknowledges or shelves alarms."""

    done: tuple[Small, ...] = ()
    already: tuple[Small, ...] = ()  # somebody had acknowledged them
    unknown: tuple[Small, ...] = ()  # that are not in the list (any more)


class AlarmsEvent(Struct):
    """Payload on `alarms`: those that have changed, and the numbers that there are no longer."""

    alarms: tuple[Alarm, ...] = ()
    gone: tuple[Small, ...] = ()
    last: Small = 0
