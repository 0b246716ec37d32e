"""The configuration of Redis and of the journal in it. Pure."""

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, InstanceOf, PlainSerializer, WithJsonSchema

from shotline.common.redis.url import RedisUrl
from shotline.common.settings.sections.values import Bytes, Port, PositiveCount, Seconds, Section

OWN_PASSWORD: Final = "password"
"""The file, in the folder of our own Redis server, that holds its password."""


def _redis_url(value: object) -> object:
    if isinstance(value, str):
        return RedisUrl.parse(value)
    if not isinstance(value, RedisUrl):
        raise ValueError("must be text")  # pydantic's
    return value


RedisAddress = Annotated[
    InstanceOf[RedisUrl],
    BeforeValidator(_redis_url),
    PlainSerializer(str, when_used="json"),
    WithJsonSchema({"type": "string"}),
]


class RedisAccess(Section):
    """How a Redis server is reached, whatever it is for."""

    password_file: Path | None = Field(
        None,
        description="File that holds the password and nothing else, of mode 0600; null: what "
        "systemd's credential holds: redis_password, or legacy_redis_password for the bridge.",
    )
    sentinel_password_file: Path | None = Field(
        None,
        description="Likewise for the Sentinels: redis_sentinel_password, or "
        "legacy_redis_sentinel_password.",
    )
    timeout_s: Seconds = Field(
        5.0, description="A Redis server that does not answer for this long counts as away."
    )

    credential: ClassVar[str]
    """What the names of its credentials of systemd begin with."""

    @property
    @abstractmethod
    def address(self) -> RedisUrl:
        """Where it is."""

    @property
    def secret_file(self) -> Path | None:
        """The file of its password; None: there is no file."""
        return self.password_file


class RedisSection(RedisAccess):
    """The Redis server in which the dispatcher keeps action state and logs."""

    credential = "redis"

    url: RedisAddress | None = Field(
        None,
        description="redis://USER@HOST:PORT/DB, rediss:// with TLS, unix://FILE, or "
        "redis-sentinel://HOST:PORT,HOST:PORT/DB?master=NAME; null: `shotline up` starts a server "
        "of its own on 127.0.0.1.",
    )
    port: Port = Field(5573, description="Port of the server of our own.")
    folder: Path = Field(
        Path("redis"), description="Folder of our own server's data, inside `data_folder`."
    )
    key_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]+$", max_length=64)] = Field(
        "shotline:",
        description="What all keys of the journal begin with; Shotlines that share a database have "
        "different ones, none of which begins with another.",
    )
    append_fsync: Literal["everysec", "always", "any"] = Field(
        "everysec",
        description="The least durable append-only setting that is in order; the dispatcher warns "
        "at its start when the server's is less. any: no warning.",
    )
    retry_s: Seconds = Field(1.0, description="While Redis is away, it is tried again this often.")

    @property
    def address(self) -> RedisUrl:
        """Where it is, also when the server is our own."""
        return self.url or RedisUrl("redis", (("127.0.0.1", self.port),))

    @property
    def secret_file(self) -> Path | None:
        """The file of its password; our own server has one in its folder."""
        ours = None if self.url else self.folder / OWN_PASSWORD
        return self.password_file or ours


class JournalSection(Section):
    """What the dispatcher writes down, for how long, and where while Redis is away."""

    spill_file: Path = Field(
        Path("journal.spill"),
        description="File that takes commits while Redis is away, inside `data_folder`.",
    )
    spill_bytes_max: Bytes = Field(
        256 * 1024 * 1024, description="At this size nothing new starts; running work goes on."
    )
    keep_shots: PositiveCount = Field(
        100, description="Shots kept per experiment; older ones that are not open are removed."
    )
    output_bytes_max: Bytes = Field(
        10 * 1024 * 1024,
        description="Output stored per attempt; a note stands where the rest was cut.",
    )
    audit_lines_max: PositiveCount = Field(
        100_000, description="Lines of the audit that are kept, about; older ones are removed."
    )
    audit_days: PositiveCount = Field(400, description="Days after which they are removed.")
