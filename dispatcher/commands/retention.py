"""Which old shots leave Redis, and that a file has each of them before that, if so wanted. Pure.

A shot is removed only when its file is whole and on the disk, and the shot has not changed since it
was read. Whoever is killed in between: the next dispatcher finds the shot in Redis and the file
beside it, and goes on from there.
"""

from math import inf
from typing import Final

from shotline.alarms.events import Trouble, TroubleIsOver
from shotline.alarms.raising import severity_of
from shotline.common.alarms.alarm import AlarmKind
from shotline.common.records import ShotKey
from shotline.common.views import JournalState
from shotline.dispatcher.core import Core
from shotline.dispatcher.journal import ForgetShots
from shotline.dispatcher.past.jobs import KeepJob, PastDone

RETRY_S: Final = 60.0
"""After a shot could not be written into a file."""

_ABOUT: Final = "old shots"


class Retention:
    """Removes shots beyond `journal.keep_shots`; `kept.before_removal`: after a file has them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._job: int | None = None  # that writes a shot into its file
        self._key: ShotKey | None = None  # of that shot
        self._retry_at = inf

    def look(self) -> None:
        """Remove the old shots, or begin to write the first of them into its file."""
        old = self._old()
        if not self._core.config.kept.before_removal:
            self._is_well()
            self._remove(old)
        elif not old:
            self._is_well()
        elif self._job is None and self._retry_at == inf:
            self._write(old[0])

    @property
    def due(self) -> float:
        """When it is tried again (monotonic)."""
        return self._retry_at

    def tick(self) -> None:
        """Try again when that is due."""
        if self._core.now >= self._retry_at:
            self._retry_at = inf
            self.look()

    def done(self, done: PastDone) -> bool:
        """Take the end of a job; return whether it was ours."""
        if self._job is None or done.job != self._job:
            return False
        core, key = self._core, self._key
        is_same = core.keeping == key  # as it was when the file was begun
        self._job = self._key = core.keeping = None
        if done.error:
            self._failed(f"{key} is not written into its file: {done.error}")
        elif not is_same or core.journal_state is not JournalState.OK or key not in self._old():
            self._retry_at = core.now + RETRY_S
        else:
            assert key is not None
            core.kept.add(key)
            core.say("info", f"{key}: a file has it now")
            self._remove((key,))
            self._is_well()
            self.look()
        return True

    def _write(self, key: ShotKey) -> None:
        core = self._core
        if core.journal_state is not JournalState.OK:  # Redis has not all of the shot
            self._retry_at = core.now + RETRY_S
            return
        self._job, self._key = core.next_job(), key
        core.keeping = key
        core.after(KeepJob(job=self._job, key=key, wall=core.wall))

    def _old(self) -> tuple[ShotKey, ...]:
        """Return the shots that are too many, the one unused for longest first."""
        core = self._core
        keep = core.config.journal.keep_shots
        found: list[ShotKey] = []
        for tree in {key.tree for key in core.stored}:
            mine = [key for key in core.stored if key.tree == tree]
            found += (
                key
                for key in mine[: max(len(mine) - keep, 0)]
                if not core.is_open(key) and key != core.current
            )
        return tuple(found)

    def _remove(self, keys: tuple[ShotKey, ...]) -> None:
        core = self._core
        for key in keys:
            del core.stored[key]
            core.shots.pop(key, None)
        if keys:
            core.after(ForgetShots(keys))

    def _failed(self, why: str) -> None:
        core = self._core
        self._retry_at = core.now + RETRY_S
        if why == core.keep_trouble:
            return
        core.keep_trouble = why
        core.say("error", f"{why}; it stays in Redis")
        severity = severity_of(core.config.alarms.severity.keeping)
        if severity is not None:
            core.alarm_news.append(Trouble(AlarmKind.KEEPING, _ABOUT, why, severity))

    def _is_well(self) -> None:
        core = self._core
        core.keep_trouble = ""
        over = TroubleIsOver(AlarmKind.KEEPING, _ABOUT, "nothing stands in the way any more")
        core.alarm_news.append(over)
