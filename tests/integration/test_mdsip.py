"""An mdsip server through mdsthin, on recorded answers of a real one."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mdsthin
import pytest
from tests.support import mdsip
from tests.support.adapters import mdsip_connection, mdsip_tree
from tests.support.mdsip.replay import ReplayServer

from shotline.common.actions import AttemptId
from shotline.common.nodes import (
    ActionNode,
    ConditionWhen,
    MdsipSource,
    MdsplusTask,
    Phase,
    SequenceWhen,
    UnusableWhen,
    references,
)
from shotline.trees.mdsip import MdsipConnection
from shotline.trees.mdsip_client import keeper_command
from shotline.trees.open_tree import open_tree
from shotline.trees.tdi import MdsplusFailure, Scalar, TdiConnection
from shotline.trees.tdi_tree import TdiTree
from shotline.trees.tree import ConnectionLost, PulseExists, TreeError

EXPECTED: list[dict[str, Any]] = json.loads(
    (Path(mdsip.__file__).parent / "actions.json").read_text(encoding="utf-8")
)["actions"]
PHASE_NAMES = {40: "STORE"}  # the site's name of a phase that a node gives by number


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as running:
        yield running


@pytest.fixture
def tree(server: ReplayServer) -> Iterator[TdiTree]:
    tree = mdsip_tree(MdsipSource(url=server.url, read_timeout_s=20))
    yield tree
    tree.close()


def attempt(name: str, shot: int = 1) -> AttemptId:
    return AttemptId("TEST", shot, f"\\TEST::TOP:{name}", 1)


# Reading


def as_recorded(node: ActionNode) -> dict[str, Any]:
    """Return a node in the form of actions.json."""
    task = node.task
    assert isinstance(task, MdsplusTask)
    when: dict[str, Any] = {"kind": node.when.kind, "text": node.when.text}
    if isinstance(node.when, SequenceWhen):
        when["number"] = node.when.number
    elif isinstance(node.when, ConditionWhen):
        when["references"] = [one.path for one in references(node.when.expression)]
    elif isinstance(node.when, UnusableWhen):
        when["kind"] = "invalid"
    return {
        "nid": node.nid,
        "path": node.path,
        "minpath": node.name,
        "server_class": node.server_class,
        "phase": node.phase,
        "dispatch_type": node.dispatch_type.value,
        "when": when,
        "completion_event": node.completion_event,
        "task_kind": task.task_kind,
        "task_timeout": node.timeout_s,
        "task_text": task.text,
        "on": node.on,
        "node_on": node.node_on,
        "parent_on": node.parent_on,
        "essential": node.essential,
        "text": node.text,
    }


def test_every_field_of_every_action_is_as_native_mdsplus_reads_it(
    server: ReplayServer, tree: TdiTree
) -> None:
    nodes = tree.actions(1)
    expected = [
        {key: value for key, value in one.items() if key != "dispatch_type_code"}
        | {"phase": PHASE_NAMES.get(one["phase"], one["phase"])}
        for one in EXPECTED
    ]
    assert [as_recorded(node) for node in nodes] == expected
    assert [node.name for node in nodes if node.unreadable] == []
    assert server.unrecorded == []


def test_reading_evaluates_no_task(server: ReplayServer, tree: TdiTree) -> None:
    tree.actions(1)
    tree.action(1, "FAIL")
    assert server.asked("do_task") == []
    assert server.asked("task_of") == []


def test_actions_are_asked_for_together(server: ReplayServer, tree: TdiTree) -> None:
    tree.actions(1)
    assert len(server.asked("decompile")) == 2
    tree.action(1, "FAIL")
    assert len(server.asked("decompile")) == 3


def test_a_server_that_answers_only_one_by_one(server: ReplayServer, tree: TdiTree) -> None:
    together = tree.actions(1)
    server.refuse = "List("
    assert tree.actions(1) == together
    assert len(server.asked("decompile")) == 2 + 2 + len(together)


def test_what_is_refused_spoils_nothing_that_is_asked_with_it(
    server: ReplayServer, tree: TdiTree
) -> None:
    action = tree.action(1, "ASYNC")
    connection = mdsip_connection(server.url)
    connection.open_tree("TEST", 1)
    nodes = (action.nid, 99999)
    texts = [f'decompile(`getnci({nid},"RECORD"))' for nid in nodes]
    records = [f'SerializeOut(`(getnci({nid},"RECORD");))' for nid in nodes]
    answers = connection.together(texts + records)
    assert answers == [action.text, None, connection.content(records[0]), None]
    connection.close()
    assert server.unrecorded == []


def test_a_method_with_further_arguments_keeps_its_time_limit(tree: TdiTree) -> None:
    assert tree.action(1, "\\TEST::TOP:TIMEOUT").timeout_s == 1.0


def test_one_node_that_is_not_there(tree: TdiTree) -> None:
    with pytest.raises(TreeError, match="TEST/1 has no action NOSUCH"):
        tree.action(1, "NOSUCH")


def test_phases_are_the_sites(tree: TdiTree) -> None:
    phases = tree.phases(1)
    assert Phase(name="STORE", number=40) in phases
    assert [phase.number for phase in phases] == sorted(phase.number for phase in phases)
    assert (phases[0].name, phases[-1].name) == ("OFF", "FINISH_SHOT")


def test_a_shot_that_does_not_exist(tree: TdiTree) -> None:
    with pytest.raises(MdsplusFailure, match=r"cannot open TEST/99 .*%TREE-E-FOPENR"):
        tree.actions(99)


def test_what_another_client_opens_is_neither_seen_nor_disturbed(
    server: ReplayServer, tree: TdiTree
) -> None:
    """Open trees are common to a server's connections, unless one has some of its own."""
    other = mdsthin.Connection(server.url)
    other.openTree("TEST", 7)
    server.hold = "phase_name_lookup"
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.extend(node.name for node in tree.actions(1)))
    reader.start()
    assert server.held.wait(20)
    assert server.trees == ["TEST/7", "TEST/1"]
    other.closeTree("TEST", 7)
    other.openTree("TEST", -1)
    server.release.set()
    reader.join(20)
    assert len(read) == len(EXPECTED)
    tree.close()
    assert other.get("TreeClose($,$)", "TEST", -1).data() & 1
    other.disconnect()


def test_a_server_that_cannot_give_a_connection_trees_of_its_own(server: ReplayServer) -> None:
    server.refuse = "TreeUsePrivateCtx"
    tree = mdsip_tree(MdsipSource(url=server.url))
    with pytest.raises(TreeError, match="cannot give a connection trees of its own: %TDI-E-UNK"):
        tree.actions(1)
    outcome = mdsip_connection(server.url).execute(attempt("INIT_A"))
    assert outcome.text.startswith("was not started: the mdsip server at")
    assert server.asked("TreeOpen") == []


def test_trees_do_not_pile_up_on_the_server(server: ReplayServer, tree: TdiTree) -> None:
    tree.actions(1)
    tree.actions(7)
    assert server.trees == ["TEST/7"]


# Pulses and events


def test_create_pulse(server: ReplayServer, tree: TdiTree) -> None:
    tree.create_pulse(7, replace=True)
    assert server.asked("tcl(")[0][0] == 'tcl("create pulse 7",_o)'
    assert server.trees == []
    assert server.unrecorded == []


def test_a_pulse_that_exists(server: ReplayServer, tree: TdiTree) -> None:
    with pytest.raises(PulseExists, match="TEST/1 exists already"):
        tree.create_pulse(1, replace=False)
    assert server.asked("tcl(") == []


@pytest.mark.parametrize("shot", [0, -1])
def test_the_model_is_no_pulse(server: ReplayServer, tree: TdiTree, shot: int) -> None:
    with pytest.raises(TreeError, match="not a shot number"):
        tree.create_pulse(shot, replace=True)
    assert server.requests == []


class Answers(TdiConnection):
    """A connection with answers of the test's own: writing a status is not in the recording."""

    url = "mds:8000"

    def __init__(self, **answers: int) -> None:
        self.answers = {"TREEOPEN": 1, "TCL": 1, **answers}
        self.asked: list[tuple[object, ...]] = []

    def begin(self) -> None:
        pass

    def ask(self, expression: str, *arguments: Scalar) -> int:
        self.asked.append((expression, *arguments))
        return next(value for key, value in self.answers.items() if key in expression.upper())

    def known_status(self, status: int) -> str:
        return f"status {status}"

    def close(self) -> None:
        pass


def writing(**answers: int) -> tuple[TdiTree, Answers]:
    connection = Answers(**answers)
    return TdiTree("test", connection, None), connection


def test_a_status_is_written_to_its_node_and_read_again() -> None:
    tree, connection = writing(GETNCI=65545)
    tree.write_status(1, "\\TEST::TOP:INIT_A", 65545)
    assert connection.asked[:3] == [
        ("TreeOpen($,$)", "TEST", 1),
        ("tcl($,_o)", "set node \\TEST::TOP:INIT_A/status=65545"),
        ('getnci($,"STATUS")', "\\TEST::TOP:INIT_A"),
    ]


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"GETNCI": 0}, "is 0 after 65545 was written"),
        ({"TCL": 2}, "was not written: status 2"),
    ],
)
def test_a_status_that_was_not_written_is_said(answers: dict[str, int], why: str) -> None:
    tree, _ = writing(**answers)
    with pytest.raises(TreeError, match=why):
        tree.write_status(1, "\\TEST::TOP:INIT_A", 65545)


def test_the_current_shot(server: ReplayServer, tree: TdiTree) -> None:
    assert tree.current_shot() == 7
    tree._open(-1)  # the recording has the next request with this tree on top
    tree.set_current_shot(7)
    assert server.unrecorded == []
    with pytest.raises(MdsplusFailure, match="Unknown"):
        tree.set_current_shot(8)


def test_events_carry_the_shot(server: ReplayServer, tree: TdiTree) -> None:
    tree.raise_event("INIT_A_DONE", 258)
    assert server.requests[1:] == [("setevent($,$)", "INIT_A_DONE", b"\x02\x01\x00\x00")]


# Executing


@pytest.mark.parametrize(
    ("name", "ok", "code", "text"),
    [
        ("INIT_A", True, 1, "%SS-S-SUCCESS, Success"),
        ("INIT_C", True, 65545, "%MDSPLUS-S-SUCCESS, Success"),
        ("STORE_B", True, 265389633, "%TREE-S-SUCCESS, Operation successful"),
        # These are raised.
        ("BADTYPE", False, 265519210, "%TDI-E-INVDTYDSC, Storage data type is not valid"),
        ("FAIL", False, 265519154, "%TDI-E-ABORT, Program requested abort"),
        # These come back as values.
        ("PROGRAM", False, 65554, "%MDSPLUS-E-ERROR, Error"),
        ("FAIL_PY", False, 662480186, "%PY-E-UNHANDLED_EXCEPTION, Python device raised an"),
    ],
)
def test_both_channels_by_which_a_task_ends(
    server: ReplayServer, name: str, *, ok: bool, code: int, text: str
) -> None:
    connection = mdsip_connection(server.url)
    outcome = connection.execute(attempt(name))
    connection.close()
    assert (outcome.ok, outcome.code) == (ok, code)
    assert text in outcome.text


def test_the_status_of_a_facility_without_a_name_is_asked_of_the_server(
    server: ReplayServer,
) -> None:
    connection = mdsip_connection(server.url)
    assert connection.status_text(65554) == "%MDSPLUS-E-ERROR, Error"
    assert connection.status_text(123456) == "MDSplus status 123456"
    connection.close()


def test_the_tree_is_opened_again_when_the_shot_changes(server: ReplayServer) -> None:
    connection = mdsip_connection(server.url)
    for shot in (1, 1, 7):
        assert connection.execute(attempt("INIT_D", shot)).ok
        assert server.trees == [f"TEST/{shot}"]
    connection.close()
    assert server.unrecorded == []


def test_no_server_is_a_failure_that_says_it_never_started(server: ReplayServer) -> None:
    server.stop()
    outcome = mdsip_connection(server.url).execute(attempt("INIT_A"))
    assert not outcome.ok
    assert outcome.text.startswith("was not started: cannot connect to the mdsip server at")


def test_time_limit_and_keep_alive_are_those_of_the_configuration(server: ReplayServer) -> None:
    connection = MdsipConnection(
        server.url, connect_timeout_s=7.0, answer_timeout_s=None, keep_alive_s=23
    )
    connection.connect()
    carrier = connection._connection._socket  # type: ignore[union-attr]
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
        assert carrier.getsockopt(socket.IPPROTO_TCP, option) == 23
    assert carrier.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert carrier.gettimeout() is None
    connection.close()
    command = keeper_command("mds:8000", Path("address"), 7.0, 23)
    assert command[-4:] == ["mds:8000", "address", "7.0", "23"]


def test_a_server_that_refuses_us() -> None:
    with ReplayServer(refuse_login=True) as server:
        outcome = mdsip_connection(server.url).execute(attempt("INIT_A"))
    assert not outcome.ok
    assert "Failed to login" in outcome.text


@pytest.mark.parametrize("fault", ["drop_at", "truncate_at"])
def test_a_line_that_breaks_in_mid_action_leaves_the_outcome_unknown(fault: str) -> None:
    """The third request is the task; nobody runs it a second time."""
    with ReplayServer(**{fault: 3}) as server:  # type: ignore[arg-type]
        connection = mdsip_connection(server.url)
        with pytest.raises(ConnectionLost, match="was lost"):
            connection.execute(attempt("INIT_A"))
        assert len(server.asked("do_task")) == 1
        assert connection.execute(attempt("INIT_C")).ok
        connection.close()
        assert server.logins == 2


def test_a_server_that_dies_in_mid_action(server: ReplayServer) -> None:
    server.hold = "do_task"
    connection = mdsip_connection(server.url)
    seen: list[str] = []

    def execute() -> None:
        try:
            connection.execute(attempt("SLEEP"))
        except ConnectionLost as error:
            seen.append(str(error))

    running = threading.Thread(target=execute)
    running.start()
    assert server.held.wait(20)
    server.stop()
    running.join(20)
    assert len(seen) == 1
    server.release.set()
    server.start()
    assert connection.execute(attempt("INIT_A")).ok
    connection.close()


def idle(server: ReplayServer, fault: str) -> None:
    """Let a connection die while it is idle: its server ends, or says nothing at the next use."""
    if fault == "restart":
        server.stop()
        server.start()
    else:
        server.drop_at = len(server.requests) + 1


FAULTS = ("restart", "drop")
OPERATIONS: dict[str, Callable[[TdiTree], object]] = {
    "actions": lambda tree: tree.actions(1),
    "action": lambda tree: tree.action(1, "FAIL"),
    "phases": lambda tree: tree.phases(1),
    "create_pulse": lambda tree: tree.create_pulse(7, replace=True),
    "raise_event": lambda tree: tree.raise_event("INIT_A_DONE", 1),
    "current_shot": lambda tree: tree.current_shot(),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_connection_that_died_while_it_was_idle_costs_nothing(
    server: ReplayServer, tree: TdiTree, name: str, fault: str
) -> None:
    tree.phases(1)
    idle(server, fault)
    OPERATIONS[name](tree)
    assert server.logins == 2
    assert server.unrecorded == []
    assert len(server.asked("setevent")) == (name == "raise_event")
    assert len(server.asked("tcl(")) == (name == "create_pulse")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_task_on_a_connection_that_died_while_it_was_idle(
    server: ReplayServer, fault: str
) -> None:
    connection = mdsip_connection(server.url)
    assert connection.execute(attempt("INIT_A")).ok
    idle(server, fault)
    assert connection.execute(attempt("INIT_B")).ok
    connection.close()
    assert len(server.asked("do_task")) == 2
    assert server.logins == 2


def test_an_event_that_may_have_been_raised_is_not_raised_again(
    server: ReplayServer, tree: TdiTree
) -> None:
    tree.phases(1)
    server.drop_at = len(server.requests) + 2  # after the connection was found to be alive
    with pytest.raises(ConnectionLost):
        tree.raise_event("INIT_A_DONE", 1)
    assert len(server.asked("setevent")) == 1


def test_a_server_that_does_not_answer_while_a_table_is_read() -> None:
    with ReplayServer(hold="PARENT_STATE") as server:
        tree = mdsip_tree(MdsipSource(url=server.url, read_timeout_s=0.2))
        with pytest.raises(ConnectionLost, match="timed out"):
            tree.actions(1)
        server.release.set()
        # The late answer must not be taken for the next one.
        assert mdsip_tree(MdsipSource(url=server.url)).action(1, "FAIL").essential
        assert len(tree.actions(1)) == len(EXPECTED)
        tree.close()


def test_tables_may_be_read_from_a_server_of_their_own(server: ReplayServer) -> None:
    tree = mdsip_tree(MdsipSource(url="tasks:8000", tree_url=server.url))
    [task] = {node.task.url for node in tree.actions(1) if isinstance(node.task, MdsplusTask)}
    assert task == "tasks:8000"
    tree.close()


def test_open_tree_makes_the_adapter(server: ReplayServer) -> None:
    tree = open_tree("test", MdsipSource(url=server.url))
    assert len(tree.actions(1)) == len(EXPECTED)
    tree.close()
