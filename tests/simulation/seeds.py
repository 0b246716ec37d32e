"""Runs seeds of a scenario: one that must hold, or some of which a planted bug must show in."""

from collections.abc import Callable
from typing import TypeVar

from tests.simulation.scenario import Scenario

ScenarioT = TypeVar("ScenarioT", bound=Scenario)
LINES_SHOWN = 120


def run_seed(kind: Callable[[int], ScenarioT], seed: int) -> ScenarioT:
    """Run a seed, and return its scenario. A failure has the end of its story."""
    scenario = kind(seed)
    try:
        scenario.run()
    except Exception as error:
        story = "\n".join(scenario.world.story[-LINES_SHOWN:])
        raise AssertionError(f"seed {seed}: {error}\n{story}") from error
    return scenario


def digest_of(kind: Callable[[int], Scenario], seed: int) -> str:
    """Return what stands for all that happens in a seed: the same in every process."""
    return run_seed(kind, seed).world.digest


def caught(kind: Callable[[int], Scenario], rule: str, seeds: int) -> bool:
    """Return whether one of so many seeds breaks a rule, whose name its message begins with."""
    return any(_breaks(kind, rule, seed) for seed in range(seeds))


def _breaks(kind: Callable[[int], Scenario], rule: str, seed: int) -> bool:
    try:
        kind(seed).run()
    except AssertionError as error:
        return str(error).startswith(rule)
    return False
