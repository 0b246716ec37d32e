"""The commands of `shotline` for when something is wrong: `doctor` and `support-bundle`."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from shotline.client.cli import later
from shotline.client.cli.base import command, options_of, plain_lines, say, words, wrong

if TYPE_CHECKING:
    from shotline.client.doctor.finding import Finding

SIGNS: Final = {"ok": "✓", "warning": "!", "problem": "✗"}


@command("doctor", example="shotline doctor\nshotline doctor --page https://control/shotline/")
@click.option("--page", metavar="URL", help="Where browsers find the page, behind a proxy.")
def doctor(page: str | None) -> None:
    """Look whether everything is in order, and say what to do where it is not.

    Configuration, disk, clocks, versions, Redis, broker, dispatcher, servers, the page and its
    proxies, as they are seen from this machine. The exit code is 5 when there is a problem.
    """
    found = []
    for one in _examined(page):
        found.append(one)
        if not options_of().json:
            say(plain_lines(f"{SIGNS[one.level]} {one.subject:<14} {one.text}"))
            if one.advice:
                say(plain_lines(f"{'':<17}{one.advice}"))
    if options_of().json:
        say(json.dumps({"findings": [one._asdict() for one in found]}))
    if any(one.level == "problem" for one in found):
        raise click.exceptions.Exit(later.messages.EXIT_CODES[later.messages.Outcome.FAILED])


@command("support-bundle", example="shotline support-bundle")
@words("[FILE]")
def support_bundle(given: tuple[str, ...]) -> None:
    """Gather what helps others to help into one file, without secrets.

    Configuration, what the doctor finds, the state of servers and shots, metrics and logs of this
    machine. Paths of files, names of hosts and the output of actions in logs stay in: look into it
    before it leaves the site.
    """
    if len(given) > 1:
        wrong("give at most one FILE")
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"shotline-support-{socket.gethostname()}-{at}.tar.gz"
    file = Path(given[0]) if given else Path(name)
    config_file = later.config.find_config(options_of().config)
    config = later.config.load_config(config_file)
    found = list(_examined(None))
    try:
        options = replace(options_of(), config=config_file, timeout_s=later.site.ASK_S)
        later.bundle.write(file, config, config_file, options.supervisor, found)
    except OSError as error:
        wrong(f"{file} cannot be written: {error.strerror}")
    say(json.dumps({"file": str(file)}) if options_of().json else f"written: {file}")


def _examined(page: str | None) -> "Iterator[Finding]":
    file = later.config.find_config(options_of().config)
    yield from later.machine.configuration(file)
    try:
        config = later.config.load_config(file)
    except later.config.FileProblems:
        return
    yield from later.machine.machine(config)
    is_dispatchers_host = True
    yield from later.keys.keys(config)
    yield from later.providers.providers(config)
    for one in later.site.site(config, options_of().broker, options_of().key_file):
        if one.subject == "dispatcher" and one.level != "problem":
            is_dispatchers_host = one.text.startswith(f"{socket.gethostname()}:")
        yield one
    yield from later.store.store(config.redis, is_dispatchers_host=is_dispatchers_host)
    yield from later.page.page(config, page)


COMMANDS: tuple[click.Command, ...] = (doctor, support_bundle)
