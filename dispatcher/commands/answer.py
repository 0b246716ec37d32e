"""What a command is answered with: what was done, or why it was not. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from shotline.common.base import Value
from shotline.common.commands import READING, AnyCommand
from shotline.common.dangers import NamedDanger, words_of
from shotline.common.messages import Outcome
from shotline.common.records import ShotKey
from shotline.common.views import AnyResult
from shotline.dispatcher.commands.audit_trail import Given
from shotline.dispatcher.reading.paging import Page


class Answer(Value):
    """What a command's handler says."""

    outcome: Outcome
    message: str
    result: AnyResult | Page | None = None
    notices: tuple[str, ...] = ()
    unknown: bool = False  # refused, since what the command names does not exist
    dangers: tuple[NamedDanger, ...] = ()  # refused, until somebody insists on each of them


class Refused(Exception):
    """The command may not be carried out now; the text says why and what to do."""

    def answer(self) -> Answer:
        """Return the answer that says so."""
        return Answer(Outcome.REFUSED, str(self), unknown=isinstance(self, Unknown))


class Unknown(Refused):
    """What the command names does not exist; the text says what does."""


class Dangerous(Refused):
    """Somebody must insist on each of these dangers, by name."""

    def __init__(self, *dangers: NamedDanger) -> None:
        super().__init__(words_of(dangers))
        self.dangers = dangers

    def answer(self) -> Answer:
        """Return the answer that names them."""
        return Answer(Outcome.REFUSED, str(self), dangers=self.dangers)


@dataclass(slots=True)
class Asked:
    """A command that waits for its final answer."""

    given: Given
    client: bytes
    command: AnyCommand | None = None  # None: nobody could read it
    accepted: Answer | None = None
    begun: Callable[[], AnyResult] | None = None  # what goes with it when it is said first
    about: ShotKey | None = None  # the shot that it turned out to mean, for the log
    is_held_back: bool = False  # nothing is said before something else is known
    answer: Answer | None = None  # the final one, while it is held back
    is_told: bool = False  # to the audit, how it has ended
    notices: tuple[str, ...] = ()  # what is said before the answer's own

    @property
    def id(self) -> str:
        """The command's id."""
        return self.given.request.id

    @property
    def verb(self) -> str:
        """Which command it is."""
        return self.given.request.verb

    @property
    def user(self) -> str:
        """Who gives it, as the connection says."""
        request = self.given.request
        name = "" if request.behalf is None else request.behalf.name
        return name or request.user

    @property
    def giver(self) -> str:
        """Who gives it, in the words of a reason."""
        return self.user or "an operator"

    @property
    def is_reading(self) -> bool:
        """Whether its answer need not be kept."""
        return self.verb in READING
