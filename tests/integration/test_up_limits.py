"""What `shotline up` gives its daemons, and how its logs stay small; SIGHUP while it begins."""

import resource
import shutil
import signal
from pathlib import Path

import psutil
from tests.support.processes import processes_of
from tests.support.stack import DEADLINE_S, eventually
from tests.support.up import pids, read_until, shotline, up_stack

MAX_SIZE = 2000


def test_all_may_open_as_many_files_as_they_ever_may(tmp_path: Path) -> None:
    config = up_stack(tmp_path, "A:1").config_file
    prlimit = shutil.which("prlimit")
    assert prlimit
    with shotline(
        tmp_path, "--config", str(config), "up", before=(prlimit, "--nofile=256:2048")
    ) as up:
        read_until(up, "all are up")
        for name, pid in pids(config).items():
            assert psutil.Process(pid).rlimit(resource.RLIMIT_NOFILE) == (2048, 2048), name


def test_logs_are_rotated_and_all_that_is_said_goes_with_them(tmp_path: Path) -> None:
    settings = {"logging": {"level": "info", "max-size": MAX_SIZE, "rotations": 2}}
    stack = up_stack(tmp_path, "A:1", settings=settings)
    config, logs = stack.config_file, stack.daemons.logs
    logs.mkdir(parents=True)
    (logs / "broker.log").write_text("of an earlier life\n" * 200)
    with shotline(tmp_path, "--config", str(config), "up") as up:
        read_until(up, "all are up")
        assert "earlier life" in (logs / "broker.log.1").read_text()
        for name in ("broker", "dispatcher", "monitor", "A-1"):
            log = logs / f"{name}.log"
            # Each SIGHUP is some lines.
            while not log.with_name(f"{log.name}.2").exists() or (
                name == "broker" and "earlier" in log.with_name(f"{log.name}.2").read_text()
            ):
                up.send_signal(signal.SIGHUP)
                read_until(up, "SIGHUP was passed on")
        running = pids(config)
        for name, pid in running.items():
            if name != "redis":
                log = logs / f"{name.replace(':', '-')}.log"
                ends = [Path(f"/proc/{pid}/fd/{descriptor}") for descriptor in (1, 2)]
                eventually(lambda: {end.readlink() for end in ends} == {log})  # noqa: B023
        assert {path.suffix for path in logs.iterdir()} == {".log", ".1", ".2"}
        for path in logs.iterdir():
            assert path.stat().st_size < 2 * MAX_SIZE, path


def test_the_log_of_redis_is_rotated_too(tmp_path: Path) -> None:
    settings = {"logging": {"max-size": MAX_SIZE, "rotations": 1}}
    stack = up_stack(tmp_path, settings=settings)
    log = stack.redis.log_file
    log.parent.mkdir(parents=True)
    log.write_text("of an earlier life\n" * 200)
    with shotline(tmp_path, "--config", str(stack.config_file), "up") as up:
        read_until(up, "all are up")
        eventually(lambda: log.with_name("redis.log.1").exists())
        assert "earlier life" in log.with_name("redis.log.1").read_text()
        with stack.redis.client() as client:
            client.bgrewriteaof()
        eventually(lambda: log.exists() and "append only file rewriting" in log.read_text())


def test_sighup_while_it_begins_is_for_the_daemons(tmp_path: Path) -> None:
    config = up_stack(tmp_path, "A:1").config_file
    with shotline(tmp_path, "--config", str(config), "up") as up:
        for name in ("redis", "broker", "dispatcher", "monitor"):
            read_until(up, f"up    {name}")
            up.send_signal(signal.SIGHUP)
        read_until(up, "all are up")
        log = tmp_path / "var" / "log" / "broker.log"
        eventually(lambda: "SIGHUP: the log goes on" in log.read_text())
        up.send_signal(signal.SIGTERM)
        assert up.wait(DEADLINE_S) == 0
        assert processes_of(tmp_path) == []
