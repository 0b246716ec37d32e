"""`shotline-dispatcher`: options, configuration, logging; then the server."""

import signal
import sys
from pathlib import Path

import click

from shotline import __version__
from shotline.common.errors import ConfigError, JournalError
from shotline.common.process.hangup import Hangup
from shotline.common.process.scrape import open_address
from shotline.common.process.service import Service, give_up
from shotline.common.process.streams import Program
from shotline.common.settings.config import load_config
from shotline.dispatcher.journal.repair import repair as repair_journal
from shotline.dispatcher.server import DispatcherServer

# What it reads of the configuration besides the log's settings.
SECTIONS = (
    "broker",
    "redis",
    "journal",
    "dispatcher",
    "action_server",
    "classes",
    "limits",
    "experiments",
    "monitor",
    "up",
    "keys",
    "metrics",
)

EPILOG = """\b
Example:
  shotline-dispatcher --config etc/config.yaml
"""


@click.command(cls=Program, epilog=EPILOG)
@click.argument("redis", required=False)
@click.option("-c", "--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--broker", metavar="ADDRESS", help="The broker's address for clients.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.option(
    "--repair",
    is_flag=True,
    help="Repair what keeps dispatchers from starting (terms in Redis that cannot be), and end. "
    "No dispatcher may run meanwhile.",
)
@click.version_option(__version__)
def main(
    redis: str | None,
    config: Path | None,
    broker: str | None,
    log_level: str | None,
    repair: bool,  # noqa: FBT001  # a flag of the command line
) -> None:
    """Run Shotline's dispatcher: it decides what runs when.

    REDIS is the url or the host of the Redis server that keeps its journal. The dispatcher may be
    killed and restarted at any moment: it goes on where the journal ends.
    """
    if redis is not None and "://" not in redis:
        redis = f"redis://{redis}:6379/0" if ":" not in redis else f"redis://{redis}/0"
    options = {"redis.url": redis, "broker.clients": broker, "logging.level": log_level}
    given = {key: value for key, value in options.items() if value is not None}
    try:
        hangup = Hangup("dispatcher", lambda: load_config(config, given), *SECTIONS)
        if repair:
            done = repair_journal(hangup.config.redis, hangup.config.journal)
            click.echo("\n".join(done or ["there was nothing to repair"]))
            return
        claim_above: int | None = 0
        code = 0
        while claim_above is not None:
            service = Service("dispatcher", hangup.systemd)
            service.on_signal(signal.SIGHUP, hangup)
            server = DispatcherServer(hangup.config, service, claim_above)
            hangup.apply = server.apply
            scraped = open_address(
                hangup.config, "dispatcher", server.metrics, service.watch, service.unwatch
            )
            code = server.run()
            if scraped is not None:
                scraped.close()
            claim_above = server.claim_above
    except (ConfigError, JournalError, OSError) as error:
        give_up("shotline-dispatcher", error)
    sys.exit(code)


if __name__ == "__main__":
    main()
