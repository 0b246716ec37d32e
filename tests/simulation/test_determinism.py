"""One seed is one history: in this process, and in another one that hashes otherwise."""

import os
import subprocess
import sys

from tests.simulation.__main__ import KINDS
from tests.simulation.seeds import digest_of

SEEDS = 2


def test_a_seed_has_the_same_history_in_another_process_that_hashes_otherwise() -> None:
    asked = (sys.executable, "-m", "tests.simulation", "--digest", "--seeds", str(SEEDS))
    other = subprocess.run(
        asked,
        env={**os.environ, "PYTHONHASHSEED": "31"},
        check=True,
        capture_output=True,
        text=True,
    )
    here = [
        f"{name} {seed} {digest_of(kind, seed)}"
        for name, kind in KINDS.items()
        for seed in range(SEEDS)
    ]
    assert other.stdout.splitlines() == here


def test_two_seeds_have_two_histories() -> None:
    for name, kind in KINDS.items():
        assert digest_of(kind, 0) != digest_of(kind, 1), name
