"""What anybody may cause as often as they like is told in part, and the rest counted."""

from shotline.common.tellings import ALL_BURST, EACH_BURST, SOURCES_MAX, Tellings


def told(tellings: Tellings, now: float, source: str, times: int) -> int:
    return sum(tellings.take(now, source) is not None for _ in range(times))


def test_of_each_source_the_first_are_told_and_then_one_a_second() -> None:
    tellings = Tellings()
    assert told(tellings, 100.0, "a", 1000) == EACH_BURST
    assert told(tellings, 100.5, "a", 1000) == 0
    assert told(tellings, 103.0, "a", 1000) == 3


def test_a_source_that_tells_much_does_not_hide_another() -> None:
    tellings = Tellings()
    told(tellings, 100.0, "a", 1000)
    assert tellings.take(100.0, "b") is not None


def test_what_was_not_told_is_counted_with_the_next() -> None:
    tellings = Tellings()
    assert tellings.take(100.0, "a") == 0
    told(tellings, 100.0, "a", EACH_BURST - 1 + 7)
    assert tellings.take(200.0, "b") == 7
    assert tellings.take(200.0, "b") == 0


def test_many_sources_together_are_bounded() -> None:
    tellings = Tellings()
    found = sum(tellings.take(100.0, str(number)) is not None for number in range(5 * SOURCES_MAX))
    assert found == ALL_BURST
