"""The `shotline` command: its group, its exit codes, and what an operator sees of errors.

The commands are in `commands`, what they show in `views`.
Exit codes: 0 ok, 1 usage, 2 refused, 3 nobody there, 4 a fault of ours, 5 carried out but an action
failed or the run was aborted or is HELD.
"""

import json
import os
import sys
import traceback
from collections.abc import Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Final

import click

from shotline import __version__
from shotline.client.cli import completion_bash as completion_bash  # takes click's place
from shotline.client.cli import later
from shotline.client.cli.base import (
    Options,
    ShotlineGroup,
    as_json,
    common_options,
    plain_lines,
    say,
    show_error,
)
from shotline.client.cli.commands import (
    alarms,
    audit,
    debug,
    doctor,
    fleet,
    keys,
    live,
    past,
    queue,
    records,
    server,
    shot,
    show,
    system,
    tree,
    users,
)
from shotline.common.errors import ConfigError, LocalError, ShotlineError
from shotline.common.process import streams

if TYPE_CHECKING:
    from shotline.common.messages import Outcome

INTERRUPTED = 130
TERMINATED = 143
TRACEBACK_VARIABLE = "SHOTLINE_TRACEBACK"


@click.group(
    cls=ShotlineGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@common_options
@click.version_option(__version__, "--version", "-V", message="shotline %(version)s")
def shotline() -> None:
    """Run the actions of a fusion pulse, and see how they stand.

    Without TREE/SHOT a command means the current pulse. It may be written TREE SHOT, and may stand
    before what is meant of it.
    Exit codes: 0 ok, 1 usage, 2 refused, 3 nobody there, 4 a fault of ours, 5 carried out but an
    action failed or the run was aborted or is HELD.
    """


assert isinstance(shotline, ShotlineGroup)


_SECTIONS: Final = {
    "Run shots": (shot,),
    "See how things stand": (show, live, alarms, tree),
    "What has been": (past,),
    "The day's programme and its data": (queue, records),
    "Servers and hosts": (server, fleet),
    "Who may, and who did": (audit, users, keys),
    "This machine": (system, doctor, debug),
}
for _heading, _modules in _SECTIONS.items():
    for _module in _modules:
        shotline.add_section(_heading, _module.COMMANDS)


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line and return its exit code."""
    return copy_context().run(_run, arguments)  # in which times are shown is this line's


def _run(arguments: Sequence[str]) -> int:
    as_object = "--json" in arguments
    try:
        with shotline.make_context("shotline", list(arguments), obj=Options()) as ctx:
            return _invoke(ctx, as_object=as_object)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        if as_object:
            return _say(error.format_message(), later.messages.Outcome.USAGE, as_object=True)
        error.show(sys.stderr)
        return _exit_code(later.messages.Outcome.USAGE)
    except click.Abort:
        return INTERRUPTED


def _invoke(ctx: click.Context, *, as_object: bool) -> int:
    try:
        shotline.invoke(ctx)
    except ConfigError as error:
        return _say(str(error), later.messages.Outcome.USAGE, as_object=as_object)
    except LocalError as error:
        return _say(str(error), later.messages.Outcome.REFUSED, as_object=as_object)
    except ShotlineError as error:
        if not isinstance(error, later.errors.SupervisorError):
            raise
        return show_error(error, as_object=as_object)
    return 0


def _say(words: str, outcome: "Outcome", *, as_object: bool) -> int:
    if as_object:
        say(json.dumps(as_json(outcome, words)))
    else:
        say(f"shotline: {plain_lines(words)}", err=True)
    return _exit_code(outcome)


def _exit_code(outcome: "Outcome") -> int:
    return later.messages.EXIT_CODES[outcome]


def main() -> None:
    """Be the `shotline` program."""
    streams.guard()
    try:
        code = run_completion_or(sys.argv[1:])
    except KeyboardInterrupt:
        say("shotline: interrupted", err=True)
        code = INTERRUPTED
    except streams.ReaderGone:
        code = 0
    except Exception as error:  # noqa: BLE001  # an operator gets words, whatever it was
        if os.environ.get(TRACEBACK_VARIABLE):
            traceback.print_exc()
        words = f"a fault of ours: {type(error).__name__}: {error}"
        words += f" ({TRACEBACK_VARIABLE}=1 says where)"
        as_object = "--json" in sys.argv
        code = _say(words, later.messages.Outcome.ERROR, as_object=as_object)
    except BaseException as error:
        if isinstance(error, SystemExit) or not isinstance(error, later.up.Terminated):
            raise
        code = TERMINATED
    incomplete = streams.settle()
    if incomplete is not None:
        say(f"shotline: standard output is incomplete: {incomplete}", err=True)
    sys.exit(code)


def run_completion_or(arguments: Sequence[str]) -> int:
    """Answer the shell's completion when it asks, else carry out the command line."""
    if os.environ.get("_SHOTLINE_COMPLETE"):
        shotline.main(args=list(arguments), prog_name="shotline", standalone_mode=False)
        return 0
    return run(arguments)
