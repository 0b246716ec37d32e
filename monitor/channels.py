"""Channels: their numbered histories, who reads them how far, and what is due to whom. Pure.

A reader's queue is its place in the history that all readers share, so that a slow one costs
nothing but that place; what it is sent is bounded, merged or ended here. What the messages say is
`messages`' and `view`'s business, sending them `websocket`'s.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from shotline.monitor.messages import Body, cut_message, quoted

FRAME_BYTES: Final = 1024 * 1024  # more waits for the reader to have taken this much
_MESSAGE_OVERHEAD: Final = 150  # bytes that a kept message costs beside its text
_CHANNEL_OVERHEAD: Final = 1000


class CloseCode(IntEnum):
    """Why a WebSocket is closed."""

    ENDED = 1000  # the channel has ended
    GOING = 1001  # the monitor ends
    MALFORMED = 4400  # neither a channel id nor a subscribe form
    FORBIDDEN = 4403
    UNKNOWN = 4404  # there is no such channel
    SLOW = 4408  # it does not read what it is sent
    TOO_MANY = 4429


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds channels and readers; see the configuration's section `monitor`."""

    history_bytes_max: int = 32 * 1024 * 1024
    histories_bytes_max: int = 256 * 1024 * 1024
    log_lines_max: int = 5_000
    retention_s: float = 300.0
    queue_bytes_max: int = 4 * 1024 * 1024
    merge_beyond: int = 200
    reader_channels_max: int = 100


class Message(NamedTuple):
    """One message of a history. A later one of the same key replaces it for who is behind."""

    key: str | None
    body: Body
    end: int  # bytes of the channel up to and with this message


@dataclass(slots=True)
class Channel:
    """One channel: what is left of its history, and where it stands."""

    id: str
    first: int = 1  # number of the first message that is left
    messages: list[Message] = field(default_factory=list)
    total: int = 0  # bytes of all messages that there ever were
    cut_reason: str = ""
    ended_at: float | None = None
    lasting: bool = False  # never dropped to make room
    readers: dict[int, None] = field(default_factory=dict)

    @property
    def seq(self) -> int:
        """The number of the last message, 0 before the first."""
        return self.first + len(self.messages) - 1

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self.total - self.offset(self.first - 1) + _CHANNEL_OVERHEAD

    def offset(self, seq: int) -> int:
        """Return the bytes up to and with a message; of what was cut, up to what is left."""
        index = min(seq, self.seq) - self.first
        if index >= 0:
            return self.messages[index].end
        if not self.messages:
            return self.total
        return self.messages[0].end - len(self.messages[0].body) - _MESSAGE_OVERHEAD

    def since(self, seq: int) -> list[Message]:
        """Return the messages after a number, as far as they are left."""
        return self.messages[max(0, seq + 1 - self.first) :]

    def cut(self, count: int, reason: str) -> None:
        """Drop the oldest messages."""
        del self.messages[:count]
        self.first += count
        self.cut_reason = reason


@dataclass(slots=True)
class Place:
    """How far a reader has read a channel."""

    at: int  # number of the last message that it was sent
    entered: int  # bytes of the channel when it came: what lies before is its own wish
    from_start: bool = False
    wants_whole: bool = False
    backlog: int = 0  # up to this number all is sent as it was, unmerged


@dataclass(slots=True)
class Reader:
    """One WebSocket. `form`: it subscribes by forms, to several channels."""

    form: bool
    places: dict[str, Place] = field(default_factory=dict)
    sending: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """What to send to a reader now, and whether it is to be closed then."""

    frames: tuple[bytes, ...] = ()
    close: CloseCode | None = None
    reason: str = ""
    more: bool = False  # something is left for when this has been taken


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A reader stands in a channel; `seq` is the last number before what follows."""

    seq: int
    ends: bool


@dataclass(slots=True)
class Counts:
    """What the metrics tell."""

    published: int = 0
    sent: int = 0
    frames: int = 0
    merged: int = 0
    left_out: int = 0
    slow_closed: int = 0
    cut: int = 0
    dropped: int = 0


Whole = Callable[[str], Body | None]


class Channels:
    """All channels and their readers. `whole` gives the state of a channel that has one."""

    def __init__(self, limits: Limits, life: str, whole: Whole) -> None:
        self.limits = limits
        self.life = life
        self.counts = Counts()
        self.size = 0
        self._whole = whole
        self._channels: dict[str, Channel] = {}
        self._readers: dict[int, Reader] = {}
        self._wholes: dict[str, tuple[int, Body]] = {}
        self._frames: dict[tuple[str, int, int], tuple[bytes, int, int]] = {}
        self._dirty: dict[int, None] = {}
        self._dropping: dict[str, float] = {}  # ended channels, in the order of their ends

    # What happens in channels

    def __contains__(self, channel_id: str) -> bool:
        return channel_id in self._channels

    def __len__(self) -> int:
        return len(self._channels)

    def ids(self) -> tuple[str, ...]:
        """Return all channels."""
        return tuple(self._channels)

    def seq(self, channel_id: str) -> int:
        """Return the number of a channel's last message, 0 for none."""
        channel = self._channels.get(channel_id)
        return 0 if channel is None else channel.seq

    def has_readers(self, channel_id: str) -> bool:
        """Return whether anybody reads a channel."""
        channel = self._channels.get(channel_id)
        return channel is not None and bool(channel.readers)

    def open(self, channel_id: str, *, lasting: bool = False) -> None:
        """Let there be a channel, so that it can be subscribed to before its first message."""
        if channel_id not in self._channels:
            if self.size > self.limits.histories_bytes_max:
                self._make_room()
            self._channels[channel_id] = Channel(channel_id, lasting=lasting)
            self.size += _CHANNEL_OVERHEAD

    def publish(self, channel_id: str, body: Body, key: str | None = None) -> None:
        """Add a message. What comes after the end of a channel is dropped."""
        self.open(channel_id)
        channel = self._channels[channel_id]
        if channel.ended_at is not None:
            return
        cost = len(body) + _MESSAGE_OVERHEAD
        channel.total += cost
        channel.messages.append(Message(key, body, channel.total))
        self.size += cost
        self.counts.published += 1
        self._dirty |= channel.readers
        if channel.size > self.limits.history_bytes_max:
            self._cut(channel, self.limits.history_bytes_max, "its history was too long")
        elif channel_id == "log" and len(channel.messages) > self.limits.log_lines_max:
            # A tenth at a time, so that not every line moves all others.
            count = len(channel.messages) - self.limits.log_lines_max * 9 // 10
            self._drop_messages(channel, count, "older lines are not kept")
        if self.size > self.limits.histories_bytes_max:
            self._make_room()

    def lack_beginning(self, channel_id: str, reason: str) -> None:
        """Say in its first message that a channel's history does not begin at its beginning."""
        self.open(channel_id)
        channel = self._channels[channel_id]
        if channel.first == 1 and not channel.messages:
            channel.first = 2
        channel.cut_reason = reason

    def end(self, now: float, channel_id: str) -> None:
        """End a channel; it is kept for the retention time."""
        channel = self._channels.get(channel_id)
        if channel is not None and channel.ended_at is None:
            channel.ended_at = self._dropping[channel_id] = now
            self._dirty |= channel.readers

    def drop(self, channel_id: str) -> None:
        """Forget a channel at once; who still reads it is told that it has ended."""
        channel = self._channels.pop(channel_id, None)
        if channel is None:
            return
        self.size -= channel.size
        self.counts.dropped += 1
        self._dropping.pop(channel_id, None)
        self._wholes.pop(channel_id, None)
        self._dirty |= channel.readers

    def tick(self, now: float) -> None:
        """Drop what has been kept long enough."""
        for channel_id, ended_at in list(self._dropping.items()):
            if now < ended_at + self.limits.retention_s:
                break
            self.drop(channel_id)

    def wake_at(self) -> float | None:
        """Return when `tick` is due."""
        for ended_at in self._dropping.values():
            return ended_at + self.limits.retention_s
        return None

    def _cut(self, channel: Channel, limit: int, reason: str) -> None:
        target = channel.size - limit * 9 // 10
        count = freed = 0
        for message in channel.messages[:-1]:
            if freed >= target:
                break
            freed += len(message.body) + _MESSAGE_OVERHEAD
            count += 1
        self._drop_messages(channel, count, reason)

    def _drop_messages(self, channel: Channel, count: int, reason: str) -> None:
        before = channel.size
        channel.cut(count, reason)
        self.size -= before - channel.size
        self.counts.cut += count

    def _make_room(self) -> None:
        """Cut the longest history; once none is long, drop what has ended first."""
        limit = self.limits.histories_bytes_max
        while self.size > limit:
            longest = max(self._channels.values(), key=lambda channel: channel.size)
            if longest.size > limit // 50 and len(longest.messages) > 1:
                self._cut(longest, longest.size // 2, "all histories together were too long")
            else:
                others = (one.id for one in self._channels.values() if not one.lasting)
                oldest = next(iter(self._dropping), None) or next(others, None)
                if oldest is None:
                    return
                self.drop(oldest)

    # Readers

    def enter(self, reader_id: int, *, form: bool) -> None:
        """Let a reader come."""
        self._readers[reader_id] = Reader(form)

    def leave(self, reader_id: int) -> None:
        """Forget a reader."""
        reader = self._readers.pop(reader_id, None)
        self._dirty.pop(reader_id, None)
        for channel_id in reader.places if reader is not None else ():
            channel = self._channels.get(channel_id)
            if channel is not None:
                channel.readers.pop(reader_id, None)

    def subscribe(
        self,
        reader_id: int,
        channel_id: str,
        *,
        since: int | None = None,
        life: str | None = None,
        whole: bool = False,
    ) -> Subscribed | CloseCode:
        """Place a reader in a channel: at its beginning, after `since`, or before its state."""
        reader, channel = self._readers[reader_id], self._channels.get(channel_id)
        if channel is None:
            return CloseCode.UNKNOWN
        full = len(reader.places) >= self.limits.reader_channels_max
        if full and channel_id not in reader.places:
            return CloseCode.TOO_MANY
        place = Place(at=0, entered=channel.total, from_start=True, backlog=channel.seq)
        resumes = since is not None and life == self.life and 0 <= since <= channel.seq
        if resumes and since is not None and since >= channel.first - 1:
            place.at, place.from_start = since, False
            if channel.total - channel.offset(since) > self.limits.queue_bytes_max:
                place.backlog = 0
        elif whole or since is not None:
            place.wants_whole = True
        reader.places[channel_id] = place
        channel.readers[reader_id] = None
        self._dirty[reader_id] = None
        return Subscribed(place.at, channel.ended_at is not None)

    def unsubscribe(self, reader_id: int, channel_id: str) -> bool:
        """Take a reader out of a channel; return whether it was there."""
        channel = self._channels.get(channel_id)
        if channel is not None:
            channel.readers.pop(reader_id, None)
        return self._readers[reader_id].places.pop(channel_id, None) is not None

    def waiting(self) -> list[int]:
        """Return the readers to whom something is due and who are ready to take it.

        Frames that were made for others before are not used again after this.
        """
        self._frames.clear()
        return [one for one in self._dirty if not self._readers[one].sending]

    def slow(self) -> list[int]:
        """Return the readers of the plain form who have let too much wait."""
        return [reader_id for reader_id in self._dirty if self._is_slow(self._readers[reader_id])]

    def close_slow(self, reader_id: int) -> Due:
        """Return how a slow reader is closed."""
        self.counts.slow_closed += 1
        self.leave(reader_id)
        return Due((), CloseCode.SLOW, "it reads too slowly")

    def is_dirty(self, reader_id: int) -> bool:
        """Return whether something is due to a reader."""
        return reader_id in self._dirty

    def sent(self, reader_id: int) -> None:
        """Note that a reader has taken what was due."""
        reader = self._readers.get(reader_id)
        if reader is not None:
            reader.sending = False

    def due(self, reader_id: int) -> Due:
        """Return what a reader is to be sent now; it then counts as sent."""
        reader = self._readers[reader_id]
        frames: list[bytes] = []
        close: CloseCode | None = None
        reason = ""
        more = False
        for channel_id in list(reader.places):
            channel = self._channels.get(channel_id)
            place = reader.places[channel_id]
            if channel is not None:
                took = self._form(channel, place) if reader.form else self._plain(channel, place)
                frames += took
                more = more or place.at < channel.seq
            ended = channel is None or (
                channel.ended_at is not None and place.at >= channel.seq and not place.wants_whole
            )
            if not ended:
                continue
            self.unsubscribe(reader_id, channel_id)
            if reader.form:
                frames.append(b'{"channel":%s,"ended":true}' % quoted(channel_id))
            else:
                close, reason = CloseCode.ENDED, "the channel has ended"
        if not more:
            self._dirty.pop(reader_id, None)
        reader.sending = bool(frames)
        self.counts.frames += len(frames)
        return Due(tuple(frames), close, reason, more)

    def _is_slow(self, reader: Reader) -> bool:
        if reader.form:
            return False
        for channel_id, place in reader.places.items():
            channel = self._channels.get(channel_id)
            if channel is None:
                continue
            behind = channel.total - max(channel.offset(place.at), place.entered)
            fell_off = place.at + 1 < channel.first and place.at > 0
            if behind > self.limits.queue_bytes_max or fell_off:
                return True
        return False

    # The plain form: every message as it was, one in each frame

    def _plain(self, channel: Channel, place: Place) -> list[bytes]:
        frames: list[bytes] = []
        if place.at == 0 and channel.first > 1:
            frames.append(_numbered(channel.first - 1, _cut_of(channel)))
        place.at = max(place.at, channel.first - 1)
        size = 0
        for message in channel.since(place.at):
            if size >= FRAME_BYTES:
                break
            place.at += 1
            frames.append(_numbered(place.at, message.body))
            size += len(message.body)
        self.counts.sent += len(frames)
        return frames

    # The subscribe form: one frame of all that is due, merged when it is much

    def _form(self, channel: Channel, place: Place) -> list[bytes]:
        frames: list[bytes] = []
        lost = place.at + 1 < channel.first
        if place.wants_whole or (lost and not place.from_start):
            whole = self._whole_of(channel)
            if whole is not None:
                place.at = whole[0]
                frames.append(_frame(channel.id, [_numbered(*whole)], 0))
                self.counts.sent += 1
            place.wants_whole = False
        if place.at >= channel.seq and not (place.at + 1 < channel.first):
            return frames
        made = self._frames.get((channel.id, place.at, place.backlog))
        if made is None:
            made = self._made(channel, place)
            self._frames[channel.id, place.at, place.backlog] = made
        frame, place.at, merged = made
        place.from_start = False
        self.counts.merged += merged
        self.counts.sent += 1
        return [*frames, frame]

    def _whole_of(self, channel: Channel) -> tuple[int, Body] | None:
        """Return a state and its number; one made lately does when its sequel is at hand."""
        made = self._wholes.get(channel.id)
        if (
            made is not None
            and made[0] + 1 >= channel.first
            and channel.seq - made[0] <= (self.limits.merge_beyond)
        ):
            return made
        body = self._whole(channel.id)
        if body is None:
            return None
        self._wholes[channel.id] = (channel.seq, body)
        return self._wholes[channel.id]

    def _made(self, channel: Channel, place: Place) -> tuple[bytes, int, int]:
        """Return one frame, the number up to which it tells, and how many it leaves out."""
        parts: list[bytes] = []
        at = place.at
        if at + 1 < channel.first:
            at = channel.first - 1
            parts.append(_numbered(at, _cut_of(channel)))
        due = channel.since(at)
        if at < place.backlog:
            due = due[: place.backlog - at]
        elif len(due) > self.limits.merge_beyond:
            return self._merged(channel, at, due, parts)
        size = 0
        for message in due:
            at += 1
            parts.append(_numbered(at, message.body))
            size += len(message.body)
            if size >= FRAME_BYTES:
                break
        return _frame(channel.id, parts, 0), at, 0

    def _merged(
        self, channel: Channel, at: int, due: list[Message], parts: list[bytes]
    ) -> tuple[bytes, int, int]:
        seen: set[str] = set()
        kept: list[bytes] = []
        number, size, merged = channel.seq + 1, 0, 0
        left_out = False
        for message in reversed(due):
            number -= 1
            if message.key is not None and message.key in seen:
                merged += 1
                continue
            if message.key is None and size > self.limits.queue_bytes_max:
                if not left_out:
                    body = cut_message(at + 1, number, "it was too much for this reader")
                    kept.append(_numbered(number, body))
                left_out = True
                self.counts.left_out += 1
                continue
            kept.append(_numbered(number, message.body))
            size += len(message.body)
            if message.key is None:
                continue
            seen.add(message.key)
            if message.key == WHOLE_KEY:
                merged += number - at - 1
                break
        parts += reversed(kept)
        return _frame(channel.id, parts, merged), channel.seq, merged


WHOLE_KEY: Final = "whole"


def _cut_of(channel: Channel) -> Body:
    return cut_message(1, channel.first - 1, channel.cut_reason)


def _numbered(seq: int, body: Body) -> bytes:
    return b'{"seq":%d,%s' % (seq, body)


def _frame(channel_id: str, messages: Iterable[bytes], merged: int) -> bytes:
    return b'{"channel":%s,"messages":[%s],"merged":%d}' % (
        quoted(channel_id),
        b",".join(messages),
        merged,
    )
