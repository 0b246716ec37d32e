"""The monitor folds history as the dispatcher does. The page: `tests/js/histories.test.js`."""

from collections.abc import Callable

import pytest
from tests.support.histories import FILE, HISTORIES, History, text


@pytest.mark.parametrize("made", HISTORIES, ids=lambda one: one.__name__)
def test_the_monitors_fold_is_the_dispatchers(made: Callable[[], History]) -> None:
    history = made()
    for step, (found, expected) in zip(history.steps, history.folds, strict=True):
        assert found == expected, step["what"]


def test_the_committed_histories_are_those_of_today() -> None:
    """Otherwise: `python -m tests.support.histories`."""
    assert FILE.read_text(encoding="utf-8") == text([one() for one in HISTORIES])
