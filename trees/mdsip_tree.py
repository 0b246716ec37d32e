"""A tree on an mdsip server. What is asked of it is `tdi_tree`'s."""

from contextlib import closing, suppress

from shotline.common.nodes import MdsipSource
from shotline.trees.mdsip import MdsipConnection
from shotline.trees.tdi_tree import TdiTree
from shotline.trees.tree import TreeError


class MdsipTree(TdiTree):
    """A tree on an mdsip server; implements `Tree`."""

    def __init__(self, tree: str, source: MdsipSource) -> None:
        super().__init__(tree, _connection(source.tree_url or source.url, source), source.url)
        self._source = source

    def create_pulse(self, shot: int, *, replace: bool) -> None:
        """Make the pulse from the model; the server of the tasks is to open a new one anew."""
        super().create_pulse(shot, replace=replace)
        if replace and self.is_alone:
            # Where it does not answer it has nothing open that will matter.
            with closing(_connection(self._source.url, self._source)) as tasks, suppress(TreeError):
                tasks.close_tree(self.tree, shot)


def _connection(url: str, source: MdsipSource) -> MdsipConnection:
    return MdsipConnection(
        url,
        connect_timeout_s=source.connect_timeout_s,
        answer_timeout_s=source.read_timeout_s,
        keep_alive_s=source.keep_alive_s,
    )
