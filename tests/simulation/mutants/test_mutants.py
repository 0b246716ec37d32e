"""Each planted bug is caught in the seed that is known to; `make sim-mutants` looks for others."""

import pytest
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants.planting import Edit, Mutant

from shotline.dispatcher.recovery import Recovery


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.what)
def test_a_planted_bug_is_caught(mutant: Mutant) -> None:
    assert mutant.breaks(mutant.seed) in mutant.rules


def test_a_bug_is_told_anew_where_its_lines_are_gone() -> None:
    with pytest.raises(AssertionError, match=r"Recovery\.lost has not just one"):
        Edit(Recovery, "lost", "what nobody has written", "pass").made()


def test_a_bug_is_taken_out_again() -> None:
    mutant, edit = MUTANTS[0], MUTANTS[0].edits[0]
    before = getattr(edit.owner, edit.name)
    with mutant.planted():
        assert getattr(edit.owner, edit.name) is not before
    assert getattr(edit.owner, edit.name) is before
