"""The experiment file's format: what it may say, and the actions that it declares.

`read_experiment` turns a file's bytes into `ActionNode`s without touching anything else; pulses and
events are `experiment`'s. The format is described for people in docs/experiment-file.md.

What is wrong with the form of a file is refused, all of it at once, with lines. A condition that
cannot be understood refuses nothing: its action is declared, unreadable, with the reason (D1).
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, cast

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    ValidationError,
)
from pydantic_core import PydanticCustomError, to_json

from shotline.common.nodes import (
    CONTACT_MAX,
    HELP_MAX,
    LABEL,
    ActionNode,
    ConditionWhen,
    DispatchOptions,
    DispatchType,
    Phase,
    PythonTask,
    Reference,
    SequenceWhen,
    ShellTask,
    SleepTask,
    UnusableWhen,
    When,
    references,
)
from shotline.common.ranges import DURATION_MAX, NUMBER_MAX
from shotline.common.settings.model import OF_STRUCTS, Model
from shotline.common.settings.yamlfile import (
    FileProblem,
    FileProblems,
    LocatedDocument,
    parse_yaml,
    validated,
)
from shotline.trees.condition_text import ConditionError, parse_when, resolve
from shotline.trees.tree import TreeError

_NAME: Final = r"[A-Za-z][A-Za-z0-9_]{0,62}"
_PATH: Final = re.compile(
    rf"(?:\\(?P<tree>{_NAME})::TOP:)?(?P<short>{_NAME}(?::{_NAME}){{0,15}})", re.ASCII
)

_OF_ACTION: Final = re.compile(r"actions\[([0-9]+)\]")

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?![0-9-])", re.ASCII)

TreeName = Annotated[str, StringConstraints(pattern=rf"^{_NAME}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.\-]{0,63}$")]

PhaseNumber = Annotated[int, Field(ge=-NUMBER_MAX, le=NUMBER_MAX)]


def _when_text(value: object) -> object:
    if isinstance(value, str) and _DATE.match(value.strip()):
        # As a difference of numbers it would be a sequence number nobody meant.
        raise PydanticCustomError(
            "date",
            "is a date, and nothing is dispatched by dates; write a sequence number "
            "such as 20, or a difference with spaces: 30 - 10",
        )
    # True is an int to Python; to the writer of the file it is a mistake.
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


WhenText = Annotated[
    str, BeforeValidator(_when_text), StringConstraints(min_length=1, max_length=16_384)
]


class PythonEntry(Model):
    """Call a Python function in a worker process of the action server."""

    python: str = Field(pattern=r"^[\w.]+:[\w.]+$", description="`module:function`.")
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict, description="Keyword arguments of the call."
    )


class ShellEntry(Model):
    """Run a program with an argument list; no shell interprets it."""

    shell: tuple[str, ...] = Field(min_length=1, description="Program and arguments.")
    environment: dict[str, str] = Field(
        default_factory=dict, description="Added to the server's environment."
    )
    directory: str | None = Field(
        None, description="Where it runs. Default: the folder of the pulse."
    )


class SleepEntry(Model):
    """Do nothing for a while."""

    sleep: float = Field(ge=0, le=DURATION_MAX, description="Seconds.")


def _task_kind(value: object) -> str | None:
    if isinstance(value, Mapping):
        for kind in ("python", "shell", "sleep"):
            if kind in value:
                return f"{kind} task"
    return None


TaskEntry = Annotated[
    Annotated[PythonEntry, Tag("python task")]
    | Annotated[ShellEntry, Tag("shell task")]
    | Annotated[SleepEntry, Tag("sleep task")],
    Discriminator(
        _task_kind,
        custom_error_type="task_kind",
        custom_error_message="must have one of the keys python, shell, sleep",
    ),
]


class ActionEntry(Model):
    """One action of the file."""

    path: str = Field(description="Its place: `MAGNETS:CHARGE` or `\\TREE::TOP:MAGNETS:CHARGE`.")
    server_class: Word = Field(description="The class of action servers that run it.")
    phase: Word = Field(description="One of `phases`; case-sensitive.")
    when: WhenText = Field(description="A sequence number, or a condition over other actions.")
    task: TaskEntry
    timeout_s: float | None = Field(
        None, gt=0, le=DURATION_MAX, description="Time limit in seconds."
    )
    completion_event: str | None = Field(None, min_length=1, max_length=64)
    on: bool = True
    essential: bool = False
    label: str | None = Field(
        None,
        pattern=LABEL,
        max_length=64,
        description="It runs only on servers of its class that have this label.",
    )
    asynchronous: bool = Field(False, description="Shown, never dispatched.")
    help: str = Field(
        "", max_length=HELP_MAX, description="What to do when it fails, shown beside its failure."
    )
    contact: str = Field("", max_length=CONTACT_MAX, description="Whom to call then, and where.")


class ExperimentEntry(Model):
    """The whole file."""

    experiment: TreeName = Field(description="Name of the tree; upper-cased.")
    title: str = ""
    phases: dict[Word, PhaseNumber] = Field(
        min_length=1, description="Name and number of each phase."
    )
    dispatch: Annotated[DispatchOptions, OF_STRUCTS] = DispatchOptions()
    off: tuple[str, ...] = Field((), description="Nodes switched off with all that is below them.")
    actions: tuple[ActionEntry, ...]


@dataclass(frozen=True)
class Experiment:
    """What a file declares. `warnings` are worth a look and stop nothing; each names its line."""

    tree: str
    title: str
    phases: tuple[Phase, ...]
    options: DispatchOptions
    actions: tuple[ActionNode, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What is wrong with a file, all of it, and what is worth a look; what it declares."""

    problems: tuple[FileProblem, ...]
    warnings: tuple[str, ...] = ()
    experiment: Experiment | None = None


def check_experiment(content: bytes, path: Path) -> Checked:
    """Return everything that is wrong with a file; conditions that cannot be understood, too.

    Where the form of some actions is wrong, the others are looked at without them.
    """
    try:
        document = parse_yaml(content, path)
    except FileProblems as wrong:
        return Checked(wrong.problems)
    try:
        found = _Reader(document, document.validate(ExperimentEntry)).experiment()
    except FileProblems as wrong:
        return Checked(FileProblems((*wrong.problems, *_others(document, wrong.problems))).problems)
    unusable = [
        document.problem(("actions", node.nid or 0), node.unreadable)
        for node in found.actions
        if node.unreadable is not None
    ]
    return Checked(FileProblems(unusable).problems, found.warnings, found)


def _others(document: LocatedDocument, known: Sequence[FileProblem]) -> list[FileProblem]:
    """Return what is wrong with a file besides its form, as far as that can be told."""
    data = document.data
    entries = data.get("actions") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(entries, list):
        return []
    named = (_OF_ACTION.match(one.where) for one in known)
    bad = {int(one[1]) for one in named if one is not None}
    kept = [number for number in range(len(entries)) if number not in bad]
    rest = {key: value for key, value in data.items() if key in ExperimentEntry.model_fields}
    try:
        entry = validated(ExperimentEntry, {**rest, "actions": [entries[one] for one in kept]})
    except ValidationError:
        return []
    found = _Reader(document, entry, kept).problems_of_some()
    return [one for one in found if one not in known]


def read_experiment(content: bytes, path: Path) -> Experiment:
    """Return what the file declares. Raise TreeError with all its problems, each with its line.

    `path` is the file's name in messages. The nodes know no pulse yet.
    """
    try:
        document = parse_yaml(content, path)
        entry = document.validate(ExperimentEntry)
        return _Reader(document, entry).experiment()
    except FileProblems as problems:
        raise TreeError(str(problems)) from problems


class _Reader:
    """Turns the entries of one file into nodes; collects problems and warnings on the way."""

    def __init__(
        self,
        document: LocatedDocument,
        entry: ExperimentEntry,
        numbers: Sequence[int] | None = None,
    ) -> None:
        self._document = document
        self._entry = entry
        self._numbers = numbers  # of the actions in the file, where the entry has only some
        self._tree = entry.experiment.upper()
        self._problems: list[FileProblem] = []
        self._warnings: list[str] = []
        self._written: dict[str, str] = {}  # short path in upper case: as the file writes it
        self._by_suffix: dict[str, list[str]] = defaultdict(list)

    def experiment(self) -> Experiment:
        shorts = [self._declare(number) for number in range(len(self._entry.actions))]
        off = self._switched_off(shorts)
        self._check_phases()
        if self._problems:
            raise FileProblems(self._problems)
        raw = cast("list[JsonValue]", cast("dict[str, JsonValue]", self._document.data)["actions"])
        nodes = tuple(
            self._node(number, short, off, to_json(raw[number]).decode())
            for number, short in enumerate(shorts)
        )
        phases = tuple(
            Phase(name=name, number=number)
            for name, number in sorted(self._entry.phases.items(), key=lambda phase: phase[1])
        )
        return Experiment(
            tree=self._tree,
            title=self._entry.title,
            phases=phases,
            options=self._entry.dispatch,
            actions=nodes,
            warnings=tuple(self._warnings),
        )

    def problems_of_some(self) -> list[FileProblem]:
        """Return what is wrong with the actions, of which some are missing."""
        for number, entry in enumerate(self._entry.actions):
            self._declare(number)
            try:
                parse_when(entry.when)
            except ConditionError as error:
                self._problem(("actions", number, "when"), str(error))
        self._check_phases()
        return self._problems

    def _declare(self, number: int) -> str:
        """Return the short path of an action, upper-cased, and make it known to conditions."""
        location = ("actions", number, "path")
        written = self._entry.actions[number].path
        short = self._short(written, location)
        if short in self._written:
            self._problem(location, f"{short} is declared a second time")
        elif short:
            self._written[short] = written
            names = short.split(":")
            for first in range(len(names)):
                self._by_suffix[":".join(names[first:])].append(short)
        return short

    def _short(self, written: str, location: Sequence[str | int]) -> str:
        match = _PATH.fullmatch(written)
        if match is None:
            self._problem(location, f"`{written}` is not a path such as MAGNETS:CHARGE")
            return ""
        if (match["tree"] or self._tree).upper() != self._tree:
            self._problem(location, f"`{written}` is not in the tree {self._tree}")
        return match["short"].upper()

    def _switched_off(self, shorts: Sequence[str]) -> set[str]:
        """Return the short paths that are off by themselves: in `off`, or with `on: false`."""
        off = {
            short for short, entry in zip(shorts, self._entry.actions, strict=True) if not entry.on
        }
        known = {parent for short in shorts for parent in (short, *_parents(short))}
        for number, written in enumerate(self._entry.off):
            short = self._short(written, ("off", number))
            if short and short not in known:
                self._problem(("off", number), f"{short} is no action and no parent of one")
            off.add(short)
        return off

    def _check_phases(self) -> None:
        by_upper = {name.upper(): name for name in self._entry.phases}
        for number, entry in enumerate(self._entry.actions):
            if entry.phase in self._entry.phases:
                continue
            near = by_upper.get(entry.phase.upper())
            message = (
                f"`{entry.phase}` differs from the phase `{near}` by case only; phases are "
                "case-sensitive"
                if near
                else f"`{entry.phase}` is not one of the phases {', '.join(self._entry.phases)}"
            )
            self._problem(("actions", number, "phase"), message)

    def _node(self, number: int, short: str, off: set[str], text: str) -> ActionNode:
        entry = self._entry.actions[number]
        when = self._when(number, entry.when)
        unusable = when.why if isinstance(when, UnusableWhen) else None
        parent_on = not any(parent in off for parent in _parents(short))
        asynchronous = entry.asynchronous
        return ActionNode(
            path=self._full(short),
            name=short,
            nid=number,
            server_class=entry.server_class,
            phase=entry.phase,
            dispatch_type=(
                DispatchType.ASYNCHRONOUS
                if asynchronous
                else DispatchType.CONDITIONAL
                if isinstance(when, ConditionWhen)
                else DispatchType.SEQUENTIAL
            ),
            when=when,
            completion_event=entry.completion_event,
            task=_task(entry.task),
            timeout_s=entry.timeout_s,
            essential=entry.essential,
            label=entry.label,
            help=entry.help.strip(),
            contact=entry.contact.strip(),
            on=short not in off and parent_on,
            node_on=short not in off,
            parent_on=parent_on,
            unreadable=f"`when`: {unusable}" if unusable and not asynchronous else None,
            text=text,
        )

    def _when(self, number: int, text: str) -> When:
        try:
            parsed = parse_when(text)
        except ConditionError as error:
            return UnusableWhen(text=text, why=str(error))
        if isinstance(parsed, int):
            return SequenceWhen(number=parsed, text=text)
        for reference in references(parsed):
            candidates = self._candidates(reference.path)
            if len(candidates) > 1:
                why = f"`{reference.path}` may be any of {', '.join(candidates)}"
                return UnusableWhen(text=text, why=why)
            self._warn_of(number, reference.path, candidates)
        return ConditionWhen(expression=resolve(parsed, self._found), text=text)

    def _candidates(self, written: str) -> list[str]:
        """Return the actions that a name in a condition may mean, best match only."""
        short = self._relative(written)
        return [short] if short in self._written else self._by_suffix.get(short, [])

    def _relative(self, written: str) -> str:
        return self._without_top(written).upper()

    def _without_top(self, written: str) -> str:
        top = f"\\{self._tree}::TOP"
        inner = written[len(top) :] if written.upper().startswith(top) else written
        return inner.replace(".", ":").strip(":")

    def _found(self, written: str) -> Reference:
        candidates = self._candidates(written)
        if candidates:
            return Reference(path=self._full(candidates[0]))
        return Reference(path=self._full(self._relative(written)), missing=True)

    def _warn_of(self, number: int, written: str, candidates: Sequence[str]) -> None:
        declared = self._written[candidates[0]] if candidates else ""
        if declared and declared.endswith(self._without_top(written)):
            return
        line = self._document.line_of(("actions", number, "when"))
        place = f"{self._document.path}:{line}: {self._entry.actions[number].path}"
        why = (
            f"`{written}` and `{declared}` differ by case only"
            if declared
            else f"`{written}` is no action; it will never be true"
        )
        self._warnings.append(f"{place}: {why}")

    def _full(self, short: str) -> str:
        # A name with a tree in it is not ours to complete: it stays what it is, and missing.
        return short if short.startswith("\\") else f"\\{self._tree}::TOP:{short}"

    def _problem(self, location: Sequence[str | int], message: str) -> None:
        if self._numbers is not None and location[0] == "actions":
            location = ("actions", self._numbers[int(location[1])], *location[2:])
        self._problems.append(self._document.problem(location, message))


def _parents(short: str) -> list[str]:
    names = short.split(":")
    return [":".join(names[:length]) for length in range(1, len(names))]


def _task(entry: PythonEntry | ShellEntry | SleepEntry) -> PythonTask | ShellTask | SleepTask:
    if isinstance(entry, PythonEntry):
        return PythonTask(callable=entry.python, arguments=entry.arguments)
    if isinstance(entry, ShellEntry):
        return ShellTask(
            arguments=entry.shell, environment=entry.environment, directory=entry.directory
        )
    return SleepTask(seconds=entry.sleep)
