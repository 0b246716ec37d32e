"""What a task may use by the configuration, and that its end names the limit: real processes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.action_server import ServerProcess, ServersBroker, python, shell, text_of

from shotline.common.actions import Status
from shotline.common.messages import EndedBy, Register

MEMORY = 2**31
CPU_S = "; its processor time is limited to 1 s (cpu_s)"
TOO_LONG = "while :; do :; done"


@pytest.fixture(scope="module")
def broker() -> Iterator[ServersBroker]:
    broker = ServersBroker()
    yield broker
    broker.close()


@pytest.fixture(scope="module")
def server(
    broker: ServersBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("limits")
    limits = {"memory_bytes": MEMORY, "cpu_s": 1, "open_files": 100}
    others = {"memory_bytes": 2**28, "cpu_s": 100, "open_files": 64, "processes": 100}
    classes = {"TES?": {"limits": limits, "nice": 3}}
    section = {"action_server": {"limits": others}, "classes": classes}
    (folder / "config.yaml").write_text(yaml.safe_dump(section))
    server = ServerProcess(broker.address, folder / "data", "--config", str(folder / "config.yaml"))
    try:
        broker.expect(Register)
        yield server
    finally:
        server.end()


@pytest.mark.parametrize(
    ("task", "ended_by", "reason"),
    [
        (
            python("uses_memory", count=MEMORY),
            EndedBy.RESULT,
            "MemoryError; its memory is limited to 2147483648 bytes (memory_bytes)",
        ),
        (
            python("raises_for_want_of_memory", count=MEMORY),
            EndedBy.RESULT,
            "RuntimeError: no image; its memory is limited to 2147483648 bytes (memory_bytes)",
        ),
        (
            python("opens_files", count=200),
            EndedBy.RESULT,
            "OSError: [Errno 24] Too many open files: '/dev/null'; it may have 100 files open "
            "(open_files)",
        ),
        (
            python("is_busy", seconds=1000),
            EndedBy.WORKER_DIED,
            f"its worker process was killed by SIGXCPU{CPU_S}",
        ),
        (
            python("calls", arguments=["sh", "-c", TOO_LONG]),
            EndedBy.RESULT,
            f"CalledProcessError: Command '['sh', '-c', '{TOO_LONG}']' died with "
            f"<Signals.SIGXCPU: 24>.{CPU_S}",
        ),
        (shell("sh", "-c", TOO_LONG), EndedBy.RESULT, f"killed by SIGXCPU{CPU_S}"),
        (
            shell("sh", "-c", f"sh -c '{TOO_LONG}'; exit $?"),
            EndedBy.RESULT,
            f"exit code 152{CPU_S}",
        ),
    ],
)
def test_a_task_beyond_a_limit_fails_and_says_which(
    broker: ServersBroker,
    server: ServerProcess,
    task: dict[str, object],
    ended_by: EndedBy,
    reason: str,
) -> None:
    finished = broker.run(task)
    assert (finished.ended_by, finished.status) == (ended_by, Status.FAILURE)
    assert finished.reason == reason
    assert broker.run(python("returns")).status is Status.SUCCESS


def test_what_a_task_starts_has_its_limits(broker: ServersBroker, server: ServerProcess) -> None:
    # Its processor time is set when it has just begun.
    script = 'while [ "$(ulimit -t)" != 1 ]; do :; done; ulimit -v; ulimit -n; ulimit -t'
    finished = broker.run(shell("sh", "-c", script))
    assert text_of(broker, finished.attempt) == [str(MEMORY // 1024), "100", "1"]
    assert finished.status is Status.SUCCESS


def test_a_task_has_its_processor_time_whatever_its_worker_has_done_before(
    broker: ServersBroker, server: ServerProcess
) -> None:
    for _ in range(3):
        finished = broker.run(python("uses_processor", seconds=0.6))
        assert (finished.status, finished.reason) == (Status.SUCCESS, "")


def test_a_limit_holds_for_tasks_and_not_for_the_worker(
    broker: ServersBroker, server: ServerProcess
) -> None:
    before = text_of(broker, broker.run(python("shows_its_process")).attempt)
    assert "RLIMIT_NOFILE=(100, " in "\n".join(before)
    [worker] = server.workers()
    limits = Path(f"/proc/{worker}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert line.split()[3] != "100"


def test_tasks_stand_back_behind_others_as_their_class_says(
    broker: ServersBroker, server: ServerProcess
) -> None:
    finished = broker.run(shell("nice"))
    assert text_of(broker, finished.attempt) == [str(os.nice(0) + 3)]
    assert os.getpriority(os.PRIO_PROCESS, server.pid) == os.nice(0)


def test_a_user_who_may_have_no_more_processes_is_said(tmp_path: Path) -> None:
    broker = ServersBroker()
    server = ServerProcess(
        broker.address, tmp_path / "data", SHOTLINE_ACTION_SERVER__LIMITS__PROCESSES="1"
    )
    try:
        broker.expect(Register)
        finished = broker.run(python("starts_as_nobody"))
        assert finished.reason == (
            "BlockingIOError: [Errno 11] Resource temporarily unavailable; its user may have 1 "
            "processes (processes)"
        )
        assert broker.run(python("returns")).status is Status.SUCCESS
    finally:
        server.end()
        broker.close()
