"""Alive, suspect, lost: judged by silence, never while we ourselves did not listen."""

from hypothesis import given
from hypothesis import strategies as st

from shotline.broker.liveness import Judgement, PauseDetector, Watch
from shotline.common.messages import LivenessState

ALIVE, SUSPECT, LOST = LivenessState.ALIVE, LivenessState.SUSPECT, LivenessState.LOST


def states(judgements: list[Judgement[str]]) -> list[tuple[str, LivenessState]]:
    return [(judgement.peer, judgement.state) for judgement in judgements]


def test_a_silent_peer_is_suspect_then_lost_each_once() -> None:
    watch: Watch[str] = Watch(2, 10)
    assert watch.hear(0, "A") is None
    assert watch.wake_at() == 2
    assert watch.expire(1.9) == []
    assert watch.expire(2) == [Judgement("A", SUSPECT, "silent for 2.0 s")]
    assert watch.wake_at() == 10
    assert watch.expire(9.9) == []
    assert watch.expire(10) == [Judgement("A", LOST, "silent for 10.0 s")]
    assert watch.wake_at() is None
    assert "A" not in watch
    assert watch.state("A") is LOST


def test_a_peer_that_beats_is_never_judged() -> None:
    watch: Watch[str] = Watch(2, 10)
    for now in range(100):
        watch.hear(now, "A")
        assert watch.expire(now + 0.9) == []
    assert watch.state("A") is ALIVE


def test_a_suspect_that_is_heard_is_alive_and_counts_anew() -> None:
    watch: Watch[str] = Watch(2, 10)
    watch.hear(0, "A")
    watch.expire(5)
    assert watch.hear(6, "A") == Judgement("A", ALIVE, "heard again")
    assert watch.hear(6.5, "A") is None
    assert watch.wake_at() is not None
    assert states(watch.expire(8.5)) == [("A", SUSPECT)]


def test_a_broken_connection_makes_suspect_at_once_and_lost_no_sooner() -> None:
    watch: Watch[str] = Watch(2, 10)
    watch.hear(0, "A")
    assert watch.doubt("A", "its connection is broken") == Judgement(
        "A", SUSPECT, "its connection is broken"
    )
    assert watch.doubt("A", "again") is None
    assert watch.suspects() == ["A"]
    assert watch.expire(9.9) == []
    assert states(watch.expire(10)) == [("A", LOST)]
    assert watch.doubt("A", "too late") is None


def test_a_new_peer_beside_suspects_has_its_own_deadline() -> None:
    watch: Watch[str] = Watch(2, 10)
    watch.hear(0, "A")
    watch.expire(2)
    watch.hear(3, "B")
    assert watch.wake_at() == 5
    assert states(watch.expire(5)) == [("B", SUSPECT)]


def test_goodbye_ends_the_watch() -> None:
    watch: Watch[str] = Watch(2, 10)
    watch.hear(0, "A")
    watch.forget("A")
    watch.forget("A")
    assert watch.expire(100) == []
    assert len(watch) == 0


def test_after_a_gap_of_our_own_all_silences_count_from_now() -> None:
    watch: Watch[str] = Watch(2, 10)
    watch.hear(0, "A")
    watch.hear(0, "B")
    watch.doubt("B", "its connection is broken")
    watch.restart(60)
    assert watch.expire(60) == []
    assert watch.state("B") is SUSPECT
    assert states(watch.expire(62)) == [("A", SUSPECT)]
    assert watch.expire(69.9) == []
    assert states(watch.expire(70)) == [("A", LOST), ("B", LOST)]


def test_a_pause_is_a_gap_between_looks() -> None:
    pauses = PauseDetector(0.5)
    assert not pauses.paused(100)
    assert pauses.wake_at() == 100.5
    assert not pauses.paused(100.5)
    assert not pauses.paused(101.4)
    assert pauses.paused(103)
    assert not pauses.paused(103)
    pauses.rest()
    assert pauses.wake_at() is None
    assert not pauses.paused(10_000)


steps = st.lists(
    st.tuples(
        st.floats(0, 6, allow_nan=False),
        st.sampled_from(["hear", "doubt", "forget", "restart", "expire"]),
        st.sampled_from("ABC"),
    ),
    max_size=60,
)


@given(steps)
def test_judgements_follow_from_silence_alone(steps: list[tuple[float, str, str]]) -> None:
    """Against a model that keeps, per peer, when it was heard last and what was said of it."""
    watch: Watch[str] = Watch(2, 10)
    heard: dict[str, float] = {}
    said: dict[str, LivenessState] = {}
    now = 0.0
    for wait, step, peer in steps:
        now += wait
        judgements: list[Judgement[str]] = []
        if step == "hear":
            judgements = [one for one in [watch.hear(now, peer)] if one]
            assert states(judgements) == ([(peer, ALIVE)] if said.get(peer) is SUSPECT else [])
            heard[peer], said[peer] = now, ALIVE
        elif step == "doubt":
            if watch.doubt(peer, "doubt"):
                assert said[peer] is ALIVE
                said[peer] = SUSPECT
        elif step == "forget":
            watch.forget(peer)
            heard.pop(peer, None)
            said.pop(peer, None)
        elif step == "restart":
            watch.restart(now)
            heard = dict.fromkeys(heard, now)
        else:
            wake_at = watch.wake_at()
            expected = {}
            for one, at in list(heard.items()):
                if now >= at + 10:
                    expected[one] = LOST
                    del heard[one], said[one]
                elif now >= at + 2 and said[one] is ALIVE:
                    expected[one] = said[one] = SUSPECT
            assert not expected or (wake_at is not None and wake_at <= now)
            assert dict(states(watch.expire(now))) == expected
        assert {one: watch.state(one) for one in "ABC"} == {
            one: said.get(one, LOST) for one in "ABC"
        }
