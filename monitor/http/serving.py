"""How web pages are served until the end is asked for: by the monitor, and in another's place."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any, Final

from tornado.ioloop import PeriodicCallback

from shotline.common.process.systemd import Systemd
from shotline.monitor.channels.websocket import FRAME_BYTES_MAX
from shotline.monitor.http.listener import Listener

TICK_MS: Final = 1000
PING_S: Final = 30.0
SOCKETS: Final[dict[str, Any]] = {
    "websocket_ping_interval": PING_S,
    "websocket_ping_timeout": PING_S,
    "websocket_max_message_size": FRAME_BYTES_MAX,
}
"""What applications say of their WebSockets."""


async def serve(
    listener: Listener,
    systemd: Systemd,
    address: str,
    stopping: asyncio.Event,
    tick: Callable[[], None],
) -> None:
    """Serve until SIGTERM, SIGINT or `stopping`, and call `tick` once a second.

    Nobody else is let in then; who is connected still is.
    """

    def ticked() -> None:
        tick()
        systemd.keep_alive()

    ticks = PeriodicCallback(ticked, TICK_MS)
    ticks.start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    systemd.ready(address)
    await stopping.wait()
    systemd.stopping()
    ticks.stop()
    listener.stop()
