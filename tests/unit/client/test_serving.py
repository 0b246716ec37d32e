"""How daemons that are clients follow Shotline, and what they log of its absences."""

import asyncio
from collections.abc import Callable

import pytest

from shotline.client.errors import Closed, Nobody, SupervisorError
from shotline.client.serving import follow


def test_each_absence_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    absent = Nobody("the broker does not answer")
    lives = iter(
        [(absent, False), (absent, False), (absent, True), (absent, False), (Closed("end"), False)]
    )
    lost: list[None] = []

    async def once(heard: Callable[[], None]) -> None:
        error, is_there_first = next(lives)
        if is_there_first:
            heard()
        raise error

    asyncio.run(follow(once, 0.0, lambda: lost.append(None)))
    assert [one.message for one in caplog.records] == [
        "Shotline is away: the broker does not answer",
        "Shotline is away: the broker does not answer",
    ]
    assert len(lost) == 4


def test_other_errors_are_logged_each_time(caplog: pytest.LogCaptureFixture) -> None:
    lives = iter([SupervisorError("one"), SupervisorError("two"), Closed("end")])

    async def once(_heard: Callable[[], None]) -> None:
        raise next(lives)

    asyncio.run(follow(once, 0.0))
    assert [one.message.rpartition(": ")[2] for one in caplog.records] == ["one", "two"]
