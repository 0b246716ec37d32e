"""Runs a seed of a scenario, which must hold."""

from typing import TypeVar

from tests.simulation.scenario import Scenario
from tests.simulation.shrinking import RUNS_MAX, shrunk

ScenarioT = TypeVar("ScenarioT", bound=Scenario)


def run_seed(kind: type[ScenarioT], seed: int, *, runs: int = RUNS_MAX) -> ScenarioT:
    """Run a seed, and return its scenario. A failure is told by what of the seed it takes.

    `runs`: how often the seed is run again at most to find that.
    """
    scenario = kind(seed)
    try:
        scenario.run()
    except Exception as error:
        again = f"make sim SEEDS={seed}:{seed + 1} ONLY={kind.__name__}"
        told = "\n".join((f"seed {seed}: {error}", again, str(shrunk(kind, seed, runs=runs))))
        raise AssertionError(told) from error
    return scenario


def digest_of(kind: type[Scenario], seed: int) -> str:
    """Return what stands for all that happens in a seed: the same in every process."""
    return run_seed(kind, seed).world.digest
