"""The commands of `shotline records`: volumes, data records and their consumers."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from shotline.client.cli import later
from shotline.client.cli.base import (
    ShotlineGroup,
    ask,
    command,
    common_options,
    finish,
    options_of,
    say,
    send,
    wrong,
)
from shotline.client.cli.spans import is_span, seconds_of

if TYPE_CHECKING:
    from shotline.client.cli.base import Heard
    from shotline.client.consumer import Consumer
    from shotline.common.volumes.commands import Verify
    from shotline.common.volumes.views import LeaseView

GROUP = click.option("--group", metavar="GROUP", help="Of consumers.")
CONSUMER = click.option(
    "--consumer", metavar="NAME", required=True, help="The name that it was leased by."
)
TOKENS = click.argument("tokens", nargs=-1, required=True, metavar="TOKEN...")
SINCE = click.option(
    "--since", default="", metavar="TIME", help="2026-11-29, 2026-11-29T14:00, or 3d, 12h, 90m ago."
)
PATTERN = click.option("--pattern", default="", help="Only paths that fit it, such as run1/*.h5.")


@click.group(
    "records",
    cls=ShotlineGroup,
    example="shotline records status\nshotline records list --state dead",
)
@common_options
def records() -> None:
    """Data that starts work: volumes, the records of their files, and who works on them."""


def _when(text: str) -> float:
    """Return the time that somebody means, in seconds since 1970."""
    from datetime import datetime

    if not text:
        return 0.0
    if is_span(text):
        return max(time.time() - seconds_of(text), 0.0)
    try:
        return max(datetime.fromisoformat(text).timestamp(), 0.0)
    except (ValueError, OverflowError):
        return wrong(f"{text!r} is no time: give 2026-11-29, 2026-11-29T14:00, or 3d, 12h, 90m")


@command("status", example="shotline records status")
def status() -> None:
    """Show how the volumes, the groups and their consumers stand."""
    send(later.records_verbs.records_status(), later.records_view.show_status)


@command("list", example="shotline records list RAW --state dead")
@click.argument("volume", required=False)
@GROUP
@click.option("--state", type=click.Choice(["ready", "leased", "dead", "orphaned"]))
@click.option("--path", help="Only of this file.")
def list_(volume: str | None, **options: Any) -> None:
    """List records that are not done, the oldest first."""
    send(later.records_verbs.records_list(volume, **options), later.records_view.show_list)


@command("file", example="shotline records file RAW run1/a.h5")
@click.argument("volume")
@click.argument("path")
def file(volume: str, path: str) -> None:
    """Show what is known of one file: its records, and what has become of them."""
    send(later.records_verbs.records_file(volume, path), later.records_view.show_file)


@command("lease", example="shotline records lease filter --wait 20")
@click.argument("group")
@click.option("--consumer", default="", metavar="NAME", help="Its name; default: one of its own.")
@click.option("--host", help="Where it runs; default: here.")
@click.option("-n", "limit", type=click.IntRange(1, 1000), default=1, help="So many at most.")
@click.option("--hold", "hold_s", type=float, metavar="S", help="Lease them for so long.")
@click.option(
    "--wait", default=0.0, type=click.FloatRange(0, 60), metavar="S", help="For the first."
)
@click.option(
    "--verify",
    type=click.Choice(["size", "checksum", "none"]),
    default="size",
    help="What of files on this machine must be as announced; others are given back. checksum: "
    "only records of files on this machine are leased.",
)
def lease(group: str, consumer: str, host: str | None, verify: str, **options: Any) -> None:
    """Lease records of a group of consumers: nobody else gets them until their time is over.

    Their tokens are given to `complete`, `return` and `renew`, with the consumer's name.
    """
    name, here = consumer or later.consumer.default_name(), later.consumer.here()
    files_on = here if verify == "checksum" else ""
    call = later.records_verbs.records_lease(
        group, name, host=here if host is None else host, files_on=files_on, **options
    )
    told = _as_announced(ask(call), name, verify)
    if not options_of().json:
        say(f"consumer {name}")
    finish(told, later.records_view.show_leases)


def _as_announced(told: "Heard", consumer: str, verify: str) -> "Heard":
    """Give back what has changed, where the files are on this machine; return the rest."""
    from msgspec import structs

    from shotline.common.volumes.views import LeasesResult

    if not isinstance(told.result, LeasesResult):
        return told
    wanted: Verify = "checksum" if verify == "checksum" else "size" if verify == "size" else ""
    found, bad = later.consumer.passed_on(told.result, wanted)
    for token, why in bad.items():
        delay_s = later.consumer.DELAY_S
        ask(later.records_verbs.records_return(consumer, [token], delay_s=delay_s, reason=why))
        say(f"given back: {why}", err=True)
    if not bad:
        return told
    left = len(found.leases)
    reply = structs.replace(
        told.reply,
        message=f"{left} record{'' if left == 1 else 's'}",
        result=later.base.to_json(found),
    )
    return replace(told, reply=reply, result=found)


@command("complete", example="shotline records complete --consumer me 18f2-4-1")
@CONSUMER
@TOKENS
def complete(consumer: str, tokens: tuple[str, ...]) -> None:
    """Say that leased records are done."""
    call = later.records_verbs.records_complete(consumer, tokens)
    send(call, later.records_view.show_tokens)


@command("renew", example="shotline records renew --consumer me 18f2-4-1")
@CONSUMER
@TOKENS
def renew(consumer: str, tokens: tuple[str, ...]) -> None:
    """Begin the time of leases anew."""
    send(later.records_verbs.records_renew(consumer, tokens), later.records_view.show_tokens)


@command("return", example="shotline records return --consumer me --delay 60 18f2-4-1")
@CONSUMER
@TOKENS
@click.option("--delay", "delay_s", default=0.0, metavar="S", help="Offer them after so long.")
@click.option("--never", is_flag=True, help="Offer them never again: they are dead.")
@click.option("--reason", default="", help="Why.")
def return_(consumer: str, tokens: tuple[str, ...], **options: Any) -> None:
    """Give leased records back."""
    call = later.records_verbs.records_return(consumer, tokens, **options)
    send(call, later.records_view.show_tokens)


@command("redrive", example="shotline records redrive --group filter")
@click.argument("numbers", nargs=-1, type=click.IntRange(min=1), metavar="[NUMBER]...")
@GROUP
@click.option("--volume", metavar="VOLUME", help="All dead ones of a volume.")
def redrive(numbers: tuple[int, ...], group: str | None, volume: str | None) -> None:
    """Offer dead records again."""
    send(later.records_verbs.records_redrive(numbers, group=group, volume=volume))


@command("remove", example="shotline records remove RAW run1/a.h5 --reason 'a test'")
@click.argument("volume")
@click.argument("path")
@click.option("--reason", default="", help="Why.")
def remove(volume: str, path: str, reason: str) -> None:
    """Take a file off the ledger: nobody gets its records any more. The file stays."""
    send(later.records_verbs.records_remove(volume, path, reason))


@command("scan", example="shotline records scan RAW --since 2026-11-01")
@click.argument("volume")
@SINCE
@PATTERN
def scan(volume: str, since: str, pattern: str) -> None:
    """Have what is on a volume and was never announced be announced."""
    send(later.records_verbs.records_scan(volume, since=_when(since), pattern=pattern))


@command("replay", example="shotline records replay RAW calibration --since 3d")
@click.argument("volume")
@click.argument("group")
@SINCE
@PATTERN
def replay(volume: str, group: str, since: str, pattern: str) -> None:
    """Have what was announced of a volume be announced again, for one group of consumers."""
    send(later.records_verbs.records_replay(volume, group, since=_when(since), pattern=pattern))


@command("run", example="shotline records run filter -- ./filter.sh")
@click.argument("group")
@click.argument("program", nargs=-1, required=True)
@click.option("--consumer", default="", metavar="NAME", help="Its name; default: one of its own.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many; default: never.")
@click.option(
    "--delay", "delay_s", default=5.0, metavar="S", help="Before a failed one is offered."
)
def run(
    group: str, program: tuple[str, ...], consumer: str, count: int | None, delay_s: float
) -> None:
    """Run a program for each record of a group, with the file's path as its last argument.

    The record is in its environment, SHOTLINE_RECORD, as JSON. Exit code 0: done; 65: never again;
    any other gives the record back.
    """
    options = options_of()
    with later.consumer.Consumer(
        group, consumer, broker=options.broker, config=options.config, key=options.key_file
    ) as one:
        for number, found in enumerate(one, 1):
            _run(one, found, program, delay_s)
            if number == count:
                if found.token in one.leases:
                    one.done(found)
                return


def _run(one: "Consumer", found: "LeaseView", program: Sequence[str], delay_s: float) -> None:
    code = later.consumer.run_program(found, program)
    what = f"{found.path} {found.part.name}".rstrip()
    if code == 0:
        say(f"{what}: done")
    elif code == later.consumer.NEVER:
        one.give_back(found, never=True, reason=f"{program[0]} said so (exit code {code})")
        say(f"{what}: never again", err=True)
    else:
        one.give_back(found, delay_s=delay_s, reason=f"{program[0]} ended with exit code {code}")
        say(f"{what}: given back, exit code {code}", err=True)


for _command in (
    *(status, list_, file, lease, complete, renew, return_),
    *(redrive, remove, scan, replay, run),
):
    records.add_command(_command)

COMMANDS = (records,)
