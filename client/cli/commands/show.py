"""The commands of `shotline` that show how things stand."""

import click
from click.shell_completion import CompletionItem

from shotline.client.cli import later
from shotline.client.cli.base import (
    and_shot,
    command,
    known,
    optional_shot,
    send,
    words,
)
from shotline.client.cli.completion import complete


def phases(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a phase of the shot that stands before it, or of the current pulse."""
    given = ctx.params.get("given") or ()
    return complete(
        "[TREE/SHOT] PHASE" if len(given) == 2 else "PHASE", given, incomplete, known(ctx)
    )


@command("status", example="shotline status --json")
def status() -> None:
    """Show the state of everything, in short."""
    send(later.shot_verbs.status(), later.render.show_status)


@command("actions", example="shotline actions TEST/42 --phase INIT")
@words("[TREE/SHOT]")
@click.option("--phase", help="Only the actions of one phase.", shell_complete=phases)
def actions(given: tuple[str, ...], phase: str | None) -> None:
    """Show all actions of a shot, as they stand."""
    send(later.shot_verbs.actions(*optional_shot(given), phase=phase), later.render.show_actions)


@command("print-pending", example="shotline print-pending")
def print_pending() -> None:
    """Show what is ready, sent or running, and what everything else waits for."""
    send(later.shot_verbs.pending(), later.render.show_actions)


@command("show", example="shotline show \\\\TEST::TOP.GAS:PUFF TEST/42")
@words("PATH [TREE/SHOT]", required=True)
def show(given: tuple[str, ...]) -> None:
    """Show one action's story: every transition with time and cause."""
    (path,), tree, shot = and_shot(given, "PATH")
    send(later.shot_verbs.show(path, tree, shot), later.render.show_story)


@command("logs", example="shotline logs \\\\TEST::TOP.GAS:PUFF TEST/42")
@words("PATH [TREE/SHOT]", required=True)
@click.option("--attempt", type=click.IntRange(min=1), help="An attempt by its number.")
@click.option("--since", type=click.IntRange(min=0), default=0, help="From this line on.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=10_000, help="So many lines.")
def logs(given: tuple[str, ...], attempt: int | None, since: int, limit: int) -> None:
    """Show the stored output of an action."""
    (path,), tree, shot = and_shot(given, "PATH")
    send(
        later.shot_verbs.logs(path, tree, shot, attempt=attempt, since=since, limit=limit),
        later.render.show_logs,
    )


@command("show-log", example="shotline show-log TEST/42 \\\\TEST::TOP.GAS:PUFF", hidden=True)
@words("TREE/SHOT PATH", required=True)
def show_log(given: tuple[str, ...]) -> None:
    """Show the stored output of an action (`logs` in the spelling of other dispatchers)."""
    (path,), tree, shot = and_shot(given, "PATH")
    send(later.shot_verbs.logs(path, tree, shot), later.render.show_logs)


@command("check", example="shotline check TEST/42\nshotline check --reset")
@words("[TREE/SHOT]")
@click.option("--reset", is_flag=True, help="The failures so far were seen; forget them.")
def check(given: tuple[str, ...], reset: bool) -> None:  # noqa: FBT001
    """Tell whether an essential action has failed; exit code 5 when one has."""
    send(later.shot_verbs.check(*optional_shot(given), reset=reset), later.render.show_check)


@command("snapshot", example="shotline snapshot servers --json", hidden=True)
@words("CHANNEL", required=True)
def snapshot(given: tuple[str, ...]) -> None:
    """Show the state of a channel of the event feed."""
    channel = "/".join(given)
    send(later.shot_verbs.snapshot(channel), later.render.show_snapshot)


COMMANDS: tuple[click.Command, ...] = (
    status,
    actions,
    print_pending,
    show,
    logs,
    show_log,
    check,
    snapshot,
)
