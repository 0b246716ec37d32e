"""Histories: the numbered messages of every channel, how long they are kept, and their room. Pure.

Who reads them how far is `channels`' business; what the messages say is `messages`' and `view`'s.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shotline.common.base import Value
from shotline.common.channels import LOG
from shotline.monitor.messages import Body

PATIENCE: Final = 2  # retention times after its end a channel is dropped under its readers, too
_MESSAGE_OVERHEAD: Final = 150  # bytes that a kept message costs beside its text
_CHANNEL_OVERHEAD: Final = 1000


class Limits(Value):
    """What bounds channels and readers; see the configuration's section `monitor`."""

    history_bytes_max: int = 32 * 1024 * 1024
    histories_bytes_max: int = 256 * 1024 * 1024
    log_lines_max: int = 5_000
    retention_s: float = 300.0
    queue_bytes_max: int = 4 * 1024 * 1024
    merge_beyond: int = 200
    reader_channels_max: int = 100


class Kept(NamedTuple):
    """One message of a history. A later one of the same key replaces it for who is behind."""

    key: str | None
    body: Body
    end: int  # bytes of the channel up to and with this message


@dataclass(slots=True)
class Channel:
    """One channel: what is left of its history, and where it stands."""

    id: str
    first: int = 1  # number of the first message that is left
    messages: list[Kept] = field(default_factory=list)
    total: int = 0  # bytes of all messages that there ever were
    cut_reason: str = ""
    ended_at: float | None = None
    lasting: bool = False  # never dropped to make room
    over: bool = False  # its time is over: there only for who came before
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

    def since(self, seq: int) -> list[Kept]:
        """Return the messages after a number, as far as they are left."""
        return self.messages[max(0, seq + 1 - self.first) :]

    def cut(self, count: int, reason: str) -> None:
        """Drop the oldest messages."""
        del self.messages[:count]
        self.first += count
        self.cut_reason = reason


@dataclass(slots=True)
class Traffic:
    """What the metrics tell."""

    published: int = 0
    sent: int = 0
    frames: int = 0
    merged: int = 0
    left_out: int = 0
    slow_closed: int = 0
    cut: int = 0
    dropped: int = 0


class Histories:
    """The history of every channel, and which readers it has."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.counts = Traffic()
        self.size = 0
        self._channels: dict[str, Channel] = {}
        self._dirty: dict[int, None] = {}  # readers to whom something may be due
        self._dropping: dict[str, float] = {}  # ended channels, in the order of their ends

    def __contains__(self, channel_id: str) -> bool:
        channel = self._channels.get(channel_id)
        return channel is not None and not channel.over

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
        if self._channels.get(channel_id, _OVER).over:
            self.drop(channel_id)
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
        channel.messages.append(Kept(key, body, channel.total))
        self.size += cost
        self.counts.published += 1
        self._dirty |= channel.readers
        if channel.size > self.limits.history_bytes_max:
            self._cut(channel, self.limits.history_bytes_max, "its history was too long")
        elif channel_id == LOG and len(channel.messages) > self.limits.log_lines_max:
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
        self._dirty |= channel.readers

    def tick(self, now: float) -> None:
        """Drop what has been kept long enough; who came before that may read it to its end."""
        for channel_id, ended_at in list(self._dropping.items()):
            if now < ended_at + self.limits.retention_s:
                break
            channel = self._channels[channel_id]
            channel.over = True
            if not channel.readers or now >= ended_at + self.limits.retention_s * PATIENCE:
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


_OVER: Final = Channel("", over=True)  # in the place of none
