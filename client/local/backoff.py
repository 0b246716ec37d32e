"""When what was lost is started again: soon, and later each time that it is lost anew. Pure."""

from shotline.common.settings.sections.up import UpSection


class Backoff:
    """The times of the restarts of all that `shotline up` runs, by name; monotonic seconds."""

    def __init__(self, settings: UpSection) -> None:
        self._settings = settings
        self._wait_s: dict[str, float] = {}
        self._started_at: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def lost(self, name: str, now: float) -> float:
        """Return in how many seconds one that was lost just now is to be started again."""
        first, most = self._settings.restart_s, self._settings.restart_s_max
        lasted = now - self._started_at.pop(name, now)
        wait_s = first if lasted >= most else self._wait_s.get(name, first)
        self._wait_s[name] = min(2 * wait_s, most)
        self._due[name] = now + wait_s
        return wait_s

    def started(self, name: str, now: float) -> None:
        """Take note that one was started, by us or by somebody's wish."""
        self._due.pop(name, None)
        self._started_at[name] = now

    def forget(self, name: str) -> None:
        """Start it no more: somebody has ended it."""
        self._due.pop(name, None)

    def due(self, now: float) -> list[str]:
        """Return what is to be started by now."""
        return [name for name, at in self._due.items() if at <= now]

    @property
    def wake_at(self) -> float | None:
        """When the next is to be started."""
        return min(self._due.values(), default=None)
