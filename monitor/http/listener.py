"""Where connections come in: bounded as a whole and for each address, and never spinning.

What is too much is answered in words and closed. While the process has no descriptor left nothing
is accepted: the kernel keeps who waits, and the next connection that ends lets them in. The log
says so once a second at most (I8).
"""

import asyncio
import contextlib
import errno
import logging
import resource
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import tornado.httpserver
import tornado.netutil
import tornado.web
from tornado.iostream import IOStream, SSLIOStream

from shotline.common.binding import ADVICE, permit
from shotline.common.errors import ConfigError
from shotline.common.settings.sections.monitor import AccessSection

log = logging.getLogger(__name__)

IDLE_S: Final = 60.0  # for the headers of a request, and between two requests
HEADER_BYTES_MAX: Final = 32 * 1024
BODY_S: Final = 60.0
RESERVED: Final = 64  # descriptors for all else
ACCEPTED_AT_ONCE: Final = 128
_AGAIN_S: Final = 1.0
_SAID_EVERY_S: Final = 1.0
_NONE_LEFT: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    b"Retry-After: 5\r\nContent-Length: %d\r\n\r\n%s"
)


class Tls:
    """The certificate that connections are served with; a renewed one is taken as it comes."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Read them. Raise ConfigError when they do not serve."""
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._files = (certificate, key)
        self._seen = self._state()
        try:
            self.context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{certificate} and {key} do not serve for TLS: {error}") from None

    @classmethod
    def of(cls, settings: AccessSection) -> "Tls | None":
        """Return that of a configuration. Raise ConfigError."""
        certificate, key = settings.tls_certificate, settings.tls_key
        return None if certificate is None or key is None else cls(certificate, key)

    def renew(self) -> None:
        """Take the files again where they have changed."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            self.context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            log.error("the certificate is still that of before: %s", error)
        else:
            log.info("the certificate was read again: %s", self._files[0])

    def _state(self) -> tuple[float, ...]:
        with contextlib.suppress(OSError):
            return tuple(file.stat().st_mtime for file in self._files)
        return ()


class Listener:
    """Accepts connections for an application. Made inside the running event loop."""

    def __init__(
        self,
        routes: tornado.web.Application,
        sockets: Sequence[socket.socket],
        *,
        connections_max: int,
        address_connections_max: int,
        body_bytes_max: int,
        tls: Tls | None = None,
        is_proxy: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._server = tornado.httpserver.HTTPServer(
            routes,
            max_body_size=body_bytes_max,
            max_header_size=HEADER_BYTES_MAX,
            idle_connection_timeout=IDLE_S,
            body_timeout=BODY_S,
        )
        self._sockets = sockets
        self._tls = tls
        self._is_proxy = is_proxy  # many come from there: those are bounded as WebSockets
        self._connections_max = min(connections_max, _descriptors() - RESERVED)
        self._address_connections_max = address_connections_max
        self._by_address: Counter[str] = Counter()
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.TimerHandle | None = None
        self._is_paused = True
        self._said_at = 0.0
        self.refused = 0
        self._resume()

    @property
    def connections(self) -> int:
        """How many there are."""
        return self._by_address.total()

    def stop(self) -> None:
        """Accept no more; connections that are there go on."""
        self._pause()
        for one in self._sockets:
            one.close()

    async def close_all_connections(self) -> None:
        """End what is under way."""
        await self._server.close_all_connections()

    def _resume(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._is_paused:
            self._is_paused = False
            for one in self._sockets:
                self._loop.add_reader(one, self._accept, one)

    def _pause(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if not self._is_paused:
            self._is_paused = True
            for one in self._sockets:
                self._loop.remove_reader(one)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NONE_LEFT:
                    self._say(f"no connection can be accepted now: {error.strerror}")
                    self._pause()
                    self._again = self._loop.call_later(_AGAIN_S, self._resume)
                    return
                continue  # whoever it was has gone already
            connection.setblocking(False)
            self._take(connection, address)

    def _take(self, connection: socket.socket, address: tuple[str, int]) -> None:
        host = address[0]
        if self.connections >= self._connections_max:
            self._refuse(connection, f"there are {self._connections_max} connections already")
        elif self._by_address[host] >= self._address_connections_max and not self._is_proxy(host):
            mine = f"{self._address_connections_max} connections from {host}"
            self._refuse(connection, f"there are {mine} already")
        else:
            self._by_address[host] += 1
            self._server.handle_stream(self._stream(connection, host), address)

    def _stream(self, connection: socket.socket, host: str) -> IOStream:
        if self._tls is None:
            return _Stream(connection, self, host)
        self._tls.renew()
        wrapped = self._tls.context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return _TlsStream(wrapped, self, host)

    def _refuse(self, connection: socket.socket, why: str) -> None:
        self.refused += 1
        self._say(f"a connection was refused: {why}")
        words = f"Shotline's monitor takes no more connections now: {why}.\n".encode()
        with contextlib.suppress(OSError):
            connection.send(_TOO_MANY % (len(words), words))
            connection.shutdown(socket.SHUT_WR)
        connection.close()

    def ended(self, host: str) -> None:
        """Take that a connection has ended: its descriptor is free."""
        self._by_address[host] -= 1
        if not self._by_address[host]:
            del self._by_address[host]
        if self._again is not None:
            self._loop.call_soon(self._resume)

    def _say(self, text: str) -> None:
        now = time.monotonic()
        if now >= self._said_at + _SAID_EVERY_S:
            self._said_at = now
            log.warning("%s", text)


class _Told(IOStream):
    """Tells when a connection has ended, whoever ends it."""

    _listener: Listener
    _host: str

    def close_fd(self) -> None:
        super().close_fd()
        self._listener.ended(self._host)


class _Stream(_Told):
    """A connection."""

    def __init__(self, connection: socket.socket, listener: Listener, host: str) -> None:
        self._listener, self._host = listener, host
        super().__init__(connection)


class _TlsStream(_Told, SSLIOStream):
    """A connection by TLS."""

    def __init__(self, connection: ssl.SSLSocket, listener: Listener, host: str) -> None:
        self._listener, self._host = listener, host
        super().__init__(connection)


def bound(
    address: str, port: int, *, insecure: bool = False, advice: str = ADVICE
) -> list[socket.socket]:
    """Return sockets that listen.

    Raise ConfigError where strangers would reach them, or when the port cannot be had.
    """
    permit(address, insecure=insecure, advice=advice)
    try:
        return tornado.netutil.bind_sockets(port, address.strip("[]"))
    except OSError as error:
        raise ConfigError(f"{address}:{port} cannot be bound: {error.strerror}") from None


def _descriptors() -> int:
    """Return how many descriptors this process may have; raised as far as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return 2**31 if soft == resource.RLIM_INFINITY else soft
