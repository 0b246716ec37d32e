"""How a daemon lives that is a client: its program's frame around an asyncio loop, and how it
follows Shotline.
"""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol

from shotline.client.errors import Closed, Nobody, SupervisorError
from shotline.common.errors import ConfigError
from shotline.common.metrics import Metric
from shotline.common.process.hangup import Hangup
from shotline.common.process.scrape import open_address
from shotline.common.process.service import give_up
from shotline.common.process.systemd import Systemd
from shotline.common.settings.config import Config, load_config

log = logging.getLogger(__name__)

_LOOK_S: Final = 1.0  # there may be something to tell from now on


class ClientDaemon(Protocol):
    """A daemon that was made with its configuration."""

    def metrics(self) -> Iterable[Metric]:
        """Return what it has counted."""

    async def run(self, systemd: Systemd) -> int:
        """Serve until a signal. Return the exit code."""


def serve(
    program: str,
    section: str,
    config: Path | None,
    options: Mapping[str, str | None],
    make: Callable[[Config], ClientDaemon],
) -> None:
    """Run a program; end with its exit code. `section` is its own of the configuration.

    `options`: what the command line gives, by the configuration's keys; None: not given.
    """
    name = program.removeprefix("shotline-").removesuffix("-bridge")
    given = {key: value for key, value in options.items() if value is not None}
    try:
        sections = (section, "broker", "keys", "metrics")
        hangup = Hangup(name, lambda: load_config(config, given), *sections)

        async def live() -> int:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGHUP, hangup)
            daemon = make(hangup.config)
            watch, unwatch = loop.add_reader, loop.remove_reader
            open_address(hangup.config, name, daemon.metrics, watch, unwatch)
            beats = loop.create_task(keep_alive(hangup.systemd))
            try:
                return await daemon.run(hangup.systemd)
            finally:
                beats.cancel()

        code = asyncio.run(live())
    except (ConfigError, OSError) as error:
        give_up(program, error)
    sys.exit(code)


async def keep_alive(systemd: Systemd) -> None:
    """Tell the watchdog from the loop that does the daemon's work.

    It is a task of its own, since the others may wait for a Shotline that is away for long.
    """
    while True:
        systemd.keep_alive()
        due = systemd.due
        left = _LOOK_S if due is None else due - time.monotonic()
        await asyncio.sleep(min(max(left, 0.0), _LOOK_S))


async def follow(
    once: Callable[[Callable[[], None]], Awaitable[None]],
    retry_s: float,
    lost: Callable[[], None] = lambda: None,
) -> None:
    """Follow Shotline's events, again `retry_s` after each end, until the client is closed.

    `once` follows as long as it can, and calls what it is given whenever it has heard of Shotline:
    then the next absence is a new one, which is logged. `lost` is called when it could no longer.
    """
    away = False

    def heard() -> None:
        nonlocal away
        away = False

    while True:
        try:
            await once(heard)
        except Closed:
            return
        except Nobody as error:
            if not away:
                log.warning("Shotline is away: %s", error)
            away = True
        except SupervisorError as error:
            log.warning("the event feed is opened again: %s", error)
        lost()
        await asyncio.sleep(retry_s)
