"""A channel that has ended is replayed until its time is over, and then it is gone."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.monitor import Page, with_monitor
from tests.support.stack import DEADLINE_S, Stack

RETENTION_S = 3.0
EXPERIMENT = """
experiment: TEST
phases: {INIT: 1}
actions:
  - {path: ONE, server_class: A, phase: INIT, when: 10, task: {shell: [sh, -c, "exit 3"]}}
"""
CHANNELS = ("TEST/1/INIT/1", "TEST/1/\\TEST::TOP:ONE#1")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    settings = {"retention_s": RETENTION_S}
    experiments = {"TEST": tmp_path / "experiment.yaml"}
    with with_monitor(tmp_path, ("A:1",), experiments, settings) as running:
        yield running


async def told(page: Page, channel: str) -> tuple[int, int | None]:
    """Return how many messages a new reader gets, and with which code it is closed."""
    live = await page.ws(channel)
    return len(await live.rest()), live.closed_with[0]


def test_what_has_ended_is_told_within_the_retention_time_and_not_after_it(stack: Stack) -> None:
    async def work() -> None:
        async with Page(stack) as page:
            await page.done("create_pulse", tree="TEST", shot=1)
            await page.done("build_tables", tree="TEST", shot=1)
            body = {"tree": "TEST", "shot": 1, "phase": "INIT", "wait": True}
            assert (await page.post("/api/do_phase", body)).json["outcome"] == "failed"
            first = {channel: await told(page, channel) for channel in CHANNELS}
            ended = time.monotonic()  # a moment after the end of both, whatever that end was
            assert all(code == 1000 and number > 2 for number, code in first.values()), first
            gone: dict[str, float] = {}
            async with asyncio.timeout(DEADLINE_S):
                while len(gone) < len(CHANNELS):
                    for channel in set(CHANNELS) - set(gone):
                        asked = time.monotonic()
                        number, code = await told(page, channel)
                        if code == 4404:
                            gone[channel] = time.monotonic()
                        else:
                            # Whole until it is gone, and it is gone not long after its time.
                            assert (number, code) == first[channel]
                            assert asked < ended + RETENTION_S + DEADLINE_S / 2
            # The shot itself goes on.
            live = await page.ws({"subscribe": "TEST/1", "state": True})
            await live.until_message("TEST/1", lambda one: one["command"] == "WHOLE")

    asyncio.run(work())
