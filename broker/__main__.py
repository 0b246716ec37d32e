"""`shotline-broker`: options, configuration, logging; then the server."""

import signal
import sys
from pathlib import Path

import click

from shotline import __version__
from shotline.broker.server import BrokerServer
from shotline.common.errors import ConfigError
from shotline.common.process.hangup import Hangup
from shotline.common.process.scrape import open_address
from shotline.common.process.service import Service, give_up
from shotline.common.process.streams import Program
from shotline.common.settings.config import load_config

EPILOG = """\b
Example:
  shotline-broker --config etc/config.yaml --clients tcp://127.0.0.1:6570
"""


@click.command(cls=Program, epilog=EPILOG)
@click.option("-c", "--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--address", metavar="HOST", help="Interface or IP address to bind to.")
@click.option("--clients", metavar="ADDRESS", help="Address for clients and the dispatcher.")
@click.option("--servers", metavar="ADDRESS", help="Address for action servers.")
@click.option("--events", metavar="ADDRESS", help="Address of the event feed.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.version_option(__version__)
def main(
    config: Path | None,
    address: str | None,
    clients: str | None,
    servers: str | None,
    events: str | None,
    log_level: str | None,
) -> None:
    """Run Shotline's broker: it carries all messages and judges who is alive.

    It may be killed and restarted at any moment; everybody finds it again. What is not given here
    comes from the configuration file.
    """
    options = {
        "broker.bind": address,
        "broker.clients": clients,
        "broker.servers": servers,
        "broker.events": events,
        "logging.level": log_level,
    }
    given = {key: value for key, value in options.items() if value is not None}
    try:
        hangup = Hangup(
            "broker", lambda: load_config(config, given), "broker", "keys", "security", "metrics"
        )
        service = Service("broker", hangup.systemd)
        service.on_signal(signal.SIGHUP, hangup)
        read = hangup.config
        server = BrokerServer(read, service)
        open_address(read, "broker", server.metrics, service.watch, service.unwatch)
    except (ConfigError, OSError) as error:
        give_up("shotline-broker", error)
    sys.exit(server.run())


if __name__ == "__main__":
    main()
