"""What the monitor's view asks its shell to do: plain values. Pure."""

from dataclasses import dataclass

from shotline.monitor.messages import Body


@dataclass(frozen=True, slots=True)
class Post:
    """Publish a message on a channel; a later one of the same key replaces it."""

    channel: str
    body: Body
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """Let there be a channel; `lacks` says why its beginning is missing."""

    channel: str
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """End a channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Forget a channel at once."""

    channel: str


@dataclass(frozen=True, slots=True)
class Follow:
    """Have the events of a shot."""

    tree: str
    shot: int


@dataclass(frozen=True, slots=True)
class Unfollow:
    """Have a shot's events no longer, until there are new ones."""

    tree: str
    shot: int


@dataclass(frozen=True, slots=True)
class Refresh:
    """Have the whole state of a shot again: events told of something that they do not carry."""

    tree: str
    shot: int


@dataclass(frozen=True, slots=True)
class AskSystem:
    """Ask the dispatcher for its status and the shots that it knows."""


@dataclass(frozen=True, slots=True)
class AskLines:
    """Ask for the stored output of an attempt from a line on."""

    channel: str
    since: int


Effect = Post | Open | End | Drop | Follow | Unfollow | Refresh | AskSystem | AskLines
