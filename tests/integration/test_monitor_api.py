"""The HTTP interface on the real stack: every route, with good input and with bad."""

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from tests.support.monitor import Page, Response, on, with_monitor
from tests.support.stack import DEADLINE_S, Stack

from shotline.common.commands import VERBS
from shotline.monitor.http.route import GET_VERBS, path_of

EXPERIMENT = """
experiment: TEST
phases: {INIT: 1, PULSE: 2}
actions:
  - {path: ONE, server_class: A, phase: INIT, when: 10, task: {shell: [echo, "first line"]}}
  - {path: BROKEN, server_class: A, phase: INIT, when: 20, essential: true,
     task: {shell: [sh, -c, "echo no pressure; exit 3"]}}
  - {path: FIRE, server_class: A, phase: PULSE, when: 10, task: {sleep: 0}}
"""
SCRIPT = """#!/bin/sh
echo "class $1 command $2 id $3"
echo "to standard error" >&2
[ "$2" = START ] && (sleep 5 &)
[ "$2" = KILL ] && sleep 300
[ "$2" = STOP ] && exit 7
exit 0
"""
ONE = "\\TEST::TOP:ONE"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("monitor_api")
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    script = folder / "script.sh"
    script.write_text(SCRIPT)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monitor = {
        "server_command": "script.sh",
        "server_command_timeout_s": 2.0,
        "hosts": ["control-room.example"],
    }
    with with_monitor(folder, ("A:1",), {"TEST": folder / "experiment.yaml"}, monitor) as running:
        yield running


async def shot_made(page: Page, shot: int) -> None:
    await page.done("create_pulse", tree="test", shot=shot)
    await page.done("build_tables", tree="TEST", shot=shot)


def said(answer: Response) -> str:
    words = answer.json["message"]
    assert isinstance(words, str)
    return words


def fields(answer: Response) -> list[str]:
    found = answer.json["fields"]
    assert isinstance(found, list)
    return [one["field"] for one in found]


def test_a_shot_is_driven_and_looked_at(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 1)
        report = await page.done("do_phase", tree="TEST", shot=1, phase="INIT", wait=True)
        run = report["run"]
        assert isinstance(run, dict)
        assert run["state"] == "ended"
        where = urlencode({"tree": "TEST", "shot": 1})
        at_one = f"{where}&path={quote(ONE)}"
        for path, has in (
            ("/api/status", b'"journal":"ok"'),
            ("/api/servers", b'"A:1"'),
            ("/api/shots?tree=TEST", b'"TEST"'),
            (f"/api/actions?{where}&phase=INIT", b"BROKEN"),
            ("/api/print_pending", b'"actions":[]'),
            (f"/api/show?{at_one}", b'"story"'),
            (f"/api/logs?{at_one}&attempt=1", b"first line"),
            (f"/api/wait?{where}&run=1", b'"run_report"'),
            (f"/api/check?{where}", b"BROKEN"),
            ("/api/snapshot?channel=servers", b'"snapshot"'),
            ("/api/monitor", b'"feed":"live"'),
        ):
            answer = await page.get(path)
            assert answer.status == 200, (path, answer)
            assert has in answer.body, (path, answer)
        download = await page.get(f"/api/logs.txt?{at_one}")
        assert download.body == b"first line\n"
        assert "attachment" in download.headers["Content-Disposition"]
        assert download.headers["Content-Type"].startswith("text/plain")

    on(stack, work)


def test_the_log_says_who_has_given_what_and_what_came_of_it(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await page.post("/api/create_pulse", {"tree": "NOPE", "shot": 77})

    on(stack, work)
    log = stack["monitor"].log_file.read_text()
    assert "somebody at 127.0.0.1 gives create_pulse NOPE/77" in log
    assert "refused: unknown experiment NOPE" in log


def test_an_action_that_failed_is_no_error_of_the_request(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 2)
        body = {"tree": "TEST", "shot": 2, "phase": "INIT", "wait": True}
        answer = await page.post("/api/do_phase", body)
        assert (answer.status, answer.json["outcome"]) == (200, "failed")
        again = await page.post("/api/dispatch", {"tree": "TEST", "shot": 2, "path": ONE})
        assert (again.status, again.json["outcome"]) == (200, "ok")

    on(stack, work)


@pytest.mark.parametrize(
    ("verb", "body", "has"),
    [
        ("create_pulse", {"tree": "NOPE", "shot": 1}, "unknown experiment NOPE"),
        ("build_tables", {"tree": "NOPE", "shot": 1}, "unknown experiment NOPE"),
        ("do_phase", {"tree": "TEST", "shot": 900, "phase": "INIT"}, "TEST/900"),
        ("do_phase", {"tree": "TEST", "shot": 3, "phase": "NOPE"}, "no phase NOPE"),
        ("dispatch", {"tree": "TEST", "shot": 3, "path": "NOPE"}, "no action NOPE"),
        ("show", {"tree": "TEST", "shot": 3, "path": "NOPE"}, "no action NOPE"),
        ("logs", {"tree": "TEST", "shot": 3, "path": "NOPE"}, "no action NOPE"),
        ("actions", {"tree": "TEST", "shot": 901}, "TEST/901"),
        ("wait", {"tree": "TEST", "shot": 3, "run": 99}, "no run 99"),
        ("server_stop", {"server": "NOPE:1"}, "no live server NOPE:1"),
        ("server_quit", {"server": "NOPE"}, "no live server NOPE"),
        ("server_restart", {"server": "NOPE"}, "no live server NOPE"),
        ("server_abort", {"server": "NOPE"}, "no live server NOPE"),
        ("snapshot", {"channel": "shot/TEST/902"}, "shot/TEST/902"),
    ],
)
def test_what_is_unknown_is_404(stack: Stack, verb: str, body: dict[str, object], has: str) -> None:
    async def work(page: Page) -> None:
        known = await page.get("/api/actions?tree=TEST&shot=3")
        if known.status == 404:
            await shot_made(page, 3)
        answer = await page.post(path_of(verb), body)
        assert (answer.status, answer.json["outcome"]) == (404, "refused"), answer
        assert has in said(answer)

    on(stack, work)


def test_what_may_not_be_done_now_is_409(stack: Stack) -> None:
    async def work(page: Page) -> None:
        await shot_made(page, 4)
        for verb, body, has in (
            ("create_pulse", {"tree": "TEST", "shot": 4}, "exists already"),
            ("resume", {"tree": "TEST", "shot": 4}, "no run is open"),
            ("hold", {"tree": "TEST", "shot": 4}, "no run is open"),
            ("abort_pending", {"tree": "TEST", "shot": 4}, "no run is open"),
            ("clear_url", {"url": "nowhere:8000"}, "nowhere:8000"),
        ):
            answer = await page.post(path_of(verb), body)
            assert answer.status in (404, 409), (verb, answer)
            assert answer.json["outcome"] == "refused"
            assert has in said(answer)

    on(stack, work)


BAD: dict[str, object] = {
    "tree": "not a name",
    "shot": "many",
    "phase": "",
    "path": "",
    "server": "a b",
    "url": "",
    "channel": "",
}
"""For each field of a command, what is not allowed there."""


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_names_the_field_that_is_wrong(stack: Stack, verb: str) -> None:
    async def work(page: Page) -> None:
        for field in VERBS[verb].__struct_fields__:
            if field in BAD:
                answer = await page.post(path_of(verb), {field: BAD[field]})
                assert (answer.status, answer.json["outcome"]) == (422, "usage"), answer
                assert field in fields(answer)
        for body in (b"{", b"[]", b'"x"', b"\xff\xfe", b"null"):
            answer = await page.post(path_of(verb), body)
            assert answer.status == 422, (body, answer)
        answer = await page.post(path_of(verb), {"no_such_field": 1})
        assert answer.status == 422
        assert "no_such_field" in fields(answer)

    on(stack, work)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_get_asks_and_never_changes(stack: Stack, verb: str) -> None:
    async def work(page: Page) -> None:
        answer = await page.get(f"{path_of(verb)}?no_such_field=1")
        assert answer.status == (422 if verb in GET_VERBS else 405), answer

    on(stack, work)


def test_half_a_shots_name_is_bad_input(stack: Stack) -> None:
    async def work(page: Page) -> None:
        for path in ("/api/actions?tree=TEST", "/api/actions?shot=3", "/api/check?reset=true"):
            answer = await page.get(path)
            assert answer.status == 422, (path, answer)
        answer = await page.get("/api/logs?tree=TEST&shot=3")
        assert fields(answer) == ["path"]
        answer = await page.get("/api/logs.txt?tree=TEST&shot=3&path=ONE&limit=5")
        assert fields(answer) == ["limit"]

    on(stack, work)


def test_what_is_no_text_or_said_twice_is_named(stack: Stack) -> None:
    async def work(page: Page) -> None:
        for path in ("/api/actions?tree=%ff%fe&shot=1", "/api/logs.txt?tree=T&tree=U&path=ONE"):
            answer = await page.get(path)
            assert (answer.status, fields(answer)) == (422, ["tree"]), answer

    on(stack, work)


NESTED = b"[" * 100_000
BODIES = (
    NESTED,
    b'{"tree":' + NESTED,
    b'{"tree":"T\\ud800","shot":1}',
    b'{"tree":"TEST","shot":1e400}',
    b'{"tree":"TEST","shot":NaN}',
    b'{"line":"\\u0000"}',
    b'{"line":"status \\u0000"}',
    b'{"text":"\\ud800"}',
    b"\x00" * 1_000,
)


def test_no_body_for_any_route_is_a_fault_or_changes_anything(stack: Stack) -> None:
    async def work(page: Page) -> None:
        before = (await page.get("/api/shots")).json["result"]
        reading = ("/api/status", "/api/servers", "/api/monitor")
        routes = [path_of(verb) for verb in VERBS if verb not in ("quit", "abort", "check")]
        for route in (*routes, "/api/log", "/api/server_command", "/api/command_line", *reading):
            for body in BODIES:
                answer = await page.post(route, body)
                assert 400 <= answer.status < 500, (route, body[:30], answer)
        assert (await page.get("/api/shots")).json["result"] == before

    on(stack, work)


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: \xff=\xfe\x01\r\n\r\n",
        b"POST /api/log HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999\r\n\r\nx",
        b"POST /api/log HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_get_an_error_or_nothing(stack: Stack, request_: bytes) -> None:
    with socket.create_connection(
        ("127.0.0.1", stack.config.monitor.port), timeout=DEADLINE_S
    ) as raw:
        raw.sendall(request_)
        raw.shutdown(socket.SHUT_WR)
        try:
            answer = raw.recv(4096)
        except ConnectionResetError:  # it does not read what is too much
            answer = b""
    assert not answer or answer.startswith(b"HTTP/1.1 4")

    async def work(page: Page) -> None:
        assert (await page.get("/healthz")).status == 200

    on(stack, work)


def test_paths_and_methods_that_are_none(stack: Stack) -> None:
    async def work(page: Page) -> None:
        for path in ("/api/nope", "/api/", "/nope", "/static/nope.js", "/static/../app.py"):
            answer = await page.get(path)
            assert answer.status in (403, 404), (path, answer)
        answer = await page.request("DELETE", "/api/status", None, {})
        assert answer.status in (403, 405)

    on(stack, work)


# Who may ask


@pytest.mark.parametrize(
    "name", ["%00", "main.js%00", "%ED%B2%80", "%80", "a" * 5000, "%2e%2e%2fapp.py", "%0a", "css"]
)
@pytest.mark.parametrize("folder", ["/static/", "/docs/static/"])
def test_a_file_that_cannot_be_there_is_a_plain_refusal(
    stack: Stack, folder: str, name: str
) -> None:
    async def work(page: Page) -> None:
        answer = await page.get(folder + name)
        assert 400 <= answer.status < 500

    log = stack["monitor"].log_file
    before = log.stat().st_size
    on(stack, work)
    assert b"Traceback" not in log.read_bytes()[before:]


def test_a_foreign_page_may_neither_look_nor_change(stack: Stack) -> None:
    async def work(page: Page) -> None:
        foreign = {"Origin": "http://evil.example"}
        assert (await page.get("/api/status", foreign)).status == 403
        answer = await page.post("/api/quit", {}, foreign)
        assert (answer.status, answer.json["outcome"]) == (403, "refused")
        renamed = {"Host": "evil.example"}
        assert (await page.get("/api/status", renamed)).status == 403
        assert (await page.post("/api/quit", {}, renamed)).status == 403
        known = {"Host": "control-room.example"}
        assert (await page.get("/api/status", known)).status == 200

    on(stack, work)


def test_a_browser_needs_the_pages_token(stack: Stack) -> None:
    async def work(page: Page) -> None:
        first = await page.get("/")
        assert first.status == 200
        cookie = first.headers["Set-Cookie"].partition(";")[0]
        token = cookie.removeprefix("_xsrf=")
        own = {"Origin": f"http://127.0.0.1:{page.port}", "Cookie": cookie}
        body = {"level": "info", "text": "from a browser"}
        assert (await page.post("/api/log", body, own)).status == 403
        wrong = own | {"X-XSRFToken": "x" * len(token)}
        assert (await page.post("/api/log", body, wrong)).status == 403
        right = own | {"X-XSRFToken": token}
        assert (await page.post("/api/log", body, right)).status == 200
        plain = right | {"Content-Type": "text/plain"}
        assert (await page.post("/api/log", body, plain)).status == 403

    on(stack, work)


# The site's script, and custom commands


def test_the_script_gets_an_argument_list(stack: Stack) -> None:
    async def work(page: Page) -> None:
        body = {"server_class": "A", "command": "STATUS", "server_id": "1"}
        answer = await page.post("/api/server_command", body)
        assert answer.status == 200
        assert answer.json["output"] == "class A command STATUS id 1\nto standard error\n"
        assert answer.json["exit_code"] == 0
        body = {"server_class": "A", "command": "STOP"}
        assert (await page.post("/api/server_command", body)).json["exit_code"] == 7
        # What it leaves running in the background is not waited for.
        body = {"server_class": "A", "command": "START"}
        answer = await page.post("/api/server_command", body)
        assert (answer.json["exit_code"], answer.json["timed_out"]) == (0, False)
        body = {"server_class": "A", "command": "KILL"}
        answer = await page.post("/api/server_command", body)
        assert (answer.json["exit_code"], answer.json["timed_out"]) == (None, True)

    on(stack, work)


def test_the_script_is_not_run_for_anything_else(stack: Stack) -> None:
    async def work(page: Page) -> None:
        body: dict[str, object] = {"server_class": "UNKNOWN", "command": "START"}
        assert (await page.post("/api/server_command", body)).status == 404
        for bad in (
            {"server_class": "A; reboot", "command": "START"},
            {"server_class": "--help", "command": "START"},
            {"server_class": "A", "command": "REBOOT"},
            {"server_class": "A", "command": "START", "server_id": "$(reboot)"},
            {"command": "START"},
        ):
            answer = await page.post("/api/server_command", bad)
            assert answer.status == 422, (bad, answer)

    on(stack, work)


def test_any_line_of_the_command_line_is_answered(stack: Stack) -> None:
    async def work(page: Page) -> None:
        answer = await page.post("/api/command_line", {"line": "shotline servers"})
        assert answer.status == 200
        assert answer.json["exit_code"] == 0
        assert "A:1" in str(answer.json["output"])
        answer = await page.post("/api/command_line", {"line": "do-phase --nonsense"})
        assert answer.json["exit_code"] == 1
        assert "nonsense" in str(answer.json["output"])
        answer = await page.post("/api/command_line", {"line": "status; echo $HOME | cat"})
        assert answer.json["exit_code"] == 1
        for bad, status in (
            ({"line": "status 'unfinished"}, 409),
            ({"line": "up"}, 409),
            ({"line": "--timeout 5 demo"}, 409),
            ({"line": "--config FILE up"}, 409),
            ({"line": "shotline"}, 409),
            ({"line": ""}, 422),
            ({}, 422),
        ):
            assert (await page.post("/api/command_line", bad)).status == status, bad

    on(stack, work)


def test_a_test_message_is_checked(stack: Stack) -> None:
    async def work(page: Page) -> None:
        for bad, field in (
            ({"level": "loud", "text": "x"}, "level"),
            ({"level": "info"}, "text"),
            ({"level": "info", "text": ""}, "text"),
        ):
            answer = await page.post("/api/log", bad)
            assert (answer.status, fields(answer)) == (422, [field])

    on(stack, work)


# For machines


def test_the_document_and_its_page_are_served_from_here(stack: Stack) -> None:
    async def work(page: Page) -> None:
        document = (await page.get("/api/openapi.json")).json
        assert document["openapi"] == "3.1.0"
        committed = Path(__file__).parents[2] / "docs" / "openapi.json"
        assert document == json.loads(committed.read_text(encoding="utf-8"))
        docs = await page.get("/docs")
        assert docs.status == 200
        assert b"http://" not in docs.body
        assert b"https://" not in docs.body
        for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
            assert name.encode() in docs.body
            assert (await page.get(f"/docs/static/{name}")).status == 200

    on(stack, work)


def test_health_readiness_and_metrics(stack: Stack) -> None:
    async def work(page: Page) -> None:
        assert (await page.get("/healthz")).status == 200
        assert (await page.get("/readyz")).status == 200
        text = (await page.get("/metrics")).body.decode()
        assert "shotline_monitor_feed_up 1.0" in text
        assert 'shotline_servers{state="ON"} 1.0' in text
        labels = {
            line.partition("{")[2].partition("=")[0] for line in text.splitlines() if "{" in line
        }
        assert labels <= {"state", "category", "method", "version"}

    on(stack, work)
