"""The HTTP of the filter orchestrator's clients: requests from bytes, answers to bytes. Pure.

It takes what servers usually refuse: no Host header, a body with GET, several requests at once.
"""

import re
from http import HTTPStatus
from typing import Any, Final

import msgspec

from shotline.common.base import Value

HEAD_BYTES_MAX: Final = 16 * 1024
BODY_BYTES_MAX: Final = 8 * 1024 * 1024
_LINE: Final = re.compile(rb"([A-Z]{1,16}) ([!-~]{1,2000}) HTTP/1\.([01])")
_END: Final = re.compile(rb"\r?\n\r?\n")


class NoRequest(Exception):
    """These bytes are no request; the connection cannot go on behind them."""


class Asked(Value):
    """A request."""

    method: str
    path: str
    body: bytes
    keeps: bool  # the connection, for another one


class Parser:
    """Takes bytes as they come, and gives requests in their order."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._buffer += data

    def next(self) -> Asked | None:
        """Return the next whole request; None: more bytes must come. Raise NoRequest."""
        while self._buffer[:2] == b"\r\n":  # some clients end a body with an empty line
            del self._buffer[:2]
        end = _END.search(self._buffer)
        if end is None:
            if len(self._buffer) > HEAD_BYTES_MAX:
                raise NoRequest("its head is too long")
            return None
        if end.start() > HEAD_BYTES_MAX:
            raise NoRequest("its head is too long")
        first, *lines = bytes(self._buffer[: end.start()]).splitlines() or [b""]
        line = _LINE.fullmatch(first)
        if line is None:
            raise NoRequest("its first line is none of HTTP/1")
        headers = {}
        for one in lines:
            name, colon, value = one.partition(b":")
            if not colon:
                raise NoRequest("a header has no colon")
            headers[name.strip().lower()] = value.strip()
        if headers.get(b"transfer-encoding", b"identity").lower() != b"identity":
            raise NoRequest("give a Content-Length")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:12]) > BODY_BYTES_MAX:
            raise NoRequest("its Content-Length is none, or too large")
        whole = end.end() + int(length)
        if len(self._buffer) < whole:
            return None
        body = bytes(self._buffer[end.end() : whole])
        del self._buffer[:whole]
        says = headers.get(b"connection", b"").lower()
        keeps = says != b"close" and (line[3] == b"1" or says == b"keep-alive")
        path = line[2].decode().partition("?")[0]
        return Asked(line[1].decode(), path, body, keeps)


def answer(status: int, body: dict[str, Any], *, keeps: bool) -> bytes:
    """Return an answer."""
    content = msgspec.json.encode(body)
    return (
        b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        b"Connection: %s\r\n\r\n%s"
        % (
            status,
            HTTPStatus(status).phrase.encode(),
            len(content),
            b"keep-alive" if keeps else b"close",
            content,
        )
    )
