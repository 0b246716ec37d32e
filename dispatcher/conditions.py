"""The values of conditions, what decides them, and which conditions are circular.

What a reference is worth (true, false, never, open) is told from outside: states of actions are not
known here (DESIGN D4). The table of D4 is an order of these values: `or` is worth the greatest of
FALSE < NEVER < OPEN < TRUE among its operands, `and` the least of FALSE < OPEN < NEVER < TRUE.
Nothing here recurses: a condition may be nested a thousand deep. Pure.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from shotline.common.nodes import And, Expression, Not, Reference, Truth, references

TruthOf = Callable[[str], Truth]

_OR: Final = (Truth.TRUE, Truth.OPEN, Truth.NEVER, Truth.FALSE)
_AND: Final = (Truth.FALSE, Truth.OPEN, Truth.NEVER, Truth.TRUE)
_NEGATED: Final = {
    Truth.TRUE: Truth.FALSE,
    Truth.FALSE: Truth.TRUE,
    Truth.NEVER: Truth.NEVER,
    Truth.OPEN: Truth.OPEN,
}


class _Gate:
    """An operator of the condition of `owner`, which counts its operands by their value.

    `up` is the operator that it is an operand of. `order` is that of the values: the first that an
    operand has is the operator's.
    """

    __slots__ = ("counts", "negated", "order", "owner", "up", "value")

    def __init__(
        self, order: tuple[Truth, ...], up: "_Gate | None", owner: str, *, negated: bool
    ) -> None:
        self.order = order
        self.negated = negated
        self.up = up
        self.owner = owner
        self.counts = dict.fromkeys(order, 0)
        self.value = Truth.OPEN

    def compute(self) -> Truth:
        for truth in self.order:
            if self.counts[truth]:
                return _NEGATED[truth] if self.negated else truth
        raise AssertionError("an operator without operands")


class Network:
    """Many conditions over shared references, each kept at its present value.

    One change costs one step for every operator whose value it changes, and no more: a thousand
    operands that settle one by one cost a thousand steps.
    """

    def __init__(self) -> None:
        self._roots: dict[str, _Gate] = {}
        self._expressions: dict[str, Expression] = {}
        self._truth: dict[str, Truth] = {}
        self._users: dict[str, list[_Gate]] = {}

    def __contains__(self, owner: str) -> bool:
        return owner in self._roots

    def add(self, owner: str, expression: Expression, truth_of: TruthOf) -> None:
        """Follow the condition of `owner`; `truth_of` is asked for references not seen before."""
        root = _Gate(_OR, None, owner, negated=False)  # one operand: the condition itself
        gates = [root]
        pending: list[tuple[Expression, _Gate]] = [(expression, root)]
        while pending:
            node, up = pending.pop()
            if isinstance(node, Reference):
                self._attach(node, up, truth_of)
                continue
            order = _AND if isinstance(node, And) else _OR
            gate = _Gate(order, up, owner, negated=isinstance(node, Not))
            gates.append(gate)
            pending.extend((operand, gate) for operand in _operands(node))
        for gate in reversed(gates):  # operands come after their operator
            gate.value = gate.compute()
            if gate.up is not None:
                gate.up.counts[gate.value] += 1
        self._roots[owner] = root
        self._expressions[owner] = expression

    def _attach(self, reference: Reference, gate: _Gate, truth_of: TruthOf) -> None:
        if reference.missing:
            gate.counts[Truth.NEVER] += 1
            return
        path = reference.path
        if path not in self._truth:
            self._truth[path] = truth_of(path)
        gate.counts[self._truth[path]] += 1
        self._users.setdefault(path, []).append(gate)

    def remove(self, owner: str) -> None:
        """Forget the condition of `owner`."""
        del self._roots[owner]
        for reference in references(self._expressions.pop(owner)):
            users = self._users.get(reference.path, [])
            self._users[reference.path] = [gate for gate in users if gate.owner != owner]

    def follows(self, path: str) -> bool:
        """Return whether a condition refers to this path."""
        return path in self._truth

    def value(self, owner: str) -> Truth:
        """Return the present value of the condition of `owner`."""
        return self._roots[owner].value

    def tell(self, path: str, truth: Truth) -> list[str]:
        """Take in the truth of a reference; return whose conditions have another value now.

        Values may go back, too: a redispatched action is open again. An owner may be named more
        than once, and a value may have come back to what it was.
        """
        before = self._truth.get(path)
        if before is None or before is truth:
            return []
        self._truth[path] = truth
        changed: list[str] = []
        for user in self._users[path]:
            gate, old, new = user, before, truth
            while True:
                gate.counts[old] -= 1
                gate.counts[new] += 1
                old, new = gate.value, gate.compute()
                if old is new:
                    break
                gate.value = new
                if gate.up is None:
                    changed.append(gate.owner)
                    break
                gate = gate.up
        return changed


def _operands(node: Expression) -> tuple[Expression, ...]:
    if isinstance(node, Reference):
        return ()
    return (node.operand,) if isinstance(node, Not) else node.operands


def _values(expression: Expression, truth_of: TruthOf) -> dict[int, Truth]:
    """Return the value of each part of an expression, by its identity."""
    parts: list[Expression] = [expression]
    for part in parts:  # grows while it is walked: operands come after their operator
        parts.extend(_operands(part))
    values: dict[int, Truth] = {}
    for part in reversed(parts):
        if isinstance(part, Reference):
            values[id(part)] = Truth.NEVER if part.missing else truth_of(part.path)
        elif isinstance(part, Not):
            values[id(part)] = _NEGATED[values[id(part.operand)]]
        else:
            order = _AND if isinstance(part, And) else _OR
            values[id(part)] = min((values[id(o)] for o in part.operands), key=order.index)
    return values


def decisive(expression: Expression, truth_of: TruthOf) -> tuple[str, ...]:
    """Return the references to which an expression owes its value, each once, left to right.

    For one that is open they are those that it waits for.
    """
    values = _values(expression, truth_of)
    found: dict[str, None] = {}
    pending = [expression]
    while pending:
        part = pending.pop()
        if isinstance(part, Reference):
            found[part.path] = None
        elif isinstance(part, Not):
            pending.append(part.operand)
        else:
            same = [o for o in part.operands if values[id(o)] is values[id(part)]]
            pending.extend(reversed(same))
    return tuple(found)


def circles(graph: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Yield the groups of actions that refer to each other in a circle, in the graph's order.

    `graph` maps an action to those that its condition refers to. (Tarjan's strongly connected
    components, without recursion.)
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    place = {path: at for at, path in enumerate(graph)}
    for start in graph:
        if start in index:
            continue
        walk: list[tuple[str, Iterator[str]]] = []

        def enter(path: str, walk: list[tuple[str, Iterator[str]]] = walk) -> None:
            index[path] = low[path] = len(index)
            stack.append(path)
            on_stack.add(path)
            walk.append((path, iter(graph[path])))

        enter(start)
        while walk:
            path, targets = walk[-1]
            target = next((t for t in targets if t in graph), None)
            if target is None:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[path])
                if low[path] == index[path]:
                    group = _popped(stack, path)
                    on_stack.difference_update(group)
                    if len(group) > 1 or path in graph[path]:
                        yield tuple(sorted(group, key=place.__getitem__))
            elif target not in index:
                enter(target)
            elif target in on_stack:
                low[path] = min(low[path], index[target])


def _popped(stack: list[str], last: str) -> list[str]:
    """Take everything from the stack down to `last`."""
    group = [stack.pop()]
    while group[-1] != last:
        group.append(stack.pop())
    return group
