"""How daemons that are clients follow Shotline, and what they log of its absences."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from shotline.client.errors import Closed, Nobody, SupervisorError
from shotline.client.serving import follow, keep_alive
from shotline.common.process.systemd import Systemd


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


def test_signs_of_life_do_not_wait_for_what_a_daemon_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices:
        notices.bind(str(tmp_path / "notify"))
        notices.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000")

        async def heard() -> list[bytes]:
            loop = asyncio.get_running_loop()
            systemd = Systemd()
            beats = loop.create_task(keep_alive(systemd))
            told = [await loop.sock_recv(notices, 100) for _ in range(3)]
            beats.cancel()
            systemd.close()
            return told

        assert asyncio.run(heard()) == [b"WATCHDOG=1"] * 3
