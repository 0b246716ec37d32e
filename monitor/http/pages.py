"""What is no command: the page and its files, the interactive document, and who watches over it."""

import functools
import os
import secrets
from pathlib import Path
from typing import Final

import tornado.web
from swagger_ui.core import ApplicationDocument

from shotline import monitor as package
from shotline.common.process.scrape import CONTENT_TYPE, text
from shotline.monitor.access import COOKIE
from shotline.monitor.channels.websocket import Socket
from shotline.monitor.http.api import Handler, Services
from shotline.monitor.http.route import Route

STATIC: Final = Path(package.__file__).resolve().parent / "static"
_PAGE_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_DOCS_POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
)


class SocketHandler(Socket):
    """A WebSocket of the monitor's own."""

    def initialize(self, services: Services, route: Route) -> None:  # type: ignore[override]
        """Take what all handlers share."""
        super().initialize(services.readers, services.access)
        self._route = route


class PageHandler(SocketHandler):
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

    folder = STATIC

    def initialize(self, services: Services, route: Route) -> None:  # type: ignore[override]  # noqa: ARG002
        """Take the folder."""
        super().initialize(str(self.folder))

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


@functools.cache
def _docs() -> ApplicationDocument:
    shown = ApplicationDocument(
        None, config_rel_url="/openapi.json", config={}, url_prefix="/docs", title="Shotline"
    )
    shown.parameters |= {
        "url": '"api/openapi.json"',
        "requestInterceptor": "(request) => { const token = document.cookie.match("
        "/(?:^|; )_xsrf=([^;]*)/); if (token) request.headers['X-XSRFToken'] = token[1]; "
        "return request; }",
    }
    return shown


class DocsHandler(Handler):
    """The interactive page of the HTTP interface."""

    def get(self) -> None:
        """Answer with the page; it shares the token of the other page."""
        if self.get_cookie(COOKIE) is None:
            self.set_cookie(COOKIE, secrets.token_urlsafe(32), path="/", samesite="Strict")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", _DOCS_POLICY)
        # Relative, so that a proxy may put it wherever it likes.
        self.finish(_docs().doc_html.replace("/docs/static", "docs/static"))


class DocsPlace(Handler):
    """Where the interactive page is not."""

    def get(self) -> None:
        """Say where it is."""
        self.redirect("../docs")


class DocsFiles(StaticHandler):
    """The files of the interactive page."""

    def initialize(self, services: Services, route: Route) -> None:  # type: ignore[override]
        """Take the folder."""
        self.folder = Path(_docs().static_dir)
        super().initialize(services, route)


class DocumentHandler(Handler):
    """The OpenAPI document."""

    def get(self) -> None:
        """Answer with the document."""
        self.finish(self.services.document)


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

    def get(self) -> None:
        """Answer with all metrics."""
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(text(self.services.metrics.collect()))
