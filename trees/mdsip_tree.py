"""A tree on an mdsip server. What is asked of it is `tdi_tree`'s."""

from shotline.common.nodes import MdsipSource
from shotline.trees.mdsip import MdsipConnection
from shotline.trees.tdi_tree import TdiTree


class MdsipTree(TdiTree):
    """A tree on an mdsip server; implements `Tree`."""

    def __init__(self, tree: str, source: MdsipSource) -> None:
        connection = MdsipConnection(
            source.tree_url or source.url,
            connect_timeout_s=source.connect_timeout_s,
            answer_timeout_s=source.read_timeout_s,
            keep_alive_s=source.keep_alive_s,
        )
        super().__init__(tree, connection, source.url)
