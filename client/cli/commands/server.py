"""The commands of `shotline` about servers and daemons."""

from collections.abc import Sequence

import click

from shotline.client.cli import later
from shotline.client.cli.base import command, send, words, wrong


def _server(given: Sequence[str]) -> str:
    """Return CLASS, CLASS:ID, or CLASS ID in two words as other dispatchers have it."""
    if len(given) == 1:
        return given[0]
    if len(given) != 2 or ":" in given[0]:
        wrong("give CLASS, CLASS:ID, or CLASS ID")
    return f"{given[0]}:{given[1]}"


@command("server-restart", example="shotline server-restart MAGNETS:1")
@words("CLASS[:ID]", required=True)
def server_restart(given: tuple[str, ...]) -> None:
    """End what a server runs and start it anew."""
    send(later.shot_verbs.server_restart(_server(given)))


@command("server-stop", example="shotline server-stop MAGNETS:1")
@words("CLASS[:ID]", required=True)
def server_stop(given: tuple[str, ...]) -> None:
    """End a server when its work is done."""
    send(later.shot_verbs.server_stop(_server(given)))


@command("server-quit", example="shotline server-quit MAGNETS:1")
@words("CLASS[:ID]", required=True)
def server_quit(given: tuple[str, ...]) -> None:
    """End a server at once; what it runs becomes ABORTED."""
    send(later.shot_verbs.server_quit(_server(given)))


@command("server-abort", example="shotline server-abort MAGNETS \\\\TEST::TOP.MAGNETS:CHARGE")
@words("CLASS[:ID] [PATH]", required=True)
def server_abort(given: tuple[str, ...]) -> None:
    """Abort the actions of a class or server, or the one at PATH."""
    if len(given) > 2:
        wrong("give CLASS[:ID] [PATH]")
    send(later.shot_verbs.server_abort(given[0], given[1] if len(given) == 2 else None))


@command("servers", example="shotline servers --json")
def servers() -> None:
    """Show all action servers."""
    send(later.shot_verbs.servers(), later.render.show_servers)


@command("server-log", example="shotline server-log MAGNETS:1")
@words("CLASS:ID", required=True)
@click.option("-n", "--lines", type=click.IntRange(1, 100), default=100, help="So many lines.")
def server_log(given: tuple[str, ...], lines: int) -> None:
    """Show the end of a server's own log, also of one that is gone."""
    if len(given) != 1:
        wrong("give one CLASS:ID")
    send(later.shot_verbs.server_log(given[0], limit=lines), later.render.show_server_log)


@command("clear-url", example="shotline clear-url mdsip-host:8000")
@words("URL", required=True)
def clear_url(given: tuple[str, ...]) -> None:
    """Forget that an mdsip server may still be busy with an action that was given up."""
    if len(given) != 1:
        wrong("give one URL")
    send(later.shot_verbs.clear_url(given[0]))


@command("quit", example="shotline quit")
def quit_dispatcher() -> None:
    """End the dispatcher. Running actions go on in their servers."""
    send(later.shot_verbs.quit_dispatcher())


COMMANDS: tuple[click.Command, ...] = (
    server_restart,
    server_abort,
    server_stop,
    server_quit,
    server_log,
    servers,
    clear_url,
    quit_dispatcher,
)
