"""The numbering of the event feed: per channel and term, without gaps (I6). Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import structs

from shotline.common.base import to_json
from shotline.common.channels import (
    ALARMS,
    FEED,
    LOG,
    QUEUE,
    SERVERS,
    VOLUMES,
    output_channel,
    shot_channel,
)
from shotline.common.messages import Event
from shotline.common.records import Record, ShotKey, TableBuilt, encode_record
from shotline.common.views import FeedBeat, JournalState
from shotline.dispatcher.effects import Publish
from shotline.dispatcher.journal.commit import EncodedRecords

CHANNELS_MAX: Final = 1000  # in one beat
WINDOW_S: Final = 30.0
"""A beat names the last numbers of channels that have changed within this time."""

STANDING: Final = (SERVERS, LOG, QUEUE, VOLUMES, ALARMS)  # channels that are always there


class EventFeed:
    """Hands out event numbers and names the last ones in its beat."""

    def __init__(self, term: int) -> None:
        self._term = term
        self._last: dict[str, int] = dict.fromkeys(STANDING, 0)
        self._touched: dict[str, float] = {}
        # A channel that was forgotten goes on above its last number, if it ever comes back.
        self._floor = 0

    def last(self, channel: str) -> int:
        """Return the number of a channel's last event, 0 before the first."""
        return self._last.get(channel, self._floor)

    def publish(self, channel: str, at: float, payload: bytes) -> Publish:
        """Return the channel's next event."""
        seq = self._last[channel] = self.last(channel) + 1
        self._touched[channel] = at
        return Publish(Event(channel=channel, term=self._term, seq=seq, at=at, payload=payload))

    def records(
        self, key: ShotKey, at: float, encoded: EncodedRecords, bytes_max: int
    ) -> Iterator[Publish]:
        """Yield the events of a shot's journalled records, in the very bytes of the journal.

        Those of one commit go in one event, in several where it would grow beyond `bytes_max`. A
        built table goes without its nodes: whoever sees it takes a snapshot.
        """
        channel, body = shot_channel(key), encoded.body
        if len(body) <= bytes_max and not any(map(_is_table, encoded.records)):
            yield self.publish(channel, at, b'{"records":%s}' % body)
            return
        parts = map(_without_nodes, encoded.records, encoded.parts)
        for some in _batches(parts, bytes_max):
            yield self.publish(channel, at, b'{"records":[%s]}' % b",".join(some))

    def beat(
        self,
        at: float,
        journal: JournalState,
        *,
        leaving: bool = False,
    ) -> Iterator[Publish]:
        """Yield the beat: last numbers of what changed within WINDOW_S, and of what always is.

        It goes in several events where very many channels have changed. `leaving`: it is the last
        one.
        """
        self._touched = {
            channel: time for channel, time in self._touched.items() if at - time <= WINDOW_S
        }
        told = (*STANDING, *self._touched)
        for begin in range(0, len(told), CHANNELS_MAX):
            last = {channel: self._last[channel] for channel in told[begin : begin + CHANNELS_MAX]}
            beat = FeedBeat(last=last, journal=journal, leaving=leaving)
            payload = to_json(beat)
            seq = self._last[FEED] = self._last.get(FEED, 0) + 1
            yield Publish(Event(channel=FEED, term=self._term, seq=seq, at=at, payload=payload))

    def forget(self, key: ShotKey, paths: Iterable[str]) -> None:
        """Forget the numbers of a shot that is not in memory any more."""
        for channel in (shot_channel(key), *(output_channel(key, path) for path in paths)):
            self._floor = max(self._floor, self._last.pop(channel, 0))
            self._touched.pop(channel, None)


def _is_table(record: Record) -> bool:
    return isinstance(record, TableBuilt)


def _without_nodes(record: Record, part: bytes) -> bytes:
    if isinstance(record, TableBuilt):
        return encode_record(structs.replace(record, actions=()))
    return part


def _batches(parts: Iterable[bytes], bytes_max: int) -> Iterator[list[bytes]]:
    """Yield the parts in batches of at most so many bytes, or of one part that has more."""
    batch: list[bytes] = []
    size = 0
    for part in parts:
        if batch and size + len(part) > bytes_max:
            yield batch
            batch, size = [], 0
        batch.append(part)
        size += len(part) + 1
    if batch:
        yield batch
