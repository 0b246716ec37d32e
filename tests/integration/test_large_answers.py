"""What grows beyond one message comes whole, and nobody is cut off for it."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from tests.support.monitor import Page, with_monitor
from tests.support.stack import Stack

from shotline.client.observer import Whole
from shotline.client.supervisor import Supervisor
from shotline.common.channels import shot_channel
from shotline.common.records import ShotKey
from shotline.common.views import SnapshotResult

COUNT = 500
REASON = "the valve is stuck; " * 200  # 4 KB of each action: two messages' worth of them all
LINES, WIDTH = 60, 50_000  # six times as much in JSON
BYTES_MAX = 2**20  # the smallest that can be configured

ACTION = """
  - path: A{number:04}
    server_class: A
    phase: INIT
    when: 1
    task: {{python: "large_tasks:refuses", arguments: {{text: "{reason}"}}}}
"""
EXPERIMENT = f"""
experiment: TEST
phases: {{INIT: 1, TALK: 2}}
actions:
{"".join(ACTION.format(number=number, reason=REASON) for number in range(COUNT))}
  - path: TALKS
    server_class: A
    phase: TALK
    when: 1
    task: {{python: "large_tasks:prints_zeros", arguments: {{lines: {LINES}, width: {WIDTH}}}}}
  - path: HUGE
    server_class: A
    phase: TALK
    when: 2
    task: {{python: "large_tasks:returns", arguments: {{value: "{"x" * (BYTES_MAX - 1)}"}}}}
"""

TASKS = """
def refuses(text):
    raise ValueError(text)

def prints_zeros(lines, width):
    for _ in range(lines):
        print("\\0" * width)

def returns(value):
    return len(value)
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("large")
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    (folder / "large_tasks.py").write_text(TASKS)
    settings = {
        "broker": {"message_bytes_max": BYTES_MAX},
        "action_server": {"task_path": [str(folder)]},
    }
    experiments = {"TEST": folder / "experiment.yaml"}
    with with_monitor(folder, ("A:1*4",), experiments, settings=settings) as running:
        with running.supervisor() as shotline:
            shotline.create_pulse("TEST", 1)
            shotline.build_tables("TEST", 1, list_actions=False)
            for phase in ("INIT", "TALK"):
                shotline.do_phase(phase, "TEST", 1)
        claims = _claims(running)
        yield running
        with running.supervisor() as shotline:
            assert shotline.status().term == 1
        assert _claims(running) == claims  # never cut off


def _claims(running: Stack) -> int:
    return running.broker.log_file.read_text().count("holds term 1")


@pytest.fixture
def shotline(stack: Stack) -> Iterator[Supervisor]:
    with stack.supervisor() as made:
        yield made


def names(count: int = COUNT) -> list[str]:
    return [rf"\TEST::TOP:A{number:04}" for number in range(count)]


def test_a_run_s_end_is_answered_with_all_its_actions(shotline: Supervisor) -> None:
    report = shotline.do_phase("INIT", "TEST", 1)
    assert not report.ok
    assert [one.path for one in report.failed] == names()
    assert all(REASON.strip() in one.last.reason for one in report.failed)
    again = shotline.wait("TEST", 1, report.run.run)
    assert [one.path for one in again.failed] == names()


def test_every_question_is_answered_whole(shotline: Supervisor) -> None:
    everything = [*names(), r"\TEST::TOP:TALKS", r"\TEST::TOP:HUGE"]
    assert [one.path for one in shotline.actions("TEST", 1).actions] == everything
    assert [one.path for one in shotline.tree("TEST", 1).actions] == everything
    assert [one.path for one in shotline.build_tables("TEST", 1).actions] == everything


def test_an_observer_gets_the_whole_state(shotline: Supervisor) -> None:
    channel = shot_channel(ShotKey("TEST", 1))
    with shotline.events(channel) as events:
        update = events.get(60)
    assert isinstance(update, Whole)
    assert isinstance(update.snapshot, SnapshotResult)
    assert len(update.snapshot.actions) == COUNT + 2
    assert update.snapshot.next is None


def test_unreadable_output_is_read_to_its_end(shotline: Supervisor) -> None:
    found = shotline.logs("TALKS", "TEST", 1)
    assert [line.number for line in found.lines] == list(range(LINES))
    assert all(len(line.text) == WIDTH for line in found.lines)
    assert not found.more
    few = shotline.logs("TALKS", "TEST", 1, limit=50)
    assert len(few.lines) == 50
    assert few.more


def test_an_action_that_no_message_can_carry_says_so(shotline: Supervisor) -> None:
    huge = shotline.show("HUGE", "TEST", 1).action
    assert huge.last.attempt == 0
    assert "bytes" in (huge.unreadable or "")


def test_the_http_interface_gives_pages_and_whole_files(stack: Stack) -> None:
    async def looks() -> None:
        async with Page(stack) as page:
            found: list[str] = []
            since = 0
            while since is not None:
                answer = await page.get(f"/api/actions?tree=TEST&shot=1&since={since}")
                assert answer.status == 200
                assert len(answer.body) < BYTES_MAX
                result = answer.json["result"]
                assert isinstance(result, dict)
                found += [one["path"] for one in result["actions"]]
                since = result["next"]
            assert found == [*names(), r"\TEST::TOP:TALKS", r"\TEST::TOP:HUGE"]
            text = await page.get("/api/logs.txt?tree=TEST&shot=1&path=TALKS")
            assert text.body == (b"\0" * WIDTH + b"\n") * LINES

    asyncio.run(looks())


def test_the_page_is_told_of_every_action(stack: Stack) -> None:
    async def looks() -> None:
        async with Page(stack) as page:
            socket = await page.ws({"subscribe": "TEST/1", "state": True})
            (whole,) = await socket.until_message("TEST/1", lambda _: True)
            actions = whole["actions"]
            assert isinstance(actions, list)
            assert len(actions) == COUNT + 2
            assert len(json.dumps(whole)) < COUNT * 2000

    asyncio.run(looks())


def test_unreadable_output_comes_whole_over_a_websocket(stack: Stack) -> None:
    async def looks() -> None:
        async with Page(stack) as page:
            socket = await page.ws({"subscribe": r"TEST/1/\TEST::TOP:TALKS#1"})
            told = await socket.until_message(
                r"TEST/1/\TEST::TOP:TALKS#1", lambda one: one["command"] in ("FINISHED", "FAILED")
            )
            lines = [line for one in told if one["command"] == "OUTPUT" for line in one["lines"]]  # type: ignore[attr-defined]
            assert [len(text) for _, _, text in lines] == [WIDTH] * LINES

    asyncio.run(looks())
