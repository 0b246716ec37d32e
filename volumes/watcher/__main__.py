"""`shotline-watcher`: options, configuration, logging; then the server, or a dry run."""

from functools import partial
from pathlib import Path

import click

from shotline import __version__
from shotline.client.serving import serve
from shotline.common.errors import ConfigError
from shotline.common.process.service import give_up
from shotline.common.process.streams import Program
from shotline.common.settings.config import load_config
from shotline.volumes.watcher.dry_run import dry_run
from shotline.volumes.watcher.server import WatcherServer

EPILOG = """\b
Examples:
  shotline-watcher --config etc/config.yaml
  shotline-watcher --config etc/config.yaml --dry-run
"""


@click.command(cls=Program, epilog=EPILOG)
@click.option("-c", "--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--broker", metavar="ADDRESS", help="The broker's address for clients.")
@click.option("--host", default="", metavar="NAME", help="Which host this is; default: its name.")
@click.option(
    "--volume", "volumes", multiple=True, metavar="NAME", help="Only this one; may be repeated."
)
@click.option(
    "--dry-run",
    "is_dry",
    is_flag=True,
    help="Say what the rules would do with the files that are there, and end.",
)
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.version_option(__version__)
def main(
    config: Path | None,
    broker: str | None,
    host: str,
    volumes: tuple[str, ...],
    is_dry: bool,  # noqa: FBT001  # a flag of the command line
    log_level: str | None,
) -> None:
    """Announce complete files of this host's volumes, as the configuration's rules say.

    It may be killed and restarted at any moment: it remembers what it has announced.
    """
    options = {"broker.clients": broker, "logging.level": log_level}
    if not is_dry:
        make = partial(WatcherServer, host=host, volumes=volumes)
        serve("shotline-watcher", "volumes", config, options, make)
    try:
        given = {key: value for key, value in options.items() if value is not None}
        for line in dry_run(load_config(config, given).volumes, volumes):
            click.echo(line)
    except (ConfigError, OSError) as error:
        give_up("shotline-watcher", error)


if __name__ == "__main__":
    main()
