"""The old command program and the old page, as the bridge's tests play them.

They know Redis and the formats of the MDSplus Redis dispatcher, and nothing of Shotline.
"""

import time
from collections.abc import Callable
from typing import Self

from tests.support.stack import DEADLINE_S, eventually

from shotline.client.local.redis_server import RedisServer

COMMANDS = "ACTION_DISPATCHER_COMMANDS"
ENDED = "ACTION_DISPATCHER_PUBSUB"
MONITOR = "DISPATCH_MONITOR_PUBSUB"


class OldPrograms:
    """One connection that publishes and polls, and one that listens to both monitor channels."""

    def __init__(self, server: RedisServer) -> None:
        self.redis = server.client(decode_responses=True)
        self._pubsub = self.redis.pubsub(ignore_subscribe_messages=True)
        self.heard: list[str] = []
        self.outputs: list[str] = []
        self.listen()

    def listen(self) -> None:
        """Subscribe, and return once Redis has confirmed it."""
        self._pubsub.subscribe(MONITOR, ENDED)
        eventually(lambda: dict(self.redis.pubsub_numsub(MONITOR))[MONITOR] > 0)

    def command(self, text: str) -> None:
        """Publish a command to the dispatcher; somebody must hear it."""
        assert self.redis.publish(COMMANDS, text) > 0

    def to_servers(self, server_class: str, text: str) -> None:
        """Publish a command to the servers of a class; somebody must hear it."""
        assert self.redis.publish(f"ACTION_SERVER_PUBSUB:{server_class}", text) > 0

    def wait_for(self, beginning: str) -> str:
        """Return the next message on the monitor's channel that begins so; keep all in `heard`."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            message = self._pubsub.get_message(timeout=1.0)
            if message is None:
                continue
            if message["channel"] == ENDED:
                self.outputs.append(message["data"])
                continue
            self.heard.append(message["data"])
            if message["data"].startswith(beginning):
                return str(message["data"])
        raise AssertionError(f"no {beginning}; heard {self.heard}")

    def run(self, command: str) -> str:
        """Do as the command program: publish a do_phase, and wait for the first END_PHASE."""
        self.command(command)
        return self.wait_for("END_PHASE")

    def prepare(self, shot: int) -> None:
        """Create a pulse of TEST and build its tables, as the page's buttons do."""
        self.command(f"create_pulse:TEST:{shot}")
        self.command(f"build_tables:TEST:{shot}")
        self.poll_until(f"ACTION_INFO:TEST:{shot}:A", bool)

    def next_calls(self, count: int) -> list[tuple[str, str]]:
        """Return what the page's heartbeat tab hears next of servers: channel and message."""
        heard: list[tuple[str, str]] = []
        with self.redis.pubsub(ignore_subscribe_messages=True) as page:
            page.psubscribe("ACTION_SERVER_PUBSUB:*")
            deadline = time.monotonic() + DEADLINE_S
            while time.monotonic() < deadline:
                message = page.get_message(timeout=1.0)
                if message is not None and message["data"].startswith("HEARTBEAT"):
                    heard.append((message["channel"], message["data"]))
                    if len(heard) == count:
                        return heard
        raise AssertionError(f"only {heard}")

    def poll(self, key: str) -> dict[str, str]:
        """Return a hash."""
        return dict(self.redis.hgetall(key))

    def poll_until(self, key: str, holds: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Poll a hash, as the page does, until it is as it should be."""
        eventually(lambda: holds(self.poll(key)), lambda: f"{key} is {self.poll(key)}")
        return self.poll(key)

    def dispatch(self, shot: int, server_class: str, path: str) -> None:
        """Do as the page's Dispatch button."""
        self.redis.rpush(f"ACTION_SERVER_TODO:{server_class}", f"TEST+{shot}+{path}+0+0+0")
        self.to_servers(server_class, "DO")

    def close(self) -> None:
        """Close both connections."""
        self._pubsub.close()
        self.redis.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
