"""The commands of `shotline` about shots that have been: find, compare, keep in files, note."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import click

from shotline.client.cli import later
from shotline.client.cli.base import (
    SHOT,
    NamedShot,
    command,
    options_of,
    send,
    words,
    wrong,
)
from shotline.client.cli.times import HELP, time_of

P = ParamSpec("P")
T = TypeVar("T")

_PLACES: Final = ("action", "server", "reason", "output", "note", "who")


def _back(most: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Add the options of what looks back, with so many items by default."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        added = (
            click.option("--since", metavar="TIME", help=f"Not before: {HELP}"),
            click.option("--until", metavar="TIME", help="Not after."),
            click.option("--before", metavar="PLACE", help="Go on where an answer has ended."),
            click.option(
                "-n",
                "limit",
                type=click.IntRange(1, 100_000),
                default=most,
                show_default=True,
                help="So many at most, the newest ones.",
            ),
        )
        for option in reversed(added):
            function = option(function)
        return function

    return decorate


def _times(since: str | None, until: str | None) -> dict[str, Any]:
    return {
        "since": None if since is None else time_of(since),
        "until": None if until is None else time_of(until),
    }


def _tree(given: Sequence[str]) -> str | None:
    if len(given) > 1:
        wrong("give at most one TREE")
    return given[0] if given else None


@command(
    "shots",
    example="shotline shots TEST\nshotline shots --since yesterday --failed\n"
    "shotline shots --words 'gas valve' --noted",
)
@words("[TREE]")
@click.option("--words", "said", default="", help="Parts of names, phases, people and notes.")
@click.option("--failed", is_flag=True, help="Those in which something has failed.")
@click.option("--noted", is_flag=True, help="Those that have notes.")
@click.option("--kept", is_flag=True, help="Those that a file has.")
@_back(50)
def shots(
    given: tuple[str, ...],
    said: str,
    failed: bool,  # noqa: FBT001
    noted: bool,  # noqa: FBT001
    kept: bool,  # noqa: FBT001
    since: str | None,
    until: str | None,
    before: str | None,
    limit: int,
) -> None:
    """Show shots with their phases, times, counts, who ran them, and notes; the newest first."""
    wanted: dict[str, Any] = {"words": said, "failed": failed, "noted": noted, "kept": kept}
    wanted |= _times(since, until)
    tree = _tree(given)
    later.past_view.gather(
        lambda at, most: later.past_verbs.find_shots(tree, before=at, limit=most, **wanted),
        "shots",
        before,
        limit,
        later.past_view.show_shots,
    )


@command("failures", example="shotline failures --since yesterday\nshotline failures TEST -n 20")
@words("[TREE]")
@_back(200)
def failures(
    given: tuple[str, ...], since: str | None, until: str | None, before: str | None, limit: int
) -> None:
    """Show what has failed, in all shots, the newest first; also what was run again since."""
    wanted = _times(since, until)
    tree = _tree(given)
    later.past_view.gather(
        lambda at, most: later.past_verbs.failures(tree, before=at, limit=most, **wanted),
        "failures",
        before,
        limit,
        later.past_view.show_failures,
    )


@command(
    "search",
    example="shotline search damaged frame\nshotline search --in output timeout --since 3d",
)
@click.argument("said", nargs=-1, required=True, metavar="WORDS...")
@click.option("--tree", help="Only shots of this experiment.")
@click.option(
    "--in",
    "where",
    type=click.Choice(_PLACES),
    multiple=True,
    help="Only there; may be given more than once.",
)
@_back(50)
def search(
    said: tuple[str, ...],
    tree: str | None,
    where: tuple[str, ...],
    since: str | None,
    until: str | None,
    before: str | None,
    limit: int,
) -> None:
    """Show where words are found: in actions, servers, reasons, output, notes, and names of people.

    All of them must be in one line, in any case of letters.
    """
    wanted = _times(since, until) | {"where": where}
    text = " ".join(said)
    later.past_view.gather(
        lambda at, most: later.past_verbs.search(text, tree, before=at, limit=most, **wanted),
        "found",
        before,
        limit,
        later.past_view.show_found,
    )


@command("compare", example="shotline compare TEST/41 TEST/42 --differing")
@click.argument("left", type=SHOT)
@click.argument("right", type=SHOT)
@click.option("--differing", is_flag=True, help="Only what is not the same.")
def compare(left: NamedShot, right: NamedShot, differing: bool) -> None:  # noqa: FBT001
    """Show two shots side by side: outcomes, durations, and what was new in the second."""
    first, second = (f"{one.tree}/{one.shot}" for one in (left, right))
    send(
        later.past_verbs.compare(first, second, differing=differing), later.past_view.show_compared
    )


@command("trend", example="shotline trend TEST GAS:PUFF --last 100")
@click.argument("tree", metavar="TREE")
@click.argument("path", metavar="PATH")
@click.option("--last", type=click.IntRange(2, 1000), default=50, show_default=True, help="Shots.")
def trend(tree: str, path: str, last: int) -> None:
    """Show one action over the last shots: its durations, their median, spread and trend."""
    send(later.past_verbs.trend(tree, path, last=last), later.past_view.show_trend)


@command(
    "note",
    example="shotline note TEST/42 'gas valve 3 was changed'\n"
    "shotline note TEST/42 GAS:PUFF 'see logbook 1234'\n"
    "shotline note TEST/42 --change 2 'valve 4, not 3'\nshotline note TEST/42 --remove 2",
)
@click.argument("shot", type=SHOT)
@click.argument("said", nargs=-1, metavar="[PATH] TEXT")
@click.option("--change", type=click.IntRange(min=1), metavar="NUMBER", help="Another text for it.")
@click.option("--remove", type=click.IntRange(min=1), metavar="NUMBER", help="Remove it.")
def note(shot: NamedShot, said: tuple[str, ...], change: int | None, remove: int | None) -> None:
    """Write a note on a shot, or on one of its actions; it has your name and the time."""
    if remove is not None:
        if said or change is not None:
            wrong("with --remove give only TREE/SHOT")
        send(later.past_verbs.note(shot.tree, shot.shot, note=remove, remove=True))
        return
    if len(said) not in (1, 2) or (change is not None and len(said) != 1):
        wrong("give TREE/SHOT [PATH] TEXT; a text of several words in quotes")
    path = said[0] if len(said) == 2 else None
    send(later.past_verbs.note(shot.tree, shot.shot, said[-1], path=path, note=change))


@command(
    "export",
    example="shotline export TEST/42\nshotline export TEST/42 --csv -o - | head\n"
    "shotline export TEST/42 --html -o report.html",
)
@click.argument("shot", type=SHOT)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The file; `-`: standard output."
)
@click.option("--csv", "as_csv", is_flag=True, help="A table of its actions.")
@click.option("--html", "as_html", is_flag=True, help="A report that prints well.")
def export(
    shot: NamedShot,
    output: Path | None,
    as_csv: bool,  # noqa: FBT001
    as_html: bool,  # noqa: FBT001
) -> None:
    """Write a shot into a file: all of it, to be kept or imported; or a table, or a report."""
    if as_csv and as_html:
        wrong("give --csv or --html, not both")
    kind = "csv" if as_csv else "html" if as_html else "shot"
    with options_of().supervisor() as supervisor:
        told = later.shot_files.export_to(supervisor, shot.tree, shot.shot, kind, output)
    later.past_view.show_exported(told)


@command("import", example="shotline import TEST-42.shot.gz")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def import_(file: Path) -> None:
    """Bring in a shot from its file. It is marked as imported, only looked at, and never run."""
    with options_of().supervisor() as supervisor:
        told = later.shot_files.import_shot(supervisor, file)
    later.past_view.show_imported(told)


COMMANDS: tuple[click.Command, ...] = (
    shots,
    failures,
    search,
    compare,
    trend,
    note,
    export,
    import_,
)
