"""Any bytes are either messages or MalformedMessage, and nothing else (I7)."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shotline.common.actions import AttemptId
from shotline.common.codec import BATCH_MAX, BODY_BYTES_MAX, decode, decode_one, encode
from shotline.common.errors import MalformedMessage
from shotline.common.messages import (
    MESSAGES,
    Dispatch,
    Finished,
    Goodbye,
    Held,
    HeldAs,
    Message,
    Output,
    Ping,
    Register,
    Undeliverable,
)

ATTEMPT = AttemptId(tree="TEST", shot=42, path="\\TEST::TOP.GAS", number=3)
EXAMPLES: list[Message] = [
    Ping(sent_s=1.5, term=7),
    Goodbye(),
    Register(
        server_class="SRV_A",
        server_id="1",
        incarnation="ab12",
        epoch=2,
        slots=4,
        holding=(Held(attempt=ATTEMPT, held_as=HeldAs.RUNNING, started_at=12.5),),
    ),
    Dispatch(term=1, epoch=2, number=3, attempt=ATTEMPT, task=b'{"sleep":1}', timeout_s=None),
    Output(attempt=ATTEMPT, first=0, pieces=((1.5, 1, b"\xff\x00 not UTF-8"), (1.6, 2, b""))),
    Finished(attempt=ATTEMPT, ended_by="result", status="Success", ended_at=2.0),
    Undeliverable(target=b"SRV_A:1/ab12", why="it is not connected", frames=(b"dispatch", b"\x80")),
]
json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def accepted(kind: bytes, body: bytes) -> Message | None:
    """Return the message, None where the bytes are refused; anything else fails the test."""
    try:
        return decode_one(kind, body)
    except MalformedMessage:
        return None


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.kind)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    assert decode(encode([message])) == [message]


def test_a_batch_keeps_its_order() -> None:
    assert decode(encode(EXAMPLES)) == EXAMPLES


@pytest.mark.parametrize("frames", [[], [b"ping"], [b"ping", b"\x80", b"ping"]])
def test_a_batch_is_kind_and_body_in_turn(frames: list[bytes]) -> None:
    with pytest.raises(MalformedMessage):
        decode(frames)


def test_a_batch_has_a_limit() -> None:
    with pytest.raises(MalformedMessage):
        decode([b"goodbye", b"\x80"] * (BATCH_MAX + 1))


def test_one_wrong_message_refuses_its_batch() -> None:
    with pytest.raises(MalformedMessage, match="ping"):
        decode([*encode([Goodbye()]), b"ping", b"\x80"])


def test_a_body_has_a_limit() -> None:
    with pytest.raises(MalformedMessage, match="at most"):
        decode_one(b"goodbye", bytes(BODY_BYTES_MAX + 1))


def test_nesting_has_a_limit() -> None:
    assert accepted(b"goodbye", b"\x81\xa3why" + b"\x91" * 100_000 + b"\xc0") is None
    assert accepted(b"goodbye", b"\x91" * 100_000) is None


def test_nothing_is_converted() -> None:
    for wrong in ("1.5", True, None, [1.5]):
        assert accepted(b"ping", msgpack.packb({"sent_s": wrong})) is None
    assert accepted(b"ping", msgpack.packb({"sent_s": float("nan")})) is None
    assert accepted(b"ping", msgpack.packb({"sent_s": 1.5, "more": 1})) is None


@given(st.binary(max_size=30) | st.sampled_from(sorted(MESSAGES)).map(str.encode), st.binary())
def test_any_bytes(kind: bytes, body: bytes) -> None:
    accepted(kind, body)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_frames(frames: list[bytes]) -> None:
    try:
        decode(frames)
    except MalformedMessage:
        return
    assert len(frames) >= 2


@given(st.sampled_from(sorted(MESSAGES)), json_like)
def test_any_value(kind: str, value: object) -> None:
    accepted(kind.encode(), msgpack.packb(value))


@given(st.sampled_from(EXAMPLES), st.data())
def test_any_field_replaced(message: Message, data: st.DataObject) -> None:
    """What is accepted with one field replaced is encoded to what decodes to the same again."""
    fields = msgpack.unpackb(encode([message])[1], use_list=False)
    names = st.sampled_from([*fields, "surprise"])
    fields[data.draw(names)] = data.draw(json_like)
    got = accepted(message.kind.encode(), msgpack.packb(fields))
    if got is not None:
        assert decode(encode([got])) == [got]


@given(st.sampled_from(EXAMPLES), st.data())
def test_any_truncation_or_flip(message: Message, data: st.DataObject) -> None:
    kind, body = encode([message])
    at = data.draw(st.integers(0, len(body) - 1))
    assert accepted(kind, body[:at]) is None
    flipped = bytearray(body)
    flipped[at] ^= data.draw(st.integers(1, 255))
    accepted(kind, bytes(flipped))
