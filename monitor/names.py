"""The ids of channels: how they are made, and what one names. Pure."""

import re
from typing import Final

from shotline.common.base import Value
from shotline.common.records import ShotKey

SYSTEM: Final = "system"
LENGTH_MAX: Final = 1300

_SHOT: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,63})/([1-9][0-9]{0,9})")
_RUN: Final = re.compile(r"(.{1,64})/([1-9][0-9]{0,8})", re.DOTALL)
_ATTEMPT: Final = re.compile(r"(.{1,1024})#([1-9][0-9]{0,8})", re.DOTALL)


class ShotName(Value):
    """A shot's channel."""

    key: ShotKey


class RunName(Value):
    """A run's channel."""

    key: ShotKey
    phase: str
    run: int


class AttemptName(Value):
    """An attempt's channel."""

    key: ShotKey
    path: str
    number: int


ChannelName = ShotName | RunName | AttemptName


def shot_id(key: ShotKey) -> str:
    """Return the id of a shot's channel."""
    return f"{key.tree}/{key.shot}"


def run_id(key: ShotKey, phase: str, run: int) -> str:
    """Return the id of a run's channel."""
    return f"{key.tree}/{key.shot}/{phase}/{run}"


def attempt_id(key: ShotKey, path: str, number: int) -> str:
    """Return the id of an attempt's channel."""
    return f"{key.tree}/{key.shot}/{path}#{number}"


def named(channel_id: str) -> ChannelName | None:
    """Return what of a shot an id names; None for the other channels and for no id at all."""
    shot = _SHOT.match(channel_id)
    if shot is None or len(channel_id) > LENGTH_MAX:
        return None
    key = ShotKey(shot[1].upper(), int(shot[2]))
    rest = channel_id[shot.end() :]
    if not rest:
        return ShotName(key)
    if not rest.startswith("/"):
        return None
    if (run := _RUN.fullmatch(rest, 1)) is not None:
        return RunName(key, run[1], int(run[2]))
    if (attempt := _ATTEMPT.fullmatch(rest, 1)) is not None:
        return AttemptName(key, attempt[1], int(attempt[2]))
    return None
