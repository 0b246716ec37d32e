"""Commands on their way out, replies on their way in: one `Call` per command, no sockets.

A call knows its command, what its reply's result becomes, and how long to wait for it. The
blocking and the asynchronous supervisor and the fake share it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError

from shotline.client.errors import ActionFailed, Fault, WrongArguments, error_of
from shotline.client.report import Answer, Report
from shotline.common import commands as c
from shotline.common.codec import describe
from shotline.common.commands import AnyCommand, Command
from shotline.common.messages import Reply
from shotline.common.views import AnyResult, RunReport, decode_result

T = TypeVar("T")
R = TypeVar("R", bound=AnyResult)
C = TypeVar("C", bound=Command)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A command, and what its reply is made into. `long`: it may wait for a run to end."""

    command: AnyCommand
    made_of: Callable[[Reply, AnyResult | None], T]
    long: bool = False

    def outcome(self, reply: Reply) -> T:
        """Return the reply's value. Raise the SupervisorError that it stands for."""
        return self.made_of(reply, result_of(reply))


def result_of(reply: Reply) -> AnyResult | None:
    """Return what a reply carries. Raise Fault when it is no result of ours."""
    if not reply.result:
        return None
    try:
        return decode_result(reply.result)
    except ValidationError as error:
        raise Fault(
            "the reply cannot be read, perhaps the dispatcher is of another version: "
            + describe(error)
        ) from error


def make(kind: type[C], **arguments: object) -> C:
    """Return a command. Raise WrongArguments, naming the argument, when one is not allowed.

    `tree` and `shot` are given both, or neither (None) for the current pulse.
    """
    if "shot" in arguments and (arguments["tree"] is None) != (arguments["shot"] is None):
        raise WrongArguments("give both tree and shot, or neither for the current pulse")
    try:
        return kind.model_validate(arguments)
    except ValidationError as error:
        raise WrongArguments(describe(error)) from error


def answer(command: AnyCommand) -> Call[Answer]:
    """Return a call that answers in words."""
    return Call(command, _answer)


def result(command: AnyCommand, kind: type[R]) -> Call[R]:
    """Return a call that answers with a view."""

    def made_of(reply: Reply, result: AnyResult | None) -> R:
        _raise(reply, result)
        return _expected(result, kind)

    return Call(command, made_of)


def reading(command: AnyCommand, kind: type[R]) -> Call[R]:
    """Return a call whose view is returned also when it tells of failures (`check`)."""

    def made_of(reply: Reply, result: AnyResult | None) -> R:
        if not isinstance(result, kind):
            _raise(reply, result)
        return _expected(result, kind)

    return Call(command, made_of)


def run(
    command: c.DoPhase | c.DoSequence | c.DispatchAction | c.Wait, *, check: bool
) -> Call[Report]:
    """Return a call that answers with a run's report, at its end where the command waits.

    A run that was aborted or is HELD raises always; failed actions only with `check`.
    """

    def made_of(reply: Reply, result: AnyResult | None) -> Report:
        error = error_of(reply, result)
        if error is not None and (
            check or type(error) is not ActionFailed or not isinstance(result, RunReport)
        ):
            raise error
        return Report.of(reply, _expected(result, RunReport))

    return Call(command, made_of, long=isinstance(command, c.Wait) or command.wait)


def _answer(reply: Reply, result: AnyResult | None) -> Answer:
    _raise(reply, result)
    return Answer(message=reply.message, notices=reply.notices)


def _raise(reply: Reply, result: AnyResult | None) -> None:
    error = error_of(reply, result)
    if error is not None:
        raise error


def _expected(result: AnyResult | None, kind: type[R]) -> R:
    if not isinstance(result, kind):
        got = "nothing" if result is None else result.kind
        raise Fault(f"the dispatcher answered with {got} where {kind.__name__} was expected")
    return result
