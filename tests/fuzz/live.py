"""Mutants through the live sockets of all daemons and bridges, HTTP and WebSocket of the monitor.

Between two bursts every daemon must answer, with memory that does not grow.
"""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.request import urlopen

import psutil
import zmq
from tests.fuzz.codec import COMMANDS, MESSAGES
from tests.fuzz.mutants import bent, mutant
from tests.fuzz.values import made
from tests.support.action_server import ServerProcess, ServersBroker
from tests.support.faults import action, experiment
from tests.support.peers import peers
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, Stack
from tornado.websocket import websocket_connect

from shotline.bridges.redis_dispatcher.old_redis import TODO
from shotline.bridges.redis_dispatcher.translation import COMMANDS as COMMANDS_CHANNEL
from shotline.bridges.redis_dispatcher.translation import SERVER_COMMANDS
from shotline.client.local.redis_server import RedisServer
from shotline.common.codec import encode
from shotline.common.commands import decode_command
from shotline.common.messages import (
    CommandServer,
    Hello,
    Ping,
    Register,
    Registered,
    RegistrationRefused,
    Request,
    ServerBeat,
    Welcome,
)

BURST = 500
GROWTH_MIB_MAX = 120
ENDING = ("quit", "server_", "fleet")  # commands that end daemons are no malformed ones
Send = Callable[[Random], None]

WORDS: Final = (
    "",
    "0",
    "-1",
    "99999999999999999999",
    "NaN",
    "1e9",
    "x" * 5000,
    "\x00",
    "é",
    "../..",
)
OLD_TEXTS: Final = (
    (COMMANDS_CHANNEL, "create_pulse:TEST:1"),
    (COMMANDS_CHANNEL, "build_tables:TEST:1"),
    (COMMANDS_CHANNEL, "do_phase:TEST:1:INIT"),
    (COMMANDS_CHANNEL, "do_sequence:TEST:1:INIT:1:2"),
    (COMMANDS_CHANNEL, "print_pending"),
    (COMMANDS_CHANNEL, "abort_pending"),
    (COMMANDS_CHANNEL, "abort"),
    (f"{SERVER_COMMANDS}A", "DO"),
    (f"{SERVER_COMMANDS}A", "ABORT+A_FIRST"),
    (f"{SERVER_COMMANDS}A", "HEARTBEAT+1"),
)
"""What old programs publish, where, but for what ends daemons."""


@contextmanager
def site(folder: Path) -> Iterator[Stack]:
    """Give a stack with every daemon that has sockets, which knows peers without keys."""
    page, control, info, orchestrator, old, progress = free_ports(6)
    with RedisServer(folder / "old", old) as redis:
        settings = {
            "keys": {"made_by_up": False},
            "monitor": {"port": page, "recodex_zeromq": f"tcp://127.0.0.1:{progress}"},
            "qserver": {
                "control": f"tcp://127.0.0.1:{control}",
                "info": f"tcp://127.0.0.1:{info}",
            },
            "filterorchestrator": {"address": f"127.0.0.1:{orchestrator}"},
            "legacy": {
                "redis_url": f"redis://127.0.0.1:{old}/0",
                "password_file": str(redis.password_file),
            },
            "logging": {"level": "info"},
            "up": {
                "daemons": [
                    *("broker", "dispatcher", "monitor"),
                    *("legacy", "qserver", "filterorchestrator"),
                ]
            },
        }
        declared = {"TEST": experiment(folder, action("A_FIRST", "A", 1))}
        stack = Stack(folder, ("A:1",), declared, settings)
        stack.old_redis = redis
        with stack:
            yield stack


def harmless(command: bytes) -> bool:
    """Return whether nothing ends by a command that happens to be in order."""
    try:
        return not decode_command(command).verb.startswith(ENDING)
    except ValueError:
        return True


def message(random: Random) -> bytes:
    """Return a batch with a mutant in it."""
    return mutant([made(random.choice(MESSAGES), random)], random)


def command(random: Random) -> bytes:
    """Return a mutant of a command that ends nothing."""
    while True:
        found = mutant(made(random.choice(COMMANDS), random), random, as_json=True)
        if harmless(found):
            return found


class Targets(ExitStack):
    """The sockets of a stack, each with what sends a mutant to it."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        broker = stack.config.broker
        self._stack = stack
        self.client, self.server = self.enter_context(
            peers((broker.clients, "client"), (broker.servers, "F:1/fuzz"))
        )
        self.client.say(Hello(name="fuzz"))
        welcome = self.client.get(Welcome)
        assert isinstance(welcome, Welcome)
        self._until = welcome.clock_s + 100_000.0
        self.server.say(
            Register(server_class="F", server_id="1", incarnation="fuzz", epoch=1, slots=1)
        )
        self.server.get(Registered)
        self._context = zmq.Context()
        self.callback(self._context.destroy, 0)
        self._qserver = self._dealer(stack.config.qserver.control)
        self._events = self._context.socket(zmq.SUB)
        self._events.connect(broker.events)
        self._subscriptions = self._context.socket(zmq.XSUB)
        self._subscriptions.connect(broker.events)
        self._progress = self._dealer(str(stack.config.monitor.recodex_zeromq))
        self._old = self.enter_context(stack.old_redis.client())
        self._loop = asyncio.new_event_loop()
        self.callback(self._loop.close)
        self.all: Mapping[str, Send] = {
            "broker, as a client": lambda random: self.client.send(message(random)),
            "dispatcher, by commands": self._command,
            "broker, as a server": lambda random: self.server.send(message(random)),
            "broker, frames": lambda random: self.client.send(
                *(bent(message(random), random) for _ in range(random.randint(1, 4)))
            ),
            "event feed": self._subscribe,
            "event feed, frames": self._subscribe_madly,
            "monitor, HTTP": lambda random: self._http(stack.config.monitor.port, random),
            "monitor, WebSocket": self._websocket,
            "filterorchestrator": lambda random: self._http(_orchestrator(stack), random),
            "qserver": self._ask_qserver,
            "legacy, commands": self._publish,
            "legacy, queues": self._fill_queue,
            "recodex": self._tell_progress,
        }

    def _dealer(self, address: str) -> "zmq.Socket[bytes]":
        one = self._context.socket(zmq.DEALER)
        one.sndhwm = 10
        one.sndtimeo = int(DEADLINE_S * 1000)
        one.connect(address)
        return one

    def _command(self, random: Random) -> None:
        bytes_ = random.randbytes(6).hex()
        asked = command(random)
        verb = "status"
        with contextlib.suppress(ValueError, AttributeError):  # a mutant may be a list
            verb = str(json.loads(asked).get("verb", verb))[:64]
        if verb.startswith(ENDING):
            verb = "status"
        request = Request(id=f"fuzz{bytes_}", verb=verb, deadline_s=self._until, command=asked)
        self.client.send(encode([request]))
        self.client.dealer.receive_all()

    def _subscribe(self, random: Random) -> None:
        topic = random.randbytes(random.randint(0, 300))
        self._events.setsockopt(zmq.SUBSCRIBE, topic)
        self._events.setsockopt(zmq.UNSUBSCRIBE, topic)

    def _http(self, port: int, random: Random) -> None:
        body = command(random)
        verb = random.choice(COMMANDS).__struct_config__.tag
        path = f"/api/{verb}" if not str(verb).startswith(ENDING) else "/api/status"
        path = random.choice((path, "/", "/record", "/ws", f"/api/x?since={random.random()}"))
        head = (
            f"{random.choice(('GET', 'POST', 'PUT'))} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        data = head + body
        if random.random() < 0.5:
            data = bent(data, random)
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), DEADLINE_S) as one,
        ):
            one.settimeout(0.05)
            one.sendall(data)
            one.recv(65_536)

    def _websocket(self, random: Random) -> None:
        self._loop.run_until_complete(self._to_websocket(random))

    async def _to_websocket(self, random: Random) -> None:
        url = f"ws://127.0.0.1:{self._stack.config.monitor.port}/ws"
        one = await websocket_connect(url, connect_timeout=DEADLINE_S)
        try:
            for _ in range(20):
                data = mutant(_subscription(random), random, as_json=True)
                binary = random.random() < 0.2
                await one.write_message(data if binary else data.decode(errors="replace"), binary)
        except Exception:  # noqa: BLE001  # it may be closed, with a word of why
            pass
        finally:
            one.close()

    def _ask_qserver(self, random: Random) -> None:
        asked = {
            "method": random.choice(("ping", "status", "queue_get", "queue_item_add", "lock_info")),
            "params": {"item": {"name": "count", "item_type": "plan"}, "user": "u", "pos": 1},
        }
        self._qserver.send_multipart([b"", mutant(asked, random, as_json=True)])
        with contextlib.suppress(zmq.Again):
            while True:
                self._qserver.recv_multipart(zmq.NOBLOCK)

    def _subscribe_madly(self, random: Random) -> None:
        frame = random.choice((b"\x01", b"\x00", b"\x02", b"")) + random.randbytes(
            random.randint(0, 300)
        )
        with contextlib.suppress(zmq.Again):
            self._subscriptions.send(frame, zmq.NOBLOCK)

    def _publish(self, random: Random) -> None:
        channel, text = random.choice(OLD_TEXTS)
        self._old.publish(channel, _spoilt(text, random))

    def _fill_queue(self, random: Random) -> None:
        """Ask for actions as the old dispatcher did: an item in a queue, and a word of it."""
        item = _spoilt("TEST+1+A_FIRST+7+10+1", random)
        self._old.rpush(f"{TODO}A", item)
        self._old.publish(f"{SERVER_COMMANDS}A", "DO")

    def _tell_progress(self, random: Random) -> None:
        words = ("job-1", random.choice(("TASK", "STARTED", "FINISHED")), "task", "COMPLETED")
        frames = [_spoilt(word, random) for word in words[: random.randint(1, 4)]]
        self._progress.send_multipart(frames)


def _spoilt(text: str, random: Random) -> bytes:
    """Return a text that may be in order, may name something else, or may be no text at all."""
    deed = random.random()
    if deed < 0.2:
        return text.encode()
    if deed < 0.5:
        words = re.split(r"([:+])", text)
        words[random.randrange(len(words))] = random.choice(WORDS)
        return "".join(words).encode()
    return bent(text.encode(), random)


def _orchestrator(stack: Stack) -> int:
    return int(stack.config.filterorchestrator.address.rpartition(":")[2])


def _subscription(random: Random) -> Any:  # of any type
    return {
        "type": random.choice(("subscribe", "unsubscribe", "command", "ping")),
        "channel": random.choice(("servers", "log", "shot/TEST/1", "queue")),
        "number": random.randint(0, 9),
        "command": {"verb": "status"},
    }


def all_answer(stack: Stack, targets: Targets) -> None:
    """Fail unless every daemon runs and answers."""
    for daemon in stack.daemons.all:
        assert daemon.running, f"{daemon.name} has ended: {daemon.last_lines(40)}"
        log = daemon.log_file.read_text(errors="replace")
        assert "Traceback" not in log, f"{daemon.name}: {log[log.index('Traceback') :][:3000]}"
    stack.wait_until(lambda status: bool(status.servers))
    targets.client.say(Ping(sent_s=1.0))
    with urlopen(f"http://127.0.0.1:{stack.config.monitor.port}/", timeout=DEADLINE_S) as page:
        assert page.status == 200
    with socket.create_connection(("127.0.0.1", _orchestrator(stack)), DEADLINE_S) as one:
        one.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        assert one.recv(100).startswith(b"HTTP/1.1")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    asking = context.socket(zmq.REQ)
    asking.connect(stack.config.qserver.control)
    asking.send(b'{"method": "ping"}')
    assert asking.poll(int(DEADLINE_S * 1000)), "qserver does not answer"
    context.destroy(0)
    with stack.old_redis.client() as old:
        assert old.pubsub_numsub("ACTION_DISPATCHER_COMMANDS")[0][1] == 1, (
            "the bridge hears no more"
        )


def memory(stack: Stack) -> dict[str, int]:
    """Return the resident MiB of every daemon."""
    return {
        one.name: psutil.Process(one.pid).memory_info().rss // 2**20
        for one in stack.daemons.all
        if one.pid is not None
    }


def feed(folder: Path, count: int, seed: int, tell: Callable[[str], None]) -> int:
    """Send so many mutants to the daemons' sockets; return how many were sent."""
    random, sent = Random(seed), 0
    with site(folder) as stack, Targets(stack) as targets:
        first: dict[str, int] = {}
        each = max(1, count // len(targets.all))
        for name, send in targets.all.items():
            left = each
            while left > 0:
                for _ in range(min(left, BURST)):
                    send(random)
                sent += min(left, BURST)
                left -= BURST
                all_answer(stack, targets)
                first = first or memory(stack)
            tell(f"{name}: {each} mutants, all daemons answer")
        last = memory(stack)
        grown = {name: last[name] - first[name] for name in first}
        tell("memory: " + ", ".join(f"{name} {more:+} MiB" for name, more in grown.items()))
        assert max(grown.values()) < GROWTH_MIB_MAX, grown
    return sent


def feed_server(folder: Path, count: int, seed: int, tell: Callable[[str], None]) -> int:
    """Send mutants to an action server as a broker out of its mind does; it must go on working."""
    random, broker = Random(seed), ServersBroker()
    # These may well end it, in order.
    kinds = [kind for kind in MESSAGES if kind not in (CommandServer, RegistrationRefused)]
    folder.mkdir(exist_ok=True)
    server = ServerProcess(broker.address, folder / "data")
    try:
        broker.expect(Register)
        for number in range(count):
            if number % BURST == 0:
                broker.pump(0.0)
                assert server.process.poll() is None, "the action server has ended"
            broker.send_frames(mutant([made(random.choice(kinds), random)], random))
        broker.pump(0.0)
        broker.received.clear()
        broker.wait(lambda: broker.all(ServerBeat) or broker.all(Register), "a sign of life")
        tell(f"action server: {count} mutants from its broker")
    finally:
        server.end()
        broker.close()
    return count
