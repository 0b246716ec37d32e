"""Shots that have been, for tests of the page: as the dispatcher answers about them."""

from typing import Final

import msgspec
from tests.support.mock_monitor import MockMonitor, reply

from shotline.common.base import to_json
from shotline.common.past.views import FailuresResult, SearchResult, TrendResult
from shotline.common.views import CompareResult, FoundShotsResult

Json = dict[str, object]
AT: Final = 1_700_000_000.0
REASON: Final = "HardwareFault: camera 10.7.3.22: 3 damaged pixels in row 417 <b>of 512</b>"
GOOD: Final[Json] = {"state": "DONE", "status": "Success", "duration_s": 1.5, "server": "DAQ:1"}
FAILED: Final[Json] = GOOD | {"status": "Failure", "failed": True, "reason": REASON}
COUNTS: Final = {"failed": 1, "success": 24, "not_dispatched": 2}


def shot(number: int, **fields: object) -> Json:
    """Return a shot in short, with a note and a run that had a failure."""
    about: Json = {"tree": "DEMO", "shot": number}
    run = about | {"run": 1, "kind": "phase", "phase": "INIT", "state": "ended"}
    run |= {"outcome": "completed", "opened_at": AT + number, "duration_s": 6.8, "counts": COUNTS}
    note = {"time": AT, "note": 1, "path": r"\DEMO::TOP:CAMERA:ARM", "text": REASON, "by": "anna"}
    made = {"runs": [run | {"who": "anna"}], "notes": [note], "counts": COUNTS, "actions": 27}
    return about | made | {"essential_failures": [note["path"]]} | fields


def past(monitor: MockMonitor) -> None:
    """Let there be shots of which everything can be asked."""
    attempt = {"tree": "DEMO", "shot": 2, "path": "CAMERA:ARM", "name": "CAMERA:ARM", "at": AT}
    attempt |= {"state": "DONE", "status": "Failure", "reason": REASON, "server": "DAQ:1"}
    place = {"tree": "DEMO", "shot": 2, "at": AT, "text": REASON, "path": "CAMERA:ARM"}
    compared = {"path": "CAMERA:ARM", "name": "CAMERA:ARM", "phase": "INIT", "left": GOOD}
    points = [{"shot": number, "at": AT} | (FAILED if number == 3 else GOOD) for number in range(9)]
    trend = {"tree": "DEMO", "path": "CAMERA:ARM", "name": "CAMERA:ARM", "points": points}
    kept = {"kept": "imported", "kept_words": "imported by anna from a file of 2026-11-29"}
    answers: dict[str, tuple[Json, type[object]]] = {
        "find_shots": ({"shots": [shot(2), shot(1, **kept)]}, FoundShotsResult),
        "failures": ({"failures": [attempt], "looked_at": 2, "next": "older"}, FailuresResult),
        "search": ({"found": [place | {"where": "reason"}], "looked_at": 2}, SearchResult),
        "compare": (
            {"left": shot(1), "right": shot(2), "totals": {"same": 0, "differ": 1}}
            | {"actions": [compared | {"right": FAILED, "differs": ["outcome"]}]},
            CompareResult,
        ),
        "trend": (
            trend | {"median_s": 1.5, "low_s": 1.4, "high_s": 1.7, "words": "no trend"},
            TrendResult,
        ),
    }
    for verb, (said, kind) in answers.items():
        monitor.answers[verb] = reply(result=to_json(msgspec.convert(said, kind)))
