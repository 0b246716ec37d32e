"""Results as tables for the terminal. What the words and colours are is `text`'s business."""

import time
from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shotline.client.plain import plain
from shotline.client.text import (
    ASCII_SYMBOLS,
    STYLES,
    SYMBOLS,
    clock,
    colour,
    counts_words,
    cut,
    date,
    details,
    duration,
    moment,
    run_words,
    shot_name,
    state_words,
    taken,
)
from shotline.common.actions import Colour
from shotline.common.base import as_plain
from shotline.common.records import (
    EventRaised,
    LateResult,
    NodeRead,
    NoteWritten,
    Record,
    Transition,
)
from shotline.common.views import (
    ActionsResult,
    ActionView,
    AnyResult,
    CheckResult,
    JournalState,
    LogsResult,
    OutputLine,
    RunReport,
    ServerLogResult,
    ServersResult,
    ServerView,
    ShotView,
    SnapshotResult,
    StatusResult,
    StoryResult,
)

_LIVENESS: Final = {
    "alive": Colour.GREEN,
    "suspect": Colour.ORANGE,
    "lost": Colour.RED,
    "absent": Colour.GREY_OUTLINED,
}
_JOURNAL: Final = {
    JournalState.OK: Colour.GREEN,
    JournalState.DEGRADED: Colour.ORANGE,
    JournalState.STOPPED: Colour.RED,
}
DETAILS_MIN: Final = 200  # characters of each reason in a long list
DETAILS_MAX: Final = 1_000_000  # of all of them
_STREAMS: Final = {0: "dim italic", 1: "", 2: "dark_orange"}

_NOT_TOLD: Final = frozenset(("type", "time", "paths", "actions", "options"))


def symbol(out: Console, shown: Colour) -> Text:
    """Return a colour's symbol, in characters that the terminal can show."""
    symbols = SYMBOLS if (out.encoding or "").lower().startswith("utf") else ASCII_SYMBOLS
    return Text(symbols[shown], style=STYLES[shown])


def table(*headers: str, rows: Iterable[Sequence[Text | str]]) -> Table:
    """Return a table without lines; the last column takes what is left."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    for header in headers:
        made.add_column(header, no_wrap=header != headers[-1], overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return made


def put(out: Console, drawn: Table) -> None:
    """Print a table; off a terminal without the spaces at the ends of its lines."""
    if out.is_terminal:
        out.print(drawn)
        return
    with out.capture() as captured:
        out.print(drawn)
    for line in captured.get().splitlines():
        out.out(line.rstrip(), highlight=False)


def action_rows(
    out: Console, actions: Sequence[ActionView], now: float
) -> Iterable[Sequence[Text | str]]:
    """Yield one row per action, coloured by its state.

    Of very many, each says only the beginning of its reason: `show` and `--json` have it whole.
    """
    longest = max(DETAILS_MIN, DETAILS_MAX // max(1, len(actions)))
    for action in actions:
        shown = colour(action.last)
        yield (
            symbol(out, shown),
            plain(action.name or action.path),
            plain(action.server_class),
            plain(action.phase),
            plain(action.when),
            Text(state_words(action.last), style=STYLES[shown]),
            taken(action.last, now),
            cut(details(action), longest),
        )


def show_actions(out: Console, result: AnyResult) -> None:
    """Show `actions`, `build_tables` and `print_pending`."""
    assert isinstance(result, ActionsResult)
    for shot in result.shots:
        out.print(Text(f"{shot_name(shot)}  {counts_words(shot.counts)}", style="bold"))
    _print_actions(out, result.actions)


def show_report(out: Console, result: AnyResult) -> None:
    """Show a run's report."""
    assert isinstance(result, RunReport)
    out.print(Text(f"{shot_name(result.run)}  {run_words(result.run)}", style="bold"))
    _print_actions(out, result.actions)


def _print_actions(out: Console, actions: Sequence[ActionView]) -> None:
    if actions:
        headers = ("", "ACTION", "CLASS", "PHASE", "WHEN", "STATE", "TIME", "DETAILS")
        put(out, table(*headers, rows=action_rows(out, actions, time.time())))


def show_servers(out: Console, result: AnyResult) -> None:
    """Show `servers`."""
    assert isinstance(result, ServersResult)
    _print_servers(out, result.servers)


def show_server_log(out: Console, result: AnyResult) -> None:
    """Show `server-log`."""
    assert isinstance(result, ServerLogResult)
    if not result.lines:
        out.print(f"{result.server} has said nothing yet", markup=False)
    for line in result.lines:
        out.print(plain(f"{clock(line.at)} {line.level:8} {line.text}"))


def _print_servers(out: Console, servers: Sequence[ServerView]) -> None:
    if not servers:
        out.print("no action servers are known")
        return
    rows = (
        (
            symbol(out, _LIVENESS[server.liveness]),
            plain(server.server),
            Text(_liveness(server), style=STYLES[_LIVENESS[server.liveness]]),
            _slots(server),
            plain(f"{server.host}:{server.pid}" if server.host else ""),
            plain(server.address),
            plain("; ".join(filter(None, _details(server)))),
        )
        for server in servers
    )
    put(out, table("", "SERVER", "STATE", "BUSY", "HOST:PID", "ADDRESS", "DETAILS", rows=rows))


def _details(server: ServerView) -> tuple[str, ...]:
    return (server.why, server.trouble, ", ".join(server.busy), *server.bound)


def _slots(server: ServerView) -> str:
    parts = [f"{len(server.busy)}/{server.slots}"]
    parts += [f"{server.stuck} STUCK"] if server.stuck else []
    parts += [f"{server.broken} BROKEN"] if server.broken else []
    return ", ".join(parts)


def _liveness(server: ServerView) -> str:
    return f"{server.liveness}, draining" if server.draining else server.liveness


def show_status(out: Console, result: AnyResult) -> None:
    """Show `status`."""
    assert isinstance(result, StatusResult)
    state = "recovering: nothing starts yet" if result.recovering else "ready"
    out.print(
        f"dispatcher  {plain(result.dispatcher)}  term {result.term}  "
        f"since {date(result.started_at)}  {state}"
    )
    style = STYLES[_JOURNAL[result.journal]]
    journal = "ok" if result.journal == "ok" else result.journal.upper()
    out.print(Text.assemble("journal     ", (journal, style), f"  {plain(result.journal_text)}"))
    if result.keep_trouble:
        out.print(Text(f"old shots   stay in Redis: {plain(result.keep_trouble)}", "red"))
    if result.current is not None:
        out.print(f"pulse       {plain(result.current[0])}/{result.current[1]} is the current one")
    out.print()
    _print_servers(out, result.servers)
    out.print()
    _print_shots(out, result.shots)


def _print_shots(out: Console, shots: Sequence[ShotView]) -> None:
    if not shots:
        out.print("no shots are known; begin with `shotline create-pulse TREE/SHOT`")
    for shot in shots:
        built = f"built {date(shot.built_at)}" if shot.built_at else "no tables built"
        if not shot.loaded:
            built = "stored; ask for its actions to see them"
        mark = "  (current)" if shot.current else ""
        out.print(
            Text(
                f"{shot_name(shot)}{mark}  {built}  {shot.actions} actions: "
                f"{counts_words(shot.counts)}",
                style="bold",
            )
        )
        for run in shot.runs:
            out.print(Text(f"  {run_words(run)}"))
        if shot.source_changed:
            out.print(Text(f"  {plain(shot.source_changed)}", style=STYLES[Colour.ORANGE]))
        for path in shot.essential_failures:
            failed = symbol(out, Colour.RED)
            out.print(Text.assemble("  ", failed, f" essential action failed: {plain(path)}"))


def show_story(out: Console, result: AnyResult) -> None:
    """Show `show`: the action, and everything that happened to it."""
    assert isinstance(result, StoryResult)
    action = result.action
    _print_actions(out, (action,))
    facts = (
        ("path", action.path),
        ("condition on", ", ".join(action.references)),
        ("time limit", duration(action.timeout_s) if action.timeout_s else ""),
        ("raises", action.completion_event or ""),
        ("not heard", action.event_trouble),
        ("essential", "yes" if action.essential else ""),
        ("switched", "" if action.on else "off"),
        ("unreadable", action.unreadable or ""),
        ("contact", action.contact),
        ("help", action.help),
    )
    for name, value in facts:
        if value:
            out.print(Text(f"  {name}: {plain(value)}"))
    show_notes(out, result.notes)
    out.print()
    rows = ((moment(record.time), *_told(record)) for record in result.records)
    put(out, table("WHEN", "WHAT", "HOW", rows=rows))


def _told(record: Record) -> tuple[str, str]:
    """Return a record in two columns of words."""
    match record:
        case Transition():
            where = f" on {record.server}" if record.server else ""
            attempt = f" attempt {record.attempt}" if record.attempt else ""
            took = f" after {duration(record.duration_s)}" if record.duration_s is not None else ""
            reason = f": {record.reason}" if record.reason else ""
            return state_words(record), plain(f"{attempt}{where}{took}{reason}".strip(" :"))
        case LateResult():
            status = record.status.value if record.status else "no status"
            words = f"attempt {record.attempt} on {record.server}: {status} {record.reason}"
            return "late result", plain(words)
        case EventRaised():
            words = record.trouble or f"event {record.event} {record.outcome.value}"
            return "completion event", plain(words)
        case NoteWritten():
            return f"note {record.note}", plain(f"{note_words(record)}: {record.text}".strip(": "))
        case NodeRead():
            return "node read again", plain(record.node.unreadable or "")
        case _:
            rest = as_plain(record)
            words = ", ".join(
                f"{name} {value}" for name, value in rest.items() if value and name not in _NOT_TOLD
            )
            return record.type.replace("_", " "), plain(words)[:200]


def note_words(note: NoteWritten) -> str:
    """Return who has written a note, or removed it, and when it was written first."""
    if note.removed:
        return f"of {note.first_by}, removed by {note.by}"
    if note.first_at is not None:
        return f"{note.by}, first by {note.first_by} {date(note.first_at)}"
    return note.by


def show_notes(out: Console, notes: Sequence[NoteWritten]) -> None:
    """Show notes; of one that was removed that it was there."""
    for note in notes:
        about = f" on {note.path}" if note.path else ""
        head = f"  note {note.note}{about}, {date(note.time)}, {note_words(note)}"
        end = ": " if note.text else ""
        out.print(Text.assemble((f"{plain(head)}{end}", "dim"), plain(note.text)))


def show_logs(out: Console, result: AnyResult) -> None:
    """Show `logs`."""
    assert isinstance(result, LogsResult)
    for line in (*result.lines, *result.tails):
        show_line(out, line)
    if result.more:
        following = result.lines[-1].number + 1 if result.lines else 0
        out.print(Text(f"(more: --since {following})", style="dim"))


def show_line(out: Console, line: OutputLine, who: str = "") -> None:
    """Show one line of output with its time; standard error and notes look different."""
    prefix, text = _line_parts(line, who)
    out.print(prefix + text, soft_wrap=True)


def show_tail(out: Console, line: OutputLine, who: str = "") -> None:
    """Show a line that has not ended: its end, in one row of the terminal, which stays open."""
    prefix, text = _line_parts(line, who)
    room = max(10, out.width - 1 - prefix.cell_len)
    while text.cell_len > room:
        text = text[text.cell_len - room :]  # wide characters take several rounds
    out.print(prefix + text, soft_wrap=True, end="")


def _line_parts(line: OutputLine, who: str) -> tuple[Text, Text]:
    mark = {0: "note", 1: "   |", 2: "err|"}[line.stream]
    prefix = f"{clock(line.at)} {plain(who)} {mark} " if who else f"{clock(line.at)} {mark} "
    return Text(prefix, style="dim"), Text(plain(line.text), style=_STREAMS[line.stream])


def show_check(out: Console, result: AnyResult) -> None:
    """Show `check`."""
    assert isinstance(result, CheckResult)
    _print_actions(out, result.failures)


def show_snapshot(out: Console, result: AnyResult) -> None:
    """Show a channel's state."""
    assert isinstance(result, SnapshotResult)
    out.print(f"{plain(result.channel)}  term {result.term}  event {result.seq}")
    _print_actions(out, result.actions)
    if result.servers:
        _print_servers(out, result.servers)
    if result.logs is not None:
        show_logs(out, result.logs)
