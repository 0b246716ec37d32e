"""A real action server process with real workers, against the broker of `tests.support`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from msgspec import structs
from tests.support.action_server import (
    PATIENCE_S,
    ServerProcess,
    ServersBroker,
    is_running,
    pids_in,
    python,
    wait_until_gone,
)

from shotline.action_server.workers.state_file import KnownProcess, ServerFile
from shotline.common.actions import AttemptId, Status
from shotline.common.base import to_json
from shotline.common.messages import (
    Answered,
    CommandServer,
    EndedBy,
    Finished,
    Goodbye,
    HeldAs,
    Output,
    OutputStored,
    Register,
    RegisterAnew,
    RegistrationRefused,
    Returned,
    ServerBeat,
    ServerOrder,
    Started,
    Verdict,
)


@pytest.fixture
def broker() -> Iterator[ServersBroker]:
    broker = ServersBroker()
    yield broker
    broker.close()


@pytest.fixture
def server(broker: ServersBroker, tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(broker.address, tmp_path / "data")
    try:
        broker.expect(Register)
        yield server
    finally:
        server.end()


# Limits and deaths


def test_output_beyond_the_limit_is_cut_with_a_note(broker: ServersBroker, tmp_path: Path) -> None:
    server = ServerProcess(
        broker.address, tmp_path / "data", SHOTLINE_ACTION_SERVER__OUTPUT_LINES_MAX="100"
    )
    try:
        broker.expect(Register)
        finished = broker.run(python("prints_lines", count=5000))
        lines = broker.lines(finished.attempt)
        assert len([line for stream, line in lines if stream == 1]) == 100
        cut, summary = [line.decode() for stream, line in lines if stream == 0]
        assert "output is cut here, at 100 lines" in cut
        assert "4900 lines" in summary
        assert finished.lines == len(lines)
    finally:
        server.end()


def test_output_that_nobody_stores_makes_the_task_wait_and_loses_nothing(
    broker: ServersBroker, tmp_path: Path
) -> None:
    window = 200_000
    server = ServerProcess(
        broker.address,
        tmp_path / "data",
        SHOTLINE_ACTION_SERVER__OUTPUT_WINDOW_BYTES=str(window),
    )
    try:
        broker.expect(Register)
        broker.stores_output = False
        attempt = broker.dispatch(python("prints_lines", count=60_000))

        def sent() -> int:
            # A server that had to register anew sends what is not stored once more.
            batches = {one.first: one for one in broker.all(Output)}.values()
            return sum(len(piece) for one in batches for _, _, piece in one.pieces)

        broker.wait(lambda: sent() >= window // 2, "half a window of output")
        beats = len(broker.all(ServerBeat))
        broker.expect(ServerBeat, count=beats + 5)
        assert sent() < 3 * window
        assert not broker.all(Finished, attempt)
        broker.stores_output = True
        broker.send(OutputStored(attempt=attempt, through=len(broker.lines(attempt))))
        finished = broker.expect(Finished, attempt)
        assert finished.lines == len(broker.lines(attempt)) == 60_000
    finally:
        server.end()


def test_killing_the_server_ends_all_that_its_workers_run(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "pids"
    broker.dispatch(python("ignores_term", pid_file=str(file)))
    pids = pids_in(broker, file)
    server.process.kill()
    server.wait()
    wait_until_gone(broker, pids)


def test_a_new_incarnation_ends_what_the_old_one_left(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    assert not broker.expect(Register).ended
    [worker] = server.workers()
    server.process.kill()
    server.wait()
    # What a crash may leave: a process that no longer hears of its server's death.
    [state] = (tmp_path / "data" / "servers").iterdir()
    stray = psutil.Popen(["sleep", "1000"], start_new_session=True)
    try:
        contents = msgspec.json.decode(state.read_bytes(), type=ServerFile)
        assert [known.pid for known in contents.workers] == [worker]
        left = (KnownProcess.of(stray.pid),)
        state.write_text(to_json(structs.replace(contents, workers=left)).decode())
        before = len(broker.all(Register))
        second = ServerProcess(broker.address, tmp_path / "data")
        try:
            register = broker.expect(Register, count=before + 1)
            assert register.ended == (broker.all(Register)[0].incarnation,)
            assert register.incarnation not in register.ended
            assert stray.wait(PATIENCE_S) == -signal.SIGKILL
        finally:
            second.end()
    finally:
        if stray.poll() is None:
            stray.kill()


def test_a_stranger_with_a_leftovers_number_is_left_alone(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    [worker] = server.workers()
    server.process.kill()
    server.wait()
    [state] = (tmp_path / "data" / "servers").iterdir()
    stranger = psutil.Popen(["sleep", "1000"], start_new_session=True)
    try:
        state.write_text(state.read_text().replace(str(worker), str(stranger.pid)))
        before = len(broker.all(Register))
        second = ServerProcess(broker.address, tmp_path / "data")
        try:
            assert broker.expect(Register, count=before + 1).ended
            assert stranger.is_running()
        finally:
            second.end()
    finally:
        stranger.kill()
        stranger.wait()


# The link


def test_results_and_output_are_repeated_to_the_byte_until_they_are_answered(
    broker: ServersBroker, server: ServerProcess
) -> None:
    broker.answers_results = broker.stores_output = False
    finished = broker.run(python("alternates", count=2000))
    attempt = finished.attempt
    first = broker.all(Output, attempt)
    registrations = len(broker.all(Register))
    broker.received.clear()
    broker.send(RegisterAnew(why="a test"))
    again = broker.expect(Finished, attempt)
    assert again == finished
    assert broker.all(Output, attempt) == first
    [register] = broker.all(Register)
    assert register.epoch == registrations + 1
    [held] = register.holding
    assert (held.attempt, held.held_as) == (attempt, HeldAs.FINISHED)
    broker.send(Answered(attempt=attempt, verdict=Verdict.STORED))
    broker.received.clear()
    broker.send(RegisterAnew(why="a test"))
    assert broker.expect(Register).holding == ()


def test_no_attempt_starts_twice(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "count"
    task = python("appends", file=str(file))
    attempt = broker.dispatch(task)
    broker.expect(Finished, attempt)
    old_epoch = broker.epoch
    broker.dispatch(task, attempt=attempt)  # answered and forgotten
    refused = broker.expect(Finished, attempt, count=2)
    assert refused.outcome_unknown
    broker.dispatch(task, attempt=attempt, number=2)  # a repeated number
    broker.send(RegisterAnew(why="a test"))
    broker.expect(Register, count=2)
    other = AttemptId("TEST", 42, "\\TOP:B", 1)
    broker.dispatch(task, attempt=other, epoch=old_epoch)  # an epoch that has passed
    broker.number = 0
    broker.run(python("returns"))
    assert file.read_text() == f"{attempt.number}\n"
    assert not broker.all(Finished, other)


def test_a_gap_in_the_dispatches_makes_the_server_register_anew(
    broker: ServersBroker, server: ServerProcess
) -> None:
    lost = broker.dispatch(python("returns"), number=2)
    register = broker.expect(Register, count=2)
    assert register.holding == ()
    broker.run(python("returns"))
    assert not broker.all(Finished, lost)


def test_another_broker_at_the_same_address_learns_what_the_server_holds(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path
) -> None:
    file = tmp_path / "go on"
    broker.answers_results = False
    done = broker.run(python("returns"))
    running = broker.dispatch(python("waits_for", file=str(file)))
    broker.expect(Started, running)
    broker.close()
    second = ServersBroker(broker.address, name="another")
    try:
        register = second.expect(Register)
        assert {held.attempt: held.held_as for held in register.holding} == {
            done.attempt: HeldAs.FINISHED,
            running: HeldAs.RUNNING,
        }
        assert second.expect(Finished, done.attempt) == done
        file.touch()
        assert second.expect(Finished, running).status is Status.SUCCESS
    finally:
        second.close()


def test_a_broker_that_does_not_answer_is_asked_again(
    broker: ServersBroker, server: ServerProcess
) -> None:
    broker.is_deaf = True
    broker.expect(Register, count=2)
    broker.is_deaf = False
    epoch = broker.expect(Register, count=3).epoch
    broker.wait(lambda: any(beat.epoch >= epoch for beat in broker.all(ServerBeat)), "a heartbeat")


def test_a_full_server_gives_work_back(broker: ServersBroker, tmp_path: Path) -> None:
    server = ServerProcess(
        broker.address, tmp_path / "data", SHOTLINE_ACTION_SERVER__RESULTS_MAX="3"
    )
    try:
        broker.expect(Register)
        broker.answers_results = False
        results = [broker.run(python("returns")) for _ in range(3)]
        returned = broker.expect(Returned, broker.dispatch(python("returns")))
        assert "full" in returned.why
        broker.wait(lambda: broker.all(ServerBeat)[-1].full, "a heartbeat that says full")
        for result in results:
            broker.send(Answered(attempt=result.attempt, verdict=Verdict.STORED))
        broker.wait(lambda: not broker.all(ServerBeat)[-1].full, "a heartbeat that says not full")
        broker.answers_results = True
        assert broker.run(python("returns")).status is Status.SUCCESS
    finally:
        server.end()


# The end of the server


@pytest.mark.parametrize("way", ["signal", "command"])
def test_a_server_that_ends_reports_what_it_ended(
    broker: ServersBroker, server: ServerProcess, tmp_path: Path, way: str
) -> None:
    file = tmp_path / "pids"
    running = broker.dispatch(python("ignores_term", pid_file=str(file)))
    waiting = broker.dispatch(python("returns"))
    pids = pids_in(broker, file)
    if way == "signal":
        server.process.terminate()
    else:
        broker.send(CommandServer(term=1, order=ServerOrder.QUIT, reason="the day is over"))
    by_whom = EndedBy.SERVER_ENDED if way == "signal" else EndedBy.ABORT
    assert broker.expect(Finished, running).ended_by is by_whom
    assert broker.expect(Returned, waiting)
    broker.expect(Goodbye)
    assert server.wait() == 0
    assert not any(map(is_running, pids))
    assert not list((tmp_path / "data" / "servers").iterdir())


def test_restart_is_a_new_incarnation_with_new_workers(
    broker: ServersBroker, server: ServerProcess
) -> None:
    first = broker.expect(Register)
    workers = server.workers()
    broker.send(CommandServer(term=1, order=ServerOrder.RESTART, reason="new code"))
    second = broker.expect(Register, count=2)
    assert second.incarnation != first.incarnation
    assert second.pid == first.pid == server.pid
    assert broker.run(python("returns")).status is Status.SUCCESS
    assert not set(workers) & set(server.workers())


def test_a_server_that_is_refused_for_good_ends_in_words(
    broker: ServersBroker, server: ServerProcess
) -> None:
    broker.send(RegistrationRefused(text="TEST:1 is somebody else", fatal=True))
    assert server.wait() == 69
    assert "TEST:1 is somebody else" in server.errors.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["1TEST", "1"], "CLASS '1TEST' is not possible"),
        (["TEST", "../1"], "ID '../1' is not possible"),
        (["TEST"], "Missing argument 'ID'"),
        (["TEST", "1", "--slots", "2", "--sequential", "1"], "say the same thing"),
        (["TEST", "1", "--slots", "-2"], "slots"),
        (["TEST", "1", "nowhere"], "broker.servers"),
    ],
)
def test_bad_arguments_are_refused_in_words(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shotline.action_server", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env={**os.environ, "SHOTLINE_DATA_FOLDER": str(tmp_path)},
    )
    assert done.returncode != 0
    assert words in done.stderr


def test_several_slots_run_at_a_time(broker: ServersBroker, tmp_path: Path) -> None:
    server = ServerProcess(broker.address, tmp_path / "data", "--slots", "3", "--process", "0")
    try:
        assert broker.expect(Register).slots == 3
        file = tmp_path / "go on"
        attempts = [broker.dispatch(python("waits_for", file=str(file))) for _ in range(4)]
        for attempt in attempts[:3]:
            broker.expect(Started, attempt)
        assert not broker.all(Started, attempts[3])
        file.touch()
        for attempt in attempts:
            assert broker.expect(Finished, attempt).status is Status.SUCCESS
        assert "processes of their own" in server.errors.read_text()
    finally:
        server.end()
