"""The alarms as pages have them. Pure."""

from collections.abc import Iterator

from shotline.client.observer import News, Update, Whole
from shotline.common.alarms.alarm import Alarm
from shotline.common.alarms.views import AlarmsEvent
from shotline.common.channels import ALARMS
from shotline.common.machine import Instant
from shotline.monitor.messages import Body, alarm_message, plain, whole_alarms
from shotline.monitor.view.effects import Effect, Post


class AlarmBoard:
    """The alarms as the dispatcher told of them last."""

    def __init__(self) -> None:
        self.alarms: dict[int, Alarm] = {}  # by number
        self.last = 0
        self._is_known = False

    def whole(self, time: float) -> Body | None:
        """Return the whole list."""
        return whole_alarms(time, self.alarms.values(), self.last) if self._is_known else None

    def take(self, now: Instant, update: Update) -> Iterator[Effect]:
        """Take an update of the feed; yield what pages are told."""
        match update:
            case Whole(snapshot=snapshot) if snapshot.alarms is not None:
                self.alarms = {one.number: one for one in snapshot.alarms.alarms}
                self.last = snapshot.alarms.last
                self._is_known = True
                yield Post(ALARMS, whole_alarms(now.wall, self.alarms.values(), self.last), "whole")
            case News(payload=AlarmsEvent() as event) if self._is_known:
                yield from self._changed(now, event)
            case _:
                pass

    def _changed(self, now: Instant, event: AlarmsEvent) -> Iterator[Effect]:
        self.last = max(self.last, event.last)
        for number in event.gone:
            if self.alarms.pop(number, None) is not None:
                yield Post(ALARMS, plain("GONE", now.wall, {"number": number}), f"alarm/{number}")
        for alarm in event.alarms:
            self.alarms[alarm.number] = alarm
            yield Post(ALARMS, alarm_message(now.wall, alarm, self.last), f"alarm/{alarm.number}")
