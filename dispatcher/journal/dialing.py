"""How the journal's Redis is reached: its name for people, connections, and why there is none."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import AuthenticationError, AuthorizationError

from shotline.common.errors import ConfigError, JournalError
from shotline.common.redis.connection import REDIS_ERRORS, master_of
from shotline.common.settings.sections.redis import RedisSection
from shotline.dispatcher.journal.link import Connection, connect


class Dialer:
    """Makes connections to the Redis server of the configuration."""

    def __init__(self, redis: RedisSection) -> None:
        self._redis = redis
        # Whether Sentinels know where the server is, and it may change.
        self.asks_sentinels = bool(redis.address.master)

    @property
    def name(self) -> str:
        """The server's name for people."""
        return self._redis.address.name

    def connect(self) -> Connection:
        """Return a new connection. Blocks; raise redis-py's errors, or ConfigError."""
        return connect(self._redis)

    def master(self) -> tuple[str, int]:
        """Return the address that the Sentinels name now. Blocks; raise as `connect` does."""
        return master_of(self._redis)

    @contextmanager
    def session(self, failed: str) -> Iterator[Connection]:
        """Give a new connection, which is closed where the body raises, and left open else.

        Raise JournalError, in words for the operator, for all that goes wrong with Redis; `failed`
        says what did not come about then.
        """
        try:
            connection = self.connect()
        except (AuthenticationError, AuthorizationError) as error:
            raise JournalError(f"{self.name} refuses the password: {error}") from error
        except ConfigError as error:
            raise JournalError(f"{self.name} is not asked: {error}") from error
        except REDIS_ERRORS as error:
            raise JournalError(
                f"{self.name} cannot be reached: {error}; start it, or correct redis.url"
            ) from error
        try:
            yield connection
        except REDIS_ERRORS as error:
            connection.disconnect()
            raise JournalError(f"{self.name} {failed}: {error}") from error
        except BaseException:
            connection.disconnect()
            raise
