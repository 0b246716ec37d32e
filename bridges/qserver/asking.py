"""What a request comes to: an answer at once, or a command whose answer leads on. Pure."""

from collections.abc import Callable
from enum import Enum, auto

from shotline.common.base import Json, Value
from shotline.common.commands import AnyCommand
from shotline.common.messages import Outcome
from shotline.common.queue.views import QueueRefused, RefusalCode
from shotline.common.views import AnyResult

Body = dict[str, Json]
"""A reply, or the parameters of a request."""


class Effect(Enum):
    """What the bridge itself does once a reply has left."""

    NONE = auto()
    STOP = auto()  # it ends
    FALL_SILENT = auto()  # it answers nobody for a while, as a hung manager would


class Done(Value):
    """The reply; None: there is none."""

    body: Body | None
    effect: Effect = Effect.NONE


class Heard(Value):
    """What the dispatcher has answered, or that it has not (`nobody`)."""

    outcome: Outcome
    message: str
    result: AnyResult | None = None

    @property
    def ok(self) -> bool:
        """Whether it was carried out."""
        return self.outcome in (Outcome.OK, Outcome.ACCEPTED)

    @property
    def refused(self) -> QueueRefused | None:
        """The refusal with its code."""
        return self.result if isinstance(self.result, QueueRefused) else None

    @property
    def code(self) -> RefusalCode | None:
        """The refusal's code."""
        return self.refused.code if self.refused is not None else None


class Question(Value):
    """A command to the dispatcher, and what its answer comes to.

    `longer_s`: how much longer than the usual it may take.
    """

    command: AnyCommand
    then: "Callable[[Heard], Step]"
    longer_s: float = 0.0


Step = Done | Question


class Sorry(Exception):
    """A request is refused; the text says why, `more` is what the reply has besides."""

    def __init__(self, text: str, **more: Json) -> None:
        super().__init__(text)
        self.more = more
