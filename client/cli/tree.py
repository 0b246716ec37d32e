"""The commands of `shotline` that ask a tree itself: `tree` and `current`."""

import json

import click
from msgspec import structs

from shotline.client.cli import later
from shotline.client.cli.base import (
    as_json,
    ask,
    command,
    console,
    finish,
    optional_shot,
    options_of,
    say,
    send,
    words,
    wrong,
)


@command("tree", example="shotline tree TEST/42\nshotline tree TEST/-1 --check")
@words("[TREE/SHOT]")
@click.option("--check", is_flag=True, help="Only problems; exit code 2 when there is an error.")
def tree(given: tuple[str, ...], check: bool) -> None:  # noqa: FBT001
    """Show what a shot's tree declares, and what is wrong or odd about it.

    The tree is read, nothing is built or changed. Shot -1 is the model, 0 the current shot.
    """
    told = ask(later.verbs.tree(*optional_shot(given)))
    found = told.result
    if not isinstance(found, later.views.TreeResult):
        finish(told)
        return
    errors = sum(problem.severity == "error" for problem in found.problems)
    warnings = len(found.problems) - errors
    code = later.messages.EXIT_CODES[later.messages.Outcome.REFUSED] if check and errors else 0
    if options_of().json:
        shown = as_json(told.reply.outcome, "", told.reply.notices, told.reply.result)
        say(json.dumps({**shown, "exit_code": code}))
    else:
        later.tree_view.show_tree(console(), structs.replace(found, actions=()) if check else found)
        for notice in told.reply.notices:
            say(f"note: {notice}", err=True)
        say(f"{len(found.actions)} actions, {errors} errors, {warnings} warnings")
    if code:
        raise click.exceptions.Exit(code)


@command("current", example="shotline current TEST\nshotline current TEST 43")
@words("TREE [SHOT]", required=True)
@click.option("--increment", is_flag=True, help="Make the next number the current shot.")
def current(given: tuple[str, ...], increment: bool) -> None:  # noqa: FBT001
    """Show, set or increment the site's current shot number of an experiment."""
    if len(given) > 2 or (increment and len(given) == 2):
        wrong("give TREE, TREE SHOT, or TREE --increment")
    shot = optional_shot(given)[1] if len(given) == 2 else None
    send(later.verbs.current(given[0], shot, increment=increment))


COMMANDS: tuple[click.Command, ...] = (tree, current)
