"""The process that touches trees for the dispatcher, one for each experiment (DESIGN D1).

It reads jobs as JSON lines from one descriptor and answers each with one line on another, so that
whatever a tree library prints goes to standard error and disturbs nothing. The other side is
`host`. A tree that hangs or crashes takes only this process with it.
"""

import os
import sys
from typing import Final

import msgspec

from shotline.common.base import to_json, to_line
from shotline.common.codec import sendable
from shotline.common.nodes import ActionNode, Source, SourceMark
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
    decode_job,
)
from shotline.trees.marks import MarksSources
from shotline.trees.open_tree import open_tree
from shotline.trees.tree import (
    DeclaresOptions,
    KeepsCurrentShot,
    PulseExists,
    Tree,
    TreeError,
    WritesNodes,
    WritesStatus,
)

NODE_BYTES_MAX: Final = 512 * 1024


def carry_out(tree: Tree, job: TreeJob) -> TreeDone:
    """Do one job. What the tree raises becomes the answer's error."""
    number, shot = job.job, job.key.shot
    try:
        match job:
            case CreatePulseJob():
                tree.create_pulse(shot, replace=job.replace)
            case ReadTableJob():
                return _read_table(tree, number, shot)
            case ReadNodeJob():
                sources = _sources(tree, shot, job.known) if job.known else ()
                node = bounded(tree.action(shot, job.path))
                return TreeDone(job=number, sources=sources, nodes=(node,))
            case LookAtSourcesJob():
                return TreeDone(job=number, sources=_sources(tree, shot, job.known))
            case RaiseEventJob():
                tree.raise_event(job.event, shot)
            case WriteStatusJob():
                if not isinstance(tree, WritesStatus):
                    raise TreeError("its nodes keep no status: switch `write_status` off")
                tree.write_status(shot, job.path, job.code)
            case WriteNodesJob():
                if not isinstance(tree, WritesNodes):
                    raise TreeError("its nodes cannot be written")
                tree.write_nodes(shot, job.values)
            case CurrentShotJob():
                return TreeDone(job=number, current=_current_shot(tree, job))
    except PulseExists as error:
        return TreeDone(job=number, exists=True, error=sendable(str(error)))
    except TreeError as error:
        return TreeDone(job=number, error=sendable(str(error)))
    except Exception as error:  # noqa: BLE001  a library's own: the operator must see it
        return TreeDone(job=number, error=sendable(f"{type(error).__name__}: {error}"))
    return TreeDone(job=number)


def _read_table(tree: Tree, number: int, shot: int) -> TreeDone:
    declares = tree if isinstance(tree, DeclaresOptions) else None
    # Looked at first: what changes meanwhile is rather told in vain than not.
    sources = _sources(tree, shot)
    return TreeDone(
        job=number,
        sources=sources,
        nodes=tuple(map(bounded, tree.actions(shot))),
        phases=tuple(tree.phases(shot)),
        options=declares.options(shot) if declares is not None else None,
        warnings=tuple(declares.warnings(shot)) if declares is not None else (),
    )


def _sources(tree: Tree, shot: int, known: tuple[str, ...] = ()) -> tuple[SourceMark, ...]:
    if not isinstance(tree, MarksSources):
        return ()
    return tuple(mark.without_known(known) for mark in tree.marks(shot))


def bounded(node: ActionNode) -> ActionNode:
    """Return a node that messages can carry: one that is too large counts as unreadable."""
    size = len(to_json(node))
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


def _current_shot(tree: Tree, job: CurrentShotJob) -> int:
    if not isinstance(tree, KeepsCurrentShot):
        raise TreeError("its site keeps no current shot number")
    if job.increment:
        tree.set_current_shot(tree.current_shot() + 1)
    elif job.set_to is not None:
        tree.set_current_shot(job.set_to)
    return tree.current_shot()


def main(name: str, source: str, jobs: int, answers: int) -> None:
    """Serve until the dispatcher closes the pipe."""
    made: Source = msgspec.json.decode(source, type=Source)
    tree: Tree | None = None
    with os.fdopen(jobs, "rb") as lines, os.fdopen(answers, "wb") as out:
        for line in lines:
            job = decode_job(line)
            try:
                tree = tree or open_tree(name, made)
                answer = carry_out(tree, job)
            except Exception as error:  # noqa: BLE001  say so, and try again with the next job
                text = sendable(f"{name} cannot be opened: {error}")
                answer = TreeDone(job=job.job, error=text)
            out.write(to_line(answer))
            out.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
