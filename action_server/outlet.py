"""Where the parts of the machine put their effects, in order, until the event is handled. Pure."""

from shotline.action_server.events import Effect, Level, Log, Send
from shotline.common.messages import Message


class Outlet:
    """The effects of what is being handled."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []

    def add(self, effect: Effect) -> None:
        """Let this be done, after what was asked for before."""
        self._effects.append(effect)

    def send(self, message: Message) -> None:
        """Let a message be sent."""
        self._effects.append(Send(message))

    def log(self, level: Level, text: str) -> None:
        """Let a line be written to the daemon's log."""
        self._effects.append(Log(level, text))

    def take(self) -> list[Effect]:
        """Return all, and begin anew."""
        effects, self._effects = self._effects, []
        return effects
