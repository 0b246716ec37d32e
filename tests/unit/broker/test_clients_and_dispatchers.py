"""Claims and terms, commands and replies, targets and what cannot be delivered."""

import msgpack
import msgspec
import pytest

from shotline.broker.machine import FromClients
from shotline.broker.outbox import ToClient
from shotline.broker.permissions import Peer
from shotline.common.codec import encode
from shotline.common.keys.peers import PeerRole
from shotline.common.machine import Instant
from shotline.common.messages import (
    PROTOCOL,
    AbortAttempt,
    Claim,
    ClaimRefused,
    Event,
    Goodbye,
    Hello,
    Liveness,
    LivenessState,
    Outcome,
    Ping,
    Pong,
    Problem,
    RegisterAnew,
    RegistrationRefused,
    Reply,
    Request,
    SupersededNotice,
    Undeliverable,
    Welcome,
)
from shotline.common.ranges import TERM_MAX, TERM_STEP_MAX
from shotline.common.settings.sections.broker import BrokerSection

from .peers import CLIENT, DISPATCHER, World, register

SERVER = b"SRV_A:1/x"
D2 = b"dispatcher/d2"


def kinds(*names: str) -> bytes:
    """Return a batch of messages that have nothing but their kinds."""
    return bytes(msgpack.packb([{"kind": name} for name in names]))


def event(channel: str, seq: int = 1) -> Event:
    return Event(channel=channel, term=1, seq=seq, at=0.0, payload=b"{}")


def abort(reason: str = "test") -> AbortAttempt:
    return msgspec.convert(
        {"term": 1, "attempt": ("TEST", 1, "\\TEST::A", 1), "reason": reason}, AbortAttempt
    )


@pytest.fixture
def world() -> World:
    return World()


def refusals(world: World, peer: bytes, term: int) -> list[ClaimRefused]:
    world.dispatcher(b"", Claim(term=term, name="d"), peer=peer)
    return world.got(peer, ClaimRefused)


# Claims and terms.


def test_a_higher_term_supersedes(world: World) -> None:
    world.seat(3)
    world.seat(4, D2)
    assert world.got(DISPATCHER, SupersededNotice) == [SupersededNotice(term=4)]
    world.dispatcher(b"*", Problem(text="stale"))
    assert world.published == []
    assert world.kinds(DISPATCHER) == ["problem"]


def test_a_superseded_dispatcher_that_missed_the_notice_gets_it_again(world: World) -> None:
    world.seat(3)
    world.unreachable.add(DISPATCHER)
    world.seat(4, D2)
    world.unreachable.clear()
    world.dispatcher(b"", Ping(sent_s=1.0, term=3))
    assert world.got(DISPATCHER, SupersededNotice) == [SupersededNotice(term=4)]
    assert refusals(world, DISPATCHER, 3) == [ClaimRefused(highest=4, live=True)]


@pytest.mark.parametrize("term", [0, 2, 3])
def test_a_term_that_is_not_higher_is_refused(world: World, term: int) -> None:
    world.seat(3)
    assert refusals(world, D2, term) == [ClaimRefused(highest=3, live=True)]
    world.dispatcher(b"", Goodbye())
    assert refusals(world, D2, term) == [ClaimRefused(highest=3, live=False)]


def test_a_term_below_a_servers_report_is_refused(world: World) -> None:
    world.join(term=7)
    assert refusals(world, DISPATCHER, 6) == [ClaimRefused(highest=7, live=False)]


def test_after_a_broker_restart_the_running_dispatcher_claims_its_own_term(world: World) -> None:
    """The servers may have reported it first."""
    world.join(term=7)
    world.seat(7)
    assert refusals(world, D2, 7) == [ClaimRefused(highest=7, live=True)]


def test_a_server_that_comes_later_with_a_higher_term_unseats_the_dispatcher(world: World) -> None:
    world.seat(3)
    world.join(term=7)
    assert world.got(DISPATCHER, ClaimRefused) == [ClaimRefused(highest=7, live=False)]
    world.dispatcher(b"*", Problem(text="not any more"))
    assert world.published == []
    world.seat(8, D2)


def test_a_servers_report_that_jumps_is_refused_in_words_and_moves_nobody(world: World) -> None:
    """What it has seen cannot have come about; the dispatcher stays and goes on."""
    world.seat(3)
    peer = world.join()
    for _ in range(2):
        world.server(peer, register(epoch=2, term=TERM_MAX))
    refused = world.got(peer, RegistrationRefused)[-1]
    assert not refused.fatal
    assert f"SRV_A:1 has seen term {TERM_MAX}, which cannot have come about" in refused.text
    told = [message for _, message in world.read(DISPATCHER)]
    assert [one for one in told if isinstance(one, ClaimRefused)] == []
    assert [one.state for one in told if isinstance(one, Liveness)][-1] is LivenessState.LOST
    world.dispatcher(b"", Ping(sent_s=1.0, term=3))
    assert world.got(DISPATCHER, Pong)[-1].term == 3
    # Started again it knows no term, and is taken.
    world.join(incarnation="y", term=0)
    other = world.join("SRV_B:1", term=3 + TERM_STEP_MAX)
    assert world.got(DISPATCHER, ClaimRefused) == [
        ClaimRefused(highest=3 + TERM_STEP_MAX, live=False)
    ]
    assert world.got(other, RegistrationRefused) == []


def test_a_report_that_came_before_any_dispatcher_is_judged_by_the_first_claim(
    world: World,
) -> None:
    world.join("SRV_B:1", term=7)
    peer = world.join(term=TERM_MAX)
    assert refusals(world, DISPATCHER, 6) == [ClaimRefused(highest=7, live=False)]
    world.seat(8)
    world.server(peer, register(epoch=2, term=TERM_MAX))
    assert world.got(peer, RegistrationRefused)
    assert world.got(DISPATCHER, ClaimRefused) == []


def test_the_same_dispatcher_may_claim_again(world: World) -> None:
    world.seat(3)
    world.join()
    world.read(SERVER)
    world.seat(3)
    assert world.got(SERVER, RegisterAnew)
    world.pass_time(20)
    world.seat(3)
    world.seat(5)
    assert refusals(world, DISPATCHER, 4) == [ClaimRefused(highest=5, live=True)]


def test_a_dispatcher_that_missed_something_has_to_claim_again(world: World) -> None:
    world.seat(3)
    world.join()
    world.full.add(DISPATCHER)
    world.server(SERVER, Goodbye())
    world.full.clear()
    world.dispatcher(b"", Ping(sent_s=1.0, term=3))
    (pong,) = world.got(DISPATCHER, Pong)
    assert pong.term is None
    world.seat(3)


# Is it there?


def test_the_term_is_shown_while_the_dispatcher_answers(world: World) -> None:
    def term() -> int | None:
        world.client(CLIENT, Ping(sent_s=1.0))
        return world.got(CLIENT, Pong)[-1].term

    assert term() is None
    world.seat(3)
    assert term() == 3
    world.pass_time(2, CLIENT)
    assert term() is None
    world.dispatcher(b"", Ping(sent_s=1.0))
    assert term() == 3
    world.dispatcher(b"", Goodbye())
    assert term() is None


def test_a_command_without_dispatcher_is_answered_at_once(world: World) -> None:
    world.greet()
    world.client(CLIENT, world.request())
    (reply,) = world.got(CLIENT, Reply)
    assert (reply.id, reply.outcome) == ("request-1", Outcome.NOBODY)
    assert reply.message == "no dispatcher is connected to the broker at tcp://host:1"


def test_a_command_for_a_stopped_dispatcher_is_answered_at_once(world: World) -> None:
    world.seat()
    world.pass_time(2.5)
    world.client(CLIENT, world.request())
    (reply,) = world.got(CLIENT, Reply)
    assert reply.outcome is Outcome.NOBODY
    assert world.got(DISPATCHER, Request) == []


@pytest.mark.parametrize("how", ["unreachable", "full"])
def test_a_command_that_cannot_be_sent_is_answered_at_once(world: World, how: str) -> None:
    world.seat()
    getattr(world, how).add(DISPATCHER)
    world.client(CLIENT, world.request(), world.request())
    replies = world.got(CLIENT, Reply)
    assert [reply.outcome for reply in replies] == [Outcome.NOBODY, Outcome.NOBODY]
    world.client(CLIENT, world.request())
    assert [reply.outcome for reply in world.got(CLIENT, Reply)] == [Outcome.NOBODY]


# Commands and replies.


def test_a_command_and_its_reply(world: World) -> None:
    world.seat()
    world.greet()
    request = world.request()
    world.client(CLIENT, request)
    assert world.read(DISPATCHER)[-1] == (CLIENT, request)
    reply = Reply(id=request.id, outcome=Outcome.OK, message="done")
    world.dispatcher(CLIENT, reply)
    assert world.got(CLIENT, Reply) == [reply]


def test_an_expired_command_is_refused(world: World) -> None:
    world.seat()
    world.client(CLIENT, world.request(lifetime_s=0.0))
    (reply,) = world.got(CLIENT, Reply)
    assert reply.outcome is Outcome.REFUSED
    assert "expired" in reply.message
    assert world.got(DISPATCHER, Request) == []


def test_a_reply_to_a_client_that_is_gone_is_dropped_and_counted(world: World) -> None:
    world.seat()
    world.unreachable.add(CLIENT)
    world.dispatcher(CLIENT, Reply(id="request-1", outcome=Outcome.OK, message="done"))
    assert world.broker.counters.replies_dropped == 1
    assert world.got(DISPATCHER, Undeliverable) == []


def test_hello_and_welcome(world: World) -> None:
    world.seat(3)
    world.client(CLIENT, Hello(name="test"))
    assert world.got(CLIENT, Welcome) == [
        Welcome(broker="b1", clock_s=1000.0, events="tcp://host:3", term=3, role="operator")
    ]
    world.client(CLIENT, Hello(name="test", protocol=99))
    (problem,) = world.got(CLIENT, Problem)
    assert "protocol 99" in problem.text


def test_the_number_of_clients_is_limited_and_silent_ones_are_forgotten(world: World) -> None:
    peers = [b"client/%d" % number for number in range(6)]
    for peer in peers:
        world.client(peer, Hello(name="test"))
    assert world.got(peers[4], Welcome)
    assert "clients_max" in world.got(peers[5], Problem)[0].text
    world.client(peers[0], Goodbye())
    world.client(peers[5], Hello(name="test"))
    assert world.got(peers[5], Welcome)
    world.pass_time(11)
    world.client(b"client/late", Hello(name="test"))
    assert world.got(b"client/late", Welcome)


@pytest.mark.parametrize(
    ("role", "verb", "allowed"),
    [
        (PeerRole.VIEWER, "status", True),
        (PeerRole.VIEWER, "logs", True),
        (PeerRole.VIEWER, "do_phase", False),
        (PeerRole.VIEWER, "check", False),
        (PeerRole.VIEWER, "no_such_command", False),
        (PeerRole.OPERATOR, "do_phase", True),
        (PeerRole.MONITOR, "abort", True),
        (PeerRole.SERVER, "status", False),
        (PeerRole.DISPATCHER, "do_phase", False),
    ],
)
def test_commands_by_role(role: PeerRole, verb: str, allowed: bool) -> None:  # noqa: FBT001
    def who(peer: bytes) -> Peer:
        return Peer(roles=frozenset({role if peer == CLIENT else PeerRole.DISPATCHER}))

    world = World(who=who)
    world.seat()
    world.client(CLIENT, world.request(verb))
    assert bool(world.got(DISPATCHER, Request)) == allowed
    assert len(world.read(CLIENT)) == (not allowed)


def test_messages_by_role() -> None:
    world = World(who=lambda _peer: Peer(roles=frozenset({PeerRole.VIEWER})))
    world.dispatcher(b"", Claim(term=1, name="d"))
    world.server(SERVER, Goodbye())
    world.server(SERVER, register())
    assert world.kinds(DISPATCHER) == ["problem"]
    assert world.kinds(SERVER) == ["problem"]


# Targets.


def test_frames_for_a_server_are_gathered_by_target(world: World) -> None:
    world.seat()
    world.join("SRV_A:1")
    world.join("SRV_B:1")
    world.multiparts.clear()
    one, two = encode([abort("1")]), encode([abort("2")])
    other = b"SRV_B:1/x"
    frames = [SERVER, one, other, one]
    world.handle(FromClients([(DISPATCHER, frames), (DISPATCHER, [SERVER, two])]))
    assert world.multiparts == {SERVER: [[one, two]], other: [[one]]}


@pytest.mark.parametrize("how", ["unreachable", "full"])
def test_what_cannot_be_sent_to_a_server_comes_back(world: World, how: str) -> None:
    world.seat()
    world.join()
    getattr(world, how).add(SERVER)
    world.dispatcher(SERVER, abort("1"), abort("2"))
    (back,) = world.got(DISPATCHER, Undeliverable)
    assert back.target == SERVER
    assert back.batches == (encode([abort("1"), abort("2")]),)


@pytest.mark.parametrize("target", [b"SRV_A:1/old", b"SRV_Z:1/x", b"nonsense"])
def test_what_is_for_no_registered_server_comes_back(world: World, target: bytes) -> None:
    world.seat()
    world.join()
    world.dispatcher(target, abort())
    (back,) = world.got(DISPATCHER, Undeliverable)
    assert (back.target, back.batches) == (target, (encode([abort()]),))


def test_much_that_is_undeliverable_comes_back_in_parts(world: World) -> None:
    world.seat()
    world.join()
    world.full.add(SERVER)
    aborts = [encode([abort("x" * 60_000)]) for _ in range(50)]
    frames = [frame for batch in aborts for frame in (SERVER, batch)]
    world.handle(FromClients([(DISPATCHER, frames)]))
    parts = world.got(DISPATCHER, Undeliverable)
    assert len(parts) > 1
    assert [batch for part in parts for batch in part.batches] == aborts
    assert all(sum(map(len, part.batches)) < 2_000_000 for part in parts)


def test_events_are_published_in_order(world: World) -> None:
    world.seat()
    one, two = encode([event("shot/TEST/1")]), encode([event("log"), event("log", 2)])
    world.handle(FromClients([(DISPATCHER, [b"*shot/TEST/1", one, b"*log", two])]))
    assert world.published == [(b"shot/TEST/1", one), (b"log", two)]


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b""],
        [b"", b"ping"],
        [b"", kinds("ping")],
        [b"", encode([Hello(name="x")])],
        [b"*topic", b""],
        [b"*topic", kinds("reply")],
        [SERVER, kinds("reply")],
        [SERVER, kinds("dispatch", "goodbye")],
        [SERVER, kinds("dispatch"), SERVER, kinds("goodbye")],
        [SERVER, kinds("dispatch"), SERVER],
        [b"SRV_Z:1/x", kinds("goodbye")],
        [CLIENT, kinds("dispatch", "reply")],
    ],
)
def test_what_a_dispatcher_may_not_send(world: World, frames: list[bytes]) -> None:
    world.seat()
    world.join()
    world.greet()
    world.read(DISPATCHER)
    world.handle(FromClients([(DISPATCHER, frames)]))
    assert world.kinds(DISPATCHER) == ["problem"]
    assert world.kinds(CLIENT) == []
    assert world.kinds(SERVER) == []
    assert world.published == []


@pytest.mark.parametrize(
    ("peer", "frames"),
    [(CLIENT, [b"hello", b"\x80"]), (DISPATCHER, [b"", b"claim", b"\x80"])],
)
def test_a_peer_of_protocol_1_is_refused_in_its_own_words(
    world: World, peer: bytes, frames: list[bytes]
) -> None:
    [effect] = [
        one
        for one in world.broker.handle(Instant(world.now, 0.0), FromClients([(peer, frames)]))
        if isinstance(one, ToClient)
    ]
    kind, body = effect.frames
    assert kind == b"problem"
    assert "the same version of Shotline" in msgpack.unpackb(body)["text"]


def test_a_dispatcher_of_another_protocol_gets_no_seat(world: World) -> None:
    world.dispatcher(b"", Claim(term=1, name="other", protocol=PROTOCOL + 1))
    (problem,) = world.got(DISPATCHER, Problem)
    assert "the same version of Shotline" in problem.text
    world.seat()


def test_only_the_accepted_dispatcher_may_use_targets(world: World) -> None:
    world.join()
    for target in (SERVER, CLIENT, b"*"):
        world.dispatcher(target, abort(), peer=D2)
    assert world.kinds(D2) == ["problem"] * 3
    assert world.kinds(SERVER) == []
    assert world.published == []


def test_trouble_is_logged_once_a_second_with_its_count() -> None:
    world = World(BrokerSection(heartbeat_s=60.0, server_lost_s=600.0))
    for _ in range(100):
        world.handle(FromClients([(CLIENT, [b"rubbish"])]))
    assert len(world.logged) == 1
    world.now += 1
    world.handle(FromClients([(CLIENT, [b"rubbish"])]))
    assert len(world.logged) == 2
    assert "99 more" in world.logged[1]
    assert world.broker.counters.malformed == 101
    assert len(world.got(CLIENT, Problem)) == 101
