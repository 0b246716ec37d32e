"""What leaves the dispatcher for the broker: a multipart per target, some of it gathered longer.

Nobody's next step waits for an answer to a result (the server only forgets it) or for an event that
a person looks at. They are gathered for a few milliseconds, so that a busy dispatcher, the broker
and the servers wake up once for many of them. Anything else leaves at once, and what was gathered
for its target goes with it: per target, nothing overtakes. What is decided is `machine`'s.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import structs

from shotline.common.codec import PUBLISH, encode, encode_body
from shotline.common.messages import Answered, Message, OutputStored, Reply
from shotline.dispatcher.effects import Publish, ToPeer

GATHER_S: Final = 0.005
EVENTS_MAX: Final = 64
EVENT_BYTES_MAX: Final = 256 * 1024
MESSAGES_MAX: Final = 256

_MAY_WAIT: Final = frozenset((Answered, OutputStored))


class Outgoing:
    """Gathers, measures and sends.

    `send` returns False when frames could not leave; `lost` is then told. What is larger than
    `bytes_max` is left out; `complain` is told so in words.
    """

    def __init__(
        self,
        send: Callable[[Sequence[bytes]], bool],
        lost: Callable[[bytes, list[bytes]], None],
        bytes_max: int,
        complain: Callable[[str], None],
    ) -> None:
        self._send = send
        self._lost = lost
        self._bytes_max = bytes_max
        self._complain = complain
        self._leaving: dict[bytes, list[Message]] = {}
        self._waiting: dict[bytes, list[Message]] = {}
        self._events: list[bytes] = [PUBLISH]
        self._event_bytes = 0
        self._due: float | None = None

    def wake_at(self) -> float | None:
        """Return when what is gathered has to leave; None when nothing is."""
        return self._due

    def to_peer(self, effect: ToPeer) -> None:
        """Take messages to one peer."""
        target = effect.target
        if target not in self._leaving:
            waiting = self._waiting.get(target)
            if len(waiting or ()) < MESSAGES_MAX and _MAY_WAIT.issuperset(
                map(type, effect.messages)
            ):
                self._waiting.setdefault(target, []).extend(effect.messages)
                return
            self._leaving[target] = self._waiting.pop(target, [])
        self._leaving[target].extend(effect.messages)

    def publish(self, effect: Publish) -> None:
        """Take an event."""
        body = encode_body(effect.event)
        if len(body) > self._bytes_max:  # its observers see by its number that it is missing
            self._complain(self._too_large(f"an event on {effect.event.channel}", len(body)))
            return
        self._events += (effect.event.channel.encode(), body)
        self._event_bytes += len(body)

    def flush(self, now: float) -> None:
        """Send what may not wait, and what has waited long enough."""
        leaving, self._leaving = self._leaving, {}
        for target, messages in leaving.items():
            self._send_to(target, messages)
        if (
            self._event_bytes >= EVENT_BYTES_MAX
            or len(self._events) > 2 * EVENTS_MAX
            or (self._due is not None and now >= self._due)
        ):
            self.flush_all()
        elif self._due is None and (self._waiting or len(self._events) > 1):
            self._due = now + GATHER_S

    def flush_all(self) -> None:
        """Send everything."""
        self._due = None
        for gathered in (self._leaving, self._waiting):
            for target, messages in gathered.items():
                self._send_to(target, messages)
            gathered.clear()
        if len(self._events) > 1:
            self._send(self._events)
            self._events, self._event_bytes = [PUBLISH], 0

    def _send_to(self, target: bytes, messages: list[Message]) -> None:
        frames = encode(messages)
        if max(map(len, frames)) > self._bytes_max:
            frames = encode([one for message in messages for one in self._fitting(message)])
            if not frames:
                return
        if not self._send([target, *frames]):
            self._lost(target, frames)

    def _fitting(self, message: Message) -> Iterator[Message]:
        """Yield a message if it may be sent, and what can be said instead of one that is too large.

        It would end the connection, and be sent again on the next one, for ever.
        """
        size = len(encode_body(message))
        if size <= self._bytes_max:
            yield message
            return
        if isinstance(message, Reply):
            words = self._too_large("the result", len(message.result))
            yield structs.replace(message, result=b"", notices=(words,))
        else:
            words = self._too_large(f"a message ({message.kind})", size)
        self._complain(words)

    def _too_large(self, what: str, size: int) -> str:
        return (
            f"{what} has {size} bytes and was left out: a message may have {self._bytes_max} "
            "(broker.message_bytes_max)"
        )
