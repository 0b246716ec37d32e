"""Dangers of a command: each has a code, is named, and is insisted on by itself."""

import pytest
from msgspec import structs
from tests.support.dispatching import Bench
from tests.support.tables import action

from shotline.common import commands as c
from shotline.common.actions import ActionState, Cause
from shotline.common.dangers import LISTED_MAX, Danger
from shotline.common.messages import LivenessState, Outcome, Reply

PHASE = c.DoPhase(tree="T", shot=1, phase="INIT", careful=True)
ONE = c.DispatchAction(tree="T", shot=1, path="ONE", careful=True)

LOST = {"state": ActionState.ABORTED, "cause": Cause.SERVER_LOST, "outcome_unknown": True}


def codes(reply: Reply | None) -> list[Danger]:
    """Return the dangers that a refusal names."""
    assert reply is not None
    assert (reply.outcome is Outcome.REFUSED) == bool(reply.dangers), reply.message
    return [one.danger for one in reply.dangers]


def unknown() -> Bench:
    """ONE was given to a server that was lost; it is switched off since."""
    bench = Bench(action("ONE", 1)).register("SRV_A:1").build()
    bench.told(c.DoPhase(phase="INIT"))
    bench.judge("SRV_A:1", LivenessState.LOST)
    bench.nodes = (action("ONE", 1, on=False),)
    return bench.register("SRV_A:2")


def insisting(command: c.DispatchAction, *dangers: Danger) -> c.DispatchAction:
    return structs.replace(command, insist=dangers)


def test_a_word_about_one_danger_is_none_about_another() -> None:
    bench = unknown()
    assert codes(bench.ask(ONE)) == [Danger.OUTCOME_UNKNOWN]
    assert codes(bench.ask(insisting(ONE, Danger.OFF))) == [Danger.OUTCOME_UNKNOWN]
    seen = insisting(ONE, Danger.OUTCOME_UNKNOWN)
    assert codes(bench.ask(seen)) == [Danger.OFF]
    assert bench.dispatched() == ["ONE"]
    assert codes(bench.ask(insisting(ONE, Danger.OUTCOME_UNKNOWN, Danger.OFF))) == []
    assert bench.dispatched() == ["ONE", "ONE"]


def test_the_fields_that_say_one_danger_say_just_that() -> None:
    bench = unknown()
    off = c.DispatchAction(path="ONE", even_if_off=True)
    running = c.DispatchAction(path="ONE", even_if_running=True)
    assert codes(bench.ask(off)) == [Danger.OUTCOME_UNKNOWN]
    assert codes(bench.ask(running)) == [Danger.OFF]
    pulse = c.CreatePulse(tree="T", shot=7)
    assert codes(bench.ask(pulse)) == []
    assert codes(bench.ask(pulse)) == [Danger.PULSE_EXISTS]
    assert codes(bench.ask(structs.replace(pulse, insist=(Danger.OFF,)))) == [Danger.PULSE_EXISTS]
    assert codes(bench.ask(structs.replace(pulse, insist=(Danger.PULSE_EXISTS,)))) == []


def test_who_is_careful_is_told_of_success_and_of_another_current_shot() -> None:
    bench = Bench(action("ONE", 1), action("TWO", 1)).register("SRV_A:1").build()
    bench.told(c.CreatePulse(tree="T", shot=2))
    bench.told(c.DoPhase(tree="T", shot=1, phase="INIT"))
    bench.finish("ONE", "TWO")
    for command in (PHASE, ONE):
        reply = bench.ask(command)
        assert codes(reply) == [Danger.SUCCEEDED, Danger.OLD_SHOT]
        assert reply is not None
        assert "ONE" in reply.dangers[0].text
        assert "that is T/2" in reply.dangers[1].text
        assert codes(bench.ask(structs.replace(command, insist=(Danger.OLD_SHOT,)))) == [
            Danger.SUCCEEDED
        ]
    both = structs.replace(PHASE, insist=(Danger.OLD_SHOT, Danger.SUCCEEDED))
    assert codes(bench.ask(both)) == []


@pytest.mark.parametrize("command", [PHASE, ONE], ids=["phase", "action"])
def test_programs_are_not_asked_what_people_are(command: c.DoPhase | c.DispatchAction) -> None:
    bench = Bench(action("ONE", 1)).register("SRV_A:1").build()
    bench.told(c.CreatePulse(tree="T", shot=2))
    bench.told(c.DoPhase(tree="T", shot=1, phase="INIT"))
    bench.finish("ONE")
    assert codes(bench.ask(structs.replace(command, careful=False))) == []


def test_the_current_shot_is_that_of_the_same_experiment() -> None:
    bench = Bench(action("ONE", 1)).register("SRV_A:1").build()
    bench.told(c.CreatePulse(tree="U", shot=5))
    assert codes(bench.ask(PHASE)) == []


def test_of_thousands_only_some_are_named() -> None:
    bench = Bench(*(action(f"A{number}", 1) for number in range(3000))).register("SRV_A:1").build()
    shot = bench.shot()
    for live in list(shot.actions.values()):
        shot.apply(structs.replace(live, **LOST))
    reply = bench.ask(PHASE)
    assert codes(reply) == [Danger.OUTCOME_UNKNOWN]
    assert reply is not None
    assert f"and {3000 - LISTED_MAX} more" in reply.dangers[0].text
