"""The baselines: a minimal pyzmq ROUTER broker with echo workers, without and with Redis.

What a competent person writes in an afternoon, and written to be fast: poll once, drain what is
there, one pipeline for the batch, then send. The broker hands actions to the workers in turns, as
they come, and each result to whoever asked; with Redis (the second baseline), each transition and
output line is in Redis before it leaves. No slots, validation, heartbeats, roles, timeouts,
recovery, and no child process that runs the task. `README.md` has the reasons.

Run as `python -m bench.baseline broker [PORT PASSWORD_FILE]` or `... worker NAME ADDRESS`.
"""

import itertools
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgpack
import redis
import zmq

from bench.programs import ANSWER_WITHIN_S, Program, say
from bench.workloads import LINE_BYTES, SERVERS, WARM_UP

if TYPE_CHECKING:  # the broker and the workers do without us
    from shotline.client.local.redis_server import RedisServer

BATCH_MAX: Final = 200

READY: Final = b"ready"
RUN: Final = b"run"
OUT: Final = b"out"
DONE: Final = b"done"


class Baseline:
    """A running baseline and its client; a Redis server makes it the second one."""

    def __init__(self, redis_server: "RedisServer | None" = None) -> None:
        self._redis = redis_server
        self._sent = 0
        self._running = ExitStack()

    def do(self, count: int, *, lines: int = 0, in_flight: int | None = None) -> int:
        """Have so many actions done; return how many output lines came before the last result.

        `in_flight`: so many are sent at first, and one more for each result. By default all are.
        """
        results = seen = 0
        self._send(min(count, in_flight or count), lines)
        last = self._sent + count - min(count, in_flight or count)
        while results < count:
            kind, _, body = self._socket.recv_multipart()
            if kind == OUT:
                seen += 1
                continue
            if msgpack.unpackb(body)["status"] != "Success":
                raise RuntimeError("an echo worker failed")
            results += 1
            if self._sent < last:
                self._send(1, lines)
        return seen

    def __enter__(self) -> Self:
        with ExitStack() as running:
            self._socket = running.enter_context(_socket(zmq.DEALER))
            self._socket.setsockopt(zmq.RCVTIMEO, round(ANSWER_WITHIN_S * 1000))
            server = self._redis
            words = () if server is None else (server.port, server.password_file)
            broker = running.enter_context(Program("baseline", "broker", *words))
            address = broker.line()
            for number in range(SERVERS):
                worker = Program("baseline", "worker", f"ECHO:{number + 1}", address)
                running.enter_context(worker)
            if broker.line() != "ready":
                raise RuntimeError("the baseline's workers did not register")
            self._socket.connect(address)
            for _ in range(WARM_UP):
                self.do(1)
            self._running = running.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

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


class _Broker:
    """Routes actions to workers and results to clients; a wake-up is one batch."""

    def __init__(self, client: redis.Redis | None) -> None:
        self._socket = _socket(zmq.ROUTER)
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self._address = f"tcp://127.0.0.1:{port}"
        self._redis = client
        self._workers: list[bytes] = []
        self._next_worker: Iterator[bytes] = iter(())
        self._client_of: dict[bytes, bytes] = {}

    def run(self) -> None:
        """Serve until it is ended."""
        say(self._address)
        while True:
            self._socket.poll()
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
            say("ready")


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
        while True:
            _, number, body = socket.recv_multipart()
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


def _socket(kind: int) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    socket.set_hwm(0)  # a ROUTER drops at its high-water mark
    socket.setsockopt(zmq.LINGER, 0)
    return socket


def _main(arguments: list[str]) -> None:
    match arguments:
        case ["broker"]:
            _Broker(None).run()
        case ["broker", port, password_file]:
            password = Path(password_file).read_text(encoding="ascii").strip()
            _Broker(redis.Redis(port=int(port), password=password)).run()
        case ["worker", name, address]:
            _work(name, address)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    _main(sys.argv[1:])
