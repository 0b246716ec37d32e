"""The process that owns the connections to one mdsip server, outside of the workers' groups.

When a worker is ended, the task that it asked for goes on in the mdsip server. The keeper waits for
the answer all the same: it is the proof that the task has ended. Until then it lets the server work
for that shot and no other. The words that it exchanges are `mdsip_client`'s, the decisions
`mdsip_binding`'s. Started by the action server, and ends with it.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from shotline.common.actions import AttemptId
from shotline.common.base import Struct
from shotline.common.messages import Bound
from shotline.common.nodes import TaskOutcome
from shotline.common.records import ShotKey
from shotline.trees.mdsip import MdsipConnection
from shotline.trees.mdsip_binding import UrlBinding
from shotline.trees.mdsip_client import (
    LINE_MAX,
    AnswerReceived,
    Clear,
    Handed,
    KeeperAnswer,
    KeeperEvent,
    KeeperRequest,
    KeeperStarted,
    KeeperWaiting,
    Late,
    UrlChanged,
    Withdrawn,
    as_line,
    read_command,
)
from shotline.trees.tree import ConnectionLost

CONNECTIONS_MAX: Final = 64
ASKED_MAX: Final = 100_000  # attempts remembered


class Keeper:
    """Serves workers at a Unix socket; `run` returns when the standard input is closed."""

    def __init__(
        self, url: str, address: Path, connect_timeout_s: float, keep_alive_s: int
    ) -> None:
        self._url = url
        self._connect_timeout_s = connect_timeout_s
        self._keep_alive_s = keep_alive_s
        self._address = address
        self._binding = UrlBinding(url)
        self._said: Bound | None = None
        self._turns: dict[int, asyncio.Event] = {}
        self._requests = 0
        # Or withdrawn; an attempt is never asked for twice.
        self._asked: dict[AttemptId, None] = {}
        self._idle: list[MdsipConnection] = []
        self._threads = ThreadPoolExecutor(CONNECTIONS_MAX)

    async def run(self) -> None:
        """Serve until the action server has gone."""
        self._address.unlink(missing_ok=True)
        before = os.umask(0o077)
        try:
            server = await asyncio.start_unix_server(
                self._serve, str(self._address), limit=LINE_MAX
            )
        finally:
            os.umask(before)
        async with server:
            self._say_state()
            await self._commands()
        self._address.unlink(missing_ok=True)

    async def _commands(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = read_command(line)
            if isinstance(command, Clear):
                self._start(self._binding.clear())
                self._say_state()
            elif command.attempt not in self._asked:
                self._remember(command.attempt)  # its request may still be on the way
                _say(Withdrawn(attempt=command.attempt))

    def _remember(self, attempt: AttemptId) -> None:
        """Note an attempt, and forget the oldest beyond the limit (I8)."""
        self._asked[attempt] = None
        if len(self._asked) > ASKED_MAX:
            del self._asked[next(iter(self._asked))]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = msgspec.json.decode(await reader.readline(), type=KeeperRequest)
        except ValueError:
            writer.close()
            return
        if request.attempt in self._asked:  # withdrawn before it came
            writer.close()
            return
        self._remember(request.attempt)
        self._requests += 1
        number = self._requests
        try:
            if await self._turn(number, request, reader, writer):
                await self._execute(number, request, reader, writer)
        except ConnectionError:
            pass  # the worker has gone, which the reader's end of file says as well
        finally:
            writer.close()
            self._say_state()

    async def _turn(
        self,
        number: int,
        request: KeeperRequest,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Wait until the request may start; False when its worker left before."""
        shot = ShotKey(request.attempt.tree, request.attempt.shot)
        busy = str(self._binding.state)
        if self._binding.ask(number, shot):
            self._say_state()
            return True
        self._say_state()
        turn = self._turns[number] = asyncio.Event()
        _write(writer, KeeperWaiting(text=busy))
        mine, gone = asyncio.ensure_future(turn.wait()), asyncio.ensure_future(reader.read(1))
        await asyncio.wait({mine, gone}, return_when=asyncio.FIRST_COMPLETED)
        mine.cancel()
        del self._turns[number]
        if gone.done():
            self._binding.withdrawn(number)
            self._start(self._binding.answered(number))
            _say(Withdrawn(attempt=request.attempt))
            return False
        gone.cancel()
        await asyncio.wait({gone})
        return True

    async def _execute(
        self,
        number: int,
        request: KeeperRequest,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Run the task; its answer goes to the worker, to the action server if that has gone."""
        _write(writer, KeeperStarted())
        connection = self._idle.pop() if self._idle else self._new_connection()
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._threads, connection.execute, request.attempt)
        received = asyncio.ensure_future(reader.readline())

        def worker_has_gone(_: object) -> None:
            if not running.done():
                self._binding.abandoned(number)
                self._say_state()

        received.add_done_callback(worker_has_gone)
        outcome, lost = await _ended(running)
        if outcome is None:
            connection.close()
            self._binding.lost(number)
        else:
            self._start(self._binding.answered(number))
        self._idle.append(connection)
        _write(writer, KeeperAnswer(outcome=outcome, lost=lost))
        if await _was_received(received):
            if outcome is not None:
                _say(Handed(attempt=request.attempt))
        else:
            _say(Late(attempt=request.attempt, outcome=outcome, lost=lost))

    def _new_connection(self) -> MdsipConnection:
        return MdsipConnection(
            self._url,
            connect_timeout_s=self._connect_timeout_s,
            answer_timeout_s=None,
            keep_alive_s=self._keep_alive_s,
        )

    def _start(self, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            self._turns[number].set()

    def _say_state(self) -> None:
        state = self._binding.state
        if state != self._said:
            self._said = state
            _say(UrlChanged(bound=state))


async def _ended(running: asyncio.Future[TaskOutcome]) -> tuple[TaskOutcome | None, str]:
    try:
        return await running, ""
    except ConnectionLost as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001  whatever it was, the outcome is not known
        return None, f"{type(error).__name__}: {error}"


async def _was_received(received: asyncio.Future[bytes]) -> bool:
    try:
        msgspec.json.decode(await received, type=AnswerReceived)
    except (OSError, ValueError):
        return False
    return True


def _write(writer: asyncio.StreamWriter, message: Struct) -> None:
    if not writer.is_closing():
        writer.write(as_line(message))


def _say(event: KeeperEvent) -> None:
    sys.stdout.buffer.write(as_line(event))
    sys.stdout.flush()


def main() -> None:
    """Keep the connections to URL for the workers that come to ADDRESS."""
    url, address, connect_timeout_s, keep_alive_s = sys.argv[1:]
    keeper = Keeper(url, Path(address), float(connect_timeout_s), int(keep_alive_s))
    asyncio.run(keeper.run())
    # Threads may still wait for answers that nobody is left to hear.
    os._exit(0)


if __name__ == "__main__":
    main()
