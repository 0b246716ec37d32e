"""A seed that fails is made small, and the action that it names has its story told."""

import pytest
from tests.simulation.mutants import MUTANTS
from tests.simulation.scenario import Scenario
from tests.simulation.seeds import run_seed
from tests.simulation.shrinking import rule_of, shrunk
from tests.simulation.storm.scenario import Storm

TWICE = next(one for one in MUTANTS if one.what.startswith("what has succeeded is ready once more"))


def test_a_failure_takes_few_of_the_seeds_parts_and_tells_of_its_action() -> None:
    with TWICE.planted():
        parts = set(_parts(TWICE.seed))
        failure = shrunk(Storm, TWICE.seed, runs=60)
    assert failure is not None
    assert failure.rule in TWICE.rules
    assert set(failure.left) | failure.left_out == parts
    assert not set(failure.left) & failure.left_out
    assert len(failure.left) < len(parts) / 4
    name = failure.told.partition("TOP:")[2].split()[0]
    story = "\n".join(failure.story)
    assert f"TOP:{name}" in story
    for what in ("journal T/1: Transition", "→ Finished", "← Dispatch", " starts "):
        assert what in story, what
    times = [float(line.split()[0]) for line in failure.story]
    assert times == sorted(times)


def test_a_failure_prints_its_seed_and_how_to_run_it_again() -> None:
    with TWICE.planted(), pytest.raises(AssertionError) as failed:
        run_seed(Storm, TWICE.seed, runs=3)
    lines = str(failed.value).splitlines()
    assert lines[0].startswith(f"seed {TWICE.seed}: I1: ")
    assert lines[1] == f"make sim SEEDS={TWICE.seed}:{TWICE.seed + 1} ONLY=Storm"
    assert lines[2].startswith("It takes ")


def test_a_seed_that_holds_has_no_failure() -> None:
    assert shrunk(Scenario, 0) is None


def test_a_rule_is_told_from_a_machine_that_breaks() -> None:
    assert rule_of(AssertionError("I1: started twice")) == "I1"
    assert rule_of(AssertionError("it is not so: there")) == "AssertionError"
    assert rule_of(KeyError("I1: here")) == "KeyError"


def _parts(seed: int) -> list[str]:
    return Storm(seed).parts
