"""The keeper of an mdsip url: what a killed worker asked for goes on, its answer is the proof."""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from tests.support.mdsip.replay import ReplayServer

from shotline.common.actions import AttemptId
from shotline.common.nodes import TaskOutcome
from shotline.trees.mdsip_client import (
    Clear,
    Handed,
    KeeperCommand,
    KeeperEvent,
    KeeperExecutor,
    Late,
    UrlChanged,
    Withdrawn,
    WorkerGone,
    as_line,
    keeper_command,
    read_event,
)
from shotline.trees.tree import ConnectionLost, UrlBusy

DEADLINE_S = 30


class Keeper:
    """A keeper process, and the events that it has told."""

    def __init__(self, url: str, address: Path) -> None:
        self.address = address
        self.process = subprocess.Popen(
            keeper_command(url, address, 10.0, 15), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.events: queue.Queue[KeeperEvent] = queue.Queue()
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,))
        self._reader.start()
        self.wait_for(UrlChanged)

    def _read(self, lines: IO[bytes]) -> None:
        for line in lines:
            self.events.put(read_event(line))

    def wait_for(
        self, kind: type[KeeperEvent], such: Callable[[KeeperEvent], bool] = lambda _: True
    ) -> KeeperEvent:
        """Return the next event of this kind; those before it are passed over."""
        while True:
            event = self.events.get(timeout=DEADLINE_S)
            if isinstance(event, kind) and such(event):
                return event

    def wait_until_bound(self, **wanted: object) -> UrlChanged:
        """Return the next state with these fields."""

        def is_wanted(event: KeeperEvent) -> bool:
            assert isinstance(event, UrlChanged)
            return all(getattr(event.bound, name) == value for name, value in wanted.items())

        found = self.wait_for(UrlChanged, is_wanted)
        assert isinstance(found, UrlChanged)
        return found

    def say(self, command: KeeperCommand) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(as_line(command))
        self.process.stdin.flush()

    def close(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        self.process.stdout.close()
        return code


@pytest.fixture
def server() -> Iterator[ReplayServer]:
    with ReplayServer() as running:
        yield running


@pytest.fixture
def keeper(server: ReplayServer, tmp_path: Path) -> Iterator[Keeper]:
    running = Keeper(server.url, tmp_path / "keeper")
    yield running
    server.release.set()
    assert running.close() == 0


def attempt(name: str, shot: int = 1) -> AttemptId:
    return AttemptId("TEST", shot, f"\\TEST::TOP:{name}", 1)


def executor(
    server: ReplayServer, keeper: Keeper, said: list[str], wait_s: float = DEADLINE_S
) -> KeeperExecutor:
    return KeeperExecutor(server.url, keeper.address, url_wait_s=wait_s, say=said.append)


class Worker:
    """A process that asks for one task, as a worker does, and can be killed."""

    CODE = (
        "import sys; from pathlib import Path\n"
        "from shotline.trees.mdsip_client import KeeperExecutor\n"
        "from shotline.common.actions import AttemptId\n"
        "url, address, path, shot = sys.argv[1:]\n"
        "executor = KeeperExecutor(url, Path(address), url_wait_s=60)\n"
        "print(executor.execute(AttemptId('TEST', int(shot), path, 1)).code)\n"
    )

    def __init__(self, server: ReplayServer, keeper: Keeper, wanted: AttemptId) -> None:
        arguments = [server.url, str(keeper.address), wanted.path, str(wanted.shot)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.CODE, *arguments],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate(timeout=DEADLINE_S)

    def output(self) -> str:
        return self.process.communicate(timeout=DEADLINE_S)[0].decode()


def test_a_task_through_the_keeper(server: ReplayServer, keeper: Keeper) -> None:
    said: list[str] = []
    outcome = executor(server, keeper, said).execute(attempt("FAIL"))
    assert (outcome.ok, outcome.code) == (False, 265519154)
    assert said == [
        f"[runs on the mdsip server at {server.url}; its output is in that server's log]"
    ]
    keeper.wait_until_bound(tree="TEST", shot=1, unanswered=1)
    keeper.wait_until_bound(tree=None)


def test_the_answer_that_comes_after_the_worker_was_killed(
    server: ReplayServer, keeper: Keeper
) -> None:
    server.hold = "do_task"
    worker = Worker(server, keeper, attempt("TIMEOUT"))
    assert server.held.wait(DEADLINE_S)
    worker.kill()
    keeper.wait_until_bound(tree="TEST", shot=1, abandoned=1)
    server.release.set()
    late = keeper.wait_for(Late)
    assert isinstance(late, Late)
    assert late.attempt == attempt("TIMEOUT")
    assert late.outcome == TaskOutcome(ok=True, code=65545, text="%MDSPLUS-S-SUCCESS, Success")
    keeper.wait_until_bound(tree=None)
    assert len(server.asked("do_task")) == 1


def test_a_request_that_was_withdrawn_before_it_came_is_never_started(
    server: ReplayServer, keeper: Keeper
) -> None:
    keeper.say(WorkerGone(attempt=attempt("INIT_A")))
    withdrawn = keeper.wait_for(Withdrawn)
    assert isinstance(withdrawn, Withdrawn)
    assert withdrawn.attempt == attempt("INIT_A")
    outcome = executor(server, keeper, []).execute(attempt("INIT_A"))
    assert not outcome.ok
    assert outcome.text.startswith("was not started")
    assert server.asked("do_task") == []


def test_what_was_asked_for_cannot_be_withdrawn(server: ReplayServer, keeper: Keeper) -> None:
    assert executor(server, keeper, []).execute(attempt("INIT_A")).ok
    handed = keeper.wait_for(Handed)
    keeper.say(WorkerGone(attempt=attempt("INIT_A")))
    keeper.say(WorkerGone(attempt=attempt("INIT_B")))
    assert isinstance(handed, Handed)
    withdrawn = keeper.wait_for(Withdrawn)
    assert isinstance(withdrawn, Withdrawn)
    assert withdrawn.attempt == attempt("INIT_B")


def test_another_shot_waits_for_what_a_killed_worker_left_running(
    server: ReplayServer, keeper: Keeper
) -> None:
    server.hold = "do_task"
    worker = Worker(server, keeper, attempt("TIMEOUT"))
    assert server.held.wait(DEADLINE_S)
    worker.kill()
    keeper.wait_until_bound(abandoned=1)
    next_shot = Worker(server, keeper, attempt("INIT_A", 7))
    keeper.wait_until_bound(shot=1, waiting=1)
    assert len(server.asked("do_task")) == 1
    server.release.set()
    output = next_shot.output()
    assert f"[waits: {server.url} works for TEST/1: 1 unanswered, 1 of them ended by us" in output
    assert output.endswith("\n1\n")


def test_the_same_shot_goes_on_beside_it(server: ReplayServer, keeper: Keeper) -> None:
    server.hold = "do_task"
    worker = Worker(server, keeper, attempt("TIMEOUT"))
    assert server.held.wait(DEADLINE_S)
    worker.kill()
    keeper.wait_until_bound(abandoned=1)
    server.hold = None
    assert executor(server, keeper, []).execute(attempt("INIT_A")).ok


def test_a_turn_that_does_not_come_in_time(server: ReplayServer, keeper: Keeper) -> None:
    server.hold = "do_task"
    worker = Worker(server, keeper, attempt("SLEEP"))
    assert server.held.wait(DEADLINE_S)
    with pytest.raises(UrlBusy, match=r"not started within 0\.2 s: .* works for TEST/1"):
        executor(server, keeper, [], wait_s=0.2).execute(attempt("INIT_A", 7))
    keeper.wait_until_bound(waiting=1)
    keeper.wait_until_bound(waiting=0)
    server.release.set()
    assert worker.output().endswith("\n1\n")
    assert [request[1] for request in server.asked("do_task")] == ["\\TEST::TOP:SLEEP"]


def test_a_lost_connection_holds_the_url_until_it_is_cleared(tmp_path: Path) -> None:
    with ReplayServer(drop_at=3) as server:
        keeper = Keeper(server.url, tmp_path / "keeper")
        with pytest.raises(ConnectionLost, match="was lost"):
            executor(server, keeper, []).execute(attempt("INIT_A"))
        keeper.wait_until_bound(shot=1, lost=1)
        next_shot = Worker(server, keeper, attempt("INIT_A", 7))
        keeper.wait_until_bound(shot=1, waiting=1)
        keeper.say(Clear())
        assert next_shot.output().endswith("\n1\n")
        keeper.wait_until_bound(tree=None)
        assert keeper.close() == 0


def test_no_keeper_is_a_failure_that_says_it_never_started(
    server: ReplayServer, keeper: Keeper
) -> None:
    keeper.address.unlink()
    nobody = KeeperExecutor(server.url, keeper.address, url_wait_s=1, start_s=0)
    outcome = nobody.execute(attempt("INIT_A"))
    assert not outcome.ok
    assert outcome.text.startswith("was not started: no keeper for")
    assert server.requests == []


def test_a_keeper_that_dies_leaves_the_outcome_unknown(
    server: ReplayServer, tmp_path: Path
) -> None:
    server.hold = "do_task"
    keeper = Keeper(server.url, tmp_path / "keeper")
    raised: list[Exception] = []

    def execute() -> None:
        try:
            executor(server, keeper, []).execute(attempt("INIT_A"))
        except ConnectionLost as error:
            raised.append(error)

    running = threading.Thread(target=execute)
    running.start()
    assert server.held.wait(DEADLINE_S)
    keeper.process.kill()
    running.join(DEADLINE_S)
    keeper.close()
    assert [str(error) for error in raised] == [
        f"the keeper of {server.url} ended before the answer came"
    ]


def test_what_is_no_request_is_refused(server: ReplayServer, keeper: Keeper) -> None:
    for content in (b"\n", b"nonsense\n", b'{"kind":"request"}\n', b"x" * (1 << 22)):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEADLINE_S)
            connection.connect(str(keeper.address))
            try:
                connection.sendall(content)
                assert connection.recv(1) == b""
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert executor(server, keeper, []).execute(attempt("INIT_A")).ok
