"""The invariants, checked from outside: they know records and starts, not how they came about.

A violation is an AssertionError that names the rule.
"""

from collections import Counter
from collections.abc import Mapping

from shotline.common.actions import IN_PROGRESS, ActionState, AttemptId, Cause, Status
from shotline.common.messages import Answered, Dispatch, Outcome, Reply
from shotline.common.nodes import (
    ActionNode,
    And,
    ConditionWhen,
    DispatchOptions,
    Not,
    Reference,
    SequenceWhen,
    Truth,
)
from shotline.common.records import (
    Audited,
    LateResult,
    Redispatched,
    RunEnded,
    RunKind,
    RunOpened,
    RunPutOnHold,
    ShotKey,
    ShotRecord,
    TableBuilt,
    Transition,
)
from shotline.dispatcher import effects as d

ENDED = frozenset({ActionState.DONE, ActionState.ABORTED, ActionState.SERVER_OFF})


class ShotCheck:
    """What the journal says of one shot, folded in the plainest way."""

    def __init__(self) -> None:
        self.nodes: dict[str, ActionNode] = {}
        self.options = DispatchOptions()
        self.live: dict[str, Transition] = {}
        self.dispatched: set[tuple[str, int]] = set()
        self.answered: set[tuple[str, int]] = set()
        self.runs: dict[int, RunOpened] = {}
        self.members: dict[int, set[str]] = {}
        self.ended: Counter[int] = Counter()
        self.held: set[int] = set()
        self.again: Counter[tuple[int, str]] = Counter()  # redispatches of an action in a run
        self.starts: Counter[tuple[int, str]] = Counter()

    def take(self, record: ShotRecord) -> None:
        """Fold one record and check what it may not be."""
        match record:
            case TableBuilt():
                self.nodes = {node.path: node for node in record.actions}
                self.options = record.options
            case RunOpened():
                assert record.run not in self.runs, f"I5: run {record.run} opened twice"
                self.runs[record.run] = record
                self.members[record.run] = set(record.paths)
                for path in record.paths:
                    live = self.live.get(path)
                    if live is None or live.cause not in (
                        Cause.OFF,
                        Cause.BAD_NUMBER,
                        Cause.UNREADABLE,
                        Cause.ASYNCHRONOUS,
                    ):
                        self.live.pop(path, None)
            case Redispatched():
                self.again[(record.run, record.path)] += 1
                self.members[record.run].add(record.path)
            case Transition():
                self._transition(record)
            case LateResult():
                self.answered.add((record.path, record.attempt))
            case RunPutOnHold():
                self.held.add(record.run)
            case RunEnded():
                self._run_ended(record)

    def _transition(self, new: Transition) -> None:
        self.live[new.path] = new
        if new.run is not None:
            self.members[new.run].add(new.path)
            assert not (self.ended[new.run] and new.cause is None), f"I5: {new} after its run's end"
        if new.state is ActionState.DISPATCHED:
            self.dispatched.add((new.path, new.attempt))
        if new.state in ENDED and new.cause not in (Cause.SERVER_LOST, Cause.FORGOTTEN):
            self.answered.add((new.path, new.attempt))

    def _run_ended(self, record: RunEnded) -> None:
        self.ended[record.run] += 1
        assert self.ended[record.run] == 1, f"I5: run {record.run} ended twice"
        for path in self.members[record.run]:
            live = self.live.get(path)
            assert live is not None, f"I5: run {record.run} ended before {path} settled"
            assert live.cause is not None, f"I5: run {record.run} ended before {path} settled"

    def check_order(self, path: str, run: int) -> None:
        """I3: this action may start now."""
        if self.again[(run, path)]:
            return  # a redispatch is exempt
        opened, node = self.runs[run], self.nodes[path]
        if opened.kind is RunKind.SINGLE and opened.paths[0] == path:
            return
        when = node.when
        if isinstance(when, ConditionWhen):
            value = self.evaluate(when.expression)
            # It was true once, and somebody has asked again for what it looks at.
            is_asked_again = any(self.again[run, one] for one in _looked_at(when.expression))
            assert value is Truth.TRUE or is_asked_again, (
                f"I3: {path} started while its condition is {value}"
            )
        elif isinstance(when, SequenceWhen):
            self._check_turn(node, when.number, run)

    def _check_turn(self, node: ActionNode, number: int, run: int) -> None:
        options = self.options
        gates = [gate for gate in options.synchronize_at if gate <= number]
        for path in self.members[run]:
            other = self.nodes[path]
            if (
                isinstance(other.when, SequenceWhen)
                and 0 < other.when.number < number
                and not self.again[(run, path)]
                and (
                    other.server_class == node.server_class
                    or options.barrier == "global"
                    or any(other.when.number < gate for gate in gates)
                )
            ):
                live = self.live.get(path)
                assert live is not None, f"I3: {node.path} started before {path} settled"
                assert live.cause is not None, f"I3: {node.path} started before {path} settled"

    def evaluate(self, expression: object) -> Truth:
        """Return a condition's value, straight from D4."""
        if isinstance(expression, Reference):
            return self._truth_of(expression)
        if isinstance(expression, Not):
            swapped = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE}
            value = self.evaluate(expression.operand)
            return swapped.get(value, value)
        values = [self.evaluate(operand) for operand in expression.operands]  # type: ignore[attr-defined]
        decides, other = (
            (Truth.FALSE, Truth.TRUE) if isinstance(expression, And) else (Truth.TRUE, Truth.FALSE)
        )
        if decides in values:
            return decides
        if all(value is other for value in values):
            return other
        return Truth.OPEN if Truth.OPEN in values else Truth.NEVER

    def _truth_of(self, reference: Reference) -> Truth:
        node = self.nodes.get(reference.path)
        if reference.missing or node is None:
            return Truth.NEVER
        live = self.live.get(reference.path)
        if live is None or live.cause is None:
            return Truth.OPEN if node.on else Truth.NEVER
        if live.state is ActionState.DONE:
            is_good = live.status is Status.SUCCESS or self.options.test == "completion"
            return Truth.TRUE if is_good else Truth.FALSE
        if live.state in ENDED or live.cause in (
            Cause.CONDITION_FALSE,
            Cause.ABORTED_BEFORE_SENT,
        ):
            return Truth.FALSE
        return Truth.NEVER


def _looked_at(expression: object) -> list[str]:
    """Return the paths that a condition speaks of."""
    if isinstance(expression, Reference):
        return [expression.path]
    if isinstance(expression, Not):
        return _looked_at(expression.operand)
    return [path for one in expression.operands for path in _looked_at(one)]  # type: ignore[attr-defined]


class Checks:
    """All shots, all starts."""

    is_forgiven = False  # whoever knew what had happened has died

    def __init__(self) -> None:
        self.shots: dict[ShotKey, ShotCheck] = {}
        self.starts: Counter[AttemptId] = Counter()

    def shot(self, key: ShotKey) -> ShotCheck:
        """Return what is known of a shot."""
        return self.shots.setdefault(key, ShotCheck())

    def record(self, key: ShotKey, record: ShotRecord) -> None:
        """A record was journalled."""
        self.shot(key).take(record)

    def start(self, attempt: AttemptId) -> None:
        """A worker process starts an attempt: I1 and I3."""
        self.starts[attempt] += 1
        assert self.starts[attempt] == 1, f"I1: {attempt} started twice"
        shot = self.shot(ShotKey(attempt.tree, attempt.shot))
        live = shot.live.get(attempt.path)
        assert live is not None, f"I4: {attempt} started and is not journalled"
        run = live.run
        assert run is not None, f"I4: {attempt} started outside of a run"
        if live.attempt != attempt.number or live.state not in IN_PROGRESS:
            return  # given up meanwhile as lost; it may have run, and it does, perhaps in a new run
        shot.starts[(run, attempt.path)] += 1
        again = shot.again[(run, attempt.path)]
        assert shot.starts[(run, attempt.path)] <= 1 + again, (
            f"I1: {attempt.path} started twice in run {run}, and nobody asked for it"
        )
        shot.check_order(attempt.path, run)

    def effect(self, effect: d.Effect) -> None:
        """I4: an effect leaves the dispatcher; what it rests on is journalled."""
        if isinstance(effect, d.WriteCommit):
            self._commit(effect)
        if not isinstance(effect, d.ToPeer):
            return
        for message in effect.messages:
            if isinstance(message, Dispatch | Answered):
                attempt = message.attempt
                shot = self.shot(ShotKey(attempt.tree, attempt.shot))
                known = shot.dispatched if isinstance(message, Dispatch) else shot.answered
                assert (attempt.path, attempt.number) in known, (
                    f"I4: {message.kind} of {attempt} left before it was journalled"
                )

    def _commit(self, effect: d.WriteCommit) -> None:
        """A run that begins is told with who asked for it, all or nothing."""
        system = effect.commit.system.records
        told = {one.request for one in system if isinstance(one, Audited)}
        for key, encoded in effect.commit.shots.items():
            for record in encoded.records:
                assert not isinstance(record, RunOpened) or record.command in told, (
                    f"audit: nobody is told to have asked for run {record.run} of {key}"
                )

    def reply(self, reply: Reply, key: ShotKey, run: int) -> None:
        """The final reply of a run that was waited for."""
        if reply.outcome in (Outcome.OK, Outcome.FAILED):
            shot = self.shot(key)
            assert shot.ended[run] == 1 or run in shot.held, (
                f"I5: run {run} answered before its end"
            )

    def at_end(self, live_of: Mapping[ShotKey, Mapping[str, Transition]]) -> None:
        """I5: faults have stopped and time has passed; every run that is not HELD is over."""
        for key, shot in self.shots.items():
            for run in shot.runs:
                assert shot.ended[run] == 1, f"I5: run {run} of {key} never ended"
            for path, live in live_of.get(key, {}).items():  # it may be out of memory
                stored = shot.live.get(path)
                assert stored is None or stored == live, f"I4: {live} is not what is journalled"
