"""What a real server measures of itself and its host, with real tasks."""

import hashlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.action_server import ServerProcess, ServersBroker, python

from shotline.common.actions import Status
from shotline.common.fleet.facts import ServerFacts
from shotline.common.messages import (
    CommandBeats,
    Finished,
    LogLine,
    Register,
    RegisterAnew,
    ServerBeat,
)
from shotline.common.settings.config import find_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broker() -> Iterator[ServersBroker]:
    broker = ServersBroker()
    yield broker
    broker.close()


@pytest.fixture
def server(broker: ServersBroker, tmp_path: Path) -> Iterator[ServerProcess]:
    packages = tmp_path / "packages" / "MDSplus"
    packages.mkdir(parents=True)
    (packages / "__init__.py").write_text("raise SystemExit('imported')\n")
    (packages / "_version.py").write_text('version = (7, 142, 81)\nrelease_tag = "stable"\n')
    server = ServerProcess(
        broker.address,
        tmp_path / "data",
        "--label",
        "fast-disk",
        SHOTLINE_ACTION_SERVER__FACTS_S="0.5",
        SHOTLINE_ACTION_SERVER__DISKS=f"[{tmp_path}, /no/such/folder]",
        PYTHONPATH=f"{packages.parent}:{ROOT}",
    )
    try:
        broker.expect(Register)
        yield server
    finally:
        server.end()


def facts_of(broker: ServersBroker) -> list[ServerFacts]:
    return [beat.facts for beat in broker.all(ServerBeat) if beat.facts is not None]


def measured(broker: ServersBroker, more: int = 1) -> ServerFacts:
    def with_host() -> list[ServerFacts]:
        return [facts for facts in facts_of(broker) if facts.host is not None]

    wanted = len(with_host()) + more
    broker.wait(lambda: len(with_host()) >= wanted, "facts of the host")
    return with_host()[-1]


def test_a_server_tells_what_it_is_and_how_its_host_is(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    assert broker.expect(Register).labels == ("fast-disk",)
    facts = measured(broker, more=2)
    assert facts.python == platform.python_version()
    assert facts.mdsplus == "7.142.81"
    assert facts.config_hash == hashlib.sha256(find_config().read_bytes()).hexdigest()[:12]
    host = facts.host
    assert host is not None
    assert host.cpus == os.cpu_count()
    assert 0 < host.memory_used_b < host.memory_total_b == psutil.virtual_memory().total
    assert host.swap_total_b == psutil.swap_memory().total
    [disk] = host.disks
    assert disk.path == str(tmp_path)
    assert 0 < disk.free_b <= disk.total_b
    assert "disk of /no/such/folder cannot be measured" in server.errors.read_text()


def test_actions_done_and_their_processor_time_are_counted_whatever_ends_them(
    broker: ServersBroker, server: ServerProcess
) -> None:
    burns = python("uses_processor", seconds=0.3)
    assert broker.run(burns).status is Status.SUCCESS
    code = "import time\nwhile time.process_time() < 0.3: pass"
    assert broker.run(python("calls", arguments=["python3", "-c", code])).status is Status.SUCCESS
    assert broker.run(python("raises")).status is Status.FAILURE
    late = broker.run(python("uses_processor", seconds=60.0), timeout_s=0.6)
    assert late.status is Status.FAILURE
    facts = measured(broker, more=2)
    assert (facts.done, facts.failed) == (4, 2)
    # On a busy machine the last one had less than its time for itself.
    assert 0.7 < facts.cpu_time_s < 5.0


def test_a_measurement_can_be_asked_for(broker: ServersBroker, server: ServerProcess) -> None:
    measured(broker)
    broker.send(CommandBeats(term=1, heartbeat_s=0.1))
    broker.wait(lambda: facts_of(broker)[-1].heartbeat_s == 0.1, "the answer")
    assert not broker.all(Finished)


def test_its_log_is_told_and_told_again_to_who_may_be_new(
    broker: ServersBroker, server: ServerProcess
) -> None:
    broker.wait(lambda: "uses the broker at" in said(broker), "the log")
    broker.expect(ServerBeat)
    before = len(broker.all(LogLine))
    broker.send(RegisterAnew(why="nobody knows you"))
    broker.wait(lambda: "registers anew: nobody knows you" in said(broker), "the log")
    assert said(broker).count("uses the broker at") == 2
    assert len(broker.all(LogLine)) > before
    server.end()
    broker.wait(lambda: "its process was stopped" in said(broker), "its last words")


def said(broker: ServersBroker) -> str:
    return "\n".join(line.text for line in broker.all(LogLine))
