"""Random runs against a naive reference: order (I3, D2 to D5), at most once, every run ends (I5).

The reference works everything out anew from the states and the words of the design. It knows no
counters, no networks and no history but what was given out and what was redispatched.
"""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.tables import (
    aborted,
    action,
    both,
    dispatched,
    doing,
    either,
    failed,
    no,
    pending,
    server_off,
    skipped,
    succeeded,
)

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.nodes import (
    ActionNode,
    ConditionWhen,
    DispatchOptions,
    Expression,
    Not,
    Or,
    Reference,
    SequenceWhen,
    Truth,
)
from shotline.common.records import Transition
from shotline.dispatcher.sequencer import Sequencer, Step
from shotline.dispatcher.table import Table

NAMES = tuple(f"N{at}" for at in range(9))
ENDS = (succeeded, succeeded, failed, aborted, server_off)
SWITCHES = st.sampled_from([{}] * 12 + [{"on": False}, {"asynchronous": True}, {"unreadable": "x"}])


def conditions() -> st.SearchStrategy[Expression]:
    reference = st.sampled_from((*NAMES, "GONE")).map(lambda name: Reference(path=name))
    return st.recursive(
        reference,
        lambda inner: st.one_of(
            inner.map(no),
            st.lists(inner, min_size=1, max_size=3).map(lambda sides: both(*sides)),
            st.lists(inner, min_size=1, max_size=3).map(lambda sides: either(*sides)),
        ),
        max_leaves=5,
    )


@st.composite
def tables(draw: st.DrawFn) -> Table:
    actions: list[ActionNode] = []
    for name in draw(st.permutations(NAMES)):
        when = draw(st.one_of(st.sampled_from((10, 10, 20, 30, 40, 0)), conditions()))
        server_class = draw(st.sampled_from(("SRV_A", "SRV_B", "SRV_C")))
        phase = draw(st.sampled_from(("INIT",) * 5 + ("STORE",)))
        actions.append(action(name, when, server_class, phase, **draw(SWITCHES)))
    options = DispatchOptions(
        barrier=draw(st.sampled_from(("class", "class", "global"))),
        synchronize_at=tuple(draw(st.sets(st.sampled_from((15, 20, 35)), max_size=2))),
        test=draw(st.sampled_from(("success", "success", "completion"))),
    )
    return Table.build(actions, (), options)


class Rules:
    """What may happen, from the states alone."""

    def __init__(self, table: Table, live: Mapping[str, Transition]) -> None:
        self.table = table
        self.live = live
        self.members: set[str] = set(table.paths_of_phase("INIT"))
        self.exempt: set[str] = set()

    def never(self, path: str) -> bool:
        node = self.table.node(path)
        return (
            (not node.on and path not in self.exempt)
            or node.dispatch_type.value == "asynchronous"
            or node.unreadable is not None
            or (isinstance(node.when, SequenceWhen) and node.when.number <= 0)
        )

    def truth(self, path: str) -> Truth:
        if path == "GONE":
            return Truth.NEVER
        live = self.live[path]
        if live.state is ActionState.DONE:
            done = live.status is Status.SUCCESS or self.table.options.test == "completion"
            return Truth.TRUE if done else Truth.FALSE
        if live.state in (ActionState.ABORTED, ActionState.SERVER_OFF):
            return Truth.FALSE
        if live.cause in (Cause.CONDITION_FALSE, Cause.ABORTED_BEFORE_SENT):
            return Truth.FALSE
        if live.cause is not None or self.never(path):
            return Truth.NEVER
        return Truth.OPEN

    def value(self, expression: Expression) -> Truth:
        if isinstance(expression, Reference):
            return self.truth(expression.path)
        if isinstance(expression, Not):
            value = self.value(expression.operand)
            return {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE}.get(value, value)
        sides = [self.value(side) for side in expression.operands]
        decided, otherwise = Truth.FALSE, Truth.TRUE
        if isinstance(expression, Or):
            decided, otherwise = otherwise, decided
        if decided in sides:
            return decided
        if all(side is otherwise for side in sides):
            return otherwise
        return Truth.OPEN if Truth.OPEN in sides else Truth.NEVER

    def condition(self, path: str) -> Truth | None:
        when = self.table.node(path).when
        return self.value(when.expression) if isinstance(when, ConditionWhen) else None

    def is_open(self, path: str) -> bool:
        return self.live[path].cause is None

    def before(self, path: str) -> set[str]:
        """The open actions of the run that come before this one, whatever was redispatched."""
        node, number = self.table.node(path), self.table.number(path)
        assert number is not None
        found = set()
        for other in self.members:
            lower = self.table.number(other)
            if lower is None or lower >= number or not self.is_open(other) or self.never(other):
                continue
            lane = self.table.options.barrier == "global" or (
                self.table.node(other).server_class == node.server_class
            )
            synchronized = any(lower < at <= number for at in self.table.options.synchronize_at)
            if lane or synchronized:
                found.add(other)
        return found

    def may_start(self, path: str) -> bool:
        """Nothing that was not redispatched stands before it, or its condition is true."""
        value = self.condition(path)
        if value is not None:
            return value is Truth.TRUE
        return path in self.exempt or not (self.before(path) - self.exempt)


class Shot:
    """A machine in small: it makes transitions of what the sequencer says, and checks it all."""

    def __init__(self, table: Table, standing: Mapping[str, Transition]) -> None:
        self.live = dict(standing)
        self.table = table
        self.reference = Rules(table, self.live)
        self.given: set[str] = set()  # ready, sent or running
        self.started: set[str] = set()  # ready once, and not redispatched since
        self.paths = dict.fromkeys(table.paths_of_phase("INIT"))
        self.redispatched: dict[str, None] = {}
        self.sequencer = Sequencer(table, self.paths, self.live, self.redispatched)
        self.take(self.sequencer.start())

    def take(self, step: Step, *, concluding: bool = False) -> None:
        order = self.table.position
        for part in (step.ready, step.reopened, [settle.path for settle in step.settle]):
            assert sorted(part, key=order) == list(part)
        for path in step.reopened:
            live = self.live[path]
            assert live.state is ActionState.NOT_DISPATCHED
            assert live.cause in (None, Cause.CONDITION_FALSE, Cause.CANNOT_HAPPEN)
            assert path not in self.given
            self.reference.members.add(path)
            self.paths[path] = None
            self.live[path] = pending(path)
        for settle in step.settle:
            assert self.reference.is_open(settle.path)
            assert settle.path not in self.given
            assert settle.path in self.reference.members
            assert settle.reason
            self.live[settle.path] = skipped(settle.path, settle.cause)
        for settle in step.settle:
            self.check_settled(settle.path, settle.cause, concluding=concluding)
        for path in step.ready:
            assert path not in self.started, "ready twice"
            assert path in self.reference.members
            assert self.reference.is_open(path)
            assert not self.reference.never(path)
            assert self.reference.may_start(path), "before its turn or its condition"
            self.given.add(path)
            self.started.add(path)

    def check_settled(self, path: str, cause: Cause, *, concluding: bool) -> None:
        if cause is Cause.CONDITION_FALSE:
            assert self.reference.condition(path) is Truth.FALSE
        elif cause is Cause.CANNOT_HAPPEN:
            assert self.reference.condition(path) is Truth.NEVER or concluding
        else:
            assert self.reference.never(path)

    def change(self, transition: Transition) -> None:
        path = transition.path
        self.live[path] = transition
        if transition.cause is not None:
            self.given.discard(path)
        self.take(self.sequencer.changed(path))

    def redispatch(self, path: str) -> None:
        self.reference.exempt.add(path)
        self.reference.members.add(path)
        self.started.discard(path)
        self.paths[path] = self.redispatched[path] = None
        self.live[path] = pending(path)
        self.take(self.sequencer.redispatch(path, self.table))
        phase = self.table.node(path).phase
        for other in self.table.dependents(path):
            live = self.live[other]
            if live.cause in (Cause.CONDITION_FALSE, Cause.CANNOT_HAPPEN) and (
                other in self.reference.members or self.table.node(other).phase == phase
            ):
                assert self.reference.condition(other) in (Truth.FALSE, Truth.NEVER)

    def check_complete(self) -> None:
        """Whatever may start has been given out, whatever is decided has been settled."""
        members = self.reference.members
        assert self.sequencer.busy == self.given
        assert set(self.sequencer.open_paths) == {m for m in members if self.reference.is_open(m)}
        for path in self.sequencer.open_paths:
            if path in self.given:
                continue
            assert self.sequencer.waits_for(path)
            value = self.reference.condition(path)
            if value is None:
                assert self.reference.before(path), "nothing stands before it, but it waits"
            else:
                assert value is Truth.OPEN

    def conclude(self) -> None:
        before = self.sequencer.open_paths
        self.take(self.sequencer.conclude(), concluding=True)
        assert not self.sequencer.open_paths
        assert all(self.live[path].cause is Cause.CANNOT_HAPPEN for path in before)


def standing_of(draw: st.DrawFn, table: Table) -> dict[str, Transition]:
    """What earlier runs of the other phase have left."""
    live = {}
    for node in table.actions:
        left = (pending, *ENDS, lambda p: skipped(p, Cause.CONDITION_FALSE))
        ran = node.phase == "STORE" and table.initial(node.path).cause is None
        live[node.path] = (draw(st.sampled_from(left)) if ran else pending)(node.path)
    return live


def one_event(draw: st.DrawFn, shot: Shot, *, redispatch: bool) -> None:
    """Something happens to one action."""
    events = ["end"] * 6 + ["send", "send", "begin", "back", "remove"]
    kind = draw(st.sampled_from(events + ["redispatch"] * 3 * redispatch))
    if kind == "redispatch":
        choice = [p for p in shot.table.paths_of_phase("INIT") if p not in shot.given]
        choice += [p for p in shot.table.paths_of_phase("STORE") if p not in shot.given]
        if choice:
            shot.redispatch(draw(st.sampled_from(choice)))
    elif kind == "remove":
        waiting = [
            p for p in shot.sequencer.open_paths if shot.live[p].state is ActionState.NOT_DISPATCHED
        ]
        if waiting:
            path = draw(st.sampled_from(waiting))
            shot.change(skipped(path, Cause.ABORTED_BEFORE_SENT))
    elif shot.given:
        path = draw(st.sampled_from(sorted(shot.given)))
        if kind == "end":
            shot.change(draw(st.sampled_from(ENDS))(path))
        else:
            shot.change({"send": dispatched, "begin": doing, "back": pending}[kind](path))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_run_without_redispatches_does_exactly_what_the_reference_says(
    data: st.DataObject,
) -> None:
    """And a sequencer made in its middle goes on with just what was ready and not sent."""
    table = data.draw(tables())
    shot = Shot(table, standing_of(data.draw, table))
    while shot.sequencer.open_paths:
        shot.check_complete()
        if not shot.sequencer.busy:
            shot.conclude()
            break
        one_event(data.draw, shot, redispatch=False)
        if data.draw(st.integers(0, 3)):
            continue
        again = Sequencer(table, table.paths_of_phase("INIT"), dict(shot.live))
        queued = {p for p in shot.given if shot.live[p].state is ActionState.NOT_DISPATCHED}
        step = again.start()
        assert set(step.ready) == queued
        assert step.settle == ()
        assert again.open_paths == shot.sequencer.open_paths
    assert not shot.sequencer.open_paths
    assert all(shot.live[path].cause is not None for path in table.paths_of_phase("INIT"))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_run_with_redispatches_keeps_the_order_and_ends(data: st.DataObject) -> None:
    table = data.draw(tables())
    shot = Shot(table, standing_of(data.draw, table))
    for _ in range(data.draw(st.integers(0, 25))):
        one_event(data.draw, shot, redispatch=True)
        shot.check_complete()
    while shot.sequencer.open_paths:
        shot.check_complete()
        if not shot.sequencer.busy:
            shot.conclude()
        for path in sorted(shot.given):
            shot.change(data.draw(st.sampled_from(ENDS))(path))
    assert all(shot.live[path].cause is not None for path in shot.reference.members)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_range_is_what_the_words_say(data: st.DataObject) -> None:
    """The actions of the range, and what refers directly or through others to one of them."""
    table = data.draw(tables())
    first = data.draw(st.sampled_from((0, 10, 20, 30)))
    last = data.draw(st.sampled_from((10, 20, 40)))
    chosen = {
        path
        for path in table.paths_of_phase("INIT")
        if (number := table.number(path)) is not None and first <= number <= last
    }

    def refers(path: str, seen: frozenset[str]) -> bool:
        return any(
            target in chosen
            or (target in table and target not in seen and refers(target, seen | {target}))
            for target in table.references(path)
        )

    expected = [p for p in table.paths_of_phase("INIT") if p in chosen or refers(p, frozenset())]
    assert list(table.paths_of_range("INIT", first, last)) == expected
