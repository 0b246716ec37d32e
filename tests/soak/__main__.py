"""`make soak MINUTES=10`: whether memory, descriptors, threads and keys stay flat over many shots.

    python -m tests.soak [--minutes 10] [--servers 200] [--actions 1000] [--observers 20]

Counted from when as many shots have run as are kept. The exit code is 1 where something grows.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import click
import psutil
from tests.faults.killing import many
from tests.soak.judging import growth, is_flat
from tests.support.faults import TREE, experiment
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, Stack
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketError, websocket_connect

SAMPLE_S = 5.0
KEPT = 5
SLOTS = 8
Samples = dict[tuple[str, str], list[float]]


def site(folder: Path, actions: int) -> Stack:
    """Return a stack with a page, which keeps few shots, so that it is soon full."""
    (page,) = free_ports(1)
    settings = {
        "monitor": {
            "port": page,
            "shots_max": 3,
            "retention_s": 10.0,
            "history_bytes_max": 1024 * 1024,
            "histories_bytes_max": 8 * 1024 * 1024,
            "viewer_queue_bytes_max": 1024 * 1024,
            "log_lines_max": 200,
        },
        "journal": {"keep_shots": KEPT, "audit_lines_max": 500},
        "queue": {"history_max": 2 * KEPT},
        "up": {"daemons": ["broker", "dispatcher", "monitor"]},
        "keys": {"made_by_up": False},
        "logging": {"level": "info", "max-size": 1024 * 1024},
    }
    declared = {TREE: experiment(folder, *many(actions))}
    return Stack(folder, (f"A:1*{SLOTS}", f"A:2*{SLOTS}"), declared, settings)


@contextmanager
def idle_servers(stack: Stack, count: int) -> Iterator[subprocess.Popen[bytes]]:
    """Give so many servers that only say that they are alive, each with a connection of its own."""
    words = [sys.executable, "-m", "bench.idle", stack.config.broker.servers, str(count)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


class Observers:
    """Browsers' WebSockets, in a thread of their own: some follow all, some read nothing at all."""

    def __init__(self, stack: Stack, count: int, slow: int) -> None:
        self.heard = 0
        self._url = f"ws://127.0.0.1:{stack.config.monitor.port}/ws"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(count, slow), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, count: int, slow: int) -> None:
        asyncio.set_event_loop(self._loop)
        tasks = [self._loop.create_task(self._follow(number < slow)) for number in range(count)]
        self._loop.run_forever()
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _follow(self, sleeps: bool) -> None:  # noqa: FBT001
        while True:
            with suppress(OSError, WebSocketError, HTTPClientError):
                # Without a queue of its own for what comes, what is not read stays in the socket.
                one = await websocket_connect(self._url, connect_timeout=DEADLINE_S)
                for channel in ("servers", "log", "queue"):
                    frame = {"subscribe": [channel]}
                    await one.write_message(json.dumps(frame))
                if sleeps:
                    await asyncio.Event().wait()
                while await one.read_message() is not None:
                    self.heard += 1
            await asyncio.sleep(1.0)  # as the page does


def sample(stack: Stack, samples: Samples) -> None:
    """Take all figures once."""
    for daemon in stack.daemons.all:
        process = psutil.Process(daemon.pid)
        with process.oneshot():
            samples[daemon.name, "MiB"].append(process.memory_info().rss / 2**20)
            samples[daemon.name, "descriptors"].append(process.num_fds())
            samples[daemon.name, "threads"].append(process.num_threads())
    with stack.redis.client() as redis:
        samples["redis", "keys"].append(redis.dbsize())
        samples["redis", "MiB"].append(redis.info("memory")["used_memory"] / 2**20)


@click.command()
@click.option("--minutes", type=float, default=10.0)
@click.option("--servers", type=int, default=200)
@click.option("--actions", type=int, default=1000)
@click.option("--observers", type=int, default=20)
def main(minutes: float, servers: int, actions: int, observers: int) -> None:
    """Run shots one after the other, and see what grows."""
    with tempfile.TemporaryDirectory(prefix="pytest-soak-") as folder, ExitStack() as held:
        stack = held.enter_context(site(Path(folder), actions))
        held.enter_context(idle_servers(stack, servers))
        held.callback(Observers(stack, observers, observers // 10).close)
        with stack.supervisor() as shotline:
            plan = {"experiment": TREE, "phases": [{"phase": "INIT"}]}
            shotline.queue_add(plan)
            shotline.queue_mode(loop=True)
            shotline.queue_start()
        flat = follow(stack, minutes * 60.0)
    sys.exit(0 if flat else 1)


def follow(stack: Stack, seconds: float) -> bool:
    """Sample from when retention is full until the end; tell; return whether all is flat."""
    samples: Samples = defaultdict(list)
    pause = threading.Event()
    began, full_at = time.monotonic(), None
    ended = 0
    while time.monotonic() - began < seconds:
        pause.wait(SAMPLE_S)
        ended = max(ended, _last_shot(stack))
        if full_at is None and ended > KEPT + 1:
            full_at = time.monotonic() - began
        if full_at is not None:
            sample(stack, samples)
    if full_at is None:
        click.echo(f"only {ended} shots in {seconds:.0f} s: retention was never full")
        return False
    click.echo(f"{ended} shots in {seconds:.0f} s; full from {full_at:.0f} s on")
    good = True
    for (name, what), values in sorted(samples.items()):
        first, middle, last = growth(values)
        flat = is_flat(what, values)
        good = good and flat
        thirds = f"{first:9.1f} → {middle:.1f} → {last:.1f}"
        click.echo(f"{name:12} {what:12} {thirds}  {'' if flat else 'GROWS'}")
    return good


def _last_shot(stack: Stack) -> int:
    with stack.supervisor() as shotline:
        return max((one.shot for one in shotline.shots(TREE).shots), default=0)


if __name__ == "__main__":
    main()
