"""The pulse queue as pages are shown it: the fold of the channel `queue`. Pure."""

from collections.abc import Iterator

from shotline.client.observer import News, Update, Whole
from shotline.common.channels import QUEUE
from shotline.common.machine import Instant
from shotline.common.queue.fold import QueueFold
from shotline.common.queue.views import QueueEvent, QueueSnapshot, QueueView
from shotline.monitor.messages import Body, plans_message, plans_progress, whole_plans
from shotline.monitor.view.effects import Effect, Post

HISTORY_MAX = 100  # items that a page is shown with the whole


class PlansState:
    """What is known of the queue; nothing before its first whole."""

    def __init__(self) -> None:
        self.fold = QueueFold(HISTORY_MAX)
        self.queue: QueueView | None = None

    def whole(self, time: float) -> Body | None:
        """Return the whole state; None: nothing is known yet."""
        if self.queue is None:
            return None
        fold = self.fold
        return whole_plans(
            time,
            self.queue,
            [fold.entries[uid] for uid in fold.order],
            [fold.entries[uid] for uid in fold.proposals],
            list(fold.history),
        )

    def take(self, now: Instant, update: Update) -> Iterator[Effect]:
        """Take what is told of the queue."""
        match update:
            case Whole(snapshot=snapshot) if snapshot.queue is not None:
                self._begin(snapshot.queue)
                whole = self.whole(now.wall)
                assert whole is not None
                yield Post(QUEUE, whole, "whole")
            case News(payload=QueueEvent() as event) if self.queue is not None:
                yield from self._event(now, event)
            case _:
                pass

    def _begin(self, snapshot: QueueSnapshot) -> None:
        self.fold = QueueFold(HISTORY_MAX)
        self.fold.apply(snapshot.kept)
        self.fold.history.extend(snapshot.history)
        self.queue = snapshot.queue

    def _event(self, now: Instant, event: QueueEvent) -> Iterator[Effect]:
        for record in event.records:
            self.fold.apply(record)
        if event.queue is not None:
            self.queue = event.queue
            yield Post(QUEUE, plans_message(now.wall, event.records, event.queue))
        if event.progress is not None:
            yield Post(QUEUE, plans_progress(now.wall, event.progress), "progress")
