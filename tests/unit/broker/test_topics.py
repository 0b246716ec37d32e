"""What observers may subscribe to is bounded, for each and as a whole."""

from hypothesis import given
from hypothesis import strategies as st

from shotline.broker.topics import Topics


def test_who_subscribes_to_too_much_is_cut_off_once() -> None:
    topics = Topics(10, 100)
    assert topics.add(1, 10) == ""
    assert topics.add(2, 10) == ""
    assert "11 bytes" in topics.add(1, 1)
    assert topics.add(1, 5) == "", "it is being cut off already"
    topics.forget(1)
    assert topics.bytes == 10
    assert topics.add(1, 10) == "", "another has come under its number"


def test_all_together_are_bounded() -> None:
    topics = Topics(10, 25)
    assert [bool(topics.add(observer, 10)) for observer in (1, 2, 3)] == [False, False, True]
    topics.remove(1, 10)
    assert topics.add(4, 5) == ""


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 50))))
def test_what_is_counted_is_what_is_there(steps: list[tuple[int, int, int]]) -> None:
    topics = Topics(10**6, 10**6)
    truth: dict[int, int] = {}
    for observer, what, size in steps:
        if what == 0:
            topics.add(observer, size)
            truth[observer] = truth.get(observer, 0) + size
        elif what == 1:
            topics.remove(observer, size)
            truth[observer] = max(0, truth.get(observer, 0) - size)
        else:
            topics.forget(observer)
            truth.pop(observer, None)
        assert topics.bytes == sum(truth.values())
