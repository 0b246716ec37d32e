"""What leaves the dispatcher for the broker: one multipart of all that somebody waits for.

Nobody's next step waits for an answer to a result (the server only forgets it) or for an event that
a person looks at. They leave with whatever else leaves, or once no input waits, so that a busy
dispatcher, the broker and the servers wake up once for many of them. Per target, nothing overtakes.
What is decided is `machine`'s.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import structs

from shotline.common.codec import BROKER, PUBLISH, batches, encode
from shotline.common.messages import Answered, Event, Message, OutputStored, Reply
from shotline.dispatcher.effects import Publish, ToPeer

GATHER_S: Final = 0.005
EVENT_BYTES_MAX: Final = 256 * 1024
MESSAGES_MAX: Final = 256

_MAY_WAIT: Final = frozenset((Answered, OutputStored))


class Outgoing:
    """Gathers, measures and sends.

    `send` returns False when a multipart could not leave; `lost` is then told of each batch that
    was for a server or a client. What is larger than `bytes_max` is left out; `complain` is told so
    in words.
    """

    def __init__(
        self,
        send: Callable[[Sequence[bytes]], bool],
        lost: Callable[[bytes, bytes], None],
        bytes_max: int,
        complain: Callable[[str], None],
    ) -> None:
        self._send = send
        self._lost = lost
        self._bytes_max = bytes_max
        self._complain = complain
        self._gathered: dict[bytes, list[Message]] = {}  # by target
        self._count = 0
        self._event_bytes = 0
        self._is_awaited = False
        self._due: float | None = None

    @property
    def waits(self) -> bool:
        """Whether something is gathered that leaves once no input waits."""
        return bool(self._gathered)

    def to_peer(self, effect: ToPeer) -> None:
        """Take messages to one peer."""
        self._take(effect.target, effect.messages)
        if not self._is_awaited:
            self._is_awaited = not _MAY_WAIT.issuperset(map(type, effect.messages))

    def publish(self, effect: Publish) -> None:
        """Take an event."""
        self._take(PUBLISH + effect.event.channel.encode(), (effect.event,))
        self._event_bytes += len(effect.event.payload)

    def _take(self, target: bytes, messages: Sequence[Message]) -> None:
        self._count += len(messages)
        gathered = self._gathered.get(target)
        if gathered is None:
            self._gathered[target] = list(messages)
        else:
            gathered += messages

    def flush(self, now: float) -> None:
        """Send all when somebody waits for some of it, or enough has gathered for long enough."""
        if (
            self._is_awaited
            or self._count >= MESSAGES_MAX
            or self._event_bytes >= EVENT_BYTES_MAX
            or (self._due is not None and now >= self._due)
        ):
            self.flush_all()
        elif self._due is None and self._gathered:
            self._due = now + GATHER_S

    def flush_all(self) -> None:
        """Send everything."""
        gathered, self._gathered = self._gathered, {}
        self._due, self._is_awaited = None, False
        self._count = self._event_bytes = 0
        frames: list[bytes] = []
        for target, messages in gathered.items():
            for batch in self._batches(messages):
                frames += (target, batch)
        if frames and not self._send(frames):
            for target, batch in zip(frames[::2], frames[1::2], strict=True):
                if target != BROKER and not target.startswith(PUBLISH):
                    self._lost(target, batch)

    def _batches(self, messages: Sequence[Message]) -> Iterator[bytes]:
        batch = encode(messages)
        if len(batch) <= min(self._bytes_max, EVENT_BYTES_MAX):
            yield batch
        else:
            fitting = [one for message in messages for one in self._fitting(message)]
            if fitting:
                yield from batches(fitting, min(self._bytes_max, 1024 * 1024))

    def _fitting(self, message: Message) -> Iterator[Message]:
        """Yield a message if it may be sent, and what can be said instead of one that is too large.

        It would end the connection, and be sent again on the next one, for ever.
        """
        size = len(encode([message]))
        if size <= self._bytes_max:
            yield message
            return
        if isinstance(message, Event):  # its observers see by its number that it is missing
            self._complain(self._too_large(f"an event on {message.channel}", size))
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
