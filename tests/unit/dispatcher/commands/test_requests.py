"""Commands are answered once, and again for a repeat (D15); what comes while recovering waits."""

import json

import pytest
from tests.support.dispatching import CLIENT, KEY, Bench, report_of, view_of
from tests.support.tables import action

from shotline.client.testing.dispatcher import BROKER_AHEAD_S
from shotline.common import commands as c
from shotline.common.actions import AttemptId
from shotline.common.messages import Held, HeldAs, Outcome, Request
from shotline.common.records import Audited, CommandDone, PulseCreated, RunEnded, RunOpened
from shotline.common.views import ActionsResult
from shotline.dispatcher import effects as d
from shotline.dispatcher.commands.requests import ACCEPT_S

INIT = c.DoPhase(phase="INIT")
WAITING = c.DoPhase(phase="INIT", wait=True)
ID = "do-phase-1"


def small() -> Bench:
    return Bench(action("ONE", 1), action("TWO", 2)).register("SRV_A:1").build()


def large() -> Bench:
    """A table whose reports are too large to be kept with every answer."""
    nodes = [action(f"A{number:03}", 1) for number in range(100)]
    return Bench(*nodes).register("SRV_A:1", slots=100).build()


def test_a_repeated_command_gets_the_same_answer_and_is_done_once() -> None:
    bench = small()
    first = bench.told(c.CreatePulse(tree="T", shot=2), "create-0001")
    again = bench.told(c.CreatePulse(tree="T", shot=2), "create-0001")
    assert again == first
    assert len(bench.records(PulseCreated, KEY._replace(shot=2))) == 1
    assert bench.told(c.Abort(), "abort-0001") == bench.told(c.Abort(), "abort-0001")
    refused = bench.told(c.DoPhase(phase="NOSUCH"), "refused-01")
    assert refused.outcome is Outcome.REFUSED
    assert bench.told(c.DoPhase(phase="NOSUCH"), "refused-01") == refused


def test_a_repeated_command_waits_for_the_run_that_it_began() -> None:
    bench = small()
    bench.told(WAITING, ID)
    bench.ask(WAITING, ID, client=b"client/2")
    assert len(bench.records(RunOpened)) == 1
    bench.finish("ONE", "TWO")
    left = [effect for effect in bench.left if isinstance(effect, d.ToPeer)]
    finals = [
        effect.target
        for effect in left
        for message in effect.messages
        if getattr(message, "id", "") == ID and getattr(message, "outcome", "") is Outcome.OK
    ]
    assert finals == [b"client/2"], "the answer goes to who asked last"
    assert bench.told(WAITING, ID) == bench.replies_to(ID)[-2]


def test_a_repeat_after_a_restart_is_attached_to_its_run() -> None:
    bench = small()
    bench.told(WAITING, ID)
    held = Held(attempt=bench.attempt("ONE"), held_as=HeldAs.RUNNING)
    bench = bench.restart().register("SRV_A:1", epoch=2, holding=[held])
    assert bench.ask(WAITING, ID) is None
    bench.recover()
    assert len(bench.records(RunOpened)) == 1
    bench.pass_time(2 * ACCEPT_S)
    assert bench.replies_to(ID)[-1].outcome is Outcome.ACCEPTED
    bench.finish("ONE", "TWO")
    assert bench.replies_to(ID)[-1].outcome is Outcome.OK


def test_a_repeat_after_a_restart_tells_the_end_that_nobody_heard() -> None:
    bench = small()
    bench.told(WAITING, ID)
    held = Held(attempt=bench.attempt("ONE"), held_as=HeldAs.RUNNING)
    bench = bench.restart().register("SRV_A:1", epoch=2, holding=[held]).recover()
    bench.finish("ONE", "TWO")  # nobody waits in this life of the dispatcher
    reply = bench.told(WAITING, ID)
    assert reply.outcome is Outcome.OK
    assert report_of(reply).run.run == 1
    assert len(bench.records(RunOpened)) == 1
    again = bench.restart(recover=True).told(WAITING, ID)
    assert again == reply


def test_a_repeated_redispatch_is_one_attempt_also_after_a_restart() -> None:
    command = c.DispatchAction(path="ONE", wait=True)
    bench = small()
    bench.told(command, "dispatch-1")
    held = Held(attempt=bench.attempt("ONE"), held_as=HeldAs.RUNNING)
    bench = bench.restart().register("SRV_A:1", epoch=2, holding=[held]).recover()
    bench.finish("ONE")
    reply = bench.told(command, "dispatch-1")
    assert reply.outcome is Outcome.OK
    assert bench.attempt("ONE").number == 1


def test_a_repeated_redispatch_within_a_run_is_one_attempt_after_a_restart() -> None:
    command = c.DispatchAction(path="ONE", wait=True)
    bench = small()
    bench.told(INIT)
    bench.finish("ONE", ok=False)
    bench.told(command, "dispatch-1")
    held = [
        Held(attempt=AttemptId(*KEY, live.path, live.attempt), held_as=HeldAs.RUNNING)
        for live in bench.shot().in_progress()
    ]
    bench = bench.restart().register("SRV_A:1", slots=2, epoch=2, holding=held).recover()
    for path in ("TWO", "ONE"):
        if bench.live(path).cause is None and bench.live(path).server:
            bench.finish(path)
    attempts = bench.attempt("ONE").number
    assert attempts == 2
    bench.told(command, "dispatch-1")
    assert bench.attempt("ONE").number == attempts
    assert bench.states()["ONE"] == "Success"


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("wait", [False, True])
def test_a_large_report_is_told_again(*, restarted: bool, wait: bool) -> None:
    bench = large()
    command = c.DoPhase(phase="INIT", wait=wait)
    first = bench.told(command, ID)
    bench.finish(*(node.path for node in bench.nodes[:99]))
    bench.finish("A099", ok=False)
    final = bench.replies_to(ID)[-1]
    assert final.outcome is (Outcome.FAILED if wait else Outcome.OK)
    assert len(final.result) > 10_000
    if restarted:
        bench = bench.restart(recover=True)
    again = bench.told(command, ID)
    assert (again.outcome, again.message) == (final.outcome, final.message)
    assert report_of(again).run.state == "ended"
    assert len(report_of(again).actions) == 100
    assert first.id == again.id == ID


def test_a_large_table_is_told_again() -> None:
    bench = large()
    first = bench.told(c.BuildTables(), "build-0001")
    again = bench.told(c.BuildTables(), "build-0001")
    assert again.message == first.message
    built = view_of(again)
    assert isinstance(built, ActionsResult)
    assert len(built.actions) == 100


def test_an_id_is_not_carried_over_to_another_command_or_rubbish() -> None:
    bench = small()
    first = bench.told(c.Abort(), "abort-0001")
    request = Request(id="abort-0001", verb="abort", deadline_s=1e9, command=b"\xff{[")
    bench.handle(d.FromBroker(CLIENT, (request,)))
    assert bench.replies_to("abort-0001") == [first, first]


def test_as_many_answers_are_remembered_as_configured() -> None:
    bench = small()
    bench.configure(dispatcher={"commands_remembered_max": 2})
    for number in range(3):
        bench.told(c.CreatePulse(tree="T", shot=10 + number), f"create-000{number}")
    assert bench.told(c.CreatePulse(tree="T", shot=12), "create-0002").outcome is Outcome.OK
    assert bench.told(c.CreatePulse(tree="T", shot=10), "create-0000").outcome is Outcome.REFUSED


def test_answers_are_journalled_with_their_effect() -> None:
    bench = small()
    bench.writes = False
    bench.ask(INIT, ID)
    records = bench.commits[-1].commit
    assert [type(record) for record in records.system.records] == [CommandDone, Audited]
    assert isinstance(records.shots[KEY].records[0], RunOpened)
    assert bench.replies_to(ID) == [], "nobody is told before it is journalled (I4)"
    bench.written()
    assert len(bench.replies_to(ID)) == 1


def test_an_answer_of_an_older_journal_is_given_again() -> None:
    bench = small()
    result = '{"kind":"current","tree":"T","shot":7}'
    old = {"id": ID, "outcome": "ok", "message": "as before", "notices": ["x"], "result": result}
    bench.machine.requests.remember(CommandDone(time=1.0, command=ID, reply=json.dumps(old)))
    reply = bench.ask(INIT, ID)
    assert reply is not None
    assert (reply.outcome, reply.message, reply.notices) == (Outcome.OK, "as before", ("x",))
    assert reply.result == result.encode()


def test_an_expired_command_is_refused_and_not_carried_out() -> None:
    bench = small()
    reply = bench.ask(INIT, lifetime_s=-0.5)
    assert reply is not None
    assert reply.outcome is Outcome.REFUSED
    assert "expired 0.5 s ago" in reply.message
    assert bench.records(RunOpened) == []


def test_an_expired_repeat_still_hears_of_its_run() -> None:
    bench = small()
    bench.told(WAITING, ID)
    held = Held(attempt=bench.attempt("ONE"), held_as=HeldAs.RUNNING)
    bench = bench.restart().register("SRV_A:1", epoch=2, holding=[held]).recover()
    bench.ask(WAITING, ID, lifetime_s=-100.0)
    bench.finish("ONE", "TWO")
    assert bench.replies_to(ID)[-1].outcome is Outcome.OK


def test_a_command_waits_while_the_dispatcher_recovers() -> None:
    bench = small().restart().register("SRV_A:1")
    assert bench.ask(INIT, ID) is None
    assert bench.ask(INIT, ID) is None  # asked again, done once
    assert bench.told(c.SystemStatus()).outcome is Outcome.OK, "who only looks need not wait"
    bench.recover()
    assert [reply.outcome for reply in bench.replies_to(ID)] == [Outcome.OK]
    assert bench.dispatched() == ["ONE"]


def test_a_command_that_expires_while_the_dispatcher_recovers_is_refused() -> None:
    bench = small().restart().register("SRV_A:1")
    bench.ask(INIT, ID, lifetime_s=0.5)
    bench.recover()
    assert bench.replies_to(ID)[0].outcome is Outcome.REFUSED
    assert bench.dispatched() == []


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("do_phase", b""),
        ("do_phase", b"{"),
        ("do_phase", b'{"verb":"do_phase","phase":7}'),
        ("do_phase", b'{"verb":"do_phase","phase":"INIT","extra":1}'),
        ("do_phase", b'{"verb":"abort"}'),
        ("nosuch", b'{"verb":"nosuch"}'),
        ("create_pulse", b'{"verb":"create_pulse","tree":"T","shot":"abc"}'),
        ("create_pulse", b'{"verb":"create_pulse","tree":"T;rm","shot":1}'),
        ("do_sequence", b'{"verb":"do_sequence","phase":"INIT","first":1}'),
        ("status", b"[" * 60_000),
    ],
)
def test_what_is_no_command_is_a_mistake_of_its_sender(verb: str, body: bytes) -> None:
    bench = small()
    before = bench.journalled(), len(bench.commits)
    deadline_s = bench.now + BROKER_AHEAD_S + 60.0
    request = Request(id="wrong-0001", verb=verb, deadline_s=deadline_s, command=body)
    bench.handle(d.FromBroker(CLIENT, (request,)))
    (reply,) = bench.replies_to("wrong-0001")
    assert reply.outcome is Outcome.USAGE
    assert reply.message
    assert (bench.journalled(), len(bench.commits)) == before, "it changes nothing (I7)"


def test_quit_ends_the_dispatcher_and_not_the_actions() -> None:
    bench = small()
    bench.told(INIT)
    reply = bench.told(c.Quit())
    assert "1 actions go on in their servers" in reply.message
    assert [one.code for one in bench.exits] == [0]
    assert bench.states()["ONE"] == "DISPATCHED"
    assert bench.records(RunEnded) == []


def test_a_signal_ends_the_dispatcher_behind_its_journal() -> None:
    bench = small()
    bench.writes = False
    bench.ask(INIT)
    bench.handle(d.StopAsked())
    assert bench.exits == []
    bench.written()
    assert [one.code for one in bench.exits] == [0]
