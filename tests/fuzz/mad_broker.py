"""A broker gone mad: what the real one says reaches the daemons changed, doubled, late, or not.

It stands between the daemons and the broker, so that the dispatcher, an action server, the monitor
and clients are in the midst of real work when what they are told stops making sense. Then the
broker is started anew, and everybody must work again.
"""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.request import urlopen

import msgspec
import psutil
import zmq
from tests.fuzz.codec import MESSAGES
from tests.fuzz.mutants import bent, changed
from tests.fuzz.values import made
from tests.support.faults import action, experiment
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.client.errors import SupervisorError
from shotline.client.local.daemons import Daemon
from shotline.common.closable import Closable
from shotline.common.messages import (
    ClaimRefused,
    CommandServer,
    RegistrationRefused,
    SupersededNotice,
)

ENDS: Final = (ClaimRefused, CommandServer, RegistrationRefused, SupersededNotice)
"""What may well end a daemon, in order."""

BURST: Final = 400
GROWTH_MIB_MAX: Final = 120
_WANTED: Final = [kind for kind in MESSAGES if kind not in ENDS]


class MadBroker(Closable):
    """Passes on between daemons, which connect here, and a broker; `madness`: how much it changes.

    Both are addresses of clients, of servers and of events.
    """

    def __init__(self, front: tuple[str, str, str], back: tuple[str, str, str], seed: int) -> None:
        self.madness = 0.0
        self.changed = 0
        self._random = Random(seed)
        self._front, self._back = front, back
        self._ends = threading.Event()
        self._old: list[list[bytes]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._ends.set()
        self._thread.join(DEADLINE_S)

    def _run(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        routers = []
        for address in self._front[:2]:
            router = context.socket(zmq.ROUTER)
            router.setsockopt(zmq.ROUTER_HANDOVER, 1)
            router.bind(address)
            routers.append(router)
        told, tells = context.socket(zmq.SUB), context.socket(zmq.PUB)
        told.subscribe(b"")
        told.connect(self._back[2])
        tells.bind(self._front[2])
        behind: dict[tuple[int, bytes], zmq.Socket[bytes]] = {}
        poller = zmq.Poller()
        for one in (*routers, told):
            poller.register(one, zmq.POLLIN)
        while not self._ends.is_set():
            ready = dict(poller.poll(50))
            for place, router in enumerate(routers):
                if router in ready:
                    name, *frames = router.recv_multipart()
                    one = behind.get((place, name))
                    if one is None:
                        one = behind[place, name] = context.socket(zmq.DEALER)
                        if not name.startswith(b"\0"):
                            one.setsockopt(zmq.IDENTITY, name)
                        one.connect(self._back[place])
                        poller.register(one, zmq.POLLIN)
                    one.send_multipart(frames)
            if told in ready:
                for frames in self._said(told.recv_multipart()):
                    tells.send_multipart(frames)
            for (place, name), one in behind.items():
                if one in ready:
                    for frames in self._said(one.recv_multipart()):
                        with contextlib.suppress(zmq.ZMQError):  # it has gone meanwhile
                            routers[place].send_multipart([name, *frames], zmq.NOBLOCK)
        context.destroy(0)

    def _said(self, frames: list[bytes]) -> list[list[bytes]]:
        """Return what is said instead of these frames, once or several times, or never."""
        random = self._random
        if random.random() >= self.madness:
            if len(self._old) < 200:
                self._old.append(frames)
            return [frames]
        self.changed += 1
        deed = random.random()
        if deed < 0.1:
            return []
        if deed < 0.2:
            return [frames, frames]
        if deed < 0.3 and self._old:
            return [frames, random.choice(self._old)]
        if deed < 0.45:
            return [frames, [*frames[:-1], _packed([made(random.choice(_WANTED), random)])]]
        place = random.randrange(len(frames))
        copy = list(frames)
        copy[place] = self._mutant(copy[place])
        return [copy]

    def _mutant(self, frame: bytes) -> bytes:
        random = self._random
        try:
            value: Any = msgspec.msgpack.decode(frame)
        except (msgspec.DecodeError, ValueError):
            return bent(frame, random)
        if not isinstance(value, list) or random.random() < 0.2:
            return bent(frame, random)
        return _packed(changed(value, random))


def _packed(value: Any) -> bytes:  # of any type
    return msgspec.msgpack.encode(value)


def feed(folder: Path, count: int, seed: int, tell: Callable[[str], None]) -> int:
    """Let the broker be mad about so many times; return how often it was."""
    page, *ports = free_ports(4)
    real = tuple(f"tcp://127.0.0.1:{port}" for port in ports)
    settings = {
        "keys": {"made_by_up": False},
        "broker": {"heartbeat_s": 0.2},
        "monitor": {"port": page},
        "logging": {"level": "info"},
        "up": {"daemons": ["dispatcher", "monitor"]},
    }
    folder.mkdir(exist_ok=True)
    declared = {"TEST": experiment(folder, *(action(f"A_{n}", "A", n) for n in range(1, 6)))}
    stack = Stack(folder, ("A:1",), declared, settings)
    section = stack.config.broker
    broker = Daemon(
        "broker",
        "shotline.broker",
        ("--config", str(stack.config_file)),
        folder / "broker.log",
        {
            "SHOTLINE_BROKER__CLIENTS": real[0],
            "SHOTLINE_BROKER__SERVERS": real[1],
            "SHOTLINE_BROKER__EVENTS": real[2],
        },
    )
    stack.restart(broker)
    front = (section.clients, section.servers, section.events)
    try:
        with MadBroker(front, (real[0], real[1], real[2]), seed) as mad, stack:
            first = _memory(stack)
            shot = 0
            while mad.changed < count:
                shot += 1
                _madly(stack, mad, shot, min(count, mad.changed + BURST))
                broker.kill()
                stack.restart(broker)
                _all_work(stack, page, shot)
            grown = {name: mib - first[name] for name, mib in _memory(stack).items()}
            more = ", ".join(f"{name} {one:+} MiB" for name, one in grown.items())
            tell(f"a broker gone mad: {mad.changed} lies, all daemons work; memory: {more}")
            assert max(grown.values()) < GROWTH_MIB_MAX, grown
            return mad.changed
    finally:
        broker.kill()


def _madly(stack: Stack, mad: MadBroker, shot: int, until: int) -> None:
    """Ask for this and that until it was mad so often; only the one class of errors comes."""
    mad.madness = 0.3
    with contextlib.suppress(SupervisorError), stack.supervisor() as shotline:
        shotline.create_pulse("TEST", shot)
    while mad.changed < until:
        with contextlib.suppress(SupervisorError), stack.supervisor() as shotline:
            shotline.timeout_s = 1.0
            shotline.build_tables("TEST", shot)
            shotline.do_phase("INIT", "TEST", shot, wait=False)
            for _ in range(20):
                shotline.status()
                shotline.actions("TEST", shot)
    mad.madness = 0.0


def _start_again(stack: Stack) -> None:
    """Start again what has ended, in order, and what asks for that in its log."""
    for daemon in stack.daemons.all:
        log = daemon.log_file.read_text(errors="replace")
        assert "Traceback" not in log, log[log.index("Traceback") :][:3000]
        if daemon.running and "start that server again" in log[-1000:]:
            daemon.kill()  # it was told of a term that cannot be
        if not daemon.running:
            stack.restart(daemon)


def _all_work(stack: Stack, page: int, shot: int) -> None:
    """Fail unless every daemon works again; one that has ended has done so in order."""

    def works() -> bool:
        _start_again(stack)
        try:
            with stack.supervisor() as shotline:
                shotline.abort(all_runs=True)
                shotline.create_pulse("TEST", 1000 + shot, replace=True)
                shotline.build_tables("TEST", 1000 + shot)
                return shotline.do_phase("INIT", "TEST", 1000 + shot).ok
        except SupervisorError:
            return False

    eventually(works)
    with urlopen(f"http://127.0.0.1:{page}/", timeout=DEADLINE_S) as found:
        assert found.status == 200


def _memory(stack: Stack) -> dict[str, int]:
    return {
        one.name: psutil.Process(one.pid).memory_info().rss // 2**20
        for one in stack.daemons.all
        if one.pid is not None
    }
