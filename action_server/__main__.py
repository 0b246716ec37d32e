"""`shotline-action-server CLASS ID`: options, configuration, logging; then the server."""

import os
import signal
import sys
from pathlib import Path

import click
from pydantic import JsonValue, TypeAdapter, ValidationError

from shotline import __version__
from shotline.action_server.server import EXIT_RESTART, ActionServerShell
from shotline.action_server.until import Term
from shotline.common.errors import ConfigError
from shotline.common.keys.folder import own_key
from shotline.common.pilots import PILOT
from shotline.common.process import interpreter
from shotline.common.process.hangup import Hangup
from shotline.common.process.scrape import open_address
from shotline.common.process.service import Service, give_up
from shotline.common.process.streams import Program
from shotline.common.settings.config import find_config, fingerprint, load_config
from shotline.common.settings.sections.values import ServerClass, ServerId

EPILOG = """\b
Examples:
  shotline-action-server MAGNETS 1
  shotline-action-server MAGNETS 2 tcp://control:5571 --slots 4
  shotline-action-server ANALYSIS 7 --until idle=60 --until actions=100
"""


@click.command(cls=Program, epilog=EPILOG)
@click.argument("server_class", metavar="CLASS")
@click.argument("server_id", metavar="ID")
@click.argument("broker", metavar="[BROKER]", required=False)
@click.option("-c", "--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--slots", type=int, help="Actions that run at a time; 0: as many as CPUs.")
@click.option(
    "--sequential",
    type=click.Choice(["0", "1"]),
    help="1: one action after the other, as --slots 1; 0: as many at a time as CPUs.",
)
@click.option(
    "--process",
    type=click.Choice(["0", "1"]),
    help="Accepted for old scripts: actions always run in processes of their own.",
)
@click.option("--url", metavar="MDSIP", help="mdsip server that runs this server's MDSplus tasks.")
@click.option(
    "--label",
    metavar="LABEL",
    multiple=True,
    help="What the site calls this server, so that actions can ask for it; several may be given.",
)
@click.option(
    "--until",
    metavar="WHAT",
    multiple=True,
    help="idle=SECONDS or actions=NUMBER: end in order then; both: when the first has come.",
)
@click.option(
    "--pilot",
    metavar="TOKEN",
    default="",
    help="What the provider that starts this server knows it by.",
)
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.version_option(__version__)
def main(
    server_class: str,
    server_id: str,
    broker: str | None,
    config: Path | None,
    slots: int | None,
    sequential: str | None,
    process: str | None,
    url: str | None,
    label: tuple[str, ...],
    until: tuple[str, ...],
    pilot: str,
    log_level: str | None,
) -> None:
    """Run the action server CLASS:ID: it executes actions that the dispatcher sends it.

    BROKER is the broker's address for servers (tcp://HOST:PORT or HOST:PORT). The server may be
    started before the broker and outlives it. What is not given here comes from the configuration
    file.
    """
    _check_name("CLASS", TypeAdapter(ServerClass), server_class)
    _check_name("ID", TypeAdapter(ServerId), server_id)
    if slots is None and sequential is not None:
        slots = 1 if sequential == "1" else 0
    elif slots is not None and sequential is not None:
        raise click.UsageError("--slots and --sequential say the same thing; give one of them")
    try:
        term = Term.of(until)
    except ValueError as error:
        raise click.UsageError(f"--until {error}") from None
    if pilot and not PILOT.fullmatch(pilot):
        raise click.UsageError(f"--pilot {pilot!r} is none: letters and digits, at most 32")
    if broker is not None and "://" not in broker:
        broker = f"tcp://{broker}"
    options: dict[str, JsonValue] = {
        "broker.servers": broker,
        "action_server.slots": slots,
        "action_server.mdsip_url": url,
        "action_server.labels": list(label) or None,
        "logging.level": log_level,
    }
    given = {key: value for key, value in options.items() if value is not None}
    try:
        name = f"action-server-{server_class}-{server_id}"
        sections = ("broker", "action_server", "classes", "keys", "metrics")
        hangup = Hangup(name, lambda: load_config(config, given), *sections)
        read = hangup.config
        service = Service(name, hangup.systemd)
        service.on_signal(signal.SIGHUP, hangup)
        server = ActionServerShell(
            server_class,
            server_id,
            read.action_server,
            read.broker,
            service,
            own_key(read.keys, f"{server_class}:{server_id}", server_class),
            url_wait_s=read.dispatcher.url_wait_s,
            of_class=read.server_class(server_class),
            config_hash=fingerprint(find_config(config)),
            term=term,
            pilot=pilot,
        )
        open_address(
            read, f"{server_class}:{server_id}", server.metrics, service.watch, service.unwatch
        )
    except (ConfigError, OSError) as error:
        give_up("shotline-action-server", error)
    if process == "0":
        click.echo("shotline-action-server: actions always run in processes of their own", err=True)
    code = server.run()
    if code == EXIT_RESTART:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the new life listens to it
        again = interpreter.python("shotline.action_server", *sys.argv[1:])
        os.execve(again[0], again, interpreter.environment())
    sys.exit(code)


def _check_name(what: str, rule: TypeAdapter[str], text: str) -> None:
    try:
        rule.validate_python(text)
    except ValidationError as error:
        begins = "a letter, then letters" if what == "CLASS" else "letters"
        raise click.UsageError(
            f"{what} {text!r} is not possible: {begins}, digits, dots, dashes, underscores; "
            f"not too long ({error.errors()[0]['msg']})"
        ) from None


if __name__ == "__main__":
    main()
