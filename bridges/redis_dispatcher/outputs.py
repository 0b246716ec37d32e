"""Reads the output of ended actions from Shotline, for the old programs: a few at a time."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Final

from shotline.bridges.redis_dispatcher import changes as ch
from shotline.bridges.redis_dispatcher.changes import Change
from shotline.bridges.redis_dispatcher.old_redis import OldRedis
from shotline.bridges.redis_dispatcher.translation import ENDED, ended
from shotline.client.errors import Nobody, SupervisorError
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.records import ShotKey
from shotline.common.redis.connection import REDIS_ERRORS

log = logging.getLogger(__name__)

FETCHES: Final = 8  # outputs that are read at a time
FETCHES_MAX: Final = 20_000
FETCH_TRIES: Final = 30
RETRY_S: Final = 1.0
LINES_PER_PAGE: Final = 1000


class Outputs:
    """What is being read. `carry_out` takes the changes, `on_read` is called after each output.

    `bytes_max`: the rest of a longer output is left to `shotline logs`.
    """

    def __init__(
        self,
        supervisor: AsyncSupervisor,
        carry_out: Callable[[Iterable[Change]], None],
        on_read: Callable[[], None],
        bytes_max: int,
    ) -> None:
        self._supervisor = supervisor
        self._carry_out = carry_out
        self._on_read = on_read
        self._bytes_max = bytes_max
        self._fetching: dict[ShotKey, int] = {}
        self._fetches = asyncio.Semaphore(FETCHES)
        self.tasks: set[asyncio.Task[None]] = set()

    def is_waiting(self, key: ShotKey) -> bool:
        """Return whether an output of this shot is still being read."""
        return key in self._fetching

    def fill(self, redis: OldRedis, key: ShotKey, wanted: Iterable[ch.FetchOutput]) -> None:
        """Read those of these outputs that the old Redis does not have."""
        self._spawn(self._fill(redis, key, wanted))

    def fetch(self, wanted: ch.FetchOutput) -> None:
        """Read an output, in its turn."""
        if len(self.tasks) >= FETCHES_MAX:
            log.warning("the output of %s is left out: too many are waited for", wanted.path)
            return
        self._fetching[wanted.key] = self._fetching.get(wanted.key, 0) + 1
        self._spawn(self._fetched(wanted))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _fill(self, redis: OldRedis, key: ShotKey, wanted: Iterable[ch.FetchOutput]) -> None:
        try:
            there = await redis.outputs(key)
        except REDIS_ERRORS as error:
            log.info("which outputs of %s are missing is not known: %s", key, error)
            return
        for one in wanted:
            if there.get(one.path) != str(one.attempt):
                self.fetch(one)

    async def _fetched(self, wanted: ch.FetchOutput) -> None:
        try:
            async with self._fetches:
                text = await self._output_of(wanted)
            changes: list[Change] = [
                ch.StoreOutput(wanted.key, wanted.path, wanted.attempt, text),
            ]
            if wanted.announce:
                told = ended(wanted.key, wanted.server_class, wanted.path, wanted.status, text)
                changes.append(ch.Publish(ENDED, told))
            self._carry_out(changes)
        except SupervisorError as error:
            log.warning("the output of %s is not mirrored: %s", wanted.path, error)
        finally:
            left = self._fetching[wanted.key] - 1
            if left:
                self._fetching[wanted.key] = left
            else:
                del self._fetching[wanted.key]
            self._on_read()

    async def _output_of(self, wanted: ch.FetchOutput) -> str:
        for _ in range(FETCH_TRIES - 1):
            try:
                return await self._read_output(wanted)
            except Nobody:
                await asyncio.sleep(RETRY_S)  # the dispatcher is being restarted
        return await self._read_output(wanted)

    async def _read_output(self, wanted: ch.FetchOutput) -> str:
        """Return the output between the lines by which the old server says what it belongs to."""
        text = await self._read_lines(wanted)
        if wanted.ran is None:
            return text
        began, ended_at = map(_date, wanted.ran)
        first, last = f"{began}  Doing {wanted.path}", f"{ended_at} Done {wanted.path}"
        return "\n".join((first, text, last) if text else (first, last))

    async def _read_lines(self, wanted: ch.FetchOutput) -> str:
        lines: list[str] = []
        room = self._bytes_max
        while True:
            page = await self._supervisor.logs(
                wanted.path,
                *wanted.key,
                attempt=wanted.attempt,
                since=len(lines),
                limit=LINES_PER_PAGE,
            )
            for line in page.lines:
                room -= len(line.text) + 1
                if room < 0:
                    return "\n".join([*lines, "… the rest is in `shotline logs`"])
                lines.append(line.text)
            if not page.more or not page.lines:
                return "\n".join(lines)


def _date(at: float) -> str:
    """Return a moment as the old server writes it: Fri Nov 27 17:04:05 CET 2026."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%a %b %d %H:%M:%S %Z %Y")
