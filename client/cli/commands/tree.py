"""The commands of `shotline` about trees: `tree`, `current`, `check-experiment`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

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
    plain_lines,
    say,
    send,
    words,
    wrong,
)

if TYPE_CHECKING:
    from shotline.common.settings.yamlfile import FileProblem


@command("tree", example="shotline tree TEST/42\nshotline tree TEST/-1 --check")
@words("[TREE/SHOT]")
@click.option("--check", is_flag=True, help="Only problems; exit code 2 when there is an error.")
def tree(given: tuple[str, ...], check: bool) -> None:  # noqa: FBT001
    """Show what a shot's tree declares, and what is wrong or odd about it.

    The tree is read, nothing is built or changed. Shot -1 is the model, 0 the current shot.
    """
    told = ask(later.shot_verbs.tree(*optional_shot(given)))
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
    send(later.shot_verbs.current(given[0], shot, increment=increment))


@command("check-experiment", example="shotline check-experiment etc/experiments/demo.yaml")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def check_experiment(file: Path) -> None:
    """Show everything that is wrong with an experiment file, with lines and columns.

    Nobody is asked: it needs neither a broker nor a configuration. Exit code 1 where something is
    wrong. What only the whole tree shows, as conditions in a circle, `tree --check` tells.
    """
    try:
        text = later.yamlfile.read_bounded(file)
    except later.yamlfile.FileProblems as unread:
        wrong(str(unread))
    checked = later.experiment_file.check_experiment(text, file)
    count = None if checked.experiment is None else len(checked.experiment.actions)
    if options_of().json:
        problems = [
            {"line": one.line, "column": one.column, "where": one.where, "message": one.message}
            for one in checked.problems
        ]
        shown = {"file": str(file), "problems": problems, "warnings": list(checked.warnings)}
        say(json.dumps({**shown, "actions": count}))
    else:
        for problem in checked.problems:
            say(plain_lines(in_file(problem)), err=True)
        for warning in checked.warnings:
            say(f"note: {plain_lines(warning)}", err=True)
        many = len(checked.problems)
        words = f"has {many} problem{'s' * (many != 1)}" if many else "is in order"
        counted = "" if count is None else f"; it declares {count} actions"
        say(f"{file} {words}{counted}")
    if checked.problems:
        raise click.exceptions.Exit(later.messages.EXIT_CODES[later.messages.Outcome.USAGE])


def in_file(problem: "FileProblem") -> str:
    """Return a problem as compilers write it, FILE:LINE:COLUMN first."""
    column = f":{problem.column}" if problem.line is not None and problem.column else ""
    place = f"{problem.file}{'' if problem.line is None else f':{problem.line}'}{column}"
    return ": ".join(filter(None, (place, problem.where, problem.message)))


COMMANDS: tuple[click.Command, ...] = (tree, current, check_experiment)
