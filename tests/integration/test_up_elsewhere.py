"""`shotline up` where something of its configuration runs already: adopted, or refused in words."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml
from tests.support.processes import processes_of
from tests.support.stack import DEADLINE_S, Stack, eventually
from tests.support.up import asked, pids, read_until, shotline, up_stack

from shotline.client.local.redis_server import find_redis_binary
from shotline.common.views import StatusResult


@contextmanager
def daemon(module: str, *words: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a daemon as somebody would by hand."""
    with (folder / f"{module}.out").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", f"shotline.{module}", *words], cwd=folder, stderr=said
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def refused(folder: Path, config: Path) -> str:
    """Run an `up` that does not come up; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "shotline.client.cli", "--config", str(config), "up"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * DEADLINE_S,
    )
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def servers_alive(stack: Stack, *names: str) -> StatusResult:
    return stack.wait_until(
        lambda status: {one.server for one in status.servers if one.liveness == "alive"} >= {*names}
    )


def test_a_second_up_is_refused_with_the_process_of_the_first(tmp_path: Path) -> None:
    config = up_stack(tmp_path, "A:1").config_file
    another = tmp_path / "another.yaml"
    another.write_text(config.read_text())
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        before = pids(config)
        for file in (config, another):
            assert f"another `shotline up` (process {up.pid})" in refused(tmp_path, file)
        assert pids(config) == before


def test_what_stands_by_itself_is_used_and_stays(tmp_path: Path) -> None:
    stack = up_stack(tmp_path, "A:1", "A:2")
    config, broker = stack.config_file, stack.config.broker.servers
    with (
        daemon("broker", "--config", config.name, folder=tmp_path) as by_hand,
        daemon("action_server", "A", "2", broker.removeprefix("tcp://"), folder=tmp_path) as server,
        shotline(tmp_path, "--config", str(config), "up") as up,
    ):
        said = read_until(up, "all are up")
        assert f"found broker (process {by_hand.pid}, started elsewhere)" in said
        assert f"found A:2 (process {server.pid}, started elsewhere)" in said
        servers_alive(stack, "A:1", "A:2")
        code, said = asked(config, "restart", "broker")
        assert code == 2
        assert f"process {by_hand.pid}, which was started elsewhere: end it there" in said

        server.kill()
        assert "it was started elsewhere" in read_until(up, "LOST  A:2")
        server.wait()
        assert asked(config, "start", "A:2")[0] == 0  # from now on one of its own
        assert asked(config, "restart", "A:2")[0] == 0
        servers_alive(stack, "A:1", "A:2")
        up.send_signal(signal.SIGTERM)
        out, _ = up.communicate(timeout=DEADLINE_S)
        assert up.returncode == 0, out
        assert "ended A:2" in out
        assert "ended broker" not in out
        assert by_hand.poll() is None


def test_what_was_started_elsewhere_meanwhile_is_not_started_twice(tmp_path: Path) -> None:
    stack = up_stack(tmp_path, "A:1")
    config, broker = stack.config_file, stack.config.broker.servers
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        assert asked(config, "stop", "A:1")[0] == 0
        with daemon("action_server", "A", "1", broker, folder=tmp_path) as server:
            servers_alive(stack, "A:1")
            code, said = asked(config, "start", "A:1")
            assert code == 0
            assert f"found A:1 (process {server.pid}, started elsewhere)" in said
            assert pids(config)["A:1"] == server.pid


def test_a_server_that_the_broker_does_not_take_is_told_with_its_words(tmp_path: Path) -> None:
    stack = up_stack(tmp_path, "A:1")
    port = stack.config.broker.servers.rpartition(":")[2]
    config = stack.config_file
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        assert asked(config, "stop", "A:1")[0] == 0
        # By another address of the broker's, as from another machine.
        with daemon("action_server", "A", "1", f"localhost:{port}", folder=tmp_path):
            servers_alive(stack, "A:1")
            asked(config, "start", "A:1")
            said = read_until(up, "LOST  A:1")
            assert "exit status 69" in said
            assert "A:1 is in use by" in said


def listening(port: int) -> socket.socket:
    other = socket.socket()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind(("127.0.0.1", port))
    other.listen()
    return other


@pytest.mark.parametrize("key", ["broker.servers", "monitor.port", "redis.port"])
def test_an_address_in_use_is_refused_before_anything_is_started(tmp_path: Path, key: str) -> None:
    stack = up_stack(tmp_path, "A:1")
    section, _, name = key.partition(".")
    value = str(getattr(getattr(stack.config, section), name))
    with listening(int(value.rpartition(":")[2])):
        said = refused(tmp_path, stack.config_file)
        assert f"({key}) is in use by process {os.getpid()}" in said
        assert "end that one first" in said
        assert "up    " not in said
    with shotline(tmp_path, "--config", str(stack.config_file), "up") as up:
        read_until(up, "all are up")


def test_files_in_use_are_addresses_too(tmp_path: Path) -> None:
    file = tmp_path / "clients"
    settings = {"broker": {"clients": f"ipc://{file}"}, "up": {"daemons": ["broker"]}}
    stack = up_stack(tmp_path, settings=settings)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(file))
        other.listen()
        assert f"in use by process {os.getpid()}" in refused(tmp_path, stack.config_file)
    with shotline(tmp_path, "--config", str(stack.config_file), "up") as up:
        read_until(up, "all are up")  # the file alone is in nobody's use


def test_a_dispatcher_with_this_spill_file_is_in_the_way(tmp_path: Path) -> None:
    stack = up_stack(tmp_path)
    another = tmp_path / "another.yaml"
    another.write_text(stack.config_file.read_text())
    spill = stack.config.journal.spill_file
    with daemon("dispatcher", "--config", str(another), folder=tmp_path) as dispatcher:
        eventually(spill.exists)
        said = refused(tmp_path, stack.config_file)
        assert f"process {dispatcher.pid} (" in said
        assert f"uses the spill file {spill}" in said


def test_a_redis_server_in_our_folder_is_in_the_way(tmp_path: Path) -> None:
    stack = up_stack(tmp_path, settings={"up": {"stop_s": 1.0}})
    stack.redis.start()
    try:
        said = refused(tmp_path, stack.config_file)
        assert f"uses the folder {stack.redis.folder} already, process {stack.redis.pid}" in said
        assert f"`url: {stack.redis.url}`" in said
        assert f"`password_file: {stack.redis.password_file}` under `redis`" in said
        settings = yaml.safe_load(stack.config_file.read_text())
        settings["redis"] |= {  # as it was told
            "url": stack.redis.url,
            "password_file": str(stack.redis.password_file),
        }
        stack.config_file.write_text(yaml.safe_dump(settings))
        with shotline(tmp_path, "--config", str(stack.config_file), "up") as up:
            read_until(up, "all are up")
    finally:
        stack.redis.stop()
    assert find_redis_binary().name in said


def test_what_ends_with_another_program_is_not_built_on(tmp_path: Path) -> None:
    stack = up_stack(tmp_path, "A:1", settings={"up": {"daemons": ["broker"]}})
    stack.broker.start()
    try:
        said = refused(tmp_path, stack.config_file)
        assert f"broker runs as process {stack.broker.pid} and ends with process" in said
        assert f"process {os.getpid()}" in said
    finally:
        stack.broker.stop()


def test_what_an_up_that_was_killed_has_left_is_ended_before_the_next(tmp_path: Path) -> None:
    stack = up_stack(tmp_path, "A:1", settings={"up": {"stop_s": 2.0}})
    config = stack.config_file
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        server = psutil.Process(pids(config)["A:1"])
        server.suspend()
        up.kill()
        up.wait()
        with shotline(tmp_path, "--config", str(config), "up") as second:
            read_until(second, "all are up")
            assert pids(config)["A:1"] != server.pid
            second.kill()
            second.wait()
            with shotline(tmp_path, "--config", str(config), "up") as third:  # at once
                read_until(third, "all are up")
                third.send_signal(signal.SIGTERM)
                assert third.wait(DEADLINE_S) == 0
                assert processes_of(tmp_path) == []
