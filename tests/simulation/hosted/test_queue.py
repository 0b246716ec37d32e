"""Histories of a programme of pulse plans while daemons die; planted bugs must be caught."""

import pytest
from tests.simulation.hosted.queue import KilledEarly, LockedQueue, QueueScenario
from tests.simulation.seeds import run_seed

SEEDS = 60
GROUP = 20


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_the_programme_holds_from_seed(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(QueueScenario, seed)


@pytest.mark.parametrize("first", range(0, GROUP, GROUP))
def test_a_lock_outlives_the_dispatcher_from_seed(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(LockedQueue, seed)


@pytest.mark.parametrize("first", range(120, 180, GROUP))
def test_a_programme_whose_dispatcher_dies_early_comes_to_its_end(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(KilledEarly, seed)
