"""What is kept in memory for a Redis that forgets."""

from hypothesis import given
from hypothesis import strategies as st

from shotline.dispatcher.journal.layout import CommitId
from shotline.dispatcher.journal.recent import RecentCommits


def test_old_commits_are_dropped_and_new_ones_kept() -> None:
    recent = RecentCommits(keep_s=10.0, bytes_max=100)
    for number in range(1, 31):
        recent.add(float(number), CommitId(3, number), (b"x",), 1)
    assert [kept.id.number for kept in recent.since(CommitId(3, 1))] == list(range(20, 31))
    assert [kept.id.number for kept in recent.since(CommitId(3, 29))] == [29, 30]


@given(st.lists(st.binary(max_size=30)), st.integers(1, 60))
def test_the_newest_are_kept_within_the_bytes(requests: list[bytes], bytes_max: int) -> None:
    recent = RecentCommits(keep_s=10.0, bytes_max=bytes_max)
    for number, request in enumerate(requests, start=1):
        recent.add(0.0, CommitId(1, number), (request,), len(request))
    kept = recent.since(CommitId(1, 0))
    assert sum(one.size for one in kept) <= bytes_max
    assert [one.arguments[0] for one in kept] == requests[len(requests) - len(kept) :]


def test_a_commit_that_was_written_again_is_kept_anew() -> None:
    recent = RecentCommits(keep_s=10.0, bytes_max=100)
    recent.add(0.0, CommitId(1, 1), (b"a",), 1)
    recent.since(CommitId(1, 1))[0].at = 9.0
    recent.add(15.0, CommitId(1, 2), (b"b",), 1)
    assert [kept.id.number for kept in recent.since(CommitId(1, 1))] == [1, 2]
