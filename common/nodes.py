"""The words of trees: what an experiment declares, and where its tree is found. Pure.

Actions, their conditions and tasks, the choices of an experiment, the sources of its tree. The
adapters in `trees` read them; the dispatcher decides by them; action servers run the tasks.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from shotline.common.codec import sendable
from shotline.common.model import Model
from shotline.common.ranges import Code, Duration, SequenceNumber, Small

# Conditions: one form for all sources; the adapters translate into it (DESIGN D4).


class Truth(StrEnum):
    """The value of a condition or of one of its references."""

    TRUE = "true"
    FALSE = "false"
    NEVER = "never"  # off, missing, unreadable, cannot happen
    OPEN = "open"  # not decided yet


class Reference(Model):
    """Another action, by its full path; `missing` when the tree has no such node."""

    kind: Literal["reference"] = "reference"
    path: str
    missing: bool = False


class Not(Model):
    """True where its operand is false; `not never` is never."""

    kind: Literal["not"] = "not"
    operand: "Expression"


class And(Model):
    """False once an operand is, true when all are."""

    kind: Literal["and"] = "and"
    operands: Annotated[tuple["Expression", ...], Field(min_length=1)]


class Or(Model):
    """True once an operand is, false when all are."""

    kind: Literal["or"] = "or"
    operands: Annotated[tuple["Expression", ...], Field(min_length=1)]


Expression = Annotated[Reference | Not | And | Or, Field(discriminator="kind")]


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


class TaskOutcome(Model):
    """How a task ended: `code` is an MDSplus status or an exit code, where there is one."""

    ok: bool
    code: Code | None = None
    text: str = ""  # in words, for the operator


# Choices of an experiment


class DispatchOptions(Model):
    """Compatibility choices of one experiment (DESIGN D2, D3, D4, D13)."""

    barrier: Literal["class", "global"] = Field(
        "class",
        description="class: each server class advances by itself, as the Redis dispatcher and "
        "jDispatcher do. global: all classes keep step, as the C dispatcher (mdstcl) does.",
    )
    synchronize_at: tuple[SequenceNumber, ...] = Field(
        (),
        description="No class starts a number at or above one of these until all numbers below it "
        "have settled in all classes, as jDispatcher's synch_seq_numbers.",
    )
    test: Literal["success", "completion"] = Field(
        "success",
        description="success: a condition's reference is true when DONE with Success, as in "
        "jDispatcher. completion: every DONE is true, as in the Redis dispatcher.",
    )
    completion_events: Literal["all", "success"] = Field(
        "all", description="Raise completion events for every DONE action, or only on Success."
    )
    essential_failure: Literal["remember", "abort_run"] = Field(
        "remember",
        description="remember: a failed essential action is shown and returned by `check`, as in "
        "the C dispatcher. abort_run: it also aborts the run.",
    )
    unreadable: Literal["fail", "warn"] = Field(
        "fail", description="Whether a node that is on but cannot be read counts as failed."
    )
    changed_source: Literal["warn", "refuse", "ignore"] = Field(
        "warn",
        description="What a run does whose tables' source (file, tree) has changed since they were "
        "built. warn: the reply and the log say so. refuse: it does not begin unless somebody "
        "insists (--even-if-changed). ignore: nobody looks.",
    )
    write_status: bool = Field(
        False, description="Write the status back to the node, as the C dispatcher does."
    )


# Sources


class FileSource(Model):
    """An experiment file (docs/experiment-file.md)."""

    kind: Literal["file"] = "file"
    file: str = Field(description="The experiment file.", min_length=1)
    pulses: str | None = Field(
        None,
        description="Folder that holds TREE/SHOT of each pulse. Default: `pulses` beside the "
        "experiment file.",
    )


class MdsipSource(Model):
    """An MDSplus tree on an mdsip server, read and executed through mdsthin."""

    kind: Literal["mdsip"] = "mdsip"
    url: str = Field(
        description="Url of the mdsip server that runs the tasks: host:port, or a tcp://, tcp6://, "
        "ssh:// or sshp:// url. Action servers may have urls of their own.",
        min_length=1,
    )
    tree_url: str | None = Field(
        None,
        description="Url of the mdsip server that tables are read from and pulses created on. It "
        "should be another than `url`, whose open trees the running tasks need. Default: `url`.",
        min_length=1,
    )
    connect_timeout_s: float = Field(10.0, gt=0, description="Time limit of making a connection.")
    read_timeout_s: float = Field(
        60.0, gt=0, description="Time limit of each answer while reading tables or making pulses."
    )
    keep_alive_s: int = Field(
        15, ge=1, description="A silent connection is tested this often, and lost after 4 of them."
    )


class MdsplusSource(Model):
    """An MDSplus tree, through the MDSplus installation of this machine."""

    kind: Literal["mdsplus"] = "mdsplus"


def untold(source: "Source") -> str:
    """Return why a source can be told to no other process, in words; "" where it can."""
    named = (source.file, source.pulses) if isinstance(source, FileSource) else ()
    for name in named:
        if name is not None and sendable(name) != name:
            return f"the name {sendable(name)} is not UTF-8; rename it, or name another one"
    return ""


Source = Annotated[FileSource | MdsipSource | MdsplusSource, Field(discriminator="kind")]


class SourceMark(Model):
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
        return self.model_copy(update={"parts": {}}) if self.mark in known else self
