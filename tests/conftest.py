"""What holds for all tests."""

import signal
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

# A shell that starts the tests in the background lets them ignore SIGINT, and so would the daemons
# that they start; the tests of Ctrl-C need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# On a busy machine an example may take any time, which says nothing about the code.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

LONG: Final = (
    "test_documents",
    "test_bench",
    "test_packaging",
    "test_faults_queue",
    "test_faults_killed",
    "test_trials",
    "test_up_requests",
    "test_volumes_files",
    "test_faults_volumes",
    "test_up_elsewhere",
    "test_legacy_bridge",
    "test_fleet_hosts",
)
"""The files that take longest begin first: none of them keeps one processor busy at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of those files first."""
    place = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONG)))
