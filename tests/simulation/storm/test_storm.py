"""Storms: seeds that every run has, and some that nobody has seen before."""

import os
from hashlib import blake2b
from typing import Final

import pytest
from tests.simulation.seeds import run_seed
from tests.simulation.storm.scenario import Storm

SEEDS: Final = 200
FRESH: Final = 50
GROUP: Final = 25


def _first_fresh() -> int:
    """Return the first of the seeds that this run alone has: the same in all its processes."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "").encode() or os.urandom(8)
    return int.from_bytes(blake2b(run, digest_size=4).digest()) + SEEDS


FIRST_FRESH: Final = _first_fresh()


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_a_storm_breaks_no_promise_from_seed(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(Storm, seed)


@pytest.mark.parametrize("at", range(0, FRESH, GROUP))
def test_a_storm_that_nobody_has_seen_breaks_no_promise(at: int) -> None:
    first = FIRST_FRESH + at
    for seed in range(first, first + GROUP):
        run_seed(Storm, seed)
