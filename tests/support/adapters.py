"""The tree TEST behind every adapter: what is asserted of one is asserted of all.

    with tree_source("file", folder) as source: ...

Where there is no MDSplus, an mdsip server is played by the recording, and the kinds that need a
real one are skipped with a reason that says so.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.support import mdsplus_site
from tests.support.mdsip.replay import ReplayServer

from shotline.common.nodes import FileSource, MdsipSource, MdsplusSource, Source
from shotline.trees.mdsip import MdsipConnection
from shotline.trees.open_tree import open_tree
from shotline.trees.tdi_tree import TdiTree

EXPERIMENT_FILE: Final = Path(__file__).parent / "mdsip" / "test.yaml"
TREE: Final = "TEST"

needs_mdsplus: Final = pytest.mark.skipif(
    not mdsplus_site.HAS_MDSPLUS, reason=mdsplus_site.WITHOUT_MDSPLUS
)
needs_mdsip: Final = pytest.mark.skipif(
    mdsplus_site.MDSIP is None, reason=mdsplus_site.WITHOUT_MDSIP
)
MDSPLUS_KINDS: Final = (
    "mdsip recording",
    pytest.param("mdsip server", marks=needs_mdsip),
    pytest.param("mdsplus", marks=needs_mdsplus),
)
KINDS: Final = ("file", *MDSPLUS_KINDS)


def mdsip_tree(source: MdsipSource, tree: str = TREE) -> TdiTree:
    """Return a tree that is read over mdsip."""
    opened = open_tree(tree, source)
    assert isinstance(opened, TdiTree)
    return opened


def mdsip_connection(url: str) -> MdsipConnection:
    """Return a connection that waits for its answers, as those for tasks do."""
    return MdsipConnection(url, connect_timeout_s=20, answer_timeout_s=None, keep_alive_s=15)


@contextmanager
def tree_source(kind: str, folder: Path, *, pace: float = 0.0) -> Iterator[Source]:
    """Give the source of TEST, with the pulse 1; its environment is this process's meanwhile.

    `pace`: how slow the tasks of the recording are; 1.0: as slow as they were.
    """
    with ExitStack() as stack:
        if kind == "file":
            file = folder / "test.yaml"
            shutil.copy(EXPERIMENT_FILE, file)
            yield FileSource(file=str(file))
        elif kind == "mdsip recording":
            server = stack.enter_context(ReplayServer(pace=pace))
            server.edit("TIME_INSERTED", "Q", [0] * 26)  # which the recording does not have
            yield MdsipSource(url=server.url, read_timeout_s=20)
            assert server.unrecorded == []
        else:
            site = stack.enter_context(site_in(folder))
            if kind == "mdsplus":
                yield MdsplusSource()
            else:
                real = stack.enter_context(mdsplus_site.mdsip_server(folder, site))
                yield MdsipSource(url=real.url, read_timeout_s=20)


@contextmanager
def site_in(folder: Path) -> Iterator[dict[str, str]]:
    """Make a real MDSplus site in the folder, and let this process and its children find it."""
    site = mdsplus_site.make_site(folder)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in site.items():
            environment.setenv(name, value)
        yield site
