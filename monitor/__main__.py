"""`shotline-monitor`: options, configuration, logging; then the server."""

import asyncio
import signal
import sys
from pathlib import Path

import click

from shotline import __version__
from shotline.bridges.recodex.config import RecodexConfig, recodex_config
from shotline.bridges.recodex.server import StandIn
from shotline.bridges.recodex.source import RecodexSource
from shotline.common.errors import ConfigError
from shotline.common.process.hangup import Hangup, reopen, survive
from shotline.common.process.logs import configure_logging
from shotline.common.process.scrape import open_address
from shotline.common.process.service import give_up
from shotline.common.process.streams import Program
from shotline.common.process.systemd import Systemd
from shotline.common.settings.config import find_config, load_config
from shotline.monitor.app import MonitorServer

# What it reads of the configuration besides the log's settings.
SECTIONS = ("monitor", "broker", "keys", "up", "experiments", "metrics")

EPILOG = """\b
Example:
  shotline-monitor --config etc/config.yaml
"""


@click.command(cls=Program, epilog=EPILOG)
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    help="Configuration file; one of the ReCodEx monitor lets this one stand in for it.",
)
@click.option("--broker", metavar="ADDRESS", help="The broker's address for clients.")
@click.option("--address", metavar="HOST", help="Interface or IP address to bind to.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to bind to.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.version_option(__version__)
def main(
    config: Path | None,
    broker: str | None,
    address: str | None,
    port: int | None,
    log_level: str | None,
) -> None:
    """Run Shotline's monitor: the page, the WebSockets and the HTTP interface.

    It may be killed and restarted at any moment; open pages find it again.
    """
    options = {
        "broker.clients": broker,
        "monitor.address": address,
        "monitor.port": port,
        "logging.level": log_level,
    }
    given = {key: value for key, value in options.items() if value is not None}
    try:
        file = find_config(config)
        theirs = recodex_config(file)
        sys.exit(stand_in(theirs) if theirs is not None else serve(file, given))
    except (ConfigError, OSError) as error:
        give_up("shotline-monitor", error)


def serve(file: Path, given: dict[str, str | int]) -> int:
    """Be the monitor."""
    file = file.absolute()
    hangup = Hangup("monitor", lambda: load_config(file, given), *SECTIONS)

    async def run() -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, hangup)
        server = MonitorServer(hangup.config, file, RecodexSource)
        watch, unwatch = loop.add_reader, loop.remove_reader
        open_address(hangup.config, "monitor", server.metrics.collect, watch, unwatch)
        return await server.run(hangup.systemd)

    return asyncio.run(run())


def stand_in(config: RecodexConfig) -> int:
    """Be the ReCodEx monitor."""
    survive()
    configure_logging("monitor", config.logging())

    systemd = Systemd()

    def hang_up() -> None:
        # Its configuration is another program's, which reads it at its start only.
        with systemd.reloading():
            reopen("monitor", config.logging())

    async def run() -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hang_up)
        return await StandIn(config).run(systemd)

    return asyncio.run(run())


if __name__ == "__main__":
    main()
