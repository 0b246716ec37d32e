"""The commands of `shotline fleet`: what servers are set to, maintenance, what is expected."""

import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from shotline.client.cli import later
from shotline.client.cli.base import (
    ShotlineGroup,
    command,
    common_options,
    finish,
    say,
    send,
    wrong,
)
from shotline.client.cli.base import ask as asked
from shotline.client.cli.spans import is_span, seconds_of
from shotline.client.plain import plain

T = TypeVar("T")

_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DIFFERENT: Final = 5

SERVERS = click.argument("servers", nargs=-1, metavar="[SERVER]...")
FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)


@click.group(
    "fleet",
    cls=ShotlineGroup,
    example="shotline fleet list --host gas-1\nshotline fleet drain GAS --within 5m --reason pump",
)
@common_options
def fleet() -> None:
    """Action servers and their hosts: seen, limited, drained, planned.

    SERVER is CLASS, CLASS:ID or a pattern of it as 'GAS:*'; '*' alone means all.
    """


def _selecting(function: Callable[..., T]) -> Callable[..., T]:
    """Add the servers that are meant."""
    added = (
        SERVERS,
        click.option("--class", "classes", multiple=True, metavar="PATTERN", help="Of this class."),
        click.option("--host", "hosts", multiple=True, metavar="PATTERN", help="On this host."),
        click.option(
            "--label", "labels", multiple=True, metavar="PATTERN", help="With this label."
        ),
    )
    for option in reversed(added):
        function = option(function)
    return function


def _why(function: Callable[..., T]) -> Callable[..., T]:
    return click.option("--reason", default="", metavar="TEXT", help="Why, for people.")(function)


def _acting(function: Callable[..., T]) -> Callable[..., T]:
    """Add what every command that changes servers takes."""
    return _selecting(_why(function))


@command("list", example="shotline fleet list --label fast-disk --json")
@_selecting
def list_servers(**meant: Any) -> None:
    """Show servers by host with their facts and flags; totals, windows and alerts."""
    send(later.fleet_verbs.fleet(**meant), later.fleet_view.show_fleet)


@command("slots", example="shotline fleet slots 2 GAS:1\nshotline fleet slots -1 --host gas-1")
@click.argument("slots", metavar="N|all")
@_acting
def slots(slots: str, **meant: Any) -> None:
    """Let servers use N of their slots, all but N (-N), or all. What runs is not touched."""
    number = None if slots == "all" else _number(slots)
    send(later.fleet_verbs.fleet_slots(number, **meant), later.fleet_view.show_answers)


@command(
    "hours",
    example="shotline fleet hours --start 08:00 --end 18:30 --zone Europe/Berlin GAS\n"
    "shotline fleet hours --stop now --host gas-1",
)
@click.option("--start", metavar="HH:MM|now|off", help="From then on they take work.")
@click.option("--stop", metavar="HH:MM|now|off", help="From then on they take nothing more.")
@click.option("--end", metavar="HH:MM|now|off", help="Then what they run is ended.")
@click.option("--zone", metavar="ZONE", help="Of these times, as Europe/Berlin.")
@click.option("--clear", is_flag=True, help="They work at any time.")
@_acting
def hours(**options: Any) -> None:
    """Set when servers work, every day. What is left out stays as it was."""
    send(later.fleet_verbs.fleet_hours(**options), later.fleet_view.show_answers)


@command("drain", example="shotline fleet drain GAS:1 --within 10m --then restart --reason update")
@click.option("--now", is_flag=True, help="End what they run.")
@click.option("--deadline", metavar="TIME", help="What still runs then is ended.")
@click.option("--within", metavar="SPAN", help="Likewise, from now on: 90s, 30m, 2h.")
@click.option(
    "--then",
    type=click.Choice(["resume", "restart", "quit", "stay"]),
    default="stay",
    show_default=True,
    help="What happens once a server is empty.",
)
@_acting
def drain(*, now: bool, deadline: str | None, within: str | None, then: Any, **meant: Any) -> None:
    """Let servers take nothing more; what they run goes on, until the deadline if there is one."""
    call = later.fleet_verbs.fleet_drain(
        "now" if now else "finish",
        deadline=None if deadline is None else _time(deadline),
        within_s=None if within is None else seconds_of(within),
        then=then,
        **meant,
    )
    send(call, later.fleet_view.show_answers)


@command("resume", example="shotline fleet resume GAS:1")
@_acting
def resume(**meant: Any) -> None:
    """Let servers that were drained take work again."""
    send(later.fleet_verbs.fleet_resume(**meant), later.fleet_view.show_answers)


@command("quit-after", example="shotline fleet quit-after 1 GAS:1 --unit shots")
@click.argument("n", metavar="N|ever")
@click.option(
    "--unit", type=click.Choice(["actions", "runs", "shots"]), default="actions", show_default=True
)
@_acting
def quit_after(n: str, unit: Any, **meant: Any) -> None:
    """Let servers serve N more and then end; 0: nothing more; -1 or ever: for ever."""
    number = None if n == "ever" else _number(n)
    send(later.fleet_verbs.fleet_quit_after(number, unit, **meant), later.fleet_view.show_answers)


@command(
    "heartbeat", example="shotline fleet heartbeat 0.5 GAS\nshotline fleet heartbeat --now '*'"
)
@click.option("--every", metavar="SECONDS", type=click.FloatRange(min=0, min_open=True))
@click.option("--now", is_flag=True, help="Ask them to tell of themselves at once.")
@_acting
def heartbeat(*, every: float | None, now: bool, **meant: Any) -> None:
    """Set how often servers tell of themselves; without --every as configured."""
    call = later.fleet_verbs.fleet_heartbeat(every, now=now, **meant)
    send(call, later.fleet_view.show_answers)


@command("add", example="shotline fleet add GAS:3")
@click.argument("servers", nargs=-1, required=True, metavar="CLASS:ID...")
@_why
def add(servers: tuple[str, ...], reason: str) -> None:
    """Start servers by the site's own program (monitor.server_command), and show what it says."""
    send(later.fleet_verbs.fleet_add(servers, reason=reason), later.fleet_view.show_answers)


@command("dismiss", example="shotline fleet dismiss GAS:7")
@_acting
def dismiss(**meant: Any) -> None:
    """Forget servers that are gone, with their last words and what they were set to."""
    send(later.fleet_verbs.fleet_dismiss(**meant), later.fleet_view.show_answers)


# Maintenance windows


@command(
    "window",
    example="shotline fleet window 2026-12-01T08:00 2h --host gas-1 --reason 'new pump'\n"
    "shotline fleet window 22:00 8h --repeat daily GAS --id night",
)
@click.argument("begins", metavar="TIME")
@click.argument("span", metavar="SPAN")
@click.option("--id", metavar="NAME", help="Its name; another one of this name is replaced.")
@click.option(
    "--repeat",
    type=click.Choice(["once", "daily", "weekdays", "weekly"]),
    default="once",
    show_default=True,
)
@click.option("--zone", metavar="ZONE", help="In which it comes at the same time of day.")
@click.option("--until", metavar="TIME", help="It does not begin any more from then on.")
@click.option("--now", is_flag=True, help="When it begins, what runs there is ended.")
@_acting
def window(begins: str, span: str, *, until: str | None, now: bool, **options: Any) -> None:
    """Plan a maintenance window from TIME on for SPAN: servers then take nothing more.

    TIME is 2026-12-01T08:00, HH:MM (the next one), or a span from now on; SPAN is 90s, 30m, 2h, 3d.
    Plans of the pulse queue that it meets are named.
    """
    call = later.fleet_verbs.fleet_window(
        _time(begins),
        seconds_of(span),
        until=None if until is None else _time(until),
        mode="now" if now else "finish",
        **options,
    )
    send(call, later.fleet_view.show_answers)


@command("window-remove", example="shotline fleet window-remove night")
@click.argument("id", metavar="NAME")
@_why
def window_remove(id: str, reason: str) -> None:  # noqa: A002
    """Remove a maintenance window."""
    send(later.fleet_verbs.fleet_window_remove(id, reason=reason))


@command("windows", example="shotline fleet windows")
def windows() -> None:
    """Show the maintenance windows."""
    send(later.fleet_verbs.fleet(), later.fleet_view.show_windows)


# The expected fleet


@command("save", example="shotline fleet save fleet.yaml")
@FILE
def save(file: Path | None) -> None:
    """Write the servers that are there, as they are, as YAML to FILE or the screen."""
    told = asked(later.fleet_verbs.fleet_expected(now=True))
    text = later.fleet_file.written(told.result)
    if text is None:
        finish(told)
    elif file is None:
        say(text.rstrip("\n"))
    else:
        later.fleet_file.save(file, text)
        say(f"{file} has {text.count(': {')} servers")


@command("load", example="shotline fleet load fleet.yaml")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_why
def load(file: Path, reason: str) -> None:
    """Expect the servers that FILE names, from now on. Those that are missing are shown."""
    servers = later.fleet_file.read(file)
    call = later.fleet_verbs.fleet_expect(servers, reason=reason)
    send(call, later.fleet_view.show_differences)


@command("diff", example="shotline fleet diff\nshotline fleet diff fleet.yaml")
@FILE
def diff(file: Path | None) -> None:
    """Show what is not as expected, or not as FILE says. Exit code 5 where something is not."""
    servers = None if file is None else later.fleet_file.read(file)
    told = asked(later.fleet_verbs.fleet_expected(servers))
    finish(told, later.fleet_view.show_differences)
    if getattr(told.result, "differences", ()):
        raise click.exceptions.Exit(_DIFFERENT)


def _number(word: str) -> int:
    try:
        return int(word.replace("−", "-"))
    except ValueError:
        wrong(f"{plain(word)!r} is no number")


def _time(word: str) -> float:
    """Return a time as seconds since 1970; without a zone it is local."""
    if is_span(word):
        return time.time() + seconds_of(word)
    try:
        clock = _CLOCK.fullmatch(word)
        if clock is None:
            return datetime.fromisoformat(word).astimezone().timestamp()
        now = datetime.now().astimezone()
        at = now.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        return (at if at > now else at + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError, OSError):
        wrong(f"{plain(word)!r} is no time: 2026-12-01T08:00, 08:00, or 30m from now on")


for _command in (
    list_servers,
    slots,
    hours,
    drain,
    resume,
    quit_after,
    heartbeat,
    add,
    dismiss,
    window,
    window_remove,
    windows,
    save,
    load,
    diff,
):
    fleet.add_command(_command)

COMMANDS: tuple[click.Command, ...] = (fleet,)
