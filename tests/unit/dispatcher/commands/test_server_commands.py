"""The commands to servers, on the dispatcher's machine: D17, and aborts of servers (D9)."""

import pytest
from tests.support.dispatching import KEY, Bench, result
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.command import Command
from shotline.common.messages import (
    AbortAttempt,
    CommandServer,
    EndedBy,
    Goodbye,
    Held,
    HeldAs,
    LivenessState,
    Outcome,
    Reply,
    ServerOrder,
)
from shotline.common.nodes import ActionNode
from shotline.common.records import RunEnded, ShotKey
from shotline.dispatcher.effects import Say
from shotline.dispatcher.journal import HistoryLost

INIT = c.DoPhase(phase="INIT")
U = ShotKey("U", 7)


def bench_of(*servers: str, nodes: tuple[ActionNode, ...] = ()) -> Bench:
    """FIRST and SECOND of class SRV_A, one after the other, AFTER of SRV_B; these servers."""
    default = (action("FIRST", 1), action("SECOND", 2), action("AFTER", "SECOND", "SRV_B"))
    bench = Bench(*(nodes or default))
    for name in (*servers, "SRV_B:1"):
        bench.register(name)
    return bench.build()


def orders(bench: Bench) -> list[tuple[str, ServerOrder]]:
    return [(name, one.order) for name, one in bench.sent if isinstance(one, CommandServer)]


def aborts(bench: Bench) -> list[tuple[str, str, int]]:
    return [
        (name, one.attempt.path, one.attempt.number)
        for name, one in bench.sent
        if isinstance(one, AbortAttempt)
    ]


def view(bench: Bench, name: str) -> bool:
    """Whether a server is shown as draining."""
    [server] = [one for one in bench.servers() if one.server == name]
    return server.draining


def refused(reply: Reply | None) -> str:
    assert reply is not None
    assert reply.outcome is Outcome.REFUSED, reply
    return reply.message


def test_a_server_that_is_not_there_gets_no_command() -> None:
    bench = bench_of("SRV_A:1")
    for command in (
        c.ServerStop(server="SRV_X"),
        c.ServerQuit(server="SRV_A:9"),
        c.ServerRestart(server="SRV_X:1"),
        c.ServerAbort(server="SRV_X"),
        c.Abort(server="SRV_X"),
    ):
        assert "SRV_A:1" in refused(bench.ask(command)), "the known ones are named"
    bench.judge("SRV_A:1", LivenessState.LOST)
    assert "no live server" in refused(bench.ask(c.ServerQuit(server="SRV_A:1")))


def test_a_stopped_server_gets_no_work_while_another_takes_it() -> None:
    bench = bench_of("SRV_A:1", "SRV_A:2")
    bench.told(INIT)
    name, other = bench.server_of("FIRST"), "SRV_A:2"
    if name == other:
        other = "SRV_A:1"
    reply = bench.told(c.ServerStop(server=name))
    assert reply.notices == ("it runs: FIRST",)
    assert view(bench, name)
    assert orders(bench) == [], "what it runs ends first"
    bench.finish("FIRST")
    assert orders(bench) == [(name, ServerOrder.QUIT)]
    assert bench.server_of("SECOND") == other


def test_a_stopped_server_that_is_alone_finishes_the_open_runs_first() -> None:
    bench = bench_of("SRV_A:1")
    bench.told(INIT)
    bench.told(c.ServerStop(server="SRV_A:1"))
    bench.finish("FIRST")
    assert bench.dispatched() == ["FIRST", "SECOND"]
    assert orders(bench) == []
    bench.finish("SECOND")
    assert orders(bench) == [("SRV_A:1", ServerOrder.QUIT)]
    bench.finish("AFTER")
    assert len(bench.records(RunEnded)) == 1


def test_an_idle_server_that_is_stopped_ends_at_once() -> None:
    bench = bench_of("SRV_A:1")
    bench.told(c.ServerStop(server="SRV_A"))
    assert orders(bench) == [("SRV_A:1", ServerOrder.QUIT)]
    bench.told(INIT)
    assert bench.dispatched() == []
    bench.pass_time(6.0)
    assert bench.states()["FIRST"] == "no_server", "a leaving server is none (D6)"


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (c.ServerStop(server="SRV_A"), "server_stop was asked for"),
        (c.ServerQuit(server="SRV_A"), "server_quit was asked for by an operator"),
        (c.ServerRestart(server="SRV_A"), "server_restart was asked for by an operator"),
    ],
)
def test_a_server_is_told_which_command_it_leaves_by(command: Command, asked: str) -> None:
    bench = bench_of("SRV_A:1")
    bench.told(command)
    assert [one.reason for _, one in bench.sent if isinstance(one, CommandServer)] == [asked]


def test_a_whole_class_that_is_stopped_still_finishes_its_work() -> None:
    bench = bench_of("SRV_A:1", "SRV_A:2")
    bench.told(INIT)
    bench.told(c.ServerStop(server="SRV_A"))
    bench.finish("FIRST")
    bench.finish("SECOND")
    assert sorted(orders(bench)) == [("SRV_A:1", ServerOrder.QUIT), ("SRV_A:2", ServerOrder.QUIT)]
    assert bench.states()["SECOND"] == "Success"


def test_a_quit_server_ends_at_once_and_what_it_ran_is_aborted() -> None:
    bench = bench_of("SRV_A:1")
    bench.told(INIT)
    bench.start("FIRST")
    reply = bench.told(c.ServerQuit(server="SRV_A:1"))
    assert "what it runs is aborted" in reply.message
    assert reply.notices == ("it runs: FIRST",)
    assert orders(bench) == [("SRV_A:1", ServerOrder.QUIT)]
    bench.from_server("SRV_A:1", result(bench.attempt("FIRST"), ended_by=EndedBy.ABORT))
    assert bench.states()["FIRST"] == "operator"
    assert bench.dispatched() == ["FIRST"], "it gets nothing more"
    bench.judge("SRV_A:1", LivenessState.LOST, "goodbye")
    bench.pass_time(6.0)
    assert bench.states()["SECOND"] == "no_server"


def test_a_restart_says_what_it_ends_and_what_it_removes() -> None:
    bench = bench_of("SRV_A:1")
    bench.told(INIT)
    reply = bench.told(c.ServerRestart(server="SRV_A:1"))
    assert reply.notices == ("it runs: FIRST", "removed, as it is alone: SECOND")
    assert bench.states()["SECOND"] == "aborted_before_sent"
    assert orders(bench) == [("SRV_A:1", ServerOrder.RESTART)]
    bench.from_server("SRV_A:1", result(bench.attempt("FIRST"), ended_by=EndedBy.ABORT))
    bench.register("SRV_A:1", incarnation="two")
    assert not view(bench, "SRV_A:1")
    bench.told(INIT)
    assert bench.dispatched() == ["FIRST", "FIRST"]


def restarted(bench: Bench) -> list[str]:
    return [name for name, order in orders(bench) if order is ServerOrder.RESTART]


def test_the_servers_of_a_class_restart_one_after_the_other_and_nothing_is_removed() -> None:
    nodes = (action("FIRST", 1), action("BESIDE", 1), action("SECOND", 2))
    bench = bench_of("SRV_A:1", "SRV_A:2", "SRV_A:3", nodes=nodes)
    bench.told(INIT)
    assert (bench.server_of("FIRST"), bench.server_of("BESIDE")) == ("SRV_A:1", "SRV_A:2")
    reply = bench.told(c.ServerRestart(server="SRV_A"))
    assert reply.message.startswith("SRV_A:1, SRV_A:2, SRV_A:3 restart one after the other")
    assert reply.notices == ("it runs: FIRST, BESIDE",)
    assert restarted(bench) == ["SRV_A:1"]
    bench.from_server("SRV_A:1", result(bench.attempt("FIRST"), ended_by=EndedBy.ABORT))
    bench.judge("SRV_A:1", LivenessState.LOST, "goodbye")
    bench.finish("BESIDE")
    bench.pass_time(10.0)
    assert restarted(bench) == ["SRV_A:1"], "it is not back"
    assert bench.states()["SECOND"] == "NOT_DISPATCHED", "the others would end it in their turn"
    bench.register("SRV_A:1", incarnation="two")
    assert restarted(bench) == ["SRV_A:1", "SRV_A:2"]
    assert bench.server_of("SECOND") == "SRV_A:1"
    bench.register("SRV_A:2", incarnation="two")
    bench.register("SRV_A:3", incarnation="two")
    assert restarted(bench) == ["SRV_A:1", "SRV_A:2", "SRV_A:3"]
    bench.pass_time(60.0)
    assert restarted(bench) == ["SRV_A:1", "SRV_A:2", "SRV_A:3"]
    assert bench.states()["SECOND"] == "DISPATCHED"
    assert not any(view(bench, f"SRV_A:{at}") for at in (1, 2, 3))


def test_where_a_restarted_server_does_not_come_back_the_others_are_left_at_work() -> None:
    bench = bench_of("SRV_A:1", "SRV_A:2")
    bench.told(c.ServerRestart(server="SRV_A"))
    bench.judge("SRV_A:1", LivenessState.LOST, "goodbye")
    bench.told(INIT)
    assert bench.dispatched() == []
    bench.pass_time(31.0)
    assert restarted(bench) == ["SRV_A:1"]
    assert not view(bench, "SRV_A:2")
    assert bench.server_of("FIRST") == "SRV_A:2"
    said = [effect.text for effect in bench.left if isinstance(effect, Say)]
    assert any("SRV_A:1 has not come back" in text and "SRV_A:2" in text for text in said)
    bench.register("SRV_A:1", incarnation="two")
    assert restarted(bench) == ["SRV_A:1"]


def test_a_lost_server_that_returns_is_not_restarted_late() -> None:
    bench = bench_of("SRV_A:1", "SRV_A:2")
    bench.told(c.ServerRestart(server="SRV_A"))
    bench.judge("SRV_A:2", LivenessState.LOST)
    bench.register("SRV_A:1", incarnation="two")
    bench.register("SRV_A:2", epoch=2)
    assert restarted(bench) == ["SRV_A:1"]


def test_a_restart_that_did_not_arrive_is_reported_and_the_next_one_goes_on() -> None:
    bench = bench_of("SRV_A:1", "SRV_A:2")
    bench.told(c.ServerRestart(server="SRV_A"))
    bench.undeliverable("SRV_A:1", next(m for _, m in bench.sent if isinstance(m, CommandServer)))
    assert restarted(bench) == ["SRV_A:1", "SRV_A:2"]
    said = [effect.text for effect in bench.left if isinstance(effect, Say)]
    assert any("server_restart did not reach SRV_A:1" in text for text in said)


def test_a_dispatcher_goes_on_with_what_servers_were_told_before_it() -> None:
    bench = bench_of("SRV_A:1", "SRV_A:2")
    bench.told(INIT)
    bench.start("FIRST")
    name = bench.server_of("FIRST")
    held = Held(attempt=bench.attempt("FIRST"), held_as=HeldAs.RUNNING)
    bench.told(c.ServerStop(server=name))
    again = bench.restart()
    other = "SRV_A:1" if name == "SRV_A:2" else "SRV_A:2"
    again.register(other, epoch=2).register("SRV_B:1", epoch=2)
    again.register(name, epoch=2, holding=[held]).recover()
    assert view(again, name)
    assert orders(again) == [], "what it runs ends first"
    again.finish("FIRST")
    assert orders(again) == [(name, ServerOrder.QUIT)]
    assert again.server_of("SECOND") == other
    later = again.restart()
    later.register(name, incarnation="two").recover()
    assert not view(later, name), "a new life was not told to stop"


def test_a_dispatcher_restarts_the_rest_of_a_class_that_one_before_it_began_to() -> None:
    bench = bench_of("SRV_A:1", "SRV_A:2")
    bench.told(c.ServerRestart(server="SRV_A"))
    again = bench.restart()
    again.register("SRV_A:1", incarnation="two").register("SRV_A:2", epoch=2)
    assert restarted(again) == [], "nothing before the reports are in"
    again.recover()
    assert restarted(again) == ["SRV_A:2"]


def test_a_stopped_server_stays_stopped_when_redis_has_lost_its_history() -> None:
    bench = bench_of("SRV_A:1", "SRV_A:2")
    bench.told(INIT)
    bench.start("FIRST")
    name = bench.server_of("FIRST")
    held = Held(attempt=bench.attempt("FIRST"), held_as=HeldAs.RUNNING)
    bench.told(c.ServerStop(server=name))
    bench.store.servers.clear()
    bench.handle(HistoryLost("all was gone"))
    again = bench.restart().register(name, epoch=2, holding=[held])
    assert view(again, name)


def test_a_restart_of_one_of_two_removes_nothing() -> None:
    bench = bench_of("SRV_A:1", "SRV_A:2")
    bench.told(INIT)
    name = bench.server_of("FIRST")
    reply = bench.told(c.ServerRestart(server=name))
    assert reply.notices == ("it runs: FIRST",)
    assert bench.states()["SECOND"] == "NOT_DISPATCHED"
    bench.from_server(name, result(bench.attempt("FIRST"), ended_by=EndedBy.ABORT))
    assert bench.server_of("SECOND") != name


def test_a_command_that_did_not_reach_its_server_leaves_it_at_work() -> None:
    bench = bench_of("SRV_A:1")
    bench.told(c.ServerRestart(server="SRV_A:1"))
    command = next(one for _, one in bench.sent if isinstance(one, CommandServer))
    bench.undeliverable("SRV_A:1", command)
    bench.told(INIT)
    assert bench.dispatched() == [], "until it is heard of"
    bench.beat("SRV_A:1")
    assert bench.dispatched() == ["FIRST"]
    bench.finish("FIRST")
    bench.pass_time(10.0)
    assert bench.states()["SECOND"] == "DISPATCHED"


def test_server_abort_ends_what_a_class_runs_or_one_action_of_it() -> None:
    nodes = (action("FIRST", 1), action("BESIDE", 1), action("OTHER", 1, "SRV_B"))
    bench = bench_of("SRV_A:1", "SRV_A:2", nodes=nodes)
    assert "nothing was changed" in bench.told(c.ServerAbort(server="SRV_A")).message
    bench.told(INIT)
    assert bench.told(c.ServerAbort(server="SRV_A", path="BESIDE")).message == "aborting BESIDE"
    assert [path for _, path, _ in aborts(bench)] == ["BESIDE"]
    assert "nothing" in bench.told(c.ServerAbort(server="SRV_A", path="OTHER")).message
    assert bench.told(c.Abort(server="SRV_A")).outcome is Outcome.OK
    assert {path for _, path, _ in aborts(bench)} == {"FIRST", "BESIDE"}
    assert not bench.live("OTHER").aborting


def test_server_abort_finds_its_action_among_several_experiments() -> None:
    bench = bench_of("SRV_A:1")
    bench.told(INIT)
    bench.nodes = (action("ELSE", 1, "SRV_B"),)
    bench.build(U)
    bench.told(c.DoPhase(phase="INIT", tree="U", shot=7))
    assert bench.told(c.ServerAbort(server="SRV_B", path="ELSE")).message == "aborting ELSE"
    bench.told(c.ServerAbort(server="SRV_A", path="FIRST"))
    assert [path for _, path, _ in aborts(bench)] == ["ELSE", "FIRST"]


def test_server_abort_leaves_the_next_attempt_on_another_server_alone() -> None:
    bench = bench_of("SRV_A:1")
    bench.told(INIT)
    bench.start("FIRST")
    ghost = bench.attempt("FIRST", 1)
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.register("SRV_A:2")
    bench.finish("SECOND")
    bench.told(c.DispatchAction(path="FIRST", even_if_running=True))
    assert bench.server_of("FIRST") == "SRV_A:2"
    bench.register("SRV_A:1", epoch=2, holding=[Held(attempt=ghost, held_as=HeldAs.RUNNING)])
    bench.told(c.ServerAbort(server="SRV_A:1"))
    assert ("SRV_A:2", "FIRST", 2) not in aborts(bench)
    assert not bench.live("FIRST").aborting
    assert bench.attempt("FIRST") == (*KEY, "FIRST", 2)


def test_a_server_that_says_goodbye_is_no_problem_of_its_class() -> None:
    bench = bench_of("SRV_A:1", "SRV_A:2")
    bench.told(INIT)
    idle = "SRV_A:2" if bench.server_of("FIRST") == "SRV_A:1" else "SRV_A:1"
    bench.from_server(idle, Goodbye(why="ends"))
    bench.judge(idle, LivenessState.LOST, "goodbye")
    assert bench.states()["FIRST"] == "DISPATCHED"
    bench.finish("FIRST", "SECOND", "AFTER")
    assert bench.records(RunEnded)[0].counts.success == 3
