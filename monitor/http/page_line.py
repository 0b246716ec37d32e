"""Which lines the page's command line runs: what `shotline` itself parses them as decides.

What acts on the monitor's own machine is not for a page: commands that start processes there or
read and write its files, and the choice of another broker or configuration.
"""

import shlex
from typing import Final

import click

from shotline.client.cli.base import without_signs
from shotline.client.cli.main import shotline
from shotline.common.accounts import Scope
from shotline.monitor.http.route import VERBS, scope_of

# A command that is not named here is refused.
ALLOWED: Final = frozenset(
    (
        "abort",
        "abort-pending",
        "actions",
        "build-tables",
        "check",
        "clear-url",
        "create-pulse",
        "current",
        "dispatch",
        "display-logs",
        "do-phase",
        "do-sequence",
        "hold",
        "logs",
        "print-pending",
        "quit",
        "resume",
        "server-abort",
        "server-quit",
        "server-restart",
        "server-stop",
        "servers",
        "shots",
        "show",
        "show-log",
        "snapshot",
        "status",
        "tree",
        "version",
        "wait",
        "watch",
    )
)
# Commands that end something: a page asks before it runs them.
ENDING: Final = {
    "abort": "it ends what runs",
    "abort-pending": "it removes what was not sent yet",
    "quit": "it ends the dispatcher; nothing new starts until another is there",
    "server-abort": "it ends what runs there",
    "server-quit": "it ends the server, and what runs there",
    "server-restart": "it ends what runs there",
    "server-stop": "it ends the server when its work is done",
}
_CHOSEN_HERE: Final = ("broker", "config")  # by the monitor


class NotRunnable(Exception):
    """The line cannot be run; the text says why."""


def arguments_of(line: str) -> list[str]:
    """Return a line's words as the shell would split them.

    Raise NotRunnable, or click.UsageError where `shotline` would refuse the line itself.
    """
    if "\0" in line:
        raise NotRunnable("the line has a NUL character in it")
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise NotRunnable(f"the line cannot be split into words: {error}") from None
    if words[:1] == ["shotline"]:
        words = words[1:]
    ctx = click.Context(shotline, info_name="shotline")
    following = _words_left(shotline, ctx, words)
    if following:
        name, command, rest = shotline.resolve_command(ctx, following)
        if command is None or command.name not in ALLOWED:
            raise NotRunnable(f"`shotline {name}` is for a terminal of one's own")
        _words_left(command, click.Context(command, ctx, info_name=name), without_signs(rest))
    elif words != ["--help"]:
        raise NotRunnable("give a command, as `status` or `do-phase INIT --wait`")
    return words


def what_it_ends(line: str) -> str | None:
    """Return in words what a line ends, None where it ends nothing. Raise NotRunnable."""
    return ENDING.get(_command_of(line))


def scope_of_line(line: str) -> Scope:
    """Return what a line is about. Raise NotRunnable."""
    verb = _command_of(line).replace("-", "_")
    return scope_of(verb) if verb in VERBS else Scope.READ


def _command_of(line: str) -> str:
    """Return the name of a line's command, "" where it only asks for help or is wrong."""
    try:
        words = arguments_of(line)
    except click.UsageError:
        return ""
    if "--help" in words:
        return ""
    ctx = click.Context(shotline, info_name="shotline")
    following = _words_left(shotline, ctx, words)
    command = shotline.resolve_command(ctx, following)[1] if following else None
    return (command.name or "") if command is not None else ""


def _words_left(command: click.Command, ctx: click.Context, words: list[str]) -> list[str]:
    """Return the words that are no options. Raise NotRunnable where one chooses what we choose."""
    options, following, _ = command.make_parser(ctx).parse_args(list(words))
    for name in _CHOSEN_HERE:
        if name in options:
            raise NotRunnable(f"--{name} is the monitor's own here; leave it out")
    return following
