"""Who gets in: every route and the WebSocket, for each who asks; logins, TLS, proxies, control."""

import asyncio
import base64
import contextlib
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from tests.support import access
from tests.support.lone_monitor import UPGRADE, Answered, LoneMonitor, lone_monitor
from tests.support.monitor import Ws
from tests.support.nginx import OURS, nginx
from tests.support.stack import DEADLINE_S, eventually
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from shotline.client.local.daemons import DaemonError
from shotline.common.accounts import Role
from shotline.common.scopes import Scope
from shotline.common.settings.config import load_config
from shotline.common.settings.sections.monitor import AccessSection, MonitorSection
from shotline.monitor.access import Identity
from shotline.monitor.access.awake import STILL_S
from shotline.monitor.access.gate import Gate
from shotline.monitor.http.route import Route
from shotline.monitor.http.routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse"
WRONG_FIELD = {"no_such_field": 1}
PAGE = {"Cookie": "_xsrf=token", "X-XSRFToken": "token"}


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneMonitor]:
    folder = tmp_path_factory.mktemp("access")
    access.lay_out(folder)
    proxy = {"proxies": ["192.0.2.1"], "user_header": "X-Remote-User", "groups": {"*": "operator"}}
    with lone_monitor(folder, {"access": {"users_file": "users", **proxy}}) as running:
        yield running


def path_of(route: Route) -> str:
    if route.path.startswith("/shots/"):
        return "/shots/TEST/9999999999/report"
    files = {"/static/(.*)": "/static/main.js", "/docs/static/(.*)": "/docs/static/swagger-ui.css"}
    return files.get(route.path, route.path)


def asked(monitor: LoneMonitor, method: str, route: Route, asker: access.Asker) -> Answered:
    """Ask for what would be answered without doing anything: a field that there is not."""
    path = path_of(route)
    if method == "POST":
        return monitor.ask(method, path, WRONG_FIELD, asker.headers)
    upgrade = UPGRADE if route.path == "/ws" else {}
    asks = route.command is not None or path.endswith(".txt")
    query = "?no_such_field=1" if asks else ""
    return monitor.ask(method, path + query, None, {**upgrade, **asker.headers})


@pytest.mark.parametrize("asker", access.ASKERS, ids=lambda asker: asker.name)
def test_each_route_is_answered_to_whom_it_is_for(
    monitor: LoneMonitor, asker: access.Asker
) -> None:
    for route in ROUTES:
        for method, scope in route.needs.items():
            changes = method == "POST" and scope not in access.LOOKING
            answer = asked(monitor, method, route, asker)
            refused = access.expected(asker, scope, changes=changes)
            where = (method, route.path, answer.status, answer.body[:200])
            if refused is None:
                assert answer.status not in (401, 403), where
                assert answer.status < 500 or route.path == "/readyz", where
            else:
                assert answer.status == refused, where


@pytest.mark.parametrize("asker", access.ASKERS, ids=lambda asker: asker.name)
@pytest.mark.parametrize("path", ["/ws", "/"])
def test_a_websocket_opens_for_whom_may_look(
    monitor: LoneMonitor, asker: access.Asker, path: str
) -> None:
    answer = monitor.ask("GET", path, None, {**UPGRADE, **asker.headers})
    assert answer.status == (access.expected(asker, Scope.READ, changes=False) or 101)


def test_the_table_in_the_document_is_that_of_these_tests() -> None:
    document = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    assert access.written(document) == document, "write it anew: make schema"


def test_every_answer_keeps_other_sites_out(monitor: LoneMonitor) -> None:
    for route in ROUTES:
        if "GET" in route.needs and route.path != "/ws":
            headers = asked(monitor, "GET", route, access.ASKERS[3]).headers
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy, route.path
            assert "frame-ancestors 'none'" in policy, route.path
            assert "unsafe" not in policy or route.path == "/docs", route.path
            assert "unsafe" not in policy.partition("script-src")[2].partition(";")[0]
            assert headers["X-Content-Type-Options"] == "nosniff", route.path
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin", route.path
            assert "Access-Control-Allow-Origin" not in headers
            assert "Server" not in headers
    for path in ("/static/nothing", "/nothing", "/docs/static/nothing"):
        answer = monitor.ask("GET", path)
        assert answer.status == 404
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


# Logins


@contextlib.contextmanager
def with_users(
    folder: Path, tls: ssl.SSLContext | None = None, more: dict[str, object] | None = None
) -> Iterator[LoneMonitor]:
    for name, role in (("anna", "operator"), ("chief", "administrator")):
        shotline("users", "add", name, "--role", role, file=folder / "users")
    settings: dict[str, object] = {"users_file": "users", **(more or {})}
    with lone_monitor(folder, {"access": settings}, tls) as running:
        yield running


def shotline(*words: str, file: Path, given: str = PASSWORD) -> str:
    done = subprocess.run(
        ["shotline", *words, "--file", str(file)],
        input=given + "\n",
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"},
    )
    return done.stdout


def log_in(monitor: LoneMonitor, user: str, password: str = PASSWORD) -> Answered:
    return monitor.ask("POST", "/api/login", {"user": user, "password": password})


def session(answer: Answered) -> dict[str, str]:
    """Return the headers of a page after a login."""
    values = [cookie.partition(";")[0] for cookie in answer.cookies]
    token = next(one.partition("=")[2] for one in values if "xsrf" in one)
    return {"Cookie": "; ".join(values), "X-XSRFToken": token}


def may_look(monitor: LoneMonitor, headers: dict[str, str]) -> bool:
    return monitor.ask("GET", "/api/monitor", None, headers).status == 200


def test_a_login_lasts_until_its_end(tmp_path: Path) -> None:
    with with_users(tmp_path) as monitor:
        first = log_in(monitor, "anna")
        assert first.status == 200, first
        kept = [cookie for cookie in first.cookies if cookie.startswith("shotline=")]
        assert "HttpOnly" in kept[0]
        assert "SameSite=Strict" in kept[0]
        headers = session(first)
        me = monitor.ask("GET", "/api/me", None, headers).json
        assert (me["user"], me["role"], me["via"]) == ("anna", "operator", "session")
        assert monitor.ask("POST", "/api/logout", {}, headers).status == 200
        assert not may_look(monitor, headers)
        # Another login does not take up the cookie that somebody may have planted.
        again = log_in(monitor, "anna")
        assert session(again)["Cookie"] != headers["Cookie"]


def test_what_is_revoked_is_over_at_once(tmp_path: Path) -> None:
    with with_users(tmp_path) as monitor:
        users = tmp_path / "users"
        anna, chief = session(log_in(monitor, "anna")), session(log_in(monitor, "chief"))
        token = shotline("users", "token", "grafana", "--scope", "read", file=users).strip()
        bearer = {"Authorization": f"Bearer {token}"}
        assert may_look(monitor, bearer)
        listed = monitor.ask("GET", "/api/sessions", None, chief).json["sessions"]
        assert isinstance(listed, list)
        assert [one["user"] for one in listed] == ["anna", "chief"]
        assert monitor.ask("POST", "/api/end_sessions", {"user": "anna"}, anna).status == 403
        ended = monitor.ask("POST", "/api/end_sessions", {"user": "anna"}, chief)
        assert ended.json == {"ended": 1}
        assert not may_look(monitor, anna)
        anna = session(log_in(monitor, "anna"))
        shotline("users", "add", "anna", file=users, given="another password")
        assert not may_look(monitor, anna)  # who has changed it may have had reasons
        shotline("users", "remove", "grafana", file=users)
        assert not may_look(monitor, bearer)
        shotline("users", "remove", "chief", file=users)
        assert not may_look(monitor, chief)
        anna = session(log_in(monitor, "anna", "another password"))
        assert may_look(monitor, anna)
        users.unlink()
        assert not may_look(monitor, anna)
        secrets = (token, PASSWORD, *anna["Cookie"].replace("=", "; ").split("; ")[1::2])
        assert not [one for one in secrets if one in monitor.log()]


def test_a_broken_file_of_users_changes_nothing(tmp_path: Path) -> None:
    with with_users(tmp_path) as monitor:
        anna = session(log_in(monitor, "anna"))
        with (tmp_path / "users").open("a") as users:
            users.write("user bert chief hash\n")
        assert may_look(monitor, anna)
        assert "the users are still those of before: users_file: line 5" in monitor.log()


def test_a_wrong_password_takes_longer_each_time(tmp_path: Path) -> None:
    with with_users(tmp_path) as monitor:
        # Whether there is such a user is nobody's business.
        assert (
            log_in(monitor, "nobody", "wrong password").json
            == log_in(monitor, "anna", "wrong password").json
        )
        answers = [log_in(monitor, "anna", "wrong password") for _ in range(5)]
        assert answers[0].status == 401
        assert answers[-1].status == 429
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert "a login as 'anna' from 127.0.0.1 failed" in monitor.log()
        assert "wrong password" not in monitor.log()


def test_a_login_outlives_the_monitor(tmp_path: Path) -> None:
    with with_users(tmp_path) as monitor:
        headers = session(log_in(monitor, "anna"))
    assert (tmp_path / "var" / "monitor" / "sessions.json").stat().st_mode & 0o077 == 0
    with lone_monitor(tmp_path, {"access": {"users_file": "users"}}) as monitor:
        assert may_look(monitor, headers)


def test_anonymous_viewing_only_where_it_is_configured(tmp_path: Path) -> None:
    access.lay_out(tmp_path)
    with lone_monitor(tmp_path, {"role": "viewer", "access": {"users_file": "users"}}) as monitor:
        assert may_look(monitor, {})
        answer = monitor.ask("POST", "/api/log", {"text": "x"}, PAGE)
        assert answer.status == 403
        assert "viewer" in str(answer.json["message"])


def test_without_a_login_the_page_works_on_this_machine_alone(tmp_path: Path) -> None:
    with lone_monitor(tmp_path, {}) as monitor:
        assert monitor.ask("GET", "/api/me").json["role"] == "administrator"
        assert monitor.ask("POST", "/api/log", {"text": "x"}).status == 200
        foreign = {"Origin": "http://evil.example", **PAGE}
        assert monitor.ask("POST", "/api/log", {"text": "x"}, foreign).status == 403
        assert monitor.ask("POST", "/api/log", {"text": "x"}, {"Cookie": "a=b"}).status == 403


def test_what_was_asked_before_it_stood_still_is_not_done_afterwards(tmp_path: Path) -> None:
    with lone_monitor(tmp_path, {}) as monitor, ThreadPoolExecutor() as browser:

        def abort() -> Answered:
            return monitor.ask("POST", "/api/abort", {"tree": "TEST", "shot": 1})

        assert abort().status == 503, "there is no dispatcher here"
        monitor.daemon.signal(signal.SIGSTOP)
        waits = browser.submit(abort)
        until = time.monotonic() + STILL_S + 1.0
        eventually(lambda: time.monotonic() > until)
        monitor.daemon.signal(signal.SIGCONT)
        answered = waits.result(DEADLINE_S)
        assert answered.status == 409
        assert b"stood still" in answered.body
        eventually(lambda: abort().status == 503)


# Where it may be reached


@pytest.mark.parametrize(
    ("settings", "is_refused"),
    [
        ({}, True),
        ({"access": {"users_file": "users"}}, True),  # passwords would be read on the way
        ({"access": {"users_file": "users", "tls_certificate": "c", "tls_key": "k"}}, False),
    ],
)
def test_beyond_this_machine_it_wants_a_login_and_tls(
    tmp_path: Path, settings: dict[str, object], *, is_refused: bool
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"monitor": {"address": "0.0.0.0", **settings}}))
    told = [where for where, _ in load_config(file, environment={}).reachable_by_strangers()]
    assert (("monitor", "address") in told) == is_refused
    insecure = yaml.safe_dump(
        {"monitor": {"address": "0.0.0.0", **settings}, "security": {"insecure": True}}
    )
    file.write_text(insecure)
    assert list(load_config(file, environment={}).reachable_by_strangers()) == []


def test_a_file_of_users_that_others_may_read_is_refused(tmp_path: Path) -> None:
    access.lay_out(tmp_path)
    (tmp_path / "users").chmod(0o644)
    settings = {"access": {"users_file": "users"}}
    with pytest.raises(DaemonError, match="chmod 600"), lone_monitor(tmp_path, settings):
        pass


def certificate(folder: Path, name: str = "127.0.0.1") -> ssl.SSLContext:
    """Make a certificate and its key; return what trusts it."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
         str(folder / "tls.key"), "-out", str(folder / "tls.crt")],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return ssl.create_default_context(cafile=str(folder / "tls.crt"))


def test_by_https_the_cookies_are_this_hosts_alone(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    files: dict[str, object] = {"tls_certificate": "tls.crt", "tls_key": "tls.key"}
    with with_users(tmp_path, tls, files) as monitor:
        page = monitor.ask("GET", "/")
        assert page.status == 200
        answer = log_in(monitor, "anna")
        names = set()
        for cookie in (*page.cookies, *answer.cookies):
            name, _, rest = cookie.partition("=")
            names.add(name)
            assert "Secure" in rest
            assert "Path=/" in rest
            assert "Domain" not in rest
        assert names == {"__Host-xsrf", "__Host-shotline"}
        headers = session(answer)
        assert may_look(monitor, headers)
        assert monitor.ask("GET", "/ws", None, {**UPGRADE, **headers}).status == 101
        plain = headers["Cookie"].replace("__Host-", "")
        assert not may_look(monitor, {"Cookie": plain})


def test_a_renewed_certificate_is_taken_without_a_restart(tmp_path: Path) -> None:
    first = certificate(tmp_path, "first")
    files: dict[str, object] = {"tls_certificate": "tls.crt", "tls_key": "tls.key"}
    with with_users(tmp_path, first, files) as monitor:
        assert monitor.ask("GET", "/healthz").status == 200
        monitor.tls = certificate(tmp_path, "second")
        assert monitor.ask("GET", "/healthz").status == 200


# Proxies

PROXY: dict[str, object] = {
    "proxies": ["127.0.0.1"],
    "user_header": "X-Remote-User",
    "groups_header": "X-Remote-Groups",
    "groups": {"shift": "operator", "staff": "viewer"},
}


def vouched(groups: str, **more: str) -> dict[str, str]:
    return {"X-Remote-User": "anna", "X-Remote-Groups": groups, **more}


def test_a_proxy_vouches_for_users(tmp_path: Path) -> None:
    with lone_monitor(tmp_path, {"access": PROXY}) as monitor:
        me = monitor.ask("GET", "/api/me", None, vouched("staff,shift")).json
        assert (me["user"], me["role"], me["via"]) == ("anna", "operator", "proxy")
        log = {"text": "x"}
        assert monitor.ask("POST", "/api/log", log, vouched("shift")).status == 200
        assert monitor.ask("POST", "/api/log", log, vouched("staff")).status == 403
        assert monitor.ask("GET", "/api/monitor", None, vouched("others")).status == 403
        assert monitor.ask("GET", "/api/monitor").status == 401
        # From a page of the site the token is needed as ever.
        page = vouched("shift", Origin=f"http://127.0.0.1:{monitor.port}")
        assert monitor.ask("POST", "/api/log", log, page).status == 403


def test_a_proxy_shows_its_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a long secret\n")
    (tmp_path / "secret").chmod(0o600)
    settings = {**PROXY, "proxy_secret_file": "secret"}
    with lone_monitor(tmp_path, {"access": settings}) as monitor:
        assert monitor.ask("GET", "/api/monitor", None, vouched("shift")).status == 401
        shown = vouched("shift", **{"X-Shotline-Proxy": "a long secret"})
        assert monitor.ask("GET", "/api/monitor", None, shown).status == 200


@pytest.mark.parametrize("prefix", ["", "/shotline"])
def test_our_nginx_file_tells_who_asks(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "secret").write_text("change this\n")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "passwords").write_text("anna:{PLAIN}pw\n")
    asks = f'auth_basic "shots"; auth_basic_user_file {tmp_path}/passwords;'
    site = OURS.read_text(encoding="utf-8").replace("# anna  shift;", "anna shift;")
    site = site.replace("absolute_redirect off;", f"absolute_redirect off; {asks}")
    settings = {**PROXY, "proxy_secret_file": "secret"}
    with (
        lone_monitor(tmp_path, {"access": settings}) as monitor,
        nginx(site, monitor.port, tmp_path) as address,
    ):
        direct, monitor.port = monitor.port, int(address.rpartition(":")[2])
        basic = {"Authorization": f"Basic {base64.b64encode(b'anna:pw').decode()}"}
        forged = {**basic, "X-Remote-User": "chief", "X-Forwarded-For": "192.0.2.99"}
        for headers in (basic, forged):
            me = monitor.ask("GET", f"{prefix}/api/me", None, headers).json
            assert (me["user"], me["role"], me["via"]) == ("anna", "operator", "proxy")
        upgrade = {**UPGRADE, **basic}
        assert monitor.ask("GET", f"{prefix}/ws", None, upgrade).status == 101
        assert monitor.ask("GET", f"{prefix}/api/me").status == 401  # of nginx itself
        monitor.port = direct
        assert monitor.ask("GET", "/api/me", None, forged).json["user"] == ""


def test_a_password_from_elsewhere_is_only_taken_by_https(tmp_path: Path) -> None:
    with with_users(tmp_path, more={"proxies": ["127.0.0.1"]}) as monitor:
        given = {"user": "anna", "password": PASSWORD}
        far = {"X-Forwarded-For": "192.0.2.7"}
        assert monitor.ask("POST", "/api/login", given, far).status == 403
        safe = {**far, "X-Forwarded-Proto": "https"}
        answer = monitor.ask("POST", "/api/login", given, safe)
        assert answer.status == 200
        assert all("Secure" in cookie for cookie in answer.cookies)


# Control


def test_nobody_who_is_logged_in_changes_the_queue_under_another_name(tmp_path: Path) -> None:
    with with_users(tmp_path) as monitor:
        anna = session(log_in(monitor, "anna"))
        body = {"uids": ["0123456789ab"], "user": "chief"}
        refused = monitor.ask("POST", "/api/queue_release", body, anna)
        assert refused.status == 403
        assert "you are known as anna" in str(refused.json["message"])
        # Under her own name, or none, the next thing is the broker's absence.
        for user in ("anna", ""):
            answer = monitor.ask("POST", "/api/queue_release", body | {"user": user}, anna)
            assert answer.status == 503


def test_one_has_the_control_and_who_takes_it_over_says_so(tmp_path: Path) -> None:
    with with_users(tmp_path, more={"lease": True}) as monitor:
        anna, chief = session(log_in(monitor, "anna")), session(log_in(monitor, "chief"))
        log = {"text": "x"}
        assert monitor.ask("POST", "/api/log", log, anna).status == 409
        assert monitor.ask("POST", "/api/control", {"take": True}, anna).json["mine"] is True
        assert monitor.ask("POST", "/api/log", log, anna).status == 200
        refused = monitor.ask("POST", "/api/log", log, chief)
        assert refused.status == 409
        assert "anna at 127.0.0.1 has the control" in str(refused.json["message"])
        # Ending something, and proposing a plan, need no control: the next thing is looked at.
        assert monitor.ask("POST", "/api/abort", WRONG_FIELD, chief).status == 422
        assert monitor.ask("POST", "/api/queue_propose", WRONG_FIELD, chief).status == 422
        assert monitor.ask("POST", "/api/control", {"take": True}, chief).status == 409
        over = monitor.ask("POST", "/api/control", {"take": True, "over": True}, chief)
        assert over.status == 200
        control = monitor.ask("GET", "/api/me", None, anna).json["control"]
        assert isinstance(control, dict)
        assert (control["by"], control["mine"]) == ("chief at 127.0.0.1", False)
        assert "chief at 127.0.0.1 has taken the control over from anna" in monitor.log()
        assert monitor.ask("POST", "/api/log", log, anna).status == 409
        monitor.ask("POST", "/api/control", {"take": False}, chief)
        assert monitor.ask("POST", "/api/control", {"take": True}, anna).status == 200


def test_behind_a_proxy_websockets_are_counted_by_where_they_come_from(tmp_path: Path) -> None:
    settings = {"address_connections_max": 2, "access": {"proxies": ["127.0.0.1"]}}

    async def connected(port: int, address: str) -> Ws:
        request = HTTPRequest(
            f"ws://127.0.0.1:{port}/ws",
            headers={"X-Forwarded-For": address},
            connect_timeout=DEADLINE_S,
        )
        socket = Ws(await websocket_connect(request))
        await socket.send({"subscribe": "log"})
        return socket

    async def work(port: int) -> None:
        first = [await connected(port, "192.0.2.1") for _ in range(2)]
        for socket in first:
            assert await socket.next() is not None
        third = await connected(port, "192.0.2.1")
        assert await third.next() is None
        assert third.closed_with[0] == 4429
        other = await connected(port, "192.0.2.2")
        assert await other.next() is not None
        for socket in (*first, other):
            socket.close()
            await socket.rest()
        again = await connected(port, "192.0.2.1")
        assert await again.next() is not None
        again.close()
        await again.rest()

    with lone_monitor(tmp_path, settings) as monitor:
        asyncio.run(work(monitor.port))


def test_a_proxy_is_asked_for_its_word_again(tmp_path: Path) -> None:
    settings = MonitorSection(access=AccessSection(session_s=100.0))
    gate, now = Gate(settings, tmp_path / "sessions.json"), time.monotonic()
    who = Identity("anna", Role.OPERATOR, "proxy", "proxy:anna")
    assert gate.still(who, now)
    assert not gate.still(who, now - 100.0)
    gate.close()
