"""A Slurm of one node for these tests, in the network namespace that they have to themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.slurm_site import SlurmSite, give_network, is_alone


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SlurmSite]:
    if not is_alone():
        pytest.skip("Slurm is started in a network namespace of its own: make test-slurm")
    give_network()
    with SlurmSite(tmp_path / "slurm") as site:
        yield site
