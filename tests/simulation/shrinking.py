"""Makes a failing seed small, and tells the story of the action that its failure names.

Parts of the seed, its faults, orders, steps and actions, are left out by halves and then one by
one, as long as the same rule breaks. What is left is run once more with everything told.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import structs
from tests.simulation.scenario import Scenario

from shotline.common.codec import decode
from shotline.common.errors import MalformedMessage
from shotline.common.messages import Event, Message
from shotline.common.records import ShotKey, ShotRecord

RUNS_MAX: Final = 150
LINE_MAX: Final = 260
LINES_SHOWN: Final = 120
_PATH: Final = re.compile(r"\\{1,2}T::TOP:(\w+)")
_FAULTS: Final = (" killed", " paused", " cut", " silent", "redis", "disk", "clock", "gets on")


@dataclass(frozen=True, slots=True)
class Failure:
    """How a seed has broken a rule, without the parts that it takes not for that."""

    rule: str
    told: str
    left: tuple[str, ...]
    left_out: frozenset[str]
    story: tuple[str, ...]

    def __str__(self) -> str:
        parts = len(self.left) + len(self.left_out)
        head = f"It takes {len(self.left)} of its {parts} parts: {', '.join(self.left) or 'none'}"
        return "\n".join((head, f"Then: {self.told}", *self.story[-LINES_SHOWN:]))


def rule_of(error: Exception) -> str:
    """Return which rule an error names, or its kind where a machine broke by itself."""
    rule, colon, _ = str(error).partition(": ")
    is_rule = isinstance(error, AssertionError) and colon and " " not in rule
    return rule if is_rule else type(error).__name__


def shrunk(kind: type[Scenario], seed: int, *, runs: int = RUNS_MAX) -> Failure | None:
    """Return a failing seed's failure with as few parts as so many runs find; None: it holds."""
    first, parts = _tried(kind, seed, frozenset())
    if first is None:
        return None
    rule, left, left_out = rule_of(first), list(parts), frozenset[str]()
    size = (len(left) + 1) // 2
    while size and runs > 0:
        at = 0
        while at < len(left) and runs > 0:
            less = left_out | set(left[at : at + size])
            error, _ = _tried(kind, seed, less)
            runs -= 1
            if error is not None and rule_of(error) == rule:
                left_out = less
                del left[at : at + size]
            else:
                at += size
        size = size // 2 if size > 1 else 0
    error, told = _told(kind, seed, left_out)
    return Failure(rule, str(error), tuple(left), left_out, told)


def _without(kind: type[Scenario], left_out: frozenset[str]) -> type[Scenario]:
    return type(kind.__name__, (kind,), {"left_out": left_out})


def _tried(
    kind: type[Scenario], seed: int, left_out: frozenset[str]
) -> tuple[Exception | None, Sequence[str]]:
    """Run it. Return what broke, and the parts that it has."""
    scenario = _without(kind, left_out)(seed)
    try:
        scenario.run()
    except Exception as error:  # noqa: BLE001  # a machine may break in any way
        return error, scenario.parts
    return None, scenario.parts


def _told(
    kind: type[Scenario], seed: int, left_out: frozenset[str]
) -> tuple[Exception | None, tuple[str, ...]]:
    """Run it once more. Return what broke, and the story of the action that it names."""
    scenario = _without(kind, left_out)(seed)
    world = scenario.world
    told: list[tuple[int, str]] = []  # behind so many lines of the world's story

    def tell(text: str) -> None:
        told.append((len(world.story), f"{world.now:9.3f}   {text}"[:LINE_MAX]))

    def carried(who: str, way: str, frames: Sequence[bytes]) -> None:
        for message in _messages(frames):
            tell(f"{who} {'→' if way == 'in' else '←'} {_short(message)}")

    def recorded(key: ShotKey, record: ShotRecord) -> None:
        tell(f"journal {key}: {_short(record)}")

    world.carried, scenario.recorded = carried, recorded
    error: Exception | None = None
    try:
        scenario.run()
    except Exception as broken:  # noqa: BLE001  # a machine may break in any way
        error = broken
    named = _PATH.search(str(error))
    name = re.compile(rf"T::TOP:{named[1]}\b" if named else "")
    lines = [line for _, line in told if name.search(line)]
    keys = [number for number, line in told if name.search(line)]
    for number, line in enumerate(world.story):
        if name.search(line) or any(fault in line for fault in _FAULTS):
            lines.append(line)
            keys.append(number)
    order = sorted(range(len(lines)), key=lambda one: (keys[one], float(lines[one].split()[0])))
    return error, tuple(lines[one] for one in order)


def _messages(frames: Sequence[bytes]) -> list[Message]:
    found: list[Message] = []
    for frame in frames:
        try:
            found += [one for one in decode(frame) if not isinstance(one, Event)]
        except MalformedMessage:
            continue  # it is an address
    return found


def _short(struct: Message | ShotRecord) -> str:
    """Return what it holds, but for what it holds unless said otherwise."""
    fields = structs.fields(struct)
    held = ((one.name, getattr(struct, one.name), one.default) for one in fields)
    words = (f"{name}={value}" for name, value, usual in held if value != usual)
    return f"{type(struct).__name__}({', '.join(words)})"
