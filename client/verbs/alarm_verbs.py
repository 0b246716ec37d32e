"""One function per command about alarms.

Alarms are named by their numbers. One that is raised again after somebody has acknowledged it has a
new number, so that nobody acknowledges what they have not seen.
"""

from collections.abc import Sequence

from shotline.client.calls import Call, make, result
from shotline.common.alarms import commands as a
from shotline.common.alarms.views import AlarmsAnswered, AlarmsResult

Given = int | Sequence[int]
"""One number, or several."""


def alarms(*, everything: bool = False, newer_than: int = 0) -> Call[AlarmsResult]:
    """Return the alarms that nobody has acknowledged or that are active.

    `everything`: the others, too. `newer_than`: only those that were raised after this number.
    """
    return result(make(a.AlarmsList, everything=everything, newer_than=newer_than), AlarmsResult)


def alarms_ack(numbers: Given, note: str = "") -> Call[AlarmsAnswered]:
    """Acknowledge alarms: somebody has seen them, and sees to it; `note` says what was done."""
    return result(make(a.AlarmsAck, numbers=_all_of(numbers), note=note), AlarmsAnswered)


def alarms_shelve(numbers: Given, for_s: float, reason: str = "") -> Call[AlarmsAnswered]:
    """Let alarms be quiet for so many seconds; `reason` says why. 0: no longer."""
    command = make(a.AlarmsShelve, numbers=_all_of(numbers), for_s=for_s, reason=reason)
    return result(command, AlarmsAnswered)


def _all_of(numbers: Given) -> tuple[int, ...]:
    return (numbers,) if isinstance(numbers, int) else tuple(numbers)
