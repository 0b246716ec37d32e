"""What is done at the page is in the audit: who has logged in, by what, at which browser; and who
may read it there.
"""

import os
import subprocess
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from tests.support import access
from tests.support.lone_monitor import Answered, LoneMonitor
from tests.support.monitor import with_monitor
from tests.support.stack import Stack, eventually

from shotline.common.messages import Outcome, Via
from shotline.common.records import Audited
from shotline.common.tellings import EACH_BURST, EACH_S

EXPERIMENT = """
experiment: TEST
phases: {INIT: 1}
actions:
  - {path: ONE, server_class: A, phase: INIT, when: 10, task: {sleep: 0}}
"""
PASSWORD = "correct horse"
PROXY = {"X-Remote-User": "paula", "X-Remote-Groups": "shift", "X-Forwarded-For": "198.51.100.9"}
FROM = {"X-Forwarded-For": "203.0.113.5"}
BIN = Path(__file__).resolve().parents[2] / ".venv" / "bin"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("audit_page")
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    access.lay_out(folder)
    for name, role in (("vera", "viewer"), ("otto", "operator"), ("ada", "administrator")):
        subprocess.run(
            [BIN / "shotline", "users", "add", name, "--role", role, "--file", folder / "users"],
            input=f"{PASSWORD}\n",
            text=True,
            check=True,
            env=os.environ,
        )
    settings = {
        "access": {
            "users_file": str(folder / "users"),
            "lease": True,
            "proxies": ["127.0.0.1"],
            "user_header": "X-Remote-User",
            "groups_header": "X-Remote-Groups",
            "groups": {"shift": "operator"},
        },
        "server_command": "/bin/true",
    }
    with with_monitor(folder, ("A:1",), {"TEST": folder / "experiment.yaml"}, settings) as running:
        yield running


@pytest.fixture
def page(stack: Stack) -> LoneMonitor:
    return LoneMonitor(stack.folder, stack.config.monitor.port, stack["monitor"])


def log_in(page: LoneMonitor, user: str, password: str = PASSWORD) -> Answered:
    return page.ask("POST", "/api/login", {"user": user, "password": password})


def logged_in(page: LoneMonitor, user: str) -> dict[str, str]:
    """Return the headers of a page after a login; its browser is elsewhere."""
    answer = log_in(page, user)
    values = [cookie.partition(";")[0] for cookie in answer.cookies]
    token = next(one.partition("=")[2] for one in values if "xsrf" in one)
    return {"Cookie": "; ".join(values), "X-XSRFToken": token, **FROM}


def in_control(page: LoneMonitor, headers: dict[str, str]) -> dict[str, str]:
    take = {"take": True, "over": True}
    assert page.ask("POST", "/api/control", take, headers).status == 200
    return headers


class Since:
    """The lines that come from now on, the oldest first."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        lines = self._read()
        self._after = lines[0].id if lines else "0-0"

    def _read(self, after: str | None = None) -> list[Audited]:
        with self._stack.supervisor() as shotline:
            return list(shotline.audit(after=after, limit=1000).lines)

    def lines(self, *whats: str) -> list[Audited]:
        """Return the lines of these kinds, once there are so many."""
        found = self.read(whats, len(whats))
        assert tuple(one.verb for one in found) == whats
        return found

    def read(self, whats: Collection[str], least: int) -> list[Audited]:
        """Return the lines of these kinds, once there are at least so many."""
        found: list[Audited] = []

        def look() -> bool:
            found[:] = [one for one in reversed(self._read(self._after)) if one.verb in whats]
            return len(found) >= least

        eventually(look, lambda: str(found))
        return found


def test_a_command_at_the_page_has_its_user_and_browser(stack: Stack, page: LoneMonitor) -> None:
    otto, since = in_control(page, logged_in(page, "otto")), Since(stack)
    assert page.ask("POST", "/api/abort", {}, otto).status == 200
    (line,) = since.lines("abort")
    assert (line.who, line.via, line.browser) == ("otto", Via.LOGIN, "203.0.113.5")
    assert line.address == "127.0.0.1"
    assert "@" in line.program


def test_a_token_and_a_proxy_s_user_are_told_as_such(stack: Stack, page: LoneMonitor) -> None:
    since = Since(stack)
    bearer = {"Authorization": "Bearer token-command"}
    assert page.ask("POST", "/api/abort", {}, bearer).status == 200
    vouched = {**PROXY, "Cookie": "_xsrf=token", "X-XSRFToken": "token"}
    assert page.ask("POST", "/api/abort", {}, vouched).status == 200
    first, second = since.lines("abort", "abort")
    assert (first.who, first.via) == ("t-command", Via.TOKEN)
    assert (second.who, second.via, second.browser) == ("paula", Via.PROXY, "198.51.100.9")


def test_logins_and_their_end_are_told(stack: Stack, page: LoneMonitor) -> None:
    since = Since(stack)
    otto = logged_in(page, "otto")
    assert log_in(page, "otto", "wrong").status == 401
    assert page.ask("POST", "/api/logout", {}, otto).status == 200
    began, failed, ended = since.lines("login", "login", "logout")
    assert (began.who, began.outcome, began.message) == ("otto", Outcome.OK, "as operator")
    assert (failed.who, failed.outcome) == ("otto", Outcome.REFUSED)
    assert "wrong" in failed.message
    assert (ended.who, ended.browser) == ("otto", "203.0.113.5")
    assert PASSWORD not in str((began, failed, ended))


def test_the_end_of_somebody_s_login_is_told(stack: Stack, page: LoneMonitor) -> None:
    logged_in(page, "vera")
    ada, since = logged_in(page, "ada"), Since(stack)
    assert page.ask("POST", "/api/end_sessions", {"user": "vera"}, ada).json["ended"] == 1
    (line,) = since.lines("end_session")
    assert (line.who, line.message) == ("ada", "the login of vera at 127.0.0.1")


def test_who_takes_the_control_over_is_told(stack: Stack, page: LoneMonitor) -> None:
    otto, ada, since = logged_in(page, "otto"), logged_in(page, "ada"), Since(stack)
    in_control(page, otto)
    in_control(page, ada)
    assert page.ask("POST", "/api/control", {"take": False}, ada).status == 200
    _, over, given = since.lines("take_control", "take_control", "give_control")
    assert (over.who, over.message) == ("ada", "over from otto at 203.0.113.5")
    assert given.who == "ada"


def test_what_is_refused_at_the_page_is_told(stack: Stack, page: LoneMonitor) -> None:
    vera, otto, since = logged_in(page, "vera"), logged_in(page, "otto"), Since(stack)
    hold = {"tree": "TEST", "shot": 4}
    assert page.ask("POST", "/api/hold", hold, vera).status == 403
    assert page.ask("POST", "/api/quit", {}, otto).status == 403
    assert page.ask("POST", "/api/resume", hold, otto).status == 409  # has not the control
    assert page.ask("POST", "/api/hold", hold).status == 401
    role, scope, control, nobody = since.lines("hold", "quit", "resume", "hold")
    assert (role.who, role.tree, role.shot) == ("vera", "TEST", 4)
    assert "viewer" in role.message
    assert (scope.who, control.who) == ("otto", "otto")
    assert "control" in control.message
    assert (nobody.who, nobody.via) == ("", Via.PAGE)
    assert {one.outcome for one in (role, scope, control, nobody)} == {Outcome.REFUSED}


def test_nobody_fills_the_audit_from_outside(stack: Stack, page: LoneMonitor) -> None:
    since, began = Since(stack), time.monotonic()
    for _ in range(100):
        assert page.ask("POST", "/api/hold", {}, {"X-Forwarded-For": "192.0.2.66"}).status == 401
    took_s = time.monotonic() - began
    in_control(page, logged_in(page, "otto"))
    told = since.read({"hold"}, EACH_BURST)
    assert EACH_BURST <= len(told) <= EACH_BURST + took_s / EACH_S


def test_servers_and_lines_of_the_page_are_told(stack: Stack, page: LoneMonitor) -> None:
    otto, since = in_control(page, logged_in(page, "otto")), Since(stack)
    start = {"server_class": "A", "command": "START", "server_id": "9"}
    assert page.ask("POST", "/api/server_command", start, otto).status == 200
    line = {"line": "abort-pending TEST 1"}
    assert page.ask("POST", "/api/command_line", line, otto).status == 200
    forged = page.ask("POST", "/api/command_line", {"line": "abort --as somebody"}, otto)
    assert forged.status == 409
    assert "--as" in str(forged.json["message"])
    started, aborted = since.lines("server_command", "abort_pending")
    assert (started.who, started.arguments, started.outcome) == ("otto", "A START 9", Outcome.OK)
    assert (aborted.who, aborted.via, aborted.browser) == ("otto", Via.LOGIN, "203.0.113.5")


def test_administrators_read_it_there(stack: Stack, page: LoneMonitor) -> None:
    ada, otto = logged_in(page, "ada"), logged_in(page, "otto")
    assert page.ask("GET", "/api/audit", None, otto).status == 403
    assert page.ask("GET", "/api/audit").status == 401
    found = page.ask("GET", "/api/audit?command=login&who=ada&limit=2", None, ada).json["result"]
    assert isinstance(found, dict)
    assert {one["who"] for one in found["lines"]} == {"ada"}
    # Who has not the control reads it, too.
    assert page.ask("POST", "/api/audit", {"limit": 1}, ada).status == 200


def test_what_came_while_there_was_no_dispatcher_is_told_later(
    stack: Stack, page: LoneMonitor
) -> None:
    since = Since(stack)
    stack.dispatcher.kill()
    before = time.time()
    assert log_in(page, "vera").status == 200
    after = time.time()
    stack.restart(stack.dispatcher)
    (line,) = since.lines("login")
    assert before <= line.time <= after
