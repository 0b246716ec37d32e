"""Points in time as an operator writes them."""

import time
from datetime import datetime, timedelta
from typing import Final

from shotline.client.cli.base import wrong
from shotline.client.cli.spans import is_span, seconds_of
from shotline.client.plain import plain

_DAYS: Final = {"today": 0, "yesterday": 1}
HELP: Final = "2026-11-29 or 2026-11-29T08:30, `yesterday`, `today`, or 90s, 30m, 2h, 3d ago."


def time_of(word: str) -> float:
    """Return a time as seconds since 1970; without a zone it is local. End with a usage error."""
    if is_span(word):
        return max(time.time() - seconds_of(word), 0.0)
    try:
        if word.lower() in _DAYS:
            midnight = (
                datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
            )
            return (midnight - timedelta(days=_DAYS[word.lower()])).timestamp()
        return datetime.fromisoformat(word).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        wrong(
            f"{plain(word)!r} is no time: 2026-11-29, 2026-11-29T08:30, yesterday, 90s, 30m, 2h, 3d"
        )
