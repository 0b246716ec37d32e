"""What is told of volumes, groups of consumers and their records. Pure."""

from collections.abc import Iterator
from typing import Final

from msgspec import structs

from shotline.common.metrics import Metric, counters, gauges
from shotline.common.volumes.views import VolumeView
from shotline.volumes.machine import DataLedger

_CAUSES: Final = ("leased", "done", "given_back", "expired", "dead")


def metrics(ledger: DataLedger) -> Iterator[Metric]:
    """Yield what is told."""
    status = ledger.telling.status()
    by_volume: dict[tuple[str, ...], VolumeView] = {(one.volume,): one for one in status.volumes}
    words = "Records that were ever announced."
    told = {name: one.counts.announced for name, one in by_volume.items()}
    yield counters("records_announced", words, ("volume",), told.items())
    words = "Records by how they stand; announced is the sum of them all."
    states = [
        ((*name, state), float(count))
        for name, one in by_volume.items()
        for state, count in structs.asdict(one.counts).items()
        if state != "announced"
    ]
    yield gauges("records", words, ("volume", "state"), states)
    for name, words, value in (
        ("watched", "Whether a volume's watcher says something.", lambda one: one.watched),
        ("oldest_ready_seconds", "Age of the oldest ready record.", _oldest_s),
        ("late", "Whether that is more than the configuration wants.", lambda one: one.late),
        ("kept_out_files", "Files that could not be read.", lambda one: len(one.quarantine)),
        ("in_trouble", "Whether it cannot be read.", lambda one: bool(one.trouble)),
        ("low", "Whether less is free than the configuration wants.", lambda one: one.low),
        ("free_bytes", "What is free on its file system.", _free_b),
    ):
        of = [(label, float(value(one))) for label, one in by_volume.items()]
        yield gauges(f"volume_{name}", words, ("volume",), of)
    groups = [((one.group,), float(one.ready)) for one in status.groups]
    yield gauges("records_group_ready", "Ready records of a group.", ("group",), groups)
    leased = [((one.group,), float(one.leased)) for one in status.groups]
    yield gauges("records_group_leased", "Leased records of a group.", ("group",), leased)
    words = "What has happened to leases since the dispatcher's start."
    happened = {(cause,): ledger.core.causes[cause] for cause in _CAUSES}
    yield counters("records_leases", words, ("what",), happened.items())


def _oldest_s(one: VolumeView) -> float:
    return one.oldest_ready_s or 0.0


def _free_b(one: VolumeView) -> int:
    return 0 if one.disk is None else one.disk.free_b
