"""Storms: the seeds that every run has, and some that nobody has seen before.

A seed that fails says how to run it again, and what of it is needed for that.
"""

from hashlib import blake2b
from typing import Final

import pytest
from tests.simulation.seeds import run_seed
from tests.simulation.storm.replaced import Refused, Replaced, Unheard
from tests.simulation.storm.scenario import Storm

SEEDS: Final = 1000
FRESH: Final = 60
GROUP: Final = 20


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_a_storm_breaks_no_promise_from_seed(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(Storm, seed)


@pytest.mark.parametrize("number", range(0, FRESH, GROUP))
def test_a_storm_that_nobody_has_seen_breaks_no_promise(number: int, testrun_uid: str) -> None:
    """All workers of a test run have the same `testrun_uid`, and no other run has."""
    drawn = int.from_bytes(blake2b(testrun_uid.encode(), digest_size=4).digest())
    for seed in range(drawn + number, drawn + number + GROUP):
        run_seed(Storm, seed)


@pytest.mark.parametrize("kind", [Replaced, Unheard, Refused])
def test_what_chance_brings_together_too_rarely_breaks_no_promise(kind: type[Storm]) -> None:
    for seed in range(GROUP):
        run_seed(kind, seed)
