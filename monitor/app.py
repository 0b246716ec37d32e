"""The monitor's server: the page, the WebSockets and the HTTP interface on one port.

Here the parts are put together, started and ended.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from shotline import __version__
from shotline.client.errors import Closed, SupervisorError
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.binding import PAGE_ADVICE
from shotline.common.keys.folder import own_key
from shotline.common.messages import Outcome
from shotline.common.process.systemd import Systemd
from shotline.common.settings.config import Config
from shotline.monitor.access.gate import Gate
from shotline.monitor.access.notes import call_of
from shotline.monitor.channels import Channels
from shotline.monitor.channels.histories import Limits
from shotline.monitor.channels.websocket import Readers
from shotline.monitor.follower import RETRY_S, Follower, NoChannel
from shotline.monitor.http.api import (
    Services,
)
from shotline.monitor.http.listener import Listener, Tls, bound
from shotline.monitor.http.routes import application, document
from shotline.monitor.http.runner import Runner
from shotline.monitor.http.serving import serve
from shotline.monitor.livelog import LiveLog
from shotline.monitor.metrics import Metrics
from shotline.monitor.view import View, ViewSettings

log = logging.getLogger(__name__)

BODY_BYTES_MAX: Final = 1024 * 1024


class OtherProgram(Protocol):
    """Publishes another program's messages, in channels of their own; who does is handed in."""

    def serves(self, channel: str) -> bool:
        """Return whether a channel may be one of that program's."""

    def listen(self, address: str, *, insecure: bool = False) -> None:
        """Take messages at an address. Raise ConfigError when it cannot be had."""

    def close(self) -> None:
        """Take no more."""


class MonitorServer:
    """The monitor. Made inside the running event loop."""

    def __init__(
        self,
        config: Config,
        config_file: Path,
        recodex: Callable[[Channels, Callable[[], None]], OtherProgram],
    ) -> None:
        self._settings = settings = config.monitor
        self._insecure = config.security.insecure
        self.life = secrets.token_hex(8)
        self._supervisor = AsyncSupervisor(
            config.broker.clients, key=own_key(config.keys, "monitor")
        )
        self.view = View(view_settings(config, self.life))
        self.channels = Channels(limits(config), self.life, self._whole)
        self.readers = Readers(
            self.channels,
            gather_s=settings.gather_s,
            viewers_max=settings.viewers_max,
            address_viewers_max=settings.address_connections_max,
            require=self._require,
        )
        self.follower = Follower(self._supervisor, self.view, self.channels, self.readers.pump_soon)
        self.recodex = recodex(self.channels, self.readers.pump_soon)
        self.metrics = Metrics(self.view, self.channels, self.readers)
        self.gate = Gate(
            settings,
            config.data_folder / "monitor" / "sessions.json",
            insecure=config.security.insecure,
        )
        self._services = Services(
            follower=self.follower,
            readers=self.readers,
            metrics=self.metrics,
            document=document().encode(),
            gate=self.gate,
            runner=Runner(config, config_file),
            settings=settings,
            server_classes=frozenset(server.server_class for server in config.up.servers),
        )
        self._stopping = asyncio.Event()
        self._noted = asyncio.Event()
        self.gate.notes.on_note = self._noted.set

    async def run(self, systemd: Systemd) -> int:
        """Serve until SIGTERM or SIGINT. Raise ConfigError when the port cannot be had."""
        settings = self._settings
        server = Listener(
            application(self._services),
            bound(
                settings.address,
                settings.port,
                insecure=self._insecure or settings.is_guarded,
                advice=PAGE_ADVICE,
            ),
            tls=Tls.of(settings.access),
            is_proxy=self.gate.proxies.is_proxy,
            connections_max=settings.connections_max,
            address_connections_max=settings.address_connections_max,
            body_bytes_max=BODY_BYTES_MAX,
        )
        if self._settings.recodex_zeromq is not None:
            self.recodex.listen(self._settings.recodex_zeromq, insecure=self._insecure)
        live_log = LiveLog(self.follower.say)
        logging.getLogger().addHandler(live_log)
        feed = asyncio.get_running_loop().create_task(self.follower.run())
        feed.add_done_callback(lambda _: self._stopping.set())
        telling = asyncio.get_running_loop().create_task(self._tell_notes())
        address = self._settings.page
        log.info("the page is at %s", address)
        await serve(server, systemd, address, self._stopping, self._tick)
        logging.getLogger().removeHandler(live_log)
        failed = feed.done() and not feed.cancelled() and feed.exception() is not None
        if failed:
            log.critical(
                "the monitor ends because of a fault of its own", exc_info=feed.exception()
            )
        for task in (feed, telling):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        self.follower.close()
        self.readers.close()
        self.gate.close()
        self.recodex.close()
        self._supervisor.close()
        await server.close_all_connections()
        return 70 if failed else 0

    async def _tell_notes(self) -> None:
        """Tell the dispatcher's audit what is done here, whenever there is a dispatcher."""
        notes = self.gate.notes
        while True:
            while (note := notes.first) is not None:
                try:
                    reply = await self._supervisor.ask(call_of(note))
                except Closed:
                    return
                except SupervisorError as error:
                    outcome, text = error.outcome, str(error)
                else:
                    outcome, text = reply.outcome, reply.message
                if outcome is Outcome.NOBODY:
                    await asyncio.sleep(RETRY_S)
                    continue
                notes.told(note)
                if outcome is not Outcome.OK:
                    log.warning("the audit does not have that of %s: %s", note.behalf.name, text)
            self._noted.clear()
            await self._noted.wait()

    def _tick(self) -> None:
        self.follower.tick()
        self.readers.tick()
        self.gate.tick()

    def _whole(self, channel: str) -> bytes | None:
        return self.view.whole(channel, time.time())

    async def _require(self, channel: str) -> str | None:
        if self._settings.recodex_zeromq is not None and self.recodex.serves(channel):
            self.channels.open(channel)  # a page may come before its job's first message
            return None
        try:
            await self.follower.require(channel)
        except NoChannel as error:
            return str(error)
        return None


def view_settings(config: Config, life: str) -> ViewSettings:
    """Return what the view needs of the configuration."""
    settings = config.monitor
    expected = settings.expected_servers
    if expected is None:
        expected = tuple(f"{one.server_class}:{one.id}" for one in config.up.servers)
    return ViewSettings(
        broker=config.broker.clients,
        version=__version__,
        life=life,
        experiments=tuple(sorted(config.experiments)),
        expected=expected,
        shots_max=settings.shots_max,
        shots_listed_max=settings.shots_listed_max,
        heartbeats_max=settings.heartbeats_max,
        servers_gone_max=settings.servers_gone_max,
        median_shots=settings.median_shots,
        slow_factor=settings.slow_factor,
    )


def limits(config: Config) -> Limits:
    """Return what bounds the channels."""
    settings = config.monitor
    return Limits(
        history_bytes_max=settings.history_bytes_max,
        histories_bytes_max=settings.histories_bytes_max,
        log_lines_max=settings.log_lines_max,
        retention_s=settings.retention_s,
        queue_bytes_max=settings.viewer_queue_bytes_max,
        merge_beyond=settings.merge_beyond,
        reader_channels_max=settings.viewer_channels_max,
    )
