"""Servers on demand by the site's own script: real processes, started by nobody else."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.faults import NO_SERVER, SUCCESS, Pulse, action, each_once, ends_of, stack_of
from tests.support.on_demand import on_demand
from tests.support.stack import eventually

from shotline.common.keys.folder import KeysFolder
from shotline.common.keys.peers import PeerRole

# As a site's server_command.sh: it starts a process that goes on without it.
_SCRIPT = """#!/bin/sh
echo "$2 $3" >> {folder}/asked
case $2 in
START | RESTART)
    setsid {python} -P -m shotline.action_server --config {folder}/config.yaml "$1" "$3" \\
        </dev/null >>{folder}/servers.log 2>&1 &
    echo $! >> {folder}/pids
    ;;
KILL) kill -9 $(tail -n 1 {folder}/pids) ;;
esac
"""


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "site.sh"
    file.write_text(_SCRIPT.format(folder=tmp_path, python=sys.executable))
    yield file
    for pid in servers(tmp_path):
        os.kill(pid, signal.SIGKILL)


def servers(folder: Path) -> list[int]:
    """Return the servers that the script has started and that run still."""
    file = folder / "pids"
    pids = [int(pid) for pid in file.read_text().split()] if file.exists() else []
    return [pid for pid in pids if b"shotline.action_server" in command_of(pid)]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def asked(folder: Path) -> list[str]:
    """Return what the script was asked for."""
    return (folder / "asked").read_text().splitlines()


def test_servers_come_when_they_are_needed_and_go_in_order(tmp_path: Path, script: Path) -> None:
    classes = {"A": {"provider": "script", "max": 2, "idle_s": 2.0, "start_after_s": 0.2}}
    settings = {"providers": {"script": str(script)}}
    names = ("FIRST", "SECOND", "THIRD")
    actions = [action(name, "A", 1, gate="a") for name in names]
    with on_demand(tmp_path, classes, actions, {}, settings=settings) as here:
        pulse = Pulse(here.stack)
        report = pulse.begin()
        eventually(lambda: sum(pulse.starts().values()) == 2, lambda: f"{pulse.starts()}")
        pulse.open("a")
        assert ends_of(report.result().actions) == dict.fromkeys(names, SUCCESS)
        assert pulse.starts() == each_once(*names)
        eventually(lambda: servers(tmp_path) == [], here.log)
        assert asked(tmp_path) == ["START p1", "START p2"], "none was killed"


def test_a_second_provider_starts_none_twice(tmp_path: Path, script: Path) -> None:
    classes = {"A": {"provider": "script", "min": 1, "max": 1}}
    settings = {"providers": {"script": str(script)}}
    actions = [action("FIRST", "A", 1, gate="a")]
    with on_demand(tmp_path, classes, actions, {}, settings=settings) as here:
        here.stack.wait_until(lambda status: bool(status.servers))
        here.provider.kill()
        pulse = Pulse(here.stack)
        report = pulse.begin()
        pulse.wait_doing("FIRST")
        here.start()
        eventually(lambda: here.log().count("the dispatcher answers") == 2, here.log)
        pulse.open("a")
        assert ends_of(report.result().actions) == {"FIRST": SUCCESS}
        assert asked(tmp_path) == ["START p1"]


def test_up_runs_it_and_each_has_its_key(tmp_path: Path, script: Path) -> None:
    settings = {
        "providers": {
            "classes": {"A": {"provider": "script", "idle_s": 1.0, "start_after_s": 0.2}},
            "script": str(script),
            "look_s": 0.2,
        },
        "up": {"daemons": ["hub", "provider"]},
    }
    stack = stack_of(tmp_path, (), action("FIRST", "A", 1), settings=settings)
    stack.make_keys()
    KeysFolder(stack.config.keys.folder).new("A", PeerRole.SERVER, "A")
    with stack:
        assert ends_of(Pulse(stack).begin().result().actions) == {"FIRST": SUCCESS}
        eventually(lambda: servers(tmp_path) == [])


def test_a_script_that_fails_is_told_to_who_waits(tmp_path: Path) -> None:
    script = tmp_path / "site.sh"
    script.write_text("echo the host is away >&2; exit 69")
    classes = {"A": {"provider": "script", "start_wait_s": 30.0}}
    settings = {"providers": {"script": str(script)}}
    with on_demand(tmp_path, classes, [action("FIRST", "A", 1)], {}, settings=settings) as here:
        found = Pulse(here.stack).begin().result().actions[0].last
        assert (found.state, found.status, found.cause) == NO_SERVER
        assert "the host is away" in found.reason
