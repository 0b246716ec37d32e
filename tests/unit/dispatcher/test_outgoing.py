"""What leaves at once, what is gathered, and that nothing overtakes on its way to one target."""

from collections.abc import Sequence

import pytest

from shotline.common.actions import AttemptId
from shotline.common.codec import PUBLISH, addressed, decode
from shotline.common.messages import (
    Answered,
    Dispatch,
    Event,
    Message,
    Outcome,
    OutputStored,
    Problem,
    Reply,
    Verdict,
)
from shotline.dispatcher.effects import Publish, ToPeer
from shotline.dispatcher.outgoing import GATHER_S, MESSAGES_MAX, REST_S, Outgoing

BYTES_MAX = 1000
A, B = b"SRV_A:1/x", b"SRV_B:1/y"


class Link:
    def __init__(self) -> None:
        self.sent: list[list[bytes]] = []
        self.lost: list[bytes] = []
        self.is_up = True
        self.complaints: list[str] = []
        self.outgoing = Outgoing(
            self._send,
            lambda target, _frames: self.lost.append(target),
            BYTES_MAX,
            self.complaints.append,
        )

    def _send(self, frames: Sequence[bytes]) -> bool:
        if self.is_up:
            self.sent.append(list(frames))
        return self.is_up

    def letters(self) -> list[tuple[bytes, list[Message]]]:
        return [(to, decode(batch)) for frames in self.sent for to, batch in addressed(frames)]

    def kinds(self) -> list[tuple[bytes, list[str]]]:
        return [(to, [one.kind for one in messages]) for to, messages in self.letters()]


def attempt(number: int = 1) -> AttemptId:
    return AttemptId("TEST", 1, r"\TOP:A", number)


def answered(number: int = 1) -> Answered:
    return Answered(attempt=attempt(number), verdict=Verdict.STORED)


def dispatch() -> Dispatch:
    return Dispatch(term=1, epoch=1, number=1, attempt=attempt(2), task=b"{}", timeout_s=None)


def event(number: int) -> Publish:
    return Publish(Event(channel="shot/TEST/1", term=1, seq=number, at=0.0, payload=b"{}"))


@pytest.fixture
def link() -> Link:
    return Link()


def test_what_somebody_waits_for_leaves_at_once(link: Link) -> None:
    link.outgoing.to_peer(ToPeer(A, (dispatch(),)))
    link.outgoing.to_peer(ToPeer(B, (Problem(text="no"),)))
    link.outgoing.flush(10.0)
    assert link.kinds() == [(A, ["dispatch"]), (B, ["problem"])]
    assert len(link.sent) == 1
    assert link.outgoing.due() is None


def test_answers_are_gathered_for_a_moment(link: Link) -> None:
    link.outgoing.to_peer(ToPeer(A, (answered(1),)))
    link.outgoing.flush(10.0)
    link.outgoing.to_peer(ToPeer(A, (answered(2), OutputStored(attempt=attempt(), through=3))))
    link.outgoing.flush(10.001)
    assert link.sent == []
    link.outgoing.flush(11.0)
    assert link.kinds() == [(A, ["answered", "answered", "output_stored"])]
    assert link.outgoing.due() is None


def test_answers_rest_until_there_is_something_else_for_their_server(link: Link) -> None:
    link.outgoing.to_peer(ToPeer(A, (answered(1),)))
    link.outgoing.publish(event(1))
    link.outgoing.flush(10.0)
    assert link.outgoing.due() == 0.0
    link.outgoing.flush_idle(10.0)
    link.outgoing.to_peer(ToPeer(B, (dispatch(),)))
    link.outgoing.flush(10.0 + GATHER_S)
    assert link.kinds() == [(PUBLISH + b"shot/TEST/1", ["event"]), (B, ["dispatch"])]
    link.outgoing.to_peer(ToPeer(A, (dispatch(),)))
    link.outgoing.flush(10.0 + GATHER_S)
    assert link.kinds()[2:] == [(A, ["answered", "dispatch"])]


def test_answers_rest_no_longer_than_for_a_moment(link: Link) -> None:
    link.outgoing.to_peer(ToPeer(A, (answered(1),)))
    link.outgoing.flush(10.0)
    assert link.outgoing.due() == 10.0 + REST_S
    link.outgoing.to_peer(ToPeer(A, (answered(2),)))
    link.outgoing.to_peer(ToPeer(B, (answered(3),)))
    link.outgoing.flush(10.01)
    assert link.outgoing.due() == 10.0 + REST_S
    link.outgoing.flush_idle(10.0 + REST_S)
    assert link.kinds() == [(A, ["answered", "answered"]), (B, ["answered"])]
    assert link.outgoing.due() is None


def test_output_that_is_stored_is_told_as_soon_as_no_input_waits(link: Link) -> None:
    link.outgoing.to_peer(ToPeer(A, (answered(),)))
    link.outgoing.to_peer(ToPeer(A, (OutputStored(attempt=attempt(), through=3),)))
    link.outgoing.flush(10.0)
    assert link.outgoing.due() == 0.0
    link.outgoing.flush_idle(10.0)
    assert link.kinds() == [(A, ["answered", "output_stored"])]


def test_what_waits_goes_with_what_does_not_and_before_it(link: Link) -> None:
    link.outgoing.to_peer(ToPeer(A, (answered(),)))
    link.outgoing.flush(10.0)
    link.outgoing.to_peer(ToPeer(A, (dispatch(),)))
    link.outgoing.to_peer(ToPeer(A, (answered(2),)))
    link.outgoing.flush(10.001)
    assert link.kinds() == [(A, ["answered", "dispatch", "answered"])]


def test_events_are_gathered_in_their_order(link: Link) -> None:
    for number in (1, 2, 3):
        link.outgoing.publish(event(number))
        link.outgoing.flush(10.0)
    assert link.sent == []
    link.outgoing.flush(11.0)
    [(topic, told)] = link.letters()
    assert topic == PUBLISH + b"shot/TEST/1"
    assert [one.seq for one in told if isinstance(one, Event)] == [1, 2, 3]


def test_a_crowd_of_events_does_not_wait(link: Link) -> None:
    for number in range(MESSAGES_MAX + 1):
        link.outgoing.publish(event(number))
    link.outgoing.flush(10.0)
    assert len(link.sent) == 1


def test_a_crowd_of_answers_does_not_wait(link: Link) -> None:
    for number in range(MESSAGES_MAX + 1):
        link.outgoing.to_peer(ToPeer(A, (answered(number),)))
    link.outgoing.flush(10.0)
    assert sum(len(kinds) for _, kinds in link.kinds()) == MESSAGES_MAX + 1


def test_what_cannot_leave_is_told(link: Link) -> None:
    link.is_up = False
    link.outgoing.to_peer(ToPeer(A, (dispatch(),)))
    link.outgoing.to_peer(ToPeer(B, (answered(),)))
    link.outgoing.publish(event(1))
    link.outgoing.flush_all()
    assert link.lost == [A, B]
    assert link.outgoing.due() is None


def reply(result: bytes) -> Reply:
    return Reply(id="0123456789", outcome=Outcome.OK, message="done", result=result)


def test_a_result_that_is_too_large_is_left_out_in_words(link: Link) -> None:
    link.outgoing.to_peer(ToPeer(A, (Problem(text="no"), reply(b"x" * BYTES_MAX))))
    link.outgoing.flush(10.0)
    [(target, (problem, answer))] = link.letters()
    assert target == A
    assert problem == Problem(text="no")
    assert isinstance(answer, Reply)
    assert (answer.outcome, answer.message, answer.result) == (Outcome.OK, "done", b"")
    [notice] = answer.notices
    assert f"{BYTES_MAX} bytes" in notice
    assert link.complaints == [notice]


def test_an_event_that_is_too_large_is_left_out_and_others_go(link: Link) -> None:
    large = Event(channel="shot/TEST/1", term=1, seq=1, at=0.0, payload=b"x" * BYTES_MAX)
    link.outgoing.publish(Publish(large))
    link.outgoing.publish(event(2))
    link.outgoing.flush_all()
    [[_, batch]] = link.sent
    assert len(batch) < BYTES_MAX
    assert len(link.complaints) == 1
    assert "shot/TEST/1" in link.complaints[0]


def test_a_message_that_is_too_large_is_not_sent_again_for_ever(link: Link) -> None:
    large = Dispatch(
        term=1, epoch=1, number=1, attempt=attempt(), task=b"x" * BYTES_MAX, timeout_s=None
    )
    link.outgoing.to_peer(ToPeer(A, (large,)))
    link.outgoing.flush(10.0)
    assert (link.sent, link.lost) == ([], [])
    assert "dispatch" in link.complaints[0]
