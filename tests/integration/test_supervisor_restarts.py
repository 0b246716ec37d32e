"""A supervisor that waits for its run while daemons are killed and come back (DESIGN D15, §5)."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.stack import DEADLINE_S, Stack

from shotline.client.async_connection import AsyncEventStream
from shotline.client.errors import NoDispatcher
from shotline.client.observer import News, Whole
from shotline.client.report import Report
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.actions import ActionState, Status
from shotline.common.records import Transition
from shotline.common.views import ShotEvent

EXPERIMENT = """
experiment: TEST
phases: {PULSE: 1}
actions:
  - path: FIRE
    server_class: A
    phase: PULSE
    when: 10
    task: {shell: [sh, -c, "echo started >>%(counted)s; while [ ! -e %(go)s ]; do sleep 0.1; done"]}
  - {path: COOL, server_class: A, phase: PULSE, when: 20, task: {sleep: 0}}
"""


class Shot:
    """A stack with a shot whose first action runs until the test lets it go."""

    def __init__(self, folder: Path) -> None:
        self.counted = folder / "counted"
        self.go = folder / "go"
        file = folder / "experiment.yaml"
        file.write_text(EXPERIMENT % {"counted": self.counted, "go": self.go})
        self.stack = Stack(folder, ("A:1",), {"TEST": file})

    def starts(self) -> int:
        return len(self.counted.read_text().splitlines())


@pytest.fixture
def shot(tmp_path: Path) -> Iterator[Shot]:
    made = Shot(tmp_path)
    with made.stack:
        yield made


async def until_doing(stream: AsyncEventStream) -> None:
    async with asyncio.timeout(DEADLINE_S):
        async for update in stream:
            if isinstance(update, Whole):
                states = [action.last.state for action in update.snapshot.actions]
            elif isinstance(update, News) and isinstance(update.payload, ShotEvent):
                records = update.payload.records
                states = [record.state for record in records if isinstance(record, Transition)]
            else:
                states = []
            if ActionState.DOING in states:
                return


async def run_with(shot: Shot, disturb: Callable[[], None]) -> Report:
    """Run the phase, disturb it while its first action runs, then let it go on."""
    stack = shot.stack
    async with AsyncSupervisor(stack.config.broker.clients, timeout_s=DEADLINE_S) as shotline:
        await shotline.create_pulse("TEST", 1)
        await shotline.build_tables("TEST", 1)
        async with await shotline.watch("TEST", 1) as stream:
            waiting = asyncio.create_task(shotline.do_phase("PULSE", "TEST", 1))
            await until_doing(stream)
        disturb()  # in this thread, with which the daemons would end; the loop may well stand still
        shot.go.touch()
        return await asyncio.wait_for(waiting, DEADLINE_S)


def check(shot: Shot, report: Report) -> None:
    assert report.ok, report
    assert report.run.run == 1
    assert [action.last.status for action in report.actions] == [Status.SUCCESS] * 2
    assert [action.last.attempt for action in report.actions] == [1, 1]
    assert shot.starts() == 1
    with shot.stack.supervisor() as shotline:
        (known,) = shotline.shots("TEST").shots
        assert [run.run for run in known.runs] == [1]


def test_a_supervisor_waits_on_while_the_dispatcher_is_killed_and_comes_back(shot: Shot) -> None:
    def disturb() -> None:
        shot.stack.dispatcher.kill()
        shot.stack.restart(shot.stack.dispatcher)

    check(shot, asyncio.run(run_with(shot, disturb)))


def test_a_supervisor_waits_on_while_the_broker_is_killed_and_comes_back(shot: Shot) -> None:
    def disturb() -> None:
        shot.stack.broker.kill()
        shot.stack.restart(shot.stack.broker)

    check(shot, asyncio.run(run_with(shot, disturb)))


def test_without_a_dispatcher_a_command_is_answered_at_once(shot: Shot) -> None:
    shot.stack.dispatcher.kill()
    with (
        shot.stack.supervisor() as shotline,
        pytest.raises(NoDispatcher, match="dispatcher"),
    ):
        shotline.create_pulse("TEST", 2)
