"""What tasks may do to a real action server: one process with real workers serves all tests here.

It ends well after all of it; what ends the server itself is in `test_action_server`.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.support import tasks
from tests.support.action_server import (
    ServerProcess,
    ServersBroker,
    is_running,
    pids_in,
    python,
    shell,
    text_of,
)

from shotline.common.actions import AttemptId, Status
from shotline.common.messages import (
    AbortAttempt,
    EndedBy,
    Finished,
    Output,
    Progress,
    Register,
    ServerBeat,
    Started,
    Tail,
)
from shotline.common.ranges import WHOLE_MAX


@pytest.fixture(scope="module")
def broker() -> Iterator[ServersBroker]:
    broker = ServersBroker()
    yield broker
    broker.close()


@pytest.fixture(scope="module")
def server(
    broker: ServersBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    server = ServerProcess(broker.address, tmp_path_factory.mktemp("server"))
    try:
        broker.expect(Register)
        yield server
    finally:
        server.end()


# How tasks end


@pytest.mark.parametrize(
    ("task", "status", "code", "reason"),
    [
        (python("returns"), Status.SUCCESS, None, ""),
        (python("returns", value=False), Status.FAILURE, None, "returned False"),
        (python("returns", value=65545), Status.SUCCESS, 65545, ""),
        (python("returns", value=65554), Status.FAILURE, 65554, "returned the even status 65554"),
        (python("returns", value="42 shots"), Status.SUCCESS, None, "42 shots"),
        (python("measures", value="8 pulses"), Status.SUCCESS, None, "8 pulses"),
        (python("yields"), Status.FAILURE, None, "returned a thing of the kind generator"),
        (python("returns_half_a_character"), Status.SUCCESS, None, "8 \\ud83d pulses"),
        (python("raises_half_a_character"), Status.FAILURE, None, "ValueError: gas \\udc80"),
        (python("returns_too_much"), Status.SUCCESS, WHOLE_MAX, "returned a number of 65 bits"),
        (python("leaves_too_much"), Status.FAILURE, WHOLE_MAX, "exit code a number of 71 bits"),
        (python("returns_the_unspeakable"), Status.SUCCESS, None, "returned <list that cannot"),
        (python("raises_the_unspeakable"), Status.FAILURE, None, "Unspeakable"),
        (python("leaves_the_unspeakable"), Status.FAILURE, 1, "<Unspeakable whose text"),
        (python("raises"), Status.FAILURE, None, "ValueError: no gas"),
        (python("raises_its_own"), Status.FAILURE, None, "ValveStuckError: valve 3 is stuck"),
        (python("leaves", code=3), Status.FAILURE, 3, "exit code 3"),
        (python("nowhere"), Status.FAILURE, None, "AttributeError: module"),
        (shell("true"), Status.SUCCESS, 0, ""),
        (shell("sh", "-c", "exit 3"), Status.FAILURE, 3, "exit code 3"),
        (shell("sh", "-c", "kill -9 $$"), Status.FAILURE, -9, "killed by SIGKILL"),
        (shell("/no/such/program"), Status.FAILURE, None, "cannot start /no/such/program: No such"),
        ({"kind": "sleep", "seconds": 0.01}, Status.SUCCESS, None, ""),
        ({"kind": "unheard of"}, Status.FAILURE, None, "the task cannot be understood"),
    ],
)
def test_each_kind_of_task_ends_in_its_words(
    broker: ServersBroker,
    server: ServerProcess,
    task: dict[str, object],
    status: Status,
    code: int | None,
    reason: str,
) -> None:
    finished = broker.run(task)
    assert (finished.ended_by, finished.status, finished.code) == (EndedBy.RESULT, status, code)
    assert finished.reason.startswith(reason)
    assert finished.started_at is not None
    assert finished.duration_s is not None


def test_an_exception_shows_its_traceback_and_not_ours(
    broker: ServersBroker, server: ServerProcess
) -> None:
    finished = broker.run(python("raises"))
    errors = text_of(broker, finished.attempt, stream=2)
    assert errors[0] == "Traceback (most recent call last):"
    assert errors[-1] == "ValueError: no gas"
    assert "tests/support/tasks.py" in errors[1]


def test_a_task_knows_its_attempt_and_runs_in_the_pulse_folder(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    finished = broker.run(python("shows_its_surroundings"), path="\\TOP.GAS:FILL", folder=tmp_path)
    lines = text_of(broker, finished.attempt)
    assert "SHOTLINE_TREE=TEST" in lines
    assert "SHOTLINE_SHOT=42" in lines
    assert "SHOTLINE_PATH=\\TOP.GAS:FILL" in lines
    assert f"SHOTLINE_ATTEMPT={finished.attempt.number}" in lines
    assert f"SHOTLINE_SHOT_DIR={tmp_path}" in lines
    assert f"folder={tmp_path}" in lines


@pytest.mark.parametrize(
    "spoils", ["spoils_its_surroundings", "spoils_its_streams", "replaces_its_environment"]
)
def test_a_task_finds_nothing_that_the_one_before_has_changed(
    broker: ServersBroker, server: ServerProcess, spoils: str, tmp_path: Path
) -> None:
    [worker] = server.workers()
    before = broker.run(python("shows_its_surroundings"))
    broker.run(python(spoils), path="\\TOP:OTHER", folder=tmp_path)
    after = broker.run(python("shows_its_surroundings"))
    expected = [
        line.replace(f"ATTEMPT={before.attempt.number}", f"ATTEMPT={after.attempt.number}")
        for line in text_of(broker, before.attempt)
    ]
    assert text_of(broker, after.attempt) == expected
    assert text_of(broker, after.attempt, stream=2) == ["to stderr"]
    assert server.workers() == [worker]


def test_a_task_finds_its_process_as_it_was_before_another(
    broker: ServersBroker, server: ServerProcess
) -> None:
    [worker] = server.workers()
    before = text_of(broker, broker.run(python("shows_its_process")).attempt)
    for what in (*tasks.SPOILS, None):
        spoilt = broker.run(python("spoils_its_process", what=what))
        assert (spoilt.status, spoilt.reason, spoilt.lines) == (Status.SUCCESS, "", 0)
        assert text_of(broker, broker.run(python("shows_its_process")).attempt) == before, what
        assert server.workers() == [worker]


@pytest.mark.parametrize("what", ["limits", "priority", "modules", "user"])
def test_what_cannot_be_put_back_does_not_reach_the_next_task(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path, what: str
) -> None:
    (tmp_path / "elsewhere.py").touch()
    [worker] = server.workers()
    before = text_of(broker, broker.run(python("shows_its_process")).attempt)
    if what == "user" and os.getuid() != 0:
        what = "modules"  # only root may
    task = python("changes_for_good", what=what, folder=str(tmp_path))
    changed = broker.run(task)
    assert changed.status is Status.SUCCESS
    assert text_of(broker, broker.run(python("shows_its_process")).attempt) == before
    if what in ("modules", "user"):
        [note] = text_of(broker, changed.attempt, stream=0)
        assert note.endswith("; its worker process is replaced]")
        assert server.workers() != [worker]
        assert broker.run(python("is_loaded", module="elsewhere")).reason == "False"


def test_what_a_task_registers_for_the_end_is_called_at_its_end(
    broker: ServersBroker, server: ServerProcess
) -> None:
    [worker] = server.workers()
    finished = broker.run(python("registers_for_the_end"))
    assert finished.status is Status.SUCCESS
    assert text_of(broker, finished.attempt) == ["the task", "third", "second"]
    errors = text_of(broker, finished.attempt, stream=2)
    assert errors[0].startswith("Exception ignored in atexit callback <function tasks_end")
    assert errors[-1] == "ValueError: at the end"
    assert broker.run(python("returns")).status is Status.SUCCESS
    assert server.workers() != [worker]


@pytest.mark.parametrize(
    "task",
    [
        python("shares", text="six times seven"),
        python("computes_in_processes", way="fork"),
        python("computes_in_processes", way="spawn"),
        python("computes_in_processes", way="forkserver"),
    ],
    ids=["memory", "fork", "spawn", "forkserver"],
)
def test_the_helpers_of_multiprocessing_are_no_leftovers(
    broker: ServersBroker, server: ServerProcess, task: dict[str, object]
) -> None:
    [worker] = server.workers()
    for _ in range(2):
        finished = broker.run(task)
        assert (finished.status, finished.reason) == (Status.SUCCESS, "six times seven")
        assert broker.lines(finished.attempt) == []
        assert psutil.Process(worker).children() == []
    assert server.workers() == [worker]


def test_a_task_finds_its_arguments_whatever_another_did_with_the_same(
    broker: ServersBroker, server: ServerProcess
) -> None:
    task = python("uses_up", stock={"pellets": [1, 2]}, left=3)
    assert broker.run(task).reason == "{'pellets': [1, 2]} 3"
    assert broker.run(task).reason == "{'pellets': [1, 2]} 3"


@pytest.mark.parametrize("way", ["python", "shell"])
def test_progress_is_shown_and_not_kept_as_output(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path, way: str
) -> None:
    file = tmp_path / "go on"
    script = 'echo ::progress 0.25 a quarter; while ! test -e "$1"; do sleep 0.05; done; echo done'
    tasks = {
        "python": python("reports", file=str(file)),
        "shell": shell("sh", "-c", script, "sh", str(file)),
    }
    attempt = broker.dispatch(tasks[way])
    shown = broker.expect(Progress, attempt)
    assert (shown.fraction, shown.text) == (0.25, "a quarter")
    file.touch()
    finished = broker.expect(Finished, attempt)
    assert finished.status is Status.SUCCESS
    assert text_of(broker, attempt) == (["done"] if way == "shell" else [])


# Output


def test_a_hundred_thousand_lines_arrive_in_order(
    broker: ServersBroker, server: ServerProcess
) -> None:
    finished = broker.run(python("prints_lines", count=100_000))
    assert finished.status is Status.SUCCESS
    assert finished.lines == 100_000
    lines = broker.lines(finished.attempt)
    assert lines == [(1, b"%06d " % number + b"x" * 72) for number in range(100_000)]
    assert len(broker.all(Output)) < 5_000


def test_output_without_any_line_end(broker: ServersBroker, server: ServerProcess) -> None:
    finished = broker.run(python("writes", data="61" * 1000, times=300))
    lines = broker.lines(finished.attempt)
    assert b"".join(line for stream, line in lines if stream == 1) == b"a" * 300_000
    assert [line for stream, line in lines if stream == 0] == [
        b"[lines longer than 65536 bytes are split]"
    ]
    finished = broker.run(shell("printf", "short"))
    assert broker.lines(finished.attempt) == [(1, b"short")]


def test_output_in_no_encoding(broker: ServersBroker, server: ServerProcess) -> None:
    finished = broker.run(python("writes", data="fffe00c3280a80810a"))
    assert broker.lines(finished.attempt) == [(1, b"\xff\xfe\x00\xc3("), (1, b"\x80\x81")]


def test_standard_error_between_standard_output(
    broker: ServersBroker, server: ServerProcess
) -> None:
    finished = broker.run(python("alternates", count=500))
    assert text_of(broker, finished.attempt, 1) == [f"out {number}" for number in range(500)]
    assert text_of(broker, finished.attempt, 2) == [f"err {number}" for number in range(500)]


@pytest.mark.parametrize(
    "task",
    [
        "python",
        "c",
        "program",
        "python program",
    ],
)
def test_output_is_seen_while_the_task_runs(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path, task: str
) -> None:
    file = tmp_path / "go on"
    waiting = f"print('hello'); import os\nwhile not os.path.exists({str(file)!r}): pass"
    attempt = broker.dispatch(
        {
            "python": python("waits_for", file=str(file), say="hello"),
            "c": python("prints_in_c", text="hello", file=str(file)),
            "program": shell(
                "sh", "-c", 'echo hello; while ! test -e "$1"; do sleep 0.05; done', "sh", str(file)
            ),
            "python program": shell(sys.executable, "-c", waiting),
        }[task]
    )
    broker.expect(Output, attempt)
    assert text_of(broker, attempt)[0] == "hello"
    assert broker.all(Started, attempt)
    assert not broker.all(Finished, attempt)
    file.touch()
    finished = broker.expect(Finished, attempt)
    assert finished.status is Status.SUCCESS
    assert finished.lines == len(broker.lines(attempt))


def test_output_of_c_without_a_line_end(broker: ServersBroker, server: ServerProcess) -> None:
    finished = broker.run(python("prints_in_c", text="hello"))
    assert text_of(broker, finished.attempt) == ["hello", "without an end"]


def test_a_forked_child_is_not_taken_for_the_worker(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    finished = broker.run(python("forks", pid_file=str(file)))
    assert finished.status is Status.SUCCESS
    assert {"the child", "the parent"} <= set(text_of(broker, finished.attempt))
    assert not is_running(int(file.read_text()))
    assert broker.run(python("returns")).status is Status.SUCCESS
    assert len(broker.all(Finished, finished.attempt)) == 1


@pytest.mark.parametrize("where", ["its group", "a session of its own"])
def test_what_a_task_leaves_behind_is_ended_and_noted(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path, where: str
) -> None:
    file = tmp_path / "pids"
    [worker] = server.workers()
    finished = broker.run(
        python("starts_child", pid_file=str(file), own_session=where != "its group", stay=False)
    )
    assert finished.status is Status.SUCCESS
    _, child = pids_in(broker, file)
    assert not is_running(child)
    [note] = text_of(broker, finished.attempt, stream=0)
    assert note.startswith(f"[the task left process {child} (")
    assert note.endswith(") running; it was ended]")
    assert server.workers() == [worker]


@pytest.mark.parametrize(
    ("task", "name"),
    [("leaves_thread", "left-behind"), ("leaves_an_unspeakable_thread", "left \\udc80")],
)
def test_a_worker_with_a_leftover_thread_is_replaced(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path, task: str, name: str
) -> None:
    [worker] = server.workers()
    finished = broker.run(python(task, file=str(tmp_path / "never")))
    assert finished.status is Status.SUCCESS
    [note] = text_of(broker, finished.attempt, stream=0)
    assert name in note
    broker.run(python("returns"))
    assert worker not in server.workers()


def test_a_prompt_is_shown_while_the_task_waits(
    broker: ServersBroker, server: ServerProcess
) -> None:
    attempt = broker.dispatch(shell("sh", "-c", "printf 'ready? '; exec sleep 60"))
    tail = broker.expect(Tail, attempt)
    assert (tail.stream, tail.text) == (1, b"ready? ")
    broker.send(AbortAttempt(term=1, attempt=attempt, reason="enough"))
    assert broker.expect(Finished, attempt).ended_by is EndedBy.ABORT


# Timeouts, aborts, deaths


def test_a_task_that_ignores_term_is_ended_at_its_time_limit(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "pids"
    attempt = broker.dispatch(python("ignores_term", pid_file=str(file)), timeout_s=3.0)
    pids = pids_in(broker, file)
    finished = broker.expect(Finished, attempt)
    assert finished.ended_by is EndedBy.TIMEOUT
    assert finished.status is Status.FAILURE
    assert finished.reason == "ended at its time limit of 3 s"
    assert not finished.outcome_unknown
    assert not any(map(is_running, pids))
    assert broker.run(python("returns")).status is Status.SUCCESS


def test_abort_of_a_running_action_is_reported_once_its_processes_are_gone(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "pids"
    attempt = broker.dispatch(python("ignores_term", pid_file=str(file)))
    pids = pids_in(broker, file)
    broker.send(AbortAttempt(term=1, attempt=attempt, reason="somebody said so"))
    finished = broker.expect(Finished, attempt)
    assert finished.ended_by is EndedBy.ABORT
    assert finished.reason == "somebody said so"
    assert finished.status is None
    assert not finished.outcome_unknown
    assert not any(map(is_running, pids))


def test_abort_reaches_what_has_left_the_process_group(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "pids"
    attempt = broker.dispatch(python("starts_child", pid_file=str(file), own_session=True))
    pids = pids_in(broker, file)
    broker.send(AbortAttempt(term=1, attempt=attempt, reason="enough"))
    assert broker.expect(Finished, attempt).ended_by is EndedBy.ABORT
    assert not any(map(is_running, pids))


def test_abort_of_what_waits_and_of_what_has_not_come_yet(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    go_on, count = tmp_path / "go on", tmp_path / "count"
    running = broker.dispatch(python("waits_for", file=str(go_on)))
    waiting = broker.dispatch(python("appends", file=str(count)))
    coming = AttemptId("TEST", 42, "\\TOP:B", 7)
    broker.send(AbortAttempt(term=1, attempt=waiting, reason="not this one"))
    broker.send(AbortAttempt(term=1, attempt=coming, reason="nor that one"))
    broker.dispatch(python("appends", file=str(count)), attempt=coming)
    for attempt in (waiting, coming):
        finished = broker.expect(Finished, attempt)
        assert finished.ended_by is EndedBy.ABORT
        assert finished.started_at is None
    go_on.touch()
    assert broker.expect(Finished, running).status is Status.SUCCESS
    assert not count.exists()


def test_a_killed_worker_is_reported_and_replaced(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "pids"
    attempt = broker.dispatch(python("starts_child", pid_file=str(file)))
    worker, child = pids_in(broker, file)
    os.kill(worker, signal.SIGKILL)
    finished = broker.expect(Finished, attempt)
    assert finished.ended_by is EndedBy.WORKER_DIED
    assert finished.status is Status.FAILURE
    assert finished.reason == "its worker process was killed by SIGKILL"
    assert not is_running(child)
    assert broker.run(python("returns")).status is Status.SUCCESS


def test_a_task_that_ends_its_process_is_a_dead_worker(
    broker: ServersBroker, server: ServerProcess
) -> None:
    finished = broker.run(python("dies", code=4))
    assert finished.ended_by is EndedBy.WORKER_DIED
    assert finished.reason == "its worker process exited with code 4"


def test_heartbeats_go_on_while_a_task_is_busy(
    broker: ServersBroker, server: ServerProcess
) -> None:
    attempt = broker.dispatch(python("is_busy", seconds=3.0))
    broker.expect(Started, attempt)
    before = len(broker.all(ServerBeat))
    broker.expect(ServerBeat, count=before + 4)
    assert not broker.all(Finished, attempt)
    beat = broker.all(ServerBeat)[-1]
    assert (beat.busy, beat.last_number) == (1, broker.number)
    assert broker.expect(Finished, attempt).status is Status.SUCCESS


def test_three_hundred_actions_leave_no_descriptor_behind(
    broker: ServersBroker, server: ServerProcess
) -> None:
    """Point 7 of the list of what the Redis dispatcher gets wrong."""
    process = psutil.Process(server.pid)
    [worker] = map(psutil.Process, server.workers())
    for _ in range(10):
        broker.run(shell("echo", "hello"))
    before = process.num_fds(), worker.num_fds()
    for number in range(300):
        broker.run(shell("echo", "hello") if number % 10 == 0 else python("alternates", count=1))
    assert (process.num_fds(), worker.num_fds()) == before


def test_replaced_workers_leave_no_descriptor_behind(
    broker: ServersBroker, server: ServerProcess
) -> None:
    process = psutil.Process(server.pid)
    broker.run(python("dies", code=1))
    broker.run(python("returns"))
    before = process.num_fds()
    for _ in range(5):
        broker.run(python("dies", code=1))
        broker.run(python("returns"))
    assert process.num_fds() == before
