"""The configuration of the bridge to the Redis dispatcher. Pure."""

from typing import Literal, get_args

from pydantic import Field

from shotline.common.redis.url import RedisUrl
from shotline.common.settings.sections.redis import RedisAccess, RedisAddress
from shotline.common.settings.sections.values import Bytes, PositiveCount, Switch, TreeName

LegacyCommand = Literal[
    "create_pulse",
    "build_tables",
    "do_phase",
    "do_sequence",
    "abort",
    "abort_pending",
    "print_pending",
    "quit",
    "dispatch",
    "server_restart",
    "server_stop",
    "server_quit",
]


class LegacySection(RedisAccess):
    """The bridge for programs that were written for the MDSplus Redis dispatcher."""

    credential = "legacy_redis"

    redis_url: RedisAddress = Field(
        RedisUrl.parse("redis://127.0.0.1:6379/0"),
        description="The Redis server of those programs, as `redis.url`. It may be the one in "
        "which Shotline keeps its journal.",
    )
    trees: tuple[TreeName, ...] | None = Field(
        None, description="Experiments that those programs see and drive; null: all."
    )
    commands: tuple[LegacyCommand, ...] = Field(
        get_args(LegacyCommand),
        description="Commands of those programs that are carried out; others are refused. []: they "
        "only see. `dispatch` and `server_…` are what they say to servers.",
    )
    replace_pulse: Switch = Field(
        False,
        description="true: their create_pulse makes the pulse of a shot that exists anew, as the "
        "Redis dispatcher does; false: it is refused, and the pulse stays as it is.",
    )
    output_bytes_max: Bytes = Field(
        1024 * 1024, description="Output of an action that they see; the rest is left out."
    )
    shots_max: PositiveCount = Field(
        10, description="Shots that are followed; of others the keys stay as they are."
    )

    @property
    def address(self) -> RedisUrl:
        """Where the Redis server of those programs is."""
        return self.redis_url
