"""Volumes and data records for tests of the page: as the dispatcher tells of them."""

import time
from typing import Final

import msgspec
from tests.support.mock_monitor import MockMonitor, reply

from shotline.client.observer import News
from shotline.common.base import to_json
from shotline.common.messages import Reply
from shotline.common.volumes.views import (
    LedgerView,
    RecordsFileResult,
    RecordsListResult,
    RecordsStatusResult,
    RecordView,
    VolumesEvent,
)

Json = dict[str, object]
GIB: Final = 1024**3


def volume(name: str, **fields: object) -> Json:
    """Return a volume that is as it should be."""
    made: Json = {
        "volume": name,
        "host": "data1",
        "folder": f"/data/{name.lower()}",
        "counts": {"announced": 340, "ready": 12, "leased": 3, "done": 325},
        "per_minute": 120,
        "done_per_minute": 118,
        "oldest_ready_at": time.time() - 42,
        "disk": {"path": "/data", "total_b": 4000 * GIB, "free_b": 1200 * GIB},
        "watched": True,
        "seen_at": time.time(),
        "known": 340,
        "scanned_at": time.time() - 20,
    }
    return made | fields


def ledger(**fields: object) -> LedgerView:
    """Return how some volumes, groups and consumers stand, not all of them well."""
    dead = {"announced": 90, "ready": 0, "leased": 0, "done": 84, "dead": 6}
    made: Json = {
        "volumes": [
            volume("RAW"),
            volume("PULSES", host="data2", counts=dead, kept_out=2, low=True),
            volume("OLD", watched=False, seen_at=time.time() - 600, trouble="it is not mounted"),
        ],
        "groups": [
            {"group": "filter", "ready": 12, "leased": 3, "dead": 2, "done_per_minute": 118},
            {"group": "rule:analysis", "dead": 4},
        ],
        "consumers": [
            {"consumer": "filter@node1:77", "group": "filter", "host": "node1", "leased": 2}
            | {"done": 160, "done_per_minute": 61, "seen_at": time.time() - 2},
            {"consumer": "filter@node2:12", "group": "filter", "host": "node2", "leased": 1}
            | {"done": 165, "done_per_minute": 57, "seen_at": time.time(), "waiting": True},
        ],
        "consumers_all": 2,
        "changes": 1,
    }
    return msgspec.convert(made | fields, LedgerView)


def tell(monitor: MockMonitor, view: LedgerView) -> None:
    """Let the dispatcher tell how everything stands."""
    monitor.take(News("volumes", time.time(), VolumesEvent(ledger=view)))


def record(number: int, state: str = "dead", **fields: object) -> RecordView:
    """Return a record that is not done."""
    made: Json = {
        "number": number,
        "volume": "PULSES",
        "path": f"run7/shot_{number}.hdf5",
        "generation": "1",
        "part": {"name": ""},
        "group": "filter",
        "rule": "files",
        "state": state,
        "attempts": 3,
        "reason": "leased 3 times and not completed" if state == "dead" else "",
        "announced_at": time.time() - number,
        "size_b": 7 * GIB,
        "run": 7,
    }
    return msgspec.convert(made | fields, RecordView)


def listed(*records: RecordView, next: int | None = None) -> Reply:  # noqa: A002
    """Return the answer to `records_list`."""
    return reply(result=to_json(RecordsListResult(records=records, next=next)))


def status(**fields: object) -> Reply:
    """Return the answer to `records_status`: files that are kept out."""
    kept = [
        {"path": f"run7/bad_{n}.hdf5", "generation": "1", "rule": "files", "at": time.time()}
        | {"reason": "no HDF5 file: its signature is missing"}
        for n in range(2)
    ]
    made: Json = {"volumes": [volume("PULSES", quarantine=kept, **fields)]}
    return reply(result=to_json(msgspec.convert(made, RecordsStatusResult)))


def story(*records: RecordView, texts: tuple[str, ...], **fields: object) -> Reply:
    """Return the answer to `records_file`."""
    events = [{"time": 1.0 + n, "text": text, "number": 7} for n, text in enumerate(texts)]
    made: Json = {"volume": "PULSES", "path": "run7/shot_7.hdf5", "story": events}
    result = msgspec.convert(made | fields, RecordsFileResult)
    return reply(result=to_json(msgspec.structs.replace(result, records=records)))
