"""The monitor in the place of the ReCodEx monitor: its messages, its WebSocket, nothing else."""

import asyncio
import logging
import secrets

import tornado.web
from tornado.routing import URLSpec

from shotline.bridges.recodex.config import RecodexConfig
from shotline.bridges.recodex.source import RecodexSource
from shotline.common.process.systemd import Systemd
from shotline.common.settings.sections.monitor import MonitorSection
from shotline.monitor.access.gate import Anyone
from shotline.monitor.channels import Channels
from shotline.monitor.channels.histories import Limits
from shotline.monitor.channels.websocket import FRAME_BYTES_MAX, Readers, Socket
from shotline.monitor.http.listener import Listener, bound
from shotline.monitor.http.serving import SOCKETS, serve

log = logging.getLogger(__name__)


class StandIn:
    """Passes ReCodEx's progress messages on. Made inside the running event loop."""

    def __init__(self, config: RecodexConfig) -> None:
        settings = MonitorSection()
        self._config = config
        self._stopping = asyncio.Event()
        self.channels = Channels(
            Limits(retention_s=settings.retention_s), secrets.token_hex(8), lambda _: None
        )
        self.readers = Readers(
            self.channels,
            gather_s=settings.gather_s,
            viewers_max=settings.viewers_max,
            address_viewers_max=settings.viewers_max,
            require=self._require,
        )
        self.source = RecodexSource(self.channels, self.readers.pump_soon)

    async def run(self, systemd: Systemd) -> int:
        """Serve until SIGTERM or SIGINT. Raise ConfigError when an address cannot be had."""
        host, port = self._config.websocket_uri
        routes = tornado.web.Application(
            [URLSpec("/.*", Socket, {"readers": self.readers, "gate": Anyone()})],
            **SOCKETS,
        )
        settings = MonitorSection()
        server = Listener(
            routes,
            bound(host, port, insecure=True),  # as the program whose place it takes
            connections_max=settings.connections_max,
            address_connections_max=settings.address_connections_max,
            body_bytes_max=FRAME_BYTES_MAX,
        )
        self.source.listen(self._config.zeromq, insecure=True)
        log.info("WebSockets for ReCodEx at ws://%s:%d/", host, port)
        await serve(server, systemd, f"ws://{host}:{port}/", self._stopping, self.readers.tick)
        self.readers.close()
        self.source.close()
        await server.close_all_connections()
        return 0

    async def _require(self, channel: str) -> str | None:
        """Let there be the channel: a page may come before its job's first message."""
        if channel not in self.channels:
            self.channels.open(channel)
        return None
