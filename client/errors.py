"""What can go wrong for a supervisor, one class each. The docstring of a class is its message.

Every error knows the exit code that the command line gives it. Nothing is raised here.
"""

from typing import ClassVar

from shotline.common.dangers import NamedDanger
from shotline.common.errors import ShotlineError
from shotline.common.messages import EXIT_CODES, Outcome, Reply
from shotline.common.views import AnyResult, RunReport


class SupervisorError(ShotlineError):
    """A command to Shotline did not succeed."""

    outcome: ClassVar[Outcome] = Outcome.ERROR

    def __init__(
        self,
        detail: str = "",
        *,
        notices: tuple[str, ...] = (),
        result: AnyResult | None = None,
        dangers: tuple[NamedDanger, ...] = (),
    ) -> None:
        super().__init__(detail)
        self.notices = notices
        self.result = result
        self.dangers = dangers  # what somebody must insist on, each by itself

    @property
    def exit_code(self) -> int:
        """The exit code of the command line for this error."""
        return EXIT_CODES[self.outcome]


class WrongArguments(SupervisorError):
    """The command's arguments are wrong; nothing was changed."""

    outcome = Outcome.USAGE


class Refused(SupervisorError):
    """The command may not be carried out now; nothing was changed."""

    outcome = Outcome.REFUSED


class Nobody(SupervisorError):
    """Nobody is there to carry out the command."""

    outcome = Outcome.NOBODY


class NoBroker(Nobody):
    """No broker answers; start it, or check the address (--broker, SHOTLINE_BROKER)."""


class NotLetIn(NoBroker):
    """The broker lets nobody in without a key that it knows: --key-file FILE, or SHOTLINE_KEY."""


class NoDispatcher(Nobody):
    """The broker has no dispatcher; start one with shotline-dispatcher or shotline up."""


class TimedOut(Nobody):
    """No answer in time; the command may have been carried out: see `shotline status`."""


class Fault(SupervisorError):
    """Shotline made a mistake; the log of the dispatcher or broker says more."""


class Closed(SupervisorError):
    """This supervisor has been closed; make a new one."""


class Unsuccessful(SupervisorError):
    """The command was carried out, but without success."""

    outcome = Outcome.FAILED


class RunNotGood(Unsuccessful):
    """The run was carried out, but not everything went well."""

    @property
    def report(self) -> RunReport | None:
        """The run and its actions, where the reply carried them."""
        return self.result if isinstance(self.result, RunReport) else None


class ActionFailed(RunNotGood):
    """An action of the run failed."""


class RunAborted(RunNotGood):
    """The run was aborted."""


class RunHeld(RunNotGood):
    """The run is HELD; it waits for `shotline resume` or `shotline abort`."""


def error_of(reply: Reply, result: AnyResult | None) -> SupervisorError | None:
    """Return the error that a final reply stands for, None where all is well."""
    kinds: dict[Outcome, type[SupervisorError]] = {
        Outcome.USAGE: WrongArguments,
        Outcome.REFUSED: Refused,
        Outcome.NOBODY: NoDispatcher,
        Outcome.ERROR: Fault,
        Outcome.FAILED: Unsuccessful,
    }
    kind = kinds.get(reply.outcome)
    if kind is None:
        return None
    if isinstance(result, RunReport) and kind is Unsuccessful:
        kind = ActionFailed
        if result.run.state == "held":
            kind = RunHeld
        elif result.run.state == "aborting" or result.run.outcome == "aborted":
            kind = RunAborted
    return kind(reply.message, notices=reply.notices, result=result, dangers=reply.dangers)
