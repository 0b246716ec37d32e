"""What a WebSocket's client may send: a channel id, a subscribe form, or a ping. Pure."""

from typing import Annotated, Final

from pydantic import Field, ValidationError

from shotline.common.errors import MalformedMessage
from shotline.common.settings.model import Model
from shotline.monitor.http.requests import problems_of
from shotline.monitor.names import LENGTH_MAX

ChannelId = Annotated[str, Field(min_length=1, max_length=LENGTH_MAX)]
_PING_LENGTH_MAX: Final = 100
ChannelIds = ChannelId | Annotated[tuple[ChannelId, ...], Field(max_length=1000)]


class SubscribeForm(Model):
    """A frame of the subscribe form; see `docs/websocket.md`."""

    subscribe: ChannelIds = ()
    unsubscribe: ChannelIds = ()
    since: Annotated[int, Field(ge=0, strict=True)] | None = None
    life: Annotated[str, Field(max_length=100)] | None = None
    state: Annotated[bool, Field(strict=True)] = False


class PingForm(Model):
    """A frame that asks for a sign of life; its answer repeats the number."""

    ping: Annotated[int, Field(ge=0, le=2**53, strict=True)]


def ping_of(frame: str | bytes) -> int | None:
    """Return the number of a ping; None for every other frame."""
    if isinstance(frame, bytes) or len(frame) > _PING_LENGTH_MAX or '"ping"' not in frame:
        return None
    try:
        return PingForm.model_validate_json(frame).ping
    except ValidationError:
        return None


def listed(ids: ChannelIds) -> tuple[str, ...]:
    """Return the ids of a form's field."""
    return (ids,) if isinstance(ids, str) else ids


def parsed(frame: str | bytes) -> str | SubscribeForm:
    """Return what a client's text frame says. Raise MalformedMessage when it is neither."""
    if isinstance(frame, bytes):
        raise MalformedMessage("frames must be text")
    text = frame.strip()
    if not text.startswith("{"):
        if not text or len(text) > LENGTH_MAX:
            raise MalformedMessage(f"a channel id has 1 to {LENGTH_MAX} characters")
        return text
    try:
        form = SubscribeForm.model_validate_json(text)
    except ValidationError as error:
        words = "; ".join(f"{one.field}: {one.message}" for one in problems_of(error))
        raise MalformedMessage(f"no subscribe form: {words}") from None
    if not form.subscribe and not form.unsubscribe:
        raise MalformedMessage("a form names what to `subscribe` to, or to `unsubscribe` from")
    return form
