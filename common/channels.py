"""The names of the event feed's channels: how they are made, and what one names. Pure."""

import re
from typing import Final

from shotline.common.records import ShotKey

SERVERS: Final = "servers"
LOG: Final = "log"
AUDIT: Final = "audit"
QUEUE: Final = "queue"
VOLUMES: Final = "volumes"
ALARMS: Final = "alarms"
FEED: Final = "feed"
"""Its events are the beats, which say how far the other channels are."""

SHOTS: Final = "shot/"
OUTPUTS: Final = "output/"
"""Beginnings: whoever subscribes to them hears of all shots, of all outputs."""

_SHOT: Final = re.compile(r"shot/([^/]+)/([0-9]{1,10})")
_OUTPUT: Final = re.compile(r"output/([^/]+)/([0-9]{1,10})/(.+)", re.DOTALL)


def shot_channel(key: ShotKey) -> str:
    """Return the channel of a shot's records."""
    return f"{SHOTS}{key.tree}/{key.shot}"


def output_channel(key: ShotKey, path: str) -> str:
    """Return the channel of an action's output; with an empty path the beginning of them all."""
    return f"{OUTPUTS}{key.tree}/{key.shot}/{path}"


def shot_of(channel: str) -> ShotKey | None:
    """Return the shot whose records a channel carries; None for other channels."""
    found = _SHOT.fullmatch(channel)
    return ShotKey(found[1], int(found[2])) if found is not None else None


def output_of(channel: str) -> tuple[ShotKey, str] | None:
    """Return the shot and the path of the action whose output it carries; None for others."""
    found = _OUTPUT.fullmatch(channel)
    return (ShotKey(found[1], int(found[2])), found[3]) if found is not None else None
