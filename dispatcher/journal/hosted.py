"""The streams of the machines that the dispatcher hosts, such as the pulse queue. Pure.

Each has a stream of its own in the journal; its records go into the same commits as all others.
A further machine has its line in HOSTED, and is journalled, spilled and loaded by that.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from shotline.common.alarms.records import AlarmsKept, decode_alarm_records
from shotline.common.base import Struct
from shotline.common.channels import ALARMS, QUEUE, VOLUMES
from shotline.common.fleet.records import FLEET, FleetKept, decode_fleet_records
from shotline.common.queue.records import QueueKept, decode_queue_records
from shotline.common.volumes.records import LedgerKept, decode_ledger_records


class HostedStream(NamedTuple):
    """What is in a hosted machine's stream."""

    decode: Callable[[bytes | str], tuple[Struct, ...]]  # raises ValueError
    whole: type[Struct]  # the record of its whole state, with which the stream begins anew


HOSTED: Final[dict[str, HostedStream]] = {
    QUEUE: HostedStream(decode_queue_records, QueueKept),
    VOLUMES: HostedStream(decode_ledger_records, LedgerKept),
    FLEET: HostedStream(decode_fleet_records, FleetKept),
    ALARMS: HostedStream(decode_alarm_records, AlarmsKept),
}
"""By the stream's name behind the prefix of all keys."""

RECORDS_MAX: Final = 20_000  # of a stream, before it begins with a whole state again


class StreamKeeper:
    """Journals the records of a hosted machine; `whole` gives the one with all of its state."""

    def __init__(
        self, stream: str, put: Callable[[str, Struct], None], whole: Callable[[], Struct]
    ) -> None:
        self._stream = stream
        self._put = put
        self._whole = whole
        self._count = 0  # since it began with a whole state

    def loaded(self, count: int) -> None:
        """Take note of so many records that are there at start."""
        self._count = count

    def keep(self, record: Struct) -> None:
        """Journal a record, which is true already."""
        self._count += 1
        self._put(self._stream, record)

    def write_anew(self) -> None:
        """Journal the whole state: the stream begins with it."""
        self._put(self._stream, self._whole())
        self._count = 1

    def shorten(self) -> None:
        """Begin anew where it has grown long."""
        if self._count > RECORDS_MAX:
            self.write_anew()
