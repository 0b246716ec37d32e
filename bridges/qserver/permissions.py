"""The permissions of user groups, theirs and ours. Pure.

Theirs are names, and regular expressions behind a colon; ours are patterns with `*` and `?`. What
has no counterpart is refused. As a client has set them they are kept in the group's description.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from shotline.bridges.qserver.asking import Body, Sorry
from shotline.common.base import Json
from shotline.common.queue.records import Patterns, QueueGroup

ROOT: Final = "root"
_GIVEN: Final = "set by a client of the queue server: "
_DESCRIPTION_MAX: Final = 1000
_PIECE: Final = re.compile(r"\.\*|\\?[\w .\-]", re.ASCII)
_KINDS: Final = ("allowed_plans", "forbidden_plans")
_FUNCTIONS: Final = ("allowed_functions", "forbidden_functions")
_FIELDS: Final = (*_KINDS, *_FUNCTIONS, "allowed_devices", "forbidden_devices")


def groups_of(permissions: Json) -> dict[str, QueueGroup]:
    """Return our groups for permissions of theirs. Raise Sorry."""
    if not isinstance(permissions, dict):
        raise Sorry(f"permissions must be an object, not {type(permissions)}")
    if "user_groups" not in permissions:
        raise Sorry("'user_groups' is a required property of the permissions")
    named = permissions["user_groups"]
    if not isinstance(named, dict):
        raise Sorry(f"'user_groups' must be an object, not {type(named)}")
    if ROOT not in named:
        raise Sorry(f"Missing required user group: {ROOT!r}")
    root = _group(ROOT, named[ROOT])
    for field in (root.kinds, root.functions):
        if "*" not in field.allowed:
            raise Sorry(f"group {ROOT!r} must allow everything: forbid in it what nobody may use")
    found = {}
    for name, one in named.items():
        group = _group(name, one)
        found[name] = QueueGroup(
            description=group.description,
            kinds=_both(group.kinds, root.kinds),
            functions=_both(group.functions, root.functions),
        )
    return found


def _both(group: Patterns, root: Patterns) -> Patterns:
    forbidden = tuple(dict.fromkeys((*group.forbidden, *root.forbidden)))
    return Patterns(allowed=group.allowed, forbidden=forbidden)


def _group(name: Json, given: Json) -> QueueGroup:
    if not isinstance(name, str) or not 1 <= len(name) <= 64 or not isinstance(given, dict):
        raise Sorry(f"user group {name!r} must be an object under a name")
    for field, patterns in given.items():
        if field not in _FIELDS:
            raise Sorry(f"user group {name!r} has an unknown property {field!r}")
        if not isinstance(patterns, list):
            raise Sorry(f"user group {name!r}: {field!r} must be a list")
    description = _GIVEN + json.dumps(given)
    return QueueGroup(
        description=description if len(description) <= _DESCRIPTION_MAX else "",
        kinds=_patterns(given, *_KINDS),
        functions=_patterns(given, *_FUNCTIONS, default=("*",) if name == ROOT else ()),
    )


def _patterns(given: Body, allowed: str, forbidden: str, default: tuple[str, ...] = ()) -> Patterns:
    return Patterns(
        allowed=tuple(_ours(one, "*") for one in given[allowed]) if allowed in given else default,
        forbidden=tuple(_ours(one, "") for one in given.get(forbidden, []) if one is not None),
    )


def _ours(pattern: Json, nothing: str) -> str:
    """Return our pattern for one of theirs; None stands for `nothing`."""
    if pattern is None:
        return nothing
    if not isinstance(pattern, str) or len(pattern) > 200:
        raise Sorry(f"a pattern must be a text or null, not {pattern!r}")
    if not pattern.startswith(":"):
        return _plain(pattern)
    text = pattern[1:]
    begins, ends = text.startswith("^"), text.endswith("$")
    text = text.removeprefix("^").removesuffix("$")
    made = []
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            words = "only ^, $, .* and plain characters have a counterpart here"
            raise Sorry(f"the pattern {pattern!r} cannot be used: {words}")
        at = piece.end()
        made.append(_wild(piece.group()))
    return ("" if begins else "*") + "".join(made) + ("" if ends else "*")


def _wild(piece: str) -> str:
    if piece == ".*":
        return "*"
    return "?" if piece == "." else piece.removeprefix("\\")


def _plain(name: str) -> str:
    return "".join(f"[{one}]" if one in "*?[" else one for one in name)


def permissions_of(groups: Mapping[str, QueueGroup]) -> Body:
    """Return permissions of theirs for our groups."""
    told: Body = {ROOT: {"allowed_plans": [None], "allowed_devices": [None]}}
    for name, group in groups.items():
        if group.description.startswith(_GIVEN):
            told[name] = json.loads(group.description.removeprefix(_GIVEN))
            continue
        told[name] = {
            "allowed_plans": list(_theirs(group.kinds.allowed)),
            "forbidden_plans": list(_theirs(group.kinds.forbidden)),
            "allowed_devices": [None],
            "allowed_functions": list(_theirs(group.functions.allowed)),
            "forbidden_functions": list(_theirs(group.functions.forbidden)),
        }
    return {"user_groups": told}


def _theirs(patterns: Sequence[str]) -> Iterator[str]:
    for one in patterns:
        if any(wild in one for wild in "*?"):
            yield ":^" + "".join({"*": ".*", "?": "."}.get(at, at) for at in one) + "$"
        else:
            yield one


def is_allowed(patterns: Patterns, name: str) -> bool:
    """Return whether a group may use a name."""
    return any(fnmatchcase(name, one) for one in patterns.allowed) and not any(
        fnmatchcase(name, one) for one in patterns.forbidden
    )
