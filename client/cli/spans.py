"""Spans of time as they are written on a command line."""

import re
from typing import Final

from shotline.client.cli.base import wrong
from shotline.client.plain import plain

_SPAN: Final = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def is_span(word: str) -> bool:
    """Return whether a word is a span of time."""
    return _SPAN.fullmatch(word) is not None


def seconds_of(word: str) -> float:
    """Return a span of time in seconds. End with a usage error when it is none."""
    found = _SPAN.fullmatch(word)
    if found is None:
        wrong(f"{plain(word)!r} is no span of time: 90s, 30m, 2h, 3d")
    return float(int(found[1]) * _SECONDS[found[2]])
