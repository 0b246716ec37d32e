"""Leases: who gets which record, for how long, and what becomes of it (V3). Pure."""

import heapq
from collections.abc import Callable, Iterable
from typing import Literal

from shotline.common.volumes import commands as r
from shotline.common.volumes.records import (
    CreditsSet,
    OrphansGone,
    RecordsDead,
    RecordsDone,
    RecordsLeased,
    RecordsReturned,
    RecordState,
)
from shotline.common.volumes.views import (
    LeasesResult,
    LeaseView,
    RecordsChangedResult,
    TokenAnswer,
    TokenFate,
    TokensResult,
)
from shotline.volumes.core import RULE, LedgerCore, Waiting, ok
from shotline.volumes.events import AnswerTo, LedgerAnswer
from shotline.volumes.fold import Item

LEFT = "its consumer has left"

_Why = Literal["", "no_credit", "limit", "elsewhere"]

_Act = Callable[[Item], TokenFate]


def _parse(token: str, life: str) -> tuple[int, int]:
    """Return the number and the attempt that name a lease; zeros where it is none of ours."""
    parts = token.split("-")
    if len(parts) == 3 and parts[0] == life and parts[1].isdecimal() and parts[2].isdecimal():
        return int(parts[1][:18]), int(parts[2][:9])
    return 0, 0


class Leasing:
    """Gives records to consumers, and takes them back."""

    def __init__(self, core: LedgerCore) -> None:
        self._core = core

    # Giving

    def lease(self, command_id: str, command: r.RecordsLease) -> LedgerAnswer | None:
        """Lease records; None: somebody waits for the first."""
        core = self._core
        core.require_group(command.group)
        core.seen(command.consumer, command.group, command.host)
        again = self.given(command_id, command.consumer)
        if again is not None:
            return again
        self._wait_no_more(command.consumer)  # for what it had asked before: it asks again
        items, why = self._take(command_id, command) if core.ready else ([], "")
        if items or not command.wait:
            return self._answer(items, why, command)
        core.waiting[command_id] = Waiting(command, core.now + command.wait)
        return None

    def given(self, command_id: str, consumer: str) -> LedgerAnswer | None:
        """Return what a command that has leased records is answered with again."""
        had = [
            item
            for item in self._core.taken_by(consumer)
            if item.lease is not None and item.lease.command == command_id
        ]
        return self._answer(had, "") if had else None

    def _take(self, command_id: str, command: r.RecordsLease) -> tuple[list[Item], _Why]:
        core = self._core
        group = core.group_of(command.group)
        had = len(core.fold.leased.get(command.consumer, ()))
        room = group.leases_per_consumer - had
        if room <= 0:
            return [], "limit"
        limit = min(command.limit, room)
        if group.credits:
            limit = min(limit, sum(core.fold.credits.get(command.group, {}).values()))
            if limit == 0:
                return [], "no_credit"
        taken: list[Item] = []
        while len(taken) < limit:
            item = core.offers.next(command.group, command.host, core.host_of, command.files_on)
            if item is None:
                break
            self._hold(command_id, command, item)
            taken.append(item)
        if taken and group.credits:
            self._spend(command.group, len(taken))
        if not taken and self._elsewhere(command):
            return taken, "elsewhere"
        return taken, ""

    def _elsewhere(self, command: r.RecordsLease) -> str:
        """Return where the file of the record is that would be leased, were it where it must be."""
        core = self._core
        if not command.files_on:
            return ""
        item = core.offers.next(command.group, command.host, core.host_of)
        return "" if item is None else core.host_of(item)

    def _hold(self, command_id: str, command: r.RecordsLease, item: Item) -> None:
        core = self._core
        group = core.group_of(command.group)
        core.put(
            RecordsLeased(
                time=core.wall,
                group=command.group,
                consumer=command.consumer,
                host=command.host,
                numbers=(item.number,),
                hold_s=command.hold_s or group.lease_s,
                command=command_id,
            )
        )
        core.hold(item)

    def _spend(self, group: str, count: int) -> None:
        core = self._core
        for consumer, had in list(core.fold.credits.get(group, {}).items()):
            spent = min(had, count)
            count -= spent
            if spent:
                self._set_credits(group, consumer, had - spent)

    def _set_credits(self, group: str, consumer: str, count: int) -> None:
        core = self._core
        core.put(CreditsSet(time=core.wall, group=group, consumer=consumer, credits=count))
        core.stirred[group] = None

    def _answer(
        self, items: list[Item], code: _Why, command: r.RecordsLease | None = None
    ) -> LedgerAnswer:
        core = self._core
        where = self._elsewhere(command) if command is not None else ""
        why = {
            "": "",
            "no_credit": "nobody has asked for a record to be sent",
            "limit": "this consumer has as many records as its group allows",
            "elsewhere": f"ready records have their files on {where}, where they can be verified",
        }[code]
        result = LeasesResult(
            leases=tuple(map(self._view, items)), why=why if not items else "", code=code
        )
        count = len(items)
        said = (
            f"{count} record{'' if count == 1 else 's'}" if items else why or "no record is ready"
        )
        core.causes["leased"] += count
        return ok(said, result)

    def _view(self, item: Item) -> LeaseView:
        core, file = self._core, item.file
        volume = core.fold.volumes[item.volume]
        due = core.due.get(item.number)
        return LeaseView(
            token=core.token(item),
            number=item.number,
            group=item.group,
            volume=item.volume,
            host=core.host_of(item),
            folder=volume.folder,
            path=file.path,
            generation=file.generation,
            size_b=file.size_b,
            checksum=file.checksum,
            companions=file.companions,
            part=item.part,
            run=file.run,
            record_type=file.record_type,
            key=item.key,
            fields=file.fields,
            attempt=item.tries,
            hold_s=max(due - core.now, 0.0) if due is not None else 0.0,
        )

    def serve_waiting(self) -> None:
        """Give what has come up to those who wait, the first first."""
        core = self._core
        if not core.ready or not core.waiting:
            core.stirred.clear()
            return
        stirred, core.stirred = core.stirred, {}
        for command_id, one in list(core.waiting.items()):
            if one.command.group not in stirred:
                continue
            items, _ = self._take(command_id, one.command)
            if items:
                del core.waiting[command_id]
                self._reply(command_id, self._answer(items, ""))
        core.stirred.clear()

    def _reply(self, command_id: str, answer: LedgerAnswer) -> None:
        self._core.out.append(AnswerTo(command_id, "records_lease", answer))

    # What consumers say

    def renew(self, command: r.RecordsRenew) -> LedgerAnswer:
        """Begin the time of leases anew."""
        self._core.seen(command.consumer)

        def renewed(item: Item) -> TokenFate:
            self._core.hold(item)
            return TokenFate.OK

        answers = [
            self._own(token, command.consumer, renewed) for token in dict.fromkeys(command.tokens)
        ]
        return self._told(answers, "renewed")

    def complete(self, command: r.RecordsComplete) -> LedgerAnswer:
        """Let records be done."""
        core = self._core
        consumer = core.seen(command.consumer)
        done: list[Item] = []

        def completed(item: Item) -> TokenFate:
            done.append(item)
            self._done(item, command.consumer)
            return TokenFate.OK

        answers = []
        for token in command.tokens:
            answer = self._own(token, command.consumer, completed)
            if answer.fate is TokenFate.LATE:
                item = self._of(token)
                assert item is not None
                completed(item)
            answers.append(answer)
        consumer.done += len(done)
        consumer.rate.add(core.now, len(done))
        return self._told(answers, "completed")

    def _done(self, item: Item, consumer: str) -> None:
        core = self._core
        core.put(RecordsDone(time=core.wall, consumer=consumer, numbers=(item.number,)))
        core.done(item)
        core.causes["done"] += 1

    def give_back(self, command: r.RecordsReturn) -> LedgerAnswer:
        """Offer records again, or never again."""
        self._core.seen(command.consumer)

        def returned(item: Item) -> TokenFate:
            reason = command.reason or "given back"
            if item.state is RecordState.ORPHANED:
                self._orphan_gone(item)
            elif command.never:
                self._die(item, f"{command.consumer}: {command.reason or 'never again'}")
            else:
                self._return(item, command.delay_s, f"{command.consumer}: {reason}")
            return TokenFate.OK

        answers = [
            self._own(token, command.consumer, returned) for token in dict.fromkeys(command.tokens)
        ]
        return self._told(answers, "given up" if command.never else "given back")

    def credit(self, command: r.RecordsCredit) -> LedgerAnswer:
        """Take note that somebody asks for more records to be sent."""
        core = self._core
        core.require_group(command.group)
        core.seen(command.consumer, command.group)
        had = core.fold.credits.get(command.group, {}).get(command.consumer, 0)
        count = min(had + command.credits, 10_000)
        self._set_credits(command.group, command.consumer, count)
        changed = RecordsChangedResult(records=count)
        return ok(f"{command.consumer} waits for {count} records", changed)

    def leave(self, command: r.RecordsLeave) -> LedgerAnswer:
        """Take everything back from a consumer who goes."""
        core = self._core
        core.consumers.pop(command.consumer, None)
        self._end_credits(command.consumer)
        self._wait_no_more(command.consumer)
        had = list(core.taken_by(command.consumer))
        for item in had:
            if item.state is RecordState.ORPHANED:
                self._orphan_gone(item)
            else:
                self._return(item, 0.0, LEFT)
        changed = RecordsChangedResult(records=len(had))
        return ok(f"{command.consumer} has left; {len(had)} records were given back", changed)

    def _wait_no_more(self, consumer: str) -> None:
        core = self._core
        for command_id, one in list(core.waiting.items()):
            if one.command.consumer == consumer:
                del core.waiting[command_id]
                self._reply(command_id, self._answer([], ""))

    def _of(self, token: str) -> Item | None:
        number = _parse(token, self._core.fold.life)[0]
        return self._core.fold.items.get(number)

    def _own(self, token: str, consumer: str, act: _Act) -> TokenAnswer:
        """Do something with the record of a lease that stands; say what became of others."""
        core = self._core
        number, attempt = _parse(token, core.fold.life)
        item = core.fold.items.get(number)
        if item is None:
            is_known = 0 < number < core.fold.next_number
            return TokenAnswer(
                token=token, fate=TokenFate.DUPLICATE if is_known else TokenFate.UNKNOWN
            )
        if item.lease is None:
            return TokenAnswer(token=token, fate=TokenFate.LATE)
        if attempt != item.attempts or item.lease.consumer != consumer:
            return TokenAnswer(token=token, fate=TokenFate.SUPERSEDED)
        return TokenAnswer(token=token, fate=act(item))

    def _told(self, answers: list[TokenAnswer], word: str) -> LedgerAnswer:
        fates: dict[str, int] = {}
        for answer in answers:
            fates[answer.fate.value] = fates.get(answer.fate.value, 0) + 1
        good = fates.pop(TokenFate.OK.value, 0)
        rest = "".join(f"; {count} {fate}" for fate, count in fates.items())
        return ok(f"{good} {word}{rest}", TokensResult(answers=tuple(answers)))

    # Ends of leases

    def _return(
        self,
        item: Item,
        delay_s: float,
        reason: str,
        why: Literal["given_back", "expired"] = "given_back",
    ) -> None:
        core = self._core
        group = core.group_of(item.group)
        if item.tries >= group.max_attempts:
            self._die(item, f"leased {item.tries} times and not completed; at last: {reason}")
            return
        core.causes[why] += 1
        core.put(
            RecordsReturned(
                time=core.wall,
                numbers=(item.number,),
                delay_s=delay_s,
                reason=reason[:1000],
                why=why,
            )
        )

    def _die(self, item: Item, reason: str) -> None:
        core = self._core
        core.causes["dead"] += 1
        core.put(RecordsDead(time=core.wall, numbers=(item.number,), reason=reason[:1000]))

    def _orphan_gone(self, item: Item) -> None:
        core = self._core
        core.put(OrphansGone(time=core.wall, numbers=(item.number,)))

    def _end_credits(self, consumer: str) -> None:
        for group, of_group in list(self._core.fold.credits.items()):
            if consumer in of_group:
                self._set_credits(group, consumer, 0)

    # Time

    def recovered(self) -> None:
        """Give every lease and every consumer its whole time again."""
        core = self._core
        for item in core.fold.items.values():
            if item.lease is not None and not item.group.startswith(RULE):
                core.hold(item)
        for group, of_group in core.fold.credits.items():
            for consumer in of_group:
                core.seen(consumer, group)

    def due_at(self) -> Iterable[float]:
        """Yield when something is due."""
        core = self._core
        deadlines = core.deadlines
        while deadlines and core.due.get(deadlines[0][1]) != deadlines[0][0]:
            heapq.heappop(deadlines)
        if deadlines:
            yield deadlines[0][0]
        if core.consumers:
            lost_s = core.section.consumer_lost_s
            yield min(one.seen for one in core.consumers.values()) + lost_s
        if core.waiting:
            yield min(one.until for one in core.waiting.values())

    def tick(self) -> None:
        """End leases that have had their time, and let go consumers that say nothing."""
        core = self._core
        now, deadlines = core.now, core.deadlines
        while deadlines and deadlines[0][0] <= now:
            due, number = heapq.heappop(deadlines)
            if core.due.get(number) == due:
                self._expired(core.fold.items[number])
        waits = {one.command.consumer for one in core.waiting.values()}
        for consumer in list(core.consumers.values()):
            if consumer.name in waits:
                consumer.seen = now
            elif now >= consumer.seen + core.section.consumer_lost_s:
                self._end_credits(consumer.name)
                del core.consumers[consumer.name]
        for command_id, one in list(core.waiting.items()):
            if now >= one.until:
                del core.waiting[command_id]
                # Once more: what has come up meanwhile may have been another's.
                items, why = self._take(command_id, one.command) if core.ready else ([], "")
                self._reply(command_id, self._answer(items, why, one.command))

    def _expired(self, item: Item) -> None:
        core = self._core
        assert item.lease is not None
        consumer = item.lease.consumer
        if item.state is RecordState.ORPHANED:
            self._orphan_gone(item)
            return
        delays = core.group_of(item.group).retry_delays_s
        delay_s = delays[min(item.tries, len(delays)) - 1] if delays else 0.0
        self._return(item, delay_s, f"{consumer} has not completed it in time", "expired")
