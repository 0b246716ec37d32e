"""No number on the wire and in the journal is without a range."""

from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from msgspec.json import schema as schema_of

from shotline.common import views
from shotline.common.codec import decode_one
from shotline.common.commands import AnyCommand, decode_command
from shotline.common.errors import MalformedMessage
from shotline.common.messages import MESSAGES, Held
from shotline.common.ranges import TERM_MAX, TERM_STEP_MAX, can_have_come_about
from shotline.common.records import Record, decode_record

SHOWN = (
    views.AnyResult,
    views.ShotEvent,
    views.OutputEvent,
    views.ServersEvent,
    views.LogEvent,
    views.FeedBeat,
)
CHOSEN = {"enum", "const"}
LOWER = {"minimum", "exclusiveMinimum"}
UPPER = {"maximum", "exclusiveMaximum"}


def unbounded(schema: object, where: str) -> Iterator[str]:
    """Yield where a JSON schema takes a number without a least or a greatest one."""
    if isinstance(schema, dict):
        is_any = schema.get("type") in ("integer", "number") and not CHOSEN & set(schema)
        if is_any and not (LOWER & set(schema) and UPPER & set(schema)):
            yield where
        for key, inner in schema.items():
            # What JSON values a task's own arguments have is its author's business.
            if key not in ("default", "JsonValue"):
                yield from unbounded(inner, f"{where}.{key}")
    elif isinstance(schema, list):
        for index, inner in enumerate(schema):
            yield from unbounded(inner, f"{where}[{index}]")


@pytest.mark.parametrize("kind", [*MESSAGES.values(), Held, AnyCommand, Record, *SHOWN], ids=str)
def test_every_number_has_a_range(kind: Any) -> None:
    assert list(unbounded(schema_of(kind), "")) == []


def test_a_field_without_a_range_would_be_found() -> None:
    schema = schema_of(dict[str, tuple[int, float | None]])
    assert len(list(unbounded(schema, ""))) == 2


@pytest.mark.parametrize("value", [-1, 2**31, 2**53, 2**63, 2**64 - 2, 2**64 - 1])
def test_a_number_outside_of_its_range_is_no_message(value: int) -> None:
    register = {"server_class": "A", "server_id": "1", "incarnation": "x", "epoch": 1, "slots": 1}
    with pytest.raises(MalformedMessage, match="term: Expected int"):
        decode_one(msgpack.packb(register | {"kind": "register", "term": value}))
    attempt = {"kind": "output_stored", "attempt": ("TEST", 1, "A", value), "through": 1}
    with pytest.raises(MalformedMessage, match=r"attempt\[3\]: Expected int"):
        decode_one(msgpack.packb(attempt))


def test_a_number_outside_of_its_range_is_no_command_and_no_record() -> None:
    with pytest.raises(ValueError, match="run"):
        decode_command(f'{{"verb": "wait", "run": {2**64}}}')
    with pytest.raises(ValueError, match="time"):
        decode_record('{"type": "mark", "time": 1e300}')


def test_a_term_is_believed_as_far_as_it_can_have_come_about() -> None:
    assert can_have_come_about(1, 0)
    assert can_have_come_about(3, 7)
    assert can_have_come_about(7 + TERM_STEP_MAX, 7)
    assert not can_have_come_about(8 + TERM_STEP_MAX, 7)
    assert not can_have_come_about(TERM_MAX + 1, TERM_MAX)
