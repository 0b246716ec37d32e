"""The numbering of the event feed: per channel and term, without gaps (I6). Pure."""

from collections.abc import Iterable
from typing import Final, Literal

from shotline.common.journal.commit import EncodedRecords
from shotline.common.messages import Event
from shotline.common.records import ShotKey, TableBuilt, encode_records
from shotline.common.views import FeedBeat
from shotline.dispatcher.effects import Publish

SERVERS: Final = "servers"
LOG: Final = "log"
FEED: Final = "feed"


def shot_channel(key: ShotKey) -> str:
    """Return the channel of a shot's records."""
    return f"shot/{key.tree}/{key.shot}"


def output_channel(key: ShotKey, path: str) -> str:
    """Return the channel of an action's output."""
    return f"output/{key.tree}/{key.shot}/{path}"


class Feed:
    """Hands out event numbers and names the last ones in its beat."""

    def __init__(self, term: int) -> None:
        self._term = term
        self._last: dict[str, int] = {SERVERS: 0, LOG: 0}
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

    def records(self, key: ShotKey, at: float, encoded: EncodedRecords) -> Publish:
        """Return the event of a shot's journalled records, in the very bytes of the journal.

        A built table goes without its nodes: whoever sees it takes a snapshot.
        """
        body = encoded.body
        if any(isinstance(record, TableBuilt) for record in encoded.records):
            body = encode_records(
                [
                    record.model_copy(update={"actions": ()})
                    if isinstance(record, TableBuilt)
                    else record
                    for record in encoded.records
                ]
            )
        return self.publish(shot_channel(key), at, b'{"records":%s}' % body)

    def beat(
        self,
        at: float,
        journal: Literal["ok", "degraded", "stopped"],
        window_s: float,
        *,
        leaving: bool = False,
    ) -> Publish:
        """Return the beat: last numbers of what changed within `window_s`, servers and log too.

        `leaving`: it is the last one.
        """
        self._touched = {
            channel: time for channel, time in self._touched.items() if at - time <= window_s
        }
        last = {channel: self._last[channel] for channel in (SERVERS, LOG, *self._touched)}
        beat = FeedBeat(last=last, journal=journal, leaving=leaving)
        payload = beat.model_dump_json().encode()
        seq = self._last[FEED] = self._last.get(FEED, 0) + 1
        return Publish(Event(channel=FEED, term=self._term, seq=seq, at=at, payload=payload))

    def forget(self, key: ShotKey, paths: Iterable[str]) -> None:
        """Forget the numbers of a shot that is not in memory any more."""
        for channel in (shot_channel(key), *(output_channel(key, path) for path in paths)):
            self._floor = max(self._floor, self._last.pop(channel, 0))
            self._touched.pop(channel, None)
