"""The queue's history as JSON lines or CSV, a row for each plan, run or action."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shotline.client.cli.base import say
from shotline.client.errors import SupervisorError
from shotline.common.queue.plans import HistoryItem, PlanRun

if TYPE_CHECKING:
    from shotline.client.supervisor import Supervisor

COLUMNS = {
    "plan": (
        "uid",
        "kind",
        "experiment",
        "shot",
        "result",
        "began",
        "ended",
        "duration_s",
        "user",
        "group",
        "ended_by",
        "message",
        "runs",
        "parameters",
        "note",
    ),
    "run": (
        "uid",
        "kind",
        "experiment",
        "shot",
        "run",
        "phase",
        "outcome",
        "reason",
        "began",
        "ended",
        "duration_s",
        "success",
        "failed",
        "server_off",
        "not_dispatched",
        "user",
    ),
    "action": (
        "uid",
        "kind",
        "experiment",
        "shot",
        "run",
        "phase",
        "path",
        "attempt",
        "state",
        "status",
        "cause",
        "reason",
        "code",
        "server",
        "began",
        "ended",
        "duration_s",
        "user",
        "output",
    ),
}


def lines(
    supervisor: "Supervisor", items: Iterable[HistoryItem], by: str, *, as_csv: bool
) -> Iterator[str]:
    """Yield the lines of an export."""
    rows = _rows(supervisor, items, by)
    if not as_csv:
        for row in rows:
            yield json.dumps(row, ensure_ascii=False)
        return
    yield _csv(COLUMNS[by])
    for row in rows:
        yield _csv([_cell(row.get(name)) for name in COLUMNS[by]])


def _rows(
    supervisor: "Supervisor", items: Iterable[HistoryItem], by: str
) -> Iterator[dict[str, Any]]:
    for item in items:
        if by == "plan":
            yield _plan(item)
        elif by == "run":
            yield from (_run(item, run) for run in item.result.runs)
        else:
            for run in item.result.runs:
                yield from _actions(supervisor, item, run)


def _head(item: HistoryItem) -> dict[str, Any]:
    return {
        "uid": item.entry.uid,
        "kind": item.entry.plan.kind,
        "experiment": item.result.tree,
        "shot": item.result.shot,
        "user": item.entry.user,
    }


def _plan(item: HistoryItem) -> dict[str, Any]:
    entry, result = item.entry, item.result
    return {
        **_head(item),
        "result": result.exit_status.value,
        "began": _time(result.began_at),
        "ended": _time(result.ended_at),
        "duration_s": round(max(result.ended_at - result.began_at, 0.0), 6),
        "group": entry.group,
        "ended_by": result.ended_by,
        "message": result.message,
        "runs": [f"{run.tree}/{run.shot} run {run.run} {run.phase}" for run in result.runs],
        "parameters": entry.plan.parameters,
        "note": entry.plan.note,
    }


def _run(item: HistoryItem, run: PlanRun) -> dict[str, Any]:
    counts = run.counts
    return {
        **_head(item),
        "run": run.run,
        "phase": run.phase,
        "outcome": run.outcome,
        "reason": run.reason,
        "began": _time(run.opened_at),
        "ended": _time(run.ended_at),
        "duration_s": run.duration_s,
        "success": counts.success,
        "failed": counts.failed,
        "server_off": counts.server_off,
        "not_dispatched": counts.not_dispatched,
    }


def _actions(supervisor: "Supervisor", item: HistoryItem, run: PlanRun) -> Iterator[dict[str, Any]]:
    try:
        report = supervisor.wait(run.tree, run.shot, run.run)
    except SupervisorError as error:
        say(f"shotline: {run.tree}/{run.shot} run {run.run}: {error}", err=True)
        return
    for action in report.actions:
        live = action.last
        if live.run != run.run:
            continue  # it was run again since
        yield {
            **_head(item),
            "run": run.run,
            "phase": run.phase,
            "path": action.path,
            "attempt": live.attempt,
            "state": live.state.value,
            "status": live.status.value if live.status is not None else "",
            "cause": live.cause.value if live.cause is not None else "",
            "reason": live.reason,
            "code": live.code,
            "server": live.server or "",
            "began": _time(live.started_at),
            "ended": _time(live.ended_at),
            "duration_s": live.duration_s,
            "output": f"shotline logs '{action.path}' {run.tree} {run.shot} "
            f"--attempt {live.attempt}",
        }


def _time(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _csv(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()
