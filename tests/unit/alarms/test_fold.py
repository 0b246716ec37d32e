"""The fold of alarms' records over a journal that has lost some of them."""

from shotline.common.alarms.alarm import AlarmSeverity
from shotline.common.alarms.fold import AlarmsFold
from shotline.common.alarms.records import AlarmCleared, AlarmRepeated


def test_what_follows_a_raising_that_redis_has_lost_is_passed_over() -> None:
    fold = AlarmsFold()
    severity = next(iter(AlarmSeverity))
    fold.apply(AlarmRepeated(time=1.0, number=4, text="again", severity=severity))
    fold.apply(AlarmCleared(time=2.0, number=4, text="over", member="A"))
    assert fold.alarms == {}
