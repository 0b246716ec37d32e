"""A TCP proxy that does to a connection what networks do: delay, throttle, cut, swallow one way.

    with Proxy(port) as proxy:
        proxy.delay_s = 0.1
        proxy.blackhole("to server")
        proxy.cut()

`seen` is called with each piece that comes from the client's side, before it is passed on.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Final, Literal

from tests.support.ports import free_ports

from shotline.common.closable import Closable

Way = Literal["to server", "to client"]
_PIECE: Final = 65_536


class Proxy(Closable):
    """Listens on a port of its own, and passes on to `port` of this machine."""

    def __init__(self, port: int, seen: Callable[[bytes], object] = lambda _: None) -> None:
        self.port = free_ports(1)[0]
        self.delay_s = 0.0
        self.bytes_per_s: float | None = None
        self.passed = 0
        self.connections = 0
        self.seen = seen
        self._to = port
        self._swallowed: set[Way] = set()
        self._open: set[socket.socket] = set()
        self._pause = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Where clients connect, as ZeroMQ has it."""
        return f"tcp://127.0.0.1:{self.port}"

    def blackhole(self, way: Way) -> None:
        """Swallow what goes this way from now on; the connections stay open."""
        self._swallowed.add(way)

    def heal(self) -> None:
        """Pass all on again. What was swallowed is gone, so what has a hole in it is cut."""
        had = bool(self._swallowed)
        self._swallowed.clear()
        self.delay_s, self.bytes_per_s = 0.0, None
        if had:
            self.cut()

    def cut(self) -> None:
        """End all connections at once, by a reset."""
        for one in list(self._open):
            self._end(one)

    def close(self) -> None:
        """End it."""
        self._pause.set()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._pause.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                client.close()
                continue
            self.connections += 1
            self._open |= {client, server}
            ways: tuple[tuple[socket.socket, socket.socket, Way], ...] = (
                (client, server, "to server"),
                (server, client, "to client"),
            )
            for one, other, way in ways:
                threading.Thread(target=self._pass, args=(one, other, way), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket, way: Way) -> None:
        with contextlib.suppress(OSError):
            while piece := one.recv(_PIECE):
                if way == "to server":
                    self.seen(piece)
                wait_s = self.delay_s
                if self.bytes_per_s is not None:
                    wait_s += len(piece) / self.bytes_per_s
                if wait_s:
                    self._pause.wait(wait_s)
                if way not in self._swallowed:
                    other.sendall(piece)
                    self.passed += len(piece)
        self._end(one)
        self._end(other)

    def _end(self, one: socket.socket) -> None:
        self._open.discard(one)
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Return whether it has come about within a time."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not holds():
        if time.monotonic() >= deadline:
            return False
        pause.wait(0.02)
    return True
