"""The two baselines: a minimal pyzmq ROUTER broker with echo workers, without and with Redis.

What a competent person writes in an afternoon, and written to be fast: poll once, drain what is
there, one pipeline for the batch, then send. The broker hands actions to the workers in turns, as
they come, and each result to whoever asked; with Redis (the second baseline), each transition and
output line is in Redis before it leaves. No slots, validation, heartbeats, roles, timeouts,
recovery, and no child process that runs the task. `README.md` has the reasons; what is measured is
in `workloads`.

Run as `python -m bench.baseline broker [REDIS_URL]` or `... worker NAME ADDRESS`.
"""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Self

import msgpack
import redis
import zmq

from bench.workloads import LINE_BYTES, SERVERS, WARM_UP, Measured, Sizes, Workload

BATCH_MAX: Final = 200
ANSWER_WITHIN_MS: Final = 120_000

READY: Final = b"ready"
RUN: Final = b"run"
OUT: Final = b"out"
DONE: Final = b"done"


class _Broker:
    """Routes actions to workers and results to clients; a wake-up is one batch."""

    def __init__(self, redis_url: str | None) -> None:
        self._socket = _socket(zmq.ROUTER)
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self._address = f"tcp://127.0.0.1:{port}"
        self._redis = None if redis_url is None else redis.Redis.from_url(redis_url)
        self._workers: list[bytes] = []
        self._next_worker: Iterator[bytes] = iter(())
        self._client_of: dict[bytes, bytes] = {}

    def run(self) -> None:
        """Serve until the standard input is closed."""
        _tell(self._address)
        for _ in _WakeUps(self._socket):
            pipeline = None if self._redis is None else self._redis.pipeline(transaction=False)
            messages = self._drain(pipeline)
            if pipeline is not None and len(pipeline):
                pipeline.execute()
            for message in messages:
                self._socket.send_multipart(message)

    def _drain(self, pipeline: redis.client.Pipeline | None) -> list[list[bytes]]:
        messages: list[list[bytes]] = []
        lines: dict[bytes, list[bytes]] = {}
        try:
            for _ in range(BATCH_MAX):
                sender, kind, number, body = self._socket.recv_multipart(zmq.NOBLOCK)
                if kind == OUT:
                    lines.setdefault(number, []).append(body)
                    messages.append([self._client_of[number], OUT, number, body])
                elif kind == DONE:
                    _journal(pipeline, number, "DONE", body)
                    messages.append([self._client_of.pop(number), DONE, number, body])
                elif kind == RUN:
                    self._client_of[number] = sender
                    _journal(pipeline, number, "DISPATCHED", body)
                    messages.append([next(self._next_worker), RUN, number, body])
                elif kind == READY:
                    self._register(sender)
        except zmq.Again:
            pass
        if pipeline is not None:
            for number, together in lines.items():
                pipeline.rpush(b"output:" + number, *together)
        return messages

    def _register(self, worker: bytes) -> None:
        self._workers.append(worker)
        self._next_worker = itertools.cycle(self._workers)
        if len(self._workers) == SERVERS:
            _tell("ready")


def _journal(
    pipeline: redis.client.Pipeline | None, number: bytes, state: str, body: bytes
) -> None:
    if pipeline is not None:
        pipeline.xadd("journal", {"id": number, "state": state, "body": body})
        pipeline.hset("actions", number, state)


def _work(name: str, address: str) -> None:
    """Answer each action at once, after the output lines that it asks for."""
    with _socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.IDENTITY, name.encode())
        socket.connect(address)
        socket.send_multipart([READY, b"", b""])
        line = b"x" * (LINE_BYTES - 1) + b"\n"
        for _ in _WakeUps(socket):
            try:
                while True:
                    _, number, body = socket.recv_multipart(zmq.NOBLOCK)
                    action = msgpack.unpackb(body)
                    for _ in range(action["lines"]):
                        socket.send_multipart([OUT, number, line])
                    result = {
                        "path": action["path"],
                        "attempt": action["attempt"],
                        "status": "Success",
                        "code": 1,
                        "text": "",
                        "duration_s": 0.0,
                    }
                    socket.send_multipart([DONE, number, msgpack.packb(result)])
            except zmq.Again:
                pass


def _socket(kind: int) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    socket.set_hwm(0)  # a ROUTER drops at its high-water mark
    socket.setsockopt(zmq.LINGER, 0)
    return socket


class _WakeUps:
    """Each time the socket has messages, until the standard input is closed by the parent."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._stdin = sys.stdin.fileno()
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._stdin, zmq.POLLIN)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> None:
        if any(ready == self._stdin for ready, _ in self._poller.poll()):
            raise StopIteration


def _tell(text: str) -> None:
    print(text, flush=True)


class Baseline(Measured):
    """A running baseline and its client; `redis_url` makes it the second one."""

    def __init__(self, sizes: Sizes, redis_url: str | None = None) -> None:
        self._sizes = sizes
        self._redis_url = redis_url
        self._processes: list[subprocess.Popen[str]] = []
        self._sent = 0
        self._socket = _socket(zmq.DEALER)
        self._socket.setsockopt(zmq.RCVTIMEO, ANSWER_WITHIN_MS)

    def _bring_up(self) -> None:
        broker = self._start("broker", *([self._redis_url] if self._redis_url else []))
        address = _line(broker.stdout)
        for number in range(SERVERS):
            self._start("worker", f"ECHO:{number + 1}", address)
        if _line(broker.stdout) != "ready":
            raise RuntimeError("the baseline's workers did not register")
        self._socket.connect(address)
        for _ in range(WARM_UP):
            self._do(1)

    def _end(self) -> None:
        self._socket.close()
        for process in reversed(self._processes):
            process.communicate()  # closes its standard input, which ends it

    def prepare(self, workload: Workload) -> None:
        """There is nothing to prepare."""

    def run(self, workload: Workload) -> None:
        """Do the workload; the client decides what comes after what."""
        match workload:
            case Workload.W1:
                self._do(1)
            case Workload.W2:
                self._do(self._sizes.independent)
            case Workload.W3:
                for _ in range(self._sizes.chain):
                    self._do(1)
            case Workload.W4:
                self._do(1)
                self._do(self._sizes.fan)
                self._do(1)
            case Workload.W5:
                # The client is the observer, too; what it has is in Redis already.
                lines = self._do(1, lines=self._sizes.lines)
                if lines != self._sizes.lines:
                    raise RuntimeError(f"{lines} of {self._sizes.lines} lines arrived")

    def _do(self, count: int, lines: int = 0) -> int:
        self._send(count, lines)
        return self._await(count)

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.baseline", *arguments],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def _send(self, count: int, lines: int) -> None:
        for _ in range(count):
            self._sent += 1
            action = {
                "tree": "BENCH",
                "shot": 1,
                "path": f"\\BENCH::TOP:A{self._sent}",
                "attempt": 1,
                "server_class": "ECHO",
                "phase": "PULSE",
                "timeout_s": 10.0,
                "lines": lines,
            }
            self._socket.send_multipart([RUN, b"%d" % self._sent, msgpack.packb(action)])

    def _await(self, count: int) -> int:
        """Wait for so many results; return the number of output lines that came before them."""
        lines = 0
        while count:
            kind, _, body = self._socket.recv_multipart()
            if kind == OUT:
                lines += 1
            else:
                if msgpack.unpackb(body)["status"] != "Success":
                    raise RuntimeError("an echo worker failed")
                count -= 1
        return lines


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def _main(arguments: list[str]) -> None:
    match arguments:
        case ["broker"]:
            _Broker(None).run()
        case ["broker", redis_url]:
            _Broker(redis_url).run()
        case ["worker", name, address]:
            _work(name, address)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    _main(sys.argv[1:])
