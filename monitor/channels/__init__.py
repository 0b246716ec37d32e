"""Channels: histories with their readers, who reads how far, and what is due to whom. Pure.

A reader's queue is its place in the history that all readers share, so that a slow one costs
nothing but that place; what it is sent is bounded, merged or ended here, and made once for all who
stand at the same place. Sending it is `websocket`'s business.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from shotline.common.base import Value
from shotline.monitor.channels.histories import Channel, Histories, Kept, Limits
from shotline.monitor.messages import Body, cut_message, quoted

FRAME_BYTES: Final = 1024 * 1024  # more waits for the reader to have taken this much
WHOLE_KEY: Final = "whole"
_ENDED: Final = b'{"channel":%s,"ended":true}'
_LATE: Final = b'{"channel":%s,"error":"it reads too slowly: the channel is gone","code":4408}'


class CloseCode(IntEnum):
    """Why a WebSocket is closed."""

    ENDED = 1000  # the channel has ended
    GOING = 1001  # the monitor ends
    MALFORMED = 4400  # neither a channel id nor a subscribe form
    LOGGED_OUT = 4401  # the login, or the token, has ended
    UNKNOWN = 4404  # there is no such channel
    SLOW = 4408  # it does not read what it is sent
    TOO_MANY = 4429


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


class Due(Value):
    """What to send to a reader now, and whether it is to be closed then."""

    frames: tuple[bytes, ...] = ()
    close: CloseCode | None = None
    reason: str = ""
    more: bool = False  # something is left for when this has been taken


class Subscribed(Value):
    """A reader stands in a channel; `seq` is the last number before what follows."""

    seq: int
    ends: bool


WholeOf = Callable[[str], Body | None]


class _Whole(Value):
    """A channel's state as a frame, and the number up to which it tells."""

    seq: int
    at: int  # bytes of the channel up to there
    frame: bytes

    def serves(self, channel: Channel, merge_beyond: int) -> bool:
        """Return whether what came after it is at hand, and is little, or much less than it."""
        little = channel.seq - self.seq <= merge_beyond
        less = channel.total - self.at <= len(self.frame) // 2
        return self.seq + 1 >= channel.first and (little or less)


class Channels(Histories):
    """All channels and their readers. `whole` gives the state of a channel that has one."""

    def __init__(self, limits: Limits, life: str, whole: WholeOf) -> None:
        super().__init__(limits)
        self.life = life
        self._whole = whole
        self._readers: dict[int, Reader] = {}
        self._wholes: dict[str, _Whole] = {}
        self._frames: dict[tuple[str, int, int], tuple[bytes, int, int]] = {}
        self._late: dict[tuple[int, str], None] = {}  # who had not read a channel that is gone

    def tick(self, now: float) -> None:
        """Drop what has been kept long enough, and states that serve nobody any more."""
        super().tick(now)
        for channel_id, made in list(self._wholes.items()):
            if not made.serves(self._channels[channel_id], self.limits.merge_beyond):
                del self._wholes[channel_id]

    def drop(self, channel_id: str) -> None:
        """Forget a channel at once; who still reads it is told so."""
        channel = self._channels.get(channel_id)
        if channel is not None and channel.ended_at is not None:
            self._late |= {(reader_id, channel_id): None for reader_id in channel.readers}
        super().drop(channel_id)
        self._wholes.pop(channel_id, None)

    # Readers

    def enter(self, reader_id: int, *, form: bool) -> None:
        """Let a reader come."""
        self._readers[reader_id] = Reader(form)

    def leave(self, reader_id: int) -> None:
        """Forget a reader."""
        reader = self._readers.pop(reader_id, None)
        self._dirty.pop(reader_id, None)
        for channel_id in reader.places if reader is not None else ():
            self._late.pop((reader_id, channel_id), None)
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
        if channel is None or channel.over:
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
        self._late.pop((reader_id, channel_id), None)
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
            late = (reader_id, channel_id) in self._late
            self.unsubscribe(reader_id, channel_id)
            if reader.form:
                frames.append((_LATE if late else _ENDED) % quoted(channel_id))
            elif late:
                close, reason = CloseCode.SLOW, "it reads too slowly"
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
                place.at, place.backlog = whole.seq, 0
                frames.append(whole.frame)
                self.counts.sent += 1
            place.wants_whole = False
        if place.at >= channel.seq and not (place.at + 1 < channel.first):
            return frames
        # Whose backlog is behind them stand at the same place as those who never had one.
        key = (channel.id, place.at, place.backlog if place.at < place.backlog else 0)
        made = self._frames.get(key)
        if made is None:
            made = self._frames[key] = self._made(channel, place)
        frame, place.at, merged = made
        place.from_start = False
        self.counts.merged += merged
        self.counts.sent += 1
        return [*frames, frame]

    def _whole_of(self, channel: Channel) -> _Whole | None:
        """Return a state; one that was made lately does.

        So a hundred pages that come at once cost one state, and those that sleep share it.
        """
        made = self._wholes.get(channel.id)
        if made is not None and made.serves(channel, self.limits.merge_beyond):
            return made
        body = self._whole(channel.id)
        if body is None:
            return None
        frame = _frame(channel.id, [_numbered(channel.seq, body)], 0)
        self._wholes[channel.id] = made = _Whole(channel.seq, channel.total, frame)
        return made

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
        self, channel: Channel, at: int, due: list[Kept], parts: list[bytes]
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


def answer_frame(
    life: str, channel_id: str, answer: Subscribed | CloseCode, why: str | None = None
) -> bytes:
    """Return the frame that answers a subscription; `why` says why there is no such channel."""
    if isinstance(answer, Subscribed):
        return b'{"channel":%s,"subscribed":true,"seq":%d,"life":%s,"ends":%s}' % (
            quoted(channel_id),
            answer.seq,
            quoted(life),
            b"true" if answer.ends else b"false",
        )
    words = why or ("no more channels" if answer is CloseCode.TOO_MANY else "no such channel")
    return b'{"channel":%s,"error":%s,"code":%d}' % (quoted(channel_id), quoted(words), answer)


def left_frame(channel_id: str, *, was_there: bool) -> bytes:
    """Return the frame that answers who leaves a channel."""
    return b'{"channel":%s,"subscribed":false,"was":%s}' % (
        quoted(channel_id),
        b"true" if was_there else b"false",
    )


def pong_frame(number: int, time: float) -> bytes:
    """Return the frame that answers a ping; `time`: wall clock of now."""
    return b'{"pong":%d,"time":%.6f}' % (number, time)


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
