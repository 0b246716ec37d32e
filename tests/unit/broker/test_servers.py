"""Registration, identity and liveness of servers (DESIGN §5), in the pure machine."""

import msgpack
import msgspec
import pytest
from msgspec import structs

from shotline.broker.machine import FromServers, ServerCutOff
from shotline.broker.outbox import ToServer
from shotline.broker.permissions import Peer
from shotline.common.codec import encode
from shotline.common.keys.peers import PeerRole
from shotline.common.machine import Instant
from shotline.common.messages import (
    AbortAttempt,
    Claim,
    ClaimAccepted,
    Finished,
    Goodbye,
    Liveness,
    LivenessState,
    Pong,
    Probe,
    ProbeAnswer,
    Problem,
    Register,
    RegisterAnew,
    Registered,
    RegistrationRefused,
    ServerBeat,
    Started,
    Undeliverable,
)

from .peers import CLIENT, DISPATCHER, SECTION, World, beat, register

SERVER = b"SRV_A:1/x"
ATTEMPT = ("TEST", 1, "\\TEST::A", 1)


def abort(reason: str = "test") -> AbortAttempt:
    return msgspec.convert({"term": 1, "attempt": ATTEMPT, "reason": reason}, AbortAttempt)


def started() -> Started:
    return msgspec.convert({"attempt": ATTEMPT, "started_at": 1.0}, Started)


def states(world: World) -> list[tuple[str, LivenessState]]:
    return [(one.incarnation, one.state) for one in world.got(DISPATCHER, Liveness)]


@pytest.fixture
def world() -> World:
    world = World()
    world.seat()
    return world


def test_a_registration_reaches_the_dispatcher_as_it_is(world: World) -> None:
    world.server(SERVER, register(epoch=4))
    assert world.got(SERVER, Registered) == [Registered(broker="b1", clock_s=1000.0, epoch=4)]
    assert (SERVER, register(epoch=4)) in world.read(DISPATCHER)


@pytest.mark.parametrize("address", ["10.0.0.7", ""])
def test_the_broker_writes_the_address_that_it_sees_into_a_registration(address: str) -> None:
    world = World(who=lambda _peer: Peer(address=address))
    world.seat()
    told = structs.replace(register(epoch=4), address="1.2.3.4")
    world.server(SERVER, told)
    assert [one.address for one in world.got(DISPATCHER, Register)] == [address]


def test_registering_again_opens_a_new_epoch(world: World) -> None:
    world.join(epoch=1)
    world.read(DISPATCHER)
    world.join(epoch=2)
    assert world.got(DISPATCHER, Register) == [register(epoch=2)]


@pytest.mark.parametrize(
    "message",
    [
        register("A:B:1"),
        register("SRV A:1"),
        register(incarnation="x/y"),
        register(incarnation="x\n"),
    ],
)
def test_a_name_that_cannot_be_is_refused(world: World, message: Register) -> None:
    world.server(SERVER, message)
    assert world.kinds(SERVER) == ["problem"]
    assert world.got(DISPATCHER, Register) == []


def test_a_connection_is_of_one_server(world: World) -> None:
    world.join()
    world.read(DISPATCHER)
    world.server(SERVER, register("SRV_A:2"))
    assert world.kinds(SERVER) == ["problem"]
    assert world.got(DISPATCHER, Register) == []


AGAIN = b"another connection"


def test_a_server_comes_back_on_another_connection(world: World) -> None:
    world.join(epoch=1)
    world.read(DISPATCHER)
    world.server(AGAIN, register(epoch=2))
    assert [one.epoch for one in world.got(AGAIN, Registered)] == [2]
    assert world.read(DISPATCHER) == [(SERVER, register(epoch=2))]
    world.dispatcher(SERVER, abort("new"))
    assert (world.got(AGAIN, AbortAttempt), world.read(SERVER)) == ([abort("new")], [])
    world.server(SERVER, started())  # of the connection that it has left
    assert world.kinds(SERVER) == ["register_anew"]
    assert world.read(DISPATCHER) == []
    world.server(AGAIN, started())
    assert world.read(DISPATCHER) == [(SERVER, started())]


def test_a_registration_that_was_overtaken_by_the_next_one_is_dropped(world: World) -> None:
    world.join(epoch=2)
    world.read(DISPATCHER)
    world.server(AGAIN, register(epoch=1))
    assert (world.read(AGAIN), world.read(DISPATCHER)) == ([], [])
    world.dispatcher(SERVER, abort("why"))
    assert world.got(SERVER, AbortAttempt)


def test_a_suspect_server_is_alive_on_its_new_connection(world: World) -> None:
    world.join(epoch=1)
    world.unreachable.add(SERVER)
    world.dispatcher(SERVER, abort("why"))
    world.read(DISPATCHER)
    world.server(AGAIN, register(epoch=2))
    assert world.kinds(DISPATCHER) == ["register", "liveness"]
    world.pass_time(1.0, DISPATCHER)


def test_what_was_sent_on_the_old_connection_is_not_given_back(world: World) -> None:
    """It may have arrived: only what was never sent is proof."""
    world.join(epoch=1)
    world.dispatcher(SERVER, abort("perhaps"))
    world.read(DISPATCHER)
    world.server(AGAIN, register(epoch=2))
    world.unreachable.add(AGAIN)
    world.dispatcher(SERVER, abort("never"))
    (back,) = world.got(DISPATCHER, Undeliverable)
    assert (back.target, back.batches) == (SERVER, (encode([abort("never")]),))


def with_keys(**classes: str) -> World:
    """Return a world in which a peer's name is that of its key, and the classes of that."""

    def who(peer: bytes) -> Peer:
        name = peer.decode().partition("/")[0]
        role = PeerRole.SERVER if name in classes else PeerRole.DISPATCHER
        return Peer(name, frozenset({role}), classes.get(name, ""))

    world = World(who=who)
    world.seat()
    return world


@pytest.mark.parametrize("incarnation", ["x", "y"])
def test_another_key_does_not_get_a_live_servers_name(incarnation: str) -> None:
    world = with_keys(one="A", other="A")
    world.server(b"one/1", register("A:1", "x"))
    assert world.got(b"one/1", Registered)
    world.read(DISPATCHER)
    world.server(b"other/1", register("A:1", incarnation, epoch=9))
    (refused,) = world.got(b"other/1", RegistrationRefused)
    assert refused.fatal
    assert "with another key" in refused.text
    assert (world.read(b"one/1"), world.got(DISPATCHER, Register)) == ([], [])
    world.dispatcher(b"A:1/x", abort("why"))
    assert world.got(b"one/1", AbortAttempt)
    assert not world.got(b"other/1", AbortAttempt)


def test_another_key_gets_the_name_once_its_server_is_lost() -> None:
    world = with_keys(one="A", other="A")
    world.server(b"one/1", register("A:1", "x"))
    world.pass_time(SECTION.suspect_s + 1, DISPATCHER)
    world.server(b"other/1", register("A:1", "y"))
    (refused,) = world.got(b"other/1", RegistrationRefused)
    assert not refused.fatal
    world.pass_time(SECTION.server_lost_s, DISPATCHER)
    world.server(b"other/1", register("A:1", "y"))
    assert world.got(b"other/1", Registered)


@pytest.mark.parametrize(
    ("classes", "server", "may"),
    [
        ("A", "A:1", True),
        ("A", "B:1", False),
        ("A", "AB:1", False),
        ("A*", "AB:7", True),
        ("A:1", "A:1", True),
        ("A:1", "A:2", False),
        ("B, A:*", "A:2", True),
        ("*", "B:1", True),
        ("", "A:1", False),
    ],
)
def test_a_server_serves_the_classes_of_its_key(
    classes: str,
    server: str,
    may: bool,  # noqa: FBT001  # what is asked
) -> None:
    world = with_keys(key=classes)
    world.server(b"key/1", register(server))
    got = world.read(b"key/1")
    assert any(isinstance(message, Registered) for _, message in got) == may
    if not may:
        ((_, refused),) = got
        assert isinstance(refused, RegistrationRefused)
        assert refused.fatal
        assert server in refused.text
    assert bool(world.got(DISPATCHER, Register)) == may


def test_a_server_that_is_cut_off_is_lost_at_once(world: World) -> None:
    world.join()
    world.read(DISPATCHER)
    world.handle(ServerCutOff(SERVER, "its key was revoked"))
    assert states(world) == [("x", LivenessState.LOST)]
    world.server(SERVER, started())
    assert world.got(DISPATCHER, Started) == []


def test_another_protocol_is_refused_in_words(world: World) -> None:
    world.server(SERVER, register(protocol=99))
    (refused,) = world.got(SERVER, RegistrationRefused)
    assert refused.fatal
    assert "protocol 99" in refused.text


def test_the_number_of_servers_is_limited(world: World) -> None:
    for number in range(5):
        world.join(f"SRV_A:{number}")
    world.server(b"SRV_A:9/x", register("SRV_A:9"))
    (refused,) = world.got(b"SRV_A:9/x", RegistrationRefused)
    assert not refused.fatal
    assert "servers_max" in refused.text
    world.join("SRV_A:0", epoch=2)


def test_a_live_server_keeps_its_name(world: World) -> None:
    old, new = world.join(), b"SRV_A:1/y"
    world.server(new, register(incarnation="y"))
    assert world.got(old, Probe)
    world.server(old, ProbeAnswer())
    (refused,) = world.got(new, RegistrationRefused)
    assert refused.fatal
    assert "SRV_A:1 is in use by process 7 on 'here'" in refused.text
    world.pass_time(3, old, DISPATCHER)
    assert states(world) == []
    world.server(old, started())
    assert world.got(DISPATCHER, Started) == [started()]


def test_a_silent_server_is_replaced_and_lost_at_once(world: World) -> None:
    old, new = world.join(), b"SRV_A:1/y"
    world.read(DISPATCHER)
    world.server(new, register(incarnation="y"))
    world.pass_time(0.9, DISPATCHER, step_s=0.3)
    assert world.got(new, Registered) == []
    world.pass_time(0.2, DISPATCHER, step_s=0.1)
    assert world.got(new, Registered)
    heard = [m for _, m in world.read(DISPATCHER) if isinstance(m, Liveness | Register)]
    assert heard == [
        register(incarnation="y"),  # first, since it may prove that what the old one ran is dead
        Liveness(
            server="SRV_A:1",
            incarnation="x",
            state=LivenessState.LOST,
            why="a new incarnation registered",
        ),
    ]
    world.server(old, beat())
    assert world.kinds(old) == ["probe", "register_anew"]


def test_the_last_words_of_a_dead_server_do_not_keep_its_name(world: World) -> None:
    """What it had sent before it died may arrive after the new one's registration."""
    old, new = world.join(), b"SRV_A:1/y"
    world.server(new, register(incarnation="y"))
    world.now += 0.1
    world.server(old, started())
    world.pass_time(3, DISPATCHER)
    assert len(world.got(old, Probe)) == 2
    assert world.got(new, Registered)


def test_a_server_that_goes_on_without_answering_probes_keeps_its_name(world: World) -> None:
    old, new = world.join(), b"SRV_A:1/y"
    world.server(new, register(incarnation="y"))
    world.pass_time(5, old, DISPATCHER)
    (refused,) = world.got(new, RegistrationRefused)
    assert refused.fatal


def test_a_name_is_free_at_once_after_goodbye(world: World) -> None:
    old, new = world.join(), b"SRV_A:1/y"
    world.server(old, Goodbye(why="restart"))
    (lost,) = world.got(DISPATCHER, Liveness)
    assert (lost.state, lost.why) == (LivenessState.LOST, "said goodbye: restart")
    world.server(new, register(incarnation="y"))
    assert world.got(new, Registered)


def test_goodbye_during_the_probe_lets_the_new_one_in(world: World) -> None:
    old, new = world.join(), b"SRV_A:1/y"
    world.server(new, register(incarnation="y"))
    world.server(old, Goodbye())
    assert world.got(new, Registered)


def test_a_third_process_has_to_wait_while_a_name_is_probed(world: World) -> None:
    world.join()
    world.server(b"SRV_A:1/y", register(incarnation="y"))
    world.server(b"SRV_A:1/z", register(incarnation="z"))
    (refused,) = world.got(b"SRV_A:1/z", RegistrationRefused)
    assert not refused.fatal


def test_what_was_sent_before_the_acceptance_is_asked_for_again(world: World) -> None:
    new = b"SRV_A:1/y"
    world.join()
    world.server(new, register(incarnation="y"), started())
    world.pass_time(1.5, DISPATCHER)
    assert world.kinds(new) == ["registered", "register_anew"]
    assert world.got(DISPATCHER, Started) == []


def test_an_unregistered_server_is_asked_to_register_once_a_second(world: World) -> None:
    for _ in range(10):
        world.server(SERVER, started())
    assert world.kinds(SERVER) == ["register_anew"]
    world.pass_time(1)
    world.server(SERVER, beat())
    assert world.kinds(SERVER) == ["register_anew"]
    assert world.got(DISPATCHER, Started) == []


def test_a_beat_is_answered_and_passed_on(world: World) -> None:
    world.join()
    world.server(SERVER, ServerBeat(sent_s=5.5, epoch=1, last_number=3, busy=1))
    assert world.got(SERVER, Pong) == [
        Pong(sent_s=5.5, broker="b1", clock_s=1000.0, term=1, at=0.0)
    ]
    (passed,) = world.got(DISPATCHER, ServerBeat)
    assert (passed.last_number, passed.busy) == (3, 1)


def test_a_beat_of_another_epoch_shows_a_lost_registration(world: World) -> None:
    world.join(epoch=1)
    world.server(SERVER, beat(epoch=2))
    assert world.kinds(SERVER) == ["pong", "register_anew"]
    assert world.got(DISPATCHER, ServerBeat) == []


def test_silence_makes_suspect_then_lost(world: World) -> None:
    world.join()
    world.read(DISPATCHER)
    world.pass_time(1.5, DISPATCHER)
    assert states(world) == []
    world.pass_time(1, DISPATCHER)
    assert states(world) == [("x", LivenessState.SUSPECT)]
    world.server(SERVER, beat())
    assert states(world) == [("x", LivenessState.ALIVE)]
    world.pass_time(11, DISPATCHER)
    assert states(world) == [("x", LivenessState.SUSPECT), ("x", LivenessState.LOST)]
    world.server(SERVER, beat())
    assert world.kinds(SERVER)[-1] == "register_anew"
    world.join(epoch=2)


def test_a_broken_connection_makes_suspect_at_once(world: World) -> None:
    world.join()
    world.read(DISPATCHER)
    world.unreachable.add(SERVER)
    world.dispatcher(SERVER, abort())
    got = [m for _, m in world.read(DISPATCHER) if isinstance(m, Undeliverable | Liveness)]
    assert isinstance(got[0], Undeliverable)
    assert isinstance(got[1], Liveness)
    assert got[1].state is LivenessState.SUSPECT


def test_after_a_pause_of_its_own_the_broker_judges_nobody(world: World) -> None:
    world.join()
    world.greet()
    world.read(DISPATCHER)
    world.now += 3600
    world.server(SERVER, started())
    world.pass_time(1.5)
    assert states(world) == []
    world.pass_time(1, DISPATCHER)
    assert states(world) == [("x", LivenessState.SUSPECT)]
    assert any("paused" in line for line in world.logged)


def test_a_pause_counts_for_a_probe_too(world: World) -> None:
    old, new = world.join(), b"SRV_A:1/y"
    world.server(new, register(incarnation="y"))
    world.now += 30
    world.pass_time(0.6)
    world.server(old, ProbeAnswer())
    assert world.got(new, RegistrationRefused)


def test_an_idle_broker_sleeps() -> None:
    world = World()
    assert world.broker.wake_at() is None
    world.greet(CLIENT)
    assert world.broker.wake_at() == world.now + 0.5
    world.client(CLIENT, Goodbye())
    world.now += 100
    world.pass_time(1)
    assert not any("paused" in line for line in world.logged)


def test_frames_of_one_wake_up_travel_together_in_order(world: World) -> None:
    world.join("SRV_A:1")
    world.join("SRV_B:1")
    world.multiparts.clear()
    one, two = encode([started()]), encode([started(), started()])
    other = b"SRV_B:1/x"
    world.handle(FromServers([(SERVER, [one]), (other, [one]), (SERVER, [two])]))
    assert world.multiparts[DISPATCHER] == [[SERVER, one, other, one, SERVER, two]]


def test_a_goodbye_comes_after_what_was_sent_before_it(world: World) -> None:
    world.join()
    world.read(DISPATCHER)
    frames = [(SERVER, [encode([started()])]), (SERVER, [encode([Goodbye()])])]
    world.handle(FromServers(frames))
    assert world.kinds(DISPATCHER) == ["started", "liveness"]


def test_a_merged_multipart_has_a_limit(world: World) -> None:
    world.join()
    world.multiparts.clear()
    world.handle(FromServers([(SERVER, [encode([started()])]) for _ in range(1000)]))
    assert sum(len(frames) for frames in world.multiparts[DISPATCHER]) == 2000
    assert max(len(frames) for frames in world.multiparts[DISPATCHER]) <= 256


def test_a_new_dispatcher_meets_every_server_by_its_registration(world: World) -> None:
    """What a server sends before it has registered anew would come from a stranger."""
    world.join()
    d2 = b"dispatcher/d2"
    world.seat(2, d2)
    assert world.kinds(SERVER) == ["register_anew"]
    world.server(SERVER, started())
    assert world.kinds(d2) == []
    world.server(SERVER, register(epoch=2), started())
    assert world.kinds(d2) == ["register", "started"]


def test_a_request_to_register_anew_that_got_lost_is_repeated(world: World) -> None:
    world.join()
    world.full.add(SERVER)
    world.seat(2, b"dispatcher/d2")
    world.full.clear()
    assert world.got(SERVER, RegisterAnew) == []
    world.pass_time(1)
    world.server(SERVER, beat())
    assert world.got(SERVER, RegisterAnew)


def test_a_new_dispatcher_hears_who_is_suspect(world: World) -> None:
    world.join()
    world.pass_time(2.5, DISPATCHER)
    d2 = b"dispatcher/d2"
    world.dispatcher(b"", Claim(term=2, name="d2"), peer=d2)
    got = [m for _, m in world.read(d2) if isinstance(m, ClaimAccepted | Liveness)]
    assert isinstance(got[0], ClaimAccepted)
    assert isinstance(got[1], Liveness)
    assert (got[1].incarnation, got[1].state) == ("x", LivenessState.SUSPECT)


@pytest.mark.parametrize("message", [Probe(), Pong(sent_s=1.0, broker="b", clock_s=1.0), abort()])
def test_what_is_not_for_servers_to_send_is_a_problem(world: World, message: object) -> None:
    world.join()
    world.server(SERVER, message)  # type: ignore[arg-type]
    assert world.kinds(SERVER) == ["problem"]


def test_a_problem_that_a_server_reports_is_logged_and_not_answered(world: World) -> None:
    world.join()
    world.server(SERVER, Problem(text="what is this?"))
    assert world.kinds(SERVER) == []
    assert any("what is this?" in line for line in world.logged)


def test_a_batch_with_one_malformed_message_changes_nothing(world: World) -> None:
    world.server(SERVER, register())
    world.read(SERVER)
    world.read(DISPATCHER)
    bad = msgpack.packb([{"kind": "started"}, {"kind": "goodbye"}, {"kind": "server_beat"}])
    world.handle(FromServers([(SERVER, [bad])]))
    assert world.kinds(SERVER) == ["problem"]
    assert world.kinds(DISPATCHER) == []
    world.server(SERVER, beat())
    assert world.kinds(SERVER) == ["pong"]


def test_a_server_of_protocol_1_is_refused_in_its_own_words(world: World) -> None:
    fields = {"server_class": "SRV_A", "server_id": "1", "incarnation": "x", "epoch": 1, "slots": 1}
    frames = [b"register", msgpack.packb(fields | {"protocol": 1})]
    [effect] = [
        one
        for one in world.broker.handle(Instant(world.now, 0.0), FromServers([(SERVER, frames)]))
        if isinstance(one, ToServer)
    ]
    kind, body = effect.batches
    said = msgpack.unpackb(body)
    assert (kind, said["fatal"]) == (b"registration_refused", True)
    assert "the same version of Shotline" in said["text"]


def test_results_without_a_dispatcher_are_asked_for_later(world: World) -> None:
    """They are dropped: the server keeps them until the dispatcher has answered (I2)."""
    world.join()
    world.dispatcher(b"", Goodbye())
    finished = msgspec.convert(
        {"attempt": ATTEMPT, "ended_by": "result", "ended_at": 1.0, "status": "Success"}, Finished
    )
    world.server(SERVER, finished)
    world.read(SERVER)
    world.read(DISPATCHER)
    world.seat(2, b"dispatcher/d2")
    assert world.kinds(SERVER) == ["register_anew"]


def test_forwarded_bodies_are_not_touched(world: World) -> None:
    world.join()
    world.read(DISPATCHER)
    world.multiparts.clear()
    batch = encode([started()])
    world.handle(FromServers([(SERVER, [batch])]))
    assert world.multiparts[DISPATCHER][0][1] is batch
