"""Messages to frames and back. `MalformedMessage` is the only error that it lets out (I7).

A *batch* is one multipart: kind, body, kind, body … Kinds are ASCII names, bodies msgpack maps.
On links where the broker forwards, an address frame stands before the batch:

* broker ↔ dispatcher: the peer's routing id, empty for the broker itself; `*` publishes:
  the frames after it are topic, body, topic, body … (body: an Event).
* server ↔ broker, client ↔ broker: no address frame.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgpack
from pydantic import ValidationError

from shotline.common.errors import MalformedMessage
from shotline.common.messages import MESSAGES, Message

PUBLISH: Final = b"*"
BROKER: Final = b""
BODY_BYTES_MAX: Final = 16 * 1024 * 1024
BATCH_MAX: Final = 65_536


def sendable(text: str) -> str:
    """Return text with half characters (lone surrogates) written out as they are in Python.

    They are what Python makes of names of files and words of commands that are not UTF-8.
    """
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def encode_body(message: Message) -> bytes:
    """Return the body frame of a message."""
    fields = message.__pydantic_serializer__.to_python(message, exclude_defaults=False)
    packed: bytes = msgpack.packb(fields, use_bin_type=True)
    return packed


def encode(messages: Iterable[Message]) -> list[bytes]:
    """Return the frames of a batch."""
    frames = []
    for message in messages:
        frames.append(message.KIND.encode())
        frames.append(encode_body(message))
    return frames


def decode_one(kind: bytes, body: bytes) -> Message:
    """Return one message. Raise MalformedMessage for anything that is not exactly one."""
    cls = MESSAGES.get(_text(kind))
    if cls is None:
        raise MalformedMessage(f"unknown message kind {kind[:40]!r}")
    if len(body) > BODY_BYTES_MAX:
        raise MalformedMessage(f"{cls.KIND}: {len(body)} bytes, at most {BODY_BYTES_MAX}")
    try:
        fields = msgpack.unpackb(body, use_list=False, raw=False, strict_map_key=True)
    except Exception as error:  # msgpack raises many classes on bad bytes, ValueError is not all
        raise MalformedMessage(f"{cls.KIND}: not msgpack: {error}") from error
    try:
        return cls.model_validate(fields)
    except (ValidationError, RecursionError) as error:
        raise MalformedMessage(f"{cls.KIND}: {describe(error)}") from error


def decode(frames: Sequence[bytes]) -> list[Message]:
    """Return the messages of a batch. Raise MalformedMessage if any of it is wrong."""
    if not frames or len(frames) % 2 or len(frames) > 2 * BATCH_MAX:
        raise MalformedMessage(f"a batch is kind and body in turn, got {len(frames)} frames")
    return [decode_one(frames[at], frames[at + 1]) for at in range(0, len(frames), 2)]


def describe(error: Exception) -> str:
    """Return a validation error in one line: field and what is wrong with it."""
    if not isinstance(error, ValidationError):
        return str(error) or type(error).__name__
    parts = []
    for item in error.errors(include_url=False, include_context=False, include_input=False)[:5]:
        where = ".".join(str(step) for step in item["loc"]) or "message"
        parts.append(f"{where}: {item['msg']}")
    more = error.error_count() - len(parts)
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def _text(kind: bytes) -> str:
    try:
        return kind.decode("ascii")
    except UnicodeDecodeError:
        return ""
