"""What an observer of one channel makes of events, beats and snapshots. Pure.

Subscribe first, then take a snapshot, drop what is not newer; a gap asks for a new snapshot, and a
feed that has stopped is said so. Subscribing and asking are the shell's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from shotline.common.alarms.views import AlarmsEvent
from shotline.common.base import Value
from shotline.common.channels import ALARMS, AUDIT, FEED, LOG, QUEUE, SERVERS, VOLUMES
from shotline.common.codec import describe
from shotline.common.errors import MalformedMessage
from shotline.common.messages import Event
from shotline.common.queue.views import QueueEvent
from shotline.common.views import (
    AuditEvent,
    FeedBeat,
    LogEvent,
    OutputEvent,
    OutputLine,
    ServersEvent,
    ShotEvent,
    SnapshotResult,
)
from shotline.common.volumes.views import VolumesEvent

BUFFERED_MAX: Final = 10_000
SILENT_S: Final = 5.0
ASK_AGAIN_S: Final = 2.0

Payload = (
    ShotEvent
    | OutputEvent
    | ServersEvent
    | LogEvent
    | AuditEvent
    | QueueEvent
    | VolumesEvent
    | AlarmsEvent
    | FeedBeat
)


class News(Value):
    """One event of the channel, in order and without gaps."""

    channel: str
    at: float
    payload: Payload


class Whole(Value):
    """The channel's whole state: the first item, and again after something was missed."""

    channel: str
    snapshot: SnapshotResult


class FeedStopped(Value):
    """Nothing has come for `silent_s`; what is shown may be old until a Whole follows."""

    channel: str
    silent_s: float


class Unknown(Value):
    """Nothing is known any more of a channel that was followed; it is no longer."""

    channel: str
    why: str


Update = News | Whole | FeedStopped | Unknown


def lines_of(event: OutputEvent) -> Iterator[OutputLine]:
    """Yield an output event's lines with their numbers."""
    number = event.first
    for at, stream, text in event.pieces:
        kind: Literal[0, 1, 2] = 2 if stream == 2 else 1 if stream == 1 else 0
        for line in text.split("\n"):
            yield OutputLine(number=number, at=at, stream=kind, text=line)
            number += 1


class Tails:
    """Tells news of lines that have not ended from what came late, of one attempt's output.

    What was read as stored may be newer than the events that waited meanwhile.
    """

    def __init__(self) -> None:
        self._at: dict[int, float] = {}  # by stream: wall time of what is known

    def ended(self, line: OutputLine) -> None:
        """Take a whole line."""
        self._at[line.stream] = max(line.at, self._at.get(line.stream, line.at))

    def is_news(self, tail: OutputLine) -> bool:
        """Take a line that has not ended. Return whether nothing newer is known of its stream."""
        is_news = tail.at >= self._at.get(tail.stream, tail.at)
        if is_news:
            self._at[tail.stream] = tail.at
        return is_news


def payload_of(event: Event) -> Payload:
    """Return what an event carries. Raise MalformedMessage when it is none of ours."""
    kinds: dict[str, type[Payload]] = {
        "shot": ShotEvent,
        "output": OutputEvent,
        SERVERS: ServersEvent,
        LOG: LogEvent,
        AUDIT: AuditEvent,
        QUEUE: QueueEvent,
        VOLUMES: VolumesEvent,
        ALARMS: AlarmsEvent,
        FEED: FeedBeat,
    }
    kind = kinds.get(event.channel.split("/", 1)[0])
    if kind is None:
        raise MalformedMessage(f"an event of an unknown channel {event.channel[:80]!r}")
    try:
        return msgspec.json.decode(event.payload, type=kind)
    except ValueError as error:
        raise MalformedMessage(f"{event.channel}: {describe(error)}") from error


@dataclass(slots=True)
class Observer:
    """One channel as its observer has it. `now` is monotonic seconds."""

    channel: str
    started_at: float
    term: int = -1
    seq: int = -1
    has_snapshot: bool = False
    stopped: bool = False
    from_start: bool = False  # heard of by its first event: what comes before the whole is told
    _asked_at: float | None = None
    _heard_at: float | None = None
    _waiting: list[Event] = field(default_factory=list)
    _in_step: bool = False  # without a snapshot, but nothing was missed since the last one
    _held: SnapshotResult | None = None  # it is ahead of the events

    def wants_snapshot(self, now: float) -> bool:
        """Return whether to ask for one now; asking is then counted as done."""
        if self.has_snapshot:
            return False
        if self._asked_at is not None and now < self._asked_at + ASK_AGAIN_S:
            return False
        self._asked_at = now
        return True

    def wake_at(self) -> float:
        """Return when `tick` is due."""
        silent_at = (self._heard_at or self.started_at) + SILENT_S
        if self.has_snapshot or self._asked_at is None:
            return silent_at
        return min(silent_at, self._asked_at + ASK_AGAIN_S)

    def refresh(self) -> None:
        """Ask for the whole again: events tell of something that they do not carry.

        What comes meanwhile is no gap: it is told in order, before the whole or after it.
        """
        if self.has_snapshot:
            self.has_snapshot = False
            self._asked_at = None
            self._in_step = True

    def tick(self, now: float) -> list[Update]:
        """Say once when the feed has been silent for too long."""
        silent_s = now - (self._heard_at or self.started_at)
        if self.stopped or silent_s < SILENT_S:
            return []
        return self._stop(silent_s)

    def _stop(self, silent_s: float) -> list[Update]:
        self.stopped = True
        self._forget()
        return [FeedStopped(self.channel, silent_s)]

    def snapshot(self, now: float, snapshot: SnapshotResult) -> list[Update]:
        """Take the channel's state, and what came after it was made."""
        self._asked_at = None
        if (snapshot.term, snapshot.seq) < (self.term, self.seq) and self.has_snapshot:
            return []
        if self._held is None and self._in_step and self._is_behind(snapshot):
            self._held = snapshot  # its events come by another way, and may come later
            self._asked_at = now
            return []
        return self._whole(now, snapshot)

    def _is_behind(self, snapshot: SnapshotResult) -> bool:
        """Return whether events before a snapshot have not come yet."""
        seq = self.seq
        for event in self._waiting:
            if event.term == self.term and event.seq == seq + 1:
                seq = event.seq
        return snapshot.term == self.term and seq < snapshot.seq

    def _whole(self, now: float, snapshot: SnapshotResult) -> list[Update]:
        """Tell what came before a snapshot, the snapshot, and what came after it."""
        self._held, self._in_step = None, False
        waiting, self._waiting = self._waiting, []
        updates: list[Update] = []
        for event in waiting:
            follows = event.term == self.term and event.seq == self.seq + 1
            if follows and (event.term, event.seq) <= (snapshot.term, snapshot.seq):
                self.seq = event.seq
                updates.append(News(self.channel, event.at, payload_of(event)))
        self.term, self.seq, self.has_snapshot = snapshot.term, snapshot.seq, True
        updates.append(Whole(self.channel, snapshot))
        for event in waiting:
            updates += self._take(event)
        if not self.has_snapshot:
            self._asked_at = now  # a gap already: not at once again, or nothing else gets through
        return updates

    def event(self, now: float, event: Event) -> list[Update]:
        """Take an event of the channel's."""
        self._hear(now)
        if self.from_start and self.term < 0 and event.seq == 1:
            self.term, self.seq, self._in_step = event.term, 0, True
        updates = self._take(event)
        if self._held is not None and not self._is_behind(self._held):
            updates += self._whole(now, self._held)
        return updates

    def beat(self, now: float, event: Event) -> list[Update]:
        """Take a beat of the feed: it shows what was lost at the end, and a farewell."""
        self._hear(now)
        if event.term < self.term:
            return []
        beat = msgspec.json.decode(event.payload, type=FeedBeat)
        if beat.leaving:
            return self._stop(0.0)
        last = beat.last.get(self.channel)
        if self.has_snapshot and (event.term > self.term or (last is not None and last > self.seq)):
            self._forget()
        return []

    def _take(self, event: Event) -> list[Update]:
        if not self.has_snapshot:
            if len(self._waiting) < BUFFERED_MAX:  # more is a gap, which shows by its number
                self._waiting.append(event)
            return []
        if (event.term, event.seq) <= (self.term, self.seq):
            return []
        if event.term != self.term or event.seq != self.seq + 1:
            self._forget()
            self._waiting.append(event)
            return []
        self.seq = event.seq
        return [News(self.channel, event.at, payload_of(event))]

    def _hear(self, now: float) -> None:
        self._heard_at = now
        self.stopped = False

    def _forget(self) -> None:
        self.has_snapshot = self._in_step = False
        self._asked_at = self._held = None
        self._waiting.clear()
