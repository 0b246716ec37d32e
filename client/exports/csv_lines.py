"""Lines of CSV (RFC 4180), and what stands in their cells. Pure."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

_QUOTED: Final = re.compile(r'[",\r\n]')


def time_text(at: float | None) -> str:
    """Return a time in UTC, to the millisecond; "" for none."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def cell(value: Any) -> str:
    """Return what stands in a cell: a text as it is, else JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def csv_line(cells: Iterable[str]) -> str:
    """Return a line of CSV (RFC 4180), without its end."""
    return ",".join(
        '"{}"'.format(one.replace('"', '""')) if _QUOTED.search(one) else one for one in cells
    )
