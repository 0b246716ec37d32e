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
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from shotline.common.actions import IN_PROGRESS, NEVER_DISPATCHED, ActionState, Cause, Status
from shotline.common.nodes import ConditionWhen, DispatchOptions, Truth
from shotline.common.records import Transition
from shotline.dispatcher.conditions import Network, circles, decisive
from shotline.dispatcher.table import Initial, Table
from shotline.dispatcher.turns import Numbered, Turns

NAMES_SHOWN_MAX: Final = 5

_ENDED: Final = frozenset({ActionState.DONE, ActionState.ABORTED, ActionState.SERVER_OFF})
_BY_CONDITION: Final = frozenset({Cause.CONDITION_FALSE, Cause.CANNOT_HAPPEN})
_COUNTS_AS_FALSE: Final = frozenset({Cause.CONDITION_FALSE, Cause.ABORTED_BEFORE_SENT})


class Settle(NamedTuple):
    """An action of the run that is settled without having been dispatched."""

    path: str
    cause: Cause
    reason: str


class Step(NamedTuple):
    """What follows from one change; each part in the table's order.

    `settle` and `reopened` are applied in the sequencer already: it may be told about them again
    through `changed`, before anything else. `reopened` are other actions than the one redispatched,
    which are pending in this run from now on (some of them were so before, without a run).
    """

    ready: tuple[str, ...] = ()
    settle: tuple[Settle, ...] = ()
    reopened: tuple[str, ...] = ()


NOTHING: Final = Step()


class _Live(NamedTuple):
    """What a transition says that matters here."""

    state: ActionState
    status: Status | None
    cause: Cause | None

    @property
    def is_settled(self) -> bool:
        return self.cause is not None or self.state in _ENDED


_PENDING: Final = _Live(ActionState.NOT_DISPATCHED, None, None)


class Sequencer:
    """The order of one run (I3). Tell it every change of every action of the shot.

    `paths` are the run's actions, already reset: a pending one has not been sent in this run.
    `standing` is the live state of all actions of the shot; a path that is not in it is pending. It
    may be the machine's own mapping, which is read and never changed.
    `exempt` names, after a recovery, those of `paths` that were redispatched in this run.

    A redispatch outside of a run: make one without paths and call `reopen`; the run's actions are
    the path and `Step.reopened`.
    """

    def __init__(
        self,
        table: Table,
        paths: Sequence[str],
        standing: Mapping[str, Transition],
        options: DispatchOptions,
        *,
        exempt: Collection[str] = (),
    ) -> None:
        self._table = table
        self._options = options
        self._standing = standing
        self._told: dict[str, _Live] = {}  # of the run's actions, and of all that has changed since
        self._exempt = set(exempt)
        self._members = dict.fromkeys(paths)
        self._open: set[str] = set()  # members that are not settled
        self._given: set[str] = set()  # open, and given out as ready, sent or running
        self._network = Network()
        self._due: deque[str] = deque()  # conditional actions to look at
        self._ready: list[str] = []
        self._settle: list[Settle] = []
        self._passing: set[str] = set()  # of the last step: reopened, and settled again at once
        for path in paths:
            live = self._told[path] = self._live(path)
            if not live.is_settled:
                self._open.add(path)
                if live.state in IN_PROGRESS:
                    self._given.add(path)
            self._follow(path)
        self._turns = self._make_turns()

    def _make_turns(self) -> Turns:
        """Set up the numbers; a redispatched action counts while its number is not over."""
        numbered = [self._numbered(path) for path in self._members if self._has_turn(path)]
        regular = [member for member in numbered if member.path not in self._exempt]
        counted = regular if len(regular) == len(numbered) else self._counted(numbered, regular)
        turns = Turns(counted, self._options)
        for member in counted:
            if member.path not in self._open:
                turns.settled(member.path)
        return turns

    def _counted(self, numbered: list[Numbered], regular: list[Numbered]) -> list[Numbered]:
        """Leave out redispatched actions of other phases and of numbers that are over."""
        phases = {self._table.node(member.path).phase for member in regular}
        reached: dict[str, int] = {}  # lane → the highest number that has begun
        for member in regular:
            live = self._live(member.path)
            if live.state is not ActionState.NOT_DISPATCHED:
                lane = self._lane(member)
                reached[lane] = max(reached.get(lane, 0), member.number)
        return [
            member
            for member in numbered
            if member.path not in self._exempt
            or (
                self._table.node(member.path).phase in phases
                and member.number >= reached.get(self._lane(member), 0)
            )
        ]

    def _lane(self, member: Numbered) -> str:
        return "" if self._options.barrier == "global" else member.server_class

    def _numbered(self, path: str) -> Numbered:
        number = self._table.number(path)
        assert number is not None, path
        return Numbered(path, self._table.node(path).server_class, number)

    def _has_turn(self, path: str) -> bool:
        return self._table.number(path) is not None and self._initial(path).cause is None

    # What is told, and what follows from it.

    def start(self) -> Step:
        """Look at everything once: at the run's start, or after a recovery in its middle."""
        for path in self._members:
            if path in self._open and path not in self._given:
                self._look_at_new(path)
        return self._step()

    def changed(self, transition: Transition) -> Step:
        """Take in the new state of any action of the shot."""
        path = transition.path
        live = _Live(transition.state, transition.status, transition.cause)
        if path not in self._table or self._told.get(path) == live:
            return NOTHING
        if path in self._passing and live == _PENDING:
            self._passing.discard(path)
            return NOTHING  # the echo of a step that has settled it already
        self._told[path] = live
        if live.state in IN_PROGRESS and path in self._given:
            return NOTHING  # it was given out: on its way it stays open, to all that refer to it
        if path in self._members:
            self._take_in_member(path, live)
        self._tell_dependents(path)
        return self._step()

    def _take_in_member(self, path: str, live: _Live) -> None:
        if live.is_settled:
            self._open.discard(path)
            self._given.discard(path)
            self._turns.settled(path)
            return
        if path not in self._open:  # pending again; `reopen` says whether it may start
            self._open.add(path)
            self._turns.reopened(path)
        if live.state in IN_PROGRESS:
            self._given.add(path)

    def reopen(self, path: str, table: Table | None = None) -> Step:
        """Redispatch an action (D10); `table` is the one with its node read again.

        It need not be of the run: it joins it. Its switch is not looked at; whatever else the tree
        has against it settles it. Nothing happens when it is ready, sent or running.
        """
        if path in self._given:
            return NOTHING
        if table is not None:
            self._table = table
            if path in self._network:
                self._network.remove(path)
        self._members[path] = None
        self._open.add(path)
        self._exempt.add(path)
        self._told[path] = _PENDING
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
        """Settle what the tree forbids, start what is exempt, look at a condition."""
        cause, reason = self._initial(path)
        if cause is not None:
            self._settle_now(path, cause, reason)
        elif path in self._network:
            self._due.append(path)
        elif path in self._exempt:
            self._give(path)

    def _look_again(self, redispatched: str) -> list[str]:
        """Make dependents that never started pending in this run, and theirs (D10)."""
        phase = self._table.node(redispatched).phase
        reopened: list[str] = []
        pending = [redispatched]
        while pending:
            for path in self._table.dependents(pending.pop()):
                if path != redispatched and self._joins(path, phase):
                    self._members[path] = None
                    self._open.add(path)
                    self._told[path] = _PENDING
                    self._tell_dependents(path)
                    self._due.append(path)
                    reopened.append(path)
                    pending.append(path)
        return reopened

    def _joins(self, path: str, phase: str) -> bool:
        """Return whether a dependent is to be made pending in this run."""
        of_run = path in self._members
        if path in self._open or not (of_run or self._table.node(path).phase == phase):
            return False
        live = self._live(path)
        if live.state is not ActionState.NOT_DISPATCHED or self._initial(path).cause is not None:
            return False
        if live.cause is not None and live.cause not in _BY_CONDITION:
            return False
        self._follow(path)
        return live.cause is None or self._network.value(path) in (Truth.OPEN, Truth.TRUE)

    def conclude(self) -> Step:
        """Settle what is still open as `cannot_happen` (D5).

        Nothing happens while an action is ready, sent or running (`is_stuck` is False then).
        """
        if not self.is_stuck:
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

    def _step(self, reopened: Iterable[str] = ()) -> Step:
        """Follow everything to its end, and hand out what came of it."""
        while self._due:
            path = self._due.popleft()
            if path in self._open and path not in self._given:
                self._look_at_condition(path)
        for path in self._turns.advance():
            if path in self._open and path not in self._given:
                self._give(path)
        if not self._ready and not self._settle and not reopened:
            return NOTHING
        position = self._table.position
        step = Step(
            self._table.in_order(self._ready),
            tuple(sorted(self._settle, key=lambda settle: position(settle.path))),
            self._table.in_order(reopened),
        )
        self._ready, self._settle = [], []
        self._passing = set(step.reopened).intersection(settle.path for settle in step.settle)
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
        self._given.add(path)
        self._ready.append(path)

    def _settle_now(self, path: str, cause: Cause, reason: str) -> None:
        self._told[path] = _Live(ActionState.NOT_DISPATCHED, None, cause)
        self._open.discard(path)
        self._settle.append(Settle(path, cause, reason))
        self._turns.settled(path)
        self._tell_dependents(path)

    # States and truths.

    def _live(self, path: str) -> _Live:
        live = self._told.get(path)
        if live is None:
            last = self._standing.get(path)
            live = _PENDING if last is None else _Live(last.state, last.status, last.cause)
        if live.cause in NEVER_DISPATCHED and self._initial(path).cause is None:
            return _PENDING  # the tree has changed since
        return live

    def _initial(self, path: str) -> Initial:
        return self._table.initial(path, even_if_off=path in self._exempt)

    def _truth(self, path: str) -> Truth:
        """Return the value of a reference (D4)."""
        if path not in self._table:
            return Truth.NEVER
        state, status, cause = self._live(path)
        if state is ActionState.DONE:
            succeeded = status is Status.SUCCESS or self._options.test == "completion"
            return Truth.TRUE if succeeded else Truth.FALSE
        if state in _ENDED or cause in _COUNTS_AS_FALSE:
            return Truth.FALSE
        if state in IN_PROGRESS:
            return Truth.OPEN
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

    # Questions.

    @property
    def is_stuck(self) -> bool:
        """Whether something is open and nothing ready, sent or running: `conclude` is due."""
        return bool(self._open) and not self._given

    @property
    def open_paths(self) -> tuple[str, ...]:
        """The run's actions that are not settled, in the table's order."""
        return self._table.in_order(self._open)

    def waits_for(self, path: str) -> str:
        """Return in words why an action does not go on; empty when it is settled or sent."""
        live = self._live(path)
        if live.is_settled or live.state in IN_PROGRESS:
            return ""
        node = self._table.node(path)
        if path not in self._open:
            return f"phase {node.phase}"
        if path in self._given:
            return f"a free slot of {node.server_class}"
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
        state, status, cause = self._live(path)
        if state is ActionState.DONE and self._options.test == "completion":
            return f"{name} is done"
        if state is ActionState.DONE:
            return f"{name} {'succeeded' if status is Status.SUCCESS else 'failed'}"
        cause = cause or self._initial(path).cause
        return f"{name} {_FATES.get(cause, 'has not run') if cause else 'has not run'}"


_FATES: Final = NEVER_DISPATCHED | {
    Cause.OPERATOR: "was aborted",
    Cause.SERVER_LOST: "was aborted, its server being lost",
    Cause.FORGOTTEN: "has ended in a way that is not known",
    Cause.NO_SERVER: "had no server",
    Cause.CONDITION_FALSE: "was skipped, its own condition being false",
    Cause.CANNOT_HAPPEN: "cannot happen",
    Cause.ABORTED_BEFORE_SENT: "was aborted before it was sent",
}
