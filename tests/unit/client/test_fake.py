"""What a supervisor's test says to `FakeShotline`, and what becomes of it.

That the fake answers as the real Shotline does is tested against both in
`tests/integration/test_supervisor.py`.
"""

import asyncio
from pathlib import Path

import pytest

from shotline.client.errors import (
    NoBroker,
    NoDispatcher,
    Refused,
    RunAborted,
    RunHeld,
    TimedOut,
)
from shotline.client.fake import AsyncFakeShotline, FakeAction, FakeShotline
from shotline.client.observer import News, Whole
from shotline.client.report import Report
from shotline.common.actions import ActionState, Cause, Status
from shotline.common.records import RunEnded, Transition
from shotline.common.views import OutputEvent, ShotEvent
from shotline.trees.experiment_file import read_experiment

DEMO = Path(__file__).resolve().parents[3] / "etc" / "experiments" / "demo.yaml"


@pytest.fixture
def shotline() -> FakeShotline:
    fake = FakeShotline(
        {
            "TEST": [
                FakeAction("\\TEST::TOP:GAS:PUFF", "PULSE", "GAS", 10),
                FakeAction("\\TEST::TOP:GAS:VENT", "PULSE", "GAS", 20),
                FakeAction("\\TEST::TOP:NBI:FIRE", "PULSE", "NBI", 10, timeout_s=60.0),
                FakeAction("\\TEST::TOP:ALARM", "PULSE", "DAQ", when="not NBI:FIRE"),
            ]
        }
    )
    fake.create_pulse("TEST", 1)
    fake.build_tables("TEST", 1)
    return fake


def words(report: Report) -> dict[str, str]:
    """Return in one word how each action of a run stands."""
    return {
        action.name: str(action.last.status or action.last.cause or action.last.state)
        for action in report.actions
    }


def test_an_action_ends_as_the_test_has_said(shotline: FakeShotline) -> None:
    shotline.fails("NBI:FIRE", "no beam", "interlock open", "door 3")
    report = shotline.do_phase("PULSE")
    assert words(report) == {
        "GAS:PUFF": "Success",
        "GAS:VENT": "Success",
        "NBI:FIRE": "Failure",
        "ALARM": "Success",
    }
    assert report.action("NBI:FIRE").last.reason == "no beam"
    assert [line.text for line in shotline.logs("FIRE").lines] == ["interlock open", "door 3"]
    shotline.succeeds("NBI:FIRE", "27 kV", "beam on")
    again = shotline.do_phase("PULSE")
    assert again.action("NBI:FIRE").last.reason == "27 kV"
    assert again.action("ALARM").last.cause is Cause.CONDITION_FALSE
    assert shotline.logs("FIRE", attempt=1).lines[0].text == "interlock open"
    assert shotline.logs("FIRE").attempts == (1, 2)
    assert shotline.verbs[2:4] == ["do_phase", "logs"]


def test_an_action_that_times_out_has_failed_by_its_time_limit(shotline: FakeShotline) -> None:
    shotline.times_out("GAS:PUFF")
    last = shotline.do_phase("PULSE").action("GAS:PUFF").last
    assert (last.status, last.cause) == (Status.FAILURE, Cause.TIMEOUT)


@pytest.mark.parametrize("say", ["fails", "succeeds", "times_out", "never_ends", "has_no_server"])
def test_nothing_can_be_said_of_what_no_experiment_has(shotline: FakeShotline, say: str) -> None:
    with pytest.raises(ValueError, match=r"TEST: there is no action GAS:PUF; do you mean GAS:PUFF"):
        getattr(shotline, say)("GAS:PUF")
    with pytest.raises(ValueError, match="there is no action OVEN"):
        shotline.takes("OVEN", 1.0)
    with pytest.raises(ValueError, match="there is no action MAGNET"):
        FakeShotline({"TEST": [FakeAction("A", "INIT", when="not MAGNET")]})
    with pytest.raises(ValueError, match="condition `B and`"):
        FakeShotline({"TEST": [FakeAction("A", "INIT", when="B and"), FakeAction("B", "INIT")]})


def test_time_passes_as_the_test_has_said_and_at_once(shotline: FakeShotline) -> None:
    shotline.takes("GAS:PUFF", 3.0)
    shotline.takes("GAS:VENT", 4.0)
    shotline.takes("NBI:FIRE", 5.0)
    shotline.fails("NBI:FIRE")  # after the same time
    report = shotline.do_phase("PULSE")
    assert report.run.duration_s == pytest.approx(7.0)
    assert report.action("NBI:FIRE").last.status is Status.FAILURE
    assert report.action("NBI:FIRE").last.duration_s == pytest.approx(5.0)
    begins = {action.name: action.last.started_at or 0.0 for action in report.actions}
    assert begins["GAS:VENT"] - begins["GAS:PUFF"] == pytest.approx(3.0)
    assert begins["ALARM"] - begins["NBI:FIRE"] == pytest.approx(5.0)


def test_no_time_passes_while_nobody_waits(shotline: FakeShotline) -> None:
    shotline.takes("GAS:PUFF", 3.0)
    opened = shotline.do_phase("PULSE", wait=False)
    for _ in range(3):
        assert shotline.show("GAS:PUFF").action.last.state is ActionState.DOING
    assert shotline.wait("TEST", 1, opened.run.run).run.duration_s == pytest.approx(3.0)


def test_what_never_ends_is_not_waited_for_in_vain(shotline: FakeShotline) -> None:
    shotline.never_ends("GAS:PUFF")
    with pytest.raises(TimedOut, match=r"GAS:PUFF on GAS:1"):
        shotline.do_phase("PULSE")
    assert shotline.show("PUFF").action.last.state is ActionState.DOING
    with pytest.raises(Refused, match="is open"):
        shotline.do_phase("PULSE")
    assert "aborting" in shotline.abort().message
    last = shotline.show("PUFF").action.last
    assert (last.state, last.cause) == (ActionState.ABORTED, Cause.OPERATOR)
    assert shotline.shots().shots[0].runs[-1].outcome == "aborted"


def test_what_never_ends_ends_when_it_is_told_to(shotline: FakeShotline) -> None:
    shotline.never_ends("GAS:PUFF")
    shotline.do_phase("PULSE", wait=False)
    shotline.fails("GAS:PUFF", "the valve is stuck")
    report = shotline.wait("TEST", 1, 1)
    assert report.action("GAS:PUFF").last.reason == "the valve is stuck"
    assert report.action("GAS:VENT").last.status is Status.SUCCESS


def test_a_time_limit_of_an_action_counts(shotline: FakeShotline) -> None:
    shotline.never_ends("NBI:FIRE")
    last = shotline.do_phase("PULSE").action("NBI:FIRE").last
    assert (last.status, last.cause, last.duration_s) == (Status.FAILURE, Cause.TIMEOUT, 60.0)
    assert "60 s" in last.reason


def test_a_call_gives_up_after_its_time(shotline: FakeShotline) -> None:
    shotline.takes("NBI:FIRE", 30.0)
    opened = shotline.do_phase("PULSE", wait=False)
    with shotline.watch("TEST", 1) as stream:
        assert isinstance(stream.get(0.0), Whole)
        assert stream.get(0.1) is None
        waited = [update for update in stream if isinstance(update, News)]
    assert any(
        isinstance(record, RunEnded)
        for update in waited
        if isinstance(update.payload, ShotEvent)
        for record in update.payload.records
    )
    assert shotline.wait("TEST", 1, opened.run.run).ok


def test_a_class_without_a_server_is_off_until_it_has_one(shotline: FakeShotline) -> None:
    shotline.has_no_server("GAS:PUFF")
    report = shotline.do_phase("PULSE")
    for name in ("GAS:PUFF", "GAS:VENT"):
        last = report.action(name).last
        assert (last.state, last.cause, last.attempt) == (
            ActionState.SERVER_OFF,
            Cause.NO_SERVER,
            0,
        )
    assert report.action("NBI:FIRE").last.status is Status.SUCCESS
    shotline.succeeds("GAS:PUFF")
    assert shotline.do_phase("PULSE").ok


def test_what_runs_is_aborted_when_its_server_is_taken(shotline: FakeShotline) -> None:
    shotline.never_ends("GAS:PUFF")
    shotline.do_phase("PULSE", wait=False)
    shotline.has_no_server("GAS:PUFF")
    report = shotline.wait("TEST", 1, 1)
    assert report.action("GAS:PUFF").last.state is ActionState.ABORTED
    assert report.action("GAS:VENT").last.state is ActionState.SERVER_OFF


def test_the_next_run_is_held_before_anything_starts(shotline: FakeShotline) -> None:
    shotline.holds_next_run()
    with pytest.raises(Refused, match="there is no phase LUNCH"):
        shotline.do_phase("LUNCH")  # it opens no run
    with pytest.raises(RunHeld, match="held by an operator") as caught:
        shotline.do_phase("PULSE", "TEST", 1)
    assert caught.value.report is not None
    assert {action.last.attempt for action in shotline.actions().actions} == {0}
    shotline.resume()
    assert shotline.wait("TEST", 1, 1).ok
    assert shotline.do_phase("PULSE").ok


def test_the_next_run_is_aborted_before_anything_starts(shotline: FakeShotline) -> None:
    shotline.aborts_next_run()
    with pytest.raises(RunAborted, match="aborted by an operator"):
        shotline.do_phase("PULSE")
    actions = shotline.actions().actions
    assert {action.last.attempt for action in actions} == {0}
    assert {action.last.cause for action in actions} == {Cause.ABORTED_BEFORE_SENT}
    assert shotline.do_phase("PULSE").ok


@pytest.mark.parametrize(
    ("say", "error"), [("holds_next_run", RunHeld), ("aborts_next_run", RunAborted)]
)
def test_one_action_again_is_a_run_that_may_be_held_or_aborted(
    shotline: FakeShotline, say: str, error: type[Exception]
) -> None:
    getattr(shotline, say)()
    with pytest.raises(error):
        shotline.dispatch("GAS:PUFF")
    assert shotline.show("GAS:PUFF").action.last.attempt == 0


def test_the_next_command_raises_what_the_test_has_said(shotline: FakeShotline) -> None:
    shotline.raises_next(NoBroker("no broker answers"))
    with pytest.raises(NoBroker):
        shotline.do_phase("PULSE")
    assert shotline.verbs[-1] == "do_phase"
    assert shotline.do_phase("PULSE").run.run == 1


def test_servers_restart_and_end(shotline: FakeShotline) -> None:
    shotline.never_ends("GAS:PUFF")
    shotline.do_phase("PULSE", wait=False)
    before = {one.server: one.incarnation for one in shotline.servers().servers}
    shotline.server_restart("GAS:1")
    after = {one.server: one.incarnation for one in shotline.servers().servers}
    assert before["GAS:1"] != after["GAS:1"]
    assert before["NBI:1"] == after["NBI:1"]
    assert shotline.show("GAS:PUFF").action.last.state is ActionState.ABORTED
    shotline.server_quit("NBI:1")
    assert {one.server: one.liveness for one in shotline.servers().servers}["NBI:1"] == "lost"
    with pytest.raises(Refused, match="no live server NBI:1"):
        shotline.server_quit("NBI:1")


def test_a_dispatcher_that_was_told_to_quit_is_gone(shotline: FakeShotline) -> None:
    shotline.quit()
    with pytest.raises(NoDispatcher, match="asked to quit"):
        shotline.status()


def test_the_site_s_current_shot_is_kept(shotline: FakeShotline) -> None:
    assert shotline.current("TEST").shot == 0
    assert shotline.current("TEST", 41).shot == 41
    assert shotline.current("TEST", increment=True).shot == 42


def test_an_experiment_file_is_an_experiment_too() -> None:
    demo = read_experiment(DEMO.read_bytes(), DEMO)
    shotline = FakeShotline({"DEMO": demo})
    shotline.fails("CAMERA:ARM")
    shotline.create_pulse("DEMO", 7)
    built = shotline.build_tables()
    assert [action.path for action in built.actions] == [node.path for node in demo.actions]
    reports = {phase: shotline.do_phase(phase) for phase in ("INIT", "PULSE", "STORE")}
    assert [action.name for action in reports["INIT"].failed] == ["CAMERA:ARM"]
    acquire = reports["PULSE"].action("CAMERA:ACQUIRE").last
    assert acquire.cause is Cause.CONDITION_FALSE
    with pytest.raises(ValueError, match="is DEMO"):
        FakeShotline({"TEST": demo})


def test_what_happens_is_told_in_order_with_its_output(shotline: FakeShotline) -> None:
    shotline.succeeds("GAS:PUFF", "", "one", "two")
    with shotline.watch("TEST", 1) as stream:
        assert isinstance(stream.get(), Whole)
        assert shotline.do_phase("PULSE").ok
        updates = list(stream)
        told = [update.payload for update in updates if isinstance(update, News)]
        lines = [one.pieces[0][2] for one in told if isinstance(one, OutputEvent)]
        assert lines == ["one\ntwo"]
        states = [
            record.state
            for one in told
            if isinstance(one, ShotEvent)
            for record in one.records
            if isinstance(record, Transition) and record.path.endswith("PUFF")
        ]
        assert states == [ActionState.DISPATCHED, ActionState.DOING, ActionState.DONE]
        assert stream.get(1.0) is None
        stream.refresh()
        assert isinstance(stream.get(1.0), Whole)
    shotline.do_phase("PULSE")
    assert stream.get() is None


def test_a_channel_of_what_is_not_known_is_refused(shotline: FakeShotline) -> None:
    with shotline.watch("TEST", 99) as stream, pytest.raises(Refused, match="shot/TEST/99"):
        stream.get()


def test_an_asynchronous_supervisor_has_the_same(shotline: FakeShotline) -> None:
    async def supervise() -> None:
        async with AsyncFakeShotline(shotline) as fake:
            await fake.connect()
            async with await fake.watch("TEST", 1) as stream:
                assert isinstance(await stream.get(), Whole)
                shotline.fails("NBI:FIRE")
                assert not (await fake.do_phase("PULSE")).ok
                kinds = {type(update) async for update in stream}
                assert kinds == {News}
                stream.refresh()
                assert isinstance(await stream.get(1.0), Whole)
            with pytest.raises(Refused, match="exists"):
                await fake.create_pulse("TEST", 1)
            shotline.raises_next(NoBroker())
            with pytest.raises(NoBroker):
                await fake.status()
            shotline.never_ends("GAS:VENT")
            with pytest.raises(TimedOut, match="GAS:VENT"):
                await fake.do_phase("PULSE")

    asyncio.run(supervise())


def test_while_one_task_waits_for_a_run_another_may_end_it(shotline: FakeShotline) -> None:
    shotline.never_ends("NBI:FIRE")

    async def ended() -> str:
        fake = AsyncFakeShotline(shotline)
        async with await fake.watch("TEST", 1) as stream:
            while (update := await stream.get()) is not None:
                if isinstance(update, News) and isinstance(update.payload, ShotEvent):
                    doing = [
                        record.path
                        for record in update.payload.records
                        if isinstance(record, Transition) and record.state is ActionState.DOING
                    ]
                    if any(path.endswith("NBI:FIRE") for path in doing):
                        return (await fake.abort()).message
        return "nothing was told"

    async def both() -> str:
        message, run = await asyncio.gather(
            ended(), AsyncFakeShotline(shotline).do_phase("PULSE"), return_exceptions=True
        )
        assert isinstance(run, RunAborted), run
        return str(message)

    assert "aborting" in asyncio.run(both())


def test_the_audit_has_what_a_supervisor_has_asked_for(shotline: FakeShotline) -> None:
    shotline.do_phase("PULSE", "TEST", 1)
    with pytest.raises(Refused):
        shotline.resume("TEST", 1)
    told = [(line.verb, line.outcome.value) for line in shotline.audit().lines]
    assert told[:3] == [("resume", "refused"), ("do_phase", "ok"), ("do_phase", "accepted")]
    assert [line.verb for line in shotline.audit(outcome="refused").lines] == ["resume"]
    asynchronous = AsyncFakeShotline(shotline)
    assert asyncio.run(asynchronous.audit(limit=1)).lines == shotline.audit(limit=1).lines
