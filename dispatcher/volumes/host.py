"""Hosts the ledger of data records: journals its records, hands it commands and answers. Pure."""

from collections.abc import Iterable
from typing import Final, cast

from shotline.common.base import to_json
from shotline.common.channels import VOLUMES
from shotline.common.commands import encode_command
from shotline.common.dangers import Danger
from shotline.common.machine import KeptDeadline
from shotline.common.messages import Outcome, Reply, Request
from shotline.common.volumes import commands as r
from shotline.common.volumes.records import LedgerRecord
from shotline.common.volumes.views import (
    AnyRecordsResult,
    LedgerView,
    RecordsListResult,
    VolumesEvent,
)
from shotline.dispatcher.commands.answer import Answer, Asked
from shotline.dispatcher.commands.requests import Family, Requests
from shotline.dispatcher.core import RULES
from shotline.dispatcher.journal import Loaded
from shotline.dispatcher.journal.hosted import PartsKeeper
from shotline.dispatcher.reading.paging import page
from shotline.volumes.events import (
    AnswerTo,
    CommandAnswered,
    Give,
    Keep,
    LedgerAnswer,
    LedgerInput,
    LedgerOutput,
    Operation,
    Reconfigured,
    Recovered,
    TimePassed,
)
from shotline.volumes.machine import DataLedger

_FOREVER_S: Final = 1e12
TELL_S: Final = 1.0
"""Observers are told how everything stands so often, where it has changed."""

RECORDS_MAX: Final = 100_000  # of the ledger's stream, before it begins with a whole state again
PART_RECORDS: Final = 500
"""Of the whole state in one commit: some hundred kilobytes, about a millisecond."""


class VolumesHost(Family):
    """The ledger, and all that it has to do with the dispatcher."""

    def __init__(self, requests: Requests) -> None:
        super().__init__(requests)
        self.ledger = DataLedger(self._core.config, self._core.instant)
        self.deadline = KeptDeadline(self.ledger.wake_at)
        self._shown = LedgerView()
        self._tell_at = 0.0
        core, fold = self._core, self.ledger.core.fold
        self._keeper = PartsKeeper(
            VOLUMES,
            core.put_hosted,
            lambda: fold.parts(lambda: core.wall, PART_RECORDS),
            lambda since: fold.kept(core.wall, since),
            lambda: core.ledger.gathering,
        )
        requests.made_again[r.RecordsLease] = self._leased_again

    def load(self, loaded: Loaded) -> None:
        """Take what the journal holds of the ledger."""
        records = cast("tuple[LedgerRecord, ...]", loaded.hosted.get(VOLUMES, ()))
        self.ledger.load(records)
        self._keeper.loaded(len(records))
        self.deadline.ask()

    def recovered(self) -> None:
        """Let leases be given: the dispatcher dispatches."""
        self._tell(Recovered())

    def configured(self) -> None:
        """Take another configuration."""
        self._tell(Reconfigured(self._core.config))

    @property
    def due(self) -> float:
        """When the ledger looks at what is due, or observers hear of it (monotonic)."""
        return min(self.deadline.at, self._tell_at)

    def tick(self) -> None:
        """Let the ledger look at what is due."""
        if self._core.now >= self.deadline.at:
            self._tell(TimePassed())
        if self._core.now >= self._tell_at:
            self._tell_at = self._core.recurs_at(TELL_S)
            self._show()
        self._keeper.shorten(max(RECORDS_MAX, 2 * len(self.ledger.core.fold.items)))

    def write_anew(self) -> None:
        """Begin to journal the whole state of the ledger."""
        if self.ledger.core.fold.volumes:
            self._keeper.write_anew()

    def go_on(self) -> None:
        """Journal more of the whole state, where that has begun."""
        self._keeper.go_on()

    def view(self) -> LedgerView:
        """Return the whole of the channel `volumes`."""
        return self.ledger.telling.ledger()

    def _show(self) -> None:
        """Tell observers how everything stands, where it has changed."""
        view = self.view()
        if view == self._shown:
            return
        self._shown = view
        core = self._core
        payload = to_json(VolumesEvent(ledger=view))
        core.after(core.feed.publish(VOLUMES, core.wall, payload))

    def settle(self) -> bool:
        """Tell the ledger what has come of its rules' commands; return whether anything has."""
        inside, self._core.inside[RULES] = self._core.inside[RULES], []
        for message in inside:
            if isinstance(message, Reply) and message.outcome is not Outcome.ACCEPTED:
                exists = any(one.danger is Danger.PULSE_EXISTS for one in message.dangers)
                self._tell(CommandAnswered(message.id, message.outcome, message.message, exists))
        return bool(inside)

    def heard(self) -> dict[str, float]:
        """Return until when the watcher of each volume need not say anything (monotonic)."""
        core = self.ledger.core
        lost_s = core.section.watcher_lost_s
        return {f"watcher of {name}": seen + lost_s for name, (seen, _) in core.watchers.items()}

    def operate(self, asked: Asked, command: r.AnyRecordsCommand) -> Answer | None:
        """Carry out an operation; None: its answer follows."""
        if isinstance(command, r.RecordsList):
            return self._list(command)
        operation = Operation(asked.id, command, asked.user)
        answer, output = self.ledger.operate(self._core.instant, operation)
        self._carry_out(output)
        return None if answer is None else _answer(answer)

    def _leased_again(self, command_id: str, command: r.RecordsLease) -> AnyRecordsResult | None:
        """Return what a command that has leased records is answered with again."""
        found = self.ledger.leasing.given(command_id, command.consumer)
        return found.result if found is not None else None

    def _list(self, command: r.RecordsList) -> Answer:
        telling, items = self.ledger.telling, self.ledger.core.fold.items
        found = page(
            ((number, telling.record(items[number])) for number in telling.wanted(command)),
            self._core.page_bytes,
            lambda next_: RecordsListResult(next=next_),
        )
        return Answer(Outcome.OK, "", found)

    def _tell(self, event: LedgerInput) -> None:
        self._carry_out(self.ledger.handle(self._core.instant, event))

    def _carry_out(self, output: Iterable[LedgerOutput]) -> None:
        for one in output:
            match one:
                case Keep(record):
                    self._keeper.keep(record)
                case AnswerTo(command, verb, answer):
                    self._requests.answer_id(command, verb, _answer(answer))
                case Give(command_id, given):
                    request = Request(
                        id=command_id,
                        verb=given.verb,
                        deadline_s=_FOREVER_S,
                        user="rules of volumes",
                        command=encode_command(given),
                    )
                    self._requests.take(RULES, request)
        self.deadline.ask()


def _answer(answer: LedgerAnswer) -> Answer:
    return Answer(answer.outcome, answer.message, answer.result, unknown=answer.unknown)
