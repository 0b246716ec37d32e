"""The experiments of `FakeShotline`: what a test declares, as a tree that answers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from shotline.common.base import Value
from shotline.common.nodes import (
    ActionNode,
    ConditionWhen,
    DispatchOptions,
    DispatchType,
    Phase,
    Reference,
    SequenceWhen,
    SleepTask,
)
from shotline.common.records import ShotKey
from shotline.dispatcher.table import LookupFailed, Table
from shotline.dispatcher.trees.jobs import (
    CreatePulseJob,
    CurrentShotJob,
    LookAtSourcesJob,
    RaiseEventJob,
    ReadNodeJob,
    ReadTableJob,
    TreeDone,
    TreeJob,
    WriteNodesJob,
    WriteStatusJob,
)
from shotline.trees.condition_text import ConditionError, parse_when, resolve
from shotline.trees.experiment_file import Experiment

MODEL_SHOT: Final = -1


@dataclass(frozen=True)
class FakeAction:
    """One action of a fake experiment; with a condition `when` its number counts for nothing."""

    path: str
    phase: str
    server_class: str = "FAKE"
    number: int = 10
    on: bool = True
    essential: bool = False
    when: str = ""
    timeout_s: float | None = None


class ActionOfTree(Value):
    """An action of all shots of an experiment."""

    tree: str
    path: str
    server_class: str


class FakeExperiments:
    """All experiments with their pulses; answers what the dispatcher asks its trees."""

    def __init__(self, declared: Mapping[str, Sequence[FakeAction] | Experiment]) -> None:
        self._trees = {tree.upper(): _experiment(tree, given) for tree, given in declared.items()}
        self._tables = {
            tree: Table.build(one.actions, one.phases, one.options)
            for tree, one in self._trees.items()
        }
        self._pulses: set[ShotKey] = set()
        self._current: dict[str, int] = {}

    @property
    def names(self) -> frozenset[str]:
        """The trees."""
        return frozenset(self._trees)

    @property
    def server_classes(self) -> tuple[str, ...]:
        """The classes that actions name, each once, in the actions' order."""
        nodes = (node for one in self._trees.values() for node in one.actions)
        return tuple(dict.fromkeys(node.server_class for node in nodes if node.server_class))

    def find(self, text: str) -> list[ActionOfTree]:
        """Return the action that is meant, in each experiment that has it.

        Path, name or the unambiguous end of a path, as in commands. Raise ValueError where no
        experiment has it: a test that names what is not there would test nothing.
        """
        found, missing = [], []
        for tree, table in self._tables.items():
            try:
                path = table.find(text)
            except LookupFailed as error:
                missing.append(f"{tree}: {error}")
            else:
                found.append(ActionOfTree(tree, path, table.node(path).server_class))
        if not found:
            raise ValueError("; ".join(missing) or "there is no experiment")
        return found

    def answer(self, job: TreeJob) -> TreeDone:
        """Do what the dispatcher asks a tree."""
        key, experiment = job.key, self._trees[job.key.tree]
        match job:
            case CreatePulseJob():
                return self._create(job)
            case ReadTableJob() | ReadNodeJob() if (
                key not in self._pulses and key.shot != MODEL_SHOT
            ):
                why = f"{key} does not exist; create the pulse first"
                return TreeDone(job=job.job, error=why)
            case ReadTableJob():
                return TreeDone(
                    job=job.job,
                    nodes=experiment.actions,
                    phases=experiment.phases,
                    options=experiment.options,
                    warnings=experiment.warnings,
                )
            case ReadNodeJob():
                return TreeDone(job=job.job, nodes=(self._tables[key.tree].node(job.path),))
            case CurrentShotJob():
                return self._current_shot(job)
            # Sources never change, and nobody reads what was written.
            case RaiseEventJob() | WriteStatusJob() | LookAtSourcesJob() | WriteNodesJob():
                return TreeDone(job=job.job)

    def _create(self, job: CreatePulseJob) -> TreeDone:
        if job.key in self._pulses and not job.replace:
            return TreeDone(job=job.job, error=f"{job.key} exists already", exists=True)
        self._pulses.add(job.key)
        return TreeDone(job=job.job)

    def _current_shot(self, job: CurrentShotJob) -> TreeDone:
        shot = self._current.get(job.key.tree, 0)
        if job.increment:
            shot += 1
        elif job.set_to is not None:
            shot = job.set_to
        self._current[job.key.tree] = shot
        return TreeDone(job=job.job, current=shot)


def _experiment(tree: str, given: Sequence[FakeAction] | Experiment) -> Experiment:
    if isinstance(given, Experiment):
        if given.tree != tree.upper():
            raise ValueError(f"the experiment given for {tree} is {given.tree}")
        return given
    names = dict.fromkeys(action.phase for action in given)
    phases = tuple(Phase(name=name, number=number) for number, name in enumerate(names, 1))
    options = DispatchOptions()
    table = Table.build([_node(action) for action in given], phases, options)
    nodes = tuple(
        _conditional(node, action.when, table) if action.when else node
        for node, action in zip(table.actions, given, strict=True)
    )
    return Experiment(tree.upper(), "", phases, options, nodes, ())


def _node(action: FakeAction) -> ActionNode:
    return ActionNode(
        path=action.path,
        name=action.path.rpartition("::")[2].removeprefix("TOP").lstrip(":."),
        server_class=action.server_class,
        phase=action.phase,
        when=SequenceWhen(number=action.number, text=str(action.number)),
        task=SleepTask(seconds=0),
        timeout_s=action.timeout_s,
        essential=action.essential,
        on=action.on,
        node_on=action.on,
    )


def _conditional(node: ActionNode, text: str, table: Table) -> ActionNode:
    """Return an action with its condition. Raise ValueError for one that cannot be meant."""
    try:
        parsed = parse_when(text)
        if isinstance(parsed, int):
            raise ValueError(f"{node.path}: give {parsed} as its number")
        expression = resolve(parsed, lambda written: Reference(path=table.find(written)))
    except (ConditionError, LookupFailed) as error:
        raise ValueError(f"{node.path}: its condition `{text}`: {error}") from error
    when = ConditionWhen(expression=expression, text=text)
    return structs.replace(node, when=when, dispatch_type=DispatchType.CONDITIONAL)
