"""Random tables, what must become of them (D2 to D5), and whether tasks kept their order (I3).

It knows the design's words and the declarations, and nothing of how the dispatcher works: what
becomes of an action is the fixed point of D4 over all actions, found by looking at everything again
and again; the order is judged by what the tasks themselves have written down.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shotline.common.nodes import And, DispatchOptions, Expression, Not, Or, Reference, Truth

PHASES = ("INIT", "PULSE", "STORE")
CLASSES = ("SRV_A", "SRV_B", "SRV_C")
GONE = "GONE"  # a name that no action has

SUCCESS, FAILURE = "Success", "Failure"
CONDITION_FALSE, CANNOT_HAPPEN = "condition_false", "cannot_happen"
OFF, BAD_NUMBER = "off", "bad_number"
RAN = (SUCCESS, FAILURE)


@dataclass(frozen=True, slots=True)
class Declared:
    """One action: its place, its `when`, and how its task ends."""

    name: str
    server_class: str
    phase: str
    when: int | Expression
    ok: bool
    on: bool
    weight: int  # how long its task takes, in no unit

    @property
    def never(self) -> str:
        """Why it is never dispatched; empty when it may be."""
        if not self.on:
            return OFF
        return BAD_NUMBER if isinstance(self.when, int) and self.when <= 0 else ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A random table; `options` as an experiment file may say them."""

    actions: tuple[Declared, ...]
    options: DispatchOptions

    def of_phase(self, phase: str) -> list[Declared]:
        """Return the actions of a phase, in their order."""
        return [one for one in self.actions if one.phase == phase]


def draw(seed: int, count: int = 16) -> Drawn:
    """Return the table of a seed."""
    chance = random.Random(seed)
    names = [f"N{number:02d}" for number in range(count)]
    return Drawn(
        tuple(
            Declared(
                name=name,
                server_class=chance.choice(CLASSES),
                phase=chance.choice(PHASES[:2] + PHASES),
                when=(
                    _draw_condition(chance, [*names, GONE], 2)
                    if chance.random() < 0.45
                    else chance.choice((10, 10, 20, 20, 30, 40, 0))
                ),
                ok=chance.random() < 0.75,
                on=chance.random() < 0.92,
                weight=chance.randint(0, 3),
            )
            for name in names
        ),
        DispatchOptions(
            barrier=chance.choice(("class", "class", "global")),
            synchronize_at=chance.choice(((), (), (20,), (15, 35))),
            test=chance.choice(("success", "success", "completion")),
        ),
    )


def _draw_condition(chance: random.Random, names: Sequence[str], depth: int) -> Expression:
    kind = chance.random()
    if depth == 0 or kind < 0.4:
        return Reference(path=chance.choice(names))
    if kind < 0.55:
        return Not(operand=_draw_condition(chance, names, depth - 1))
    sides = tuple(_draw_condition(chance, names, depth - 1) for _ in range(chance.randint(1, 3)))
    return And(operands=sides) if kind < 0.8 else Or(operands=sides)


def text_of(expression: Expression) -> str:
    """Return a condition as an experiment file has it."""
    if isinstance(expression, Reference):
        return expression.path
    if isinstance(expression, Not):
        return f"not ({text_of(expression.operand)})"
    word = " and " if isinstance(expression, And) else " or "
    return f"({word.join(map(text_of, expression.operands))})"


def value_of(expression: Expression, truths: Mapping[str, Truth]) -> Truth:
    """Return a condition's value by the words of D4; a name without a truth is never true."""
    if isinstance(expression, Reference):
        return truths.get(expression.path, Truth.NEVER)
    if isinstance(expression, Not):
        value = value_of(expression.operand, truths)
        return {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE}.get(value, value)
    sides = [value_of(side, truths) for side in expression.operands]
    one, all_of = (
        (Truth.TRUE, Truth.FALSE) if isinstance(expression, Or) else (Truth.FALSE, Truth.TRUE)
    )
    if one in sides:
        return one
    if all(side is all_of for side in sides):
        return all_of
    return Truth.OPEN if Truth.OPEN in sides else Truth.NEVER


@dataclass(slots=True)
class Fates:
    """What becomes of each action; phases are done one after the other."""

    drawn: Drawn
    fate: dict[str, str] = field(default_factory=dict)

    def truth(self, one: Declared) -> Truth:
        """Return the value of a reference to an action, as things stand."""
        fate = one.never or self.fate.get(one.name)
        if fate is None:
            return Truth.OPEN
        if fate in RAN:
            is_true = fate == SUCCESS or self.drawn.options.test == "completion"
            return Truth.TRUE if is_true else Truth.FALSE
        return Truth.FALSE if fate == CONDITION_FALSE else Truth.NEVER

    def truths(self) -> dict[str, Truth]:
        """Return the values of all references."""
        return {one.name: self.truth(one) for one in self.drawn.actions}

    def do_phase(self, phase: str) -> None:
        """Settle the actions of a phase: what must happen, happens; the rest cannot."""
        members = self.drawn.of_phase(phase)
        for one in members:
            if one.never:
                self.fate[one.name] = one.never
            elif isinstance(one.when, int):
                self.fate[one.name] = SUCCESS if one.ok else FAILURE
        while any(self._settle(one) for one in members if one.name not in self.fate):
            pass
        for one in members:
            self.fate.setdefault(one.name, CANNOT_HAPPEN)

    def _settle(self, one: Declared) -> bool:
        assert not isinstance(one.when, int)
        value = value_of(one.when, self.truths())
        if value is Truth.OPEN:
            return False
        ends = {
            Truth.TRUE: SUCCESS if one.ok else FAILURE,
            Truth.FALSE: CONDITION_FALSE,
            Truth.NEVER: CANNOT_HAPPEN,
        }
        self.fate[one.name] = ends[value]
        return True


def check_order(drawn: Drawn, phase: str, log: Sequence[str], before: Fates) -> None:
    """Assert I3 of one phase: `log` holds `start NAME` and `end NAME` as tasks wrote them.

    `before` is how things stood when the phase began; it goes on with the log. A reference that
    never runs counts from the beginning with what becomes of it: a task's start proves that its
    condition is true with what has ended by then.
    """
    members = {one.name: one for one in drawn.of_phase(phase)}
    final = Fates(drawn, dict(before.fate))
    final.do_phase(phase)
    known = Fates(drawn, dict(before.fate))
    known.fate |= {name: final.fate[name] for name in members if final.fate[name] not in RAN}
    running: set[str] = set()
    started: set[str] = set()
    for line in log:
        word, name = line.split()
        one = members[name]
        if word == "end":
            running.remove(name)
            known.fate[name] = SUCCESS if one.ok else FAILURE
            continue
        assert name not in started, f"I1: {name} started twice"
        running.add(name)
        started.add(name)
        if isinstance(one.when, int):
            open_lower = _lower(drawn, one) - set(known.fate)
            assert not open_lower, f"D2: {name} ({one.when}) started before {open_lower} ended"
        else:
            value = value_of(one.when, known.truths())
            assert value is Truth.TRUE, f"I3: {name} started while {text_of(one.when)} is {value}"
    assert not running, f"{running} never ended"
    expected = {name for name in members if final.fate[name] in RAN}
    assert started == expected, "D4, D5: not what had to run"


def _lower(drawn: Drawn, one: Declared) -> set[str]:
    """Return the actions whose numbers come before (D2), by class, barrier and meeting points."""
    assert isinstance(one.when, int)
    found = set()
    for other in drawn.of_phase(one.phase):
        if other.never or not isinstance(other.when, int) or other.when >= one.when:
            continue
        meets = any(other.when < at <= one.when for at in drawn.options.synchronize_at)
        if other.server_class == one.server_class or drawn.options.barrier == "global" or meets:
            found.add(other.name)
    return found
