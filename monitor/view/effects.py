"""What the monitor's view asks its shell to do: plain values. Pure."""

from shotline.common.base import Value
from shotline.monitor.messages import Body


class Post(Value):
    """Publish a message on a channel; a later one of the same key replaces it."""

    channel: str
    body: Body
    key: str | None = None


class Open(Value):
    """Let there be a channel; `lacks` says why its beginning is missing."""

    channel: str
    lacks: str = ""


class End(Value):
    """End a channel."""

    channel: str


class Drop(Value):
    """Forget a channel at once."""

    channel: str


class Follow(Value):
    """Have the events of a shot."""

    tree: str
    shot: int


class Unfollow(Value):
    """Have a shot's events no longer, until there are new ones."""

    tree: str
    shot: int


class Refresh(Value):
    """Have the whole state of a shot again: events told of something that they do not carry."""

    tree: str
    shot: int


class AskSystem(Value):
    """Ask the dispatcher for its status and the shots that it knows."""


class AskLines(Value):
    """Ask for the stored output of an attempt from a line on."""

    channel: str
    since: int


Effect = Post | Open | End | Drop | Follow | Unfollow | Refresh | AskSystem | AskLines
