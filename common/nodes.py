"""The words of trees: what an experiment declares, and where its tree is found. Pure.

Actions, their conditions and tasks, the choices of an experiment, the sources of its tree. The
adapters in `trees` read them; the dispatcher decides by them; action servers run the tasks.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, Literal

from msgspec import Meta, structs

from shotline.common.base import Json, Struct, tag_of
from shotline.common.codec import sendable
from shotline.common.ranges import Code, Duration, SequenceNumber, Small, TimeLimit

LABEL: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""How a site may call a server, for actions to ask for it."""


HELP_MAX: Final = 2000
CONTACT_MAX: Final = 300

Help = Annotated[str, Meta(max_length=HELP_MAX)]
"""What to do when an action has failed, as its author says."""

Contact = Annotated[str, Meta(max_length=CONTACT_MAX)]
"""Whom to call then, and where."""


@lru_cache(maxsize=1024)
def _shared(word: str) -> str:
    """Return the one copy of a word that many nodes have."""
    return word


class _Kind(Struct, tag_field="kind"):
    """The base of what there are several kinds of."""

    @property
    def kind(self) -> str:
        """Which of them it is."""
        return tag_of(self)


# Conditions: one form for all sources; the adapters translate into it (DESIGN D4).


class Truth(StrEnum):
    """The value of a condition or of one of its references."""

    TRUE = "true"
    FALSE = "false"
    NEVER = "never"  # off, missing, unreadable, cannot happen
    OPEN = "open"  # not decided yet


class Reference(_Kind, tag="reference"):
    """Another action, by its full path; `missing` when the tree has no such node."""

    path: str
    missing: bool = False


class Not(_Kind, tag="not"):
    """True where its operand is false; `not never` is never."""

    operand: "Expression"


class And(_Kind, tag="and"):
    """False once an operand is, true when all are."""

    operands: Annotated[tuple["Expression", ...], Meta(min_length=1)]


class Or(_Kind, tag="or"):
    """True once an operand is, false when all are."""

    operands: Annotated[tuple["Expression", ...], Meta(min_length=1)]


Expression = Reference | Not | And | Or


def references(expression: Reference | Not | And | Or) -> Iterator[Reference]:
    """Yield the references of an expression from left to right, repeats included."""
    pending = [expression]
    while pending:
        node = pending.pop()
        if isinstance(node, Reference):
            yield node
        elif isinstance(node, Not):
            pending.append(node.operand)
        else:
            pending.extend(reversed(node.operands))


# Actions


class DispatchType(StrEnum):
    """How the node asks to be dispatched."""

    SEQUENTIAL = "sequential"
    CONDITIONAL = "conditional"
    ASYNCHRONOUS = "asynchronous"
    NONE = "none"


class SequenceWhen(_Kind, tag="sequence"):
    """An integer `when`: the position within server class and phase (numbers <= 0 never run)."""

    number: SequenceNumber
    text: str


class ConditionWhen(_Kind, tag="condition"):
    """An expression `when` over other actions."""

    expression: Expression
    text: str


class UnusableWhen(_Kind, tag="unusable"):
    """A `when` that is neither number nor condition; `why` says so in words."""

    text: str
    why: str


When = SequenceWhen | ConditionWhen | UnusableWhen


class PythonTask(_Kind, tag="python"):
    """Call `module:function` with keyword arguments in a worker process."""

    callable: Annotated[str, Meta(pattern=r"^[\w.]+:[\w.]+$")]
    arguments: dict[str, Json] = {}


class ShellTask(_Kind, tag="shell"):
    """Run a program with an argument list; no shell ever interprets it."""

    arguments: Annotated[tuple[str, ...], Meta(min_length=1)]
    environment: dict[str, str] = {}
    directory: str | None = None


class SleepTask(_Kind, tag="sleep"):
    """Do nothing for a while."""

    seconds: Duration


class MdsplusTask(_Kind, tag="mdsplus"):
    """Run `do_task` on the node, natively or through the mdsip server at `url`.

    The server's own configuration may name another url.
    """

    nid: Small
    task_kind: Literal["expression", "method", "program", "routine", "procedure", "unknown"]
    text: str
    url: str | None = None


Task = PythonTask | ShellTask | SleepTask | MdsplusTask


class ActionNode(Struct):
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
    timeout_s: TimeLimit | None = None
    essential: bool = False
    on: bool = True  # the node and all its parents
    node_on: bool = True
    parent_on: bool = True
    unreadable: str | None = None
    text: str = ""  # the whole record, decompiled
    label: Annotated[str, Meta(pattern=LABEL, max_length=64)] | None = None  # of its servers
    help: Help = ""  # what to do when it fails
    contact: Contact = ""  # whom to call then
    folder: str | None = None  # of the pulse, where tasks may write files; None: the tree has none

    def __post_init__(self) -> None:
        """Share what the nodes of a table have in common: each was decoded by itself."""
        structs.force_setattr(self, "server_class", _shared(self.server_class))
        structs.force_setattr(self, "phase", _shared(self.phase))
        if self.folder is not None:
            structs.force_setattr(self, "folder", _shared(self.folder))


class Phase(Struct):
    """A named part of the shot cycle; `number` orders phases where the site defines it."""

    name: str
    number: SequenceNumber


class TaskOutcome(Struct):
    """How a task ended: `code` is an MDSplus status or an exit code, where there is one."""

    ok: bool
    code: Code | None = None
    text: str = ""  # in words, for the operator


# Choices of an experiment


class DispatchOptions(Struct):
    """Compatibility choices of one experiment."""

    barrier: Annotated[
        Literal["class", "global"],
        Meta(
            description="class: each server class advances by itself, as the Redis dispatcher "
            "and jDispatcher do. global: all classes keep step, as the C dispatcher (mdstcl) "
            "does."
        ),
    ] = "class"
    synchronize_at: Annotated[
        tuple[SequenceNumber, ...],
        Meta(
            description="No class starts a number at or above one of these until all numbers "
            "below it have settled in all classes, as jDispatcher's synch_seq_numbers."
        ),
    ] = ()
    test: Annotated[
        Literal["success", "completion"],
        Meta(
            description="success: a condition's reference is true when DONE with Success, as in "
            "jDispatcher. completion: every DONE is true, as in the Redis dispatcher."
        ),
    ] = "success"
    completion_events: Annotated[
        Literal["all", "success"],
        Meta(description="Raise completion events for every DONE action, or only on Success."),
    ] = "all"
    essential_failure: Annotated[
        Literal["remember", "abort_run"],
        Meta(
            description="remember: a failed essential action is shown and returned by `check`, "
            "as in the C dispatcher. abort_run: it also aborts the run."
        ),
    ] = "remember"
    unreadable: Annotated[
        Literal["fail", "warn"],
        Meta(description="Whether a node that is on but cannot be read counts as failed."),
    ] = "fail"
    changed_source: Annotated[
        Literal["warn", "refuse", "ignore"],
        Meta(
            description="What a run does whose tables' source (file, tree) has changed since "
            "they were built. warn: the reply and the log say so. refuse: it does not begin "
            "unless somebody insists (--even-if-changed). ignore: nobody looks."
        ),
    ] = "warn"
    write_status: Annotated[
        bool, Meta(description="Write the status back to the node, as the C dispatcher does.")
    ] = False


# Sources


class FileSource(_Kind, tag="file"):
    """An experiment file (docs/experiment-file.md)."""

    file: Annotated[str, Meta(min_length=1, description="The experiment file.")]
    pulses: Annotated[
        str | None,
        Meta(
            description="Folder that holds TREE/SHOT of each pulse. Default: `pulses` beside the "
            "experiment file."
        ),
    ] = None


class MdsipSource(_Kind, tag="mdsip"):
    """An MDSplus tree on an mdsip server, read and executed through mdsthin."""

    url: Annotated[
        str,
        Meta(
            min_length=1,
            description="Url of the mdsip server that runs the tasks: host:port, or a tcp://, "
            "tcp6://, ssh:// or sshp:// url. Action servers may have urls of their own.",
        ),
    ]
    tree_url: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            description="Url of the mdsip server that tables are read from and pulses created "
            "on. It should be another than `url`, whose open trees the running tasks need. "
            "Default: `url`."
        ),
    ] = None
    connect_timeout_s: Annotated[
        float, Meta(gt=0, description="Time limit of making a connection.")
    ] = 10.0
    read_timeout_s: Annotated[
        float,
        Meta(gt=0, description="Time limit of each answer while reading tables or making pulses."),
    ] = 60.0
    keep_alive_s: Annotated[
        int,
        Meta(
            ge=1, description="A silent connection is tested this often, and lost after 4 of them."
        ),
    ] = 15


class MdsplusSource(_Kind, tag="mdsplus"):
    """An MDSplus tree, through the MDSplus installation of this machine."""


def untold(source: "Source") -> str:
    """Return why a source can be told to no other process, in words; "" where it can."""
    named = (source.file, source.pulses) if isinstance(source, FileSource) else ()
    for name in named:
        if name is not None and sendable(name) != name:
            return f"the name {sendable(name)} is not UTF-8; rename it, or name another one"
    return ""


Source = FileSource | MdsipSource | MdsplusSource


class SourceMark(Struct):
    """One source of a table as it stands.

    `mark` is empty where it is not there, `unseen` says why it could not be looked at. `model`: the
    pulse was made from it, so that tables built anew do not have it, but a pulse made anew has.
    """

    what: str  # as people call it
    mark: str = ""
    changed: str = ""  # when it was last changed, in words, where it says so
    model: bool = False
    unseen: str = ""
    parts: dict[str, str] = {}  # path of an action → its part of the mark, where there is one

    def without_known(self, known: Sequence[str]) -> "SourceMark":
        """Return it without its parts where somebody has them already."""
        return structs.replace(self, parts={}) if self.mark in known else self
