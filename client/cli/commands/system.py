"""The commands of `shotline` about this machine: `up`, `demo`, `check-config` and the like."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

import shotline
import shotline.client.cli.completion_bash  # takes the place of click's for bash
from shotline.client.cli import later
from shotline.client.cli.base import command, console, options_of, plain_lines, say, words, wrong

if TYPE_CHECKING:
    from shotline.common.settings.configuration import Config

SHELLS = ("bash", "zsh", "fish")


@command(
    "up",
    example="shotline --config etc/config.yaml up\nshotline up start\nshotline up restart DAQ:1",
)
@words("[VERB [NAME]]")
def up(given: tuple[str, ...]) -> None:
    """Run the daemons that the configuration names on this machine, until Ctrl-C.

    What ends by itself, or hangs, is started again, after a while that grows (`up.restart`). Exit
    code 4 says at the end that something was lost and is still missing.

    With VERB it asks the one that runs, in whatever terminal: `start` starts what does not run, or
    NAME; `restart NAME`, `stop NAME`, `kill NAME`, `status [NAME]`. NAME is redis, a daemon, a
    server CLASS:ID, or CLASS, which means all its servers. The same can be typed where it runs.
    """
    file = later.config.find_config(options_of().config)
    config = later.config.load_config(file)

    def tell(text: str) -> None:
        shown = plain_lines(text)
        say(json.dumps({"up": text}) if options_of().json else shown)

    if given:
        _ask(config, given, tell)
    else:
        _run(config, file, tell)


def _run(config: "Config", file: Path, tell: Callable[[str], None]) -> None:
    daemons = later.daemons.Daemons(config, file)
    tell(f"configuration {file}; logs in {daemons.logs}")
    with later.up.started(daemons, tell) as running:
        if "monitor" in config.up.daemons:
            tell(f"the page: {config.monitor.page}")
        good = later.up.serve(running, "all are up; Ctrl-C ends them")
    if not good:
        raise click.exceptions.Exit(later.messages.EXIT_CODES[later.messages.Outcome.ERROR])


def _ask(config: "Config", given: Sequence[str], tell: Callable[[str], None]) -> None:
    if not later.requests.is_possible(given):
        wrong(f"possible is: {later.requests.HELP}")
    timeout_s = options_of().timeout_s
    if timeout_s is None:
        # A line comes after each that was ended or started; another request may be in the works.
        timeout_s = 2 * (config.up.start_s + config.up.stop_s)
    try:
        outcome = later.link.ask_up(config.data_folder, " ".join(given), tell, timeout_s)
    except later.link.UpAway as away:
        say(f"shotline: {plain_lines(str(away))}", err=True)
        outcome = later.messages.Outcome.NOBODY
    if outcome is not later.messages.Outcome.OK:
        raise click.exceptions.Exit(later.messages.EXIT_CODES[outcome])


@command("demo", example="shotline demo --keep")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/demo"),
    show_default=True,
    help="Where its configuration, data and logs are.",
)
@click.option("--keep", is_flag=True, help="Stay until Ctrl-C, with a shot every minute.")
@click.option("--queue", is_flag=True, help="Run a short programme of the pulse queue instead.")
def demo(folder: Path, keep: bool, queue: bool) -> None:  # noqa: FBT001
    """Run a whole shot of the demo experiment, on daemons of its own.

    One of its actions fails by design; the exit code is 0 all the same. It is 5 when something
    else has failed.
    """
    if not later.demo.run_demo(folder, console(), keep=keep, queue=queue):
        raise click.exceptions.Exit(later.messages.EXIT_CODES[later.messages.Outcome.FAILED])


@command("check-config", example="shotline --config etc/config.yaml check-config")
@words("[FILE]")
def check_configuration(given: tuple[str, ...]) -> None:
    """Show everything that is wrong with a configuration file, with line numbers."""
    if len(given) > 1:
        wrong("give at most one FILE")
    option = Path(given[0]) if given else options_of().config
    file = later.config.find_config(option)
    problems = later.config.check_config(option)
    if options_of().json:
        shown = [
            {"file": str(one.file), "line": one.line, "where": one.where, "message": one.message}
            for one in problems
        ]
        say(json.dumps({"file": str(file), "problems": shown}))
    elif problems:
        for problem in problems:
            say(plain_lines(str(problem)), err=True)
    else:
        say(f"{file} is in order")
    if problems:
        raise click.exceptions.Exit(later.messages.EXIT_CODES[later.messages.Outcome.USAGE])


@command("version", example="shotline version")
def version() -> None:
    """Show the version."""
    if options_of().json:
        say(json.dumps({"version": shotline.__version__}))
    else:
        say(f"shotline {shotline.__version__}")


@command("completion", example='eval "$(shotline completion bash)"')
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Write the script that lets a shell complete the words of `shotline`."""
    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    say(kind(root, {}, "shotline", "_SHOTLINE_COMPLETE").source())


COMMANDS: tuple[click.Command, ...] = (up, demo, check_configuration, version, completion)
