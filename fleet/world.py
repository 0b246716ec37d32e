"""What the fleet's machine asks of the dispatcher that hosts it. Pure."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from shotline.common.views import ServerView


class ServerState(NamedTuple):
    """A server as the dispatcher knows it, in short."""

    name: str
    server_class: str
    host: str
    labels: tuple[str, ...]
    incarnation: str
    slots: int  # its own
    running: int  # actions that it has, sent or running
    is_alive: bool
    is_leaving: bool  # was told to end, or to begin anew


class PlanAhead(NamedTuple):
    """A plan of the pulse queue, and when it is likely to run (wall-clock seconds)."""

    name: str
    classes: frozenset[str]
    begins_at: float | None  # None: nobody can tell
    ends_at: float | None


class World(Protocol):
    """The dispatcher, as the fleet sees it."""

    def servers(self) -> Iterable[ServerState]:
        """Return the servers that are there (lost ones are not)."""

    def server(self, name: str) -> ServerState | None:
        """Return one that is there."""

    def views(self) -> Iterable[ServerView]:
        """Return all servers that have registered since the dispatcher's start, also lost ones."""

    def plans(self) -> Iterable[PlanAhead]:
        """Return the plans of the pulse queue, in their order, the running one first."""
