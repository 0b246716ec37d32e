"""The performance suite runs with the daemons as they are. What it measures is not looked at."""

import subprocess
import sys
from pathlib import Path

import pytest
from bench.results import Results
from bench.suite import WORKLOADS
from tests.support.stack import DEADLINE_S

ROOT = Path(__file__).resolve().parents[2]
# W6, W7 and the page wait for ten seconds and more; W2, W4 and W9 are measured as W3 is.
LONG = {"W2", "W4", "W6", "W7", "W9", "page"}


@pytest.mark.parametrize("name", [one.name for one in WORKLOADS if one.name not in LONG])
def test_a_workload_is_measured(tmp_path: Path, name: str) -> None:
    words = ("--scale", "0.01", "--rounds", "1", "--results", tmp_path, "--only", name)
    done = subprocess.run(
        [sys.executable, "-m", "bench", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * DEADLINE_S,
    )
    assert done.returncode == 0, done.stdout
    results = Results.read(tmp_path, name)
    assert results is not None
    assert all(row.values for row in results.rows)
