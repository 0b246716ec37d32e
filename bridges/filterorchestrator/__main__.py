"""`shotline-filterorchestrator-bridge`: options, configuration, logging; then the server."""

from pathlib import Path

import click

from shotline import __version__
from shotline.bridges.filterorchestrator.server import FilterorchestratorBridge
from shotline.client.serving import serve
from shotline.common.process.streams import Program

EPILOG = """\b
Example:
  shotline-filterorchestrator-bridge --config etc/config.yaml
"""


@click.command(cls=Program, epilog=EPILOG)
@click.option("-c", "--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--broker", metavar="ADDRESS", help="The broker's address for clients.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.version_option(__version__)
def main(config: Path | None, broker: str | None, log_level: str | None) -> None:
    """Let clients of the filter orchestrator announce, read and complete data records."""
    options = {"broker.clients": broker, "logging.level": log_level}
    serve(
        "shotline-filterorchestrator-bridge",
        "filterorchestrator",
        config,
        options,
        FilterorchestratorBridge,
    )


if __name__ == "__main__":
    main()
