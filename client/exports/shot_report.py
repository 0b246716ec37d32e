"""A shot as a table (CSV) and as a report that prints well (HTML), of its actions. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from typing import Final

from shotline.client.exports.csv_lines import cell, csv_line, time_text
from shotline.client.text import counts_words, duration, state_words
from shotline.common.records import Counts, NoteWritten
from shotline.common.views import ActionsResult, ActionView, RunView, ShotView

COLUMNS: Final = (
    "experiment",
    "shot",
    "path",
    "name",
    "phase",
    "class",
    "when",
    "state",
    "status",
    "cause",
    "reason",
    "code",
    "run",
    "attempt",
    "server",
    "began",
    "ended",
    "duration_s",
    "failed",
    "notes",
)
_FIRST: Final = ("failed", "server_off")

STYLE: Final = """\
:root { color-scheme: light; }
body { font: 10pt/1.4 system-ui, sans-serif; color: #111; background: #fff; margin: 2em auto;
  max-width: 60em; padding: 0 1em; }
h1 { font-size: 1.6em; margin: 0 0 .2em; } h2 { font-size: 1.15em; margin: 1.6em 0 .4em; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .2em .6em .2em 0;
  border-bottom: 1px solid #ccc; overflow-wrap: break-word; }
th { border-bottom: 2px solid #555; white-space: nowrap; }
td.n { text-align: right; white-space: nowrap; } td.w { white-space: nowrap; }
tr.bad td:first-child { font-weight: 700; border-left: .4em solid #b00020; padding-left: .4em; }
p.mark { border: 2px solid #555; padding: .4em .8em; }
.wide { overflow-x: auto; }
small, .dim { color: #555; }
@page { margin: 15mm; }
@media print { body { margin: 0; max-width: none; padding: 0; font-size: 8.5pt; }
  thead { display: table-header-group; } tr, li { break-inside: avoid; } h2 { break-after: avoid; }
  .wide { overflow: visible; } nav { display: none; } }
"""


def csv_of(result: ActionsResult) -> Iterator[str]:
    """Yield the lines of a table of a shot's actions."""
    shot = result.shots[0]
    yield csv_line(COLUMNS) + "\r\n"
    for action in result.actions:
        row = _row(shot, action)
        yield csv_line([cell(row[name]) for name in COLUMNS]) + "\r\n"


def _row(shot: ShotView, action: ActionView) -> dict[str, object]:
    live = action.last
    notes = [note.text for note in shot.notes if note.path == action.path and not note.removed]
    return {
        "experiment": shot.tree,
        "shot": shot.shot,
        "path": action.path,
        "name": action.name,
        "phase": action.phase,
        "class": action.server_class,
        "when": action.when,
        "state": live.state.value,
        "status": "" if live.status is None else live.status.value,
        "cause": "" if live.cause is None else live.cause.value,
        "reason": live.reason,
        "code": live.code,
        "run": live.run,
        "attempt": live.attempt,
        "server": live.server or "",
        "began": time_text(live.started_at),
        "ended": time_text(live.ended_at),
        "duration_s": live.duration_s,
        "failed": action.failed,
        "notes": "; ".join(notes),
    }


def html_of(result: ActionsResult) -> Iterator[str]:
    """Yield a report: what failed first, then runs, notes, and all actions by phase.

    It is a page of its own, without scripts; everything in it stands as text. Times are UTC.
    """
    shot = result.shots[0]
    name = escape(f"{shot.tree}/{shot.shot}")
    yield (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{name} – Shotline report</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{STYLE}</style></head><body><main>\n<h1>{name}</h1>\n"
    )
    yield f"<p>{escape(_summary(shot))}</p>\n"
    if shot.kept_words:
        yield f'<p class="mark">{escape(shot.kept_words)}: it is only looked at.</p>\n'
    if any(run.state != "ended" for run in shot.runs):
        yield '<p class="mark">The shot is still open: this is how it stands now.</p>\n'
    failed = [one for one in result.actions if one.failed]
    yield f"<h2>Failed ({len(failed)})</h2>\n"
    yield from _actions(shot, failed) if failed else iter(("<p>Nothing has failed.</p>\n",))
    yield from _runs(shot.runs)
    yield from _notes(shot.notes)
    for phase in dict.fromkeys(one.phase for one in result.actions):
        of_phase = [one for one in result.actions if one.phase == phase]
        title = escape(phase) or "no phase"
        yield f"<h2>{title} ({len(of_phase)} actions)</h2>\n"
        yield from _actions(shot, of_phase)
    yield "<p><small>Times are UTC. Written by Shotline.</small></p>\n</main></body></html>\n"


def _summary(shot: ShotView) -> str:
    parts = [f"{shot.actions} actions: {counts_words(shot.counts)}"]
    if shot.built_at is not None:
        parts.append(f"tables built {_time(shot.built_at)}")
    if shot.runs:
        parts.append(f"first run {_time(shot.runs[0].opened_at)}")
    people = list(dict.fromkeys(run.who for run in shot.runs if run.who))
    if people:
        parts.append(f"run by {', '.join(people)}")
    return "; ".join(parts)


def _runs(runs: tuple[RunView, ...]) -> Iterator[str]:
    if not runs:
        return
    yield "<h2>Runs</h2>\n"
    heads = ("Run", "Phase", "Began", "Took", "How", "By", "Counts", "Reason")
    yield from _table(
        heads,
        (
            (
                str(run.run),
                run.phase + ("" if run.first is None else f" {run.first}–{run.last}"),
                _time(run.opened_at),
                "" if run.duration_s is None else duration(run.duration_s),
                run.state if run.outcome is None else run.outcome.value,
                run.who,
                counts_words(run.counts),
                run.reason,
            )
            for run in runs
        ),
        [_is_bad(run.counts) or run.outcome == "aborted" for run in runs],
    )


def _is_bad(counts: Counts) -> bool:
    return any(getattr(counts, name) for name in _FIRST)


def _notes(notes: tuple[NoteWritten, ...]) -> Iterator[str]:
    if not notes:
        return
    yield "<h2>Notes</h2>\n"
    heads = ("Note", "About", "By", "When", "Text")
    yield from _table(
        heads,
        (
            (
                str(note.note),
                note.path or "the shot",
                note.by,
                _time(note.time),
                f"removed; it was {note.first_by}'s" if note.removed else note.text,
            )
            for note in notes
        ),
    )


def _actions(shot: ShotView, actions: list[ActionView]) -> Iterator[str]:
    heads = ("Action", "State", "Class", "Server", "Began", "Took", "Reason")
    noted = {note.path for note in shot.notes if note.path and not note.removed}
    yield from _table(
        heads,
        (
            (
                (one.name or one.path) + (" (note)" if one.path in noted else ""),
                state_words(one.last),
                one.server_class,
                one.last.server or "",
                "" if one.last.started_at is None else _time(one.last.started_at),
                "" if one.last.duration_s is None else duration(one.last.duration_s),
                one.last.reason or one.unreadable or "",
            )
            for one in actions
        ),
        [one.failed for one in actions],
    )


def _table(
    heads: tuple[str, ...], rows: Iterator[tuple[str, ...]], bad: list[bool] | None = None
) -> Iterator[str]:
    told = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    yield f'<div class="wide"><table><thead><tr>{told}</tr></thead><tbody>\n'
    for place, row in enumerate(rows):
        cells = "".join(
            f"<td{_CLASSES.get(head, '')}>{escape(text)}</td>"
            for head, text in zip(heads, row, strict=True)
        )
        mark = ' class="bad"' if bad and bad[place] else ""
        yield f"<tr{mark}>{cells}</tr>\n"
    yield "</tbody></table></div>\n"


_CLASSES: Final = {"Took": ' class="n"', "Began": ' class="w"', "When": ' class="w"'}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
