"""Any frames from anybody are accepted, or answered by a Problem and change nothing (I7)."""

import msgpack
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shotline.broker.machine import FromClients, FromServers
from shotline.common.codec import encode, is_addressed
from shotline.common.messages import (
    MESSAGES,
    Claim,
    Goodbye,
    Hello,
    Message,
    Ping,
    Pong,
    ProbeAnswer,
    Problem,
    Register,
)

from .peers import CLIENT, DISPATCHER, World, beat, register

SERVER = b"SRV_A:1/x"
VALID: list[Message] = [
    Claim(term=1, name="d"),
    Claim(term=5, name="d"),
    Ping(sent_s=1.0, term=2),
    Hello(name="n"),
    Goodbye(),
    ProbeAnswer(),
    Problem(text="no"),
    beat(),
    beat(epoch=3),
    register(),
    register(incarnation="y", epoch=2, term=3),
    register("SRV_B:1"),
    World().request(),
    World().request(lifetime_s=-1.0),
]
PEERS = [SERVER, b"SRV_A:1/y", b"SRV_B:1/x", b"\x00odd", DISPATCHER, b"dispatcher/d2", CLIENT]


def packed(messages: list[dict[str, object]]) -> bytes:
    return bytes(msgpack.packb(messages))


kinds = st.sampled_from(sorted(MESSAGES)) | st.text(max_size=12)
valid = st.lists(st.sampled_from(VALID), min_size=1, max_size=3).map(encode)
values = st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=30)
odd_messages = st.builds(
    lambda kind, fields: {"kind": kind} | fields,
    kinds,
    st.dictionaries(
        st.text(max_size=8), st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=30), max_size=3
    ),
)
odd = st.lists(odd_messages, max_size=3).map(packed)
targets = st.sampled_from([[], [b""], [b"*log"], *[[peer] for peer in PEERS]])
frame_lists = st.lists(st.tuples(targets, valid | odd | st.binary(max_size=30)), max_size=4).map(
    lambda letters: [frame for target, batch in letters for frame in (*target, batch)]
)
multiparts = st.tuples(st.sampled_from(["server", "client"]), st.sampled_from(PEERS), frame_lists)


def state(world: World) -> str:
    """Return all that a message could have changed, except who was heard when and counts."""
    registry, seat, outbox = world.broker._registry, world.broker._seat, world.broker._outbox
    return repr(
        (
            registry._by_name,
            registry.by_peer,
            registry._candidates,
            registry._highest_term,
            list(registry._watch._heard.items()),
            list(seat._watch._heard.items()),
            seat._holder,
            outbox.dispatcher,
            list(world.broker._clients._heard.items()),
        )
    )


@settings(max_examples=400, deadline=None)
@example([(0.0, ("client", b"dispatcher/d1", [b"SRV_A:1/y", b"\x91\x81\xa4kind\xa5reply"]))])
@given(st.lists(st.tuples(st.floats(0, 3), multiparts), max_size=12))
def test_any_frames(story: list[tuple[float, tuple[str, bytes, list[bytes]]]]) -> None:
    world = World()
    world.seat()
    world.join()
    world.greet()
    for wait, (link, peer, frames) in story:
        world.pass_time(wait)
        world.mail.clear()
        before = state(world)
        event = FromServers if link == "server" else FromClients
        world.handle(event([(peer, list(frames))]))
        # Of a dispatcher's multipart each batch stands for itself.
        is_letters = is_addressed(frames) or peer.startswith(b"dispatcher/")
        is_one = len(frames) <= 2 or not is_letters
        refused = any(isinstance(message, Problem) for _, message in world.mail.get(peer, []))
        if is_one and refused:
            assert state(world) == before
    world.mail.clear()
    world.client(b"client/after", Ping(sent_s=2.0))
    assert world.got(b"client/after", Pong)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PEERS), st.lists(st.binary(max_size=40), max_size=6))
def test_random_bytes_are_always_a_problem(peer: bytes, frames: list[bytes]) -> None:
    world = World()
    world.join()
    world.greet()
    before = state(world)
    # No random body is a message of these kinds.
    for event in (FromServers, FromClients):
        world.mail.clear()
        world.handle(event([(peer, [msgpack.packb([{"kind": "register"}]), *frames])]))
        assert {type(message) for _, message in world.read(peer)} == {Problem}
        assert state(world) == before
    assert not any(isinstance(message, Register) for _, message in world.read(DISPATCHER))
