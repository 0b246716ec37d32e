"""Raising and clearing: which alarm is meant, whether it is a new one, and how many there may be.

Actions of a phase beyond a number share one alarm; what is beyond all room is counted. Pure.
"""

from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from shotline.alarms.events import (
    ActionHasFailed,
    ActionIsWell,
    AlarmOutput,
    KeepRecord,
    ShotIsNew,
    Trouble,
    TroubleIsOver,
)
from shotline.common.alarms.alarm import TEXT_MAX, Alarm, AlarmKind, AlarmSeverity, ToldHow
from shotline.common.alarms.fold import AlarmsFold
from shotline.common.alarms.records import (
    AlarmCleared,
    AlarmRaised,
    AlarmRecord,
    AlarmRepeated,
    AlarmsDropped,
)
from shotline.common.settings.sections.alarms import AlarmsSection

_OVERFLOW: Final = "more than can be kept"


@dataclass(slots=True)
class Raising:
    """The alarms, and what is done with them."""

    section: AlarmsSection
    wall: float
    fold: AlarmsFold = field(default_factory=AlarmsFold)
    out: list[AlarmOutput] = field(default_factory=list)

    def put(self, record: AlarmRecord) -> None:
        """Make a record true, and journal it."""
        self.fold.apply(record)
        self.out.append(KeepRecord(record))

    # Raising

    def action(self, event: ActionHasFailed) -> None:
        """Raise the alarm of an action: its own, or that of the others of its phase."""
        key = key_of(AlarmKind.ACTION, f"{event.tree}/{event.shot} {event.path}")
        group = key_of(AlarmKind.ACTIONS, f"{event.tree}/{event.shot} {event.phase}")
        singles = self.fold.singles.get((event.tree, event.shot, event.phase), ())
        is_member = event.path in self.fold.members.get(group, {})
        is_single = key in self.fold.by_key
        if not is_single and (is_member or len(singles) >= self.section.group_after):
            self._raise(
                Alarm(
                    number=0,
                    kind=AlarmKind.ACTIONS,
                    key=group,
                    about=f"{event.tree}/{event.shot} {event.phase}",
                    text=cut_to(f"{event.name}: {event.text}", TEXT_MAX),
                    severity=event.severity,
                    first_at=self.wall,
                    last_at=self.wall,
                    tree=event.tree,
                    shot=event.shot,
                    phase=event.phase,
                ),
                event.path,
                event.name,
            )
            return
        self._raise(
            Alarm(
                number=0,
                kind=AlarmKind.ACTION,
                key=key,
                about=f"{event.tree}/{event.shot} {event.name}",
                text=cut_to(event.text, TEXT_MAX),
                severity=event.severity,
                first_at=self.wall,
                last_at=self.wall,
                help=event.help,
                contact=event.contact,
                tree=event.tree,
                shot=event.shot,
                phase=event.phase,
                path=event.path,
                attempt=event.attempt,
                server=event.server,
            )
        )

    def trouble(self, event: Trouble) -> None:
        """Raise an alarm of something that lasts."""
        self._raise(
            Alarm(
                number=0,
                kind=event.kind,
                key=key_of(event.kind, event.about),
                about=event.about,
                text=cut_to(event.text, TEXT_MAX),
                severity=event.severity,
                first_at=self.wall,
                last_at=self.wall,
                tree=event.tree,
                shot=event.shot,
                server=event.server,
            )
        )

    def _raise(self, alarm: Alarm, member: str = "", name: str = "") -> None:
        fold = self.fold
        before = fold.alarms.get(fold.by_key.get(alarm.key, 0))
        if before is not None and before.is_new:
            self.put(
                AlarmRepeated(
                    time=self.wall,
                    number=before.number,
                    text=alarm.text,
                    severity=alarm.severity,
                    attempt=alarm.attempt,
                    member=member,
                    name=name,
                )
            )
            return
        if before is None and alarm.kind is not AlarmKind.OVERFLOW and not self._has_room():
            self._overflow(alarm)
            return
        if before is not None:
            alarm = structs.replace(
                alarm,
                first_at=before.first_at,
                times=before.times + 1,
                members=before.members,
                failing=before.failing,
                names=before.names,
                shelved_until=before.shelved_until,
                shelved_by=before.shelved_by,
                shelved_why=before.shelved_why,
            )
        alarm = structs.replace(alarm, number=fold.last + 1, told=ToldHow.NOT_YET, told_text="")
        self.put(AlarmRaised(time=self.wall, alarm=alarm, member=member, name=name))
        self.make_room()

    def _overflow(self, alarm: Alarm) -> None:
        self._raise(
            Alarm(
                number=0,
                kind=AlarmKind.OVERFLOW,
                key=key_of(AlarmKind.OVERFLOW, _OVERFLOW),
                about=_OVERFLOW,
                text=cut_to(f"only counted: {alarm.about}: {alarm.text}", TEXT_MAX),
                severity=alarm.severity,
                first_at=self.wall,
                last_at=self.wall,
            )
        )

    def _has_room(self) -> bool:
        return len(self.fold.new) < self.section.alarms_max

    def make_room(self) -> None:
        """Drop what was acknowledged where others need the room, what is over first."""
        fold, section = self.fold, self.section
        acked = len(fold.alarms) - len(fold.new)
        too_many = max(acked - section.acknowledged_max, len(fold.alarms) - section.alarms_max - 1)
        if too_many <= 0:
            return
        found = [one for one in fold.alarms.values() if not one.is_new]
        found.sort(key=lambda one: (one.active, one.acked_at or 0.0, one.number))
        self.put(
            AlarmsDropped(time=self.wall, numbers=tuple(one.number for one in found[:too_many]))
        )

    # Clearing

    def well(self, event: ActionIsWell) -> None:
        """Clear the alarm of an action that has not failed any more."""
        number = self.fold.failed.get((event.tree, event.shot, event.path))
        if number is None:
            return
        is_group = self.fold.alarms[number].kind is AlarmKind.ACTIONS
        self.put(
            AlarmCleared(
                time=self.wall,
                number=number,
                text=cut_to(event.text, TEXT_MAX),
                member=event.path if is_group else "",
            )
        )

    def shot_is_new(self, event: ShotIsNew) -> None:
        """Clear the alarms of all actions of a shot."""
        of_shot = [
            path
            for tree, shot, path in self.fold.failed
            if (tree, shot) == (event.tree, event.shot)
        ]
        for path in of_shot:
            self.well(ActionIsWell(event.tree, event.shot, path, event.text))

    def over(self, event: TroubleIsOver) -> None:
        """Clear the alarm of something that lasts no longer."""
        number = self.fold.by_key.get(key_of(event.kind, event.about))
        if number is not None and self.fold.alarms[number].active:
            self.put(AlarmCleared(time=self.wall, number=number, text=cut_to(event.text, TEXT_MAX)))


def key_of(kind: AlarmKind, about: str) -> str:
    """Return what an alarm is told from others by."""
    return f"{kind.value} {about}"


def severity_of(word: str) -> AlarmSeverity | None:
    """Return how severe the configuration says a kind is; None: it is not raised."""
    return None if word == "none" else AlarmSeverity(word)


def cut_to(text: str, most: int) -> str:
    """Return a text with so many characters at most."""
    return text if len(text) <= most else text[: most - 1] + "…"
