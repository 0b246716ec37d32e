"""What the site's configuration says of who may run what, and how much of it at a time. Pure.

Limits across classes, the concurrency of a class, its longest queue, the servers that it prefers.
Where nothing is configured nothing is looked at, however many actions come and go.

A place of a limit is held by an action that is sent or runs, and by one whose outcome is unknown:
it may still run (I1), so its place is free only when that is proven or when somebody vouches for
it. What holds places follows from the journal's records alone, so a restart changes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import inf
from typing import Final

from shotline.common.actions import IN_PROGRESS, AttemptId
from shotline.common.records import ShotKey, Transition
from shotline.common.settings.configuration import Config
from shotline.common.settings.sections.classes import ClassSection
from shotline.dispatcher.shots import Shot

_MAY_RUN: Final = ", which may still run there (if it does not: shotline fleet dismiss {})"
_SHOWN_MAX: Final = 3  # holders of a limit that are named


@dataclass(slots=True, eq=False)
class Limit:
    """So many actions at a time. What holds its places, and on which server."""

    words: str
    most: int
    classes: tuple[str, ...]  # patterns
    holders: dict[tuple[ShotKey, str], Transition] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether nothing more may start."""
        return len(self.holders) >= self.most

    def __str__(self) -> str:
        """Return in words who has its places."""
        held = [
            f"{path} of {key} on {live.server}"
            + (_MAY_RUN.format(live.server) if live.outcome_unknown else "")
            for (key, path), live in list(self.holders.items())[:_SHOWN_MAX]
        ]
        more = len(self.holders) - len(held)
        rest = f" and {more} more" if more else ""
        return f"a place of {self.words}, {self.most} at a time: {'; '.join(held)}{rest}"


class Scheduling:
    """The rules of all classes, and who holds the places of limits."""

    def __init__(self) -> None:
        self._config = Config()
        self.has_limits = False
        self.has_longest_queues = False
        self._limits: list[Limit] = []  # across classes
        self._of_class: dict[str, tuple[ClassSection, tuple[Limit, ...]]] = {}
        self._dismissed: dict[str, float] = {}  # servers, and when (wall time)

    def configure(self, config: Config, shots: Iterable[Shot]) -> None:
        """Take the configuration; who holds places is counted anew."""
        self._config = config
        self._of_class.clear()
        self._limits = [
            Limit(f"limit {name}", limit.most, limit.classes)
            for name, limit in config.limits.items()
        ]
        classes = config.classes.values()
        self.has_limits = bool(self._limits) or any(one.concurrency for one in classes)
        self.has_longest_queues = any(one.longest_queue is not None for one in classes)
        for shot in shots:
            self.count_anew(shot)

    def of(self, name: str) -> ClassSection:
        """Return what is configured for a class."""
        return self._rules(name)[0]

    def _rules(self, name: str) -> tuple[ClassSection, tuple[Limit, ...]]:
        found = self._of_class.get(name)
        if found is None:
            section = self._config.server_class(name)
            limits = [
                limit
                for limit in self._limits
                if any(fnmatchcase(name, pattern) for pattern in limit.classes)
            ]
            if section.concurrency is not None:
                limits.append(Limit(f"class {name}", section.concurrency, (name,)))
            found = self._of_class[name] = (section, tuple(limits))
        return found

    # Places

    def changed(self, shot: Shot, live: Transition) -> None:
        """Take a new state of an action: it takes a place, keeps it, or gives it back."""
        if live.path not in shot.table:
            return
        for limit in self._rules(shot.table.node(live.path).server_class)[1]:
            if live.state in IN_PROGRESS or self._may_still_run(live):
                limit.holders[shot.key, live.path] = live
            else:
                limit.holders.pop((shot.key, live.path), None)

    def count_anew(self, shot: Shot) -> None:
        """Take all of a shot: it was loaded, or its tables were read anew."""
        for limit in self._all_limits():
            for holder in [one for one in limit.holders if one[0] == shot.key]:
                del limit.holders[holder]
        for live in shot.actions.values():
            if live.state in IN_PROGRESS or live.outcome_unknown:
                self.changed(shot, live)

    def ended(self, attempt: AttemptId) -> None:
        """Give back the place of an attempt of a shot that is in memory no more."""
        holder = (ShotKey(attempt.tree, attempt.shot), attempt.path)
        for limit in self._all_limits():
            if (live := limit.holders.get(holder)) and live.attempt == attempt.number:
                del limit.holders[holder]

    def _may_still_run(self, live: Transition) -> bool:
        """Return whether nobody knows, or has said by dismissing its server, that it has ended."""
        dismissed = self._dismissed.get(live.server or "", float("-inf"))
        return live.outcome_unknown and live.time > dismissed

    def forget_server(self, name: str, at: float) -> None:
        """Give back what a server holds that is gone: somebody has dismissed it, then."""
        self._dismissed[name] = at
        for limit in self._all_limits():
            gone = [one for one, live in limit.holders.items() if live.server == name]
            for holder in gone:
                live = limit.holders[holder]
                if live.outcome_unknown and not self._may_still_run(live):
                    del limit.holders[holder]

    def _all_limits(self) -> Iterator[Limit]:
        yield from self._limits
        for _, limits in self._of_class.values():
            yield from (one for one in limits if one not in self._limits)

    def has_room(self, name: str) -> bool:
        """Whether one more action of a class may start now."""
        return not any(one.is_full for one in self._rules(name)[1])

    def room(self, name: str) -> int | None:
        """Return how many more actions of a class may start now; None: any number."""
        if not self.has_limits:
            return None
        limits = self._rules(name)[1]
        return min((max(one.most - len(one.holders), 0) for one in limits), default=None)

    def waits_for(self, name: str) -> str:
        """Return in words the places that an action of a class waits for; "" where it does not."""
        return " and ".join(str(one) for one in self._rules(name)[1] if one.is_full)

    # Preferences

    def rank(self, name: str, server: str, labels: tuple[str, ...]) -> float:
        """Return how much a server of a class is preferred, 0 the most."""
        for place, pattern in enumerate(self.of(name).prefer):
            if fnmatchcase(server, pattern) or any(fnmatchcase(one, pattern) for one in labels):
                return place
        return inf
