"""What is done to a value, or to bytes, so that it is wrong in one place or in many."""

from random import Random
from typing import Any, Final

import msgspec

STRANGE: Final[tuple[Any, ...]] = (
    None,
    -1,
    0,
    2**31,
    2**63,
    2**64 - 1,
    -(2**63),
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x" * 5000,
    "\x00\x1b[2J",
    "\u202e",
    "../../etc/passwd",
    b"\xff\xfe",
    [],
    {},
    [[[[[[]]]]]],
    {"a": {"b": {"c": {}}}},
    True,
    ["x"] * 300,
)


def changed(value: Any, random: Random) -> Any:  # of any type
    """Return a value with one place of it changed: taken out, doubled, strange, of another type."""
    if isinstance(value, dict) and value and random.random() < 0.85:
        key = random.choice(list(value))
        copy = dict(value)
        deed = random.random()
        if deed < 0.15:
            del copy[key]
        elif deed < 0.25:
            copy[random.choice(("surprise", "kind", "verb", "", "x" * 300))] = copy[key]
        else:
            copy[key] = changed(value[key], random)
        return copy
    if isinstance(value, list) and value and random.random() < 0.8:
        place = random.randrange(len(value))
        deed = random.random()
        if deed < 0.2:
            return value[:place] + value[place + 1 :]
        if deed < 0.4:
            return value + value
        return [*value[:place], changed(value[place], random), *value[place + 1 :]]
    return random.choice(STRANGE)


def bent(data: bytes, random: Random) -> bytes:
    """Return bytes that were flipped, cut, lengthened, or put together anew."""
    if not data:
        return random.randbytes(random.randint(0, 40))
    copy = bytearray(data)
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(copy)) if copy else 0
        match random.randrange(6):
            case 0 if copy:
                copy[place] ^= 1 << random.randrange(8)
            case 1 if copy:
                copy[place] = random.choice((0x00, 0x7F, 0x80, 0x90, 0xC1, 0xD9, 0xDD, 0xDF, 0xFF))
            case 2:
                del copy[place:]
            case 3:
                copy[place:place] = random.randbytes(random.randint(1, 8))
            case 4:
                copy += copy[place:]
            case _:
                del copy[place : place + random.randint(1, 8)]
    return bytes(copy)


def mutant(value: Any, random: Random, *, as_json: bool = False) -> bytes:
    """Return the bytes of a value that was changed in its structure, in its bytes, or in both."""
    deed = random.random()
    if deed < 0.65:
        for _ in range(random.choice((1, 1, 1, 2, 5))):
            value = changed(value, random)
    pack = msgspec.json.encode if as_json else msgspec.msgpack.encode
    data = pack(value)
    return bent(data, random) if deed > 0.55 else data
