"""Messages to frames and back. `MalformedMessage` is the only error that it lets out (I7).

A *batch* is one multipart: kind, body, kind, body … Kinds are ASCII names, bodies msgpack maps.
On links where the broker forwards, an address frame stands before the batch:

* broker ↔ dispatcher: the peer's routing id, empty for the broker itself; `*` publishes:
  the frames after it are topic, body, topic, body … (body: an Event).
* server ↔ broker, client ↔ broker: no address frame.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from shotline.common.errors import MalformedMessage
from shotline.common.messages import MESSAGES, Message

PUBLISH: Final = b"*"
BROKER: Final = b""
BODY_BYTES_MAX: Final = 16 * 1024 * 1024
BATCH_MAX: Final = 65_536

_FIELD: Final = re.compile(r"Object (contains unknown|missing required) field `(.*)`")
_FIELDS_FAULTS: Final = {"contains unknown": "is not known", "missing required": "is missing"}
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODERS: Final = {kind: msgspec.msgpack.Decoder(cls) for kind, cls in MESSAGES.items()}


def sendable(text: str) -> str:
    """Return text with half characters (lone surrogates) written out as they are in Python.

    They are what Python makes of names of files and words of commands that are not UTF-8.
    """
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def encode_body(message: Message) -> bytes:
    """Return the body frame of a message."""
    return _ENCODER.encode(message)


def encode(messages: Iterable[Message]) -> list[bytes]:
    """Return the frames of a batch."""
    frames = []
    for message in messages:
        frames.append(message.kind.encode())
        frames.append(encode_body(message))
    return frames


def decode_one(kind: bytes, body: bytes) -> Message:
    """Return one message. Raise MalformedMessage for anything that is not exactly one."""
    name = _text(kind)
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise MalformedMessage(f"unknown message kind {kind[:40]!r}")
    if len(body) > BODY_BYTES_MAX:
        raise MalformedMessage(f"{name}: {len(body)} bytes, at most {BODY_BYTES_MAX}")
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedMessage(f"{name}: {describe(error)}") from error


def decode(frames: Sequence[bytes]) -> list[Message]:
    """Return the messages of a batch. Raise MalformedMessage if any of it is wrong."""
    if not frames or len(frames) % 2 or len(frames) > 2 * BATCH_MAX:
        raise MalformedMessage(f"a batch is kind and body in turn, got {len(frames)} frames")
    return [decode_one(frames[at], frames[at + 1]) for at in range(0, len(frames), 2)]


def describe(error: Exception) -> str:
    """Return what is wrong with something that was to be decoded, in one line."""
    return ": ".join(filter(None, wrong(error)))


def wrong(error: Exception) -> tuple[str, str]:
    """Return where something that was to be decoded is wrong, and what is wrong there."""
    text = str(error) or type(error).__name__
    what, at, where = text.rpartition(" - at `$")
    what, where = (what, where.strip("`")) if at else (text, "")
    if found := _FIELD.fullmatch(what):
        what, where = _FIELDS_FAULTS[found[1]], f"{where}.{found[2]}"
    return where.lstrip("."), what.replace("`", "")


def _text(kind: bytes) -> str:
    try:
        return kind.decode("ascii")
    except UnicodeDecodeError:
        return ""
