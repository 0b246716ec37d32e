"""The ledger's state machine: `operate` answers a command, `handle` takes what happens. Pure.

It hands both to the parts that decide; nothing else changes the fold. It is hosted by the
dispatcher, whose journal has its records.
"""

from collections.abc import Sequence

from shotline.common.machine import Instant
from shotline.common.settings.configuration import Config
from shotline.common.volumes import commands as r
from shotline.common.volumes.records import (
    LedgerRecord,
    OrderGiven,
    OrderKind,
    RecordsRedriven,
    RecordState,
    WatchOrder,
)
from shotline.common.volumes.views import RecordsChangedResult, RecordsCode
from shotline.volumes.announcing import Announcing
from shotline.volumes.core import LedgerCore, RecordsRefusal, ok
from shotline.volumes.events import (
    CommandAnswered,
    LedgerAnswer,
    LedgerInput,
    LedgerOutput,
    Operation,
    Reconfigured,
    Recovered,
    TimePassed,
)
from shotline.volumes.fold import Item
from shotline.volumes.following import Following
from shotline.volumes.leasing import Leasing
from shotline.volumes.telling import Telling

ORDERS_MAX = 100  # of a volume, that its watcher has not taken


class DataLedger:
    """The machine. Made with what its host knows; `load` takes what the journal holds."""

    def __init__(self, config: Config, instant: Instant) -> None:
        self.core = LedgerCore(config, instant)
        self._announcing = Announcing(self.core)
        self.leasing = Leasing(self.core)
        self._following = Following(self.core)
        self.telling = Telling(self.core)

    def load(self, records: Sequence[LedgerRecord]) -> None:
        """Take what the journal holds, once, before the first event."""
        core = self.core
        core.fold.loading = True
        for record in records:
            core.story.note(core.fold, record)
            core.fold.apply(record)
        core.fold.loaded()
        for item in core.fold.items.values():
            core.note(item)

    # Events

    def handle(self, instant: Instant, event: LedgerInput) -> list[LedgerOutput]:
        """Return what follows from an event. An operation's answer is `operate`'s."""
        core = self.core
        core.instant = instant
        match event:
            case Recovered():
                core.ready = True
                self.leasing.recovered()
                self._following.recovered()
                core.stirred.update(dict.fromkeys(self.telling.groups()))
            case Reconfigured(config=config):
                core.config = config
                core.stirred.update(dict.fromkeys(self.telling.groups()))
            case TimePassed():
                core.stirred.update(dict.fromkeys(core.offers.tick(core.now)))
                if core.ready:
                    self.leasing.tick()
            case CommandAnswered():
                self._following.answered(event)
        return self._go_on()

    def operate(
        self, instant: Instant, operation: Operation
    ) -> tuple[LedgerAnswer | None, list[LedgerOutput]]:
        """Carry out an operation; None: its answer follows as AnswerTo."""
        self.core.instant = instant
        if operation.id in self.core.waiting:
            return None, []  # a repeat of a command that still waits
        try:
            answer = self._operate(operation)
        except RecordsRefusal as refusal:
            return refusal.answer(), self._go_on()
        return answer, self._go_on()

    def _go_on(self) -> list[LedgerOutput]:
        core = self.core
        self._following.begin()
        self.leasing.serve_waiting()
        out, core.out = core.out, []
        return out

    def wake_at(self) -> float | None:
        """Return when TimePassed is due (monotonic); None while nothing is."""
        core = self.core
        delayed = core.offers.due_at()
        if not core.ready or not (core.deadlines or core.consumers or core.waiting):
            return delayed
        due = [*self.leasing.due_at()]
        if delayed is not None:
            due.append(delayed)
        return min(due, default=None)

    # Operations

    def _operate(self, operation: Operation) -> LedgerAnswer | None:
        command, leasing, announcing = operation.command, self.leasing, self._announcing
        match command:
            case r.RecordsLease():
                return leasing.lease(operation.id, command)
            case r.RecordsRenew():
                return leasing.renew(command)
            case r.RecordsComplete():
                return leasing.complete(command)
            case r.RecordsReturn():
                return leasing.give_back(command)
            case r.RecordsCredit():
                return leasing.credit(command)
            case r.RecordsLeave():
                return leasing.leave(command)
            case r.RecordsAnnounce():
                return announcing.announce(command)
            case r.RecordsGone():
                return announcing.gone(command)
            case r.RecordsWatch():
                return announcing.watch(command)
            case r.RecordsRemove(volume=volume, path=path, reason=reason):
                gone = r.RecordsGone(volume=volume, paths=(path,), reason=reason or "taken off")
                return announcing.gone(gone, operation.user or "an operator")
            case r.RecordsRedrive():
                return self._redrive(command, operation.user)
            case r.RecordsScan() | r.RecordsReplay():
                return self._order(operation.id, command, operation.user)
            case r.RecordsFile():
                return self.telling.file(command)
            case _:
                return ok("", self.telling.status())

    def _redrive(self, command: r.RecordsRedrive, user: str) -> LedgerAnswer:
        core = self.core
        if not command.numbers and command.group is None and command.volume is None:
            text = "say which: numbers of dead records, a group, or a volume"
            raise RecordsRefusal(RecordsCode.UNKNOWN_RECORD, text)
        chosen = self._dead(command)
        if chosen:
            numbers = tuple(item.number for item in chosen)
            core.put(RecordsRedriven(time=core.wall, by=user, numbers=numbers))
        return ok(
            f"{len(chosen)} records are offered again", RecordsChangedResult(records=len(chosen))
        )

    def _dead(self, command: r.RecordsRedrive) -> list[Item]:
        items = self.core.fold.items
        for number in command.numbers:
            item = items.get(number)
            if item is None:
                text = f"no record {number} is held: it is done, removed, or never was"
                raise RecordsRefusal(RecordsCode.UNKNOWN_RECORD, text)
            if item.state is not RecordState.DEAD:
                text = f"record {number} is {item.state}, not dead"
                raise RecordsRefusal(RecordsCode.NOT_DEAD, text)
        if command.numbers:
            return [items[number] for number in dict.fromkeys(command.numbers)]
        return [
            item
            for item in items.values()
            if item.state is RecordState.DEAD
            and command.group in (None, item.group)
            and command.volume in (None, item.volume)
        ]

    def _order(
        self, command_id: str, command: r.RecordsScan | r.RecordsReplay, user: str
    ) -> LedgerAnswer:
        core = self.core
        self._announcing.require_volume(command.volume)
        group = command.group if isinstance(command, r.RecordsReplay) else None
        if group is not None:
            core.require_group(group)
        orders = core.fold.volume(command.volume).orders
        if len(orders) >= ORDERS_MAX:
            text = f"the watcher of {command.volume} has {len(orders)} orders that it has not taken"
            raise RecordsRefusal(RecordsCode.FULL, text)
        order = WatchOrder(
            id=command_id,
            kind=OrderKind.REPLAY if group is not None else OrderKind.SCAN,
            since=command.since,
            pattern=command.pattern,
            group=group,
        )
        core.put(OrderGiven(time=core.wall, by=user, volume=command.volume, order=order))
        found = core.watchers.get(command.volume)
        here = found is not None and core.now < found[0] + core.section.watcher_lost_s
        waits = "" if here else "; it is not there now, and has it when it comes back"
        return ok(
            f"the watcher of {command.volume} will {order.kind}{waits}", RecordsChangedResult()
        )
