"""The command `shotline audit`: who has asked for what, from where, and what came of it."""

import re
from typing import Final

import click

from shotline.client.cli import later
from shotline.client.cli.base import command, shot_number, wrong
from shotline.client.cli.times import time_of
from shotline.client.plain import plain

_SHOT: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?:/([0-9]{1,18}))?")


@command(
    "audit",
    example="shotline audit --since 2h\nshotline audit --who alice --verb abort --shot TEST/42\n"
    "shotline audit --outcome refused -n 1000\nshotline audit --follow",
)
@click.option(
    "--since",
    metavar="TIME",
    help="Since 2026-11-29 or 2026-11-29T08:30, or for 90s, 30m, 2h, 3d.",
)
@click.option("--who", metavar="NAME", help="Whose name, key or address has this in it.")
@click.option("--verb", metavar="VERB", help="One command, as `abort`; or `login`.")
@click.option("--shot", metavar="TREE[/SHOT]", help="About one shot, or one experiment.")
@click.option(
    "--outcome",
    type=click.Choice(("ok", "accepted", "usage", "refused", "error", "failed")),
    help="What came of it.",
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "-n",
    "limit",
    type=click.IntRange(1, 1_000_000),
    default=50,
    show_default=True,
    help="So many lines at most, the newest ones.",
)
def audit(
    since: str | None,
    who: str | None,
    verb: str | None,
    shot: str | None,
    outcome: str | None,
    follow: bool,  # noqa: FBT001
    limit: int,
) -> None:
    """Show who has asked for what, from where, and what came of it; the newest last."""
    tree, number = (None, None) if shot is None else _shot(shot)
    wanted = {
        "since": None if since is None else time_of(since),
        "who": who,
        "command": None if verb is None else verb.replace("-", "_"),
        "tree": tree,
        "shot": number,
        "outcome": outcome,
    }
    later.audit_view.show(wanted, limit, follow=follow)


def _shot(word: str) -> tuple[str, int | None]:
    found = _SHOT.fullmatch(word)
    if found is None:
        wrong(f"{plain(word)!r} is neither TREE/SHOT nor TREE")
    return found[1], None if found[2] is None else shot_number(found[2])


COMMANDS: tuple[click.Command, ...] = (audit,)
