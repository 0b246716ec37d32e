"""The quick trials, with all tests; `make faults` runs all of them, and more of each."""

from pathlib import Path

import pytest
from tests.faults import TRIALS, Row, Trial
from tests.faults.document import DOCUMENT, written


@pytest.mark.parametrize("trial", [one for one in TRIALS if one.quick], ids=lambda one: one.name)
def test_the_promise_holds(trial: Trial) -> None:
    row, _ = trial.run(trial.quick)
    assert row.tried
    assert not row.wrong


def test_a_trial_that_is_not_finished_has_not_held() -> None:
    def broken(_folder: Path, _scale: float) -> Row:
        raise AssertionError("something hangs")

    row, _ = Trial("broken", "", "", broken).run()
    assert row.wrong == ["it did not come to its end: something hangs"]


def test_the_table_in_the_document_is_of_the_last_runs() -> None:
    assert DOCUMENT.read_text() == written(DOCUMENT.read_text())
