"""Histories of data records while daemons, watchers and consumers die; planted bugs are caught."""

import pytest
from tests.simulation.hosted.volumes import VolumesScenario
from tests.simulation.seeds import run_seed

SEEDS = 45
GROUP = 15


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_the_ledger_holds_from_seed(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(VolumesScenario, seed)
