"""`shotline-provider`: options, configuration, logging; then the server."""

from pathlib import Path

import click

from shotline import __version__
from shotline.client.serving import serve
from shotline.common.process.streams import Program
from shotline.providers.server import ProviderDaemon

EPILOG = """\b
Example:
  shotline-provider --config etc/config.yaml
"""


@click.command(cls=Program, epilog=EPILOG)
@click.option("-c", "--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--broker", metavar="ADDRESS", help="The broker's address for clients.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.version_option(__version__)
def main(config: Path | None, broker: str | None, log_level: str | None) -> None:
    """Start action servers on demand, by the site's script or as jobs of Slurm.

    It runs where the engine's commands are. What it has started goes on without it.
    """
    options = {"broker.clients": broker, "logging.level": log_level}
    serve("shotline-provider", "providers", config, options, ProviderDaemon)


if __name__ == "__main__":
    main()
