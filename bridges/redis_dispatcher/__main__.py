"""`shotline-legacy-bridge`: options, configuration, logging; then the server."""

import asyncio
import signal
import sys
from pathlib import Path

import click

from shotline import __version__
from shotline.bridges.redis_dispatcher.server import BridgeServer
from shotline.common.errors import ConfigError
from shotline.common.process.hangup import Hangup
from shotline.common.process.scrape import open_address
from shotline.common.process.service import give_up
from shotline.common.process.streams import Program
from shotline.common.settings.config import load_config

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
    given = {key: value for key, value in options.items() if value is not None}
    try:
        hangup = Hangup(
            "legacy", lambda: load_config(config, given), "legacy", "broker", "keys", "metrics"
        )

        async def serve() -> int:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, hangup)
            bridge = BridgeServer(hangup.config)
            watch, unwatch = loop.add_reader, loop.remove_reader
            open_address(hangup.config, "legacy", bridge.metrics, watch, unwatch)
            return await bridge.run(hangup.systemd)

        code = asyncio.run(serve())
    except (ConfigError, OSError) as error:
        give_up("shotline-legacy-bridge", error)
    sys.exit(code)


if __name__ == "__main__":
    main()
