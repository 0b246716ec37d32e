"""Asking a keeper to run tasks on its mdsip server: the worker's side, and the words they exchange.

Worker and keeper exchange JSON lines over a Unix socket, one connection for each task:

    worker  KeeperRequest
    keeper  KeeperWaiting …   as long as the url works for another shot
    keeper  KeeperStarted     from now on the outcome may be unknown
    keeper  KeeperAnswer      how it ended
    worker  AnswerReceived    without it, the keeper counts the answer as late

A worker that is killed simply leaves; what it asked for goes on in the keeper, whose KeeperEvents
(lines on its standard output) tell the action server what became of it.
"""

import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from shotline.common.actions import AttemptId
from shotline.common.base import Struct, to_json
from shotline.common.messages import Bound
from shotline.common.nodes import TaskOutcome
from shotline.common.process import interpreter
from shotline.trees.tree import ConnectionLost, UrlBusy

LINE_MAX: Final = 1 << 21
_KEEPER_START_S: Final = 20.0  # a keeper that was just started may not listen yet
_CONNECT_PAUSE_S: Final = 0.05


class _Said(Struct, tag_field="kind"):
    """The base of what they say."""


class KeeperRequest(_Said, tag="request"):
    """Run the task of this attempt."""

    attempt: AttemptId


class AnswerReceived(_Said, tag="received"):
    """The worker has the answer."""


class KeeperWaiting(_Said, tag="waiting"):
    """The url works for another shot."""

    text: str


class KeeperStarted(_Said, tag="started"):
    """The task is being asked for."""


class KeeperAnswer(_Said, tag="answer"):
    """How it ended; `outcome` None: the connection was lost and nobody knows."""

    outcome: TaskOutcome | None
    lost: str = ""


class Late(_Said, tag="late"):
    """Keeper → action server: the answer to a request whose worker has gone; the proof of its end.

    `outcome` None: no answer will ever come, because the connection was lost.
    """

    attempt: AttemptId
    outcome: TaskOutcome | None
    lost: str = ""


class Handed(_Said, tag="handed"):
    """Keeper → action server: the request was answered, and its worker has the answer."""

    attempt: AttemptId


class Withdrawn(_Said, tag="withdrawn"):
    """Keeper → action server: the worker left before its task was asked for; it never will be."""

    attempt: AttemptId


class UrlChanged(_Said, tag="url_changed"):
    """Keeper → action server: what the url is busy with has changed."""

    bound: Bound


class Clear(_Said, tag="clear"):
    """Action server → keeper: somebody vouches that nothing given up runs there."""


class WorkerGone(_Said, tag="withdraw"):
    """Action server → keeper: this attempt's worker is gone.

    What was not asked for yet never will be, and Withdrawn says so; else the answer is awaited.
    """

    attempt: AttemptId


KeeperCommand = Clear | WorkerGone
KeeperEvent = Late | Handed | Withdrawn | UrlChanged
KeeperReply = KeeperWaiting | KeeperStarted | KeeperAnswer

_REPLY: Final[msgspec.json.Decoder[KeeperReply]] = msgspec.json.Decoder(KeeperReply)
_COMMAND: Final[msgspec.json.Decoder[KeeperCommand]] = msgspec.json.Decoder(KeeperCommand)
_EVENT: Final[msgspec.json.Decoder[KeeperEvent]] = msgspec.json.Decoder(KeeperEvent)


def keeper_command(
    url: str, address: Path, connect_timeout_s: float, keep_alive_s: int
) -> list[str]:
    """Return the command of a keeper; start it outside of every worker's process group.

    It serves workers at `address` (a Unix socket), writes KeeperEvents to its standard output,
    takes KeeperCommands on its standard input, and ends when that is closed.
    """
    words = (url, address, connect_timeout_s, keep_alive_s)
    return interpreter.python("shotline.trees.mdsip_keeper", *map(str, words))


def read_event(line: str | bytes) -> KeeperEvent:
    """Return the event that a line of a keeper's standard output says. Raise ValueError."""
    return _EVENT.decode(line)


def read_command(line: str | bytes) -> KeeperCommand:
    """Return the command that a line of a keeper's standard input says. Raise ValueError."""
    return _COMMAND.decode(line)


def as_line(message: Struct) -> bytes:
    """Return a message as one line."""
    return to_json(message) + b"\n"


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class KeeperExecutor:
    """Runs tasks through the keeper at `address`; used in a worker process.

    `say` gets the lines that the action's output has: what it waits for, and where its output is.
    """

    def __init__(
        self,
        url: str,
        address: Path,
        *,
        url_wait_s: float,
        start_s: float = _KEEPER_START_S,
        say: Callable[[str], None] = _print,
    ) -> None:
        self.url = url
        self._address = address
        self._start_s = start_s
        self._url_wait_s = url_wait_s
        self._say = say

    def execute(self, attempt: AttemptId) -> TaskOutcome:
        """Run an action's task to its end.

        Raise UrlBusy when its turn does not come in time, ConnectionLost when its outcome is
        unknown.
        """
        try:
            connection = self._connected()
            connection.sendall(as_line(KeeperRequest(attempt=attempt)))
        except OSError as error:
            text = f"was not started: no keeper for {self.url} at {self._address}: {error}"
            return TaskOutcome(ok=False, text=text)
        with connection:
            return self._follow(connection)

    def _connected(self) -> socket.socket:
        give_up_at = time.monotonic() + self._start_s
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self._address))
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                if time.monotonic() >= give_up_at:
                    raise
                time.sleep(_CONNECT_PAUSE_S)
            else:
                return connection

    def _follow(self, connection: socket.socket) -> TaskOutcome:
        give_up_at = time.monotonic() + self._url_wait_s
        started, waits_for = False, ""
        with connection.makefile("rb") as lines:
            while True:
                remaining_s = give_up_at - time.monotonic()
                connection.settimeout(None if started else max(remaining_s, 0.001))
                try:
                    line = lines.readline(LINE_MAX)
                except TimeoutError:
                    raise UrlBusy(
                        f"was not started within {self._url_wait_s:g} s: {waits_for or self.url}"
                    ) from None
                except OSError:
                    line = b""
                try:
                    reply = _REPLY.decode(line)
                except ValueError:
                    return self._ended_early(started=started)
                if isinstance(reply, KeeperWaiting):
                    waits_for = reply.text
                    self._say(f"[waits: {reply.text}]")
                elif isinstance(reply, KeeperStarted):
                    started = True
                    self._say(
                        f"[runs on the mdsip server at {self.url}; its output is in that "
                        "server's log]"
                    )
                else:
                    connection.sendall(as_line(AnswerReceived()))
                    if reply.outcome is None:
                        raise ConnectionLost(reply.lost)
                    return reply.outcome

    def _ended_early(self, *, started: bool) -> TaskOutcome:
        text = f"the keeper of {self.url} ended"
        if started:
            raise ConnectionLost(f"{text} before the answer came")
        return TaskOutcome(ok=False, text=f"was not started: {text}")
