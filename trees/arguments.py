"""The arguments of an experiment file's tasks, as nodes that may be written in a pulse. Pure.

`PATH:ARGUMENT` of an action is an argument of its Python function, a variable in the environment of
its program, or SECONDS of its sleep; names count in any case.
"""

import json
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import structs

from shotline.common.base import Json, to_json
from shotline.common.codec import describe
from shotline.common.nodes import ActionNode, PythonTask, ShellTask, SleepTask, Task


def argument_nodes(node: ActionNode) -> Iterator[str]:
    """Yield the nodes that an action's arguments are, in upper case."""
    match node.task:
        case PythonTask(arguments=arguments):
            names = tuple(arguments)
        case ShellTask(environment=environment):
            names = tuple(environment)
        case SleepTask():
            names = ("seconds",)
        case _:
            names = ()
    for name in names:
        yield _node(node, name)


def with_written(node: ActionNode, written: Mapping[str, Json]) -> ActionNode:
    """Return an action with the values that were written for its arguments."""
    if not written:
        return node
    task = node.task
    match task:
        case PythonTask():
            new = {
                name: written.get(_node(node, name), old) for name, old in task.arguments.items()
            }
            return structs.replace(node, task=structs.replace(task, arguments=new))
        case ShellTask():
            given = {
                name: _text(written.get(_node(node, name), old))
                for name, old in task.environment.items()
            }
            return structs.replace(node, task=structs.replace(task, environment=given))
        case SleepTask():
            seconds = written.get(_node(node, "seconds"), task.seconds)
            return structs.replace(node, task=structs.replace(task, seconds=seconds))
        case _:
            return node


def problem_of(node: ActionNode, written: Mapping[str, Json]) -> str | None:
    """Return what is wrong with the values that were written for an action; None: nothing."""
    changed = with_written(node, written)
    if changed.task is None or changed is node:
        return None
    try:
        msgspec.json.decode(to_json(changed.task), type=Task)
    except ValueError as error:
        return f"{node.name}: {describe(error)}"
    return None


def _node(node: ActionNode, name: str) -> str:
    return f"{node.path}:{name}".upper()


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
