"""One Chromium for all tests of the page; a test fails when a script on its pages has failed.

Daemons start warm.
"""

from collections.abc import Iterator

import pytest
from tests.support.browser import Browser
from tests.support.mock_monitor import MockMonitor
from tests.support.warm_starts import warm_server, warm_starts

__all__ = ["warm_server", "warm_starts"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    yield chromium
    assert chromium.close_all() == []


@pytest.fixture
def monitor(browser: Browser) -> MockMonitor:
    """Play the monitor to pages: no daemon is needed."""
    return MockMonitor(browser)
