"""The native adapter where there is no MDSplus: its own steps, on the recording.

The stand-in answers `Data.execute` from the recording, texts of arrays as bytes, and has MDSplus'
exceptions, as a real one does; `test_mdsplus_site` asks a real one.
"""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import mdsthin
import numpy
import pytest
from mdsthin.exceptions import MdsException
from msgspec import structs
from tests.support.adapters import mdsip_tree
from tests.support.mdsip.replay import ReplayServer

from shotline.common.actions import AttemptId
from shotline.common.nodes import MdsipSource, MdsplusSource
from shotline.trees.open_tree import open_tree
from shotline.trees.tdi_tree import TdiTree
from shotline.trees.tree import TreeError

HAS_MDSPLUS = importlib.util.find_spec("MDSplus") is not None


class StandIn(ModuleType):
    """What the adapter uses of MDSplus, answered by the recording."""

    def __init__(self, url: str) -> None:
        super().__init__("MDSplus")
        self._connection = mdsthin.Connection(url)
        self.Data = SimpleNamespace(execute=self._execute)
        self.Uint8Array = mdsthin.UInt8Array
        self.MDSplusException = MdsException

    def _execute(self, expression: str, *arguments: Any) -> Any:
        answer = self._connection.get(expression, *arguments)
        if answer is None:
            return None
        data = answer.data()
        if isinstance(data, numpy.ndarray) and data.dtype.kind == "U":
            data = data.astype("S")
        return SimpleNamespace(data=lambda: data)


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, ReplayServer]]:
    with ReplayServer() as server:
        monkeypatch.setitem(sys.modules, "MDSplus", StandIn(server.url))
        monkeypatch.delitem(sys.modules, "shotline.trees.mdsplus", raising=False)
        yield importlib.import_module("shotline.trees.mdsplus"), server
    sys.modules.pop("shotline.trees.mdsplus", None)


def test_both_adapters_read_the_same_actions(adapter: tuple[Any, ReplayServer]) -> None:
    native, server = adapter
    through_mdsip = mdsip_tree(MdsipSource(url=server.url, read_timeout_s=20))
    expected = [
        structs.replace(node, task=node.task and structs.replace(node.task, url=None))
        for node in through_mdsip.actions(1)
    ]
    through_mdsip.close()
    assert list(TdiTree("test", native.NativeConnection(), None).actions(1)) == expected
    assert len(expected) == 26


@pytest.mark.parametrize(
    ("name", "ok", "code", "text"),
    [
        ("INIT_A", True, 1, "%SS-S-SUCCESS"),
        ("FAIL", False, 265519154, "%TDI-E-ABORT"),
        ("PROGRAM", False, 65554, "%MDSPLUS-E-ERROR"),
    ],
)
def test_both_channels_by_which_a_task_ends(
    adapter: tuple[Any, ReplayServer], name: str, *, ok: bool, code: int, text: str
) -> None:
    native, _ = adapter
    outcome = native.NativeConnection().execute(AttemptId("TEST", 1, f"\\TEST::TOP:{name}", 1))
    assert (outcome.ok, outcome.code) == (ok, code)
    assert text in outcome.text


@pytest.mark.skipif(HAS_MDSPLUS, reason="says what is missing only where it is missing")
def test_what_is_missing_is_said() -> None:
    with pytest.raises(TreeError, match="`import MDSplus` fails: set PYTHONPATH"):
        open_tree("test", MdsplusSource())
