"""The Redis server of the old programs: what they publish, what is written for them.

One connection listens; a few others are shared by all who read and write, and who wait for one of
them however many they are. What messages and keys mean is not known here; any error of redis-py or
of the socket goes up, and whoever gets it connects anew.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final, Self, cast

import redis.asyncio
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.client import Pipeline, PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shotline.bridges.redis_dispatcher import changes as ch
from shotline.bridges.redis_dispatcher.changes import Written
from shotline.bridges.redis_dispatcher.translation import COMMANDS, MONITOR, SERVER_COMMANDS
from shotline.common.records import ShotKey
from shotline.common.redis.connection import REDIS_ERRORS, client_options
from shotline.common.settings.sections.redis import RedisAccess

log = logging.getLogger(__name__)

TODO: Final = "ACTION_SERVER_TODO:"
CHECK_S: Final = 5.0  # a silent subscription is asked this often whether it is still there
CONNECTIONS_MAX: Final = 8
_TODO_MAX: Final = 10_000
_MARKER_MAX: Final = 20


class OldRedis:
    """One connected life; make a new one after an error."""

    def __init__(self, client: redis.asyncio.Redis, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._pubsub: PubSub | None = None

    @classmethod
    async def of(cls, access: RedisAccess) -> Self:
        """Return one that is not connected yet. Raise ConfigError for an unusable password."""
        client = redis.asyncio.Redis(
            **await asyncio.to_thread(client_options, access, "shotline-legacy-bridge"),
            retry=Retry(NoBackoff(), 0),
            encoding_errors="backslashreplace",
        )
        how = client.connection_pool
        shared = BlockingConnectionPool(
            CONNECTIONS_MAX,
            timeout=None,  # whoever has one is answered, or fails, in time
            connection_class=how.connection_class,
            **how.connection_kwargs,
        )
        return cls(redis.asyncio.Redis.from_pool(shared), access.timeout_s)

    async def connect(self) -> None:
        """Return once every message that is published from now on will be heard."""
        await self._ask("PING")
        self._pubsub = self._client.pubsub()
        await self._pubsub.subscribe(COMMANDS)
        await self._pubsub.psubscribe(f"{SERVER_COMMANDS}*")
        for _ in range(2):
            if await self._pubsub.get_message(timeout=self._timeout_s) is None:
                raise redis.TimeoutError("Redis does not answer a subscription")

    async def messages(self) -> AsyncIterator[tuple[bytes, bytes]]:
        """Yield channel and text of what is published, for ever."""
        assert self._pubsub is not None
        asked = False
        while True:
            message = await self._pubsub.get_message(timeout=CHECK_S)
            if message is None:
                if asked:
                    raise redis.TimeoutError("Redis is silent")
                asked = True
                await self._pubsub.ping()
                continue
            asked = False
            if message["type"] in ("message", "pmessage"):
                yield message["channel"], message["data"]

    async def markers(self) -> dict[ShotKey, int]:
        """Return what earlier bridges have announced, by shot."""
        found: dict[ShotKey, int] = {}
        for name, number in (await self._hash(ch.MARKERS)).items():
            try:
                found[ch.shot_key(name)] = int(number[:_MARKER_MAX])
            except ValueError:
                log.warning("%s holds what is no marker: %s %s", ch.MARKERS, name, number)
        return found

    async def outputs(self, key: ShotKey) -> dict[str, str]:
        """Return the attempts whose output stands in ACTION_LOG, by path."""
        return await self._hash(ch.outputs_key(key))

    async def queues(self) -> list[str]:
        """Return the server classes in whose queues something stands."""
        names = self._client.scan_iter(match=f"{TODO}*", count=1000)
        return [name.decode(errors="replace").removeprefix(TODO) async for name in names]

    async def queued(self, server_class: str) -> list[bytes]:
        """Return what stands in a class's queue; it stays there."""
        reply = await self._ask("LRANGE", f"{TODO}{server_class}", 0, _TODO_MAX - 1)
        return cast("list[bytes]", reply)

    async def take(self, server_class: str, items: Sequence[bytes]) -> list[bytes]:
        """Take items out of a class's queue; return those that nobody else had taken."""
        if not items:
            return []
        pipeline = self._client.pipeline(transaction=True)
        for item in items:
            pipeline.execute_command("LREM", f"{TODO}{server_class}", 1, item)
        removed = await pipeline.execute()
        return [item for item, count in zip(items, removed, strict=True) if count]

    async def write(self, changes: Iterable[Written]) -> None:
        """Carry out changes, in order; those between two replaced shots at one moment."""
        pipeline = self._client.pipeline(transaction=True)
        for change in changes:
            if isinstance(change, ch.ReplaceShot):
                await pipeline.execute()
                await self._replace(pipeline, change)
            else:
                _add(pipeline, change)
        await pipeline.execute()

    async def forget(self, key: ShotKey) -> None:
        """Remove all that is mirrored of a shot."""
        pipeline = self._client.pipeline(transaction=True)
        for name in (
            *await self._info_keys(key),
            *_shot_keys(key),
            ch.log_key(key),
            ch.outputs_key(key),
        ):
            pipeline.execute_command("DEL", name)
        pipeline.execute_command("HDEL", ch.MARKERS, ch.shot_name(key))
        await pipeline.execute()

    async def close(self) -> None:
        """Close all connections."""
        try:
            if self._pubsub is not None:
                await self._pubsub.aclose()  # type: ignore[no-untyped-call]
            await self._client.aclose()
        except REDIS_ERRORS as error:
            log.debug("the connection did not close in order: %s", error)

    async def _replace(self, pipeline: Pipeline, change: ch.ReplaceShot) -> None:
        for name in (*await self._info_keys(change.key), *_shot_keys(change.key)):
            pipeline.execute_command("DEL", name)
        for name, fields in change.hashes:
            _add(pipeline, ch.SetFields(name, fields))

    async def _info_keys(self, key: ShotKey) -> list[str]:
        """Return the keys of states that a shot has now: one for each server class."""
        classes = set((await self._hash(ch.server_key(key))).values())
        return [ch.info_key(key, name) for name in sorted(classes)]

    async def _hash(self, name: str) -> dict[str, str]:
        reply = cast("dict[bytes, bytes]", await self._client.hgetall(name))
        return {
            field.decode(errors="backslashreplace"): value.decode(errors="backslashreplace")
            for field, value in reply.items()
        }

    async def _ask(self, *words: str | int) -> object:
        reply: object = await self._client.execute_command(*words)  # type: ignore[no-untyped-call]
        return reply


def _shot_keys(key: ShotKey) -> tuple[str, ...]:
    return ch.status_key(key), ch.server_key(key), ch.phase_key(key)


def _add(pipeline: Pipeline, change: Written) -> None:
    match change:
        case ch.SetFields():
            words = [word for pair in change.fields for word in pair]
            pipeline.execute_command("HSET", change.key, *words)
        case ch.SetText():
            pipeline.execute_command("SET", change.key, change.text)
        case ch.AddOne():
            pipeline.execute_command("HINCRBY", change.key, change.field, 1)
        case ch.Publish():
            pipeline.execute_command("PUBLISH", change.channel, change.text)
        case ch.StoreOutput():
            pipeline.execute_command("HSET", ch.log_key(change.key), change.path, change.text)
            done = (change.path, change.attempt)
            pipeline.execute_command("HSET", ch.outputs_key(change.key), *done)
        case ch.EndPhase():
            pipeline.execute_command("PUBLISH", MONITOR, change.text)
            pipeline.execute_command("HSET", ch.MARKERS, ch.shot_name(change.key), change.run)
        case ch.ReplaceShot():
            raise AssertionError("a shot is replaced by `write` alone")
