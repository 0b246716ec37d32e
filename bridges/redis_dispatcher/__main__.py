"""`shotline-legacy-bridge`: options, configuration, logging; then the server."""

from pathlib import Path

import click

from shotline import __version__
from shotline.bridges.redis_dispatcher.server import BridgeServer
from shotline.client.serving import serve
from shotline.common.process.streams import Program

EPILOG = """\b
Example:
  shotline-legacy-bridge redis://localhost:6379 --config etc/config.yaml
"""


@click.command(cls=Program, epilog=EPILOG)
@click.argument("redis", required=False)
@click.option("-c", "--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--broker", metavar="ADDRESS", help="The broker's address for clients.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.version_option(__version__)
def main(redis: str | None, config: Path | None, broker: str | None, log_level: str | None) -> None:
    """Let programs of the MDSplus Redis dispatcher drive and watch Shotline.

    REDIS is the url or the host of the Redis server that those programs use.
    """
    if redis is not None and "://" not in redis:
        redis = f"redis://{redis}:6379/0" if ":" not in redis else f"redis://{redis}/0"
    options = {"legacy.redis_url": redis, "broker.clients": broker, "logging.level": log_level}
    serve("shotline-legacy-bridge", "legacy", config, options, BridgeServer)


if __name__ == "__main__":
    main()
