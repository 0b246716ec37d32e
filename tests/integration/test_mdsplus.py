"""The native adapter: on a real MDSplus where there is one; its own steps on the recording.

The stand-in answers `Data.execute` from the recording, with MDSplus' own exceptions' attributes: it
shows what the adapter asks for and does with the answers, not that a real MDSplus agrees.
"""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import mdsthin
import pytest
from mdsthin.exceptions import EXCEPTION_MAP, MdsException
from tests.support.mdsip.replay import ReplayServer

from shotline.common.actions import AttemptId
from shotline.trees.mdsip_tree import MdsipTree
from shotline.trees.open_tree import open_tree
from shotline.trees.source import MdsipSource, MdsplusSource
from shotline.trees.tree import MdsplusTask, TreeError

HAS_MDSPLUS = importlib.util.find_spec("MDSplus") is not None
TASK = MdsplusTask(nid=0, task_kind="unknown", text="")


class StandIn(ModuleType):
    """What the adapter uses of MDSplus, answered by the recording."""

    def __init__(self, url: str) -> None:
        super().__init__("MDSplus")
        self._connection = mdsthin.Connection(url)
        self.Data = SimpleNamespace(execute=self._execute)
        self.Uint8Array = mdsthin.UInt8Array
        self.MDSplusException = MdsException
        self.mdsExceptions = SimpleNamespace(statusToException=self._exception)

    def _execute(self, expression: str, *arguments: Any) -> Any:
        return self._connection.get(expression, *arguments)

    @staticmethod
    def _exception(status: int) -> Exception:
        return (
            EXCEPTION_MAP[status]() if status in EXCEPTION_MAP else Exception(f"Unknown {status}")
        )


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, ReplayServer]]:
    with ReplayServer() as server:
        monkeypatch.setitem(sys.modules, "MDSplus", StandIn(server.url))
        monkeypatch.delitem(sys.modules, "shotline.trees.mdsplus", raising=False)
        yield importlib.import_module("shotline.trees.mdsplus"), server
    sys.modules.pop("shotline.trees.mdsplus", None)


def test_both_adapters_read_the_same_actions(adapter: tuple[Any, ReplayServer]) -> None:
    native, server = adapter
    through_mdsip = MdsipTree("test", MdsipSource(url=server.url, read_timeout_s=20))
    expected = [
        node.model_copy(update={"task": node.task and node.task.model_copy(update={"url": None})})
        for node in through_mdsip.actions(1)
    ]
    through_mdsip.close()
    assert list(native.NativeTree("test").actions(1)) == expected
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
    outcome = native.MdsplusExecutor().execute(TASK, AttemptId("TEST", 1, f"\\TEST::TOP:{name}", 1))
    assert (outcome.ok, outcome.code) == (ok, code)
    assert text in outcome.text


@pytest.mark.skipif(HAS_MDSPLUS, reason="says what is missing only where it is missing")
def test_what_is_missing_is_said() -> None:
    with pytest.raises(TreeError, match="`import MDSplus` fails: set PYTHONPATH"):
        open_tree("test", MdsplusSource())


MAKE_AND_RUN = """
import MDSplus
from shotline.common.actions import AttemptId
from shotline.trees.mdsplus import MdsplusExecutor, NativeTree
from shotline.trees.tree import MdsplusTask
model = MDSplus.Tree("SLTEST", -1, "NEW")
for name, task in (("GOOD", "write(*, 'said'), 1"), ("BAD", "abort()")):
    node = model.addNode(name, "ACTION")
    text = f"build_action(build_dispatch(2, 'SRV', 'INIT', 10, *), {task})"
    node.record = MDSplus.Data.compile(text)
model.write()
model.close()
tree = NativeTree("SLTEST")
tree.create_pulse(1, replace=False)
print([(n.name, n.server_class, n.phase, n.when.number, n.unreadable) for n in tree.actions(1)])
executor, task = MdsplusExecutor(), MdsplusTask(nid=0, task_kind="expression", text="")
for node in tree.actions(1):
    print(executor.execute(task, AttemptId("SLTEST", 1, node.path, 1)).ok)
"""


@pytest.mark.skipif(not HAS_MDSPLUS, reason="needs an MDSplus installation: `import MDSplus` fails")
def test_a_tree_is_made_read_and_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAKE_AND_RUN],
        env={**os.environ, "SLTEST_path": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "[('GOOD', 'SRV', 'INIT', 10, None), ('BAD', 'SRV', 'INIT', 10, None)]" in done.stdout
    assert "said" in done.stdout
    assert done.stdout.index("True") < done.stdout.index("False")
