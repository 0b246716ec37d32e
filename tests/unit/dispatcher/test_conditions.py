"""Values of conditions: the table of D4, the network against plain evaluation, circles."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.tables import both, either, no

from shotline.common.nodes import And, Expression, Not, Or, Reference, Truth
from shotline.dispatcher import conditions
from shotline.dispatcher.conditions import Network, circles, decisive

T, F, N, O = Truth.TRUE, Truth.FALSE, Truth.NEVER, Truth.OPEN  # noqa: E741
NAMES = ("A", "B", "C", "D")


def plain(expression: Expression, truth: Mapping[str, Truth]) -> Truth:
    """The words of D4, one after the other."""
    if isinstance(expression, Reference):
        return N if expression.missing else truth[expression.path]
    if isinstance(expression, Not):
        return {T: F, F: T, N: N, O: O}[plain(expression.operand, truth)]
    sides = [plain(side, truth) for side in expression.operands]
    if isinstance(expression, Or):
        if T in sides:
            return T
        if all(side is F for side in sides):
            return F
    else:
        if F in sides:
            return F
        if all(side is T for side in sides):
            return T
    return O if O in sides else N


def value_of(expression: Expression, truth: Mapping[str, Truth]) -> Truth:
    """The value of a condition that is followed from now on."""
    network = Network()
    network.add("OWNER", expression, truth.__getitem__)
    return network.value("OWNER")


REFERENCES = st.builds(
    Reference, path=st.sampled_from(NAMES), missing=st.sampled_from([False] * 9 + [True])
)


def wider(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=1, max_size=4).map(tuple)
    return st.one_of(
        st.builds(Not, operand=inner),
        st.builds(And, operands=several),
        st.builds(Or, operands=several),
    )


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(REFERENCES, wider, max_leaves=12)


@pytest.mark.parametrize(
    ("left", "right", "conjunction", "disjunction"),
    [
        (T, T, T, T),
        (T, F, F, T),
        (T, N, N, T),
        (T, O, O, T),
        (F, F, F, F),
        (F, N, F, N),
        (F, O, F, O),
        (N, N, N, N),
        (N, O, O, O),
        (O, O, O, O),
    ],
)
def test_the_truth_table(left: Truth, right: Truth, conjunction: Truth, disjunction: Truth) -> None:
    for sides in ((left, right), (right, left)):
        truth = dict(zip("AB", sides, strict=True))
        assert value_of(both("A", "B"), truth) is conjunction
        assert value_of(either("A", "B"), truth) is disjunction


def test_not_never_is_never() -> None:
    for value, negated in ((T, F), (F, T), (N, N), (O, O)):
        assert value_of(no("A"), {"A": value}) is negated


def test_a_missing_reference_is_never_whatever_its_name() -> None:
    assert value_of(Reference(path="A", missing=True), {"A": T}) is N


@given(EXPRESSIONS, st.fixed_dictionaries({name: st.sampled_from(Truth) for name in NAMES}))
def test_evaluation_follows_the_words(expression: Expression, truth: dict[str, Truth]) -> None:
    assert value_of(expression, truth) is plain(expression, truth)


@given(
    st.lists(EXPRESSIONS, min_size=1, max_size=4),
    st.fixed_dictionaries({name: st.sampled_from(Truth) for name in NAMES}),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(Truth)), max_size=12),
)
def test_the_network_is_always_at_the_value_of_plain_evaluation(
    expressions: list[Expression], truth: dict[str, Truth], changes: list[tuple[str, Truth]]
) -> None:
    """Also when values go back, and a change names every condition that it changes."""
    network = Network()
    for at, expression in enumerate(expressions):
        network.add(str(at), expression, truth.__getitem__)
    values = {str(at): plain(e, truth) for at, e in enumerate(expressions)}
    assert {owner: network.value(owner) for owner in values} == values
    for path, new in changes:
        truth[path] = new
        told = network.tell(path, new)
        now = {str(at): plain(e, truth) for at, e in enumerate(expressions)}
        assert {owner: network.value(owner) for owner in now} == now
        assert {owner for owner in now if now[owner] is not values[owner]} <= set(told)
        values = now


def test_a_condition_can_be_replaced() -> None:
    network = Network()
    truth = {"A": O, "B": O}
    network.add("X", both("A", "A", "B"), truth.__getitem__)
    network.add("Y", no("A"), truth.__getitem__)
    network.remove("X")
    network.add("X", no("B"), truth.__getitem__)
    assert network.tell("A", T) == ["Y"]
    assert network.tell("B", F) == ["X"]
    assert network.value("X") is T


def test_a_thousand_operands_cost_a_thousand_steps() -> None:
    """Counted in operators that are computed again, in either order and in either shape."""
    names = [f"N{at}" for at in range(1000)]
    flat = both(*names)
    nested: Expression = Reference(path=names[0])
    for name in names[1:]:
        nested = both(nested, name)
    for expression in (flat, nested):
        for order in (names, names[::-1]):
            network = Network()
            network.add("X", expression, lambda _: O)
            computed = count_computations(network, order)
            assert network.value("X") is T
            assert computed <= 3 * len(names)


def count_computations(network: Network, order: list[str]) -> int:
    """Tell every name as true; return how often an operator was computed."""
    gate = conditions._Gate
    original = gate.compute
    computed = 0

    def counting(self: object) -> Truth:
        nonlocal computed
        computed += 1
        return original(self)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "compute", counting)
        for name in order:
            network.tell(name, T)
    return computed


def test_what_decides_a_value_is_named_left_to_right() -> None:
    truth = {"A": T, "B": F, "C": O, "D": N}
    assert decisive(both("A", "B", "C"), truth.__getitem__) == ("B",)
    assert decisive(both("A", "C", either("C", "B")), truth.__getitem__) == ("C",)
    assert decisive(either("B", no("A")), truth.__getitem__) == ("B", "A")
    assert decisive(both("A", "D"), truth.__getitem__) == ("D",)


@given(EXPRESSIONS, st.fixed_dictionaries({name: st.sampled_from(Truth) for name in NAMES}))
def test_what_decides_a_value_is_enough_to_decide_it(
    expression: Expression, truth: dict[str, Truth]
) -> None:
    """Whatever the others are, true and false stay."""
    value = plain(expression, truth)
    deciding = decisive(expression, truth.__getitem__)
    if value in (T, F):
        for other in Truth:
            rest = {name: truth[name] if name in deciding else other for name in NAMES}
            assert plain(expression, rest) is value


@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefg"), max_size=3), max_size=6
    )
)
def test_circles_are_what_reaches_itself(graph: dict[str, list[str]]) -> None:
    def reached(start: str) -> set[str]:
        found: set[str] = set()
        todo = list(graph[start])
        while todo:
            name = todo.pop()
            if name in graph and name not in found:
                found.add(name)
                todo.extend(graph[name])
        return found

    expected = {
        frozenset(m for m in graph if m in reached(name) and name in reached(m))
        for name in graph
        if name in reached(name)
    }
    assert sorted(map(sorted, circles(graph))) == sorted(map(sorted, expected))
