"""One run: which of its actions may start now, which never will, and what the rest waits for.

Turns of sequence numbers (D2) come from `turns`, values of conditions (D4) from `conditions`; here
they meet the states of the actions. Queues, servers, attempts and the journal are not known here.
Pure.

What the design leaves open is decided so:

* An action that was aborted before it was sent counts as false, as every other aborted one.
* A redispatched action is exempt from D2 only; its own condition must hold, as for any other. What
  has had its turn goes on. Numbers that have not had theirs wait for it while its own number has
  not settled as a whole, and numbers of `synchronize_at` while their stage has not.
* A redispatch looks again at the dependents in the run and at those of the action's own phase that
  never started: they join the run (an action runs only in its own phase, D5). One that a condition
  has settled is undone only if its condition is open or true now.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from shotline.common.actions import IN_PROGRESS, NEVER_DISPATCHED, ActionState, Cause, Status
from shotline.common.nodes import ConditionWhen, Truth
from shotline.common.records import Transition
from shotline.dispatcher.conditions import Network, circles, decisive
from shotline.dispatcher.table import Initial, Table
from shotline.dispatcher.turns import Numbered, Turns, lane_of

NAMES_SHOWN_MAX: Final = 5

_BY_CONDITION: Final = frozenset({Cause.CONDITION_FALSE, Cause.CANNOT_HAPPEN})
_COUNTS_AS_FALSE: Final = frozenset({Cause.CONDITION_FALSE, Cause.ABORTED_BEFORE_SENT})


class Settle(NamedTuple):
    """An action of the run that is settled without having been dispatched."""

    path: str
    cause: Cause
    reason: str


class Step(NamedTuple):
    """What is decided; each part in the table's order.

    `reopened` are pending in this run from now on: dependents of a redispatched action that have
    never started, of this run or without one. Some of them may be settled again in the same step.
    """

    ready: tuple[str, ...] = ()
    settle: tuple[Settle, ...] = ()
    reopened: tuple[str, ...] = ()


NOTHING: Final = Step()


class Sequencer:
    """The order of one run (I3), decided over the shot's own memory, which is only read here.

    `paths` are the run's actions and `redispatched` those of them that were dispatched again in it;
    `actions` are the states of all actions of the shot. A pending action of the run has not been
    sent in it.

    Whoever calls makes `reopened` and `settle` of each step true in `actions`, and the reopened
    ones actions of the run, before calling again. The sequencer is not told of these: `changed`
    is for what happens otherwise.
    """

    def __init__(
        self,
        table: Table,
        paths: Collection[str],
        actions: Mapping[str, Transition],
        redispatched: Collection[str] = (),
    ) -> None:
        self._table = table
        self._options = table.options
        self._paths = paths
        self._actions = actions
        self._redispatched = redispatched
        self._network = Network()
        self._due: deque[str] = deque()  # conditional actions to look at
        # What the present step decides, until it is made true in `actions`.
        self._ready: list[str] = []
        self._settle: list[Settle] = []
        self._decided: dict[str, Cause | None] = {}  # the causes of what it settles or reopens
        self.busy = {path for path in paths if actions[path].state in IN_PROGRESS}
        """The run's actions that are ready, sent or running."""
        for path in paths:
            self._follow(path)
        self._turns = self._make_turns()

    def _make_turns(self) -> Turns:
        """Set up the numbers; a redispatched action counts while its number is not over."""
        numbered = [self._numbered(path) for path in self._paths if self._has_turn(path)]
        regular = [member for member in numbered if member.path not in self._redispatched]
        counted = regular if len(regular) == len(numbered) else self._counted(numbered, regular)
        turns = Turns(counted, self._options)
        for member in counted:
            if not self._is_open(member.path):
                turns.settled(member.path)
        return turns

    def _counted(self, numbered: list[Numbered], regular: list[Numbered]) -> list[Numbered]:
        """Leave out redispatched actions of other phases and of numbers that are over."""
        phases = {self._table.node(member.path).phase for member in regular}
        reached: dict[str, int] = {}  # lane → the highest number that has begun
        for member in regular:
            if self._actions[member.path].state is not ActionState.NOT_DISPATCHED:
                lane = lane_of(member, self._options)
                reached[lane] = max(reached.get(lane, 0), member.number)
        return [
            member
            for member in numbered
            if member.path not in self._redispatched
            or (
                self._table.node(member.path).phase in phases
                and member.number >= reached.get(lane_of(member, self._options), 0)
            )
        ]

    def _numbered(self, path: str) -> Numbered:
        number = self._table.number(path)
        assert number is not None, path
        return Numbered(path, self._table.node(path).server_class, number)

    def _has_turn(self, path: str) -> bool:
        return self._table.number(path) is not None and self._initial(path).cause is None

    # Decisions

    def start(self) -> Step:
        """Look at everything once: at the run's start, or after a recovery in its middle."""
        for path in self._paths:
            if self._is_waiting(path):
                self._look_at_new(path)
        return self._step()

    def changed(self, path: str) -> Step:
        """Return what follows from an action's new state, when no step has decided that."""
        if self._actions[path].cause is None:  # on its way it stays open to all that refer to it
            self.busy.add(path)
            return NOTHING
        self.busy.discard(path)
        self._turns.settled(path)
        self._tell_dependents(path)
        return self._step()

    def redispatch(self, path: str, table: Table) -> Step:
        """Let go an action that was redispatched (D10): it is pending again, and of the run.

        `table` is the one with its node read again. Its switch is not looked at; whatever else the
        tree has against it settles it.
        """
        self._table = table
        if path in self._network:
            self._network.remove(path)
        self._follow(path)
        if self._has_turn(path):
            self._turns.reopened(path)
        else:
            self._turns.settled(path)  # its node has changed: it has no number any more
        self._tell_dependents(path)
        reopened = self._look_again(path)
        self._look_at_new(path)
        return self._step(reopened)

    def _look_at_new(self, path: str) -> None:
        """Settle what the tree forbids, let go what was redispatched, look at a condition."""
        cause, reason = self._initial(path)
        if cause is not None:
            self._settle_now(path, cause, reason)
        elif path in self._network:
            self._due.append(path)
        elif path in self._redispatched:
            self._give(path)

    def _look_again(self, redispatched: str) -> list[str]:
        """Make dependents that never started pending in this run, and theirs (D10)."""
        phase = self._table.node(redispatched).phase
        reopened: list[str] = []
        pending = [redispatched]
        while pending:
            for path in self._table.dependents(pending.pop()):
                if path != redispatched and self._joins(path, phase):
                    self._decided[path] = None
                    self._tell_dependents(path)
                    self._due.append(path)
                    reopened.append(path)
                    pending.append(path)
        return reopened

    def _joins(self, path: str, phase: str) -> bool:
        """Return whether a dependent is to be made pending in this run."""
        of_run = path in self._paths
        if self._is_open(path) or not (of_run or self._table.node(path).phase == phase):
            return False
        if self._actions[path].state is not ActionState.NOT_DISPATCHED:
            return False
        cause = self._cause(path)
        if self._initial(path).cause is not None or cause not in (None, *_BY_CONDITION):
            return False
        self._follow(path)
        return cause is None or self._network.value(path) in (Truth.OPEN, Truth.TRUE)

    def conclude(self) -> Step:
        """Settle as `cannot_happen` what is still open when nothing is ready, sent or running (D5).

        While something is, nothing is decided.
        """
        if self.busy:
            return NOTHING
        # A reference that turns from open to never makes no condition true or false: the reasons of
        # all can be taken before the first is settled, and one pass settles everything.
        waits = {path: self._waits_on(path) for path in self.open_paths}
        circular = {path: circle for circle in circles(waits) for path in circle}
        for path, on in waits.items():
            if path in circular:
                why = f"its condition is circular: {self._names(circular[path])}"
            elif on:
                why = f"{self._names(on)} {'has' if len(on) == 1 else 'have'} not run"
            else:
                why = "its turn does not come"
            self._settle_now(path, Cause.CANNOT_HAPPEN, f"cannot happen: {why}")
        return self._step()

    def _step(self, reopened: Sequence[str] = ()) -> Step:
        """Follow everything to its end, and hand out what came of it."""
        while self._due:
            path = self._due.popleft()
            if self._is_waiting(path):
                self._look_at_condition(path)
        for path in self._turns.advance():
            if self._is_waiting(path):
                self._give(path)
        if not self._ready and not self._settle and not reopened:
            return NOTHING
        position = self._table.position
        step = Step(
            self._table.in_order(self._ready),
            tuple(sorted(self._settle, key=lambda settle: position(settle.path))),
            self._table.in_order(reopened),
        )
        self._ready, self._settle, self._decided = [], [], {}
        return step

    def _look_at_condition(self, path: str) -> None:
        value = self._network.value(path)
        if value is Truth.TRUE:
            self._give(path)
        elif value is Truth.FALSE:
            reason = f"its condition is false: {self._why(path)}"
            self._settle_now(path, Cause.CONDITION_FALSE, reason)
        elif value is Truth.NEVER:
            self._settle_now(path, Cause.CANNOT_HAPPEN, f"cannot happen: {self._why(path)}")

    def _give(self, path: str) -> None:
        self.busy.add(path)
        self._ready.append(path)

    def _settle_now(self, path: str, cause: Cause, reason: str) -> None:
        self._decided[path] = cause
        self._settle.append(Settle(path, cause, reason))
        self._turns.settled(path)
        self._tell_dependents(path)

    # States and truths

    def _cause(self, path: str) -> Cause | None:
        """Return why an action is settled; none: it is not."""
        if path in self._decided:
            return self._decided[path]
        cause = self._actions[path].cause
        if cause in NEVER_DISPATCHED and self._initial(path).cause is None:
            return None  # the tree has changed since
        return cause

    def _is_open(self, path: str) -> bool:
        """Return whether it is an action of the run that is not settled."""
        return (path in self._paths or path in self._decided) and self._cause(path) is None

    def _is_waiting(self, path: str) -> bool:
        return path not in self.busy and self._is_open(path)

    def _initial(self, path: str) -> Initial:
        return self._table.initial(path, even_if_off=path in self._redispatched)

    def _truth(self, path: str) -> Truth:
        """Return the value of a reference (D4)."""
        if path not in self._table:
            return Truth.NEVER
        live, cause = self._actions[path], self._cause(path)
        if live.state is ActionState.DONE:
            succeeded = live.status is Status.SUCCESS or self._options.test == "completion"
            return Truth.TRUE if succeeded else Truth.FALSE
        if live.state in IN_PROGRESS:
            return Truth.OPEN
        if live.state is not ActionState.NOT_DISPATCHED or cause in _COUNTS_AS_FALSE:
            return Truth.FALSE
        possible = cause is None and self._initial(path).cause is None
        return Truth.OPEN if possible else Truth.NEVER

    def _follow(self, path: str) -> None:
        """Let the network follow an action's condition."""
        when = self._table.node(path).when
        if isinstance(when, ConditionWhen) and path not in self._network:
            self._network.add(path, when.expression, self._truth)

    def _tell_dependents(self, path: str) -> None:
        if self._network.follows(path):
            self._due.extend(self._network.tell(path, self._truth(path)))

    # Questions

    @property
    def open_paths(self) -> tuple[str, ...]:
        """The run's actions that are not settled, in the table's order."""
        return self._table.in_order(filter(self._is_open, self._paths))

    def waits_for(self, path: str) -> str:
        """Return in words why an open action of the run is not ready."""
        if path in self._network:
            return f"its condition: waits for {self._names(self._waits_on(path))}"
        return self._waits_for_turn(path)

    def _waits_for_turn(self, path: str) -> str:
        node = self._table.node(path)
        turn = f"sequence number {self._table.number(path)} of {node.server_class}"
        if path not in self._turns:
            return turn
        blockers, synchronized = self._turns.blockers(path)
        if synchronized:
            turn += ", synchronized with all classes"
        elif self._options.barrier == "global":
            turn += ", in step with all classes"
        if not blockers:
            return turn
        return f"{turn}: waits for {self._names(blockers, beside=node.server_class)}"

    def _waits_on(self, path: str) -> tuple[str, ...]:
        """Return the open references that keep a condition open; none for a numbered action."""
        when = self._table.node(path).when
        if not isinstance(when, ConditionWhen):
            return ()
        return decisive(when.expression, self._truth)

    def _names(self, paths: Sequence[str], beside: str | None = None) -> str:
        """Return a few names for people; with the class `beside`, their numbers too."""
        shown = [self._name(path, beside) for path in paths[:NAMES_SHOWN_MAX]]
        if len(paths) > NAMES_SHOWN_MAX:
            shown.append(f"{len(paths) - NAMES_SHOWN_MAX} more")
        return ", ".join(shown)

    def _name(self, path: str, beside: str | None) -> str:
        if path not in self._table:
            return path
        node = self._table.node(path)
        if beside is None:
            return node.name
        of_class = "" if node.server_class == beside else f"{node.server_class} "
        return f"{node.name} ({of_class}{self._table.number(path)})"

    def _why(self, path: str) -> str:
        """Return in words what decided the condition of an action."""
        when = self._table.node(path).when
        assert isinstance(when, ConditionWhen), path
        references = decisive(when.expression, self._truth)
        shown = [self._fate(reference) for reference in references[:NAMES_SHOWN_MAX]]
        if len(references) > NAMES_SHOWN_MAX:
            shown.append(f"and {len(references) - NAMES_SHOWN_MAX} more")
        return ", ".join(shown)

    def _fate(self, path: str) -> str:
        """Return what became of a settled action, in a few words."""
        if path not in self._table:
            return f"the tree has no action {path}"
        name = self._table.node(path).name
        live = self._actions[path]
        if live.state is ActionState.DONE and self._options.test == "completion":
            return f"{name} is done"
        if live.state is ActionState.DONE:
            return f"{name} {'succeeded' if live.status is Status.SUCCESS else 'failed'}"
        cause = self._cause(path) or self._initial(path).cause
        return f"{name} {_FATES.get(cause, 'has not run') if cause else 'has not run'}"


_FATES: Final = {
    Cause.OPERATOR: "was aborted",
    Cause.SERVER_LOST: "was aborted, its server being lost",
    Cause.FORGOTTEN: "has ended in a way that is not known",
    Cause.NO_SERVER: "had no server",
    Cause.OFF: "is off",
    Cause.ASYNCHRONOUS: "is asynchronous",
    Cause.UNREADABLE: "cannot be read",
    Cause.BAD_NUMBER: "has a sequence number that is never dispatched",
    Cause.CONDITION_FALSE: "was skipped, its own condition being false",
    Cause.CANNOT_HAPPEN: "cannot happen",
    Cause.ABORTED_BEFORE_SENT: "was aborted before it was sent",
}
