"""`shotline-qserver-bridge`: options, configuration, logging; then the server."""

import asyncio
import signal
import sys
from pathlib import Path

import click

from shotline import __version__
from shotline.bridges.qserver.server import QserverBridge
from shotline.common.errors import ConfigError
from shotline.common.process.hangup import Hangup
from shotline.common.process.scrape import open_address
from shotline.common.process.service import give_up
from shotline.common.process.streams import Program
from shotline.common.settings.config import load_config

EPILOG = """\b
Example:
  shotline-qserver-bridge --config etc/config.yaml
"""


@click.command(cls=Program, epilog=EPILOG)
@click.option("-c", "--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--broker", metavar="ADDRESS", help="The broker's address for clients.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.version_option(__version__)
def main(config: Path | None, broker: str | None, log_level: str | None) -> None:
    """Let clients of bluesky-queueserver drive and watch the pulse queue."""
    options = {"broker.clients": broker, "logging.level": log_level}
    given = {key: value for key, value in options.items() if value is not None}
    try:
        hangup = Hangup(
            "qserver", lambda: load_config(config, given), "qserver", "broker", "keys", "metrics"
        )

        async def serve() -> int:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, hangup)
            bridge = QserverBridge(hangup.config)
            watch, unwatch = loop.add_reader, loop.remove_reader
            open_address(hangup.config, "qserver", bridge.metrics, watch, unwatch)
            return await bridge.run(hangup.systemd)

        code = asyncio.run(serve())
    except (ConfigError, OSError) as error:
        give_up("shotline-qserver-bridge", error)
    sys.exit(code)


if __name__ == "__main__":
    main()
