"""A real MDSplus, asked in this process and through its own mdsip server.

All of it needs an MDSplus installation; what can be shown on recorded answers is in `test_mdsip`.
"""

import importlib
import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import mdsthin
import pytest
from msgspec import structs
from tests.support.adapters import (
    mdsip_connection,
    mdsip_tree,
    needs_mdsip,
    needs_mdsplus,
    site_in,
)
from tests.support.mdsplus_site import FORMS, OUTPUT, MdsipServer, mdsip_server, recorded_actions
from tests.support.ports import free_ports
from tests.support.stack import Stack

from shotline.client.report import Report
from shotline.client.supervisor import Supervisor
from shotline.common.actions import ActionState, AttemptId, Cause, Status
from shotline.common.nodes import (
    ActionNode,
    And,
    ConditionWhen,
    DispatchType,
    Expression,
    MdsipSource,
    MdsplusSource,
    MdsplusTask,
    Not,
    Or,
    Reference,
    SequenceWhen,
    Source,
    UnusableWhen,
)
from shotline.trees.mdsip import MdsipConnection
from shotline.trees.open_tree import open_tree
from shotline.trees.tdi_tree import TdiTree
from shotline.trees.tree import TreeError

# How MDSplus' events make their threads is not our affair.
pytestmark = [needs_mdsplus, pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning")]
DEADLINE_S = 30
WAYS = ("mdsplus", pytest.param("mdsip", marks=needs_mdsip))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("site")
    with site_in(folder):
        yield folder


@pytest.fixture(scope="module", params=WAYS)
def source(request: pytest.FixtureRequest, site: Path) -> Iterator[Source]:
    if request.param == "mdsplus":
        yield MdsplusSource()
    else:
        with mdsip_server(site, {}) as server:
            yield MdsipSource(url="nobody:1", tree_url=server.url, read_timeout_s=20)


@pytest.fixture
def opened(source: Source) -> Iterator[Callable[[str], TdiTree]]:
    trees: list[TdiTree] = []

    def open_(name: str) -> TdiTree:
        tree = open_tree(name, source)
        assert isinstance(tree, TdiTree)
        trees.append(tree)
        return tree

    yield open_
    for tree in trees:
        tree.close()


Opened = Callable[[str], TdiTree]


# Reading


def in_words(expression: Expression) -> str:
    """Return a condition with the last names of its actions; a missing one has a `?`."""
    if isinstance(expression, Reference):
        name = expression.path.replace("::", ":").replace(".", ":").rsplit(":", 1)[-1]
        return f"{name}?" if expression.missing else name
    if isinstance(expression, Not):
        return f"not {_inner(expression.operand)}"
    word = " and " if isinstance(expression, And) else " or "
    return word.join(map(_inner, expression.operands))


def _inner(expression: Expression) -> str:
    text = in_words(expression)
    return f"({text})" if isinstance(expression, And | Or) else text


def meaning(node: ActionNode) -> int | str:
    if isinstance(node.when, SequenceWhen):
        return node.when.number
    if isinstance(node.when, ConditionWhen):
        return in_words(node.when.expression)
    assert node.unreadable == f"`when` {node.when.why}: {node.when.text}"
    return node.when.why


def test_every_form_of_when(opened: Opened) -> None:
    nodes = {node.name: node for node in opened("FORMS").actions(-1)}
    found = [(when, meaning(nodes[f"W{number:03d}"])) for number, (when, _) in enumerate(FORMS)]
    assert found == list(FORMS)


def test_every_part_of_an_action(opened: Opened) -> None:
    tree = opened("FORMS")
    nodes = {node.name: node for node in tree.actions(-1)}
    assert {name: nodes[name].phase for name in nodes if name.endswith("_PHASE")} == {
        "NUM_PHASE": "STORE",
        "SUM_PHASE": "STORE",
        "LOW_PHASE": "store",
        "BAD_PHASE": "",
        "NO_PHASE": "",
    }
    limits = {
        name: nodes[name].timeout_s for name in nodes if isinstance(nodes[name].task, MdsplusTask)
    }
    assert {name: limit for name, limit in limits.items() if limit is not None} == {
        "PROCEDURE": 5.0,
        "METHOD": 1.5,
        "ROUTINE": 20.0,
        "PROGRAM": 3.0,
    }
    for kind in ("procedure", "method", "routine", "program"):
        task = nodes[kind.upper()].task
        assert isinstance(task, MdsplusTask)
        assert task.task_kind == kind
    assert nodes["METHOD"].completion_event == "DONE"
    by_node = nodes["NODES"]
    assert (by_node.server_class, by_node.phase, by_node.completion_event) == ("STORE",) * 3
    assert by_node.when == SequenceWhen(number=20, text="NUM")
    assert (nodes["LABELLED"].server_class, nodes["LABELLED"].label) == ("DAQ", "hall-2")
    assert nodes["TYPE_NONE"].dispatch_type is DispatchType.NONE
    assert nodes["TYPE_COND"].dispatch_type is DispatchType.CONDITIONAL
    asynchronous = nodes["TYPE_ASYNC"]
    assert asynchronous.dispatch_type is DispatchType.ASYNCHRONOUS
    assert isinstance(asynchronous.when, UnusableWhen)
    assert [name for name, node in nodes.items() if node.essential] == ["A"]
    kid = tree.action(-1, ".PAR:KID")
    assert (kid.on, kid.node_on, kid.parent_on) == (False, True, False)
    below = nodes[".SUB:S1"]
    assert below.path == "\\FORMS::TOP.SUB:S1"
    assert below.unreadable is None


def test_what_cannot_be_read_is_shown_with_its_reason(opened: Opened) -> None:
    found = {
        node.name: node.unreadable
        for node in opened("FORMS").actions(-1)
        if node.unreadable and not node.name.startswith("W")
    }
    assert found == {
        "BAD_PHASE": "phase: 77 is not in the site's phase table",
        "NO_PHASE": "phase: is missing",
        "NO_CLASS": "it names no server class",
        "BAD_LABEL": "server class: 'hall 2' behind the @ is no label of a server",
        "NO_TASK": "it has no task",
        "NO_DISPATCH": "the action has no dispatch part",
        "BAD_LIMIT": "the time limit of its task is not a number of seconds",
        "EMPTY": found["EMPTY"],
    }
    assert str(found["EMPTY"]).startswith("%TREE-E-NODATA, No data available for this node")


@needs_mdsip
def test_both_ways_give_the_same_nodes(site: Path) -> None:
    with mdsip_server(site, {}) as server:
        for name in ("FORMS", "TEST", "OUTPUT", "SUB"):
            there = mdsip_tree(MdsipSource(url=server.url), name)
            here = open_tree(name, MdsplusSource())
            expected = [
                structs.replace(node, task=node.task and structs.replace(node.task, url=None))
                for node in there.actions(-1)
            ]
            assert list(here.actions(-1)) == expected
            there.close()


def test_every_recorded_field_is_still_so(opened: Opened) -> None:
    nodes = opened("TEST").actions(1)
    expected = [
        (one["nid"], one["path"], one["minpath"], one["text"], one["task_kind"], one["task_text"])
        for one in recorded_actions()
    ]
    found = []
    for node in nodes:
        assert isinstance(node.task, MdsplusTask)
        task = node.task
        found.append((node.nid, node.path, node.name, node.text, task.task_kind, task.text))
    assert found == expected


def test_reading_evaluates_no_task(opened: Opened, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    in_mdsplus(
        f"""
        tree = MDSplus.Tree("FORMS", -1)
        text = "build_action(build_dispatch(2, 'A', 'STORE', 10, *), spawn('touch {trace}'))"
        tree.getNode("NO_TASK").record = tree.tdiCompile(text)
        """
    )
    tree = opened("FORMS")
    node = tree.action(-1, "NO_TASK")
    tree.actions(-1)
    assert isinstance(node.task, MdsplusTask)
    assert str(trace) in node.task.text
    assert not trace.exists()
    in_mdsplus(
        """
        tree = MDSplus.Tree("FORMS", -1)
        text = "build_action(build_dispatch(2, 'A', 'STORE', 10, *), *)"
        tree.getNode("NO_TASK").record = tree.tdiCompile(text)
        """
    )


def test_a_table_is_read_anew_also_when_the_structure_has_changed(opened: Opened) -> None:
    tree = opened("TEST")
    tree.create_pulse(20, replace=True)
    before = [node.name for node in tree.actions(20)]
    in_mdsplus(
        """
        with MDSplus.Tree("TEST", 20, "EDIT") as tree:
            tree.addNode("NEW", "ACTION")
            tree.write()
        """
    )
    assert sorted([*before, "NEW"]) == sorted(node.name for node in tree.actions(20))
    tree.create_pulse(20, replace=True)
    assert [node.name for node in tree.actions(20)] == before


def test_members_of_an_action_are_its_help_and_contact(opened: Opened) -> None:
    tree = opened("TEST")
    tree.create_pulse(21, replace=True)
    before = {node.name: node for node in tree.actions(21)}
    in_mdsplus(
        """
        with MDSplus.Tree("TEST", 21, "EDIT") as tree:
            tree.addNode("INIT_A:HELP", "TEXT").record = "close the valve\\nby hand "
            tree.addNode("INIT_A:CONTACT", "TEXT").record = "gas crew, 4711"
            tree.addNode("INIT_B:HELP", "TEXT")
            tree.addNode("INIT_B:CONTACT", "TEXT").record = tree.tdiCompile('"phone "//"12"')
            tree.addNode("FAIL:HELP", "NUMERIC").record = 7
            tree.addNode("DATA:HELP", "TEXT").record = "of no action"
            tree.write()
        """
    )
    found = {node.name: node for node in tree.actions(21)}
    texts = {name: (node.help, node.contact) for name, node in found.items()}
    assert texts.pop("INIT_A") == ("close the valve\nby hand", "gas crew, 4711")
    assert texts.pop("INIT_B") == ("", "phone 12")
    assert set(texts.values()) == {("", "")}
    plain = {name: structs.replace(node, help="", contact="") for name, node in found.items()}
    assert {name: structs.replace(node, nid=None) for name, node in plain.items()} == {
        name: structs.replace(node, nid=None) for name, node in before.items()
    }, "they are the same actions"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("tree.getNode('INIT_A').on = False", ["INIT_A"]),
        ("tree.getNode('INIT_A').record = tree.getNode('INIT_B').record", ["INIT_A"]),
        ("tree.tcl('set node INIT_A/status=65545')", []),
        ("pass", []),
    ],
)
def test_what_has_changed_in_a_tree_has_another_mark(
    opened: Opened, change: str, named: list[str]
) -> None:
    tree = opened("TEST")
    tree.create_pulse(21, replace=True)
    (before,) = tree.marks(21)
    in_mdsplus(
        f"""
        with MDSplus.Tree("TEST", 21) as tree:
            {change}
        """
    )
    (after,) = tree.marks(21)
    changed = [path for path, part in after.parts.items() if before.parts[path] != part]
    assert [path.rpartition(":")[2] for path in changed] == named
    assert (after.mark != before.mark) is bool(named)


# Pulses, events, status


def test_a_pulse_has_its_subtrees(opened: Opened) -> None:
    tree = opened("FORMS")
    tree.create_pulse(30, replace=True)
    assert opened("SUB").action(30, "S1").unreadable is None
    assert tree.action(30, ".SUB:S1").unreadable is None


def test_a_folder_that_cannot_be_written(opened: Opened, site: Path) -> None:
    (site / "test_031.tree").mkdir(exist_ok=True)
    with pytest.raises(
        TreeError,
        match=r"cannot create TEST/31 at .*%TREE-E-FCREATE, .*the folder that test_path names",
    ):
        opened("TEST").create_pulse(31, replace=False)


def test_what_is_not_there(opened: Opened) -> None:
    with pytest.raises(TreeError, match=r"cannot open NOSUCH/-1 .*%TREE-E-NOPATH"):
        opened("NOSUCH").actions(-1)
    with pytest.raises(TreeError, match=r"cannot open NOSUCH/-1 .*%TREE-E-NOPATH"):
        opened("NOSUCH").create_pulse(5, replace=False)
    with pytest.raises(TreeError, match=r"cannot open TEST/99 .*: shotline create-pulse TEST 99"):
        opened("TEST").actions(99)


def test_the_current_shot(opened: Opened, site: Path) -> None:
    (site / "shotid.sys").unlink(missing_ok=True)
    tree = opened("TEST")
    assert tree.current_shot() == 0
    with pytest.raises(TreeError, match="TEST has no current shot at"):
        tree.actions(0)
    tree.set_current_shot(1)
    assert tree.current_shot() == 1
    assert tree.actions(0) == tree.actions(1)
    for shot in (0, -1):
        with pytest.raises(TreeError, match="is not a shot number"):
            tree.set_current_shot(shot)
    assert tree.current_shot() == 1


@pytest.mark.parametrize("code", [65545, 265519154, -1])
def test_a_status_is_written_to_its_node(opened: Opened, code: int) -> None:
    opened("TEST").write_status(1, "\\TEST::TOP:DEV:INIT_ACTION", code)
    read = "print(MDSplus.Tree('TEST', 1).getNode('DEV:INIT_ACTION').status)"
    assert int(in_mdsplus(read)) & 0xFFFFFFFF == code & 0xFFFFFFFF


def test_a_status_of_a_node_that_is_not_there(opened: Opened) -> None:
    with pytest.raises(TreeError, match=r"the status of \\TEST::TOP:NOSUCH was not written: %TREE"):
        opened("TEST").write_status(1, "\\TEST::TOP:NOSUCH", 1)


def test_an_event_carries_the_shot(opened: Opened) -> None:
    heard: list[bytes] = []
    with listening("SHOTLINE_TEST", heard) as arrived:
        opened("TEST").raise_event("SHOTLINE_TEST", 258)
        assert arrived.wait(DEADLINE_S)
    assert heard == [b"\x02\x01\x00\x00"]


# Executing


def test_the_output_of_an_action_is_complete(site: Path, tmp_path: Path) -> None:
    stack = Stack(tmp_path, ("A:1",), {"OUTPUT": {"source": {"kind": "mdsplus"}}})
    with stack, stack.supervisor() as shotline:
        shotline.build_tables("OUTPUT", 1)
        report = shotline.do_phase("STORE", "OUTPUT", 1)
        failed = [action.name for action in report.actions if action.last.status is Status.FAILURE]
        assert failed == ["DEV_FACIL", "NO_FACIL", "RAISES", "REFUSES"]
        output = {name: shotline.logs(name, "OUTPUT", 1).lines for name in OUTPUT}
        rest = shotline.logs("MANY", "OUTPUT", 1, since=len(output["MANY"])).lines
    texts = {name: [(line.stream, line.text) for line in lines] for name, lines in output.items()}
    out, err = 1, 2
    assert texts["WRITES"] == [(out, "written by TDI")]
    assert sorted(texts["RUNS"]) == [(out, "from a program"), (err, "its errors")]
    assert texts["SPAWNS"] == [(out, "from a child of TDI")]
    assert texts["PRINTS"][0] == (out, "doing \\OUTPUT::TOP:DEV(Sltdev).speaks()")
    assert sorted(texts["PRINTS"][1:]) == [
        (out, "from a child of the device"),
        (out, "from a shell of the device"),
        (out, "printed by the device"),
        (out, "printed in C"),
        (out, "without an end"),
        (err, "complained by the device"),
    ]
    for stream in (out, err):
        assert (stream, "RuntimeError: the device is on fire") in texts["RAISES"]
    numbers = [line.text.strip() for line in (*output["MANY"], *rest)]
    assert numbers == [str(number) for number in range(20000)]


def test_both_channels_by_which_a_task_ends(site: Path) -> None:
    adapter: Any = importlib.import_module("shotline.trees.mdsplus")
    executor = adapter.NativeConnection()

    def execute(name: str, shot: int = 1) -> tuple[bool, int | None, str]:
        outcome = executor.execute(AttemptId("TEST", shot, f"\\TEST::TOP:{name}", 1))
        return outcome.ok, outcome.code, outcome.text

    assert execute("INIT_D") == (True, 1, "%SS-S-SUCCESS, Success")
    assert execute("STORE_B") == (True, 265389633, "%TREE-S-SUCCESS, Operation successful")
    assert execute("FAIL") == (False, 265519154, "%TDI-E-ABORT, Program requested abort")
    assert execute("BADTYPE") == (
        False,
        265519210,
        "%TDI-E-INVDTYDSC, Storage data type is not valid",
    )
    assert execute("PROGRAM") == (False, 65554, "%MDSPLUS-E-ERROR, Error")
    ok, code, text = execute("FAIL_PY")
    assert (ok, code) == (False, 662480186)
    assert text.startswith("%PY-E-UNHANDLED_EXCEPTION, Python device raised an exception")
    ok, code, text = execute("NOSUCH")
    assert not ok
    assert text.startswith("%TREE-")
    assert execute("INIT_D", 99) == (
        False,
        265392154,
        "was not started: cannot open TEST/99 at MDSplus on this machine: %TREE-E-FOPENR, Error "
        "opening file read-only",
    )
    assert execute("INIT_D") == (True, 1, "%SS-S-SUCCESS, Success")


FACILITIES = {
    "DEV_FACIL": (
        662480290,
        "%DEV-E-CANNOT_LOAD_SETTINGS, Error loading settings from XML or JSON",
    ),
    "NO_FACIL": (123456, "MDSplus status 123456"),
    "REFUSES": (662470906, "%DEV-E-INV_SETUP"),
}


@pytest.mark.parametrize("way", WAYS)
def test_statuses_of_other_facilities_have_their_words(site: Path, way: str) -> None:
    with ExitStack() as stack:
        executor: Any
        if way == "mdsip":
            server = stack.enter_context(mdsip_server(site, {}))
            executor = stack.enter_context(closing(mdsip_connection(server.url)))
        else:
            executor = importlib.import_module("shotline.trees.mdsplus").NativeConnection()
        for name, (code, text) in FACILITIES.items():
            attempt = AttemptId("OUTPUT", 1, f"\\OUTPUT::TOP:{name}", 1)
            outcome = executor.execute(attempt)
            assert (outcome.ok, outcome.code) == (False, code)
            assert outcome.text.startswith(text)


def test_an_action_is_executed_as_its_tree_is_now(site: Path) -> None:
    adapter: Any = importlib.import_module("shotline.trees.mdsplus")
    executor = adapter.NativeConnection()
    attempt = AttemptId("TEST", 21, "\\TEST::TOP:ADDED", 1)
    open_tree("TEST", MdsplusSource()).create_pulse(21, replace=True)
    assert not executor.execute(attempt).ok
    in_mdsplus(
        """
        with MDSplus.Tree("TEST", 21, "EDIT") as tree:
            text = "build_action(build_dispatch(2, 'SRV_A', 'STORE', 10, *), 1)"
            tree.addNode("ADDED", "ACTION").record = tree.tdiCompile(text)
            tree.write()
        """
    )
    assert executor.execute(attempt).ok


def test_a_method_with_a_limit_leaves_no_thread_behind(site: Path, tmp_path: Path) -> None:
    """MDSplus runs it in a thread of C's, which Python lists for ever once it has met it."""
    stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {"TEST": {"source": {"kind": "mdsplus"}}})
    with stack, stack.supervisor() as shotline:
        shotline.build_tables("TEST", 1)
        shotline.do_phase("INIT", "TEST", 1)
        for name in ("INIT_C", "DEV:INIT_ACTION"):
            assert [line.text for line in shotline.logs(name, "TEST", 1).lines] == [
                "doing \\TEST::TOP:DEV(Sltdev).init()",
                "initialised",
            ]


def test_a_shot_with_events_and_status_written_back(site: Path, tmp_path: Path) -> None:
    open_tree("TEST", MdsplusSource()).create_pulse(22, replace=True)
    experiment = {"source": {"kind": "mdsplus"}, "options": {"write_status": True}}
    heard: list[bytes] = []
    stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {"TEST": experiment})
    with stack, stack.supervisor() as shotline, listening("INIT_A_DONE", heard) as arrived:
        shotline.build_tables("TEST", 22)
        report = shotline.do_phase("INIT", "TEST", 22)
        assert arrived.wait(DEADLINE_S)
        code, shown = command_line(stack, "current", "TEST", "22")
        assert (code, shown.strip()) == (0, "the current shot of TEST is now 22")
        code, shown = command_line(stack, "current", "TEST", "--increment")
        assert (code, shown.strip()) == (0, "the current shot of TEST is now 23")
        stack.wait_until(lambda _: written_statuses(22)["FAIL"] != 0)
    assert heard == [(22).to_bytes(4, "little")]
    found = written_statuses(22)
    for action in report.actions:
        if action.last.state is ActionState.DONE:
            assert found[action.name] == action.last.code


def test_the_tree_is_checked_and_shown(site: Path, tmp_path: Path) -> None:
    stack = Stack(tmp_path, ("A:1",), {"FORMS": {"source": {"kind": "mdsplus"}}})
    with stack:
        code, shown = command_line(stack, "tree", "FORMS", "-1", "--check")
        assert code == 2
        for text in (
            "phase: 77 is not in the site's phase table",
            "its condition refers to \\FORMS::TOP:GONE, which is no action of this tree",
            "its condition refers to \\FORMS::TOP.PAR:KID, which is off",
            "`when` is a text, not a condition",
        ):
            assert text in " ".join(shown.split())
        code, shown = command_line(stack, "tree", "FORMS", "-1", "--json")
        assert code == 0
        assert len(json.loads(shown)["result"]["actions"]) > len(FORMS)
        code, shown = command_line(stack, "build-tables", "FORMS", "-1")
        assert code != 0


# A real mdsip server


@needs_mdsip
def test_an_mdsip_server_that_is_killed_in_mid_action(site: Path, tmp_path: Path) -> None:
    """Nobody knows what became of the action; its worker is free, and so is the class (I1)."""
    server = MdsipServer(tmp_path, {}, free_ports(1)[0])
    try:
        server.wait_until_it_listens()
        open_tree("TEST", MdsplusSource()).create_pulse(23, replace=True)
        experiment = {"source": {"kind": "mdsip", "url": server.url}}
        stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {"TEST": experiment})
        with stack, stack.supervisor() as shotline:
            shotline.build_tables("TEST", 23)
            shotline.do_phase("STORE", "TEST", 23, wait=False)
            stack.wait_until(lambda _: is_doing(shotline, "SLEEP", 23))
            server.kill()
            again = MdsipServer(tmp_path, {}, server.port)
            try:
                again.wait_until_it_listens()
                report = shotline.wait("TEST", 23, 1)
                lost = report.action("SLEEP").last
                assert (lost.state, lost.cause) == (ActionState.ABORTED, Cause.SERVER_LOST)
                assert lost.outcome_unknown
                assert ending(report, "NUM_PHASE") == (Status.SUCCESS, Cause.RESULT)
                stack.wait_until(
                    lambda status: any(
                        "1 lost with their connection" in text
                        for one in status.servers
                        for text in one.bound
                    )
                )
                shotline.clear_url(server.url)
                stack.wait_until(lambda status: not any(one.bound for one in status.servers))
            finally:
                again.kill()
    finally:
        server.kill()


@needs_mdsip
@pytest.mark.parametrize("mode", ["-m", "-s"])
def test_many_connections_change_the_shot_together(mode: str, site: Path, tmp_path: Path) -> None:
    """Also connections that begin and end together, and another client's that shares its trees."""
    tree = open_tree("TEST", MdsplusSource())
    for shot in (25, 26):
        tree.create_pulse(shot, replace=True)
    with mdsip_server(tmp_path, {}, mode=mode) as server, ThreadPoolExecutor(12) as threads:
        other = mdsthin.Connection(server.url)
        for life in range(6):
            executors = [mdsip_connection(server.url) for _ in range(12)]
            for shot in (25, 26) * 5:
                other.openTree("TEST", 51 - shot)
                attempts = [
                    AttemptId("TEST", shot, f"\\TEST::TOP:{name}", life)
                    for name in ("INIT_D", "DEV:INIT_ACTION") * 6
                ]
                ended = threads.map(MdsipConnection.execute, executors, attempts)
                assert [one.text for one in ended if not one.ok] == []
            for _ in threads.map(MdsipConnection.close, executors):
                pass
            assert server.is_running, server.log.read_text()
        assert other.get("data($SHOT)").data() == 25
        other.disconnect()


@needs_mdsip
def test_statuses_are_written_through_mdsip(site: Path, tmp_path: Path) -> None:
    with mdsip_server(tmp_path, {}) as tasks, mdsip_server(tmp_path, {}) as trees:
        source = {"kind": "mdsip", "url": tasks.url, "tree_url": trees.url}
        experiment = {"source": source, "options": {"write_status": True}}
        stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {"TEST": experiment})
        with stack, stack.supervisor() as shotline:
            shotline.create_pulse("TEST", 24, replace=True)
            shotline.build_tables("TEST", 24)
            report = shotline.do_phase("INIT", "TEST", 24)
            stack.wait_until(lambda _: written_statuses(24)["FAIL"] != 0)
        found = written_statuses(24)
        for action in report.actions:
            if action.last.state is ActionState.DONE:
                assert found[action.name] == action.last.code


# The pulse queue


@pytest.mark.parametrize("way", WAYS)
def test_a_plan_writes_its_parameters_into_nodes(way: str, site: Path, tmp_path: Path) -> None:
    """Before the table is built; what a node does not hold, or is not there, fails the plan."""
    first = 51 if way == "mdsplus" else 61
    parameters = {
        "x": {"node": "DATA:X", "required": False},
        "counts": {"type": "list", "node": r"\TEST::TOP.DATA:COUNT", "required": False},
        "nowhere": {"node": "DATA:NOWHERE", "required": False},
    }
    kind = {"phases": [{"phase": "INIT"}], "parameters": parameters}
    with ExitStack() as running:
        source: dict[str, str] = {"kind": "mdsplus"}
        if way == "mdsip":
            url = running.enter_context(mdsip_server(tmp_path, {})).url
            source = {"kind": "mdsip", "url": url}
        experiment = {"source": source, "kinds": {"scan": kind}}
        stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {"TEST": experiment})
        running.enter_context(stack)
        shotline = running.enter_context(stack.supervisor())
        values = [{"x": -1.5e-7, "counts": [1, 2.5, 3]}, {"x": 7}, {"nowhere": 1}]
        shotline.queue_add(
            [
                {"kind": "scan", "experiment": "TEST", "shot": first + at, "parameters": given}
                for at, given in enumerate(values)
            ]
        )
        shotline.queue_mode(ignore_failures=True)
        shotline.queue_start()
        stack.wait_until(lambda _: shotline.queue_status().queue.history_total == len(values))
        results = [item.result for item in shotline.queue_history().items]
    by_shot = {one.shot: one for one in results}
    assert node_values(first) == [-1.5e-7, [1.0, 2.5, 3.0]]
    assert node_values(first + 1)[0] == 7
    assert {by_shot[first + at].runs[0].phase for at in range(2)} == {"INIT"}
    assert by_shot[first + 2].runs == ()
    assert "DATA:NOWHERE" in by_shot[first + 2].message


# Helpers


def node_values(shot: int) -> list[Any]:
    """Return what the nodes X and COUNT of a pulse hold."""
    found = in_mdsplus(
        f"""
        import json
        tree = MDSplus.Tree("TEST", {shot}, "READONLY")
        def value(name):
            node = tree.getNode(name)
            return node.data().tolist() if node.length else None
        print(json.dumps([value("DATA:X"), value("DATA:COUNT")]))
        """
    )
    loaded: list[Any] = json.loads(found)
    return loaded


def in_mdsplus(code: str) -> str:
    """Run a program that has imported MDSplus, in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", "import MDSplus\n" + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def listening(event: str, heard: list[bytes]) -> Iterator[threading.Event]:
    """Listen to an MDSplus event meanwhile; what it carries is put into `heard`."""
    mdsplus: Any = importlib.import_module("MDSplus")
    arrived = threading.Event()

    class Listener(mdsplus.Event):  # type: ignore[misc]
        def run(self) -> None:
            heard.append(bytes(self.getRaw().data()))
            arrived.set()

    listener = Listener(event)
    try:
        yield arrived
    finally:
        listener.cancel()


def written_statuses(shot: int) -> dict[str, int]:
    """Return the status that each action node of a shot has by now, by its short path."""
    text = in_mdsplus(
        f"""
        for node in MDSplus.Tree("TEST", {shot}).getNodeWild("***", "ACTION"):
            print(node.minpath, int(node.status))
        """
    )
    return {name: int(status) for name, status in map(str.split, text.splitlines())}


def command_line(stack: Stack, *words: str) -> tuple[int, str]:
    broker = stack.config.broker.clients
    command = [sys.executable, "-m", "shotline.client.cli", "--broker", broker, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def is_doing(shotline: Supervisor, name: str, shot: int) -> bool:
    actions = shotline.actions("TEST", shot).actions
    return any(one.name == name and one.last.state is ActionState.DOING for one in actions)


def ending(report: Report, name: str) -> tuple[Status | None, Cause | None]:
    last = report.action(name).last
    return last.status, last.cause
