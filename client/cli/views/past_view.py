"""What `shotline` shows of shots that have been. What was asked for in pages becomes one result."""

import json
from collections.abc import Callable
from typing import Any, Final

from msgspec import structs
from rich.console import Console
from rich.text import Text

from shotline.client.calls import Call
from shotline.client.cli.base import as_json, ask, console, finish, options_of, say
from shotline.client.cli.views.render import put, show_notes, symbol, table
from shotline.client.exports.shot_files import Exported
from shotline.client.plain import plain
from shotline.client.text import (
    STYLES,
    counts_words,
    date,
    duration,
    run_words,
    shot_name,
)
from shotline.common.actions import Colour
from shotline.common.base import to_json
from shotline.common.messages import Outcome
from shotline.common.past.views import (
    FailuresResult,
    Found,
    ImportShotResult,
    LookedBack,
    SearchResult,
    TrendResult,
)
from shotline.common.views import (
    AnyResult,
    ComparedSide,
    CompareResult,
    FoundShotsResult,
    ShotView,
)

PAGE: Final = 200

Show = Callable[[Console, AnyResult], None]


def gather(
    page: Callable[[str | None, int], Call[Any]],
    listed: str,
    before: str | None,
    limit: int,
    show: Show,
) -> None:
    """Ask page by page for so many items, and show them as one result."""
    found: LookedBack | None = None
    with options_of().supervisor() as supervisor:
        while True:
            have = 0 if found is None else len(getattr(found, listed))
            told = ask(page(before, min(limit - have, PAGE)), supervisor)
            if not isinstance(told.result, LookedBack):
                finish(told, show)
                return
            found = told.result if found is None else _joined(found, told.result, listed)
            before = found.next
            if before is None or len(getattr(found, listed)) >= limit:
                break
    if options_of().json:
        say(json.dumps(as_json(Outcome.OK, "", (), to_json(found))))
        return
    out = console()
    show(out, found)  # type: ignore[arg-type]  # one of the results
    for why in found.unread:
        say(f"note: cannot be read: {plain(why)}", err=True)
    if found.next is not None:
        back = "" if found.back_to is None else f" back to {date(found.back_to)}"
        say(
            f"{found.looked_at} shots were looked at{back}; go on: --before '{found.next}'",
            err=True,
        )


def _joined(first: LookedBack, second: LookedBack, listed: str) -> LookedBack:
    changed: dict[str, object] = {
        listed: (*getattr(first, listed), *getattr(second, listed)),
        "looked_at": first.looked_at + second.looked_at,
        "back_to": second.back_to if second.back_to is not None else first.back_to,
        "next": second.next,
        "unread": (*first.unread, *second.unread),
    }
    if isinstance(first, SearchResult) and isinstance(second, SearchResult):
        changed["lines"] = first.lines + second.lines
    return structs.replace(first, **changed)


def show_shots(out: Console, result: AnyResult) -> None:
    """Show shots."""
    assert isinstance(result, FoundShotsResult)
    if not result.shots:
        out.print("no such shots are known; begin with `shotline create-pulse TREE SHOT`")
    for shot in result.shots:
        _show_shot(out, shot)


def _show_shot(out: Console, shot: ShotView) -> None:
    marks = "".join(f"  ({mark})" for mark in (shot.current and "current", shot.kept) if mark)
    built = f"built {date(shot.built_at)}" if shot.built_at else "no tables built"
    words = (
        f"{shot_name(shot)}{marks}  {built}  {shot.actions} actions: {counts_words(shot.counts)}"
    )
    out.print(Text(words, style="bold"))
    if shot.kept_words:
        out.print(Text(f"  {plain(shot.kept_words)}", style="dim"))
    for run in shot.runs:
        out.print(Text(f"  {date(run.opened_at)}  {run_words(run)}"))
    for path in shot.essential_failures:
        failed = symbol(out, Colour.RED)
        out.print(Text.assemble("  ", failed, f" essential action failed: {plain(path)}"))
    show_notes(out, shot.notes)


def show_failures(out: Console, result: AnyResult) -> None:
    """Show what has failed."""
    assert isinstance(result, FailuresResult)
    if not result.failures:
        out.print(f"nothing has failed in {result.looked_at} shots")
        return
    rows = [
        (
            date(one.at),
            f"{one.tree}/{one.shot}",
            plain(one.name),
            plain(one.phase),
            Text(
                one.status.value if one.status is not None else one.state.value,
                style=STYLES[Colour.RED],
            ),
            plain(one.server or ""),
            plain(one.since),
            plain(one.reason),
        )
        for one in result.failures
    ]
    put(
        out,
        table("WHEN", "SHOT", "ACTION", "PHASE", "", "SERVER", "SINCE THEN", "REASON", rows=rows),
    )


def show_found(out: Console, result: AnyResult) -> None:
    """Show where words were found."""
    assert isinstance(result, SearchResult)
    if not result.found:
        out.print(f"not found in {result.looked_at} shots ({result.lines} lines of output)")
        return
    rows = [
        (date(one.at), f"{one.tree}/{one.shot}", _where(one), plain(one.path), plain(one.text))
        for one in result.found
    ]
    put(out, table("WHEN", "SHOT", "IN", "ACTION", "TEXT", rows=rows))


def _where(found: Found) -> str:
    if found.line is None:
        return found.where
    return f"{found.where} {found.attempt}:{found.line}"


def show_compared(out: Console, result: AnyResult) -> None:
    """Show two shots side by side."""
    assert isinstance(result, CompareResult)
    for shot in (result.left, result.right):
        if shot is not None:
            words = f"{shot_name(shot)}  {counts_words(shot.counts)}"
            out.print(Text(words, style="bold"))
    totals = result.totals
    if totals:
        out.print(
            f"{totals.get('same', 0)} the same, {totals.get('differ', 0)} differ, "
            f"{totals.get('added', 0)} only in the second, {totals.get('removed', 0)} only in the "
            f"first, {totals.get('newly_failed', 0)} newly failed"
        )
    rows = [
        (
            plain(one.name),
            plain(one.phase),
            *_side(one.left),
            *_side(one.right),
            "" if one.change_s is None else f"{one.change_s:+.2f} s",
            "new" if one.left is None else "gone" if one.right is None else ", ".join(one.differs),
            "" if one.right is None or "reason" not in one.differs else plain(one.right.reason),
        )
        for one in result.actions
    ]
    heads = ("ACTION", "PHASE", "FIRST", "TIME", "SECOND", "TIME", "CHANGE", "DIFFERS", "REASON")
    put(out, table(*heads, rows=rows))


def _side(side: ComparedSide | None) -> tuple[Text, str]:
    if side is None:
        return Text("–", style="dim"), ""
    words = side.status.value if side.status is not None else side.state.value
    style = STYLES[Colour.RED] if side.failed else ""
    return Text(words, style=style), "" if side.duration_s is None else duration(side.duration_s)


def show_trend(out: Console, result: AnyResult) -> None:
    """Show an action over many shots."""
    assert isinstance(result, TrendResult)
    out.print(Text(f"{result.tree} {plain(result.path)}", style="bold"))
    if result.median_s is not None and result.low_s is not None and result.high_s is not None:
        out.print(
            f"median {duration(result.median_s)}, the middle half between "
            f"{duration(result.low_s)} and {duration(result.high_s)}; {result.words}"
        )
    else:
        out.print(result.words)
    most = max((one.duration_s or 0.0 for one in result.points), default=0.0)
    rows = [
        (
            f"{result.tree}/{one.shot}",
            date(one.at),
            Text(
                one.status.value if one.status is not None else one.state.value,
                style=STYLES[Colour.RED if one.failed else Colour.GREEN],
            ),
            "" if one.duration_s is None else duration(one.duration_s),
            "" if not most or one.duration_s is None else _bar(one.duration_s / most),
            plain(one.server or ""),
            plain(one.reason),
        )
        for one in result.points
    ]
    put(out, table("SHOT", "WHEN", "", "TIME", "", "SERVER", "REASON", rows=rows))


def _bar(part: float) -> str:
    return "█" * max(1, round(part * 24))


def show_exported(told: Exported) -> None:
    """Show what was written; on standard error where the file itself went to standard output."""
    if options_of().json:
        fields = {"file": told.file, "bytes": told.size, "open": told.open}
        line = {**as_json(Outcome.OK, told.words), "result": fields}
        say(json.dumps(line), err=told.file == "-")
        return
    say(told.words, err=True)


def show_imported(told: ImportShotResult) -> None:
    """Show what was imported."""
    name = f"{told.tree}/{told.shot}"
    words = (
        f"{name} was imported; it is only looked at" if told.is_new else f"{name} is here already"
    )
    if options_of().json:
        say(json.dumps(as_json(Outcome.OK, words, (), to_json(told))))
        return
    say(words)
