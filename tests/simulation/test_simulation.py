"""500 histories of the whole system, and planted bugs that must be caught.

A failing seed is run again alone with `pytest -k 'seed and 123'`; the story it prints is its log.
"""

import pytest
from tests.simulation.scenario import Scenario
from tests.simulation.seeds import caught, run_seed

from shotline.common.actions import Cause
from shotline.dispatcher.commands.audit_trail import AuditTrail
from shotline.dispatcher.effects import Effect
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.journal.ledger import Ledger
from shotline.dispatcher.sequencer import Sequencer, Step
from shotline.dispatcher.shots import Run, Shot

SEEDS = 500
GROUP = 25


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_invariants_hold_from_seed(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(Scenario, seed)


def test_an_effect_before_its_journal_entry_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def leak(self: Ledger) -> list[Effect]:
        effects = list(self._gathering.effects)
        self._gathering.effects.clear()
        return effects + flush(self)

    flush = Ledger.flush
    monkeypatch.setattr(Ledger, "flush", leak)
    assert caught(Scenario, "I4", 40)


def test_a_condition_that_fires_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = Sequencer.changed

    def fire_again(self: Sequencer, path: str) -> Step:
        step, live = changed(self, path), self._actions[path]
        if live.cause is not Cause.RESULT or live.attempt > 1:
            return step
        return step._replace(reopened=(*step.reopened, path), ready=(*step.ready, path))

    monkeypatch.setattr(Sequencer, "changed", fire_again)
    assert caught(Scenario, "I1", 40)


def test_a_run_that_nobody_is_told_to_have_asked_for_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AuditTrail, "begun", lambda *_: None)
    assert caught(Scenario, "audit", 40)


def test_a_run_that_ends_early_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(self: Execution, shot: Shot, run: Run) -> None:
        if any(shot.actions[path].cause is not None for path in run.paths):
            self._close(shot, run)

    monkeypatch.setattr(Execution, "_end_run", end)
    assert caught(Scenario, "I5", 40)
