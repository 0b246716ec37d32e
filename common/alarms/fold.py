"""The list of alarms: the fold of their records. All changes go through `apply`. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import structs

from shotline.common.alarms.alarm import NAMED_MAX, Alarm, AlarmKind, ToldHow
from shotline.common.alarms.records import (
    AlarmCleared,
    AlarmRaised,
    AlarmRecord,
    AlarmRepeated,
    AlarmsAcked,
    AlarmsDropped,
    AlarmsKept,
    AlarmsShelved,
    AlarmsTold,
)

OfAction = tuple[str, int, str]
"""Tree, shot and path."""

OfPhase = tuple[str | None, int | None, str]
"""Tree, shot and phase."""


@dataclass(slots=True)
class AlarmsFold:
    """Everything that is kept of alarms."""

    last: int = 0  # the highest number that was given
    alarms: dict[int, Alarm] = field(default_factory=dict)  # by number
    by_key: dict[str, int] = field(default_factory=dict)
    members: dict[str, dict[str, bool]] = field(default_factory=dict)  # of groups, by key
    failed: dict[OfAction, int] = field(default_factory=dict)  # the alarm that is active for each
    singles: dict[OfPhase, set[int]] = field(default_factory=dict)  # of actions, by phase
    new: dict[int, None] = field(default_factory=dict)  # that nobody has acknowledged
    untold: dict[int, None] = field(default_factory=dict)  # of them, that nobody was told of
    shelved: dict[int, None] = field(default_factory=dict)

    def apply(self, record: AlarmRecord) -> None:
        """Take one record into the state.

        Of an alarm that is not known nothing is taken: Redis may have lost what raised it.
        """
        match record:
            case AlarmRaised(alarm=alarm):
                self._raised(alarm, record)
            case AlarmRepeated() if record.number in self.alarms:
                self._repeated(record)
            case AlarmCleared() if record.number in self.alarms:
                self._cleared(record)
            case AlarmsAcked():
                for alarm in self._of(record.numbers):
                    self._put(alarm, acked_at=record.time, acked_by=record.by, note=record.note)
            case AlarmsShelved():
                shelved = record.until is not None
                for alarm in self._of(record.numbers):
                    self._put(
                        alarm,
                        shelved_until=record.until,
                        shelved_by=record.by if shelved else "",
                        shelved_why=record.reason if shelved else "",
                    )
            case AlarmsTold():
                for alarm in self._of(record.numbers):
                    self._put(alarm, told=record.told, told_text=record.text)
            case AlarmsDropped():
                for alarm in self._of(record.numbers):
                    self._drop(alarm)
            case AlarmsKept():
                self._kept(record)

    def _of(self, numbers: tuple[int, ...]) -> Iterator[Alarm]:
        for number in numbers:
            if number in self.alarms:
                yield self.alarms[number]

    def _put(self, alarm: Alarm, **changes: object) -> None:
        alarm = structs.replace(alarm, **changes)
        self.alarms[alarm.number] = alarm
        self._list(alarm)

    def _list(self, alarm: Alarm) -> None:
        for listed, is_in in (
            (self.new, alarm.is_new),
            (self.untold, alarm.is_new and alarm.told is ToldHow.NOT_YET),
            (self.shelved, alarm.shelved_until is not None),
        ):
            if is_in:
                listed[alarm.number] = None
            else:
                listed.pop(alarm.number, None)

    def _raised(self, alarm: Alarm, record: AlarmRaised) -> None:
        self.last = max(self.last, alarm.number)
        before = self.by_key.get(alarm.key)
        members = self.members.get(alarm.key, {})
        if before is not None:
            self._drop(self.alarms[before])
        self.by_key[alarm.key] = alarm.number
        if alarm.kind is AlarmKind.ACTIONS:
            self.members[alarm.key] = members
        self._put(alarm)
        self._index(self.alarms[alarm.number])
        if record.member:
            self._member(alarm.number, record.member, record.name)

    def _repeated(self, record: AlarmRepeated) -> None:
        alarm = self.alarms[record.number]
        self._put(
            alarm,
            text=record.text,
            severity=min(alarm.severity, record.severity, key=lambda one: one.rank),
            attempt=record.attempt,
            last_at=record.time,
            times=alarm.times + 1,
            active=True,
            cleared_at=None,
            cleared="",
        )
        self._index(self.alarms[record.number])
        if record.member:
            self._member(record.number, record.member, record.name)

    def _member(self, number: int, path: str, name: str) -> None:
        """Note that an action of a group has failed."""
        alarm = self.alarms[number]
        members = self.members[alarm.key]
        was_failing = members.get(path, False)
        members[path] = True
        names = tuple(one for one in alarm.names if one != name)
        self._put(
            alarm,
            members=len(members),
            failing=alarm.failing + (not was_failing),
            names=(*names, name)[-NAMED_MAX:],
        )
        if alarm.tree is not None and alarm.shot is not None:
            self.failed[alarm.tree, alarm.shot, path] = number

    def _cleared(self, record: AlarmCleared) -> None:
        alarm = self.alarms[record.number]
        if record.member:
            members = self.members[alarm.key]
            if not members.get(record.member, False):
                return
            members[record.member] = False
            alarm = structs.replace(alarm, failing=alarm.failing - 1)
            if alarm.tree is not None and alarm.shot is not None:
                self.failed.pop((alarm.tree, alarm.shot, record.member), None)
            if alarm.failing:
                self._put(alarm)
                return
        else:
            self._unindex(alarm)
        self._put(alarm, active=False, cleared_at=record.time, cleared=record.text)

    def _index(self, alarm: Alarm) -> None:
        if alarm.tree is None or alarm.shot is None:
            return
        if alarm.kind is AlarmKind.ACTION:
            self.singles.setdefault((alarm.tree, alarm.shot, alarm.phase), set()).add(alarm.number)
            if alarm.path is not None and alarm.active:
                self.failed[alarm.tree, alarm.shot, alarm.path] = alarm.number
        elif alarm.kind is AlarmKind.ACTIONS:
            for path, is_failed in self.members.get(alarm.key, {}).items():
                if is_failed:
                    self.failed[alarm.tree, alarm.shot, path] = alarm.number

    def _unindex(self, alarm: Alarm) -> None:
        if alarm.tree is None or alarm.shot is None:
            return
        for path in (*self.members.get(alarm.key, {}), *((alarm.path,) if alarm.path else ())):
            self.failed.pop((alarm.tree, alarm.shot, path), None)

    def _drop(self, alarm: Alarm) -> None:
        del self.alarms[alarm.number]
        for listed in (self.new, self.untold, self.shelved):
            listed.pop(alarm.number, None)
        if self.by_key.get(alarm.key) == alarm.number:
            del self.by_key[alarm.key]
        self._unindex(alarm)
        self.members.pop(alarm.key, None)
        phase = (alarm.tree, alarm.shot, alarm.phase)
        if phase in self.singles:
            self.singles[phase].discard(alarm.number)
            if not self.singles[phase]:
                del self.singles[phase]

    def _kept(self, record: AlarmsKept) -> None:
        self.last = record.last
        self.alarms = {one.number: one for one in record.alarms}
        self.by_key = {one.key: one.number for one in record.alarms}
        self.members = {key: dict(found) for key, found in record.members.items()}
        for index in (self.failed, self.singles, self.new, self.untold, self.shelved):
            index.clear()
        for alarm in record.alarms:
            self._list(alarm)
            self._index(alarm)

    def kept(self, wall: float) -> AlarmsKept:
        """Return the whole state as a record."""
        return AlarmsKept(
            time=wall,
            last=self.last,
            alarms=tuple(self.alarms.values()),
            members={key: dict(found) for key, found in self.members.items()},
        )
