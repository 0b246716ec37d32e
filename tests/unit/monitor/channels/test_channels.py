"""Channels: numbering, replay, retention, merging, slow readers, bounds. The clock is injected."""

import json
from collections.abc import Callable

from msgspec.structs import replace

from shotline.monitor.channels import (
    FRAME_BYTES,
    WHOLE_KEY,
    Channels,
    CloseCode,
    Due,
    Subscribed,
)
from shotline.monitor.channels.histories import Limits
from shotline.monitor.messages import Body, plain

LIMITS = Limits(retention_s=300.0, merge_beyond=5)


def message(number: int, size: int = 0) -> Body:
    return plain("TASK", 0.0, {"number": number, "filling": "x" * size})


def made(limits: Limits = LIMITS, whole: Callable[[str], Body | None] = lambda _: None) -> Channels:
    return Channels(limits, "life", whole)


def fill(channels: Channels, channel: str, numbers: range, key: str | None = None) -> None:
    for number in numbers:
        channels.publish(channel, message(number), key and key.format(number))


def read_plain(channels: Channels, reader: int) -> tuple[list[dict[str, object]], Due]:
    """Return all messages that a reader of the plain form gets, and what came last."""
    found: list[dict[str, object]] = []
    while True:
        due = channels.due(reader)
        channels.sent(reader)
        found += [json.loads(frame) for frame in due.frames]
        if not due.more:
            return found, due


def read_form(channels: Channels, reader: int) -> list[dict[str, object]]:
    """Return the frames that a reader of the subscribe form gets."""
    found: list[dict[str, object]] = []
    while True:
        due = channels.due(reader)
        channels.sent(reader)
        found += [json.loads(frame) for frame in due.frames]
        if not due.more:
            return found


def seqs(frames: list[dict[str, object]]) -> list[int]:
    found: list[int] = []
    for frame in frames:
        messages = frame.get("messages", [frame])
        assert isinstance(messages, list)
        found += [one["seq"] for one in messages]
    return found


def enter(
    channels: Channels, reader: int, channel: str = "T/1/INIT/1", *, form: bool = False
) -> None:
    channels.enter(reader, form=form)
    assert isinstance(channels.subscribe(reader, channel), Subscribed)


# Replay and order


def test_a_late_reader_gets_all_from_the_beginning_and_then_what_comes() -> None:
    channels = made()
    fill(channels, "T/1/INIT/1", range(1, 11))
    enter(channels, 1)
    first, _ = read_plain(channels, 1)
    assert [(one["seq"], one["number"]) for one in first] == [(n, n) for n in range(1, 11)]
    fill(channels, "T/1/INIT/1", range(11, 13))
    assert channels.waiting() == [1]
    assert seqs(read_plain(channels, 1)[0]) == [11, 12]
    assert channels.waiting() == []


def test_the_end_closes_a_plain_reader_after_the_last_message() -> None:
    channels = made()
    enter_after = message(1)
    channels.publish("T/1/INIT/1", enter_after)
    enter(channels, 1)
    channels.publish("T/1/INIT/1", message(2))
    channels.end(5.0, "T/1/INIT/1")
    got, last = read_plain(channels, 1)
    assert seqs(got) == [1, 2]
    assert last.close is CloseCode.ENDED


def test_the_end_is_told_to_a_reader_of_forms_who_stays() -> None:
    channels = made()
    channels.publish("T/1/INIT/1", message(1))
    enter(channels, 1, form=True)
    channels.end(5.0, "T/1/INIT/1")
    frames = read_form(channels, 1)
    assert frames[-1] == {"channel": "T/1/INIT/1", "ended": True}
    assert isinstance(channels.subscribe(1, "T/1/INIT/1"), Subscribed)


def test_nothing_is_added_after_the_end() -> None:
    channels = made()
    channels.publish("a", message(1))
    channels.end(0.0, "a")
    channels.publish("a", message(2))
    assert channels.seq("a") == 1


def test_a_long_history_comes_in_frames_of_limited_size() -> None:
    channels = made(replace(LIMITS, merge_beyond=10_000))
    for number in range(1, 31):
        channels.publish("a", message(number, FRAME_BYTES // 10))
    enter(channels, 1, "a", form=True)
    due = channels.due(1)
    assert due.more
    assert sum(map(len, due.frames)) < 1.3 * FRAME_BYTES
    channels.sent(1)
    rest = read_form(channels, 1)
    assert seqs([json.loads(frame) for frame in due.frames]) + seqs(rest) == list(range(1, 31))


# Retention


def test_an_ended_channel_is_there_until_its_time_is_over() -> None:
    channels = made()
    channels.publish("a", message(1))
    channels.end(1000.0, "a")
    assert channels.wake_at() == 1300.0
    channels.tick(1299.999)
    channels.enter(1, form=False)
    assert isinstance(channels.subscribe(1, "a"), Subscribed)
    channels.leave(1)
    channels.tick(1300.0)
    channels.enter(2, form=False)
    assert channels.subscribe(2, "a") is CloseCode.UNKNOWN
    assert channels.wake_at() is None


def test_a_channel_that_has_not_ended_stays() -> None:
    channels = made()
    channels.publish("a", message(1))
    channels.tick(1e9)
    assert "a" in channels


def test_dropping_gives_all_its_room_back() -> None:
    channels = made()
    before = channels.size
    fill(channels, "a", range(50))
    channels.end(0.0, "a")
    channels.tick(1e6)
    assert channels.size == before == 0


def test_who_still_reads_a_dropped_channel_is_told() -> None:
    channels = made()
    channels.publish("T/1", message(1))
    enter(channels, 1, "T/1", form=True)
    read_form(channels, 1)
    channels.drop("T/1")
    assert read_form(channels, 1) == [{"channel": "T/1", "ended": True}]


# Histories that are cut


def test_a_cut_history_says_so_in_its_first_message() -> None:
    channels = made(replace(LIMITS, history_bytes_max=10_000))
    for number in range(1, 101):
        channels.publish("a", message(number, 200))
    enter(channels, 1, "a")
    got, _ = read_plain(channels, 1)
    first = got[0]
    assert first["command"] == "CUT"
    assert first["from"] == 1
    assert first["to"] == got[1]["seq"] - 1  # type: ignore[operator]
    assert got[-1]["seq"] == 100
    assert channels.size <= 10_000 + 1_000


def test_a_history_without_its_beginning_says_so() -> None:
    channels = made()
    channels.lack_beginning("a", "the monitor was not there")
    channels.publish("a", message(2))
    enter(channels, 1, "a", form=True)
    (frame,) = read_form(channels, 1)
    messages = frame["messages"]
    assert isinstance(messages, list)
    assert messages[0]["command"] == "CUT"
    assert messages[0]["reason"] == "the monitor was not there"
    assert messages[1]["seq"] == 2


def test_all_histories_together_are_bounded() -> None:
    channels = made(replace(LIMITS, histories_bytes_max=100_000))
    channels.open("servers", lasting=True)
    for number in range(2_000):
        channels.publish(f"job{number % 500}", message(number, 100))
    assert channels.size <= 101_500
    assert "servers" in channels


def test_channels_that_only_were_opened_are_bounded_too() -> None:
    channels = made(replace(LIMITS, histories_bytes_max=50_000))
    for number in range(1_000):
        channels.open(f"nothing{number}")
    assert channels.size <= 52_000


def test_the_log_keeps_so_many_lines() -> None:
    channels = made(replace(LIMITS, log_lines_max=100))
    fill(channels, "log", range(1, 1001))
    enter(channels, 1, "log")
    got, _ = read_plain(channels, 1)
    assert 90 <= len(got) - 1 <= 100
    assert got[-1]["number"] == 1000


# Slow readers


def test_a_plain_reader_that_does_not_read_is_closed() -> None:
    channels = made(replace(LIMITS, queue_bytes_max=2_000))
    channels.publish("a", message(0))
    enter(channels, 1, "a")
    channels.due(1)  # under way, never taken
    for number in range(1, 100):
        channels.publish("a", message(number, 50))
    assert channels.waiting() == []
    assert channels.slow() == [1]
    assert channels.close_slow(1).close is CloseCode.SLOW
    assert channels.counts.slow_closed == 1


def test_a_long_history_makes_nobody_slow() -> None:
    channels = made(replace(LIMITS, queue_bytes_max=2_000))
    fill(channels, "a", range(1_000))
    enter(channels, 1, "a")
    assert channels.slow() == []
    assert len(read_plain(channels, 1)[0]) == 1_000


def test_a_reader_of_forms_who_is_behind_gets_the_latest_of_each_subject() -> None:
    channels = made()
    channels.publish("a", message(0), "a/0")
    enter(channels, 1, "a", form=True)
    read_form(channels, 1)
    for round_ in range(10):
        for action in range(3):
            channels.publish("a", message(100 * round_ + action), f"a/{action}")
    assert channels.slow() == []
    (frame,) = read_form(channels, 1)
    messages = frame["messages"]
    assert isinstance(messages, list)
    assert [one["number"] for one in messages] == [900, 901, 902]
    assert frame["merged"] == 27
    assert messages[-1]["seq"] == channels.seq("a")


def test_few_messages_are_not_merged() -> None:
    channels = made()
    channels.publish("a", message(0), "k")
    enter(channels, 1, "a", form=True)
    read_form(channels, 1)
    fill(channels, "a", range(1, 6), "k")
    (frame,) = read_form(channels, 1)
    assert frame["merged"] == 0
    assert seqs([frame]) == [2, 3, 4, 5, 6]


def test_a_whole_state_replaces_all_before_it() -> None:
    channels = made()
    channels.publish("a", message(0), "k0")
    enter(channels, 1, "a", form=True)
    read_form(channels, 1)
    fill(channels, "a", range(1, 20), "k{}")
    channels.publish("a", message(99), WHOLE_KEY)
    channels.publish("a", message(100), "k1")
    (frame,) = read_form(channels, 1)
    messages = frame["messages"]
    assert isinstance(messages, list)
    assert [one["number"] for one in messages] == [99, 100]


def test_what_cannot_be_merged_is_cut_for_a_slow_reader_and_said() -> None:
    channels = made(replace(LIMITS, queue_bytes_max=3_000))
    channels.publish("a", message(0))
    enter(channels, 1, "a", form=True)
    read_form(channels, 1)
    for number in range(1, 1_001):
        channels.publish("a", message(number, 100))
    frames = read_form(channels, 1)
    messages = frames[0]["messages"]
    assert isinstance(messages, list)
    assert messages[0]["command"] == "CUT"
    assert messages[0]["from"] == 2
    assert messages[-1]["number"] == 1_000
    numbers = seqs(frames)
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == len(numbers)
    assert sum(len(json.dumps(frame)) for frame in frames) < 6_000


def test_each_frame_is_made_once_for_all_who_stand_at_the_same_place() -> None:
    channels = made()
    channels.publish("a", message(0))
    for reader in range(200):
        enter(channels, reader, "a", form=True)
        read_form(channels, reader)
    channels.publish("a", message(1))
    waiting = channels.waiting()
    assert len(waiting) == 200
    assert len({id(channels.due(reader).frames[0]) for reader in waiting}) == 1


# Resuming


def test_a_reader_resumes_after_the_last_number_that_it_had() -> None:
    channels = made()
    fill(channels, "a", range(1, 11))
    channels.enter(1, form=True)
    answer = channels.subscribe(1, "a", since=7, life="life")
    assert answer == Subscribed(seq=7, ends=False)
    assert seqs(read_form(channels, 1)) == [8, 9, 10]


def test_numbers_of_another_life_begin_with_the_whole_state() -> None:
    channels = made(whole=lambda _: plain("WHOLE", 0.0, {"number": 77}))
    fill(channels, "a", range(1, 11))
    channels.enter(1, form=True)
    channels.subscribe(1, "a", since=7, life="another")
    frames = read_form(channels, 1)
    assert frames[0]["messages"] == [{"seq": 10, "command": "WHOLE", "time": 0.0, "number": 77}]
    assert len(frames) == 1


def test_a_history_that_was_cut_meanwhile_begins_with_the_whole_state() -> None:
    channels = made(
        replace(LIMITS, history_bytes_max=5_000), lambda _: plain("WHOLE", 0.0, {"number": 77})
    )
    fill(channels, "a", range(1, 201))
    channels.enter(1, form=True)
    channels.subscribe(1, "a", since=2, life="life")
    assert seqs(read_form(channels, 1)) == [200]


def test_a_whole_state_that_was_made_lately_serves_the_next_reader_too() -> None:
    asked: list[str] = []

    def whole(channel: str) -> Body:
        asked.append(channel)
        return plain("WHOLE", 0.0, {"filling": "x" * 1_000})

    channels = made(whole=whole)
    fill(channels, "a", range(1, 4))
    first: list[bytes] = []
    for reader in range(50):
        channels.enter(reader, form=True)
        channels.subscribe(reader, "a", whole=True)
        frames = channels.due(reader).frames
        assert seqs([json.loads(frames[0])]) == [3]
        first.append(frames[0])
        if reader == 20:
            channels.publish("a", message(4))
    assert asked == ["a"]
    assert all(frame is first[0] for frame in first), "those who sleep share it"
    channels.sent(3)
    assert seqs(read_form(channels, 3)) == [4]
    # What has come since is no longer much less than the state itself: there is a new one.
    fill(channels, "a", range(5, 15))
    channels.tick(0.0)
    enter_whole(channels, 50)
    assert seqs(read_form(channels, 50)) == [14]
    assert asked == ["a", "a"]


def enter_whole(channels: Channels, reader: int) -> None:
    channels.enter(reader, form=True)
    assert isinstance(channels.subscribe(reader, "a", whole=True), Subscribed)


def test_a_frame_is_made_once_for_all_who_stand_at_the_same_place() -> None:
    channels = made()
    for reader in range(10):  # each has another backlog
        fill(channels, "a", range(reader, reader + 1))
        enter(channels, reader, "a", form=True)
        read_form(channels, reader)
    for reader in range(10):
        read_form(channels, reader)
    channels.publish("a", message(100))
    frames = [frame for reader in channels.waiting() for frame in channels.due(reader).frames]
    assert len(frames) == 10
    assert all(frame is frames[0] for frame in frames)


def test_a_slow_reader_whose_place_was_cut_gets_the_whole_state() -> None:
    channels = made(
        replace(LIMITS, history_bytes_max=5_000), lambda _: plain("WHOLE", 0.0, {"number": 77})
    )
    channels.publish("a", message(0))
    enter(channels, 1, "a", form=True)
    channels.due(1)
    fill(channels, "a", range(1, 500))
    channels.sent(1)
    frames = read_form(channels, 1)
    assert seqs(frames) == [500]


def test_a_reader_may_not_subscribe_to_everything() -> None:
    channels = made(replace(LIMITS, reader_channels_max=2))
    channels.enter(1, form=True)
    for name in ("a", "b", "c"):
        channels.open(name)
    assert isinstance(channels.subscribe(1, "a"), Subscribed)
    assert isinstance(channels.subscribe(1, "b"), Subscribed)
    assert isinstance(channels.subscribe(1, "b"), Subscribed)
    assert channels.subscribe(1, "c") is CloseCode.TOO_MANY
    assert channels.unsubscribe(1, "a")
    assert isinstance(channels.subscribe(1, "c"), Subscribed)


def test_a_reader_that_has_left_costs_nothing() -> None:
    channels = made()
    enter_all = range(10)
    channels.publish("a", message(0))
    for reader in enter_all:
        enter(channels, reader, "a", form=True)
        channels.leave(reader)
    channels.publish("a", message(1))
    assert channels.waiting() == []
    assert not channels.has_readers("a")


def test_who_came_in_time_reads_to_the_end_but_holds_nothing_for_ever() -> None:
    channels = made()
    for channel in ("a", "b"):
        fill(channels, channel, range(1, 4))
        channels.end(0.0, channel)
    enter(channels, 1, "a")
    enter(channels, 2, "b")
    enter(channels, 3, "b", form=True)
    channels.tick(300.0)
    assert "a" not in channels, "for who comes now it is gone"
    channels.enter(4, form=True)
    assert channels.subscribe(4, "a") is CloseCode.UNKNOWN
    assert seqs(read_plain(channels, 1)[0]) == [1, 2, 3]
    channels.tick(301.0)
    assert channels.ids() == ("b",)
    channels.tick(600.0)
    assert channels.ids() == ()
    assert read_plain(channels, 2)[1].close is CloseCode.SLOW
    assert [one["code"] for one in read_form(channels, 3)] == [CloseCode.SLOW]
