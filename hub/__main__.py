"""`shotline-hub`: options, configuration, logging; then broker and dispatcher in one process."""

import signal
import sys
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Final

import click

from shotline import __version__
from shotline.broker.server import BrokerServer
from shotline.common.errors import ConfigError, JournalError
from shotline.common.metrics import Metric
from shotline.common.process.hangup import Hangup
from shotline.common.process.scrape import open_address
from shotline.common.process.service import Service, give_up
from shotline.common.process.streams import Program
from shotline.common.settings.config import load_config
from shotline.dispatcher.__main__ import SECTIONS
from shotline.dispatcher.server import DispatcherServer
from shotline.hub.joined import JoinedBroker

_LINGER_MS: Final = 1000
EPILOG = """\b
Example:
  shotline-hub --config etc/config.yaml
"""


@click.command(cls=Program, epilog=EPILOG)
@click.option("-c", "--config", type=click.Path(path_type=Path), help="Configuration file.")
@click.option("--log-level", metavar="LEVEL", help="debug, info, warning, error or critical.")
@click.version_option(__version__)
def main(config: Path | None, log_level: str | None) -> None:
    """Run Shotline's broker and dispatcher in one process.

    They speak through memory instead of a socket, which is faster where both run on one host. The
    hub may be killed and restarted at any moment: it goes on where the journal ends.
    """
    given = {} if log_level is None else {"logging.level": log_level}
    try:
        hangup = Hangup("hub", lambda: load_config(config, given), *SECTIONS, "security")
        claim_above: int | None = 0
        code = 0
        while claim_above is not None:
            code, claim_above = _live(hangup, claim_above)
    except (ConfigError, JournalError, OSError) as error:
        give_up("shotline-hub", error)
    sys.exit(code)


def _live(hangup: Hangup, claim_above: int) -> tuple[int, int | None]:
    """Serve one life. Return the exit code, and above which term to begin again, if to."""
    service = Service("hub", hangup.systemd)
    service.on_signal(signal.SIGHUP, hangup)
    read = hangup.config
    broker = BrokerServer(read, service)
    dispatcher = DispatcherServer(
        read, service, claim_above, JoinedBroker(broker), on_taken_over=lambda: _goes_on(service)
    )
    hangup.apply = dispatcher.apply

    def metrics() -> Iterable[Metric]:
        return chain(broker.metrics(), dispatcher.metrics())

    scraped = open_address(read, "hub", metrics, service.watch, service.unwatch)
    try:
        broker.begin()
        dispatcher.begin()
        code = service.run()
    finally:
        dispatcher.close()
        broker.close(_LINGER_MS)  # the last replies leave
        if scraped is not None:
            scraped.close()
    return code, dispatcher.claim_above


def _goes_on(service: Service) -> None:
    """Another dispatcher has the seat of ours: stay its broker."""
    service.on_stop(service.stop)
    service.status("the broker of a dispatcher elsewhere")


if __name__ == "__main__":
    main()
