"""A broker and dispatcher of a hundred lines: one ROUTER, enough to drive one action server.

Tests that drive an action server as a process use it instead of the real daemons.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import psutil
import zmq

from shotline.common.actions import AttemptId
from shotline.common.codec import decode_all, encode
from shotline.common.messages import (
    Answered,
    Dispatch,
    Finished,
    Message,
    Output,
    OutputStored,
    Pong,
    Register,
    Registered,
    ServerBeat,
    Verdict,
)
from shotline.common.process import interpreter

PATIENCE_S = 30.0
M = TypeVar("M", bound=Message)


class ServersBroker:
    """Registers servers, answers heartbeats, and answers results and output unless told not to."""

    def __init__(self, address: str = "tcp://127.0.0.1:*", name: str = "fake") -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._socket.bind(address)
        self.address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")
        self.name = name
        self.received: list[Message] = []
        self.answers_results = True
        self.stores_output = True
        self.is_deaf = False  # takes messages and answers nothing
        self.server = b""
        self.epoch = 0
        self.number = 0
        self._attempts = 0

    def close(self) -> None:
        self._socket.close(0)
        self._context.term()

    def send(self, *messages: Message) -> None:
        self._socket.send_multipart([self.server, encode(messages)])

    def send_frames(self, *frames: bytes) -> None:
        """Send what may be no messages at all."""
        self._socket.send_multipart([self.server, *frames])

    def dispatch(
        self,
        task: dict[str, object],
        *,
        path: str = "\\TOP:A",
        timeout_s: float | None = None,
        folder: Path | None = None,
        attempt: AttemptId | None = None,
        number: int | None = None,
        epoch: int | None = None,
    ) -> AttemptId:
        if attempt is None:
            self._attempts += 1
            attempt = AttemptId("TEST", 42, path, self._attempts)
        self.number = self.number + 1 if number is None else number
        self.send(
            Dispatch(
                term=1,
                epoch=self.epoch if epoch is None else epoch,
                number=self.number,
                attempt=attempt,
                task=json.dumps(task).encode(),
                timeout_s=timeout_s,
                folder=None if folder is None else str(folder),
            )
        )
        return attempt

    def pump(self, wait_s: float) -> None:
        """Take what comes within the time, until something has come."""
        if not self._socket.poll(int(wait_s * 1000)):
            return
        while True:
            try:
                self.server, *frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            answers: list[Message] = []
            for message in decode_all(frames):
                self.received.append(message)
                if not self.is_deaf:
                    answers += self._answers(message)
            if answers:
                self.send(*answers)

    def _answers(self, message: Message) -> Iterable[Message]:
        now = time.monotonic()
        if isinstance(message, Register):
            self.epoch, self.number = message.epoch, 0
            yield Registered(broker=self.name, clock_s=now, epoch=message.epoch)
        elif isinstance(message, ServerBeat):
            yield Pong(sent_s=message.sent_s, broker=self.name, clock_s=now)
        elif isinstance(message, Output) and self.stores_output:
            lines = sum(piece.count(b"\n") + 1 for _, _, piece in message.pieces)
            yield OutputStored(attempt=message.attempt, through=message.first + lines)
        elif isinstance(message, Finished) and self.answers_results:
            yield Answered(attempt=message.attempt, verdict=Verdict.STORED)

    def wait(self, is_there: Callable[[], object], what: str) -> None:
        give_up_at = time.monotonic() + PATIENCE_S
        while not is_there():
            assert time.monotonic() < give_up_at, f"{what} did not come; got {self._summary()}"
            self.pump(0.1)

    def all(self, kind: type[M], attempt: AttemptId | None = None) -> list[M]:
        return [
            message
            for message in self.received
            if isinstance(message, kind)
            and (attempt is None or getattr(message, "attempt", None) == attempt)
        ]

    def expect(self, kind: type[M], attempt: AttemptId | None = None, count: int = 1) -> M:
        """Wait until so many messages of a kind have come; return the last."""
        self.wait(lambda: len(self.all(kind, attempt)) >= count, f"{count} {kind.__name__}")
        return self.all(kind, attempt)[-1]

    def lines(self, attempt: AttemptId) -> list[tuple[int, bytes]]:
        """Return the attempt's output, each line once, whatever was repeated."""
        lines: dict[int, tuple[int, bytes]] = {}
        for message in self.all(Output, attempt):
            at = message.first
            for _, stream, piece in message.pieces:
                for line in piece.split(b"\n"):
                    assert lines.setdefault(at, (stream, line)) == (stream, line)
                    at += 1
        assert sorted(lines) == list(range(len(lines))), "a gap in the output"
        return [lines[at] for at in sorted(lines)]

    def run(self, task: dict[str, object], **keywords: object) -> Finished:
        return self.expect(Finished, self.dispatch(task, **keywords))  # type: ignore[arg-type]

    def _summary(self) -> str:
        return ", ".join(
            f"{message.kind}" for message in self.received[-40:] if message.kind != "server_beat"
        )


class ServerProcess:
    """A real `shotline-action-server` process and what belongs to it."""

    def __init__(
        self,
        address: str,
        folder: Path,
        *options: str,
        started_in: Path | None = None,
        **environment: str,
    ) -> None:
        self.folder = folder
        self.errors = folder / "stderr.txt"
        folder.mkdir(exist_ok=True)
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                interpreter.python("shotline.action_server", "TEST", "1", address, *options),
                cwd=started_in,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env={
                    **os.environ,
                    "SHOTLINE_DATA_FOLDER": str(folder),
                    "SHOTLINE_BROKER__HEARTBEAT_S": "0.2",
                    "PYTHONPATH": str(Path(__file__).parents[2]),
                    **environment,
                },
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def workers(self) -> list[int]:
        return [
            child.pid
            for child in psutil.Process(self.pid).children()
            if os.getpgid(child.pid) == child.pid
        ]

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def python(name: str, **arguments: object) -> dict[str, object]:
    """Return a task that calls a function of `tests.support.tasks`."""
    return {"kind": "python", "callable": f"tests.support.tasks:{name}", "arguments": arguments}


def shell(*arguments: str) -> dict[str, object]:
    """Return a task that runs a program."""
    return {"kind": "shell", "arguments": list(arguments)}


def text_of(broker: ServersBroker, attempt: AttemptId, stream: int = 1) -> list[str]:
    """Return what an attempt wrote to a stream, line by line."""
    return [line.decode() for number, line in broker.lines(attempt) if number == stream]


def pids_in(broker: ServersBroker, file: Path) -> list[int]:
    """Return the process ids that a task writes to a file, once they are there."""
    broker.wait(lambda: file.exists() and file.read_text().endswith("\n"), f"{file.name}")
    return [int(word) for word in file.read_text().split()]


def wait_until_gone(broker: ServersBroker, pids: list[int]) -> None:
    """Return once none of these processes runs."""
    broker.wait(lambda: not any(map(is_running, pids)), f"the end of {pids}")
