"""What SIGHUP asks for is done as often as it must be, and never within itself."""

import os
import signal
from collections.abc import Iterator

import pytest

from shotline.common.process.hangup import Hangup
from shotline.common.settings.config import Config, load_config


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def test_signals_that_come_in_the_middle_are_one_more() -> None:
    depth = reads = deepest = 0

    def read() -> Config:
        nonlocal depth, reads, deepest
        depth, reads = depth + 1, reads + 1
        deepest = max(deepest, depth)
        if reads == 2:
            for _ in range(2000):
                os.kill(os.getpid(), signal.SIGHUP)
        found = load_config(None, environment={})
        depth -= 1
        return found

    Hangup("test", read)
    os.kill(os.getpid(), signal.SIGHUP)
    assert deepest == 1
    assert reads == 3  # at the start, for the first signal, and for all that came meanwhile
