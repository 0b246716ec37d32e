"""The queue's history as JSON lines or CSV, a row for each plan, run or action. Pure."""

import json
from collections.abc import Iterator
from typing import Any, Final

from shotline.client.exports.csv_lines import cell, csv_line, time_text
from shotline.common.queue.plans import HistoryItem, PlanRun
from shotline.common.views import RunReport

COLUMNS: Final = {
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


Row = dict[str, Any]


def head(by: str, *, as_csv: bool) -> Iterator[str]:
    """Yield what stands before the rows: CSV has a line of their columns."""
    if as_csv:
        yield csv_line(COLUMNS[by])


def line(row: Row, by: str, *, as_csv: bool) -> str:
    """Return a row as a line."""
    if as_csv:
        return csv_line([cell(row.get(name)) for name in COLUMNS[by]])
    return json.dumps(row, ensure_ascii=False)


def _head(item: HistoryItem) -> Row:
    return {
        "uid": item.entry.uid,
        "kind": item.entry.plan.kind,
        "experiment": item.result.tree,
        "shot": item.result.shot,
        "user": item.entry.user,
    }


def plan_row(item: HistoryItem) -> Row:
    """Return the row of an ended plan."""
    entry, result = item.entry, item.result
    return {
        **_head(item),
        "result": result.exit_status.value,
        "began": time_text(result.began_at),
        "ended": time_text(result.ended_at),
        "duration_s": round(max(result.ended_at - result.began_at, 0.0), 6),
        "group": entry.group,
        "ended_by": result.ended_by,
        "message": result.message,
        "runs": [f"{run.tree}/{run.shot} run {run.run} {run.phase}" for run in result.runs],
        "parameters": entry.plan.parameters,
        "note": entry.plan.note,
    }


def run_row(item: HistoryItem, run: PlanRun) -> Row:
    """Return the row of one of its runs."""
    counts = run.counts
    return {
        **_head(item),
        "run": run.run,
        "phase": run.phase,
        "outcome": run.outcome,
        "reason": run.reason,
        "began": time_text(run.opened_at),
        "ended": time_text(run.ended_at),
        "duration_s": run.duration_s,
        "success": counts.success,
        "failed": counts.failed,
        "server_off": counts.server_off,
        "not_dispatched": counts.not_dispatched,
    }


def action_rows(item: HistoryItem, run: PlanRun, report: RunReport) -> Iterator[Row]:
    """Yield the rows of a run's actions; those that were run again since are left out."""
    for action in report.actions:
        live = action.last
        if live.run != run.run:
            continue
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
            "began": time_text(live.started_at),
            "ended": time_text(live.ended_at),
            "duration_s": live.duration_s,
            "output": f"shotline logs '{action.path}' {run.tree} {run.shot} "
            f"--attempt {live.attempt}",
        }
