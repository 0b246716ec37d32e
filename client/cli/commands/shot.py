"""The commands of `shotline` that make and run shots."""

import click

from shotline.client.cli import later
from shotline.client.cli.base import (
    and_shot,
    command,
    optional_shot,
    send,
    shot_number,
    whole_number,
    words,
    wrong,
)

EVEN_IF_RUNNING = click.option(
    "--even-if-running",
    is_flag=True,
    help="Also where an attempt's outcome is unknown: it may still be running.",
)
EVEN_IF_CHANGED = click.option(
    "--even-if-changed",
    is_flag=True,
    help="Also where the tables' source has changed since they were built.",
)
WAIT = click.option(
    "--wait", is_flag=True, help="Return at the run's end; exit code 5 when an action failed."
)


@command("create-pulse", example="shotline create-pulse TEST/42")
@words("TREE/SHOT", required=True, new_shot=True)
@click.option("--replace", is_flag=True, help="Make it again where it exists.")
def create_pulse(given: tuple[str, ...], replace: bool) -> None:  # noqa: FBT001
    """Make the pulse of a shot from its model; it becomes the current pulse."""
    if len(given) != 2:
        wrong("give TREE/SHOT")
    send(later.shot_verbs.create_pulse(given[0], shot_number(given[1]), replace=replace))


@command("build-tables", example="shotline build-tables TEST/42")
@words("[TREE/SHOT]")
@click.option("--reset", is_flag=True, help="Forget the states of its actions.")
def build_tables(given: tuple[str, ...], reset: bool) -> None:  # noqa: FBT001
    """Read and classify all actions of a shot."""
    send(
        later.shot_verbs.build_tables(*optional_shot(given), reset=reset), later.render.show_actions
    )


@command(
    "do-phase", example="shotline do-phase INIT --wait\nshotline do-phase PULSE TEST/42 --wait"
)
@words("PHASE [TREE/SHOT]", required=True)
@WAIT
@EVEN_IF_RUNNING
@EVEN_IF_CHANGED
def do_phase(given: tuple[str, ...], **flags: bool) -> None:
    """Run the actions of a phase."""
    (phase,), tree, shot = and_shot(given, "PHASE")
    send(later.shot_verbs.do_phase(phase, tree, shot, **flags), later.render.show_report)


@command("do-sequence", example="shotline do-sequence STORE 10 20 TEST/42 --wait")
@words("PHASE FIRST LAST [TREE/SHOT]", required=True)
@WAIT
@EVEN_IF_RUNNING
@EVEN_IF_CHANGED
def do_sequence(given: tuple[str, ...], **flags: bool) -> None:
    """Run the actions of a phase from sequence number FIRST to LAST, and what depends on them."""
    (phase, first, last), tree, shot = and_shot(given, "PHASE", "FIRST", "LAST")
    numbers = whole_number(first, "FIRST"), whole_number(last, "LAST")
    call = later.shot_verbs.do_sequence(phase, *numbers, tree, shot, **flags)
    send(call, later.render.show_report)


@command("dispatch", example="shotline dispatch \\\\TEST::TOP.MAGNETS:CHARGE TEST/42 --wait")
@words("PATH [TREE/SHOT]", required=True)
@WAIT
@EVEN_IF_RUNNING
@EVEN_IF_CHANGED
@click.option("--even-if-off", is_flag=True, help="Also when the node is switched off.")
def dispatch(given: tuple[str, ...], **flags: bool) -> None:
    """Run one action again."""
    (path,), tree, shot = and_shot(given, "PATH")
    send(later.shot_verbs.dispatch(path, tree, shot, **flags), later.render.show_report)


@command(
    "abort",
    example="shotline abort\nshotline abort TEST/42\nshotline abort --all\n"
    "shotline abort \\\\TEST::TOP.GAS:PUFF TEST/42",
)
@words("[PATH] [TREE/SHOT]")
@click.option("--all", "all_runs", is_flag=True, help="Every open run, whatever its shot.")
def abort(given: tuple[str, ...], all_runs: bool) -> None:  # noqa: FBT001
    """Abort the current pulse's open run, or a shot's, or one action; it says what still runs."""
    if all_runs and given:
        wrong("give --all, or which one")
    if len(given) in (0, 2):
        path, (tree, shot) = None, optional_shot(given)
    else:
        (path,), tree, shot = and_shot(given, "PATH")
    send(later.shot_verbs.abort(path, tree, shot, all_runs=all_runs))


@command("abort-pending", example="shotline abort-pending TEST/42")
@words("[TREE/SHOT]")
def abort_pending(given: tuple[str, ...]) -> None:
    """Remove what was not sent yet; what runs goes on."""
    send(later.shot_verbs.abort_pending(*optional_shot(given)))


@command("hold", example="shotline hold TEST/42")
@words("[TREE/SHOT]")
def hold(given: tuple[str, ...]) -> None:
    """Start nothing more of the open run until `resume`."""
    send(later.shot_verbs.hold(*optional_shot(given)))


@command("resume", example="shotline resume TEST/42")
@words("[TREE/SHOT]")
def resume(given: tuple[str, ...]) -> None:
    """Let a HELD run go on."""
    send(later.shot_verbs.resume(*optional_shot(given)))


@command("wait", example="shotline wait TEST/42")
@words("[TREE/SHOT]")
@click.option("--run", "run_number", type=click.IntRange(min=1), help="A run by its number.")
def wait(given: tuple[str, ...], run_number: int | None) -> None:
    """Wait for the end of the open run; exit code 5 when an action failed."""
    send(
        later.shot_verbs.wait(*optional_shot(given), run_number=run_number),
        later.render.show_report,
    )


COMMANDS: tuple[click.Command, ...] = (
    create_pulse,
    build_tables,
    do_phase,
    do_sequence,
    dispatch,
    abort,
    abort_pending,
    hold,
    resume,
    wait,
)
