"""What the doctor sees of Redis: whether it is there, and whether it keeps what it is told."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import redis

from shotline.client.doctor.finding import Finding, fine, problem, warning
from shotline.common.errors import ConfigError
from shotline.common.redis.connection import REDIS_ERRORS, client_options
from shotline.common.redis.durability import SETTINGS, UNTOLD, warnings_about
from shotline.common.settings.sections.redis import RedisSection

_FULL: Final = 0.8  # of the memory that it may have
_CLOCK_S: Final = 1.0


def store(section: RedisSection, *, is_dispatchers_host: bool) -> Iterator[Finding]:
    """Look at the Redis server. Only the dispatcher's machine needs to reach it."""
    name = section.address.name
    try:
        options = client_options(section, "shotline-doctor")
        with redis.Redis(**options) as client:
            client.ping()
            yield fine("redis", f"{name} answers")
            yield from _kept(client, section)
    except ConfigError as error:
        advice = "mend it, or let the user ask who runs the dispatcher (sudo -u shotline)"
        yield warning("redis", str(error), advice)
    except REDIS_ERRORS as error:
        text = f"{name} cannot be used from here: {error}"
        if is_dispatchers_host:
            yield problem("redis", text, "start it; meanwhile the journal goes to the spill file")
        else:
            advice = "let the doctor look on the dispatcher's machine, too: only that needs Redis"
            yield warning("redis", text, advice)


def _kept(client: redis.Redis, section: RedisSection) -> Iterator[Finding]:
    try:
        settings = {name: str(client.config_get(name)[name]) for name in SETTINGS}
    except redis.ResponseError as error:
        yield warning("redis", UNTOLD.format(error=error), "look at redis.conf")
    else:
        told = warnings_about(settings, section)
        for text in told:
            yield problem("redis", text, "in redis.conf, and at once by CONFIG SET")
        if not told:
            yield fine("redis", "it keeps what it is told")
    info: Mapping[str, Any] = client.info()
    for key, what in (
        ("aof_last_write_status", "its last write to the append-only file failed"),
        ("aof_last_bgrewrite_status", "its last rewrite of the append-only file failed"),
        ("rdb_last_bgsave_status", "its last snapshot failed"),
    ):
        if info.get(key, "ok") != "ok":
            yield problem("redis", what, "look at its log, and at the disk of its machine")
    used, most = int(info["used_memory"]), int(info.get("maxmemory", 0))
    if most and used > _FULL * most:
        text = f"{used * 100 // most} % of its memory is in use"
        yield warning("redis", text, "raise maxmemory, or lower journal.keep_shots")
    seconds, micros = client.time()
    off_s = seconds + micros / 1e6 - time.time()
    if abs(off_s) > _CLOCK_S:
        text = f"the clock of its machine is {off_s:+.1f} s from this one's"
        yield warning("clocks", text, "keep both right by NTP; nothing is decided by them")
