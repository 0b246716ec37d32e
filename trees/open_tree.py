"""Makes the adapter for a source; each is imported only when an experiment is configured for it."""

import importlib.util
from pathlib import Path

from shotline.common.nodes import FileSource, MdsipSource, Source
from shotline.trees.tdi_tree import TdiTree
from shotline.trees.tree import Tree, TreeError


def open_tree(tree: str, source: Source) -> Tree:
    """Return the tree of a source. Raise TreeError when what it needs is not installed."""
    if isinstance(source, FileSource):
        from shotline.trees.experiment import FileTree

        pulses = Path(source.pulses) if source.pulses is not None else None
        return FileTree(tree, Path(source.file), pulses)
    if isinstance(source, MdsipSource):
        return _mdsip_tree(tree, source)
    return _native_tree(tree)


def _native_tree(tree: str) -> Tree:
    if importlib.util.find_spec("MDSplus") is None:
        raise TreeError(
            f"{tree.upper()} is configured for MDSplus on this machine, where `import MDSplus` "
            "fails: set PYTHONPATH as for other MDSplus programs, or use an mdsip server "
            "(kind: mdsip)"
        )
    from shotline.trees.mdsplus import NativeConnection

    return TdiTree(tree, NativeConnection(), None)


def _mdsip_tree(tree: str, source: MdsipSource) -> Tree:
    if importlib.util.find_spec("mdsthin") is None:
        raise TreeError(
            f"{tree.upper()} is on an mdsip server, which needs mdsthin: "
            "pip install 'shotline[mdsip]'"
        )
    from shotline.trees.mdsip import MdsipConnection

    connection = MdsipConnection(
        source.tree_url or source.url,
        connect_timeout_s=source.connect_timeout_s,
        answer_timeout_s=source.read_timeout_s,
        keep_alive_s=source.keep_alive_s,
    )
    return TdiTree(tree, connection, source.url)
