"""The commands about alarms, one class each. Pure."""

from typing import Annotated, ClassVar

from msgspec import Meta

from shotline.common.alarms.alarm import Note
from shotline.common.command import Command, PagedCommand
from shotline.common.ranges import Count, Duration, Small
from shotline.common.scopes import Scope

Numbers = Annotated[tuple[Small, ...], Meta(min_length=1, max_length=10_000)]


class AlarmsList(PagedCommand, tag="alarms"):
    """The alarms: those that nobody has acknowledged, and those that are still active.

    `everything`: also those that are over. `newer_than`: only what was raised after this number.
    """

    SCOPE: ClassVar[Scope] = Scope.READ
    everything: bool = False
    newer_than: Count = 0


class AlarmsAck(Command, tag="alarms_ack"):
    """Acknowledge alarms, by their numbers: somebody has seen them, and sees to it."""

    ALWAYS: ClassVar[bool] = True
    numbers: Numbers
    note: Note = ""


class AlarmsShelve(Command, tag="alarms_shelve"):
    """Let alarms be quiet for a time, with a reason; 0 s: no longer. They stay in the list."""

    ALWAYS: ClassVar[bool] = True
    numbers: Numbers
    for_s: Duration
    reason: Note = ""


AnyAlarmsCommand = AlarmsList | AlarmsAck | AlarmsShelve
