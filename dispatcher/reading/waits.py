"""Tells observers, while a run is open, what its pending actions wait for. Pure.

What an action waits for changes without the action changing, so no record carries it. It is told
now and then: for the first pending actions of a run, which come next, each time; for the rest in
turns; for running ones while their server is silent. `actions` and `show` tell it for any.
"""

from collections.abc import Iterator
from math import inf
from typing import Final

from shotline.common.actions import IN_PROGRESS, ActionState
from shotline.common.base import to_json
from shotline.common.channels import shot_channel
from shotline.common.records import Transition
from shotline.common.views import ShotEvent
from shotline.dispatcher.core import Core
from shotline.dispatcher.reading.views import Views
from shotline.dispatcher.shots import Run, Shot

PERIOD_S: Final = 0.5
ACTIONS_MAX: Final = 100  # of each run each time: so many first ones, and so many of the rest


class Waits:
    """Remembers what was told, and tells what has changed."""

    def __init__(self, core: Core, views: Views) -> None:
        self._core = core
        self._views = views
        self.due = inf
        """When it is time to tell again (monotonic); infinite while no run is open."""
        self._told: dict[str, dict[str, str]] = {}  # by channel and path
        self._silent: dict[str, set[str]] = {}  # by channel: paths that run on silent servers
        self._turns: dict[str, int] = {}  # by channel: how many of the rest were looked at

    def tick(self) -> None:
        """Tell, when it is time."""
        core = self._core
        open_runs = list(core.open_runs())
        if not open_runs:
            self.due = inf
            self._told.clear()
            self._silent.clear()
            self._turns.clear()
        elif self.due == inf:
            self.due = core.recurs_at(PERIOD_S)
        elif core.now >= self.due:
            self.due = core.recurs_at(PERIOD_S)
            for shot, run in open_runs:
                self._tell(shot, run)

    def _tell(self, shot: Shot, run: Run) -> None:
        channel = shot_channel(shot.key)
        told, actions = self._told.get(channel, {}), shot.actions
        # A run may have very many: they are gone through once.
        pending = [
            live
            for path in run.paths
            if (live := actions[path]).cause is None and live.state is ActionState.NOT_DISPATCHED
        ]
        at_silent = self._at_silent(channel, shot, run)
        waiting = {live.path for live in at_silent}
        self._told[channel] = now = {
            path: text
            for path, text in told.items()
            if path in waiting or (path in run.paths and _is_pending(actions[path]))
        }
        news = []
        for live in (*self._chosen(channel, pending), *at_silent[:ACTIONS_MAX]):
            text = self._views.waits_for(shot, live)
            if now.get(live.path) != text:
                now[live.path] = text
                news.append((live.path, text))
        if news:
            payload = to_json(ShotEvent(waits=tuple(news)))
            self._core.after(self._core.feed.publish(channel, self._core.wall, payload))

    def _at_silent(self, channel: str, shot: Shot, run: Run) -> list[Transition]:
        """Return what runs on silent servers, and once more what did at the last look."""
        before, fleet = self._silent.get(channel, set()), self._core.fleet
        if not before and not fleet.any_suspect:
            return []
        running = [live for path in run.paths if (live := shot.actions[path]).state in IN_PROGRESS]
        silent = {live.path for live in running if fleet.is_suspect(live.server)}
        self._silent[channel] = silent
        return [live for live in running if live.path in silent or live.path in before]

    def _chosen(self, channel: str, pending: list[Transition]) -> Iterator[Transition]:
        """Yield the pending actions to look at now."""
        yield from pending[:ACTIONS_MAX]
        rest = pending[ACTIONS_MAX:]
        at = self._turns.get(channel, 0)
        if at >= len(rest):
            at = 0
        yield from rest[at : at + ACTIONS_MAX]
        self._turns[channel] = at + ACTIONS_MAX


def _is_pending(live: Transition) -> bool:
    return live.cause is None and live.state is ActionState.NOT_DISPATCHED
