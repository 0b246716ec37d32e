"""Messages to batches and back. `MalformedMessage` is the only error that it lets out (I7).

A *batch* is one frame: a msgpack array of messages, each a map of its fields with `kind`. On links
where the broker forwards, an address frame stands before each batch:

* broker ↔ dispatcher: whom it is for or from: CLASS:ID/INCARNATION for a server, what the broker
  calls its connection for a client, empty for the broker itself; `*` and a channel publishes the
  batch behind it, of events of this channel.
* server ↔ broker, client ↔ broker: no address frame.

What one wake-up has for a target leaves as one multipart, of one batch or several.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar, cast

import msgspec
from msgspec import Raw

from shotline.common.errors import MalformedMessage
from shotline.common.messages import MESSAGES, AnyMessage, Message, Name, RequestId
from shotline.common.ranges import Clock

PUBLISH: Final = b"*"
BROKER: Final = b""
_BATCH: Final = b"\x80"  # what is no text begins at; a batch's first byte is above
BATCH_BYTES_MAX: Final = 16 * 1024 * 1024
BATCH_MAX: Final = 65_536
MESSAGES_MAX: Final = 512  # in a batch of ours
T = TypeVar("T")


class Head(msgspec.Struct, frozen=True, gc=False):
    """What the broker looks at of a message that it passes on."""

    kind: str


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """What the broker looks at of a request: whether it may be given, and until when."""

    id: RequestId
    verb: Name
    deadline_s: Clock


_FIELD: Final = re.compile(r"Object (contains unknown|missing required) field `(.*)`")
_FIELDS_FAULTS: Final = {"contains unknown": "is not known", "missing required": "is missing"}
_KINDS: Final = frozenset(kind.encode() for kind in MESSAGES)
_ENCODER: Final = msgspec.msgpack.Encoder()
_MESSAGES: Final = cast(
    "msgspec.msgpack.Decoder[list[Message]]", msgspec.msgpack.Decoder(list[AnyMessage])
)
_MESSAGE: Final[msgspec.msgpack.Decoder[AnyMessage]] = msgspec.msgpack.Decoder(AnyMessage)
_HEADS: Final = msgspec.msgpack.Decoder(list[Head])
_PARTS: Final = msgspec.msgpack.Decoder(list[Raw])
_REQUEST_HEAD: Final = msgspec.msgpack.Decoder(RequestHead)


def sendable(text: str) -> str:
    """Return text with half characters (lone surrogates) written out as they are in Python.

    They are what Python makes of names of files and words of commands that are not UTF-8.
    """
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def encode(messages: Iterable[Message]) -> bytes:
    """Return a batch."""
    return _ENCODER.encode(list(messages))


def batches(messages: Sequence[Message], bytes_max: int = 1024 * 1024) -> Iterator[bytes]:
    """Yield messages in batches of so many bytes at most; a larger message goes alone."""
    whole = encode(messages)
    if len(whole) <= bytes_max and len(messages) <= MESSAGES_MAX:
        yield whole
        return
    parts: list[Raw] = []
    size = 0
    for message in messages:
        part = Raw(_ENCODER.encode(message))
        if parts and (size + len(part) > bytes_max or len(parts) >= MESSAGES_MAX):
            yield join(parts)
            parts, size = [], 0
        parts.append(part)
        size += len(part)
    if parts:
        yield join(parts)


def decode(batch: bytes) -> list[Message]:
    """Return the messages of a batch. Raise MalformedMessage if any of it is wrong."""
    return _listed(_MESSAGES, batch)


def decode_one(part: bytes | Raw) -> Message:
    """Return one message of a batch. Raise MalformedMessage."""
    return _decoded(_MESSAGE, part)


def decode_all(batches: Sequence[bytes]) -> list[Message]:
    """Return the messages of a multipart without addresses. Raise MalformedMessage."""
    if len(batches) == 1:
        return decode(batches[0])
    if not batches or len(batches) > BATCH_MAX:
        raise MalformedMessage(f"a multipart of {len(batches)} frames")
    return [message for batch in batches for message in decode(batch)]


def addressed(frames: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Return addresses and batches of a multipart that has addresses. Raise MalformedMessage."""
    if not frames or len(frames) & 1 or len(frames) > 2 * BATCH_MAX:
        raise MalformedMessage(
            f"a multipart is address and batch in turn, got {len(frames)} frames"
        )
    return list(zip(frames[::2], frames[1::2], strict=True))


def is_addressed(frames: Sequence[bytes]) -> bool:
    """Return whether a multipart has addresses, as a dispatcher's: it begins with no batch."""
    return len(frames) > 1 and not len(frames) & 1 and frames[0][:1] < _BATCH


def kinds_of(batch: bytes) -> list[str]:
    """Return the kinds of a batch's messages, which are not looked at. Raise MalformedMessage."""
    return [head.kind for head in _listed(_HEADS, batch)]


def split(batch: bytes) -> list[Raw]:
    """Return a batch's messages as they are. Raise MalformedMessage."""
    return _listed(_PARTS, batch)


def parts_of(batch: bytes) -> list[tuple[str, Raw]]:
    """Return the kind of each message of a batch, and the message as it is."""
    return list(zip(kinds_of(batch), split(batch), strict=True))


def as_part(message: Message) -> Raw:
    """Return a message as one of a batch that is joined."""
    return Raw(_ENCODER.encode(message))


def join(parts: Sequence[Raw]) -> bytes:
    """Return messages as a batch."""
    return _ENCODER.encode(parts)


def is_of_protocol_1(frames: Sequence[bytes]) -> bool:
    """Return whether a multipart begins as those of Shotline 0.1: kind and body, or an address."""
    return any(len(frames) > kind_at + 1 and frames[kind_at] in _KINDS for kind_at in (0, 1))


def in_protocol_1(kind: str, **fields: object) -> list[bytes]:
    """Return a message as Shotline 0.1 reads it, to tell it that it is too old."""
    return [kind.encode(), _ENCODER.encode(fields)]


def request_head(part: Raw) -> RequestHead:
    """Return what the broker looks at of a request. Raise MalformedMessage."""
    return _decoded(_REQUEST_HEAD, part)


def _listed(decoder: "msgspec.msgpack.Decoder[list[T]]", batch: bytes) -> list[T]:
    if len(batch) > BATCH_BYTES_MAX:
        raise MalformedMessage(f"a batch of {len(batch)} bytes, at most {BATCH_BYTES_MAX}")
    messages = _decoded(decoder, batch)
    if not 0 < len(messages) <= BATCH_MAX:
        raise MalformedMessage(f"a batch of {len(messages)} messages")
    return messages


def _decoded(decoder: "msgspec.msgpack.Decoder[T]", data: bytes | Raw) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedMessage(describe(error)) from error


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
