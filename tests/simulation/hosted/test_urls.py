"""Histories of two shots that share an mdsip server; see `urls`."""

import pytest
from tests.simulation.hosted.urls import TwoShots
from tests.simulation.seeds import run_seed

SEEDS = 75
GROUP = 25


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_an_mdsip_server_works_for_one_shot_at_a_time_from_seed(first: int) -> None:
    started: set[int] = set()
    for seed in range(first, first + GROUP):
        started |= {attempt.shot for attempt in run_seed(TwoShots, seed).checks.starts}
    assert started == {1, 2}
