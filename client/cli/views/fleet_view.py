"""The fleet as tables and lines for the terminal."""

from collections.abc import Iterable

from rich.console import Console

from shotline.client.cli.views.render import put, table
from shotline.client.plain import plain
from shotline.client.text import date, duration
from shotline.common.fleet.views import FleetAnswers, FleetExpectedResult, FleetView, WindowView
from shotline.common.views import AnyResult, FleetResult, ServerView

_GIB = 1024**3


def show_fleet(out: Console, result: AnyResult) -> None:
    """Show `fleet list`: the servers by host, then what there is beside them."""
    assert isinstance(result, FleetResult)
    rows = [
        row
        for view in sorted(result.servers, key=lambda one: (one.host, one.server))
        for row in [_row(view)]
    ]
    headers = ("HOST", "SERVER", "STATE", "BUSY", "CPU", "MEMORY", "SWAP", "DISK", "DONE")
    put(out, table(*headers, "CPU TIME", "SEEN", "FLAGS", rows=rows))
    if result.fleet is not None:
        _show_beside(out, result.fleet)


def _row(view: ServerView) -> tuple[str, ...]:
    facts = view.facts
    host = facts.host if facts is not None else None
    return (
        plain(view.host) or "-",
        plain(view.server),
        view.liveness,
        f"{len(view.busy)}/{view.usable}/{view.slots}",
        f"{100 - host.cpu_percent:.0f} % of {host.cpus}" if host is not None else "-",
        _free(host.memory_total_b, host.memory_used_b) if host is not None else "-",
        _free(host.swap_total_b, host.swap_used_b) if host is not None else "-",
        f"{min(one.free_b for one in host.disks) / _GIB:.1f} GiB" if host and host.disks else "-",
        f"{facts.done}" if facts is not None else "-",
        duration(facts.cpu_time_s) if facts is not None else "-",
        date(view.last_seen_at),
        plain("; ".join(_flags(view))),
    )


def _free(total_b: int, used_b: int) -> str:
    return f"{max(total_b - used_b, 0) / _GIB:.1f} GiB" if total_b else "none"


def _flags(view: ServerView) -> Iterable[str]:
    if view.why:
        yield view.why
    for flag in view.flags:
        by = f" by {flag.by}" if flag.by else ""
        at = f" since {date(flag.at)}" if flag.at else ""
        until = f" until {date(flag.until)}" if flag.until else ""
        name = flag.kind.value.replace("_", " ")
        yield f"{name}{': ' if flag.reason else ''}{flag.reason}{by}{at}{until}"


def _show_beside(out: Console, fleet: FleetView) -> None:
    totals = fleet.totals
    out.print()
    out.print(
        f"{totals.servers} servers on {totals.hosts} hosts ({totals.suspect} suspect), "
        f"{totals.lost} lost, {totals.absent} absent; {totals.busy} of {totals.usable} usable "
        f"slots busy, {totals.slots} in all; {totals.done} actions done, {totals.failed} of them "
        f"not well, in {duration(totals.cpu_time_s)} of processor time"
    )
    if fleet.expected_missing:
        out.print(f"missing: {plain(', '.join(fleet.expected_missing))}")
    for one in fleet.starting:
        out.print(f"starting: {one.pilots} of {plain(one.server_class)}  {plain(one.reason)}")
    if fleet.windows:
        out.print()
        _put_windows(out, fleet.windows)
    if fleet.alerts:
        out.print()
        rows = [
            (one.kind.value, plain(one.about), date(one.at), plain(one.text))
            for one in fleet.alerts
        ]
        put(out, table("ALERT", "ABOUT", "SINCE", "", rows=rows))


def show_windows(out: Console, result: AnyResult) -> None:
    """Show the maintenance windows."""
    if isinstance(result, FleetResult) and result.fleet is not None:
        if result.fleet.windows:
            _put_windows(out, result.fleet.windows)
        else:
            out.print("no maintenance windows")


def _put_windows(out: Console, windows: Iterable[WindowView]) -> None:
    rows = [
        (
            one.window.id,
            "open" if one.is_open else "",
            date(one.next_at) if one.next_at is not None else "never again",
            duration(one.window.duration_s),
            one.window.repeat.value,
            plain(", ".join(one.servers)),
            plain(one.window.by),
            plain(one.window.reason),
        )
        for one in windows
    ]
    put(out, table("WINDOW", "", "NEXT", "FOR", "COMES", "SERVERS", "BY", "REASON", rows=rows))


def show_answers(out: Console, result: AnyResult) -> None:
    """Show what became of each server."""
    if isinstance(result, FleetAnswers) and len(result.answers) > 1:
        rows = [
            (plain(one.server), "" if one.done else "NOT DONE", plain(one.text))
            for one in result.answers
        ]
        put(out, table("SERVER", "", "", rows=rows))


def show_differences(out: Console, result: AnyResult) -> None:
    """Show what is not as expected."""
    if isinstance(result, FleetExpectedResult) and result.differences:
        rows = [
            (plain(one.server), one.what, plain(one.expected), plain(one.found))
            for one in result.differences
        ]
        put(out, table("SERVER", "WHAT", "EXPECTED", "FOUND", rows=rows))
