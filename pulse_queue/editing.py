"""Changes of the list: add, propose, approve, update, move, remove, release (Q2, Q3). Pure."""

from collections.abc import Sequence

from msgspec import structs

from shotline.common.base import to_json
from shotline.common.messages import Outcome
from shotline.common.queue import commands as q
from shotline.common.queue.plans import Entry, EntryState, PulsePlan
from shotline.common.queue.records import (
    EntriesAdded,
    EntriesApproved,
    EntriesMoved,
    EntriesRemoved,
    EntryChanged,
)
from shotline.common.queue.views import (
    PlanAnswer,
    QueueEntriesResult,
    QueueState,
    RefusalCode,
)
from shotline.common.settings.sections.queue import QueueSection
from shotline.pulse_queue.checks import Checks, Seen
from shotline.pulse_queue.core import QueueCore, uid_of
from shotline.pulse_queue.events import QueueAnswer
from shotline.pulse_queue.groups import group_named
from shotline.pulse_queue.places import place_to_add, place_to_move, uid_at, unknown
from shotline.pulse_queue.refusal import QueueRefusal
from shotline.pulse_queue.table import state_of

NOTICES_MAX = 20
_GOOD = PlanAnswer(ok=True)


class Editing:
    """Carries out the operations on entries."""

    def __init__(self, core: QueueCore, checks: Checks) -> None:
        self._core = core
        self._checks = checks
        self._bytes: dict[str, int] = {}  # of each entry's plan

    # Coming in

    def add(self, command_id: str, command: q.QueueAdd, user: str) -> QueueAnswer:
        """Add plans, all or none."""
        place = place_to_add(self._core, command)
        entries, notices = self._made(command_id, command.plans, user, command.group)
        self._require_room(entries, len(self._core.fold.order), self._settings.entries_max)
        uids = tuple(one.uid for one in entries)
        self._core.put(EntriesAdded(time=self._core.wall, by=user, entries=entries, at=place))
        what = "1 plan" if len(entries) == 1 else f"{len(entries)} plans"
        self._core.changed(user, f"added {what}", uids)
        return self._answer(f"{what} added{self._runs_words()}", uids, notices)

    def propose(self, command_id: str, command: q.QueuePropose, user: str) -> QueueAnswer:
        """Note plans that somebody else is to approve."""
        entries, notices = self._made(command_id, command.plans, user, command.group)
        entries = tuple(structs.replace(one, state=EntryState.PROPOSED) for one in entries)
        count = len(self._core.fold.proposals)
        self._require_room(entries, count, self._settings.proposals_max)
        uids = tuple(one.uid for one in entries)
        self._core.put(EntriesAdded(time=self._core.wall, by=user, entries=entries, at=0))
        self._core.changed(user, f"proposed {len(entries)} plans", uids)
        return self._answer("proposed: it waits until somebody approves it", uids, notices)

    def approve(self, command: q.QueueApprove, user: str) -> QueueAnswer:
        """Put proposals into the queue."""
        fold = self._core.fold
        for uid in command.uids:
            if uid not in fold.proposals:
                what = "is no proposal" if uid in fold.entries else "is not there"
                code = (
                    RefusalCode.NOT_PROPOSED if uid in fold.entries else RefusalCode.UNKNOWN_ENTRY
                )
                raise QueueRefusal(code, f"entry {uid} {what}")
        uids = tuple(dict.fromkeys(command.uids))
        entries = [fold.entries[uid] for uid in uids]
        self._require_room((), len(fold.order) + len(uids), self._settings.entries_max)
        for entry in entries:
            _, group = group_named(self._core, entry.group)
            self._checks.check(entry.plan, entry.group, group)
        place = place_to_add(self._core, command)
        self._core.put(EntriesApproved(time=self._core.wall, by=user, uids=uids, at=place))
        self._core.changed(user, f"approved {len(uids)} proposals", uids)
        return self._answer(f"{len(uids)} approved{self._runs_words()}", uids)

    def entry_of(self, command_id: str, plan: PulsePlan, user: str, group: str) -> Entry:
        """Return the entry of a plan that is to run at once. Raise QueueRefusal."""
        entries, _ = self._made(command_id, (plan,), user, group)
        return entries[0]

    def _made(
        self, command_id: str, plans: Sequence[PulsePlan], user: str, group_name: str
    ) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
        """Return the entries of checked plans. Raise QueueRefusal with an answer for each."""
        core = self._core
        name, group = group_named(core, group_name)
        notices: dict[str, None] = {}
        answers: list[PlanAnswer] = []
        first: QueueRefusal | None = None
        entries: list[Entry] = []
        taken = set(core.fold.entries)
        seen: Seen = {}
        for number, given in enumerate(plans):
            plan = self._checks.given(given)
            try:
                found = self._checks.check(plan, name, group, seen)
            except QueueRefusal as refusal:
                first = first or refusal
                answers.append(PlanAnswer(ok=False, code=refusal.code, message=str(refusal)))
                continue
            notices.update(dict.fromkeys(found))
            answers.append(_GOOD)
            uid = uid_of(f"{command_id}:{number}", taken=taken)
            taken.add(uid)
            entries.append(
                Entry(uid=uid, plan=plan, user=user, group=group_name, added_at=core.wall)
            )
        if first is not None:
            bad = sum(not one.ok for one in answers)
            many = f" ({bad} of {len(plans)} plans are refused, none was added)"
            text = f"{first}{many if len(plans) > 1 else ''}"
            raise QueueRefusal(first.code, text, answers=tuple(answers))
        return tuple(entries), tuple(notices)[:NOTICES_MAX]

    def _require_room(
        self, entries: Sequence[Entry], there: int, most: int, *, without: str = ""
    ) -> None:
        if there + len(entries) > most:
            text = f"there are {there} of at most {most} already"
            raise QueueRefusal(RefusalCode.FULL, text)
        fold = self._core.fold
        if self._bytes.keys() != fold.entries.keys():
            known = self._bytes
            self._bytes = {
                uid: known.get(uid) or len(to_json(entry)) for uid, entry in fold.entries.items()
            }
        added = {one.uid: len(to_json(one)) for one in entries}
        size = sum(self._bytes.values()) - self._bytes.get(without, 0) + sum(added.values())
        if size > self._settings.bytes_max:
            text = f"the queue would have {size} bytes; at most {self._settings.bytes_max}"
            raise QueueRefusal(RefusalCode.FULL, f"{text} (queue.bytes_max)")
        self._bytes.update(added)

    # In place

    def update(self, command_id: str, command: q.QueueUpdate, user: str) -> QueueAnswer:
        """Give an entry another plan."""
        core = self._core
        before = self._named(command.uid)
        name, group = group_named(core, command.group)
        plan = self._checks.given(command.plan)
        notices = self._checks.check(plan, name, group)
        changed = structs.replace(before, plan=plan, changed_by=user, changed_at=core.wall)
        if command.group:
            changed = structs.replace(changed, group=command.group)
        if command.replace:
            uid = uid_of(f"{command_id}:0", taken=core.fold.entries)
            changed = structs.replace(
                changed, uid=uid, user=user, added_at=core.wall, result=None, rounds=0
            )
        self._require_room((changed,), 0, 1, without=before.uid)
        core.put(
            EntryChanged(
                time=core.wall,
                by=user,
                entry=changed,
                what="replaced" if command.replace else "updated",
                was=before.uid if command.replace else "",
            )
        )
        core.changed(user, f"changed entry {before.uid}", (before.uid, changed.uid))
        return self._answer(f"entry {changed.uid} changed", (changed.uid,), notices)

    def move(self, command: q.QueueMove, user: str) -> QueueAnswer:
        """Move entries, all or none."""
        core = self._core
        if bool(command.uids) == (command.source is not None):
            text = "name the entries, or the position of one"
            raise QueueRefusal(RefusalCode.BAD_POSITION, text)
        uids = tuple(dict.fromkeys(command.uids)) or (uid_at(core, command.source),)
        for uid in uids:
            if uid not in core.fold.entries or uid in core.fold.proposals:
                raise unknown(core, uid)
        beside = command.before or command.after
        wanted = set(uids)
        if beside in wanted:
            if len(uids) > 1:
                text = f"entry {beside} is to be moved itself"
                raise QueueRefusal(RefusalCode.BAD_POSITION, text)
            return self._answer(f"entry {beside} stays where it is", uids)
        if command.reorder:
            uids = tuple(uid for uid in core.fold.order if uid in wanted)
        rest = [uid for uid in core.fold.order if uid not in wanted]
        place = place_to_move(core, command, rest)
        core.put(EntriesMoved(time=core.wall, by=user, uids=uids, at=place))
        core.changed(user, f"moved {len(uids)} entries", uids)
        return self._answer(f"{len(uids)} moved", uids)

    def release(self, command: q.QueueRelease, user: str) -> QueueAnswer:
        """Let HELD entries run again; the person is named with them."""
        core = self._core
        for uid in command.uids:
            entry = self._named(uid)
            if entry.state is not EntryState.HELD:
                raise QueueRefusal(RefusalCode.NOT_HELD, f"entry {uid} is not HELD")
        for uid in dict.fromkeys(command.uids):
            entry = structs.replace(
                core.entry(uid), state=EntryState.QUEUED, held="", released_by=user
            )
            core.put(EntryChanged(time=core.wall, by=user, entry=entry, what="released"))
        core.changed(user, f"released {len(command.uids)} entries", command.uids)
        return self._answer(f"released by {user}{self._runs_words()}", command.uids)

    # Going

    def remove(self, command: q.QueueRemove, user: str) -> QueueAnswer:
        """Take entries or proposals out."""
        core, fold = self._core, self._core.fold
        if command.uids is not None and command.position is not None:
            text = "name the entries, or the position of one, not both"
            raise QueueRefusal(RefusalCode.BAD_POSITION, text)
        if command.uids is None:
            uids: tuple[str, ...] = (uid_at(core, command.position),)
        else:
            uids = tuple(dict.fromkeys(command.uids))
            missing = [uid for uid in uids if uid not in fold.entries]
            if missing and not command.ignore_missing:
                raise unknown(core, missing[0])
            uids = tuple(uid for uid in uids if uid in fold.entries)
        return self._removed(uids, user, f"{len(uids)} removed")

    def clear(self, user: str) -> QueueAnswer:
        """Take all entries out."""
        uids = tuple(self._core.fold.order)
        return self._removed(uids, user, f"the queue is empty: {len(uids)} removed")

    def _removed(self, uids: tuple[str, ...], user: str, text: str) -> QueueAnswer:
        core = self._core
        gone = tuple(core.entry(uid) for uid in uids)
        if uids:
            core.put(EntriesRemoved(time=core.wall, by=user, uids=uids))
            core.changed(user, f"removed {len(uids)} entries", uids)
        return QueueAnswer(Outcome.OK, text, self._result(gone))

    # Looking

    def get(self, command: q.QueueGet) -> QueueAnswer:
        """Return one entry."""
        core, fold = self._core, self._core.fold
        if command.uid is not None and command.position is not None:
            text = "name the entry or its position, not both"
            raise QueueRefusal(RefusalCode.BAD_POSITION, text)
        if command.uid is None:
            return self._answer("", (uid_at(core, command.position),))
        if command.uid not in fold.entries:
            raise unknown(core, command.uid)
        return self._answer("", (command.uid,))

    def added_by(self, command_id: str, count: int) -> QueueAnswer | None:
        """Return what a command that added plans is answered with again, as far as it is known."""
        uids = [uid_of(f"{command_id}:{number}", taken={}) for number in range(count)]
        there = tuple(uid for uid in uids if uid in self._core.fold.entries)
        return self._answer("", there) if there else None

    def _named(self, uid: str) -> Entry:
        fold = self._core.fold
        if uid not in fold.entries:
            raise unknown(self._core, uid)
        return fold.entries[uid]

    @property
    def _settings(self) -> QueueSection:
        return self._core.config.queue

    def _runs_words(self) -> str:
        """Say what follows for who adds something to a queue that is not idle."""
        match state_of(self._core.fold):
            case QueueState.IDLE:
                return "; the queue is idle: `shotline queue start` arms it"
            case QueueState.ARMED:
                return "; the queue is armed: it runs as soon as its turn comes"
            case state:
                return f"; the queue is {state.value}: it runs when its turn comes"

    def _answer(self, text: str, uids: Sequence[str], notices: tuple[str, ...] = ()) -> QueueAnswer:
        found = tuple(self._core.entry(uid) for uid in uids)
        return QueueAnswer(Outcome.OK, text, self._result(found), notices)

    def _result(self, entries: tuple[Entry, ...]) -> QueueEntriesResult:
        fold = self._core.fold
        if len(entries) == 1:
            places = [fold.order.index(entries[0].uid)] if entries[0].uid in fold.order else []
        else:
            at = {uid: place for place, uid in enumerate(fold.order)}
            places = [at[one.uid] for one in entries if one.uid in at]
        return QueueEntriesResult(
            entries=entries,
            positions=tuple(places),
            answers=(),
            total=len(fold.order),
            version=fold.versions.queue,
            state=state_of(fold),
        )
