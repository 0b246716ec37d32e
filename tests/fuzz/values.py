"""Values of every message and command, made from the types that they declare: right ones first."""

import re
from random import Random
from typing import Any, Final

import msgspec
from msgspec import inspect

_TEXTS: Final = (
    "A:1",
    "A",
    "abcd1234",
    "TEST",
    "1-1",
    "2026",
    "https://x",
    "0" * 64,
    "INIT",
    "x",
)
_DEPTH_MAX: Final = 6


def structs_of(union: object) -> list[type[msgspec.Struct]]:
    """Return the members of a union of structs."""
    return [one.cls for one in inspect.type_info(union).types]  # type: ignore[attr-defined]


def made(kind: type[msgspec.Struct], random: Random) -> dict[str, Any]:
    """Return a value of a struct as plain data, with its tag; most of them are accepted."""
    told = _value(inspect.type_info(kind), random, 0)
    assert isinstance(told, dict)
    return told


def _value(info: inspect.Type, random: Random, depth: int) -> Any:  # of any type
    match info:
        case inspect.StructType():
            told = {} if info.tag_field is None else {info.tag_field: info.tag}
            if info.array_like:
                return [_value(one.type, random, depth + 1) for one in info.fields]
            for one in info.fields:
                if one.required or (depth < _DEPTH_MAX and random.random() < 0.6):
                    told[one.encode_name] = _value(one.type, random, depth + 1)
            return told
        case inspect.IntType():
            least = -(2**40) if info.ge is None else info.ge
            most = min(2**40, 2**40 if info.le is None else info.le)
            return random.randint(least, max(most, least))
        case inspect.FloatType():
            least = 0.0 if info.ge is None and info.gt is None else (info.ge or info.gt or 0.0)
            most = 1e6 if info.le is None and info.lt is None else (info.le or info.lt or 1e6)
            return random.uniform(least, min(most, 1e6))
        case inspect.StrType():
            fit = [one for one in _TEXTS if not info.pattern or re.search(info.pattern, one)]
            text = random.choice(fit or _TEXTS)
            return text[: info.max_length] if info.max_length else text
        case inspect.BytesType():
            return random.choice((b"", b"{}", b"\x90", b"text", b"\xff\x00"))
        case inspect.BoolType():
            return random.random() < 0.5
        case inspect.EnumType():
            return random.choice([one.value for one in info.cls])
        case inspect.LiteralType():
            return random.choice(info.values)
        case inspect.UnionType():
            return _value(random.choice(info.types), random, depth)
        case inspect.NamedTupleType():
            return [_value(one.type, random, depth + 1) for one in info.fields]
        case inspect.TupleType():
            return [_value(one, random, depth + 1) for one in info.item_types]
        case inspect.VarTupleType() | inspect.ListType() | inspect.SetType():
            least = info.min_length or 0
            count = random.randint(least, max(least, 2)) if depth < _DEPTH_MAX else least
            return [_value(info.item_type, random, depth + 1) for _ in range(count)]
        case inspect.FrozenSetType():
            return [_value(info.item_type, random, depth + 1)]
        case inspect.DictType():
            keys = [_value(info.key_type, random, depth + 1) for _ in range(random.randint(0, 2))]
            return {key: _value(info.value_type, random, depth + 1) for key in keys}
        case inspect.NoneType():
            return None
        case _:
            return random.choice((None, 1, "text", [1], {"a": 1}))
