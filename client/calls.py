"""Commands on their way out, replies on their way in: one `Call` per command, no sockets.

A call knows its command, what its reply's result becomes, and how long to wait for it. The
blocking and the asynchronous supervisor and the fake share it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import structs

from shotline.client.errors import ActionFailed, Fault, WrongArguments, error_of
from shotline.client.report import Answer, Report
from shotline.common import commands as c
from shotline.common.codec import describe
from shotline.common.command import Command
from shotline.common.commands import AnyCommand
from shotline.common.messages import Behalf, Reply
from shotline.common.paged import Paged
from shotline.common.records import ShotKey
from shotline.common.views import (
    ActionsResult,
    AnyResult,
    LogsResult,
    RunReport,
    decode_result,
    encode_result,
)

_SHOT: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)/(-?[0-9]{1,10})\s*")

T = TypeVar("T")
R = TypeVar("R", bound=AnyResult)
C = TypeVar("C", bound=Command)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A command, and what its reply and result are made into; they may stand for a SupervisorError.

    `long`: it may wait for a run to end. `raw`: its result is passed on as it came, not looked at,
    and further pages of it are not fetched. `behalf`: for whom it is given, where that is neither
    this process's own user nor whom the supervisor is for.
    """

    command: AnyCommand
    outcome: Callable[[Reply, AnyResult | None], T]
    long: bool = False
    raw: bool = False
    behalf: Behalf | None = None


class AnswerPages:
    """What has come of a call's answer: the first reply, and its result, page by page."""

    def __init__(self, call: Call[T]) -> None:
        self._call = call
        self._first: Reply | None = None
        self._result: AnyResult | None = None
        self._is_joined = False

    @property
    def behalf(self) -> Behalf | None:
        """For whom the command is given, as the call says."""
        return self._call.behalf

    def take(self, reply: Reply) -> AnyCommand | None:
        """Take a reply. Return the command for the page that follows, None when this was the last.

        Raise Fault, or what the reply to a further page stands for.
        """
        if self._call.raw:
            self._first = reply
            return None
        result = result_of(reply)
        if self._first is None:
            self._first, self._result = reply, result
        else:
            self._join(reply, result)
        result = self._result
        if not isinstance(result, Paged) or result.next is None:
            return None
        return page_after(self._call.command, result)

    def _join(self, reply: Reply, page: AnyResult | None) -> None:
        before = self._result
        if isinstance(before, Paged) and type(page) is type(before):
            self._result = before.followed_by(page)
            self._is_joined = True
            return
        _raise(reply, page)
        raise Fault("the dispatcher answered with something else than the page that was asked for")

    def whole(self) -> tuple[Reply, AnyResult | None]:
        """Return the reply with its whole result."""
        assert self._first is not None
        reply, result = self._first, self._result
        if self._is_joined and result is not None:
            reply = structs.replace(reply, result=encode_result(result))
        return reply, result


def fetched(call: Call[T], reply: Reply, ask: Callable[[AnyCommand], Reply]) -> T:
    """Return the value of a call's reply, with the pages that `ask` fetches at once."""
    pages = AnswerPages(call)
    following = pages.take(reply)
    while following is not None:
        following = pages.take(ask(following))
    return call.outcome(*pages.whole())


def page_after(command: AnyCommand, result: Paged) -> AnyCommand:
    """Return the command that asks for the page after these."""
    since = result.next or 0
    match result:
        case RunReport(run=run):
            return c.Wait(tree=run.tree, shot=run.shot, run=run.run, since=since)
        case ActionsResult(shots=(shot,)) if isinstance(command, c.BuildTables | c.Actions):
            phase = getattr(command, "phase", None)
            return c.Actions(tree=shot.tree, shot=shot.shot, phase=phase, since=since)
        case LogsResult() if isinstance(command, c.Logs):
            rest = {"since": since, "limit": command.limit - len(result.lines)}
            return structs.replace(command, attempt=result.attempt or None, **rest)
        case _:
            return structs.replace(command, since=since)


def result_of(reply: Reply) -> AnyResult | None:
    """Return what a reply carries. Raise Fault when it is no result of ours."""
    if not reply.result:
        return None
    try:
        return decode_result(reply.result)
    except ValueError as error:
        raise Fault(
            "the reply cannot be read, perhaps the dispatcher is of another version: "
            + describe(error)
        ) from error


def named_shot(text: str) -> ShotKey | None:
    """Return the shot that `TREE/SHOT` names, None where a text is of another form."""
    found = _SHOT.fullmatch(text)
    return ShotKey(found[1].upper(), int(found[2])) if found is not None else None


def shot_of(tree: str, shot: int | None = None) -> ShotKey:
    """Return the shot that is named as ("TEST", 42) or ("TEST/42"). Raise WrongArguments."""
    found = named_shot(tree) if shot is None else ShotKey(tree.upper(), shot)
    if found is None:
        raise WrongArguments(f"give a tree and a shot, or 'TREE/SHOT', not {tree!r}")
    return found


def make(kind: type[C], **arguments: object) -> C:
    """Return a command. Raise WrongArguments, naming the argument, when one is not allowed.

    `tree` and `shot` are given both, or `tree` alone as `TREE/SHOT`, or neither (None) for the
    current pulse.
    """
    tree = arguments.get("tree")
    is_named = isinstance(tree, str) and "/" in tree
    if "shot" in arguments and not is_named and (tree is None) != (arguments["shot"] is None):
        raise WrongArguments("give both tree and shot, or neither for the current pulse")
    try:
        return msgspec.convert(arguments, kind)
    except ValueError as error:
        raise WrongArguments(describe(error)) from error


def answer(command: AnyCommand) -> Call[Answer]:
    """Return a call that answers in words."""
    return Call(command, _answer)


def result(command: AnyCommand, kind: type[R]) -> Call[R]:
    """Return a call that answers with a view."""

    def outcome(reply: Reply, result: AnyResult | None) -> R:
        _raise(reply, result)
        return _expected(result, kind)

    return Call(command, outcome)


def waiting(command: AnyCommand, *kinds: type[R]) -> Call[R]:
    """Return a call that answers with one of these views, at the end of what it waits for."""

    def outcome(reply: Reply, result: AnyResult | None) -> R:
        _raise(reply, result)
        if isinstance(result, kinds):
            return result
        return _expected(result, kinds[0])

    return Call(command, outcome, long=bool(getattr(command, "wait", False)))


def reading(command: AnyCommand, kind: type[R]) -> Call[R]:
    """Return a call whose view is returned also when it tells of failures (`check`)."""

    def outcome(reply: Reply, result: AnyResult | None) -> R:
        if not isinstance(result, kind):
            _raise(reply, result)
        return _expected(result, kind)

    return Call(command, outcome)


def run(
    command: c.DoPhase | c.DoSequence | c.DispatchAction | c.Wait, *, check: bool
) -> Call[Report]:
    """Return a call that answers with a run's report, at its end where the command waits.

    A run that was aborted or is HELD raises always; failed actions only with `check`.
    """

    def outcome(reply: Reply, result: AnyResult | None) -> Report:
        error = error_of(reply, result)
        if error is not None and (
            check or type(error) is not ActionFailed or not isinstance(result, RunReport)
        ):
            raise error
        return Report.of(reply, _expected(result, RunReport))

    return Call(command, outcome, long=isinstance(command, c.Wait) or command.wait)


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
