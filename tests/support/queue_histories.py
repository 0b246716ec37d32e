"""Histories of the pulse queue: what a page is told, beside what the fold of the records is then.

    python -m tests.support.queue_histories

writes `tests/js/queue_histories.json`, which the page's fold is held to (`tests/js/queue.test.js`).
The steps are drawn by chance, of fixed seeds; what they become the fold and the monitor say.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from msgspec import structs

from shotline.client.observer import News, Update, Whole
from shotline.common.channels import QUEUE
from shotline.common.machine import Instant
from shotline.common.queue.fold import QueueFold
from shotline.common.queue.plans import (
    Entry,
    EntryState,
    ExitStatus,
    HistoryItem,
    PlanResult,
    PulsePlan,
)
from shotline.common.queue.records import (
    EntriesAdded,
    EntriesApproved,
    EntriesMoved,
    EntriesRemoved,
    EntryChanged,
    PlanEnded,
    PlanStarted,
    QueueKept,
    QueueRecord,
)
from shotline.common.queue.views import QueueEvent, QueueSnapshot, QueueState, QueueView
from shotline.common.views import SnapshotResult
from shotline.monitor.view.effects import Post
from shotline.monitor.view.queue import QueueBoard

FILE: Final = Path(__file__).parents[1] / "js" / "queue_histories.json"
STEPS: Final = 40
SEEDS: Final = (1, 2)

Json = dict[str, object]


class _History:
    """One queue's story, as it is told to a page."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._board = QueueBoard()
        self._numbers = 0
        self.steps: list[Json] = []
        kept = QueueKept(time=1.0)
        snapshot = QueueSnapshot(kept=kept, queue=self._view())
        self._tell(Whole(QUEUE, SnapshotResult(channel=QUEUE, term=1, seq=0, queue=snapshot)))

    @property
    def _fold(self) -> QueueFold:
        return self._board.fold

    def run(self) -> Json:
        """Return the whole story, and what somebody is told who comes at its end."""
        for _ in range(STEPS):
            record = self._drawn()
            if record is not None:
                event = QueueEvent(records=(record,), queue=self._view())
                self._tell(News(QUEUE, 1.0, event))
        whole = self._board.whole(1.0)
        assert whole is not None
        return {"steps": self.steps, "whole": json.loads(b"{" + whole)}

    def _view(self) -> QueueView:
        fold = self._fold
        return QueueView(
            state=QueueState.RUNNING if fold.running else QueueState.IDLE,
            text="",
            versions=fold.versions,
            history=len(fold.history),
        )

    def _tell(self, update: Update) -> None:
        for effect in self._board.take(Instant(1.0, 1.0), update):
            assert isinstance(effect, Post)
            fold = self._fold
            expected = {
                "order": list(fold.order),
                "proposals": list(fold.proposals),
                "states": {uid: one.state.value for uid, one in fold.entries.items()},
                "users": {uid: one.approved_by for uid, one in fold.entries.items()},
                "history": [item.entry.uid for item in fold.history],
            }
            self.steps.append({"message": json.loads(b"{" + effect.body), "expected": expected})

    def _drawn(self) -> QueueRecord | None:
        """Return the next thing that happens; None: what was drawn cannot happen now."""
        steps = (
            self._added,
            self._added,
            self._moved,
            self._moved,
            self._changed,
            self._removed,
            self._approved,
            self._started,
            self._ended,
        )
        return next(iter(self._random.choice(steps)()), None)

    def _entry(self, state: EntryState = EntryState.QUEUED) -> Entry:
        self._numbers += 1
        return Entry(uid=f"u{self._numbers}", plan=PulsePlan(kind="k"), state=state, added_at=1.0)

    def _some(self, uids: list[str]) -> tuple[str, ...]:
        return tuple(self._random.sample(uids, self._random.randint(1, min(3, len(uids)))))

    def _place(self, length: int) -> int:
        return self._random.randint(0, length)

    def _added(self) -> Iterator[QueueRecord]:
        proposed = self._random.random() < 0.3
        state = EntryState.PROPOSED if proposed else EntryState.QUEUED
        entries = tuple(self._entry(state) for _ in range(self._random.randint(1, 3)))
        at = 0 if proposed else self._place(len(self._fold.order))
        yield EntriesAdded(time=1.0, by="anna", entries=entries, at=at)

    def _moved(self) -> Iterator[QueueRecord]:
        order = self._fold.order
        if order:
            uids = self._some(order)
            yield EntriesMoved(
                time=1.0, by="ben", uids=uids, at=self._place(len(order) - len(uids))
            )

    def _changed(self) -> Iterator[QueueRecord]:
        uids = list(self._fold.entries)
        if uids:
            entry = self._fold.entries[self._random.choice(uids)]
            if self._random.random() < 0.5:
                new = structs.replace(entry, uid=self._entry().uid)
                yield EntryChanged(time=1.0, entry=new, what="replaced", was=entry.uid)
            else:
                new = structs.replace(entry, changed_by="ben")
                yield EntryChanged(time=1.0, entry=new, what="updated")

    def _removed(self) -> Iterator[QueueRecord]:
        uids = list(self._fold.entries)
        if uids:
            yield EntriesRemoved(time=1.0, by="ben", uids=self._some(uids))

    def _approved(self) -> Iterator[QueueRecord]:
        proposals = list(self._fold.proposals)
        if proposals:
            at = self._place(len(self._fold.order))
            yield EntriesApproved(time=1.0, by="anna", uids=self._some(proposals), at=at)

    def _started(self) -> Iterator[QueueRecord]:
        fold = self._fold
        if fold.order and fold.running is None:
            executed = self._random.random() < 0.2
            entry = self._entry() if executed else fold.entries[fold.order[0]]
            yield PlanStarted(time=1.0, entry=entry, plan=entry.plan, executed=executed)

    def _ended(self) -> Iterator[QueueRecord]:
        running = self._fold.running
        if running is not None:
            failed = self._random.random() < 0.5
            status = ExitStatus.FAILED if failed else ExitStatus.COMPLETED
            result = PlanResult(exit_status=status, began_at=1.0, ended_at=1.0)
            back = self._entry(EntryState.HELD) if failed else None
            item = HistoryItem(entry=running.entry, result=result)
            at_back = self._random.random() < 0.3
            yield PlanEnded(time=1.0, item=item, back=back, at_back=at_back)


def text() -> str:
    """Return the file as it is committed: a line for each history."""
    lines = [json.dumps(_History(seed).run(), separators=(",", ":")) for seed in SEEDS]
    return "[\n" + ",\n".join(lines) + "\n]\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
