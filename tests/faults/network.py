"""Trials of the network: slow, cut, swallowed one way, half open, silent, idle, endless."""

import contextlib
import resource
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import psutil
from tests.faults.counting import judge, run_to_end
from tests.faults.killing import PHASE, site
from tests.faults.proxy import Proxy
from tests.faults.trial import Row, Trial
from tests.support.faults import Pulse
from tests.support.ports import free_ports
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.client.local.daemons import Daemon

CONNECTIONS = 2000
LOST_S = 3.0
LOSES = {"broker": {"server_lost_s": LOST_S}, "dispatcher": {"server_grace_s": LOST_S}}


@contextmanager
def server_behind(stack: Stack, name: str) -> Iterator[Proxy]:
    """Give a proxy by which a server reaches the broker, and the server behind it."""
    server_class, _, server_id = name.partition(":")
    with Proxy(int(stack.config.broker.servers.rpartition(":")[2])) as proxy:
        daemon = Daemon(
            name,
            "shotline.action_server",
            (server_class, server_id, proxy.address),
            stack.daemons.logs / f"{server_class}-{server_id}.log",
            {"SHOTLINE_CONFIG": str(stack.config_file)},
        )
        stack.restart(daemon)
        try:
            stack.wait_until(lambda status: name in {one.server for one in status.servers})
            yield proxy
        finally:
            daemon.stop()


def _slow(proxy: Proxy) -> None:
    proxy.delay_s = 0.3


def _throttled(proxy: Proxy) -> None:
    proxy.bytes_per_s = 4000.0


def _reset(proxy: Proxy) -> None:
    proxy.cut()


def _deaf(proxy: Proxy) -> None:
    proxy.blackhole("to server")


def _mute(proxy: Proxy) -> None:
    proxy.blackhole("to client")


def _half_open(proxy: Proxy) -> None:
    proxy.blackhole("to server")
    proxy.blackhole("to client")


DEEDS: Mapping[str, Callable[[Proxy], None]] = {
    "delayed by 0.3 s a piece": _slow,
    "throttled to 4 kB/s": _throttled,
    "reset": _reset,
    "swallowed towards the broker": _deaf,
    "swallowed towards the server": _mute,
    "half open": _half_open,
}


def bad_links(folder: Path, scale: float) -> Row:
    """Do a phase for each way in which a server's connection may be bad, briefly and for long."""
    row, shot = Row(), 0
    with site(folder, ("B:1",), PHASE, LOSES) as stack, server_behind(stack, "A:1") as proxy:
        for name, deed in DEEDS.items():
            for seconds in (0.8,) if scale < 1 else (0.8, 2 * LOST_S):
                shot += 1
                pulse = Pulse(stack, shot)
                with stack.supervisor() as shotline:
                    shotline.do_phase("INIT", *pulse.key, wait=False)
                eventually(lambda pulse=pulse: sum(pulse.starts().values()) > 0)
                row.tried += 1
                deed(proxy)
                threading.Event().wait(seconds)
                proxy.heal()
                run_to_end(stack, pulse)
                stack.wait_until(
                    lambda status: {one.liveness for one in status.servers} == {"alive"}
                )
                judge(row, pulse, f"{name} for {seconds:g} s")
            row.said.append(name)
    return row


def ports_of(stack: Stack) -> dict[str, int]:
    """Return the ports on which the daemons of a stack listen, by whose they are."""
    broker = stack.config.broker
    found = {
        name: int(address.rpartition(":")[2])
        for name, address in (
            ("clients", broker.clients),
            ("servers", broker.servers),
            ("events", broker.events),
        )
    }
    if "monitor" in stack.config.up.daemons:
        found["monitor"] = stack.config.monitor.port
    return found


def crowd(folder: Path, scale: float) -> Row:
    """Open idle connections to every port, with slow senders and endless frames among them."""
    row, count = Row(), round(CONNECTIONS * scale)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    (page,) = free_ports(1)
    settings = {
        "monitor": {"port": page},
        "up": {"daemons": ["broker", "dispatcher", "monitor"]},
    }
    stack = site(folder, ("A:1", "B:1"), PHASE, settings)
    with stack, ExitStack() as held:
        before = memory_of(stack)
        stop = threading.Event()
        held.callback(stop.set)
        refused = 0
        for name, port in ports_of(stack).items():
            for _ in range(count):
                try:
                    held.enter_context(socket.create_connection(("127.0.0.1", port), DEADLINE_S))
                    row.tried += 1
                except OSError:
                    refused += 1
            row.said.append(f"{name}: {count} connections that say nothing")
            for speak in (_slowly, _endlessly):
                threading.Thread(target=speak, args=(port, stop), daemon=True).start()
        row.counted["connections refused"] += refused
        pulse = Pulse(stack)
        with stack.supervisor() as shotline:
            shotline.do_phase("INIT", *pulse.key, wait=False)
        run_to_end(stack, pulse)
        judge(row, pulse, "in a crowd")
        # From where the crowd comes no more are let in; everybody else is.
        asking = HTTPConnection("127.0.0.1", page, DEADLINE_S, ("127.0.0.2", 0))
        asking.request("GET", "/")
        row.check(asking.getresponse().status == 200, "the page is not served in a crowd")
        asking.close()
        stop.set()
        grown = {name: (after - before[name]) // 2**20 for name, after in memory_of(stack).items()}
        told = ", ".join(f"{name} +{more} MiB" for name, more in grown.items())
        row.said.append(f"memory meanwhile: {told}")
        for name, more in grown.items():
            row.check(more < 300, f"{name} takes {more} MiB more")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return row


def _slowly(port: int, stop: threading.Event) -> None:
    """Begin a greeting, a byte at a time, and never end it."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as one:
        while not stop.wait(0.1):
            one.sendall(b"\xff")


def _endlessly(port: int, stop: threading.Event) -> None:
    """Greet as ZeroMQ does, then begin frames that never end, on one connection behind another."""
    greeting = b"\xff" + b"\0" * 8 + b"\x7f\x03\x00NULL" + b"\0" * 16 + b"\0" + b"\0" * 31
    ready = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x06DEALER"
    endless = b"\x02" + b"\x7f" + b"\xff" * 7
    while not stop.wait(0.2):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as one:
            one.settimeout(1.0)
            one.sendall(greeting + ready + endless)
            while not stop.wait(0.01):
                one.sendall(b"x" * 4096)


def memory_of(stack: Stack) -> dict[str, int]:
    """Return the resident bytes of each daemon."""
    return {
        one.name: psutil.Process(one.pid).memory_info().rss
        for one in stack.daemons.central
        if one.pid is not None
    }


TRIALS = (
    Trial(
        "bad-links",
        "a server's connection delayed, throttled, reset, swallowed one way or both, for 0.8 s and "
        "for twice the time after which a server is lost",
        "what runs goes on or is ABORTED; nothing starts twice, nothing is lost",
        bad_links,
    ),
    Trial(
        "crowd",
        f"{CONNECTIONS} idle connections to every port, slow senders, endless frames",
        "a phase runs, the page is served, memory stays bounded",
        crowd,
    ),
)
