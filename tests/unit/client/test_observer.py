"""An observer of a channel: whatever is lost, doubled or old, it ends with what is true (I6)."""

import random

import pytest

from shotline.client.observer import (
    ASK_AGAIN_S,
    FEED,
    SILENT_S,
    FeedStopped,
    News,
    Observer,
    Update,
    Whole,
    lines_of,
    payload_of,
)
from shotline.common.base import to_json
from shotline.common.errors import MalformedMessage
from shotline.common.messages import Event
from shotline.common.views import FeedBeat, LogEvent, OutputEvent, SnapshotResult

CHANNEL = "log"


def event(seq: int, term: int = 1) -> Event:
    payload = LogEvent(lines=((0.0, "info", "test", f"{term}.{seq}"),))
    return Event(channel=CHANNEL, term=term, seq=seq, at=0.0, payload=to_json(payload))


def beat(last: int | None, term: int = 1) -> Event:
    known = {} if last is None else {CHANNEL: last}
    payload = to_json(FeedBeat(last=known, journal="ok"))
    return Event(channel=FEED, term=term, seq=1, at=0.0, payload=payload)


def whole(seq: int, term: int = 1) -> SnapshotResult:
    return SnapshotResult(channel=CHANNEL, term=term, seq=seq)


def told(updates: list[Update]) -> list[str]:
    shown = []
    for update in updates:
        if isinstance(update, News):
            assert isinstance(update.payload, LogEvent)
            shown.append(update.payload.lines[0][3])
        else:
            shown.append("whole" if isinstance(update, Whole) else "stopped")
    return shown


@pytest.fixture
def observer() -> Observer:
    made = Observer(CHANNEL, 0.0)
    assert made.wants_snapshot(0.0)
    return made


def test_what_came_before_the_snapshot_is_told_after_it_and_only_once(observer: Observer) -> None:
    for seq in (1, 2, 3):
        assert observer.event(0.1, event(seq)) == []
    assert told(observer.snapshot(0.2, whole(2))) == ["whole", "1.3"]
    assert observer.event(0.3, event(3)) == []
    assert told(observer.event(0.3, event(4))) == ["1.4"]


def test_a_gap_asks_for_a_new_snapshot_at_once(observer: Observer) -> None:
    observer.snapshot(0.0, whole(1))
    assert observer.event(0.1, event(3)) == []
    assert observer.wants_snapshot(0.1)
    assert not observer.wants_snapshot(0.2)
    assert told(observer.snapshot(0.3, whole(3))) == ["whole"]


def test_a_snapshot_that_is_not_answered_is_asked_for_again(observer: Observer) -> None:
    assert not observer.wants_snapshot(ASK_AGAIN_S - 0.1)
    assert observer.wake_at() == ASK_AGAIN_S
    assert observer.wants_snapshot(ASK_AGAIN_S)


def test_a_lost_last_event_shows_in_the_beat(observer: Observer) -> None:
    observer.snapshot(0.0, whole(1))
    observer.beat(0.5, beat(1))
    assert not observer.wants_snapshot(0.5)
    observer.beat(1.5, beat(2))
    assert observer.wants_snapshot(1.5)


def test_another_dispatcher_asks_for_a_new_snapshot(observer: Observer) -> None:
    observer.snapshot(0.0, whole(7))
    observer.beat(0.5, beat(None, term=2))
    assert observer.wants_snapshot(0.5)
    assert told(observer.snapshot(0.6, whole(0, term=2))) == ["whole"]
    assert observer.event(0.7, event(8, term=1)) == []
    assert told(observer.event(0.7, event(1, term=2))) == ["2.1"]


def test_a_farewell_stops_the_feed_at_once_until_another_is_heard(observer: Observer) -> None:
    observer.snapshot(0.0, whole(7))
    farewell = to_json(FeedBeat(last={CHANNEL: 7}, journal="ok", leaving=True))
    ends = Event(channel=FEED, term=1, seq=2, at=0.0, payload=farewell)
    assert observer.beat(0.5, ends) == [FeedStopped(CHANNEL, 0.0)]
    assert observer.tick(0.5 + SILENT_S) == []
    assert observer.beat(9.0, beat(None, term=2)) == []
    assert observer.wants_snapshot(9.0)
    assert told(observer.snapshot(9.1, whole(0, term=2))) == ["whole"]


def test_a_beat_of_an_older_dispatcher_says_nothing(observer: Observer) -> None:
    observer.snapshot(0.0, whole(0, term=2))
    observer.beat(0.5, beat(99, term=1))
    assert not observer.wants_snapshot(0.5)


def test_a_feed_that_stops_says_so_once_and_begins_with_the_whole(observer: Observer) -> None:
    observer.snapshot(0.0, whole(1))
    observer.beat(1.0, beat(1))
    assert observer.tick(1.0 + SILENT_S - 0.1) == []
    (stopped,) = observer.tick(1.0 + SILENT_S)
    assert isinstance(stopped, FeedStopped)
    assert observer.tick(20.0) == []
    observer.beat(21.0, beat(5))
    assert observer.wants_snapshot(21.0)
    assert told(observer.snapshot(21.1, whole(5))) == ["whole"]
    assert told(observer.tick(21.1 + SILENT_S)) == ["stopped"]


@pytest.mark.parametrize("seed", range(200))
def test_with_any_losses_and_repeats_all_is_told_in_order_or_in_a_whole(seed: int) -> None:
    """The observer's number never goes back, never leaves one out, and reaches the last."""
    chance = random.Random(seed)
    observer = Observer(CHANNEL, 0.0)
    published, at, reached, now = 0, 0, 0, 0.0
    in_flight: list[Event] = []
    for step in range(400):
        now += chance.random()
        calm = step > 350  # the fault stops
        kind = chance.random()
        if kind < 0.5 and not calm:
            published += 1
            if chance.random() < 0.8:
                in_flight.append(event(published))
            if chance.random() < 0.1:
                in_flight.append(event(published))
        elif in_flight and kind < 0.8:
            updates = observer.event(now, in_flight.pop(0))
            at = follow(updates, at)
        elif kind < 0.9 or calm:
            in_flight.append(beat(published))
            while in_flight and calm:
                one = in_flight.pop(0)
                if one.channel == FEED:
                    observer.beat(now, one)
                else:
                    at = follow(observer.event(now, one), at)
            in_flight = [one for one in in_flight if one.channel != FEED]
        if observer.wants_snapshot(now) and (calm or chance.random() < 0.7):
            at = follow(observer.snapshot(now, whole(published)), at)
        assert at >= reached
        reached = at
    assert at == published


def follow(updates: list[Update], at: int) -> int:
    for update in updates:
        if isinstance(update, Whole):
            at = update.snapshot.seq
        elif isinstance(update, News):
            assert isinstance(update.payload, LogEvent)
            seq = int(update.payload.lines[0][3].split(".")[1])
            assert seq == at + 1
            at = seq
    return at


@pytest.mark.parametrize(
    ("channel", "payload"),
    [("nowhere", b"{}"), ("log", b"{"), ("log", b'{"lines": 3}'), ("shot/T/1", b'{"more": 1}')],
)
def test_what_is_no_event_is_malformed(channel: str, payload: bytes) -> None:
    with pytest.raises(MalformedMessage):
        payload_of(Event(channel=channel, term=1, seq=1, at=0.0, payload=payload))


def test_pieces_of_output_are_lines_with_numbers() -> None:
    output = OutputEvent(attempt=1, first=7, pieces=((1.0, 1, "a\nb"), (2.0, 2, "c"), (3.0, 0, "")))
    assert [(line.number, line.stream, line.text) for line in lines_of(output)] == [
        (7, 1, "a"),
        (8, 1, "b"),
        (9, 2, "c"),
        (10, 0, ""),
    ]


def test_a_refresh_loses_nothing_that_comes_before_its_snapshot(observer: Observer) -> None:
    observer.snapshot(0.0, whole(1))
    observer.refresh()
    assert observer.wants_snapshot(0.1)
    assert observer.event(0.2, event(2)) == []
    assert told(observer.snapshot(0.3, whole(2))) == ["1.2", "whole"]
    assert told(observer.event(0.4, event(3))) == ["1.3"]


def test_a_snapshot_that_is_ahead_of_its_events_waits_for_them(observer: Observer) -> None:
    """Replies and events come by different ways."""
    observer.snapshot(0.0, whole(1))
    observer.refresh()
    assert observer.wants_snapshot(0.1)
    assert observer.snapshot(0.2, whole(3)) == []
    assert observer.event(0.3, event(2)) == []
    assert told(observer.event(0.4, event(3))) == ["1.2", "1.3", "whole"]
    assert told(observer.event(0.5, event(4))) == ["1.4"]


def test_a_snapshot_does_not_wait_for_events_that_were_lost(observer: Observer) -> None:
    observer.snapshot(0.0, whole(1))
    observer.refresh()
    assert observer.wants_snapshot(0.1)
    assert observer.snapshot(0.2, whole(3)) == []
    assert observer.event(0.3, event(3)) == []
    assert observer.wants_snapshot(0.2 + ASK_AGAIN_S)
    assert told(observer.snapshot(2.5, whole(3))) == ["whole"]


def test_who_hears_of_a_channel_by_its_first_event_misses_none() -> None:
    observer = Observer(CHANNEL, 0.0, from_start=True)
    assert observer.event(0.0, event(1)) == []
    assert observer.wants_snapshot(0.0)
    assert observer.snapshot(0.1, whole(2)) == []
    assert told(observer.event(0.2, event(2))) == ["1.1", "1.2", "whole"]
