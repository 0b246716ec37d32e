"""Asking MDSplus by TDI expressions: what both adapters share of it.

How a question gets there, over mdsip or within this process, is the subclasses'. Both give the same
plain values, and the same failures.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from math import isfinite
from typing import Final, cast

from shotline.common.actions import AttemptId
from shotline.common.nodes import TaskOutcome
from shotline.common.ranges import held
from shotline.trees.mdsplus_terms import UndecodableRecord, decode_list
from shotline.trees.tree import ConnectionLost, TreeError

Scalar = int | float | str | bytes
_NO_MESSAGE: Final = "%NONAME"  # what MDSplus calls a facility that it does not know


class MdsplusFailure(TreeError):
    """MDSplus answered with a failure; `status` is its number, 0 when there is none."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


class TdiConnection(ABC):
    """Somebody who evaluates TDI expressions. `url` names it, for people.

    The trees that it opens are its own: nobody else opens, closes or sees them.
    """

    url: str
    _open: tuple[str, int] | None = None

    @abstractmethod
    def begin(self) -> None:
        """Begin an operation, which is several questions: see to it that somebody answers.

        Raise TreeError: nothing was asked yet.
        """

    @abstractmethod
    def ask(self, expression: str, *arguments: Scalar) -> list[Scalar] | Scalar | None:
        """Return the value of an expression: a scalar, a list, or None for no value.

        Raise MdsplusFailure when MDSplus refuses it, ConnectionLost when no answer came.
        """

    @abstractmethod
    def known_status(self, status: int) -> str | None:
        """Return a status in words from MDSplus' lists, None when they do not have it."""

    @abstractmethod
    def close(self) -> None:
        """Close what is open."""

    def number(self, expression: str, *arguments: Scalar) -> int:
        """Return the value of an expression as a whole number."""
        answer = self.ask(expression, *arguments)
        if isinstance(answer, int) or (isinstance(answer, float) and isfinite(answer)):
            return int(answer)
        raise TreeError(f"{self.url} answered {answer!r} to {expression}, not a number")

    def text(self, expression: str, *arguments: Scalar) -> str:
        """Return the value of an expression as text, "" when it has none."""
        answer = self.ask(expression, *arguments)
        return answer.rstrip() if isinstance(answer, str) else ""

    def several(self, expression: str) -> list[Scalar]:
        """Return the value of an expression as a list, also when it is only one."""
        answer = self.ask(expression)
        if answer is None:
            return []
        return answer if isinstance(answer, list) else [answer]

    def carry_out(self, expression: str, *arguments: Scalar, failing: str) -> None:
        """Evaluate what returns a status. A bad one raises MdsplusFailure: `failing`, and why."""
        try:
            status = self.number(expression, *arguments)
        except MdsplusFailure as error:
            raise MdsplusFailure(error.status, f"{failing}: {error}") from None
        if not status & 1:
            raise MdsplusFailure(status, f"{failing}: {self.status_text(status)}")

    def open_tree(self, tree: str, shot: int) -> None:
        """Make (tree, shot) the current tree."""
        failing = f"cannot open {tree}/{shot} at {self.url}"
        self.carry_out("TreeOpen($,$)", tree, shot, failing=failing)

    def close_tree(self, tree: str, shot: int) -> None:
        """Close (tree, shot); closing what is not open is no error."""
        self.ask("TreeClose($,$)", tree, shot)

    def open_anew(self, tree: str, shot: int) -> None:
        """Make (tree, shot) the current tree, and close the one that was so made before.

        Anew also when it is open: MDSplus keeps the structure of an open tree, whatever becomes of
        its file.
        """
        self.leave()
        self.open_tree(tree, shot)
        self._open = (tree, shot)

    def leave(self) -> None:
        """Close the tree that `open_anew` has opened."""
        before, self._open = self._open, None
        if before is not None:
            with suppress(MdsplusFailure):
                self.close_tree(*before)

    def status_text(self, status: int) -> str:
        """Return a status as `%TDI-E-INVDTYDSC, …`: from our own list, else as MDSplus says it."""
        known = self.known_status(status)
        if known is not None:
            return known
        with suppress(TreeError):
            told = self.text("getmsg($)", status)
            if told.startswith("%") and not told.startswith(_NO_MESSAGE):
                return told.rstrip(".")
        return f"MDSplus status {status}"

    def execute(self, attempt: AttemptId) -> TaskOutcome:
        """Run the task of an action to its end, however long that takes.

        Raise ConnectionLost when no answer came: the outcome is unknown. What goes wrong before the
        task was asked for is a failure of the action.
        """
        try:
            self.begin()
            self.open_anew(attempt.tree, attempt.shot)
        except TreeError as error:
            self.close()
            code = error.status if isinstance(error, MdsplusFailure) else None
            return TaskOutcome(ok=False, code=code, text=f"was not started: {error}")
        return self.do_task(attempt.path)

    def do_task(self, path: str) -> TaskOutcome:
        """Run the task of an action of the current tree to its end, and say how that was.

        A task fails by what it returns or by an error. By path, not by number: a wrong number
        would run another action. Raise ConnectionLost when no answer came.
        """
        try:
            status = self.number("do_task(build_path($))", path)
        except MdsplusFailure as error:
            text = str(error)
            if error.status and not text.startswith("%"):
                text = self.status_text(error.status)
            return TaskOutcome(ok=False, code=error.status or None, text=text.rstrip("."))
        except ConnectionLost:
            raise
        except TreeError as error:
            return TaskOutcome(ok=False, text=str(error))
        code, beyond = held(status)
        text = f"status {beyond}" if beyond else self.status_text(status)
        return TaskOutcome(ok=bool(status & 1), code=code, text=text)

    def content(self, expression: str) -> bytes:
        """Return the value of an expression that yields bytes, such as SerializeOut."""
        answer = self.several(expression)
        try:
            return bytes(cast("list[int]", answer))
        except (TypeError, ValueError):
            raise TreeError(
                f"{self.url} answered {answer!r:.80} to {expression:.80}, not bytes"
            ) from None

    def together(self, expressions: Sequence[str]) -> list[str | bytes | None]:
        """Return the values of expressions that yield texts or bytes, asked for as one.

        None: MDSplus refuses it, and says why when it is asked for by itself. No expression may
        have a single quote.
        """
        # Each is compiled by itself: what has a backtick is evaluated, and may fail, already then.
        each = ",".join(f"if_error(execute('{one}'),*)" for one in expressions)
        try:
            return decode_list(self.content(f"SerializeOut(`List(*,{each}))"))
        except (MdsplusFailure, UndecodableRecord):
            return [None] * len(expressions)
