"""The streams of the machines that the dispatcher hosts, such as the pulse queue. Pure.

Each has a stream of its own in the journal; its records go into the same commits as all others.
A further machine has its line in HOSTED, and is journalled, spilled and loaded by that.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from shotline.common.base import Struct
from shotline.common.channels import QUEUE, VOLUMES
from shotline.common.queue.records import QueueKept, decode_queue_records
from shotline.common.volumes.records import LedgerKept, decode_ledger_records


class HostedStream(NamedTuple):
    """What is in a hosted machine's stream."""

    decode: Callable[[bytes | str], tuple[Struct, ...]]  # raises ValueError
    whole: type[Struct]  # the record of its whole state, with which the stream begins anew


HOSTED: Final[dict[str, HostedStream]] = {
    QUEUE: HostedStream(decode_queue_records, QueueKept),
    VOLUMES: HostedStream(decode_ledger_records, LedgerKept),
}
"""By the stream's name behind the prefix of all keys."""
