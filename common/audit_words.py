"""What a line of the audit says of a command, and how the log and people have it. Pure."""

import re
from functools import cache
from itertools import islice
from typing import Final

import msgspec
from msgspec import structs

from shotline.common.base import Struct
from shotline.common.commands import AnyCommand
from shotline.common.messages import Via
from shotline.common.records import Audited

TEXT_MAX: Final = 1000
_ARGUMENT_MAX: Final = 200
_ITEMS_MAX: Final = 10  # of each list
_SECRET: Final = re.compile(r"key|passw|secret|token|credential", re.IGNORECASE)
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s\"]*@")  # of an url


def in_words(line: Audited) -> str:
    """Return a line but for its time."""
    what = _words(line.verb, line.tree, line.shot, line.arguments)
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


def words_of(command: AnyCommand) -> str:
    """Return a command as it is told: its verb, its shot, and what else is said."""
    return _words(
        command.verb, getattr(command, "tree", None), getattr(command, "shot", None), said(command)
    )


def _words(verb: str, tree: str | None, shot: int | None, arguments: str) -> str:
    about = "/".join(str(part) for part in (tree, shot) if part is not None)
    return " ".join(filter(None, (verb, about, arguments)))


def said(command: AnyCommand) -> str:
    """Return a command's arguments but for its shot, as JSON; nothing secret and nothing long."""
    given = _fields(command)
    given.pop("tree", None)
    given.pop("shot", None)
    return msgspec.json.encode(given).decode()[:TEXT_MAX] if given else ""


def _fields(one: Struct) -> dict[str, object]:
    return {
        name: _shown(name, value)
        for name, default in _defaults_of(type(one))
        if (value := getattr(one, name)) not in (default, {}, ())
    }


@cache
def _defaults_of(kind: type[Struct]) -> tuple[tuple[str, object], ...]:
    return tuple((one.name, one.default) for one in structs.fields(kind))


def _shown(name: str, value: object) -> object:
    """Return a value as it is told, of few things each: a command may have very many."""
    match value:
        case str():
            return "…" if _SECRET.search(name) else _short(value)
        case Struct():
            return _fields(value)
        case dict():
            return {str(one): _shown(str(one), of) for one, of in islice(value.items(), _ITEMS_MAX)}
        case tuple() | list():
            more = [f"… and {len(value) - _ITEMS_MAX} more"] if len(value) > _ITEMS_MAX else []
            return [*(_shown(name, one) for one in value[:_ITEMS_MAX]), *more]
        case _:
            return value


def _short(text: str) -> str:
    text = without_credentials(text)
    return text if len(text) <= _ARGUMENT_MAX else text[:_ARGUMENT_MAX] + "…"


def without_credentials(text: str) -> str:
    """Return text without users and passwords of urls."""
    return _CREDENTIALS.sub("…@", text) if "@" in text else text
