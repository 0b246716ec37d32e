"""Storms over queue, ledger and mdsip servers: the seeds that every run has."""

import pytest
from tests.simulation.hosted.storms import LostEnd, QueueStorm, UrlStorm, VolumesStorm
from tests.simulation.seeds import run_seed
from tests.simulation.storm.scenario import Storm

SEEDS = 20


@pytest.mark.parametrize("kind", [QueueStorm, LostEnd, VolumesStorm, UrlStorm])
def test_a_storm_breaks_no_promise_of_what_is_hosted(kind: type[Storm]) -> None:
    for seed in range(SEEDS):
        run_seed(kind, seed)
