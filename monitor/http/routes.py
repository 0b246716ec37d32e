"""All routes of the monitor, in one table. A further command has its route by itself."""

import functools
import logging
from typing import Final

import tornado.web
from tornado.routing import URLSpec

from shotline import __version__
from shotline.common.commands import VERBS
from shotline.common.scopes import Scope
from shotline.common.volumes.commands import RecordsLease
from shotline.monitor.access.handlers import (
    ControlHandler,
    EndSessionsHandler,
    LoginHandler,
    LogoutHandler,
    MeHandler,
    SessionsHandler,
)
from shotline.monitor.access.models import (
    ControlRequest,
    ControlView,
    EndedAnswer,
    EndSessionsRequest,
    LoginRequest,
    LogoutRequest,
    MeAnswer,
    SessionsAnswer,
)
from shotline.monitor.http import openapi, pages
from shotline.monitor.http.api import (
    CommandHandler,
    CommandLineHandler,
    HistoryFileHandler,
    LeaseHandler,
    LogFileHandler,
    LogHandler,
    MonitorHandler,
    NothingHere,
    ServerCommandHandler,
    ServerPastHandler,
    Services,
)
from shotline.monitor.http.route import Route, needs_of, path_of
from shotline.monitor.http.serving import SOCKETS
from shotline.monitor.http.shot_files import ShotFileHandler
from shotline.monitor.metrics import Metrics
from shotline.monitor.models import (
    CommandLineRequest,
    LogAnswer,
    LogRequest,
    MonitorAnswer,
    ProgramAnswer,
    ServerCommandRequest,
    ServerPastAnswer,
)

log = logging.getLogger(__name__)

ROUTES: Final = (
    Route("/", pages.PageHandler, {"GET": None}),
    Route("/ws", pages.SocketHandler, {"GET": Scope.READ}),
    *(
        Route(
            path_of(verb),
            LeaseHandler if command is RecordsLease else CommandHandler,
            needs_of(verb),
            command=command,
        )
        for verb, command in VERBS.items()
    ),
    Route(
        "/api/monitor",
        MonitorHandler,
        {"GET": Scope.READ},
        "What the monitor is connected to.",
        answer=MonitorAnswer,
    ),
    Route(
        "/api/log",
        LogHandler,
        {"POST": Scope.COMMAND},
        "Write a test message to the live log.",
        LogRequest,
        LogAnswer,
    ),
    Route(
        "/api/server_command",
        ServerCommandHandler,
        {"POST": Scope.SERVERS},
        "Have the site's script, or `shotline up`, start, restart or end servers.",
        ServerCommandRequest,
        ProgramAnswer,
    ),
    Route(
        "/api/command_line",
        CommandLineHandler,
        {"POST": Scope.COMMAND},
        "Run a line that `shotline` accepts.",
        CommandLineRequest,
        ProgramAnswer,
    ),
    Route(
        "/api/logs.txt",
        LogFileHandler,
        {"GET": Scope.READ},
        "An attempt's whole output as a text file.",
    ),
    Route(
        "/api/server_past",
        ServerPastHandler,
        {"GET": Scope.READ},
        "What a server has run of the shots that the monitor holds.",
        answer=ServerPastAnswer,
        query=("server",),
    ),
    Route(
        "/api/queue_history.txt",
        HistoryFileHandler,
        {"GET": Scope.READ},
        "The pulse queue's history as JSON lines or CSV.",
    ),
    Route(
        "/api/shot_file",
        ShotFileHandler,
        {"GET": Scope.READ},
        "A shot as its own file, as a table (CSV), or as a report that prints (HTML).",
    ),
    Route("/api/me", MeHandler, {"GET": None}, "Who asks, and what they may.", answer=MeAnswer),
    Route("/api/login", LoginHandler, {"POST": None}, "Log in.", LoginRequest, MeAnswer),
    Route("/api/logout", LogoutHandler, {"POST": None}, "Log out.", LogoutRequest, MeAnswer),
    Route(
        "/api/control",
        ControlHandler,
        {"POST": Scope.COMMAND},
        "Take the control, or give it back, where one person at a time has it.",
        ControlRequest,
        ControlView,
    ),
    Route(
        "/api/sessions",
        SessionsHandler,
        {"GET": Scope.ADMINISTER},
        "The logins that there are.",
        answer=SessionsAnswer,
    ),
    Route(
        "/api/end_sessions",
        EndSessionsHandler,
        {"POST": Scope.ADMINISTER},
        "End one login, or all of a user.",
        EndSessionsRequest,
        EndedAnswer,
    ),
    Route(
        "/shots/([A-Za-z][A-Za-z0-9_]*)/([0-9]{1,10})/report", ShotFileHandler, {"GET": Scope.READ}
    ),
    Route("/login", pages.LoginPage, {"GET": None}),
    Route("/api/openapi.json", pages.DocumentHandler, {"GET": None}),
    Route("/docs", pages.DocsHandler, {"GET": None}),
    Route("/docs/", pages.DocsPlace, {"GET": None}),
    Route("/docs/static/(.*)", pages.DocsFiles, {"GET": None}),
    Route("/static/(.*)", pages.StaticHandler, {"GET": None}),
    Route("/healthz", pages.HealthHandler, {"GET": None}),
    Route("/readyz", pages.ReadyHandler, {"GET": None}),
    Route("/metrics", pages.MetricsHandler, {"GET": Scope.METRICS}),
)
_ANY: Final = Route("", NothingHere, {})


def document() -> str:
    """Return the OpenAPI document of these routes as it is committed."""
    return openapi.text(__version__, ROUTES)


def application(services: Services) -> tornado.web.Application:
    """Return what answers at all routes."""
    return tornado.web.Application(
        [
            URLSpec(
                route.path.replace(".", r"\.") if "(" not in route.path else route.path,
                route.handler,
                {"services": services, "route": route},
            )
            for route in ROUTES
        ],
        default_handler_class=NothingHere,
        default_handler_args={"services": services, "route": _ANY},
        **SOCKETS,
        log_function=functools.partial(_note_request, services.metrics),
    )


def _note_request(metrics: Metrics, handler: tornado.web.RequestHandler) -> None:
    request, status = handler.request, handler.get_status()
    method = request.method if request.method in ("GET", "POST", "HEAD") else "other"
    metrics.requests[method, status] += 1
    level = logging.WARNING if status >= 500 else logging.DEBUG
    log.log(level, "%s %s %d", request.method, request.path, status)
