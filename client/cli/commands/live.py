"""The commands of `shotline` that show a shot while it goes on: `watch` and `display-logs`."""

import click

from shotline.client.cli import later
from shotline.client.cli.base import and_shot, command, optional_shot, words


@command("watch", example="shotline watch TEST/42")
@words("[TREE/SHOT]")
@click.option("--until-end", is_flag=True, help="End when no run is open any more.")
def watch(given: tuple[str, ...], until_end: bool) -> None:  # noqa: FBT001
    """Show a shot's actions live, until Ctrl-C; without a terminal a line per transition."""
    later.follow.watch(*optional_shot(given), until_end=until_end)


@command("display-logs", example="shotline display-logs MAGNETS ANY TEST/42")
@words("CLASS PATH|ANY [TREE/SHOT]", required=True)
@click.option("--follow", is_flag=True, help="Go on after the action has ended, until Ctrl-C.")
def display_logs(given: tuple[str, ...], follow: bool) -> None:  # noqa: FBT001
    """Show output while it comes, what is stored first.

    With a PATH it ends when the action has ended; with ANY it goes on until Ctrl-C.
    """
    (server_class, path), tree, shot = and_shot(given, "CLASS", "PATH|ANY")
    later.follow.display_logs(server_class, path, tree, shot, follow=follow)


COMMANDS: tuple[click.Command, ...] = (watch, display_logs)
