"""When a dispatcher may trust its term, and when a new one may take the next."""

import pytest

from shotline.common.settings.sections.redis import RedisSection
from shotline.dispatcher.journal.layout import NO_COMMIT, CommitId
from shotline.dispatcher.journal.standing import (
    Holder,
    Place,
    Standing,
    Succession,
    patience_s,
    still_s,
)

SECTION = RedisSection(timeout_s=2.0, retry_s=1.0)
STILL_S = still_s(SECTION)
PATIENCE_S = patience_s(SECTION)
OLD = Holder(7, "theirs", "host-a pid 12")


def standing(now: float = 100.0) -> Standing:
    """Return a dispatcher's that was connected and is awake."""
    made = Standing(SECTION)
    made.connected(now)
    made.wakes(now)
    return made


def test_whoever_is_awake_and_has_heard_is_not_in_doubt_however_long_redis_is_away() -> None:
    one = standing()
    one.stands(102.0)
    one.cut_off(103.0)
    for second in range(101, 1000):
        assert not one.wakes(float(second))
    assert one.doubt == ""


def test_a_pause_casts_a_doubt_that_only_a_later_question_ends() -> None:
    one = standing()
    assert not one.wakes(100.0 + STILL_S)
    assert one.wakes(200.0)
    assert "stood still for 95 s" in one.doubt
    one.stands(199.0)  # asked before
    assert one.doubt
    one.connected(201.0)
    assert one.doubt, "to be connected tells nothing"
    one.stands(201.0)
    assert one.doubt == ""


def test_a_redis_that_had_not_answered_before_it_went_away_casts_a_doubt() -> None:
    one = standing()
    one.stands(103.0)
    one.cut_off(103.0 + STILL_S)
    assert one.doubt == ""
    one.cut_off(104.0 + STILL_S)
    assert "Redis has not answered for 6 s" in one.doubt


def found(
    asks: str = "", holder: Holder | None = OLD, term: int = 7, process: bytes = b"1"
) -> Place:
    return Place(CommitId(term, 5), holder, asks, process)


@pytest.mark.parametrize(
    ("holder", "spill"),
    [(OLD, "theirs"), (OLD.having_left, "ours"), (OLD.having_left, "")],
)
def test_one_that_has_ended_is_not_asked(holder: Holder, spill: str) -> None:
    assert not Succession(SECTION, "me", spill).must_ask(found(holder=holder))


@pytest.mark.parametrize(
    ("holder", "spill"),
    [
        (OLD, "ours"),
        (OLD, ""),
        (OLD._replace(spill=""), ""),  # nobody could keep a name
        (OLD._replace(term=6), "theirs"),  # somebody else has claimed since
        (OLD.having_left._replace(term=6), "ours"),
        (None, "ours"),
    ],
)
def test_one_that_may_be_at_work_is_asked(holder: Holder | None, spill: str) -> None:
    assert Succession(SECTION, "me", spill).must_ask(found(holder=holder))


def test_nobody_is_asked_where_there_was_nobody() -> None:
    assert not Succession(SECTION, "me", "ours").must_ask(Place(NO_COMMIT, None, "", b""))


def test_the_place_is_taken_after_the_whole_patience_in_one_redis() -> None:
    one = Succession(SECTION, "me", "ours")
    assert not one.may_claim(0.0, found("me"))
    assert "host-a pid 12" in one.why(found("me"))
    at = 0.0
    while at < PATIENCE_S - 1.0:
        at += 1.0
        assert not one.may_claim(at, found("me"))
    assert one.may_claim(at + 1.0, found("me"))


@pytest.mark.parametrize(
    "between",
    [
        found("somebody else"),
        found(""),
        found("me", term=8),
        found("me", process=b"2"),
    ],
)
def test_the_patience_begins_anew(between: Place) -> None:
    one = Succession(SECTION, "me", "ours")
    at = 0.0
    while at < PATIENCE_S - 1.0:
        one.may_claim(at, found("me"))
        at += 1.0
    assert not one.may_claim(at, between)
    for _ in range(int(PATIENCE_S) - 1):
        at += 1.0
        assert not one.may_claim(at, found("me"))


def test_whoever_asks_and_stood_still_itself_begins_anew() -> None:
    one = Succession(SECTION, "me", "ours")
    one.may_claim(0.0, found("me"))
    assert not one.may_claim(10 * PATIENCE_S, found("me"))


def test_a_second_one_waits_for_the_first_that_asks() -> None:
    one = Succession(SECTION, "me", "ours")
    assert not one.may_claim(0.0, found("another"))
    assert "another" in one.why(found("another"))


def test_a_holder_is_read_as_it_was_written() -> None:
    assert Holder.parse(str(OLD).encode()) == OLD
    assert Holder.parse(b"nonsense") is None
    assert Holder.parse(str(OLD._replace(spill="")).encode()) == OLD._replace(spill="")
