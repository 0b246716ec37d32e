"""How a Redis server is reached: for everybody in one way, from a section of the configuration."""

from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from shotline.common.errors import ConfigError
from shotline.common.files.secret_file import problem_of, secret_of
from shotline.common.settings.sections.redis import RedisAccess

REDIS_ERRORS: Final = (redis.RedisError, OSError)
"""What a Redis server that is away, or refuses, raises."""


def client_options(access: RedisAccess, name: str) -> dict[str, Any]:
    """Return what a client of redis-py, blocking or asyncio, is made with; `name` is ours there.

    Secrets are read anew, and Sentinels are asked anew which server is the master, which is then
    asked whether it is one: it blocks. Raise ConfigError for a secret that cannot be read or is
    not private, redis-py's errors where no Sentinel knows a master.
    """
    url = access.address
    password = secret_of(access.secret_file, f"{access.credential}_password")
    if password is None and url.password is not None:
        password = url.password.get_secret_value()
    options: dict[str, Any] = {
        "db": url.db,
        "username": url.user or None,
        "password": password,
        "client_name": name,
        "protocol": 2,
        **_common(access),
    }
    if url.file:
        return options | {"unix_socket_path": url.file}
    host, port = master_of(access) if url.master else url.hosts[0]
    options |= {"host": host, "port": port}
    if url.master:
        with redis.Redis(**options, retry=Retry(NoBackoff(), 0)) as client:
            if client.role()[0] != b"master":
                raise redis.ConnectionError(f"{host}:{port} is the master no longer")
    return options


def _common(access: RedisAccess) -> dict[str, Any]:
    """Return what holds for Sentinels, too."""
    options = {"socket_timeout": access.timeout_s, "socket_connect_timeout": access.timeout_s}
    url = access.address
    if url.tls is None:
        return options
    if url.key_file is not None and (problem := problem_of(url.key_file)):
        raise ConfigError(problem)
    return options | {"ssl": True, **url.tls}


def master_of(access: RedisAccess) -> tuple[str, int]:
    """Return the master's address, as the first Sentinel says that answers and knows it.

    Blocks. Raise ConfigError and redis-py's errors as `client_options` does.
    """
    password = secret_of(access.sentinel_password_file, f"{access.credential}_sentinel_password")
    options = {**_common(access), "password": password, "protocol": 2, "decode_responses": True}
    told = []
    for host, port in access.address.hosts:
        try:
            with redis.Redis(host, port, **options, retry=Retry(NoBackoff(), 0)) as sentinel:
                found = sentinel.execute_command(
                    "SENTINEL", "GET-MASTER-ADDR-BY-NAME", access.address.master
                )
        except REDIS_ERRORS as error:
            told.append(f"the Sentinel at {host}:{port} does not answer: {error}")
        else:
            if found is not None:
                return str(found[0]), int(found[1])
            told.append(f"the Sentinel at {host}:{port} knows no master of that name")
    raise redis.ConnectionError("; ".join(told))
