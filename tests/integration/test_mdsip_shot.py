"""The recorded TEST tree as a shot: real daemons, and an mdsip server as slow as the real tasks."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.adapters import KINDS, tree_source
from tests.support.mdsip.replay import ReplayServer
from tests.support.stack import Stack, eventually

from shotline.client.errors import RunAborted
from shotline.client.report import Report
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.base import as_plain
from shotline.common.views import ActionView, StatusResult

TREE, SHOT = "TEST", 1
Ending = tuple[ActionState, Status | None, Cause | None]

GOOD: Ending = (ActionState.DONE, Status.SUCCESS, Cause.RESULT)
BAD: Ending = (ActionState.DONE, Status.FAILURE, Cause.RESULT)
LATE: Ending = (ActionState.DONE, Status.FAILURE, Cause.TIMEOUT)


def never(cause: Cause) -> Ending:
    return (ActionState.NOT_DISPATCHED, None, cause)


INIT: dict[str, Ending] = {
    **dict.fromkeys(("INIT_A", "INIT_B", "INIT_C", "INIT_D", "DEV:INIT_ACTION"), GOOD),
    **dict.fromkeys(("FAIL", "FAIL_PY"), BAD),
    **dict.fromkeys(("COND_AND", "COND_OR", "COND_NOT"), GOOD),
    "COND_AFTFAIL": never(Cause.CONDITION_FALSE),
    "COND_CHAIN": never(Cause.CONDITION_FALSE),
    "DEP_LATE": never(Cause.CANNOT_HAPPEN),
}
STORE: dict[str, Ending] = {
    **dict.fromkeys(("STORE_A", "STORE_B", "SLEEP", "ROUTINE", "NUM_PHASE", "XPHASE"), GOOD),
    **dict.fromkeys(("PROGRAM", "BADTYPE"), BAD),
    **dict.fromkeys(("TIMEOUT", "RTIMEOUT"), LATE),
    "ASYNC": never(Cause.ASYNCHRONOUS),
    "OFF_ACTION": never(Cause.OFF),
    "DEP_OFF": never(Cause.CANNOT_HAPPEN),
}


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer(pace=1.0) as running:
        yield running


def endings(report: Report) -> dict[str, Ending]:
    return {
        action.name: (action.last.state, action.last.status, action.last.cause)
        for action in report.actions
    }


def reason(report: Report, name: str) -> str:
    return report.action(name).last.reason


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_init_and_store_of_the_recorded_tree(kind: str, tmp_path: Path) -> None:
    """The same actions end in the same way, whichever way leads to them."""
    with tree_source(kind, tmp_path, pace=1.0) as source:
        experiment = {"source": as_plain(source)}
        stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {TREE: experiment})
        with stack, stack.supervisor() as shotline:
            if kind == "file":
                shotline.create_pulse(TREE, SHOT)
            table = shotline.build_tables(TREE, SHOT)
            assert {action.name for action in table.actions} == {*INIT, *STORE}
            assert [action.name for action in table.actions if action.unreadable] == []

            init = shotline.do_phase("INIT", TREE, SHOT)
            assert endings(init) == INIT
            store = shotline.do_phase("STORE", TREE, SHOT)
            assert endings(store) == STORE
            codes = {name: init.action(name).last.code for name in ("INIT_A", "FAIL")}
            codes |= {name: store.action(name).last.code for name in ("STORE_B", "BADTYPE")}
            if kind == "file":
                assert reason(init, "FAIL_PY") == "ValueError: no gas"
                codes["INIT_A"] = 1  # a program's exit code is 0
            else:
                assert "%TDI-E-ABORT" in reason(init, "FAIL")
                assert "%PY-E-UNHANDLED_EXCEPTION" in reason(init, "FAIL_PY")
                assert "%TDI-E-INVDTYDSC" in reason(store, "BADTYPE")
            assert codes == {
                "INIT_A": 1,
                "FAIL": 265519154,
                "STORE_B": 265389633,
                "BADTYPE": 265519210,
            }
            [line] = [line.text for line in shotline.logs("STORE_A", TREE, SHOT).lines]
            if kind.startswith("mdsip"):
                assert line.startswith("[runs on the mdsip server at 127.0.0.1:")
                assert line.endswith("; its output is in that server's log]")
            else:
                assert line == "STORE_A program on fd1"


def test_no_action_of_the_recorded_tree_is_started_twice(
    server: ReplayServer, tmp_path: Path
) -> None:
    experiment = {"source": {"kind": "mdsip", "url": server.url}}
    stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {TREE: experiment})
    with stack, stack.supervisor() as shotline:
        shotline.build_tables(TREE, SHOT)
        shotline.do_phase("INIT", TREE, SHOT)
    asked = [request[1] for request in server.asked("do_task")]
    assert len(asked) == len(set(asked))


def test_a_line_that_breaks_in_mid_action(tmp_path: Path) -> None:
    with ReplayServer(hold="do_task(build_path($))") as server:
        experiment = {"source": {"kind": "mdsip", "url": server.url}}
        stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {TREE: experiment})
        with stack, stack.supervisor() as shotline:
            shotline.build_tables(TREE, SHOT)
            shotline.do_phase("INIT", TREE, SHOT, wait=False)
            assert server.held.wait(60)
            server.stop()
            server.hold = None
            server.start()
            report = shotline.wait(TREE, SHOT, 1)
        lost = [action for action in report.actions if action.last.cause is Cause.SERVER_LOST]
        assert lost
        for action in lost:
            _is_lost(action)


def test_an_event_is_raised_though_the_server_was_restarted_and_shown_when_it_was_not(
    server: ReplayServer, tmp_path: Path
) -> None:
    with ReplayServer() as trees:
        source = {"kind": "mdsip", "url": server.url, "tree_url": trees.url}
        stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {TREE: {"source": source}})
        with stack, stack.supervisor() as shotline:

            def story() -> str:
                return " ".join(command_line(stack, "show", "INIT_A", TREE, str(SHOT))[1].split())

            shotline.build_tables(TREE, SHOT)
            trees.stop()
            trees.start()
            shotline.do_phase("INIT", TREE, SHOT)
            eventually(lambda: "INIT_A_DONE raised" in story(), story)

            trees.stop()
            shotline.do_phase("INIT", TREE, SHOT)
            words = "event INIT_A_DONE was not raised: cannot connect to the mdsip server at "

            def says_so() -> bool:
                [action] = [a for a in shotline.actions(TREE, SHOT).actions if a.name == "INIT_A"]
                return action.event_trouble.startswith(words)

            eventually(says_so, lambda: "the event's failure is not shown")
            assert story().count(words) == 3  # in its row, among its facts, in its story
            log = stack.dispatcher.log_file.read_text()
            [line] = [line for line in log.splitlines() if words in line and "ERROR" in line]
            assert f"{TREE}/{SHOT}: INIT_A: " in line


def test_two_shots_on_one_mdsip_server_and_what_an_abort_leaves_running(tmp_path: Path) -> None:
    with ReplayServer(hold="do_task(build_path($))") as server:
        experiment = {"source": {"kind": "mdsip", "url": server.url}}
        stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {TREE: experiment})
        with stack, stack.supervisor() as shotline:
            for shot in (SHOT, 7):
                shotline.build_tables(TREE, shot)
            shotline.do_phase("INIT", TREE, SHOT, wait=False)
            stack.wait_until(lambda _: len(server.asked("do_task")) == 2)  # of both classes
            shotline.do_phase("INIT", TREE, 7, wait=False)

            def waits(status: StatusResult) -> bool:
                pending = shotline.pending().actions
                return any(
                    f"{server.url}, which works for TEST/1" in one.waits_for for one in pending
                )

            stack.wait_until(waits)
            shotline.abort(TREE, SHOT)
            with pytest.raises(RunAborted):
                shotline.wait(TREE, SHOT, 1)
            first = shotline.actions(TREE, SHOT).actions
            ended = [one for one in first if one.last.cause is Cause.OPERATOR]
            assert ended
            assert all(one.last.outcome_unknown for one in ended)
            stack.wait_until(lambda status: any("ended by us" in b for b in bound(status)))
            assert {request[1] for request in server.asked("TreeOpen")} == {TREE}
            assert {request[2] for request in server.asked("TreeOpen")} == {SHOT, 7}

            server.release.set()
            second = shotline.wait(TREE, 7, 1)
            assert endings(second) == INIT
            stack.wait_until(lambda status: not bound(status))
            known = {one.path: one.last for one in shotline.actions(TREE, SHOT).actions}
            for one in ended:
                assert known[one.path].state is ActionState.ABORTED
                assert not known[one.path].outcome_unknown
                assert "it has ended there meanwhile" in known[one.path].reason


def test_a_url_is_cleared_after_its_line_broke(tmp_path: Path) -> None:
    with ReplayServer(hold="do_task(build_path($))") as server:
        experiment = {"source": {"kind": "mdsip", "url": server.url}}
        stack = Stack(tmp_path, ("SRV_A:1", "SRV_B:1"), {TREE: experiment})
        with stack, stack.supervisor() as shotline:
            for shot in (SHOT, 7):
                shotline.build_tables(TREE, shot)
            shotline.do_phase("INIT", TREE, SHOT, wait=False)
            assert server.held.wait(60)
            server.stop()
            server.hold = None
            server.start()
            shotline.wait(TREE, SHOT, 1)
            stack.wait_until(lambda status: any("lost with" in text for text in bound(status)))
            shotline.do_phase("INIT", TREE, 7, wait=False)
            assert {request[2] for request in server.asked("TreeOpen")} == {SHOT, 7}
            answer = shotline.clear_url(server.url)
            assert "is free for any shot" in answer.message
            assert endings(shotline.wait(TREE, 7, 1)) == INIT
            stack.wait_until(lambda status: not bound(status))


def test_the_recorded_tree_is_shown_and_checked(server: ReplayServer, tmp_path: Path) -> None:
    experiment = {"source": {"kind": "mdsip", "url": server.url}}
    stack = Stack(tmp_path, ("SRV_A:1",), {TREE: experiment})
    with stack, stack.supervisor() as shotline:
        result = shotline.tree(TREE, SHOT)
        assert {node.name for node in result.actions} == {*INIT, *STORE}
        assert [(problem.severity, problem.text) for problem in result.problems] == [
            ("error", "server class SRV_B has no server, neither configured nor registered"),
            ("warning", "its condition refers to \\TEST::TOP:OFF_ACTION, which is off"),
        ]
        assert shotline.status().shots == ()

        code, shown = command_line(stack, "tree", "TEST/1")
        assert code == 0
        assert "when not FAIL" in shown
        code, shown = command_line(stack, "tree", "TEST", "1", "--check", "--json")
        assert code == 2
        assert len(json.loads(shown)["result"]["actions"]) == len(INIT) + len(STORE)

        assert shotline.current(TREE).shot == 7
        shotline.tree(TREE, -1)  # the recording has the next request with this tree on top
        assert shotline.current(TREE, 7).shot == 7


def command_line(stack: Stack, *words: str) -> tuple[int, str]:
    broker = stack.config.broker.clients
    command = [sys.executable, "-m", "shotline.client.cli", "--broker", broker, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout


def bound(status: StatusResult) -> list[str]:
    return [text for server in status.servers for text in server.bound]


def _is_lost(action: ActionView) -> None:
    assert action.last.state is ActionState.ABORTED
    assert action.last.outcome_unknown
    assert "mdsip" in action.last.reason
