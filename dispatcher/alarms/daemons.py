"""Which daemons are away, as far as the dispatcher can see. Pure.

Those that it talks to: Redis and the broker. Whoever is away for a moment only is no alarm.
"""

from shotline.alarms.events import Trouble, TroubleIsOver
from shotline.alarms.raising import severity_of
from shotline.common.alarms.alarm import AlarmKind
from shotline.dispatcher.core import Core


class Daemons:
    """Looks who is away, and tells the machine of alarms."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._away: set[str] = set()  # of whom it was told
        self._broker_since: float | None = None  # monotonic; without one

    def redis(self, *, is_there: bool, text: str) -> None:
        """Take note of whether Redis is there."""
        self._say("Redis", "" if is_there else text, "it is back")

    def wake_at(self) -> float | None:
        """Return when somebody has been away for too long."""
        since = self._broker_since
        return None if since is None or "broker" in self._away else since + self._grace_s

    def look(self) -> None:
        """Look who is away."""
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
        severity = severity_of(core.config.alarms.severity.daemon)
        if who in self._away or severity is None:
            return
        self._away.add(who)
        core.alarm_news.append(Trouble(AlarmKind.DAEMON, who, trouble, severity))
