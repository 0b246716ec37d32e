"""A running `shotline up` is asked: by another terminal, by its own, by the page."""

import os
import pty
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.support.monitor import Json, Page, on
from tests.support.processes import processes_of
from tests.support.stack import DEADLINE_S, Stack, eventually
from tests.support.up import asked, pids, read_until, shotline, up_stack

from shotline.client.local.link import ask_up
from shotline.common.messages import Outcome
from shotline.common.views import StatusResult

SCRIPT = """#!/bin/sh
echo "site: $*"
"""


def incarnations(stack: Stack, *before: str) -> dict[str, str]:
    """Return the lives of all servers, once none of them is one of `before`."""

    def all_alive(status: StatusResult) -> bool:
        alive = {
            one.server
            for one in status.servers
            if one.liveness == "alive" and one.incarnation not in before
        }
        return alive >= {daemon.name for daemon in stack.daemons.servers}

    status = stack.wait_until(all_alive)
    return {one.server: one.incarnation for one in status.servers}


def processes(folder: Path, *words: str) -> list[psutil.Process]:
    """Return the processes of a folder whose command line ends with these words."""
    found = []
    for one in processes_of(folder):
        command = one.cmdline()
        place = command.index("-m") + 1 if "-m" in command else len(command)
        if tuple(command[place : place + len(words)]) == words:
            found.append(one)
    return found


def test_what_was_lost_is_started_again_on_request_and_nothing_twice(tmp_path: Path) -> None:
    stack = up_stack(tmp_path, "A:1", "A:2")
    config = stack.config_file
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        before, lives = pids(config), incarnations(stack)
        assert set(before) == {"redis", "broker", "dispatcher", "monitor", "A:1", "A:2"}
        socket = tmp_path / "var" / "up.sock"
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        lost = ("redis", "broker", "dispatcher", "A:1")
        for name in lost:
            os.kill(before[name], signal.SIGKILL)
            assert f"`shotline up start {name}` starts it again" in read_until(up, f"LOST  {name}")
        code, said = asked(config, "status")
        assert code == 3
        assert all(f"{name} does not run" in said for name in lost)

        code, said = asked(config, "start")
        assert code == 0, said
        assert [line.split()[1] for line in said.splitlines()] == list(lost)
        after = pids(config)
        assert {name for name in before if after[name] != before[name]} == set(lost)
        again = incarnations(stack)
        assert again["A:1"] != lives["A:1"]
        assert again["A:2"] == lives["A:2"]
        assert asked(config, "start") == (0, "all run already\n")
        code, said = asked(config, "start", "A:2")
        assert (code, said) == (0, f"A:2 runs already (process {before['A:2']})\n")
        assert len(processes(tmp_path, "shotline.action_server", "A", "2")) == 1

        up.send_signal(signal.SIGTERM)
        out, _ = up.communicate(timeout=DEADLINE_S)
        assert up.returncode == 0, out  # all were there again


def test_a_server_is_restarted_stopped_and_killed_on_request(tmp_path: Path) -> None:
    stack = up_stack(tmp_path, "A:1", "A:2")
    config = stack.config_file
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        before, lives = pids(config), incarnations(stack)
        code, said = asked(config, "restart", "A")
        assert code == 0
        assert said.count("ended A:") == said.count("up    A:") == 2
        assert incarnations(stack, *lives.values()).keys() == lives.keys()
        assert asked(config, "stop", "A:1")[0] == 0
        assert asked(config, "kill", "A:2")[0] == 0
        assert asked(config, "status", "A:2") == (3, "A:2 does not run (stopped by request)\n")
        assert {name for name in before if name not in pids(config)} == {"A:1", "A:2"}
        for words in (("restart",), ("explode", "A:1"), ("stop", "A:1", "A:2"), ("stop", "a b")):
            code, said = asked(config, *words)
            assert code == 1, said
            assert "restart NAME" in said
        code, said = asked(config, "restart", "A:7")
        assert code == 2
        assert "has no A:7; it has redis, broker, dispatcher, monitor, A:1, A:2" in said
        up.send_signal(signal.SIGTERM)
        out, _ = up.communicate(timeout=DEADLINE_S)
        assert up.returncode == 0, out  # what was stopped on request was not lost
        assert "LOST" not in out
    code, said = asked(config, "status")
    assert code == 3
    assert "no `shotline up` runs" in said


def test_a_start_that_fails_is_told_and_may_be_tried_again(tmp_path: Path) -> None:
    stack = up_stack(tmp_path, "A:1", settings={"up": {"daemons": ["broker"]}})
    config = stack.config_file
    good = config.read_text()
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        os.kill(pids(config)["broker"], signal.SIGKILL)
        read_until(up, "LOST  broker")
        config.write_text("nonsense: 1\n")
        said: list[str] = []  # the command line would refuse the file itself
        outcome = ask_up(stack.config.data_folder, "start broker", said.append, DEADLINE_S)
        assert outcome is Outcome.REFUSED
        assert "broker was not started: broker ended with exit status" in said[0]
        assert "nonsense" in said[0]
        config.write_text(good)
        assert asked(config, "start", "broker")[0] == 0
        up.send_signal(signal.SIGTERM)
        assert up.wait(DEADLINE_S) == 0


def test_a_signal_breaks_off_what_was_asked_for(tmp_path: Path) -> None:
    stack = up_stack(tmp_path)
    config = stack.config_file
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        redis = psutil.Process(pids(config)["redis"])
        redis.suspend()  # a dispatcher does not serve without it
        asking = subprocess.Popen(
            [
                *(sys.executable, "-m", "shotline.client.cli", "--config", str(config)),
                *("up", "restart", "dispatcher"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        read_until(up, "ended dispatcher")
        eventually(lambda: len(processes(tmp_path, "shotline.dispatcher")) == 1)
        up.send_signal(signal.SIGINT)
        read_until(up, "broken off")
        redis.resume()
        out, _ = up.communicate(timeout=DEADLINE_S)
        told, _ = asking.communicate(timeout=DEADLINE_S)
        assert asking.returncode == 4
        assert "broken off" in told
        assert "ended redis" in out
        assert processes_of(tmp_path) == []


def test_what_is_typed_where_it_runs_is_done(tmp_path: Path) -> None:
    config = up_stack(tmp_path, "A:1", settings={"up": {"daemons": ["broker"]}}).config_file
    pid, terminal = pty.fork()
    if pid == 0:
        words = (sys.executable, "-m", "shotline.client.cli", "--config", str(config), "up")
        os.execv(sys.executable, words)
    said = ""

    def until(text: str) -> None:
        nonlocal said
        while text not in said:
            said += os.read(terminal, 4096).decode()
        said = said.partition(text)[2]

    try:
        until("all are up")
        (server,) = processes(tmp_path, "shotline.action_server", "A", "1")
        server.kill()
        until("LOST  A:1")
        os.write(terminal, b"start A:1\n")
        until("up    A:1")
        os.write(terminal, b"status\n")
        until("A:1 runs")
        os.write(terminal, b"what now\n")
        until("possible is: start [NAME]")
        os.write(terminal, b"\x03")
        until("ended broker")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        os.close(terminal)
        for left in processes_of(tmp_path):
            left.kill()


@pytest.fixture
def systemctl(tmp_path: Path) -> dict[str, str]:
    """Return an environment whose systemctl says how it was called."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "systemctl $*"\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


def test_the_page_starts_and_restarts_servers_of_up(
    tmp_path: Path, systemctl: dict[str, str]
) -> None:
    stack = up_stack(tmp_path, "A:1", "A:2", settings={"monitor": {"expected_servers": ["B:1"]}})
    config = stack.config_file

    async def work(page: Page) -> None:
        async def command(server_class: str, verb: str, server_id: str | None = None) -> Json:
            body = {"server_class": server_class, "command": verb, "server_id": server_id}
            answer = await page.post("/api/server_command", body)
            assert answer.status == 200, answer
            return answer.json

        before, lives = pids(config), incarnations(stack)
        os.kill(before["A:1"], signal.SIGKILL)
        answer = await command("A", "START", "1")
        assert answer["exit_code"] == 0
        assert answer["arguments"] == ["shotline", "up", "start", "A:1"]
        assert "up    A:1 (process" in str(answer["output"])
        assert incarnations(stack, lives["A:1"])["A:1"]
        answer = await command("A", "RESTART", "2")
        assert (answer["exit_code"], answer["timed_out"]) == (0, False)
        assert f"ended A:2 (process {before['A:2']})" in str(answer["output"])
        assert incarnations(stack, lives["A:2"])["A:2"]
        assert (await command("A", "STOP", "2"))["exit_code"] == 0
        assert (await command("A", "STATUS", "2"))["exit_code"] == 3
        assert (await command("A", "KILL"))["exit_code"] == 0
        assert (await command("A", "STATUS"))["exit_code"] == 3
        # One that this `up` does not have is systemd's.
        answer = await command("A", "START", "3")
        assert answer["arguments"] == ["server_command.sh", "A", "START", "3"]
        assert "systemctl --no-ask-password start" in str(answer["output"])

    with shotline(tmp_path, "--config", str(config), "up", environment=systemctl) as up:
        read_until(up, "all are up")
        on(stack, work)


def test_the_sites_own_script_comes_before_up(tmp_path: Path) -> None:
    script = tmp_path / "site.sh"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    stack = up_stack(tmp_path, "A:1", settings={"monitor": {"server_command": "site.sh"}})

    async def work(page: Page) -> None:
        body = {"server_class": "A", "command": "RESTART", "server_id": "1"}
        answer = await page.post("/api/server_command", body)
        assert answer.json["output"] == "site: A RESTART 1\n"

    with shotline(tmp_path, "--config", str(stack.config_file), "up") as up:
        read_until(up, "all are up")
        on(stack, work)
