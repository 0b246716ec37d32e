"""An mdsip url works for one shot at a time, and says what it waits for."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shotline.trees.mdsip_binding import UrlBinding

ONE, TWO = ("TEST", 1), ("TEST", 2)


def test_requests_of_one_shot_run_side_by_side() -> None:
    binding = UrlBinding("u")
    assert binding.ask(1, ONE)
    assert binding.ask(2, ONE)
    assert binding.answered(1) == ()
    assert str(binding.state) == "u works for TEST/1: 1 unanswered"
    assert binding.answered(2) == ()
    assert str(binding.state) == "u is free"


def test_another_shot_waits_for_the_last_answer() -> None:
    binding = UrlBinding("u")
    binding.ask(1, ONE)
    assert not binding.ask(2, TWO)
    assert not binding.ask(3, TWO)
    assert binding.ask(4, ONE)
    assert binding.answered(1) == ()
    assert binding.answered(4) == (2, 3)
    assert (binding.state.shot, binding.state.unanswered, binding.state.waiting) == (2, 2, 0)


def test_an_abandoned_request_holds_the_url_until_its_answer_comes() -> None:
    binding = UrlBinding("u")
    binding.ask(1, ONE)
    binding.abandoned(1)
    assert not binding.ask(2, TWO)
    assert "1 of them ended by us and perhaps still running" in str(binding.state)
    assert binding.answered(1) == (2,)


def test_a_lost_request_holds_the_url_until_it_is_cleared() -> None:
    binding = UrlBinding("u")
    binding.ask(1, ONE)
    binding.abandoned(1)
    binding.lost(1)
    assert not binding.ask(2, TWO)
    assert (binding.state.abandoned, binding.state.lost) == (0, 1)
    assert "shotline clear-url u" in str(binding.state)
    assert binding.clear() == (2,)


def test_clear_leaves_alone_what_somebody_waits_for() -> None:
    binding = UrlBinding("u")
    binding.ask(1, ONE)
    binding.ask(2, TWO)
    assert binding.clear() == ()
    assert binding.answered(1) == (2,)


def test_what_is_withdrawn_never_starts() -> None:
    binding = UrlBinding("u")
    binding.ask(1, ONE)
    binding.ask(2, TWO)
    binding.withdrawn(2)
    assert binding.answered(1) == ()


class Bindings(RuleBasedStateMachine):
    """Any order of events: never two shots at a time, and nobody waits for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.binding = UrlBinding("u")
        self.shots: dict[int, tuple[str, int]] = {}
        self.running: set[int] = set()
        self.waiting: set[int] = set()

    def started(self, numbers: tuple[int, ...]) -> None:
        assert set(numbers) <= self.waiting
        self.waiting -= set(numbers)
        self.running |= set(numbers)

    @rule(shot=st.integers(1, 3))
    def ask(self, shot: int) -> None:
        number = len(self.shots)
        self.shots[number] = ("T", shot)
        (self.running if self.binding.ask(number, ("T", shot)) else self.waiting).add(number)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), kind=st.sampled_from(["answered", "abandoned", "lost"]))
    def happens(self, data: st.DataObject, kind: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        if kind == "answered":
            self.running.discard(number)
            self.started(self.binding.answered(number))
        else:
            getattr(self.binding, kind)(number)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.waiting)))
        self.waiting.discard(number)
        self.binding.withdrawn(number)

    @invariant()
    def one_shot_at_a_time(self) -> None:
        assert len({self.shots[number] for number in self.running}) <= 1

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        assert self.running or not self.waiting

    @invariant()
    def the_state_counts_right(self) -> None:
        state = self.binding.state
        assert (state.unanswered, state.waiting) == (len(self.running), len(self.waiting))


TestBindings = Bindings.TestCase


@given(st.lists(st.integers(1, 3), max_size=8))
def test_answers_in_any_order_end_with_a_free_url(shots: list[int]) -> None:
    binding = UrlBinding("u")
    running = [number for number, shot in enumerate(shots) if binding.ask(number, ("T", shot))]
    while running:
        running += binding.answered(running.pop())
    assert binding.state.tree is None
    assert binding.state.waiting == 0
