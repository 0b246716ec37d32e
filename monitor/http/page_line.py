"""Which lines the page's command line runs: what `shotline` itself parses them as decides.

What acts on the monitor's own machine is not for a page: commands that start processes there or
read and write its files, and the choice of another broker or configuration.
"""

import shlex
from typing import Final

import click

from shotline.client.cli.helped import without_signs
from shotline.client.cli.main import shotline
from shotline.common.commands import VERBS
from shotline.common.scopes import Scope

# Commands of the wire, and those that only show what these tell. Any other is refused.
# Queue, fleet and alarms have pages of their own; the queue gives commands itself.
_OF_THE_QUEUE: Final = ("write_nodes", "run_function", "server_workers")
# A shot's file is read and written where the command runs; the page has a download.
_OF_FILES: Final = ("export", "find_shots", "import_piece", "import_shot")
ALLOWED: Final = frozenset(
    {
        verb.replace("_", "-")
        for verb in VERBS
        if not verb.startswith(("queue_", "records_", "fleet", "alarms"))
        and verb not in (*_OF_THE_QUEUE, *_OF_FILES)
    }
    | {"display-logs", "show-log", "version", "watch"}
)
_CHOSEN_HERE: Final = {
    "broker": "--broker",
    "config": "--config",
    "key_file": "--key-file",
    "on_behalf_of": "--as",
}


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
    verb = _verb_of(line)
    return (VERBS[verb].ENDS or None) if verb in VERBS else None


def scope_of_line(line: str) -> Scope:
    """Return what a line is about. Raise NotRunnable."""
    verb = _verb_of(line)
    return VERBS[verb].SCOPE if verb in VERBS else Scope.READ


def _verb_of(line: str) -> str:
    """Return the verb of a line's command, "" where it only asks for help or is wrong."""
    try:
        words = arguments_of(line)
    except click.UsageError:
        return ""
    if "--help" in words:
        return ""
    ctx = click.Context(shotline, info_name="shotline")
    following = _words_left(shotline, ctx, words)
    command = shotline.resolve_command(ctx, following)[1] if following else None
    return (command.name or "").replace("-", "_") if command is not None else ""


def _words_left(command: click.Command, ctx: click.Context, words: list[str]) -> list[str]:
    """Return the words that are no options. Raise NotRunnable where one chooses what we choose."""
    options, following, _ = command.make_parser(ctx).parse_args(list(words))
    for name, option in _CHOSEN_HERE.items():  # by the monitor
        if name in options:
            raise NotRunnable(f"{option} is the monitor's own here; leave it out")
    for one in command.params:
        if one.name in options and isinstance(one.type, click.Path | click.File):
            raise NotRunnable(f"{one.opts[0]} names a file of the monitor's machine; leave it out")
    return following
