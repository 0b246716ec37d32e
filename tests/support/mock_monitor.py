"""The real page without a daemon: its files, its WebSocket and its HTTP interface are played.

    monitor.shot("T", 1, action("OK1"), action("BAD", state=DONE, status=Status.FAILURE))
    page = monitor.open("#/actions")
    monitor.change("T", 1, "OK1", DOING, attempt=1, server="A:1")
    assert monitor.asked == [DispatchAction(tree="T", shot=1, path="OK1")]

What the page is told comes from the monitor's own view and channels: a test says what the
dispatcher has told the monitor. Commands are read as the real interface reads them.
"""

import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from playwright.sync_api import Page, Route, WebSocketRoute
from tests.support.browser import PLAYED, Browser, live

from shotline.client.observer import News, Update, Whole
from shotline.common.accounts import Role
from shotline.common.actions import ActionState, has_failed
from shotline.common.base import as_plain
from shotline.common.commands import VERBS, AnyCommand
from shotline.common.machine import Instant
from shotline.common.messages import Outcome, Reply
from shotline.common.records import Record, Transition
from shotline.common.scopes import Scope
from shotline.common.views import (
    ActionView,
    LogEvent,
    RunView,
    ServersEvent,
    ServerView,
    ShotEvent,
    ShotsResult,
    ShotView,
    SnapshotResult,
    StatusResult,
)
from shotline.monitor.channels import (
    Channels,
    CloseCode,
    Subscribed,
    answer_frame,
    left_frame,
    pong_frame,
)
from shotline.monitor.channels.forms import SubscribeForm, listed, parsed, ping_of
from shotline.monitor.channels.histories import Limits
from shotline.monitor.http.requests import BadInput, body_of, command_of, query_of, status_of
from shotline.monitor.names import ShotName, named
from shotline.monitor.view import SOURCES, View, ViewSettings
from shotline.monitor.view.effects import Drop, Effect, End, Open, Post

ADDRESS: Final = f"http://{PLAYED}"
NO_FILES: Final = re.compile(rf"^(?!{re.escape(ADDRESS)}/(static/|[?#]|$))")
"""All but the page's files: these come from a server, without asking the test each time."""

JSON: Final = "application/json"

Json = dict[str, object]
Answer = Reply | Callable[[AnyCommand], Reply]


def reply(
    outcome: Outcome = Outcome.OK, message: str = "", notices: tuple[str, ...] = (), **more: object
) -> Reply:
    """Return what the dispatcher answers a command with."""
    return msgspec.convert(
        {"id": "x", "outcome": outcome, "message": message, "notices": notices} | more, Reply
    )


def refused(message: str, **more: object) -> Reply:
    """Return a refusal."""
    return reply(Outcome.REFUSED, message, **more)


def action(
    path: str, state: ActionState = ActionState.NOT_DISPATCHED, **fields: object
) -> ActionView:
    """Return an action; fields are those of its live state and of its declaration."""
    live_ones = {name: fields.pop(name) for name in Transition.__struct_fields__ if name in fields}
    last = msgspec.convert({"time": 1.0, "path": path, "state": state} | live_ones, Transition)
    declared: Json = {"path": path, "name": path, "server_class": "A", "phase": "INIT"}
    declared["failed"] = has_failed(last.state, last.status)
    return msgspec.convert(declared | fields | {"last": last}, ActionView)


def server(name: str, liveness: str = "alive", **fields: object) -> ServerView:
    """Return an action server."""
    server_class, _, server_id = name.partition(":")
    named_so = {"server": name, "server_class": server_class, "server_id": server_id}
    seen = {"last_seen_at": time.time()} if liveness == "alive" else {}
    return msgspec.convert(
        named_so | {"liveness": liveness, "slots": 1} | seen | fields, ServerView
    )


class MockMonitor:
    """A monitor of few words behind pages in a real browser."""

    def __init__(self, browser: Browser, role: str = "operator", **settings: object) -> None:
        self.browser = browser
        self.asked: list[AnyCommand] = []  # commands, oldest first
        self.requests: list[tuple[str, Json]] = []  # all requests to /api
        self.answers: dict[str, Answer] = {}  # to commands, by verb; without one: done
        self.routes: dict[str, Callable[[Json], tuple[int, object]]] = {}  # to all else in /api
        self.away = False  # it answers nothing: connections are refused
        self.mute = False  # its WebSockets are dead, without a word; HTTP answers
        self.pings = 0  # that were answered
        self.ahead_s = 0.0  # its clock before the browser's
        self._role = role
        self._settings = settings
        self._held: dict[str, list[Callable[[], None]]] = {}
        self._sockets: dict[int, WebSocketRoute] = {}
        self.connections = 0  # WebSockets that there were
        self._lives = 0
        self._begin()

    def _begin(self) -> None:
        self._lives += 1
        life = f"life{self._lives}"
        settings = {"broker": "tcp://broker:1", "version": "1.0", "life": life}
        more = {"experiments": ("T", "U")} | self._settings
        self.view = View(ViewSettings(**settings, **more))  # type: ignore[arg-type]
        self.channels = Channels(Limits(), life, lambda one: self.view.whole(one, time.time()))
        for source in SOURCES:
            self.channels.open(source.id, lasting=True)
        self.take(Whole("servers", SnapshotResult(channel="servers", term=1, seq=0)))
        status = StatusResult(term=1, dispatcher="mock", started_at=1.0, journal="ok")
        self.carry_out(self.view.status(_now(), status, ShotsResult(shots=())))

    # Pages

    def open(self, address: str = "#/actions", page: Page | None = None) -> Page:
        """Return a page of this monitor, once it is live."""
        page = page or self.new_page()
        page.goto(f"{ADDRESS}/{address}")
        live(page)
        return page

    def new_page(self, width: int = 1500, height: int = 1000) -> Page:
        """Return an empty page in a context of its own, all of whose requests come here."""
        page = self.browser.new_page(width, height)
        page.context.route(NO_FILES, self._http)
        page.context.route_web_socket(re.compile("/ws$"), self._socket)
        return page

    # What the dispatcher tells

    def take(self, update: Update) -> None:
        """Let the monitor have an update of the event feed."""
        self.carry_out(self.view.take(_now(), update))

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """Do what the view asks for, as far as it concerns pages."""
        for effect in effects:
            match effect:
                case Post(channel, body, key):
                    self.channels.publish(channel, body, key)
                case Open(channel):
                    self.channels.open(channel, lasting=isinstance(named(channel), ShotName))
                case End(channel):
                    self.channels.end(time.monotonic(), channel)
                case Drop(channel):
                    self.channels.drop(channel)
                case _:
                    pass  # it asks the dispatcher: the test tells what it likes
        self._pump()

    def shot(
        self,
        tree: str,
        shot: int,
        *actions: ActionView,
        runs: tuple[RunView, ...] = (),
        current: bool = True,
        phases: tuple[str, ...] = ("INIT", "PULSE"),
        built_at: float = 1.0,
        source_changed: str = "",
    ) -> None:
        """Let there be a shot with these actions."""
        about = ShotView(
            tree=tree,
            shot=shot,
            built_at=built_at,
            phases=phases,
            runs=runs,
            source_changed=source_changed,
            current=current,
        )
        channel = f"shot/{tree}/{shot}"
        snapshot = SnapshotResult(channel=channel, term=1, seq=0, shot=about, actions=actions)
        self.take(Whole(channel, snapshot))

    def tell(self, tree: str, shot: int, *records: Record, **more: object) -> None:
        """Publish records of a shot's journal, progress or waits."""
        event = msgspec.convert({"records": records} | more, ShotEvent)
        self.take(News(f"shot/{tree}/{shot}", time.time(), event))

    def change(self, tree: str, shot: int, path: str, state: ActionState, **fields: object) -> None:
        """Let an action change."""
        changed = {"time": time.time(), "path": path, "state": state} | fields
        self.tell(tree, shot, msgspec.convert(changed, Transition))

    def servers(self, *servers: ServerView) -> None:
        """Let servers be, or change."""
        self.take(News("servers", time.time(), ServersEvent(servers=servers)))

    def all_servers(self, *servers: ServerView) -> None:
        """Let these servers be there, and no others."""
        self.take(
            Whole("servers", SnapshotResult(channel="servers", term=1, seq=0, servers=servers))
        )

    def log(self, text: str, level: str = "info", source: str = "broker") -> None:
        """Let a daemon write a line of its log."""
        line = (time.time(), level, source, text)
        self.take(News("log", time.time(), LogEvent(lines=(line,))))

    def post(self, channel: str, body: bytes, key: str | None = None) -> None:
        """Publish a message as it stands."""
        self.carry_out([Post(channel, body, key)])

    # What goes wrong

    def lose(self, work: Callable[[], None]) -> None:
        """Do something of which pages are told nothing."""
        self.mute = True
        work()
        self.mute = False

    def send(self, frame: Json) -> None:
        """Send a frame as it stands to all pages."""
        for socket in self._sockets.values():
            socket.send(json.dumps(frame))

    def cut(self) -> None:
        """Break all WebSockets; pages may come back at once."""
        for number, socket in list(self._sockets.items()):
            self._left(number)
            socket.close(code=1001, reason="the monitor ends")

    def leave(self) -> None:
        """End: WebSockets break, and nothing is answered."""
        self.away = True
        self.cut()

    def restart(self) -> None:
        """Begin a new life, which knows nothing of the one before."""
        self.leave()
        self.away = False
        self._begin()

    def hold(self, route: str) -> None:
        """Answer a route of /api no more until `release`."""
        self._held.setdefault(route, [])

    def release(self, route: str) -> None:
        """Answer what was asked meanwhile, in order, and what comes."""
        for answer in self._held.pop(route, ()):
            answer()

    def held(self, route: str) -> int:
        """Return how many requests wait for their answer."""
        return len(self._held.get(route, ()))

    # HTTP

    def _http(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        if self.away or not route.request.url.startswith(ADDRESS):
            route.abort()
        elif url.path == "/api/me":
            role = Role(self._role)
            route.fulfill(json={"role": role, "may": [one for one in Scope if role.may(one)]})
        elif url.path.startswith("/api/"):
            self._api(route, url.path.removeprefix("/api/"), dict(parse_qsl(url.query)))
        elif url.path == "/healthz":
            route.fulfill(json={"status": "ok"})
        else:
            route.fulfill(status=404)

    def _api(self, route: Route, name: str, query: dict[str, str]) -> None:
        def answer() -> None:
            status, body = self._answered(name, route.request.post_data_buffer, query)
            route.fulfill(status=status, body=body, content_type=JSON)

        body = route.request.post_data
        self.requests.append((name, json.loads(body) if body else dict(query)))
        held = self._held.get(name)
        if held is None:
            answer()
        else:
            held.append(answer)

    def _answered(
        self, name: str, body: bytes | None, query: dict[str, str]
    ) -> tuple[int, str | bytes]:
        if name in self.routes:
            status, found = self.routes[name](json.loads(body) if body else dict(query))
            return status, found if isinstance(found, str) else json.dumps(found)
        name = name.replace("records/", "records_", 1)
        if name not in VERBS:
            return 404, b'{"outcome":"refused","message":"there is nothing"}'
        try:
            kind = VERBS[name]
            command = query_of(kind, query) if body is None else command_of(kind, body)
        except BadInput as error:
            fields = [as_plain(one) for one in error.fields]
            said = {"outcome": "usage", "message": str(error), "fields": fields}
            return 422, json.dumps(said)
        self.asked.append(command)
        answer = self.answers.get(name, reply())
        found = answer if isinstance(answer, Reply) else answer(command)
        return status_of(found), body_of(found)

    # WebSockets

    def _socket(self, socket: WebSocketRoute) -> None:
        if self.away or self.mute:
            socket.close(code=1001, reason="nobody is here")
            return
        self.connections += 1
        number = self.connections
        self._sockets[number] = socket
        self.channels.enter(number, form=True)
        socket.on_message(lambda frame: self._frame(number, frame))
        socket.on_close(lambda _code, _reason: self._left(number))

    def _left(self, number: int) -> None:
        if self._sockets.pop(number, None) is not None:
            self.channels.leave(number)

    def _frame(self, number: int, frame: str | bytes) -> None:
        socket = self._sockets.get(number)
        if socket is None or self.mute:
            return
        ping = ping_of(frame)
        if ping is not None:
            self.pings += 1
            socket.send(pong_frame(ping, time.time() + self.ahead_s).decode())
            return
        form = parsed(frame)
        assert isinstance(form, SubscribeForm), f"the page has said {frame!r}"
        for channel in listed(form.unsubscribe):
            was_there = self.channels.unsubscribe(number, channel)
            socket.send(left_frame(channel, was_there=was_there).decode())
        for channel in listed(form.subscribe):
            answer: Subscribed | CloseCode = CloseCode.UNKNOWN
            if channel in self.channels:
                answer = self.channels.subscribe(
                    number, channel, since=form.since, life=form.life, whole=form.state
                )
            socket.send(answer_frame(self.channels.life, channel, answer).decode())
        self._pump()

    def _pump(self) -> None:
        for number in self.channels.waiting() if not self.mute else ():
            more = True
            while more:
                due = self.channels.due(number)
                for frame in due.frames:
                    self._sockets[number].send(frame.decode())
                self.channels.sent(number)
                more = due.more


def _now() -> Instant:
    return Instant(time.monotonic(), time.time())
