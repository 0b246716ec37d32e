"""What the end of a Python task means: of what it returned, what it raised, how it left.

The table for people is in docs/experiment-file.md. Whatever a task hands over, what comes out is
text that can be sent and a number that everybody can hold; nothing here raises.
"""

import contextlib
import operator
import reprlib
import sys
import traceback
import types
from collections.abc import Awaitable, Coroutine, Iterable
from itertools import islice
from pathlib import Path
from typing import Final

from shotline.common.nodes import TaskOutcome
from shotline.common.ranges import held

_NOT_RUN: Final = (Awaitable, types.GeneratorType, types.AsyncGeneratorType, map, filter)
_REPR: Final = reprlib.Repr()
_REPR.maxother = _REPR.maxstring = 200  # characters
_HELD_MAX: Final = 1000  # things in a returned container that are looked at


SUCCESS: Final = TaskOutcome(ok=True)


def of_value(value: object) -> TaskOutcome:
    """Return what a value means that a task has returned; a coroutine is run to its end first.

    Raise whatever the coroutine raises.
    """
    if value is None or value is True:
        return SUCCESS
    if isinstance(value, Coroutine):
        import asyncio

        value = asyncio.run(value)
    return _of_plain(value)


def of_exit(code: object) -> TaskOutcome:
    """Return what `sys.exit(code)` means, as for any program."""
    number = _as_integer(code)
    if code is None or number == 0:
        return TaskOutcome(ok=True, code=0)
    if number is not None:
        shown, beyond = held(number)
        return TaskOutcome(ok=False, code=shown, text=f"exit code {beyond or shown}")
    return TaskOutcome(ok=False, code=1, text=text_of(code))


def of_error(error: BaseException, ours: Path) -> TaskOutcome:
    """Return what an exception means, and write its traceback, without the first frames in `ours`.

    Those tell the task's author nothing.
    """
    frames = error.__traceback__
    while frames is not None and Path(frames.tb_frame.f_code.co_filename).resolve() == ours:
        frames = frames.tb_next
    with contextlib.suppress(BaseException):  # an exception may do anything when it is shown
        traceback.print_exception(type(error), error, frames)
    # Where its class stands is in the traceback.
    return TaskOutcome(ok=False, text=_error_text(error).removeprefix(f"{type(error).__module__}."))


def _of_plain(value: object) -> TaskOutcome:
    if value is None or value is True:
        return SUCCESS
    if value is False:
        return TaskOutcome(ok=False, text="returned False")
    if isinstance(value, str):
        return TaskOutcome(ok=True, text=value)
    truth = _as_boolean(value)
    if truth is not None:
        return SUCCESS if truth else TaskOutcome(ok=False, text="returned False")
    number = _as_integer(value)
    if number is not None:
        return _of_status(number)
    if isinstance(value, BaseException) or (
        isinstance(value, type) and issubclass(value, BaseException)
    ):
        what = _error_text(value) if isinstance(value, BaseException) else value.__name__
        return TaskOutcome(ok=False, text=f"returned the exception {what} instead of raising it")
    if (unrun := _unrun_in(value)) is not None:
        return TaskOutcome(ok=False, text=_not_run(unrun))
    return _of_other(value)


def _of_status(status: int) -> TaskOutcome:
    ok = bool(status & 1)
    shown, beyond = held(status)
    if beyond:
        return TaskOutcome(ok=ok, code=shown, text=f"returned {beyond}")
    text = "" if ok else f"returned the even status {shown}"
    return TaskOutcome(ok=ok, code=shown, text=text)


def _not_run(value: object) -> str:
    """Say that what was returned would only run when somebody asked it to; end it."""
    if isinstance(value, types.GeneratorType | types.CoroutineType):
        with contextlib.suppress(BaseException):  # it may do anything at its end
            value.close()
    return f"returned a thing of the kind {type(value).__name__}, which was not run to its end"


def _unrun_in(value: object) -> object | None:
    """Return what has not run to its end: the value itself, or something that it holds."""
    if _has_not_run(value):
        return value
    held_by: Iterable[object] = ()
    if isinstance(value, dict):
        held_by = value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        held_by = value
    return next(filter(_has_not_run, islice(held_by, _HELD_MAX)), None)


def _has_not_run(value: object) -> bool:
    if isinstance(value, _NOT_RUN):
        return True
    futures = sys.modules.get("concurrent.futures")  # there, where somebody has one
    return futures is not None and isinstance(value, futures.Future)


def _of_other(value: object) -> TaskOutcome:
    """Judge what is neither text, None, boolean nor integer, and say how it was taken."""
    if isinstance(value, tuple) and value and (verdict := _as_boolean(value[0])) is not None:
        # A check and what it has to say.
        said = ", ".join(text_of(one) for one in value[1:])
        return TaskOutcome(ok=verdict, text=said or f"returned {_shown(value)}")
    try:
        is_true = value is not NotImplemented and bool(
            value.all() if _holds_booleans(value) else value  # type: ignore[attr-defined]
        )
    except BaseException:  # noqa: BLE001 (several numbers at once, say)
        return TaskOutcome(
            ok=True, text=f"returned {_shown(value)}, taken as success: it is no check"
        )
    if not is_true:
        return TaskOutcome(ok=False, text=f"returned {_shown(value)}, which counts as false")
    return TaskOutcome(ok=True, text=f"returned {_shown(value)}, taken as success")


def _as_boolean(value: object) -> bool | None:
    """Return the truth of a boolean, numpy's too; None for anything else."""
    if isinstance(value, bool):
        return value
    if _holds_booleans(value) and getattr(value, "shape", None) == ():
        return bool(value)
    return None


def _holds_booleans(value: object) -> bool:
    # numpy's booleans are no integers to Python; their kind says what they are.
    return getattr(getattr(value, "dtype", None), "kind", None) == "b"


def _as_integer(value: object) -> int | None:
    """Return the integer that a value is to Python, numpy's included; None for anything else."""
    if isinstance(value, int):
        return int(value)
    with contextlib.suppress(Exception):
        return operator.index(value)  # type: ignore[arg-type]
    return None


def _error_text(error: BaseException) -> str:
    with contextlib.suppress(BaseException):
        return "".join(traceback.format_exception_only(error)).strip()
    return type(error).__name__


def text_of(value: object) -> str:
    """Return `str(value)`, or what it is where even that fails."""
    try:
        return str(value)
    except BaseException as error:  # noqa: BLE001 (it may do anything)
        return f"<{type(value).__name__} whose text cannot be made: {type(error).__name__}>"


def _shown(value: object) -> str:
    """Return a value shortly, as a programmer writes it."""
    try:
        return " ".join(_REPR.repr(value).split())
    except BaseException as error:  # noqa: BLE001 (it may do anything)
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"
