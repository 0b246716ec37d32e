"""A dispatcher that is there before its Redis waits, whatever is wrong meanwhile, and goes on."""

import signal
import time
from pathlib import Path

import yaml
from tests.support.stack import DEADLINE_S, Stack, eventually

from shotline.client.local.daemons import Daemon
from shotline.client.local.redis_server import RedisServer
from shotline.common.settings.sections.redis import RedisSection


def test_the_dispatcher_waits_for_redis_and_serves_once_it_is_right(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("wrong\n")
    password.chmod(0o600)
    stack = Stack(tmp_path, settings={"redis": {"retry_s": 0.05, "timeout_s": 1.0}})
    port = stack.config.redis.port
    assert port
    settings = yaml.safe_load(stack.config_file.read_text())
    settings["redis"] = {
        "url": f"redis://127.0.0.1:{port}/0",
        "password_file": str(password),
        "retry_s": 0.05,
        "timeout_s": 1.0,
    }
    stack.config_file.write_text(yaml.safe_dump(settings))
    dispatcher = Daemon(
        "dispatcher",
        "shotline.dispatcher",
        ("--config", str(stack.config_file)),
        tmp_path / "dispatcher.log",
    )
    server = RedisServer(tmp_path / "redis", port)

    def hears(text: str) -> None:
        eventually(lambda: text in dispatcher.last_lines(50), lambda: dispatcher.last_lines(50))

    stack.broker.start()
    dispatcher.start()
    try:
        hears("cannot be reached")
        dispatcher.signal(signal.SIGHUP)  # it is not for waiting daemons to end by it
        hears("SIGHUP: the log goes on")
        server.start()
        with server.client() as people:
            people.config_set("requirepass", "right")
        hears("refuses the password")
        password.write_text("right\n")
        dispatcher.wait_ready(time.monotonic() + DEADLINE_S)
        stack.wait_until(lambda status: not status.recovering and status.journal == "ok")
        assert "another dispatcher" not in dispatcher.last_lines(200)
    finally:
        for daemon in (dispatcher, stack.broker):
            daemon.signal(signal.SIGTERM)
            if not daemon.wait(DEADLINE_S):
                daemon.kill()
        server.kill()


def test_a_dispatcher_that_waits_for_redis_ends_when_it_is_told_to(tmp_path: Path) -> None:
    stack = Stack(tmp_path, settings={"redis": {"url": "redis://127.0.0.1:1/0"}})
    dispatcher = Daemon(
        "dispatcher",
        "shotline.dispatcher",
        ("--config", str(stack.config_file)),
        tmp_path / "dispatcher.log",
    )
    assert RedisSection().retry_s < DEADLINE_S
    dispatcher.start()
    eventually(lambda: "waiting for the journal" in dispatcher.last_lines(50))
    dispatcher.signal(signal.SIGTERM)
    assert dispatcher.wait(DEADLINE_S)
    assert dispatcher.exit_status == 0, dispatcher.last_lines()
