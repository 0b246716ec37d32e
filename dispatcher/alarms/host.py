"""Hosts the machine of alarms: journals its records, tells observers and the site's command. Pure.

What happens to actions, runs and servers is told to it within the same event (`core.alarm_news`),
so that a failure and its alarm are one commit.
"""

from collections.abc import Iterable, Iterator
from typing import Final, cast

from shotline.alarms.events import (
    AlarmInput,
    AlarmOperation,
    AlarmOutput,
    AlarmsConfigured,
    AlarmsRecovered,
    CommandEnded,
    KeepRecord,
    LookAtDue,
    TellOthers,
)
from shotline.alarms.machine import AlarmsMachine
from shotline.common.alarms.alarm import Alarm, urgency
from shotline.common.alarms.commands import AlarmsList, AnyAlarmsCommand
from shotline.common.alarms.records import (
    AlarmCleared,
    AlarmRaised,
    AlarmRecord,
    AlarmRepeated,
    AlarmsKept,
)
from shotline.common.alarms.views import AlarmsEvent, AlarmsResult
from shotline.common.base import to_json
from shotline.common.channels import ALARMS
from shotline.common.machine import KeptDeadline
from shotline.common.messages import Outcome
from shotline.common.views import JournalState, SnapshotResult
from shotline.dispatcher.alarms.daemons import Daemons, Heard
from shotline.dispatcher.alarms.telling import program_of, trouble_of
from shotline.dispatcher.commands.answer import Answer, Asked
from shotline.dispatcher.commands.requests import Family, Requests
from shotline.dispatcher.effects import Effect, ProgramDone
from shotline.dispatcher.journal import Loaded
from shotline.dispatcher.journal.commit import EncodedHosted
from shotline.dispatcher.journal.hosted import StreamKeeper
from shotline.dispatcher.reading.paging import Page, numbered, page

EVENT_ALARMS_MAX: Final = 200  # in one event


class AlarmsHost(Family):
    """The alarms, and all that they have to do with the dispatcher. `heard`: who reports to it."""

    def __init__(self, requests: Requests, *heard: Heard) -> None:
        super().__init__(requests)
        core = self._core
        self.machine = AlarmsMachine(core.config.alarms, core.instant)
        self.deadline = KeptDeadline(self.machine.wake_at)
        self._keeper = StreamKeeper(
            ALARMS, core.put_hosted, lambda: self.machine.fold.kept(core.wall)
        )
        self._job: int | None = None  # of the site's command that runs
        self._told: tuple[int, ...] = ()  # of what
        self._daemons = Daemons(core, *heard)
        core.alarmed = self.machine.fold.failed
        core.tell_hosted[ALARMS] = self._events

    def load(self, loaded: Loaded) -> None:
        """Take what the journal holds of alarms."""
        records = cast("tuple[AlarmRecord, ...]", loaded.hosted.get(ALARMS, ()))
        self.machine.load(records)
        self._keeper.loaded(len(records))
        self.deadline.ask()

    def recovered(self) -> None:
        """Go on: the dispatcher dispatches."""
        self._tell(AlarmsRecovered())
        self.journal_changed(self._core.journal_state, self._core.journal_text)

    def configured(self) -> None:
        """Take another configuration."""
        self._tell(AlarmsConfigured(self._core.config.alarms))

    def write_anew(self) -> None:
        """Journal the whole state."""
        if self.machine.fold.last:
            self._keeper.write_anew()

    # What falls due

    @property
    def due(self) -> float:
        """When something is due (monotonic)."""
        return min(self.deadline.at, self._daemons.due)

    def tick(self) -> None:
        """Let the machine look at what is due."""
        self._daemons.look()
        if self._core.now >= self.deadline.at:
            self._tell(LookAtDue())

    def journal_changed(self, state: JournalState, text: str) -> None:
        """Take note of whether Redis is there."""
        self._daemons.redis(is_there=state is JournalState.OK, text=text)

    def settle(self) -> None:
        """Tell the machine what has happened."""
        core = self._core
        news, core.alarm_news = core.alarm_news, []
        for event in news:
            self._tell(event)
        if news:
            self._keeper.shorten()

    def program_done(self, done: ProgramDone) -> bool:
        """Take the end of the site's command; return whether it is ours."""
        if done.job != self._job:
            return False
        self._job = None
        trouble = trouble_of(done, self._core.config.alarms.command_timeout_s)
        if trouble:
            self._core.say("error", f"the alarm command: {trouble}")
        self._tell(CommandEnded(self._told, trouble))
        return True

    # Operations

    def operate(self, asked: Asked, command: AnyAlarmsCommand) -> Answer:
        """Carry out an operation."""
        if isinstance(command, AlarmsList):
            return Answer(Outcome.OK, "", self._listed(command))
        done, output = self.machine.operate(self._core.instant, AlarmOperation(command, asked.user))
        self._carry_out(output)
        return Answer(done.outcome, done.message, done.result, unknown=done.unknown)

    def _listed(self, command: AlarmsList) -> Page:
        fold = self.machine.fold
        listed = sorted(
            (
                alarm
                for alarm in fold.alarms.values()
                if alarm.number > command.newer_than
                and (command.everything or alarm.active or alarm.is_new)
            ),
            key=urgency,
        )
        new = len(fold.new)
        return page(
            numbered(listed, command.since, lambda alarm: alarm),
            self._core.page_bytes,
            lambda next_: AlarmsResult(new=new, last=fold.last, next=next_),
        )

    def snapshot(self) -> Answer:
        """Return the whole of the channel `alarms`."""
        core = self._core
        result = SnapshotResult(
            channel=ALARMS,
            term=core.term,
            seq=core.feed.last(ALARMS),
            alarms=AlarmsEvent(
                alarms=tuple(self.machine.fold.alarms.values()), last=self.machine.fold.last
            ),
        )
        return Answer(Outcome.OK, "", result)

    # What goes in and out

    def _tell(self, event: AlarmInput) -> None:
        self._carry_out(self.machine.handle(self._core.instant, event))

    def _carry_out(self, output: Iterable[AlarmOutput]) -> None:
        core = self._core
        for one in output:
            match one:
                case KeepRecord(record):
                    self._keeper.keep(record)
                case TellOthers(alarms):
                    self._job = core.next_job()
                    self._told = tuple(alarm.number for alarm in alarms)
                    core.after(program_of(core.config.alarms, self._job, alarms))
        self.deadline.ask()

    def _events(self, encoded: EncodedHosted) -> Iterator[Effect]:
        """Yield the events that tell observers of what a commit has changed."""
        core, fold = self._core, self.machine.fold
        numbers: dict[int, None] = {}
        for record in cast("tuple[AlarmRecord, ...]", encoded.records):
            match record:
                case AlarmRaised(alarm=alarm):
                    numbers[alarm.number] = None
                case AlarmRepeated(number=number) | AlarmCleared(number=number):
                    numbers[number] = None
                case AlarmsKept():
                    numbers.update(dict.fromkeys(fold.alarms))
                case _:
                    numbers.update(dict.fromkeys(record.numbers))
        there = [fold.alarms[number] for number in numbers if number in fold.alarms]
        gone = tuple(number for number in numbers if number not in fold.alarms)
        for some in _parts(there):
            payload = to_json(AlarmsEvent(alarms=some, gone=gone, last=fold.last))
            yield core.feed.publish(ALARMS, core.wall, payload)
            gone = ()


def _parts(alarms: list[Alarm]) -> Iterator[tuple[Alarm, ...]]:
    """Yield them in parts, one at least."""
    for begin in range(0, max(len(alarms), 1), EVENT_ALARMS_MAX):
        yield tuple(alarms[begin : begin + EVENT_ALARMS_MAX])
