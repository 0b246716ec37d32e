"""The machine of alarms: `handle(now, event)` gives what follows. Pure.

Alarms are raised and cleared in `raising`; here are acknowledging, shelving, and when the site's
own command is told. Nothing else changes the fold. The dispatcher hosts it, and its journal has the
records.
"""

from collections.abc import Sequence
from typing import Final

from shotline.alarms.events import (
    ActionHasFailed,
    ActionIsWell,
    AlarmInput,
    AlarmOperation,
    AlarmOutput,
    AlarmsConfigured,
    AlarmsDone,
    AlarmsRecovered,
    CommandEnded,
    LookAtDue,
    ShotIsNew,
    TellOthers,
    Trouble,
    TroubleIsOver,
)
from shotline.alarms.raising import Raising, cut_to, severity_of
from shotline.common.alarms.alarm import TEXT_MAX, Alarm, AlarmKind, AlarmSeverity, ToldHow
from shotline.common.alarms.commands import AlarmsAck, AlarmsShelve
from shotline.common.alarms.records import (
    AlarmRecord,
    AlarmsAcked,
    AlarmsShelved,
    AlarmsTold,
)
from shotline.common.alarms.views import AlarmsAnswered
from shotline.common.machine import Instant
from shotline.common.messages import Outcome
from shotline.common.settings.sections.alarms import AlarmsSection

OUR_COMMAND: Final = "the alarm command"
TOLD_MAX: Final = 200  # alarms in one call
LOOK_S: Final = 60.0


class AlarmsMachine:
    """The machine. `load` takes what the journal holds."""

    def __init__(self, section: AlarmsSection, instant: Instant) -> None:
        self._instant = instant
        self._raising = Raising(section, instant.wall)
        self.fold = self._raising.fold
        self._ready = False
        self._telling = False  # the command runs
        self._tell_at: float | None = None  # monotonic

    def load(self, records: Sequence[AlarmRecord]) -> None:
        """Take what the journal holds, once, before the first event."""
        for record in records:
            self.fold.apply(record)

    # Events

    def handle(self, instant: Instant, event: AlarmInput) -> list[AlarmOutput]:
        """Return what follows from an event."""
        self._begin(instant)
        raising = self._raising
        match event:
            case ActionHasFailed():
                raising.action(event)
            case ActionIsWell():
                raising.well(event)
            case ShotIsNew():
                raising.shot_is_new(event)
            case Trouble():
                raising.trouble(event)
            case TroubleIsOver():
                raising.over(event)
            case CommandEnded():
                self._command_ended(event)
            case AlarmsRecovered():
                self._recovered()
            case AlarmsConfigured(section=section):
                raising.section = section
            case LookAtDue():
                self._unshelve()
        return self._take()

    def operate(
        self, instant: Instant, operation: AlarmOperation
    ) -> tuple[AlarmsDone, list[AlarmOutput]]:
        """Carry out an operation."""
        self._begin(instant)
        command = operation.command
        if isinstance(command, AlarmsAck):
            done = self._acknowledge(command, operation.user)
        else:
            done = self._shelve(command, operation.user)
        return done, self._take()

    def _begin(self, instant: Instant) -> None:
        self._instant = instant
        self._raising.wall = instant.wall

    def _take(self) -> list[AlarmOutput]:
        self._tell()
        out, self._raising.out = self._raising.out, []
        return out

    # What falls due

    def wake_at(self) -> float | None:
        """Return when LookAtDue is due (monotonic); None while nothing changes by itself."""
        shelved = [
            self._instant.mono + max(one.shelved_until - self._instant.wall, 0.0)
            for one in map(self.fold.alarms.__getitem__, self.fold.shelved)
            if one.shelved_until is not None
        ]
        tell_at = None if self._telling else self._tell_at
        due = [*shelved, *((tell_at,) if tell_at is not None else ())]
        # A clock that was set is noticed within so long.
        return min((min(due), self._instant.mono + LOOK_S)) if due else None

    def _unshelve(self) -> None:
        over = tuple(
            number
            for number in self.fold.shelved
            if (self.fold.alarms[number].shelved_until or 0.0) <= self._instant.wall
        )
        if over:
            self._raising.put(AlarmsShelved(time=self._instant.wall, numbers=over))

    # What people do

    def _acknowledge(self, command: AlarmsAck, user: str) -> AlarmsDone:
        found, unknown = self._known(command.numbers)
        new = tuple(one.number for one in found if one.is_new)
        already = tuple(one.number for one in found if not one.is_new)
        result = AlarmsAnswered(done=new, already=already, unknown=unknown)
        if not found:
            return _none(result)
        if new:
            self._raising.put(
                AlarmsAcked(time=self._instant.wall, by=user, numbers=new, note=command.note)
            )
            self._raising.make_room()
        said = [f"{_count(len(new))} acknowledged"]
        if already:
            first = next(one for one in found if not one.is_new)
            by = f", the first by {first.acked_by}" if first.acked_by else ""
            said.append(f"{len(already)} had been acknowledged before{by}")
        return AlarmsDone(Outcome.OK, _sentence(said, unknown), result)

    def _shelve(self, command: AlarmsShelve, user: str) -> AlarmsDone:
        found, unknown = self._known(command.numbers)
        numbers = tuple(one.number for one in found)
        result = AlarmsAnswered(done=numbers, unknown=unknown)
        if not found:
            return _none(result)
        most = self._raising.section.shelve_max_s
        if command.for_s > most:
            return _refused(f"an alarm can be shelved for {most:g} s at most", unknown)
        if command.for_s and not command.reason.strip():
            return _refused("say why they are shelved: others will want to know", unknown)
        until = self._instant.wall + command.for_s if command.for_s else None
        self._raising.put(
            AlarmsShelved(
                time=self._instant.wall,
                by=user,
                numbers=numbers,
                until=until,
                reason=command.reason,
            )
        )
        how = f"shelved for {command.for_s:g} s" if command.for_s else "no longer shelved"
        return AlarmsDone(Outcome.OK, _sentence([f"{_count(len(numbers))} {how}"], unknown), result)

    def _known(self, numbers: Sequence[int]) -> tuple[list[Alarm], tuple[int, ...]]:
        asked = dict.fromkeys(numbers)
        found = [self.fold.alarms[number] for number in asked if number in self.fold.alarms]
        return found, tuple(number for number in asked if number not in self.fold.alarms)

    # The site's own command

    def _recovered(self) -> None:
        """Go on: of what a dispatcher before us had begun to tell nobody knows whether it was."""
        self._ready = True
        begun = tuple(
            number for number, one in self.fold.alarms.items() if one.told is ToldHow.BEGUN
        )
        if begun:
            text = "the dispatcher ended while its command ran"
            self._raising.put(
                AlarmsTold(time=self._instant.wall, numbers=begun, told=ToldHow.PERHAPS, text=text)
            )

    def _tell(self) -> None:
        """Begin the command for what it is to be told of, once that has gathered."""
        section, mono = self._raising.section, self._instant.mono
        if not self._ready or self._telling or section.alarm_command is None:
            self._tell_at = None
            return
        untold = map(self.fold.alarms.__getitem__, self.fold.untold)
        waiting = [one for one in untold if self._is_told_of(one)]
        if not waiting:
            self._tell_at = None
            return
        if self._tell_at is None:
            self._tell_at = mono + section.command_gather_s
        if mono < self._tell_at:
            return
        self._tell_at = None
        self._telling = True
        waiting.sort(key=lambda one: (one.severity.rank, one.number))
        told = tuple(waiting[:TOLD_MAX])
        numbers = tuple(one.number for one in told)
        self._raising.put(AlarmsTold(time=self._instant.wall, numbers=numbers, told=ToldHow.BEGUN))
        self._raising.out.append(TellOthers(told))

    def _is_told_of(self, alarm: Alarm) -> bool:
        least = AlarmSeverity(self._raising.section.command_severity)
        is_its_own = alarm.kind is AlarmKind.COMMAND  # it would be told of its own failing for ever
        return alarm.calls and not is_its_own and alarm.severity.rank <= least.rank

    def _command_ended(self, event: CommandEnded) -> None:
        self._telling = False
        wall = self._instant.wall
        told = ToldHow.FAILED if event.trouble else ToldHow.DONE
        text = cut_to(event.trouble, TEXT_MAX)
        self._raising.put(AlarmsTold(time=wall, numbers=event.numbers, told=told, text=text))
        severity = severity_of(self._raising.section.severity.command)
        if not event.trouble:
            self._raising.over(TroubleIsOver(AlarmKind.COMMAND, OUR_COMMAND, "it has worked since"))
        elif severity is not None:
            self._raising.trouble(Trouble(AlarmKind.COMMAND, OUR_COMMAND, event.trouble, severity))


def _none(result: AlarmsAnswered) -> AlarmsDone:
    numbers = ", ".join(map(str, result.unknown[:10]))
    text = f"there is no alarm {numbers} (any more); `alarms` lists those that there are"
    return AlarmsDone(Outcome.REFUSED, text, result, unknown=True)


def _refused(text: str, unknown: tuple[int, ...]) -> AlarmsDone:
    return AlarmsDone(Outcome.REFUSED, text, AlarmsAnswered(unknown=unknown))


def _count(number: int) -> str:
    return "1 alarm" if number == 1 else f"{number} alarms"


def _sentence(said: list[str], unknown: tuple[int, ...]) -> str:
    if unknown:
        said.append(f"there is none of number {', '.join(map(str, unknown[:10]))}")
    return "; ".join(said)
