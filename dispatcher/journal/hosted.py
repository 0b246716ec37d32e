"""The streams of the machines that the dispatcher hosts, such as the pulse queue. Pure.

Each has a stream of its own in the journal; its records go into the same commits as all others.
A further machine has its line in HOSTED, and is journalled, spilled and loaded by that.
"""

from collections.abc import Callable, Iterator
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

    def begins(self, record: Struct, commit: str) -> str | None:
        """Return the commit that the stream begins with, since this one has this record."""
        if not isinstance(record, self.whole):
            return None
        return (record.since if isinstance(record, LedgerKept) else "") or commit


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

    def shorten(self, records_max: int = RECORDS_MAX) -> None:
        """Begin anew where it has grown long."""
        if self._count > records_max:
            self.write_anew()


class PartsKeeper(StreamKeeper):
    """Journals a whole state that may be large in parts, of which each commit has one.

    So none takes long, and what else happens goes on in between. `parts` yields them, each as the
    state is when it is asked for; `whole` gives the record that follows the last, and is told in
    which commit the first one was. `commit` names the one that gathers. Until all are written the
    stream begins as before.
    """

    def __init__(
        self,
        stream: str,
        put: Callable[[str, Struct], None],
        parts: Callable[[], Iterator[Struct]],
        whole: Callable[[str], Struct],
        commit: Callable[[], str],
    ) -> None:
        super().__init__(stream, put, lambda: whole(self._since))
        self._parts = parts
        self._commit = commit
        self._left: Iterator[Struct] | None = None
        self._since = self._last = ""  # commits with the first part and with the last one

    def write_anew(self) -> None:
        """Begin to journal the whole state."""
        self._left, self._since, self._count = self._parts(), "", 0
        self.go_on()

    def go_on(self) -> None:
        """Journal the next part, unless the commit that gathers has one."""
        if self._left is None or self._commit() == self._last:
            return
        part = next(self._left, None)
        if part is None:
            self._left = None
            self._put(self._stream, self._whole())
            return
        self._last = self._commit()
        self._since = self._since or self._last
        self.keep(part)
