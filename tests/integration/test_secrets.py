"""No password of Redis is anywhere but in its file; and what we write has modes that say who."""

import contextlib
import os
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest
import redis
from tests.support.faults import Pulse, action, experiment, journal_is, shotline_command
from tests.support.ports import free_ports
from tests.support.processes import processes_of
from tests.support.redis_site import Process, secret_file
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.client.local.demo import write_config
from shotline.common.settings.config import check_config, load_config

OURS, OLD, WRONG = ("pw-of-the-journal-5b1e", "pw-of-old-programs-c07d", "pw-that-is-wrong-88aa")
SECRETS = (OURS, OLD, WRONG)


class Listener:
    """Hears with MONITOR all that a Redis is told."""

    def __init__(self, server: Process, password: str) -> None:
        self.heard: list[str] = []
        self._client = server.client(password=password)
        self._monitor = self._client.monitor()
        self._monitor.__enter__()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with contextlib.suppress(redis.RedisError, OSError, ValueError):
            for told in self._monitor.listen():
                self.heard.append(str(told))


Site = tuple[Stack, Process, Process]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """All daemons on two Redis servers with passwords: one from a file, one a credential."""
    ports = free_ports(3)
    servers = []
    for name, port, password in (("ours", ports[0], OURS), ("old", ports[1], OLD)):
        lines = f"port {port}\nrequirepass {password}\nslowlog-log-slower-than 0\n"
        servers.append(Process(tmp_path / name, port, f"{lines}appendonly yes\n"))
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    secret_file(credentials / "legacy_redis_password", OLD)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    stack = Stack(
        tmp_path,
        ("A:1",),
        {"TEST": experiment(tmp_path, action("ONE", "A", 1))},
        {
            "redis": {
                "url": f"redis://127.0.0.1:{ports[0]}/0",
                "password_file": str(secret_file(tmp_path / "password", OURS)),
                "retry_s": 0.1,
            },
            "legacy": {"redis_url": f"redis://127.0.0.1:{ports[1]}/0"},
            "monitor": {"port": ports[2]},
            "up": {"daemons": ["broker", "dispatcher", "monitor", "legacy"]},
        },
    )
    with servers[0], servers[1], stack:
        yield stack, servers[0], servers[1]


def told_everywhere(stack: Stack, folder: Path) -> dict[str, str]:
    """Return what anybody can see, by where it is seen."""
    told = {}
    for process in processes_of(folder):
        with contextlib.suppress(psutil.Error):
            told[f"cmdline of {process.pid}"] = str(process.cmdline())
            told[f"environ of {process.pid}"] = str(process.environ())
    left_out = {"password", "legacy_redis_password", "redis.conf"}
    for file in folder.rglob("*"):
        if file.is_file() and file.name not in left_out:
            told[str(file)] = file.read_bytes().decode(errors="replace")
    for words in (["status"], ["--json", "status"], ["servers"], ["--json", "shots"]):
        told[f"shotline {words}"] = shotline_command(stack, *words)[1]
    page = stack.config.monitor.page
    for path in ("", "api/status", "metrics"):
        request = Request(f"{page}{path}", headers={"Accept": "application/json"})
        with urlopen(request, timeout=DEADLINE_S) as answer:
            told[f"page {path}"] = answer.read().decode()
    config = stack.config
    told["configuration"] = f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"
    told["check-config"] = str(check_config(stack.config_file, {}))
    return told


def told_by_redis(server: Process, password: str, listener: Listener) -> dict[str, str]:
    """Return what a Redis remembers of what it was told."""
    told = {"MONITOR": "\n".join(listener.heard)}
    with server.client(password=password) as client:
        for words in (
            ("SLOWLOG", "GET", "1000"),
            ("ACL", "LOG"),
            ("CLIENT", "LIST"),
            ("INFO", "everything"),
        ):
            told[" ".join(words)] = str(client.execute_command(*words))
    return {f"{where} of {server.port}": text for where, text in told.items()}


def cut_off(server: Process, password: str) -> None:
    """Close the connections of our daemons there."""
    with server.client(password=password) as client:
        for one in client.client_list():
            if one["name"].startswith("shotline"):
                client.client_kill_filter(_id=one["id"])


@pytest.mark.slow
def test_passwords_are_nowhere_but_in_their_files(site: Site, tmp_path: Path) -> None:
    stack, ours, old = site
    assert stack.config.redis.password_file is not None
    password = stack.config.redis.password_file
    listeners = [Listener(ours, OURS), Listener(old, OLD)]
    pulse = Pulse(stack)
    pulse.begin().result()
    status = stack.wait_until(journal_is("ok"))
    assert status.term == 1

    # Wrong, readable by others, and gone: each is told in words, and put right it goes on.
    for text, mode, words in (
        (WRONG, 0o600, "invalid username-password pair"),
        (OURS, 0o644, "(mode 0644)"),
        ("", 0o600, "is empty"),
    ):
        password.chmod(0o600)
        password.write_text(text)
        password.chmod(mode)
        cut_off(ours, OURS)
        told = stack.wait_until(lambda status: words in status.journal_text)  # noqa: B023
        assert told.journal == "degraded"
    password.write_text(OURS)
    stack.wait_until(journal_is("ok"))
    with old.client(password=OLD) as client:
        client.config_set("requirepass", WRONG)
    cut_off(old, WRONG)
    eventually(lambda: "invalid username-password" in stack["legacy"].log_file.read_text())
    with old.client(password=WRONG) as client:
        client.config_set("requirepass", OLD)
    for daemon in stack.daemons.all:
        daemon.signal(signal.SIGHUP)
    eventually(lambda: "SIGHUP" in stack["legacy"].log_file.read_text())

    told = told_everywhere(stack, tmp_path)
    told |= told_by_redis(ours, OURS, listeners[0]) | told_by_redis(old, OLD, listeners[1])
    assert len([where for where in told if where.startswith("cmdline")]) >= 5
    assert "EVALSHA" in told[f"MONITOR of {ours.port}"].upper()
    found = [
        (where, secret) for where, text in told.items() for secret in SECRETS if secret in text
    ]
    assert found == []


@pytest.fixture
def generous() -> Iterator[None]:
    """Let what is made without a mode of its own be for everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("generous")
def test_what_the_daemons_write_has_modes_that_say_who(tmp_path: Path) -> None:
    settings = {
        "up": {"daemons": ["broker", "dispatcher", "monitor"]},
        "monitor": {"port": free_ports(1)[0]},
        "logging": {"file": "log/{program}.log"},
    }
    file = experiment(tmp_path, action("ONE", "A", 1))
    with Stack(tmp_path, ("A:1",), {"TEST": file}, settings) as stack:
        pulse = Pulse(stack)
        pulse.begin().result()
        stack.redis.kill()
        stack.wait_until(journal_is("degraded"))
        pulse.begin().result()
        data = stack.config.data_folder
        tasks = data / "pulses"  # what tasks write is the site's
        modes = {
            str(path.relative_to(data)): stat.S_IMODE(path.stat().st_mode)
            for path in data.rglob("*")
            if tasks not in (path, *path.parents)
        }
        assert stat.S_IMODE(data.stat().st_mode) == 0o750
    logs = [name for name in modes if name.endswith(".log")]
    assert {Path(name).stem for name in logs} >= {"redis", "broker", "dispatcher", "A-1"}
    assert {modes.pop(name) for name in logs} == {0o640}
    assert modes.pop("log") == 0o750
    assert {"journal.spill", "redis/password"} < set(modes)
    assert {name: oct(mode) for name, mode in modes.items() if mode not in (0o600, 0o700)} == {}


@pytest.mark.usefixtures("generous")
def test_the_demos_configuration_is_its_users_alone(tmp_path: Path) -> None:
    file = tmp_path / "demo" / "config.yaml"
    file.parent.mkdir()
    file.write_text("of other times")
    assert write_config(file.parent) == file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_config(file).redis.url is None
