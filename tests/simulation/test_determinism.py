"""One seed is one history: in this process, and in another one that hashes otherwise."""

import os
import subprocess
import sys

import pytest
from tests.simulation.__main__ import KINDS
from tests.simulation.seeds import digest_of

SEEDS = 2


@pytest.fixture(scope="module")
def digests() -> dict[str, list[str]]:
    return {name: [digest_of(kind, seed) for seed in range(SEEDS)] for name, kind in KINDS.items()}


def test_a_seed_has_the_same_history_in_another_process_that_hashes_otherwise(
    digests: dict[str, list[str]],
) -> None:
    asked = (sys.executable, "-m", "tests.simulation", "--digest", "--seeds", str(SEEDS))
    other = subprocess.run(
        asked,
        env={**os.environ, "PYTHONHASHSEED": "31"},
        check=True,
        capture_output=True,
        text=True,
    )
    here = [
        f"{name} {seed} {digest}"
        for name, found in digests.items()
        for seed, digest in enumerate(found)
    ]
    assert other.stdout.splitlines() == here


def test_two_seeds_have_two_histories(digests: dict[str, list[str]]) -> None:
    for name, found in digests.items():
        assert len(set(found)) == SEEDS, name
