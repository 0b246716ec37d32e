"""The bridge's shell, between Shotline's feed and the Redis server of the old programs.

What is mirrored is `mirror`'s business, what old messages do is `commander`'s, how output is read
is `outputs`'s. Both sides may go
and come back at any moment: while Redis is away nothing is written, and afterwards everything anew.
"""

import asyncio
import contextlib
import functools
import logging
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from shotline.bridges.redis_dispatcher import changes as ch
from shotline.bridges.redis_dispatcher.changes import Change, Written
from shotline.bridges.redis_dispatcher.commander import Commander
from shotline.bridges.redis_dispatcher.mirror import Mirror
from shotline.bridges.redis_dispatcher.old_redis import OldRedis
from shotline.bridges.redis_dispatcher.outputs import Outputs
from shotline.client.async_connection import AsyncEventStream
from shotline.client.errors import SupervisorError
from shotline.client.serving import follow
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.channels import FEED, SERVERS, SHOTS, shot_channel
from shotline.common.errors import ConfigError
from shotline.common.keys.folder import own_key
from shotline.common.messages import Behalf, Via
from shotline.common.metrics import Metric, counter, gauge
from shotline.common.process.service import EXIT_FAULT
from shotline.common.process.systemd import Systemd
from shotline.common.records import ShotKey
from shotline.common.redis.connection import REDIS_ERRORS
from shotline.common.settings.config import Config

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
TICK_S: Final = 1.0
CALL_S: Final = 5.0  # the old dispatcher calls its servers this often
PRUNE_S: Final = 600.0
UNWRITTEN_MAX: Final = 100_000
BATCH_MAX: Final = 1_000
END_WAITS_S: Final = 10.0  # END_PHASE waits so long at most for its actions' outputs
ANSWERS_MAX: Final = 1_000
OLD_PROGRAMS: Final = Behalf(
    name="an old program", via=Via.BRIDGE
)  # they say no more of themselves


class BridgeServer:
    """The bridge. Made inside the running event loop."""

    def __init__(self, config: Config) -> None:
        self._settings = settings = config.legacy
        self._supervisor = AsyncSupervisor(
            config.broker.clients,
            key=own_key(config.keys, "legacy"),
            on_behalf_of=OLD_PROGRAMS,
        )
        self.mirror = Mirror(settings.trees, settings.shots_max)
        self.commander = Commander(
            self._supervisor,
            self.mirror,
            self._carry_out,
            self._take_items,
            allowed=settings.commands,
            replace_pulse=settings.replace_pulse,
        )
        self._redis: OldRedis | None = None  # while it is connected and right
        self._stream: AsyncEventStream | None = None
        self._unwritten: deque[Written] = deque()
        self._queued_ends: dict[tuple[ShotKey, int], None] = {}
        self._ended_at: dict[tuple[ShotKey, int], float] = {}
        self._outputs = Outputs(
            self._supervisor, self._carry_out, self._owe_ends, settings.output_bytes_max
        )
        self._to_write = asyncio.Event()
        self._redis_was_there = asyncio.Event()
        self._tried = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    async def run(self, systemd: Systemd) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        parts = [
            loop.create_task(part)
            for part in (self._serve_redis(), self._follow(), self.commander.work())
        ]
        for part in parts:
            part.add_done_callback(lambda _: self._stopping.set())
        beat = loop.create_task(self._tick(systemd))
        await self._stopping.wait()
        systemd.stopping()
        fault = next((one for one in parts if one.done() and one.exception() is not None), None)
        if fault is not None:
            log.critical(
                "the bridge ends because of a fault of its own", exc_info=fault.exception()
            )
        await self._say_farewell()
        self.commander.close()
        tasks = (*parts, beat, *self._tasks, *self._outputs.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._supervisor.close()
        return EXIT_FAULT if fault is not None else 0

    async def _tick(self, systemd: Systemd) -> None:
        await self._tried.wait()
        told = self._status()
        systemd.ready(told)
        prune_at = call_at = time.monotonic()
        while True:
            if (status := self._status()) != told:
                told = status
                systemd.send(f"STATUS={told}")
            self._owe_ends()
            if self._stream is not None and time.monotonic() >= call_at:
                call_at = time.monotonic() + CALL_S
                self._carry_out(self.mirror.servers.calls())
            if self._stream is not None and time.monotonic() >= prune_at:
                prune_at = time.monotonic() + PRUNE_S
                pruning = asyncio.get_running_loop().create_task(self._prune())
                self._tasks.add(pruning)
                pruning.add_done_callback(self._tasks.discard)
            await asyncio.sleep(TICK_S)

    def metrics(self) -> Iterable[Metric]:
        """Return what it has counted."""
        counts = self.commander.counts
        yield gauge("bridge_redis_up", "Whether the old Redis is there.", self._redis is not None)
        yield gauge("bridge_feed_up", "Whether Shotline is followed.", self._stream is not None)
        yield gauge("bridge_shots", "Shots that are mirrored.", len(self.mirror.shots))
        yield gauge("bridge_unwritten", "Changes not written yet.", len(self._unwritten))
        yield counter("bridge_messages", "Messages of old programs.", counts["messages"])
        yield counter("bridge_bad_messages", "Those that were none.", counts["bad"])
        yield counter("bridge_refused", "Commands that were refused.", counts["refused"])

    def _status(self) -> str:
        counts = self.commander.counts
        redis = "mirroring" if self._redis is not None else "waiting for the old Redis;"
        return (
            f"{redis} {len(self.mirror.shots)} shots and {len(self.mirror.servers)} servers; "
            f"{counts['messages']} old messages, {counts['bad']} bad, {counts['refused']} refused"
        )

    async def _say_farewell(self) -> None:
        """Show no server as alive that nobody looks at any more."""
        if self._redis is not None:
            with contextlib.suppress(*REDIS_ERRORS):
                off = [one for one in self.mirror.servers.all_off() if isinstance(one, Written)]
                await self._redis.write(off)

    # The old side

    async def _serve_redis(self) -> None:
        away = False
        while True:
            redis = None
            try:
                redis = await OldRedis.of(self._settings)
                await redis.connect()
                log.info("connected to the Redis server of the old programs")
                away = False
                await self._begin(redis)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._listen(redis))
                    group.create_task(self._write(redis))
            except* (*REDIS_ERRORS, ConfigError) as errors:
                if not away:
                    log.warning("the Redis server of the old programs is away: %s", _first(errors))
                away = True
            finally:
                self._redis = None
                self._keep_answers()
                self._tried.set()
                if redis is not None:
                    await redis.close()
            await asyncio.sleep(RETRY_S)

    async def _begin(self, redis: OldRedis) -> None:
        """Make all keys right, then go on."""
        self.mirror.remember(await redis.markers())
        await self._drop_leftovers(redis)
        answers = list(self._unwritten)
        self._unwritten.clear()
        self._queued_ends.clear()
        self._redis = redis
        self._carry_out(self.mirror.everything())
        self._unwritten += answers
        self._owe_ends()
        self._redis_was_there.set()
        self._tried.set()

    def _keep_answers(self) -> None:
        """Forget what was to be written; answers to refused commands stay owed."""
        answers = [
            one
            for one in self._unwritten
            if isinstance(one, ch.Publish) and one.text.startswith("END_PHASE+")
        ]
        self._unwritten = deque(answers[-ANSWERS_MAX:])

    async def _drop_leftovers(self, redis: OldRedis) -> None:
        """Take out of the queues what nobody waits for: its DO was published to nobody."""
        for server_class in await redis.queues():
            items = [one for one in await redis.queued(server_class) if self.commander.is_ours(one)]
            for item in await redis.take(server_class, items):
                log.warning("left over in the queue of %s and not run: %r", server_class, item)

    async def _listen(self, redis: OldRedis) -> None:
        async for channel, data in redis.messages():
            self.commander.take(channel, data)

    async def _write(self, redis: OldRedis) -> None:
        while True:
            await self._to_write.wait()
            self._to_write.clear()
            while self._unwritten:
                batch = [
                    self._unwritten.popleft() for _ in range(min(BATCH_MAX, len(self._unwritten)))
                ]
                try:
                    await redis.write(batch)
                except BaseException:
                    self._unwritten.extendleft(reversed(batch))
                    raise
                for one in batch:
                    if isinstance(one, ch.EndPhase):
                        log.info("announced: %s", one.text)
                        self.mirror.announced(one.key, one.run)
                        self._queued_ends.pop((one.key, one.run), None)

    async def _take_items(self, server_class: str, ours: Callable[[bytes], bool]) -> list[bytes]:
        redis = self._redis
        if redis is None:
            return []
        items = [one for one in await redis.queued(server_class) if ours(one)]
        return await redis.take(server_class, items)

    # Shotline's side

    async def _follow(self) -> None:
        await self._redis_was_there.wait()  # it knows what was announced
        await follow(self._follow_once, RETRY_S)

    async def _follow_once(self, heard: Callable[[], None]) -> None:
        trees = self.mirror.trees
        follows = (SHOTS,) if trees is None else tuple(f"{SHOTS}{t}/" for t in trees)
        async with await self._supervisor.events(SERVERS, taps=(FEED,), follows=follows) as stream:
            status = await self._supervisor.status()
            known = await self._supervisor.shots()
            self.mirror.known_before(ShotKey(one.tree, one.shot) for one in known.shots)
            log.info("following Shotline, term %d", status.term)
            heard()
            self._stream = stream
            try:
                loaded = {ShotKey(one.tree, one.shot): None for one in status.shots}
                for key in (*loaded, *self.mirror.shots):
                    self._follow_shot(key)
                while True:
                    update = await stream.get()
                    for one in [] if update is None else [update, *stream.take()]:
                        self._carry_out(self.mirror.take(one))
                    self._owe_ends()
            finally:
                self._stream = None

    def _follow_shot(self, key: ShotKey) -> None:
        if self._stream is not None and self.mirror.wants(key.tree):
            self._stream.follow(shot_channel(key))

    # What the mirror asks for

    def _carry_out(self, changes: Iterable[Change]) -> None:
        for change in changes:
            match change:
                case ch.FetchOutput():
                    self._outputs.fetch(change)
                case ch.FillOutputs(key, wanted):
                    if self._redis is not None:
                        self._outputs.fill(self._redis, key, wanted)
                case ch.Refresh(key):
                    if self._stream is not None:
                        self._stream.refresh(shot_channel(key))
                case ch.LookAgain(key):
                    loop = asyncio.get_running_loop()
                    loop.call_later(RETRY_S, functools.partial(self._follow_shot, key))
                case ch.Leave(key):
                    if self._stream is not None:
                        self._stream.leave(shot_channel(key))
                case _:
                    self._unwritten.append(change)
        if self._redis is None:
            self._keep_answers()
        elif len(self._unwritten) > UNWRITTEN_MAX:
            log.warning("the Redis server of the old programs is too slow: all is written anew")
            self._keep_answers()
            self._queued_ends.clear()
            self._unwritten += [one for one in self.mirror.everything() if isinstance(one, Written)]
        self._to_write.set()

    def _owe_ends(self) -> None:
        """Announce the runs that are over, once the outputs of their actions are there."""
        if self._redis is None:
            return
        now = time.monotonic()
        due = {(one.key, one.run): one for one in self.mirror.due()}
        for name in [name for name in self._ended_at if name not in due]:
            del self._ended_at[name]
        for name, one in due.items():
            ended_at = self._ended_at.setdefault(name, now)
            waits = self._outputs.is_waiting(one.key) and now < ended_at + END_WAITS_S
            if name not in self._queued_ends and not waits:
                self._queued_ends[name] = None
                self._unwritten.append(one)
        self._to_write.set()

    # Shots that Shotline has forgotten

    async def _prune(self) -> None:
        """Remove what is mirrored of shots that Shotline keeps no longer."""
        redis = self._redis
        try:
            status = await self._supervisor.status()
            if redis is None or status.recovering or status.journal != "ok":
                return
            shots = await self._supervisor.shots()
            known = {ShotKey(one.tree, one.shot) for one in shots.shots}
            for key in await redis.markers():
                if (
                    key not in known
                    and key not in self.mirror.shots
                    and self.mirror.wants(key.tree)
                ):
                    log.info("%s is kept no longer; what was mirrored of it is removed", key)
                    await redis.forget(key)
        except (SupervisorError, *REDIS_ERRORS) as error:
            log.info("old shots are removed later: %s", error)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first of the errors that came together."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
