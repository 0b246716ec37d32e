"""Who may use what: groups of users with patterns of names that fit or do not (Q8). Pure."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from shotline.common.queue.records import Patterns, QueueGroup
from shotline.common.queue.views import RefusalCode
from shotline.pulse_queue.core import QueueCore
from shotline.pulse_queue.refusal import QueueRefusal

EVERYTHING: Final = QueueGroup()


def fits(patterns: Patterns, name: str) -> bool:
    """Return whether a name may be used."""
    return any(fnmatchcase(name, one) for one in patterns.allowed) and not any(
        fnmatchcase(name, one) for one in patterns.forbidden
    )


def groups_of(core: QueueCore) -> Mapping[str, QueueGroup]:
    """Return the groups that count: those that were set, else the configuration's."""
    return core.config.queue.groups if core.fold.groups is None else core.fold.groups


def group_named(core: QueueCore, name: str) -> tuple[str, QueueGroup]:
    """Return a group with its name. Raise QueueRefusal for one that there is not."""
    groups = groups_of(core)
    if not groups:
        return name, EVERYTHING
    wanted = name or core.config.queue.default_group
    group = groups.get(wanted)
    if group is None:
        known = ", ".join(sorted(groups))
        what = f"unknown group {wanted}" if name else f"name your group: there is no {wanted}"
        raise QueueRefusal(RefusalCode.UNKNOWN_GROUP, f"{what}; known: {known}")
    return wanted, group


def require_fit(patterns: Patterns, name: str, what: str, group: str) -> None:
    """Raise QueueRefusal where a group may not use a name."""
    if not fits(patterns, name):
        raise QueueRefusal(RefusalCode.NOT_ALLOWED, f"group {group} may not use {what} {name}")


def those_that_fit(patterns: Patterns, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that may be used, in order."""
    return tuple(sorted(name for name in names if fits(patterns, name)))
