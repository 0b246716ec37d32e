"""The client's conversation with the broker, without any socket: heartbeats, repeats, giving up."""

import pytest

from shotline.client.session import (
    Ask,
    Begin,
    Connected,
    Disconnected,
    Effect,
    Event,
    Forget,
    GaveUp,
    Patience,
    Received,
    Replied,
    Send,
    Session,
    ShutOut,
    Unsent,
    Welcomed,
)
from shotline.common.machine import Tick
from shotline.common.messages import (
    Hello,
    Outcome,
    Ping,
    Pong,
    Problem,
    Reply,
    Request,
    Welcome,
)

PATIENCE = Patience()
START = 1000.0
BROKERS_CLOCK = 50_000.0


class Conversation:
    """A session, the clock, and what it has sent."""

    def __init__(self) -> None:
        self.now = START
        self.session = Session("client/1", patience=PATIENCE)
        self.do(Begin())

    def do(self, event: Event) -> list[Effect]:
        return self.session.handle(self.now, event)

    def sent(self, event: Event) -> list[object]:
        return [effect.message for effect in self.do(event) if isinstance(effect, Send)]

    def welcome(self, broker: str = "b1", term: int | None = 1) -> list[Effect]:
        self.do(Connected())
        message = Welcome(
            broker=broker, clock_s=self.clock(), events="tcp://127.0.0.1:1", term=term
        )
        return self.do(Received(message))

    def pong(self, broker: str = "b1", term: int | None = 1) -> list[Effect]:
        message = Pong(sent_s=self.now, broker=broker, clock_s=self.clock(), term=term)
        return self.do(Received(message))

    def clock(self) -> float:
        return self.now - START + BROKERS_CLOCK

    def ask(self, id_: str = "request-1") -> list[Effect]:
        return self.do(Ask(id_, "do_phase", b"{}"))

    def reply(self, outcome: Outcome, id_: str = "request-1") -> list[Effect]:
        return self.do(Received(Reply(id=id_, outcome=outcome, message="")))

    def pass_time(self, seconds: float, *, pongs: bool = False) -> list[Effect]:
        """Let time pass, waking whenever the session asks to be woken."""
        until, effects = self.now + seconds, []
        for _ in range(10_000):
            due = self.session.wake_at()
            if due is None or due > until:
                self.now = until
                return effects
            assert due > self.now or due == self.now
            self.now = max(self.now, due)
            new = self.do(Tick())
            effects += new
            if pongs and any(isinstance(e, Send) and isinstance(e.message, Ping) for e in new):
                self.pong()
        pytest.fail("the session asks to be woken without end")


def requests(effects: list[Effect]) -> list[Request]:
    return [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, Request)]


def test_a_request_waits_for_the_welcome_and_is_then_sent_once() -> None:
    talk = Conversation()
    assert talk.ask() == []
    assert [type(m) for m in talk.sent(Connected())] == [Hello]
    effects = talk.welcome()
    assert any(isinstance(effect, Welcomed) for effect in effects)
    assert [request.id for request in requests(effects)] == ["request-1"]
    assert requests(talk.pass_time(PATIENCE.repeat_s / 2, pongs=True)) == []


def test_an_unanswered_request_is_asked_again_since_its_reply_may_be_lost() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask()
    talk.reply(Outcome.ACCEPTED)
    talk.now += PATIENCE.repeat_s
    assert [request.id for request in requests(talk.pong())] == ["request-1"]
    assert requests(talk.pong()) == []


def test_the_deadline_is_on_the_brokers_clock() -> None:
    talk = Conversation()
    talk.welcome()
    talk.now += 7
    (request,) = requests(talk.ask())
    assert request.deadline_s == pytest.approx(BROKERS_CLOCK + 7 + PATIENCE.lifetime_s)


def test_a_reply_is_given_once_and_a_stranger_s_reply_never() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask()
    assert talk.reply(Outcome.OK, "somebody-else-s") == []
    (answer,) = talk.reply(Outcome.OK)
    assert isinstance(answer, Replied)
    assert talk.reply(Outcome.OK) == []
    assert talk.session.unanswered == ()


def test_an_accepted_request_waits_on() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask()
    talk.reply(Outcome.ACCEPTED)
    assert talk.pass_time(3600, pongs=True) != []
    assert talk.session.unanswered == ("request-1",)
    (answer,) = talk.reply(Outcome.FAILED)
    assert isinstance(answer, Replied)
    assert answer.reply.outcome is Outcome.FAILED


def test_unanswered_requests_are_repeated_with_their_id_to_another_broker() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask()
    talk.reply(Outcome.ACCEPTED)
    effects = talk.pong(broker="b2")
    assert [type(e.message) for e in effects if isinstance(e, Send)] == [Hello]
    again = requests(talk.welcome(broker="b2"))
    assert [request.id for request in again] == ["request-1"]


def test_unanswered_requests_are_repeated_to_another_dispatcher() -> None:
    talk = Conversation()
    talk.welcome(term=1)
    talk.ask()
    assert requests(talk.pong(term=1)) == []
    assert requests(talk.pong(term=None)) == []
    assert [request.id for request in requests(talk.pong(term=2))] == ["request-1"]
    assert requests(talk.pong(term=2)) == []


def test_a_repeat_that_finds_no_dispatcher_is_no_answer() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask()
    talk.reply(Outcome.ACCEPTED)
    talk.do(Disconnected())
    assert len(requests(talk.welcome(term=None))) == 1
    assert talk.reply(Outcome.NOBODY) == []
    assert len(requests(talk.pong(term=2))) == 1
    assert len(talk.reply(Outcome.OK)) == 1


def test_a_first_request_without_a_dispatcher_is_answered_at_once() -> None:
    talk = Conversation()
    talk.welcome(term=None)
    talk.ask()
    (answer,) = talk.reply(Outcome.NOBODY)
    assert isinstance(answer, Replied)


def test_without_a_broker_a_request_is_given_up_as_never_sent() -> None:
    talk = Conversation()
    talk.ask()
    gave_up = [effect for effect in talk.pass_time(60) if isinstance(effect, GaveUp)]
    assert gave_up == [GaveUp("request-1", broker_there=False, reached=False)]


def test_a_broker_that_goes_away_is_given_up_after_the_commands_lifetime() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask()
    talk.do(Disconnected())
    assert not any(
        isinstance(effect, GaveUp) for effect in talk.pass_time(PATIENCE.lifetime_s - 0.1)
    )
    gave_up = [effect for effect in talk.pass_time(0.2) if isinstance(effect, GaveUp)]
    assert gave_up == [GaveUp("request-1", broker_there=False, reached=True)]


def test_a_dispatcher_that_stays_away_is_given_up_later_by_who_waits_for_a_run() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask("accepted-1")
    talk.reply(Outcome.ACCEPTED, "accepted-1")
    talk.ask("unanswered-1")
    talk.pong(term=None)
    gave_up: dict[str, float] = {}
    began_at = talk.now
    while talk.session.unanswered:
        talk.now += 0.5
        for effect in [*talk.do(Tick()), *talk.pong(term=None)]:
            if isinstance(effect, GaveUp):
                assert effect.broker_there
                gave_up[effect.id] = talk.now - began_at
    assert gave_up == {
        "unanswered-1": PATIENCE.lifetime_s,
        "accepted-1": PATIENCE.absence_s,
    }


def test_silence_after_a_ping_loses_contact_and_contact_is_sought_again() -> None:
    talk = Conversation()
    talk.welcome()
    effects = talk.pass_time(PATIENCE.heartbeat_s + PATIENCE.silent_s + PATIENCE.hello_s)
    assert not talk.session.in_contact
    assert any(isinstance(e, Send) and isinstance(e.message, Hello) for e in effects)


def test_a_process_that_was_busy_elsewhere_does_not_lose_contact() -> None:
    talk = Conversation()
    talk.welcome()
    talk.now += 3600
    effects = talk.ask()
    assert len(requests(effects)) == 1
    assert any(isinstance(e, Send) and isinstance(e.message, Ping) for e in effects)
    talk.do(Tick())
    assert talk.session.in_contact


def test_what_could_not_be_sent_is_sent_on_the_next_connection() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask()
    talk.do(Unsent())
    assert not talk.session.in_contact
    assert len(requests(talk.welcome())) == 1


def test_a_broker_that_forgot_us_is_greeted_again_one_that_refuses_is_believed() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask()
    problem = Problem(text="say hello first")
    assert [type(m) for m in talk.sent(Received(problem))] == [Hello]
    assert len(requests(talk.welcome())) == 1
    (answer,) = talk.do(Received(problem))
    assert isinstance(answer, Replied)
    assert answer.reply.outcome is Outcome.REFUSED
    assert answer.reply.message == "say hello first"


def test_a_forgotten_request_is_neither_repeated_nor_answered() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask()
    talk.do(Forget("request-1"))
    assert requests(talk.welcome(broker="b2")) == []
    assert talk.reply(Outcome.OK) == []


def test_who_is_not_let_in_gives_up_at_once_what_was_never_sent() -> None:
    talk = Conversation()
    talk.welcome()
    talk.ask("sent")
    talk.do(Disconnected())
    talk.ask("unsent")
    assert talk.do(ShutOut()) == [GaveUp("unsent", broker_there=False, reached=False)]
    assert talk.session.unanswered == ("sent",)
    assert [request.id for request in requests(talk.welcome())] == ["sent"]


@pytest.mark.parametrize("sent_s", [-1e12, 1e12])
def test_a_pong_to_no_ping_of_ours_does_not_move_deadlines(sent_s: float) -> None:
    talk = Conversation()
    talk.welcome()
    talk.do(Received(Pong(sent_s=sent_s, broker="b1", clock_s=talk.clock(), term=1)))
    (request,) = [effect.message for effect in talk.ask() if isinstance(effect, Send)]
    assert isinstance(request, Request)
    assert abs(request.deadline_s - talk.clock()) < 1e6
