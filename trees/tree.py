"""What every source of actions provides: the `Tree` protocol and the `ActionNode` record.

Three adapters implement it: `experiment` (YAML file), `mdsplus` (native), `mdsip` (through
mdsthin). Calls may block or crash; the dispatcher makes them in a worker process only (DESIGN D1).
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal, Protocol, runtime_checkable

from pydantic import Field, JsonValue

from shotline.common.model import Model
from shotline.common.ranges import Code, Duration, SequenceNumber, Small
from shotline.trees.condition import Expression
from shotline.trees.options import DispatchOptions


class DispatchType(StrEnum):
    """How the node asks to be dispatched."""

    SEQUENTIAL = "sequential"
    CONDITIONAL = "conditional"
    ASYNCHRONOUS = "asynchronous"
    NONE = "none"


class SequenceWhen(Model):
    """An integer `when`: the position within server class and phase (numbers <= 0 never run)."""

    kind: Literal["sequence"] = "sequence"
    number: SequenceNumber
    text: str


class ConditionWhen(Model):
    """An expression `when` over other actions."""

    kind: Literal["condition"] = "condition"
    expression: Expression
    text: str


class UnusableWhen(Model):
    """A `when` that is neither number nor condition; `why` says so in words."""

    kind: Literal["unusable"] = "unusable"
    text: str
    why: str


When = Annotated[SequenceWhen | ConditionWhen | UnusableWhen, Field(discriminator="kind")]


class PythonTask(Model):
    """Call `module:function` with keyword arguments in a worker process."""

    kind: Literal["python"] = "python"
    callable: Annotated[str, Field(pattern=r"^[\w.]+:[\w.]+$")]
    arguments: dict[str, JsonValue] = {}


class ShellTask(Model):
    """Run a program with an argument list; no shell ever interprets it."""

    kind: Literal["shell"] = "shell"
    arguments: Annotated[tuple[str, ...], Field(min_length=1)]
    environment: dict[str, str] = {}
    directory: str | None = None


class SleepTask(Model):
    """Do nothing for a while."""

    kind: Literal["sleep"] = "sleep"
    seconds: Duration


class MdsplusTask(Model):
    """Run `do_task` on the node, natively or through the mdsip server at `url`.

    The server's own configuration may name another url (DESIGN §6, mdsip).
    """

    kind: Literal["mdsplus"] = "mdsplus"
    nid: Small
    task_kind: Literal["expression", "method", "program", "routine", "procedure", "unknown"]
    text: str
    url: str | None = None


Task = Annotated[PythonTask | ShellTask | SleepTask | MdsplusTask, Field(discriminator="kind")]


class ActionNode(Model):
    """One ACTION node as its tree declares it, read without running anything.

    A node that cannot be read has `unreadable` set to the reason in words; its other fields hold
    what could be read.
    """

    path: str  # full path, the action's identity in its shot
    name: str  # the shortest unambiguous path (MDSplus MINPATH), for people
    nid: Small | None = None
    server_class: str = ""
    phase: str = ""
    dispatch_type: DispatchType = DispatchType.SEQUENTIAL
    when: When = UnusableWhen(text="", why="no `when`")
    completion_event: str | None = None
    task: Task | None = None
    timeout_s: Annotated[Duration, Field(gt=0)] | None = None
    essential: bool = False
    on: bool = True  # the node and all its parents
    node_on: bool = True
    parent_on: bool = True
    unreadable: str | None = None
    text: str = ""  # the whole record, decompiled
    folder: str | None = None  # of the pulse, where tasks may write files; None: the tree has none


class Phase(Model):
    """A named part of the shot cycle; `number` orders phases where the site defines it."""

    name: str
    number: SequenceNumber


class Outcome(Model):
    """How a task ended: `code` is an MDSplus status or an exit code, where there is one."""

    ok: bool
    code: Code | None = None
    text: str = ""  # in words, for the operator


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
