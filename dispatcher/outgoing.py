"""What leaves the dispatcher for the broker: one multipart of all that somebody waits for.

Nobody's next step waits for an event that a person looks at, or for what a server is told of its
output. They leave with whatever else leaves, or once no input waits, so that a busy dispatcher, the
broker and the servers wake up once for many of them. The answer to a result, after which its server
only forgets it, rests a little longer, until there is something else for that server. Per target,
nothing overtakes. What is decided is `machine`'s.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import structs

from shotline.common.codec import BROKER, PUBLISH, batches, encode
from shotline.common.messages import Answered, Event, Message, OutputStored, Reply
from shotline.dispatcher.effects import Publish, ToPeer

GATHER_S: Final = 0.005
REST_S: Final = 0.05
EVENT_BYTES_MAX: Final = 256 * 1024
MESSAGES_MAX: Final = 256

_MAY_WAIT: Final = frozenset((Answered, OutputStored))
_MAY_REST: Final = frozenset((Answered,))


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
        self._resting: dict[bytes, None] = {}  # targets of nothing but answers to results
        self._count = 0
        self._event_bytes = 0
        self._is_awaited = False
        self._due: float | None = None
        self._rest_until: float | None = None

    def due(self) -> float | None:
        """Return when `flush_idle` is to be called, unless input waits (monotonic seconds)."""
        return 0.0 if len(self._gathered) > len(self._resting) else self._rest_until

    def to_peer(self, effect: ToPeer) -> None:
        """Take messages to one peer."""
        target = effect.target
        kinds = set(map(type, effect.messages))
        if kinds != _MAY_REST:
            self._resting.pop(target, None)
            self._is_awaited = self._is_awaited or not kinds <= _MAY_WAIT
        elif target not in self._gathered:
            self._resting[target] = None
        self._take(target, effect.messages)

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
        """Send what leaves now: somebody waits for it, or enough has gathered for long enough."""
        if (
            self._count >= MESSAGES_MAX
            or self._event_bytes >= EVENT_BYTES_MAX
            or (self._due is not None and now >= self._due)
        ):
            self.flush_all()
        elif self._is_awaited:
            self._flush_awake()
        elif self._due is None and len(self._gathered) > len(self._resting):
            self._due = now + GATHER_S
        if self._resting and self._rest_until is None:
            self._rest_until = now + REST_S

    def flush_idle(self, now: float) -> None:
        """Send what leaves once no input waits."""
        if self._rest_until is not None and now >= self._rest_until:
            self.flush_all()
        else:
            self._flush_awake()

    def flush_all(self) -> None:
        """Send everything."""
        self._resting.clear()
        self._rest_until = None
        self._flush_awake()

    def _flush_awake(self) -> None:
        """Send all but what rests."""
        gathered, self._gathered = self._gathered, {}
        for target in self._resting:
            self._gathered[target] = gathered.pop(target)
        self._due, self._is_awaited = None, False
        self._count = sum(map(len, self._gathered.values()))
        self._event_bytes = 0
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
