"""What is no command: the page and its files, the interactive document, and who watches over it."""

import base64
import functools
import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import Final

import tornado.web
from swagger_ui.core import ApplicationDocument

from shotline import monitor as package
from shotline.common.process.scrape import CONTENT_TYPE, text
from shotline.common.scopes import Scope
from shotline.monitor.access import Refusal
from shotline.monitor.channels.websocket import Socket
from shotline.monitor.http.api import Handler, Services, close, keep_cookie
from shotline.monitor.http.route import Route

STATIC: Final = Path(package.__file__).resolve().parent / "static"
_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]-]+")


def policy(host: str, *, documents: str | None = None) -> str:
    """Return what a page may load and do: nothing but what comes from here.

    `documents`: the page of the documents, whose own script may run; what it has of others lays
    itself out by styles in the page.
    """
    own = "".join(f" 'sha256-{_digest(text)}'" for text in _SCRIPT.findall(documents or ""))
    styles = "" if documents is None else " 'unsafe-inline'"
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return (
        f"default-src 'none'; script-src 'self'{own}; style-src 'self'{styles}; "
        f"img-src 'self' data:; font-src 'self'; connect-src 'self'{sockets}; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


class SocketHandler(Socket):
    """A WebSocket of the monitor's own."""

    def initialize(self, services: Services, route: Route) -> None:  # type: ignore[override]  # noqa: ARG002
        """Take what all handlers share."""
        super().initialize(services.readers, services.gate)
        self.services = services


class PageHandler(SocketHandler):
    """The page at `/`; a WebSocket there is one, as ReCodEx pages expect it."""

    async def prepare(self) -> None:
        """Let everybody have the page, who is known here by the right name: it tells nothing."""
        if self._is_socket:
            await super().prepare()
            return
        await _refuse_strangers(self, self.services)

    async def get(self, *args: str, **kwargs: str) -> None:
        """Answer with the page, or become a WebSocket."""
        if self._is_socket:
            await super().get(*args, **kwargs)
        else:
            await self.finish(_page(self, self.services, "index.html"))

    @property
    def _is_socket(self) -> bool:
        # A proxy may ask for an upgrade always; only a WebSocket says to what.
        return self.request.headers.get("Upgrade", "").lower() == "websocket"


class LoginPage(Handler):
    """The page at which one logs in."""

    def get(self) -> None:
        """Answer with the page."""
        self.finish(_page(self, self.services, "login.html"))


async def _refuse_strangers(handler: tornado.web.RequestHandler, services: Services) -> None:
    refused = services.gate.admit(handler.request, None, changes=False)
    if isinstance(refused, Refusal):
        handler.set_status(refused.status)
        await handler.finish({"outcome": "refused", "message": refused.text})


def _page(handler: tornado.web.RequestHandler, services: Services, name: str) -> bytes:
    """Return a page of ours; whoever has it has a token for changes."""
    _give_token(handler, services)
    close(handler)
    handler.set_header("Content-Type", "text/html; charset=utf-8")
    handler.set_header("Content-Security-Policy", policy(handler.request.host))
    handler.set_header("Cache-Control", "no-cache")
    return (STATIC / name).read_bytes()


def _give_token(handler: tornado.web.RequestHandler, services: Services) -> None:
    names, secure = services.gate.cookies(handler.request)
    if handler.get_cookie(names.xsrf) is None:
        keep_cookie(handler, names.xsrf, secrets.token_urlsafe(32), secure=secure)


class StaticHandler(tornado.web.StaticFileHandler):
    """The page's files; browsers ask each time whether they have changed."""

    folder = STATIC

    def initialize(self, services: Services, route: Route) -> None:  # type: ignore[override]  # noqa: ARG002
        """Take the folder."""
        super().initialize(str(self.folder))
        self._services = services

    def set_default_headers(self) -> None:
        """Keep other sites out of what is answered, errors too."""
        close(self)

    async def prepare(self) -> None:
        """Refuse who asks for another host, or from another site."""
        await _refuse_strangers(self, self._services)

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
        self.set_header("Content-Security-Policy", policy(self.request.host))


@functools.cache
def _docs() -> ApplicationDocument:
    shown = ApplicationDocument(
        None, config_rel_url="/openapi.json", config={}, url_prefix="/docs", title="Shotline"
    )
    shown.parameters |= {
        "url": '"api/openapi.json"',
        "requestInterceptor": "(request) => { const token = document.cookie.match("
        "/(?:^|; )(?:_|__Host-)xsrf=([^;]*)/); "
        "if (token) request.headers['X-XSRFToken'] = token[1]; return request; }",
    }
    return shown


class DocsHandler(Handler):
    """The interactive page of the HTTP interface."""

    def get(self) -> None:
        """Answer with the page; it shares the token of the other page."""
        _give_token(self, self.services)
        # Relative, so that a proxy may put it wherever it likes.
        html = _docs().doc_html.replace("/docs/static", "docs/static")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", policy(self.request.host, documents=html))
        self.finish(html)


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
            may_read = self.who is not None and self.who.may(Scope.READ)
            missing.append(f"no broker answers{f' at {system.broker}' if may_read else ''}")
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
