"""Any bytes are either messages or MalformedMessage, and nothing else (I7)."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shotline.common.actions import AttemptId
from shotline.common.codec import (
    BATCH_BYTES_MAX,
    BATCH_MAX,
    MESSAGES_MAX,
    addressed,
    batches,
    decode,
    decode_all,
    decode_one,
    encode,
    join,
    kinds_of,
    request_head,
    split,
)
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
    Request,
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
    Undeliverable(target=b"SRV_A:1/ab12", why="it is not connected", batches=(b"\x90",)),
]
json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def accepted(batch: bytes) -> list[Message] | None:
    """Return the messages, None where the bytes are refused; anything else fails the test."""
    try:
        return decode(batch)
    except MalformedMessage:
        return None


def packed(*messages: object) -> bytes:
    return bytes(msgpack.packb(messages))


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.kind)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    assert decode(encode([message])) == [message]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.kind)
def test_a_message_is_a_map_that_any_language_reads(message: Message) -> None:
    [fields] = msgpack.unpackb(encode([message]))
    assert fields.pop("kind") == message.kind
    assert set(fields) == set(message.__struct_fields__)
    assert decode(packed({**fields, "kind": message.kind})) == [message]  # in another order, too


def test_a_batch_keeps_its_order() -> None:
    assert decode(encode(EXAMPLES)) == EXAMPLES
    assert kinds_of(encode(EXAMPLES)) == [message.kind for message in EXAMPLES]
    assert [decode_one(part) for part in split(encode(EXAMPLES))] == EXAMPLES
    assert join(split(encode(EXAMPLES))) == encode(EXAMPLES)


def test_many_messages_go_in_several_batches() -> None:
    large = [Output(attempt=ATTEMPT, first=0, pieces=((1.0, 1, b"x" * 700),)) for _ in range(4)]
    parts = list(batches([*large, Goodbye()], 1000))
    assert [len(decode(part)) for part in parts] == [1, 1, 1, 2]
    assert decode_all(parts) == [*large, Goodbye()]
    many = [Goodbye()] * (2 * MESSAGES_MAX + 1)
    assert [len(decode(part)) for part in batches(many)] == [MESSAGES_MAX, MESSAGES_MAX, 1]


@pytest.mark.parametrize("frames", [[], [b""], [b"client/a"], [b"a", b"\x90", b"b"]])
def test_addresses_and_batches_come_in_turn(frames: list[bytes]) -> None:
    with pytest.raises(MalformedMessage):
        addressed(frames)


@pytest.mark.parametrize("batch", [b"", b"\x90", b"\x80", b"\xc0", b"\x91\xc0"])
def test_what_is_no_batch(batch: bytes) -> None:
    for read in (decode, kinds_of, split):
        if not (read is split and batch == b"\x91\xc0"):  # what its parts are is not looked at
            with pytest.raises(MalformedMessage):
                read(batch)


def test_a_batch_has_a_limit() -> None:
    with pytest.raises(MalformedMessage, match="messages"):
        decode(encode([Goodbye()] * (BATCH_MAX + 1)))
    with pytest.raises(MalformedMessage, match="at most"):
        decode(bytes(BATCH_BYTES_MAX + 1))
    with pytest.raises(MalformedMessage):
        decode(b"\xdd\xff\xff\xff\xff")  # promises four thousand million messages


def test_one_wrong_message_refuses_its_batch() -> None:
    with pytest.raises(MalformedMessage, match=r"\[1\].*sent_s"):
        decode(packed({"kind": "goodbye"}, {"kind": "ping"}))


def test_a_message_has_one_kind() -> None:
    twice = b"\x91\x83\xa4kind\xa7goodbye\xa4kind\xa4ping\xa6sent_s\xcb" + bytes(8)
    assert kinds_of(twice) == ["ping"]
    assert accepted(twice) is None


def test_nesting_has_a_limit() -> None:
    assert accepted(b"\x91\x82\xa4kind\xa7goodbye\xa3why" + b"\x91" * 100_000 + b"\xc0") is None
    assert accepted(b"\x91" * 100_000) is None
    with pytest.raises(MalformedMessage):
        kinds_of(b"\x91\x82\xa4kind\xa7goodbye\xa3why" + b"\x91" * 100_000 + b"\xc0")


def test_nothing_is_converted() -> None:
    for wrong in ("1.5", True, None, [1.5], float("nan"), float("inf")):
        assert accepted(packed({"kind": "ping", "sent_s": wrong})) is None
    assert accepted(packed({"kind": "ping", "sent_s": 1.5, "more": 1})) is None


def test_of_a_request_the_broker_looks_at_the_head() -> None:
    request = Request(id="12345678", verb="status", deadline_s=2.0, command=b"{}")
    [part] = split(encode([request]))
    head = request_head(part)
    assert (head.id, head.verb, head.deadline_s) == ("12345678", "status", 2.0)
    for wrong in ({"id": "x"}, {"verb": ""}, {"deadline_s": float("nan")}, {"deadline_s": "soon"}):
        fields = {"kind": "request", "id": "12345678", "verb": "v", "deadline_s": 1.0} | wrong
        with pytest.raises(MalformedMessage):
            request_head(split(packed(fields))[0])


@given(st.binary())
def test_any_bytes(batch: bytes) -> None:
    accepted(batch)
    for read in (kinds_of, split):
        try:
            read(batch)
        except MalformedMessage:
            continue


@given(st.sampled_from(sorted(MESSAGES)), json_like)
def test_any_value(kind: str, value: object) -> None:
    accepted(packed(value))
    if isinstance(value, dict):
        accepted(packed({"kind": kind, **value}))


@given(st.sampled_from(EXAMPLES), st.data())
def test_any_field_replaced(message: Message, data: st.DataObject) -> None:
    """What is accepted with one field replaced is encoded to what decodes to the same again."""
    [fields] = msgpack.unpackb(encode([message]), use_list=False)
    names = st.sampled_from([*fields, "surprise"])
    fields[data.draw(names)] = data.draw(json_like)
    got = accepted(packed(fields))
    if got is not None:
        assert decode(encode(got)) == got


@given(st.sampled_from(EXAMPLES), st.data())
def test_any_truncation_or_flip(message: Message, data: st.DataObject) -> None:
    batch = encode([message])
    at = data.draw(st.integers(0, len(batch) - 1))
    assert accepted(batch[:at]) is None
    flipped = bytearray(batch)
    flipped[at] ^= data.draw(st.integers(1, 255))
    accepted(bytes(flipped))
