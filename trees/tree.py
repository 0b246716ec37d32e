"""What every source of actions provides: the `Tree` protocol and the errors that it raises.

Three adapters implement it: `experiment` (YAML file), `mdsplus` (native), `mdsip` (through
mdsthin). Calls may block or crash; the dispatcher makes them in a worker process only (DESIGN D1).
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from shotline.common.base import Json
from shotline.common.nodes import ActionNode, DispatchOptions, Phase


class TreeError(Exception):
    """A tree could not be read, created or written; the message says what to do next."""


class PulseExists(TreeError):
    """The pulse exists already; `create_pulse` needs --replace to make it again."""


class ConnectionLost(TreeError):
    """The connection to the tree's server broke; whether the request was carried out is unknown."""


class UrlBusy(TreeError):
    """The mdsip url went on working for another shot for too long; the task was not started."""


class Tree(Protocol):
    """A source of actions. All methods may raise TreeError."""

    def actions(self, shot: int) -> Sequence[ActionNode]:
        """Return all ACTION nodes in the tree's order, unreadable and off ones included."""

    def action(self, shot: int, path: str) -> ActionNode:
        """Read one node again (D10)."""

    def phases(self, shot: int) -> Sequence[Phase]:
        """Return the phases that the site knows, in their order."""

    def create_pulse(self, shot: int, *, replace: bool) -> None:
        """Make the pulse from the model. Raise PulseExists unless `replace`."""

    def raise_event(self, event: str, shot: int) -> None:
        """Raise an MDSplus event that carries the shot number (D13)."""

    def close(self) -> None:
        """Close files and connections."""


@runtime_checkable
class DeclaresOptions(Protocol):
    """A tree that says itself how it is dispatched; the configuration's word goes before it."""

    def options(self, shot: int) -> DispatchOptions:
        """Return the options of a shot."""

    def warnings(self, shot: int) -> Sequence[str]:
        """Return what is worth a look in the shot's declaration, and stops nothing."""


@runtime_checkable
class KeepsCurrentShot(Protocol):
    """A tree whose site keeps the number of the current shot."""

    def current_shot(self) -> int:
        """Return the number; 0 where none was ever set."""

    def set_current_shot(self, shot: int) -> None:
        """Make this the current shot, for all programs of the site."""


@runtime_checkable
class WritesStatus(Protocol):
    """A tree whose nodes keep a status (MDSplus NCI status)."""

    def write_status(self, shot: int, path: str, code: int) -> None:
        """Write an action's status to its node, as the C dispatcher does."""


@runtime_checkable
class WritesNodes(Protocol):
    """A tree whose pulses have nodes that a pulse plan's parameters are written to."""

    def write_nodes(self, shot: int, values: Mapping[str, Json]) -> None:
        """Write values into nodes of a pulse, all or none where the tree can."""
