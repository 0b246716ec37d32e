"""Tells observers, while a run is open, what its pending actions wait for. Pure.

What an action waits for changes without the action changing, so no record carries it. It is told
now and then, for the first pending actions of a run; `actions` and `show` tell it for any.
"""

from typing import Final

from shotline.common.actions import ActionState
from shotline.common.views import ShotEvent
from shotline.dispatcher.answers import Answers
from shotline.dispatcher.core import Core
from shotline.dispatcher.feed import shot_channel
from shotline.dispatcher.shots import Run, Shot

PERIOD_S: Final = 0.5
ACTIONS_MAX: Final = 200


class Waits:
    """Remembers what was told, and tells what has changed."""

    def __init__(self, core: Core, answers: Answers) -> None:
        self._core = core
        self._answers = answers
        self._due: float | None = None
        self._told: dict[str, dict[str, str]] = {}  # by channel

    def wake_at(self) -> float | None:
        """Return when it is time to tell again; None while no run is open."""
        return self._due

    def tick(self) -> None:
        """Tell, when it is time."""
        core = self._core
        open_runs = list(core.open_runs())
        if not open_runs:
            self._due = None
            self._told.clear()
        elif self._due is None:
            self._due = core.now + PERIOD_S
        elif core.now >= self._due:
            self._due = core.now + PERIOD_S
            for shot, run in open_runs:
                self._tell(shot, run)

    def _tell(self, shot: Shot, run: Run) -> None:
        channel = shot_channel(shot.key)
        before, now = self._told.get(channel, {}), {}
        for path in run.paths:
            live = shot.actions[path]
            if live.cause is None and live.state is ActionState.NOT_DISPATCHED:
                now[path] = self._answers.waits_for(shot, live)
                if len(now) == ACTIONS_MAX:
                    break
        self._told[channel] = now
        news = tuple((path, text) for path, text in now.items() if before.get(path) != text)
        if news:
            payload = ShotEvent(waits=news).model_dump_json().encode()
            self._core.after(self._core.feed.publish(channel, self._core.wall, payload))
