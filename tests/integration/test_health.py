"""The site's check of a host, run by real servers: who runs it, what it says, what ends it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.action_server import ServerProcess, ServersBroker, is_running, shell

from shotline.common.actions import Status
from shotline.common.fleet.facts import Health
from shotline.common.messages import Register, ServerBeat


@pytest.fixture
def starting() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def checked(starting: ExitStack, folder: Path, script: str, **keys: str) -> ServersBroker:
    """Start a server whose host is checked by a shell's script, with a broker of its own."""
    check = folder / "check.sh"
    check.write_text(f"#!/bin/sh\n{script}\n")
    check.chmod(0o755)
    broker = ServersBroker()
    starting.callback(broker.close)
    settings = {"COMMAND": f"[{check}, well?]", "EVERY_S": "0.3", "TIMEOUT_S": "10.0"} | keys
    server = ServerProcess(
        broker.address,
        folder / "data",
        SHOTLINE_ACTION_SERVER__FACTS_S="0.5",
        **{f"SHOTLINE_ACTION_SERVER__HEALTH__{key}": value for key, value in settings.items()},
    )
    starting.callback(server.end)
    broker.expect(Register)
    return broker


def last(broker: ServersBroker) -> Health | None:
    told = [beat.facts for beat in broker.all(ServerBeat) if beat.facts is not None]
    return told[-1].health if told else None


def wait_for(broker: ServersBroker, *, ok: bool) -> Health:
    def is_there() -> bool:
        health = last(broker)
        return health is not None and health.ok is ok

    broker.wait(is_there, f"a check that is {ok}")
    health = last(broker)
    assert health is not None
    return health


def test_a_failing_check_is_told_with_what_it_wrote_until_it_is_well(
    starting: ExitStack, tmp_path: Path
) -> None:
    ill = tmp_path / "ill"
    script = f'if [ -e {ill} ]; then echo "$1 no:"; echo no disk >&2; exit 3; fi'
    broker = checked(starting, tmp_path, script)
    assert wait_for(broker, ok=True).text == ""
    ill.touch()
    assert wait_for(broker, ok=False).text == "well? no:\nno disk"
    ill.unlink()
    wait_for(broker, ok=True)


def test_a_check_that_hangs_is_killed_with_all_that_it_started(
    starting: ExitStack, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    script = f"echo hangs; sleep 1000 & echo $! $$ > {pids}; wait"
    broker = checked(starting, tmp_path, script, TIMEOUT_S="0.5", EVERY_S="1000.0")
    assert wait_for(broker, ok=False).text == "it did not end in 0.5 s: hangs"
    left = [int(word) for word in pids.read_text().split()]
    broker.wait(lambda: not any(map(is_running, left)), "the end of the check")


def test_a_check_that_cannot_be_run_is_a_host_that_is_not_well(
    starting: ExitStack, tmp_path: Path
) -> None:
    broker = checked(starting, tmp_path, "", COMMAND="[/no/such/check]")
    text = "/no/such/check cannot be run: No such file or directory"
    assert wait_for(broker, ok=False).text == text


def test_it_goes_on_while_tasks_run_and_end(starting: ExitStack, tmp_path: Path) -> None:
    count = tmp_path / "count"
    broker = checked(starting, tmp_path, f"echo once >> {count}; exit 1", EVERY_S="0.1")
    for _ in range(20):
        assert broker.run(shell("sleep", "0.05")).status is Status.SUCCESS
    assert wait_for(broker, ok=False).text == "exit code 1"
    assert len(count.read_text().splitlines()) > 2


def test_one_server_of_a_host_runs_it_and_all_of_them_tell_what_it_said(
    starting: ExitStack, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    script = f"echo once >> {count}; sleep 0.3; echo bad fan; exit 1"
    brokers = [checked(starting, tmp_path, script, EVERY_S="1000.0") for _ in range(3)]
    assert {wait_for(broker, ok=False) for broker in brokers} == {last(brokers[0])}
    assert count.read_text() == "once\n"
