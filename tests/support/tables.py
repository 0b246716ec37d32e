"""Actions, conditions and transitions in few words, for tests of the dispatcher's decisions."""

from msgspec import structs

from shotline.common.actions import ActionState, Cause, Status
from shotline.common.nodes import (
    ActionNode,
    And,
    ConditionWhen,
    DispatchOptions,
    DispatchType,
    Expression,
    Not,
    Or,
    Phase,
    Reference,
    SequenceWhen,
    SleepTask,
    UnusableWhen,
    When,
)
from shotline.common.records import Transition
from shotline.dispatcher.table import Table

TASK = SleepTask(seconds=0)


def action(
    name: str,
    when: "int | str | Expression | None" = 10,
    server_class: str = "SRV_A",
    phase: str = "INIT",
    *,
    on: bool = True,
    asynchronous: bool = False,
    unreadable: str | None = None,
    path: str | None = None,
) -> ActionNode:
    """An action; `when` is a number, the path of one reference, an expression, or unusable."""
    form: When
    if when is None:
        form = UnusableWhen(text='"WHEN"', why="it is neither a number nor a condition")
    elif isinstance(when, int):
        form = SequenceWhen(number=when, text=str(when))
    else:
        expression = Reference(path=when) if isinstance(when, str) else when
        form = ConditionWhen(expression=expression, text=name)
    return ActionNode(
        path=path or name,
        name=name,
        server_class=server_class,
        phase=phase,
        when=form,
        task=TASK,
        on=on,
        node_on=on,
        dispatch_type=DispatchType.ASYNCHRONOUS if asynchronous else DispatchType.SEQUENTIAL,
        unreadable=unreadable,
    )


def table(
    *actions: ActionNode, phases: tuple[str, ...] = (), options: DispatchOptions | None = None
) -> Table:
    """A table of these actions."""
    declared = [Phase(name=name, number=at) for at, name in enumerate(phases)]
    return Table.build(actions, declared, options or DispatchOptions())


def _expression(part: "str | Expression") -> Expression:
    return Reference(path=part) if isinstance(part, str) else part


def both(*parts: "str | Expression") -> And:
    """All of these."""
    return And(operands=tuple(map(_expression, parts)))


def either(*parts: "str | Expression") -> Or:
    """Any of these."""
    return Or(operands=tuple(map(_expression, parts)))


def no(part: "str | Expression") -> Not:
    """The contrary."""
    return Not(operand=_expression(part))


def pending(path: str) -> Transition:
    return Transition(time=0, path=path, state=ActionState.NOT_DISPATCHED)


def skipped(path: str, cause: Cause) -> Transition:
    return Transition(time=0, path=path, state=ActionState.NOT_DISPATCHED, cause=cause)


def dispatched(path: str) -> Transition:
    return Transition(time=0, path=path, state=ActionState.DISPATCHED, attempt=1)


def doing(path: str) -> Transition:
    return Transition(time=0, path=path, state=ActionState.DOING, attempt=1)


def succeeded(path: str) -> Transition:
    return Transition(
        time=0,
        path=path,
        state=ActionState.DONE,
        status=Status.SUCCESS,
        cause=Cause.RESULT,
        attempt=1,
    )


def failed(path: str) -> Transition:
    return structs.replace(succeeded(path), status=Status.FAILURE)


def aborted(path: str) -> Transition:
    return Transition(time=0, path=path, state=ActionState.ABORTED, cause=Cause.OPERATOR, attempt=1)


def server_off(path: str) -> Transition:
    return Transition(time=0, path=path, state=ActionState.SERVER_OFF, cause=Cause.NO_SERVER)
