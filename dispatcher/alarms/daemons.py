"""Which daemons are away, as far as the dispatcher can see. Pure.

Those that it talks to, Redis and the broker, and those that report to it: providers and watchers of
volumes. Whoever is away for a moment only is no alarm.
"""

from collections.abc import Callable, Mapping
from itertools import chain
from math import inf
from typing import Final

from shotline.alarms.events import Trouble, TroubleIsOver
from shotline.alarms.raising import severity_of
from shotline.common.alarms.alarm import AlarmKind
from shotline.dispatcher.core import Core

LOOK_S: Final = 1.0

Heard = Callable[[], Mapping[str, float]]
"""Who reports, and until when they need not say anything again (monotonic)."""


class Daemons:
    """Looks who is away, and tells the machine of alarms."""

    def __init__(self, core: Core, *heard: Heard) -> None:
        self._core = core
        self._heard = heard
        self._reporters: dict[str, float] = {}  # as they were when they were looked at last
        self._look_at = 0.0
        self._silent_at = inf  # when the first of them is away
        self._away: set[str] = set()  # of whom it was told
        self._broker_since: float | None = None  # monotonic; without one

    def redis(self, *, is_there: bool, text: str) -> None:
        """Take note of whether Redis is there."""
        self._say("Redis", "" if is_there else text, "it is back")

    @property
    def due(self) -> float:
        """When somebody has been away for too long (monotonic)."""
        due = max(self._silent_at, self._look_at)  # nobody is looked at before
        if self._broker_since is not None and "broker" not in self._away:
            due = min(due, self._broker_since + self._grace_s)
        return due

    def look(self) -> None:
        """Look who is away."""
        self._look_at_broker()
        if self._core.now >= self._look_at:
            self._look_at = self._core.now + LOOK_S
            self._look_at_reporters()

    def _look_at_reporters(self) -> None:
        now, before = self._core.now, self._reporters
        found = dict(chain.from_iterable(heard().items() for heard in self._heard))
        self._reporters = found
        for who, until in found.items():
            if now >= until:
                self._say(who, "it has said nothing for longer than it should", "")
            elif who in self._away or who not in before:
                self._say(who, "", "it is heard of again")
        for who in before:
            if who not in found:
                self._say(who, "", "nobody waits for its reports any more")
        awaited = (until for who, until in found.items() if who not in self._away)
        self._silent_at = min(awaited, default=inf)

    def _look_at_broker(self) -> None:
        core = self._core
        if core.broker is not None:
            if self._broker_since is not None:
                self._broker_since = None
                self._say("broker", "", "it is back")
            return
        if self._broker_since is None:
            self._broker_since = core.now
        elif core.now >= self._broker_since + self._grace_s:
            grace = f"the dispatcher has not reached it for {self._grace_s:g} s; nothing starts"
            self._say("broker", grace, "")

    @property
    def _grace_s(self) -> float:
        return self._core.config.broker.server_lost_s

    def _say(self, who: str, trouble: str, over: str) -> None:
        """Tell of somebody who is away, or is not any more; "" is no trouble."""
        core = self._core
        if not trouble:
            self._away.discard(who)
            core.alarm_news.append(TroubleIsOver(AlarmKind.DAEMON, who, over))
            return
        if who in self._away:
            return
        self._away.add(who)
        severity = severity_of(core.config.alarms.severity.daemon)
        if severity is None:
            return
        core.alarm_news.append(Trouble(AlarmKind.DAEMON, who, trouble, severity))
