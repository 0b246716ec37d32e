"""Which servers are meant. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from shotline.common.fleet.settings import Select


class Known(NamedTuple):
    """A server that is there, was there, or is expected."""

    name: str
    server_class: str
    host: str
    labels: tuple[str, ...]


def known(name: str, host: str = "", labels: Iterable[str] = ()) -> Known:
    """Return a server by its name, CLASS:ID."""
    return Known(name, name.partition(":")[0], host, tuple(labels))


def is_meant(select: Select, server: Known) -> bool:
    """Return whether a pattern of each list that is given fits."""
    return (
        _fits(select.classes, (server.server_class,))
        and _fits(select.hosts, (server.host,))
        and _fits(select.labels, server.labels)
        and _fits(select.servers, (server.name,))
    )


def _fits(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    if not patterns:
        return True
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def in_words(select: Select) -> str:
    """Return what is asked for."""
    parts = [
        f"{what} {', '.join(patterns)}"
        for what, patterns in (
            ("class", select.classes),
            ("host", select.hosts),
            ("label", select.labels),
            ("server", select.servers),
        )
        if patterns
    ]
    return " and ".join(parts) or "any server"
