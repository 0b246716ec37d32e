"""What a line of the audit says of a command, and how the log and people have it. Pure."""

import re
from functools import cache
from typing import Final

import msgspec
from msgspec import structs

from shotline.common.commands import AnyCommand
from shotline.common.messages import Via
from shotline.common.records import Audited

TEXT_MAX: Final = 1000
_ARGUMENT_MAX: Final = 200
_ITEMS_MAX: Final = 20
_LEFT_OUT: Final = ("tree", "shot", "key", "lock_key")  # the last ones are of locks
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s\"]*@")  # of an url


def in_words(line: Audited) -> str:
    """Return a line but for its time."""
    shot = "/".join(str(part) for part in (line.tree, line.shot) if part is not None)
    what = " ".join(filter(None, (line.verb, shot, line.arguments)))
    message = f", {line.message}" if line.message else ""
    took = f" ({line.duration_s:.3f} s)" if line.duration_s is not None else ""
    untold = f" ({line.untold} others before it are not told)" if line.untold else ""
    return f"{giver_of(line)}: {what}: {line.outcome}{message}{took}{untold}"


def giver_of(line: Audited) -> str:
    """Return who it was, and from where."""
    is_own = line.via is Via.PROGRAM
    return " ".join(
        filter(
            None,
            (
                line.who or "somebody",
                "" if is_own else f"({line.via})",
                f"at {line.browser}" if line.browser else "",
                f"by {line.program}" if line.program and not is_own else "",
                f"with the key {line.key}" if line.key else "",
                f"from {line.address}" if line.address else "",
            ),
        )
    )


def said(command: AnyCommand) -> str:
    """Return a command's arguments but for its shot, as JSON; nothing secret and nothing long."""
    given = {
        name: _short(value)
        for name, default in _arguments(type(command))
        if (value := getattr(command, name)) != default
    }
    return msgspec.json.encode(given).decode()[:TEXT_MAX] if given else ""


@cache
def _arguments(kind: type[AnyCommand]) -> tuple[tuple[str, object], ...]:
    """Return the arguments of a kind of command and their defaults."""
    named = ((one.name, one.default) for one in structs.fields(kind))
    return tuple(one for one in named if one[0] not in _LEFT_OUT)


def _short(value: object) -> object:
    if isinstance(value, tuple) and len(value) > _ITEMS_MAX:
        return f"{len(value)} of them"
    if not isinstance(value, str):
        return value
    value = without_credentials(value)
    return value if len(value) <= _ARGUMENT_MAX else value[:_ARGUMENT_MAX] + "…"


def without_credentials(text: str) -> str:
    """Return text without users and passwords of urls."""
    return _CREDENTIALS.sub("…@", text) if "@" in text else text
