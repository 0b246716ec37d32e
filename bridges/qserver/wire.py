"""Requests and replies as bytes: JSON or msgpack, one frame. Pure."""

import json
from typing import Final, Literal

import msgpack

from shotline.bridges.qserver.asking import Body
from shotline.common.base import Json, Value
from shotline.common.errors import RemoteError

Encoding = Literal["json", "msgpack"]
_SHOWN_MAX: Final = 400
_KEYS: Final = frozenset(("method", "params"))


class BadRequest(RemoteError):
    """A client sent what is no request of the queue server's."""


class QueueRequest(Value):
    """One request of a client."""

    method: str
    params: Body


def request_of(data: bytes, encoding: Encoding) -> QueueRequest:
    """Return the request in a frame. Raise BadRequest."""
    message = _decoded(data, encoding)
    if not isinstance(message, dict):
        raise BadRequest(f"Incorrect request type: {type(message)}. Dictionary is expected")
    if "method" not in message:
        raise BadRequest(f"Invalid request format: method is not specified: {_shown(message)}")
    if not message.keys() <= _KEYS:
        extra = ", ".join(sorted(map(repr, message.keys() - _KEYS)))
        raise BadRequest(f"Request contains unsupported keys: {extra}. Allowed: method, params")
    method, params = message["method"], message.get("params")
    if not isinstance(method, str):
        raise BadRequest(f"Invalid request format: the method is no text: {_shown(method)}")
    if params is not None and not isinstance(params, dict):
        raise BadRequest(f"Invalid request format: params are no object: {_shown(params)}")
    if params and not all(isinstance(name, str) for name in params):
        raise BadRequest("Invalid request format: names of params must be text")
    return QueueRequest(method, params or {})


def _decoded(data: bytes, encoding: Encoding) -> Json:
    prefix = f"Failed to decode the request: {encoding.upper()} decode error:"
    try:
        if encoding == "json":
            return json.loads(data)
        return msgpack.unpackb(data)
    except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise BadRequest(f"{prefix} {error or type(error).__name__}") from None


def encoded(body: Body, encoding: Encoding) -> bytes:
    """Return a reply's frame."""
    if encoding == "json":
        return json.dumps(body).encode()
    packed = msgpack.packb(body)
    assert isinstance(packed, bytes)
    return packed


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"
