"""The commands of `shotline alarms`: what is latched, acknowledging, shelving, following."""

import click

from shotline.client.cli import later
from shotline.client.cli.base import (
    ShotlineGroup,
    ask,
    command,
    common_options,
    finish,
    send,
    whole_number,
    wrong,
)
from shotline.client.cli.spans import seconds_of

NUMBERS = click.argument("numbers", nargs=-1, metavar="[NUMBER]...")
ALL = click.option("--all", "every", is_flag=True, help="All that nobody has acknowledged.")


@click.group(
    "alarms",
    cls=ShotlineGroup,
    example="shotline alarms list\nshotline alarms ack 12 13 --note 'valve changed'",
)
@common_options
def alarms() -> None:
    """What has failed and is latched until somebody acknowledges it.

    A failed action, a lost server, a HELD run, a daemon that is away. An alarm that is raised again
    after its acknowledgement has a new number.
    """


@command("list", example="shotline alarms list\nshotline alarms list --all --newer-than 12")
@click.option("--all", "every", is_flag=True, help="Also those that are over and acknowledged.")
@click.option("--newer-than", default="0", metavar="NUMBER", help="Only what was raised since.")
def list_alarms(every: bool, newer_than: str) -> None:  # noqa: FBT001
    """Show alarms with how often, since when, who has acknowledged, help and contact."""
    number = whole_number(newer_than, "--newer-than")
    call = later.alarm_verbs.alarms(everything=every, newer_than=number)
    send(call, later.alarms_view.show_alarms)


@command("ack", example="shotline alarms ack 12 --note 'valve changed'\nshotline alarms ack --all")
@NUMBERS
@ALL
@click.option("--note", default="", metavar="TEXT", help="What was seen or done, for people.")
def ack(numbers: tuple[str, ...], every: bool, note: str) -> None:  # noqa: FBT001
    """Acknowledge alarms: you have seen them, and see to them."""
    chosen = _chosen(numbers, every=every)
    send(later.alarm_verbs.alarms_ack(chosen, note), later.alarms_view.show_answered)


@command("shelve", example="shotline alarms shelve 12 2h --reason 'pump is away for repair'")
@click.argument("number")
@click.argument("time", metavar="TIME")
@click.option("--reason", default="", metavar="TEXT", help="Why, for people.")
def shelve(number: str, time: str, reason: str) -> None:
    """Let an alarm be quiet for a TIME as 30m or 2h."""
    call = later.alarm_verbs.alarms_shelve(whole_number(number, "NUMBER"), seconds_of(time), reason)
    send(call, later.alarms_view.show_answered)


@command("unshelve", example="shotline alarms unshelve 12")
@click.argument("number")
def unshelve(number: str) -> None:
    """Let a shelved alarm count again."""
    call = later.alarm_verbs.alarms_shelve(whole_number(number, "NUMBER"), 0.0)
    send(call, later.alarms_view.show_answered)


@command("watch", example="shotline alarms watch")
def watch() -> None:
    """Show the alarms, and then a line for each change, until Ctrl-C."""
    later.alarms_view.watch()


def _chosen(numbers: tuple[str, ...], *, every: bool) -> list[int]:
    """Return the alarms that are meant; all are those that are there now, by their numbers."""
    if every == bool(numbers):
        wrong("give the numbers of alarms, or --all")
    if not every:
        return [whole_number(one, "NUMBER") for one in numbers]
    told = ask(later.alarm_verbs.alarms())
    found = [one.number for one in getattr(told.result, "alarms", ()) if one.is_new]
    if not found:
        finish(told)
        later.alarms_view.say_none()
        raise click.exceptions.Exit(0)
    return found


for _command in (list_alarms, ack, shelve, unshelve, watch):
    alarms.add_command(_command)

COMMANDS: tuple[click.Command, ...] = (alarms,)
