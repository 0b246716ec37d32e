"""One connection to Redis: set up by redis-py, then used without blocking.

Requests go out in order, replies come back in the same order. What they mean is not known here.
"""

import hashlib
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Protocol, TypeAlias, cast

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from shotline.common.errors import JournalError
from shotline.common.redis.connection import client_options
from shotline.common.settings.sections.redis import RedisAccess
from shotline.dispatcher.journal.layout import NO_COMMIT, CommitId, Entry
from shotline.dispatcher.journal.projection import (
    COMMIT_SCRIPT,
    FORGET_SCRIPT,
    OUTPUT_SCRIPT,
    Argument,
)

Reply: TypeAlias = "bytes | int | Exception | list[Reply] | None"
"""What Redis answered; an exception in place of an error, or because the connection was lost."""


class Connection(Protocol):
    """What we use of a connection of redis-py."""

    host: str
    port: int
    _sock: socket.socket  # it has no public way to hand its socket over

    def connect(self) -> None: ...  # noqa: D102
    def disconnect(self) -> None: ...  # noqa: D102
    def send_packed_command(  # noqa: D102
        self,
        command: list[bytes],
        check_health: bool = ...,  # noqa: FBT001
    ) -> None: ...
    def read_response(self) -> Reply: ...  # noqa: D102


SCRIPTS: Final = (COMMIT_SCRIPT, FORGET_SCRIPT, OUTPUT_SCRIPT)
CLIENT_NAME: Final = "shotline-dispatcher"

_READ_BYTES: Final = 1 << 16
_WOULD_BLOCK: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class LinkLost(JournalError):
    """The connection to Redis was lost before it answered."""


@lru_cache(maxsize=8)
def digest(script: bytes) -> str:
    """Return the name under which Redis knows a script."""
    return hashlib.sha1(script, usedforsecurity=False).hexdigest()


def pack_script(script: bytes, arguments: Sequence[Argument]) -> bytes:
    """Return the bytes of a request that runs a script which Redis has."""
    return pack("EVALSHA", digest(script), 0, *arguments)


def pack(*words: Argument) -> bytes:
    """Return the bytes of a request."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its stub is too narrow
    return packed


def connect(access: RedisAccess) -> Connection:
    """Return a connection on which Redis has the scripts. Blocks.

    Raise redis-py's errors, or ConfigError when a password cannot be used.
    """
    client = redis.Redis(**client_options(access, CLIENT_NAME), retry=Retry(NoBackoff(), 0))
    connection = cast(Connection, client.connection_pool.make_connection())
    try:
        connection.connect()
        for script in SCRIPTS:
            ask(connection, "SCRIPT", "LOAD", script)
    except BaseException:
        connection.disconnect()
        raise
    return connection


def ask(connection: Connection, *words: Argument) -> Reply:
    """Send a request and wait for its reply. Raise redis-py's errors."""
    connection.send_packed_command([pack(*words)], check_health=False)
    return connection.read_response()


def ask_script(connection: Connection, script: bytes, arguments: Sequence[Argument]) -> Reply:
    """Run a script and wait for its reply. Raise redis-py's errors."""
    return ask(connection, "EVALSHA", digest(script), 0, *arguments)


def last_id(connection: Connection, stream: str) -> CommitId:
    """Return the id that a stream has given last. Raise redis-py's errors."""
    if ask(connection, "EXISTS", stream) == 0:
        return NO_COMMIT
    about = items(ask(connection, "XINFO", "STREAM", stream))
    return CommitId.parse(text(about[about.index(b"last-generated-id") + 1]))


def process_of(connection: Connection) -> bytes:
    """Return which process of Redis answers, by its own word; nothing where it does not say."""
    try:
        told = text(ask(connection, "INFO", "server"))
    except ResponseError:
        return b""
    lines = (line.partition(b":") for line in told.splitlines())
    return next((value.strip() for name, _, value in lines if name == b"run_id"), b"")


def items(reply: Reply) -> list[Reply]:
    """Return a reply that is a list. Raise its error, or JournalError for anything else."""
    if isinstance(reply, list):
        return reply
    raise reply if isinstance(reply, Exception) else JournalError(f"Redis answered {reply!r}")


def text(reply: Reply) -> bytes:
    """Return a reply that is a text. Raise its error, or JournalError for anything else."""
    if isinstance(reply, bytes):
        return reply
    raise reply if isinstance(reply, Exception) else JournalError(f"Redis answered {reply!r}")


def texts(reply: Reply) -> list[bytes]:
    """Return a reply that is a list of texts. Raise as `items` and `text`."""
    return [text(item) for item in items(reply)]


def pairs(reply: Reply) -> list[tuple[bytes, bytes]]:
    """Return a hash's fields and values. Raise as `items` and `text`."""
    words = texts(reply)
    return list(zip(words[::2], words[1::2], strict=True))


def entries(reply: Reply) -> list[Entry]:
    """Return a stream's entries. Raise as `items` and `text`."""
    found: list[Entry] = []
    for item in items(reply):
        name, fields = items(item)
        found.append((text(name), texts(fields)))
    return found


class Link:
    """A connection in use. No call blocks; a broken connection shows as `broken`, in words."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sock = connection._sock
        self._sock.setblocking(False)
        # A plain socket that gives less has no more; of what TLS still holds nobody else knows.
        self._drained_bytes = 0 if isinstance(self._sock, ssl.SSLSocket) else _READ_BYTES
        self._reader = hiredis.Reader()
        self._waiting: deque[Callable[[Reply], None]] = deque()
        self._unsent: deque[memoryview] = deque()
        self._silent_since = 0.0
        self.broken = ""

    @property
    def peer(self) -> tuple[str, int]:
        """The host and the port that it was made with."""
        return self._connection.host, self._connection.port

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._sock.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether `flush` is to be called once the socket takes more."""
        return bool(self._unsent)

    def silent_since(self) -> float | None:
        """Return since when something is owed and nothing has moved; None: nothing is owed."""
        return self._silent_since if self._waiting else None

    def send(self, now: float, request: bytes, on_reply: Callable[[Reply], None]) -> None:
        """Send packed bytes of one request; `on_reply` is called from `receive`, or from `lose`."""
        if not self._waiting:
            self._silent_since = now
        self._waiting.append(on_reply)
        self._unsent.append(memoryview(request))
        self.flush(now)

    def send_script(self, now: float, request: bytes, on_reply: Callable[[Reply], None]) -> None:
        """Send what runs a script; load the scripts when somebody has made Redis forget them."""

        def receive(reply: Reply) -> None:
            if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
                for script in SCRIPTS:
                    self.send(now, pack("SCRIPT", "LOAD", script), lambda _: None)
                self.send(now, request, on_reply)
            else:
                on_reply(reply)

        self.send(now, request, receive)

    def flush(self, now: float) -> None:
        """Send as much as the socket takes."""
        try:
            while self._unsent:
                chunk = self._unsent[0]
                sent = self._sock.send(chunk)
                self._silent_since = now
                if sent < len(chunk):
                    self._unsent[0] = chunk[sent:]
                else:
                    self._unsent.popleft()
        except _WOULD_BLOCK:
            pass
        except OSError as error:
            self.broken = self.broken or f"the connection broke ({error})"

    def receive(self, now: float) -> None:
        """Take all replies that are there and hand them on, in order."""
        try:
            while data := self._sock.recv(_READ_BYTES):
                self._silent_since = now
                self._reader.feed(data)
                if len(data) < self._drained_bytes:
                    break
            else:
                self.broken = self.broken or "it closed the connection"
        except _WOULD_BLOCK:
            pass
        except OSError as error:
            self.broken = self.broken or f"the connection broke ({error})"
        try:
            while self._waiting and self._reader.has_data():
                # What is not answered yet looks like this; nothing that we ask answers `false`.
                reply: Reply | bool = self._reader.gets()
                if reply is False:
                    return
                self._waiting.popleft()(reply)
        except hiredis.ProtocolError as error:
            self.broken = self.broken or f"it does not speak Redis's protocol ({error})"

    def lose(self) -> None:
        """Close the connection; each request that waits is answered by LinkLost."""
        self._connection.disconnect()
        waiting, self._waiting = self._waiting, deque()
        for on_reply in waiting:
            on_reply(LinkLost())
