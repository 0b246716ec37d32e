"""ReCodEx's own progress messages.

With an address the monitor binds a ROUTER to which a ReCodEx broker connects with a ROUTER of its
own, so that it must name the monitor: by IDENTITY. Each message is channel, command and, for tasks,
their id and state. They go to channels of the same ids.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

import zmq
import zmq.asyncio

from shotline.common.channels import LOG, SERVERS
from shotline.common.errors import ConfigError
from shotline.common.transport import bind
from shotline.monitor.channels import Channels
from shotline.monitor.messages import Body, plain
from shotline.monitor.names import LENGTH_MAX, SYSTEM, named

log = logging.getLogger(__name__)

ENDS: Final = frozenset(("FINISHED", "FAILED", "ABORTED"))
IDENTITY: Final = b"recodex-monitor"
"""What the broker calls its monitor; messages for any other name are dropped there in silence."""
OURS: Final = frozenset((SERVERS, LOG, SYSTEM))
FRAME_BYTES_MAX: Final = 64 * 1024


class MalformedProgress(Exception):
    """The frames are no progress message of ReCodEx; the text says why."""


def is_theirs(channel: str) -> bool:
    """Return whether a channel may be one of ReCodEx's, and not one of ours."""
    return channel not in OURS and named(channel) is None


def progress(frames: Sequence[bytes], now: float) -> tuple[str, str, Body]:
    """Return the channel, the command and the message of a progress message's frames.

    Raise MalformedProgress.
    """
    if not 2 <= len(frames) <= 4:
        raise MalformedProgress(f"{len(frames)} frames instead of 2 to 4")
    if max(map(len, frames)) > LENGTH_MAX:
        raise MalformedProgress(f"a frame has more than {LENGTH_MAX} bytes")
    try:
        channel, command, *task = (frame.decode() for frame in frames)
    except UnicodeDecodeError:
        raise MalformedProgress("a frame is no UTF-8 text") from None
    if not channel or not command or not command.isidentifier():
        raise MalformedProgress("the channel or the command is empty, or the command no word")
    if not is_theirs(channel):
        raise MalformedProgress(f"the channel {channel[:80]!r} is one of Shotline's own")
    fields = dict(zip(("task_id", "task_state"), task, strict=False))
    return channel, command, plain(command, now, fields)


class RecodexSource:
    """Takes ReCodEx's messages and publishes them."""

    def __init__(self, channels: Channels, on_messages: Callable[[], None]) -> None:
        self.malformed = 0
        self._channels = channels
        self._on_messages = on_messages
        self._socket: zmq.asyncio.Socket | None = None
        self._task: asyncio.Task[None] | None = None

    def serves(self, channel: str) -> bool:
        """Return whether a channel may be one of ReCodEx's."""
        return is_theirs(channel)

    def listen(self, address: str, *, insecure: bool = False) -> None:
        """Bind the address. Raise ConfigError when it cannot be had."""
        socket = zmq.asyncio.Context.instance().socket(zmq.ROUTER)
        socket.setsockopt(zmq.ROUTING_ID, IDENTITY)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
        try:
            bind(socket, address, insecure=insecure)
        except OSError as error:
            socket.close()
            raise ConfigError(str(error.strerror)) from None
        except ConfigError:
            socket.close()
            raise
        self._socket = socket
        self._task = asyncio.get_running_loop().create_task(self._take(socket))
        log.info("ReCodEx's messages are taken at %s", address)

    def close(self) -> None:
        """Take no more."""
        if self._task is not None:
            self._task.cancel()
        if self._socket is not None:
            self._socket.close()

    async def _take(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            frames = await socket.recv_multipart()
            try:
                self.publish(frames[1:])  # the first names the peer
            except MalformedProgress as error:
                self.malformed += 1
                log.warning("a message of ReCodEx's was passed over: %s", error)

    def publish(self, frames: Sequence[bytes]) -> None:
        """Publish one message. Raise MalformedProgress."""
        channel, command, message = progress(frames, time.time())
        self._channels.publish(channel, message)
        if command in ENDS:
            self._channels.end(time.monotonic(), channel)
        self._on_messages()
