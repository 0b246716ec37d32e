"""The monitor's server: the page, the WebSockets and the HTTP interface on one port.

Here the parts are put together, started and ended.
"""

import asyncio
import contextlib
import functools
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import tornado.web
from swagger_ui.core import ApplicationDocument
from tornado.routing import URLSpec

from shotline import __version__
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.config import Config
from shotline.common.process.systemd import Systemd
from shotline.monitor.access import COOKIE, Access, Role
from shotline.monitor.channels import Channels
from shotline.monitor.channels.histories import Limits
from shotline.monitor.channels.websocket import Readers, Socket
from shotline.monitor.follower import Follower, NoChannel
from shotline.monitor.http import openapi
from shotline.monitor.http.api import (
    CommandHandler,
    CommandLineHandler,
    DocumentHandler,
    Handler,
    LogFileHandler,
    LogHandler,
    MonitorHandler,
    NothingHere,
    ServerCommandHandler,
    Services,
)
from shotline.monitor.http.listener import Listener, bound
from shotline.monitor.http.runner import Runner
from shotline.monitor.http.serving import SOCKETS, serve
from shotline.monitor.livelog import LiveLog
from shotline.monitor.metrics import CONTENT_TYPE, Metrics
from shotline.monitor.view import View, ViewSettings

log = logging.getLogger(__name__)

STATIC: Final = Path(__file__).resolve().parent / "static"
BODY_BYTES_MAX: Final = 1024 * 1024
_PAGE_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_DOCS_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
)


class Publisher(Protocol):
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
        recodex: Callable[[Channels, Callable[[], None]], Publisher],
    ) -> None:
        self._settings = settings = config.monitor
        self._insecure = config.security.insecure
        self.life = secrets.token_hex(8)
        self._supervisor = AsyncSupervisor(config.broker.clients)
        self.view = View(view_settings(config, self.life))
        self.channels = Channels(limits(config), self.life, self._whole)
        self.readers = Readers(
            self.channels,
            gather_s=settings.gather_s,
            viewers_max=settings.viewers_max,
            require=self._require,
        )
        self.follower = Follower(self._supervisor, self.view, self.channels, self.readers.pump_soon)
        self.recodex = recodex(self.channels, self.readers.pump_soon)
        self.metrics = Metrics(self.view, self.channels, self.readers)
        self._services = Services(
            follower=self.follower,
            access=Access(
                settings.port,
                tuple(host.lower() for host in settings.hosts),
                Role(settings.role),
            ),
            runner=Runner(config, config_file),
            settings=settings,
            server_classes=frozenset(server.server_class for server in config.up.servers),
        )
        self._stopping = asyncio.Event()

    async def run(self, systemd: Systemd) -> int:
        """Serve until SIGTERM or SIGINT. Raise ConfigError when the port cannot be had."""
        settings = self._settings
        server = Listener(
            application(self),
            bound(settings.address, settings.port, insecure=self._insecure),
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
        address = self._settings.page
        log.info("the page is at %s", address)
        await serve(server, systemd, address, self._stopping, self._tick)
        logging.getLogger().removeHandler(live_log)
        failed = feed.done() and not feed.cancelled() and feed.exception() is not None
        if failed:
            log.critical(
                "the monitor ends because of a fault of its own", exc_info=feed.exception()
            )
        feed.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await feed
        self.follower.close()
        self.readers.close()
        self.recodex.close()
        self._supervisor.close()
        await server.close_all_connections()
        return 70 if failed else 0

    def _tick(self) -> None:
        self.follower.tick()
        self.readers.tick()

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

    @property
    def services(self) -> Services:
        """What the handlers share."""
        return self._services


class PageHandler(Socket):
    """The page at `/`; a WebSocket there is one, as ReCodEx pages expect it."""

    async def get(self, *args: str, **kwargs: str) -> None:
        """Answer with the page, or become a WebSocket."""
        # A proxy may ask for an upgrade always; only a WebSocket says to what.
        if self.request.headers.get("Upgrade", "").lower() == "websocket":
            await super().get(*args, **kwargs)
            return
        page = STATIC / "index.html"
        if self.get_cookie(COOKIE) is None:
            secure = self.request.protocol == "https"
            token = secrets.token_urlsafe(32)
            self.set_cookie(COOKIE, token, path="/", samesite="Strict", secure=secure)
        self.set_header("Content-Security-Policy", _PAGE_POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "no-cache")
        await self.finish(page.read_bytes())


class StaticHandler(tornado.web.StaticFileHandler):
    """The page's files; browsers ask each time whether they have changed."""

    def parse_url_path(self, url_path: str) -> str:
        """Return the path of the file; there is none whose name the system cannot take."""
        try:
            os.fsencode(url_path)
        except UnicodeEncodeError:
            raise tornado.web.HTTPError(404) from None
        if "\0" in url_path:
            raise tornado.web.HTTPError(404)
        return super().parse_url_path(url_path)

    def set_extra_headers(self, path: str) -> None:  # noqa: ARG002
        """Let no browser keep an old module beside a new one."""
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", _PAGE_POLICY)


class DocsHandler(tornado.web.RequestHandler):
    """The interactive page of the HTTP interface."""

    def initialize(self, page: str) -> None:
        """Take the page."""
        self._page = page

    def get(self) -> None:
        """Answer with the page; it shares the token of the other page."""
        if self.get_cookie(COOKIE) is None:
            self.set_cookie(COOKIE, secrets.token_urlsafe(32), path="/", samesite="Strict")
        self.set_header("Content-Security-Policy", _DOCS_POLICY)
        self.finish(self._page)


class HealthHandler(Handler):
    """Whether the monitor lives."""

    def get(self) -> None:
        """Answer: who answers, lives."""
        self.finish({"status": "ok"})


class ReadyHandler(Handler):
    """Whether what the monitor shows is live."""

    def get(self) -> None:
        """Answer 200, or 503 with what is missing."""
        system = self.services.follower.view.system
        missing = []
        if not self.services.follower.supervisor.in_contact:
            missing.append(f"no broker answers at {system.broker}")
        elif not system.dispatcher:
            missing.append("no dispatcher answers")
        if system.feed != "live":
            missing.append(f"the event feed is {system.feed}")
        self.set_status(503 if missing else 200)
        self.finish({"status": "not ready" if missing else "ok", "missing": missing})


class MetricsHandler(Handler):
    """What Prometheus collects."""

    def initialize(self, services: Services, metrics: Metrics) -> None:  # type: ignore[override]
        """Take the metrics."""
        super().initialize(services)
        self._metrics = metrics

    def get(self) -> None:
        """Answer with all metrics."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(self._metrics.text())


def application(server: MonitorServer) -> tornado.web.Application:
    """Return the routes."""
    services = server.services
    plain: Mapping[str, type[Handler]] = {
        "/api/monitor": MonitorHandler,
        "/api/log": LogHandler,
        "/api/logs.txt": LogFileHandler,
        "/api/server_command": ServerCommandHandler,
        "/api/command_line": CommandLineHandler,
        "/healthz": HealthHandler,
        "/readyz": ReadyHandler,
    }
    shared = {"services": services}
    sockets = {"readers": server.readers, "access": services.access}
    document = openapi.text(__version__).encode()
    rules: list[URLSpec] = [
        URLSpec("/", PageHandler, sockets),
        URLSpec("/ws", Socket, sockets),
        *(URLSpec(path.replace(".", r"\."), handler, shared) for path, handler in plain.items()),
        *(
            URLSpec(f"/api/{verb}", CommandHandler, {**shared, "verb": verb})
            for verb in openapi.VERBS
        ),
        URLSpec(r"/api/openapi\.json", DocumentHandler, {**shared, "document": document}),
        URLSpec("/metrics", MetricsHandler, {**shared, "metrics": server.metrics}),
        URLSpec("/static/(.*)", StaticHandler, {"path": str(STATIC)}),
        *_docs(),
    ]
    return tornado.web.Application(
        rules,
        default_handler_class=NothingHere,
        default_handler_args=shared,
        **SOCKETS,
        log_function=functools.partial(_note_request, server.metrics),
    )


def _docs() -> list[URLSpec]:
    shown = ApplicationDocument(
        None, config_rel_url="/openapi.json", config={}, url_prefix="/docs", title="Shotline"
    )
    shown.parameters |= {
        "url": '"api/openapi.json"',
        "requestInterceptor": "(request) => { const token = document.cookie.match("
        "/(?:^|; )_xsrf=([^;]*)/); if (token) request.headers['X-XSRFToken'] = token[1]; "
        "return request; }",
    }
    return [
        # Relative, so that a proxy may put it wherever it likes.
        URLSpec(
            "/docs", DocsHandler, {"page": shown.doc_html.replace("/docs/static", "docs/static")}
        ),
        URLSpec("/docs/", tornado.web.RedirectHandler, {"url": "../docs", "permanent": False}),
        URLSpec("/docs/static/(.*)", StaticHandler, {"path": shown.static_dir}),
    ]


def _note_request(metrics: Metrics, handler: tornado.web.RequestHandler) -> None:
    request, status = handler.request, handler.get_status()
    method = request.method if request.method in ("GET", "POST", "HEAD") else "other"
    metrics.requests[method, status] += 1
    level = logging.WARNING if status >= 500 else logging.DEBUG
    log.log(level, "%s %s %d", request.method, request.path, status)


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
        role=settings.role,
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
