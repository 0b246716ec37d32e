"""Text that would be more than text: through every text field, into logs, terminals and programs.

What the page makes of it is seen in `tests/browser`, what `server_command.sh` does with its
arguments in `test_systemd.py`.
"""

import getpass
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml
from tests.support.monitor import Page, on, with_monitor
from tests.support.stack import DEADLINE_S, Stack

from shotline.client.supervisor import Supervisor
from shotline.common.commands import VERBS
from shotline.monitor.http.route import path_of
from shotline.monitor.models import CommandLineRequest, LogRequest, ServerCommandRequest

EVIL = (
    "x'$(touch pwned)`touch pwned`;touch pwned|\x1b[2J\x07\r\nFORGED all is well\u202e\x9b2K<b>\""
)
GOOD: dict[str, object] = {
    "tree": "TEST",
    "shot": 1,
    "phase": "INIT",
    "first": 1,
    "last": 2,
    "path": "ONE",
    "server": "A:1",
    "url": "mdsip://nobody:1",
    "channel": "servers",
    "values": {"ONE": 1},
    "key": "a key",
    "act": "open",
    "mode": "deferred",
    "uid": "nobody",
    "uids": ["nobody"],
    "plans": [{"experiment": "TEST"}],
    "plan": {"experiment": "TEST"},
    "function": "module:function",
    "groups": {},
    "reason": "",
}
TEXTS = [
    (verb, field.name)
    for verb, kind in VERBS.items()
    if verb != "quit"
    for field in msgspec.structs.fields(kind)
    if "str" in str(field.type)
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("injection")
    task = {"shell": ["sh", "-c", 'printf "%s\\n" "$1"; exit 1', "task", EVIL]}
    experiment = {
        "experiment": "TEST",
        "phases": {"INIT": 1},
        "actions": [
            {"path": "ONE", "server_class": "A", "phase": "INIT", "when": 1, "task": task},
            {
                "path": "TWO",
                "server_class": "A",
                "phase": "INIT",
                "when": 2,
                "task": {"python": f"{__name__}:fail"},
            },
        ],
    }
    file = folder / "experiment.yaml"
    file.write_text(yaml.safe_dump(experiment))
    with with_monitor(folder, ("A:1",), {"TEST": file}) as running:
        with running.supervisor() as shotline:
            shotline.create_pulse("TEST", 1)
            shotline.build_tables("TEST", 1)
            shotline.do_phase("INIT", "TEST", 1)
        yield running
        assert_nothing_happened(running)


def fail() -> None:
    """Be a task whose reason is more than a reason."""
    raise RuntimeError(EVIL)


def assert_nothing_happened(stack: Stack) -> None:
    """Look into the logs of all daemons, and for what a shell would have made."""
    assert not list(stack.folder.rglob("pwned"))
    assert not Path("pwned").exists()
    assert not (Path.home() / "pwned").exists()
    logs = list((stack.folder / "var" / "log").glob("*.log"))
    assert len(logs) >= 4
    for log in logs:
        assert_is_text(log.read_text(encoding="utf-8"))


def assert_is_text(text: str) -> None:
    assert all(one.isprintable() or one == "\n" for one in text)
    assert not any(line.startswith("FORGED") for line in text.split("\n"))


def command_line(stack: Stack, *words: str) -> str:
    """Run `shotline` and return what it has shown."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "shotline.client.cli"),
            *("--broker", stack.config.broker.clients, *words),
        ],
        cwd=stack.folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode in (0, 1, 2, 5), done
    return done.stdout + done.stderr


@pytest.mark.parametrize(("verb", "field"), TEXTS)
def test_a_field_of_a_command_is_text(stack: Stack, verb: str, field: str) -> None:
    types = {one.name: str(one.type) for one in msgspec.structs.fields(VERBS[verb])}
    needed = {one.name for one in msgspec.structs.fields(VERBS[verb]) if one.required}
    body = {name: GOOD.get(name, EVIL) for name in needed}
    if field in ("path", "phase"):
        body |= {"tree": "TEST", "shot": 1} if "tree" in VERBS[verb].__struct_fields__ else {}
    length = 64 if field == "phase" else len(EVIL)

    async def work(page: Page) -> None:
        for evil in (EVIL[:length], EVIL[:length].replace("x", "\0", 1)):
            said: object = evil
            if "dict" in types[field]:
                said = {evil: evil}
            elif "tuple" in types[field]:
                said = [evil]
            answer = await page.post(path_of(verb), body | {field: said})
            assert answer.status in (200, 404, 409, 422), answer

    on(stack, work)


@pytest.mark.parametrize(
    ("route", "model"),
    [
        ("log", LogRequest),
        ("server_command", ServerCommandRequest),
        ("command_line", CommandLineRequest),
    ],
)
def test_a_field_of_the_page_s_own_is_text(stack: Stack, route: str, model: type) -> None:
    good: dict[str, object] = {"level": "info", "text": "x", "server_class": "A"}
    good |= {"command": "STATUS", "line": "status"}
    fields = model.__pydantic_fields__
    body = {name: good[name] for name in fields if name in good}

    async def work(page: Page) -> None:
        for name in fields:
            answer = await page.post(f"/api/{route}", body | {name: EVIL})
            assert answer.status in (200, 409, 422), answer

    on(stack, work)


def test_what_a_request_says_of_itself_is_text(stack: Stack) -> None:
    header = EVIL.replace("\r\n", " ").replace("\x07", "").replace("\x1b", "")
    header = header.encode("ascii", "replace").decode()

    async def work(page: Page) -> None:
        for name in ("Host", "Origin", "X-Remote-User", "Authorization", "Cookie", "User-Agent"):
            answer = await page.post("/api/abort", {}, {name: header})
            assert answer.status in (200, 400, 401, 403), answer
        assert (await page.get("/%0d%0aFORGED%1b[2J")).status == 404
        login = await page.post("/api/login", {"user": EVIL, "password": EVIL})
        assert login.status in (401, 409, 422)

    on(stack, work)


def test_who_gives_a_command_is_text(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: EVIL)
    with Supervisor(stack.config.broker.clients, on_behalf_of=EVIL) as shotline:
        shotline.abort()
        (line,) = shotline.audit(limit=1).lines
    assert (line.who, line.program[: len(EVIL)]) == (EVIL, EVIL), "kept as it was said"


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "-n", "10000"),
        ("show", "ONE", "TEST", "1"),
        ("show", "TWO", "TEST", "1"),
        ("logs", "ONE", "TEST", "1"),
        ("actions", "TEST", "1"),
        ("check", "TEST", "1"),
        ("status",),
        ("servers",),
        ("abort", "TEST", "1", EVIL.replace("\0", "")),
        ("do-phase", EVIL[:64]),
        ("clear-url", EVIL),
        ("snapshot", EVIL),
        ("audit", "--who", EVIL, "--verb", EVIL),
        ("audit", "--shot", EVIL),
        ("audit", "--since", EVIL),
        (EVIL,),
    ],
    ids=lambda words: words[0][:9],
)
def test_a_terminal_shows_text(stack: Stack, words: tuple[str, ...]) -> None:
    assert_is_text(command_line(stack, *words))


def test_a_program_reads_json(stack: Stack) -> None:
    shown = command_line(stack, "show", "TWO", "TEST", "1", "--json")
    assert len(shown.splitlines()) == 1
    assert "FORGED all is well" in json.dumps(json.loads(shown))
