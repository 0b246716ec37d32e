"""The process that touches trees for the dispatcher, one for each experiment (DESIGN D1).

It reads jobs as JSON lines from one descriptor and answers each with one line on another, so that
whatever a tree library prints goes to standard error and disturbs nothing. The other side is
`host`. A tree that hangs or crashes takes only this process with it.
"""

import os
import sys
from typing import Final, Literal

from pydantic import TypeAdapter

from shotline.common.codec import sendable
from shotline.common.model import Model
from shotline.common.nodes import ActionNode, DispatchOptions, Phase, Source, SourceMark
from shotline.trees.marks import MarksSources
from shotline.trees.open_tree import open_tree
from shotline.trees.tree import (
    DeclaresOptions,
    KeepsCurrentShot,
    PulseExists,
    Tree,
    TreeError,
    WritesStatus,
)

NODE_BYTES_MAX: Final = 512 * 1024


class TreeRequest(Model):
    """One job."""

    job: int
    action: Literal[
        "create_pulse",
        "read_table",
        "read_node",
        "look",
        "raise_event",
        "write_status",
        "current_shot",
    ]
    shot: int
    replace: bool = False
    path: str = ""
    event: str = ""
    code: int = 0
    set_to: int | None = None
    increment: bool = False
    known: tuple[str, ...] = ()


class TreeAnswer(Model):
    """Its answer; `error` is empty where it was done."""

    job: int
    error: str = ""
    exists: bool = False
    nodes: tuple[ActionNode, ...] = ()
    phases: tuple[Phase, ...] = ()
    options: DispatchOptions | None = None
    warnings: tuple[str, ...] = ()
    sources: tuple[SourceMark, ...] = ()
    current: int | None = None


def carry_out(tree: Tree, request: TreeRequest) -> TreeAnswer:
    """Do one job. What the tree raises becomes the answer's error."""
    job, shot = request.job, request.shot
    try:
        match request.action:
            case "create_pulse":
                tree.create_pulse(shot, replace=request.replace)
            case "read_table":
                declares = tree if isinstance(tree, DeclaresOptions) else None
                # Looked at first: what changes meanwhile is rather told in vain than not.
                sources = _sources(tree, shot)
                return TreeAnswer(
                    job=job,
                    sources=sources,
                    nodes=tuple(map(bounded, tree.actions(shot))),
                    phases=tuple(tree.phases(shot)),
                    options=declares.options(shot) if declares is not None else None,
                    warnings=tuple(declares.warnings(shot)) if declares is not None else (),
                )
            case "read_node":
                sources = _sources(tree, shot, request.known) if request.known else ()
                node = bounded(tree.action(shot, request.path))
                return TreeAnswer(job=job, sources=sources, nodes=(node,))
            case "look":
                sources = _sources(tree, shot, request.known)
                return TreeAnswer(job=job, sources=sources)
            case "raise_event":
                tree.raise_event(request.event, shot)
            case "write_status":
                if not isinstance(tree, WritesStatus):
                    raise TreeError("its nodes keep no status: switch `write_status` off")
                tree.write_status(shot, request.path, request.code)
            case "current_shot":
                return TreeAnswer(job=job, current=_current_shot(tree, request))
    except PulseExists as error:
        return TreeAnswer(job=job, exists=True, error=sendable(str(error)))
    except TreeError as error:
        return TreeAnswer(job=job, error=sendable(str(error)))
    except Exception as error:  # noqa: BLE001  a library's own: the operator must see it
        return TreeAnswer(job=job, error=sendable(f"{type(error).__name__}: {error}"))
    return TreeAnswer(job=job)


def _sources(tree: Tree, shot: int, known: tuple[str, ...] = ()) -> tuple[SourceMark, ...]:
    if not isinstance(tree, MarksSources):
        return ()
    return tuple(mark.without_known(known) for mark in tree.marks(shot))


def bounded(node: ActionNode) -> ActionNode:
    """Return a node that messages can carry: one that is too large counts as unreadable."""
    size = len(node.__pydantic_serializer__.to_json(node))
    if size <= NODE_BYTES_MAX:
        return node
    return ActionNode(
        path=node.path,
        name=node.name,
        nid=node.nid,
        server_class=node.server_class,
        phase=node.phase,
        on=node.on,
        node_on=node.node_on,
        parent_on=node.parent_on,
        unreadable=f"its declaration has {size} bytes; at most {NODE_BYTES_MAX} can be dispatched",
    )


def _current_shot(tree: Tree, request: TreeRequest) -> int:
    if not isinstance(tree, KeepsCurrentShot):
        raise TreeError("its site keeps no current shot number")
    if request.increment:
        tree.set_current_shot(tree.current_shot() + 1)
    elif request.set_to is not None:
        tree.set_current_shot(request.set_to)
    return tree.current_shot()


def main(name: str, source: str, jobs: int, answers: int) -> None:
    """Serve until the dispatcher closes the pipe."""
    made: Source = TypeAdapter(Source).validate_json(source)
    tree: Tree | None = None
    with os.fdopen(jobs, "rb") as lines, os.fdopen(answers, "wb") as out:
        for line in lines:
            request = TreeRequest.model_validate_json(line)
            try:
                tree = tree or open_tree(name, made)
                answer = carry_out(tree, request)
            except Exception as error:  # noqa: BLE001  say so, and try again with the next job
                text = sendable(f"{name} cannot be opened: {error}")
                answer = TreeAnswer(job=request.job, error=text)
            out.write(answer.model_dump_json().encode() + b"\n")
            out.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
