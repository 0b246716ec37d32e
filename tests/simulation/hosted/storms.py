"""Storms over what the dispatcher hosts: everything breaks, Redis, too.

Operators, watchers, consumers and rules are those of the histories with few faults.
"""

from typing import Final

from msgspec import structs
from tests.simulation.hosted.mdsip import MdsipServerDaemon
from tests.simulation.hosted.queue import QueueDispatcher, QueueProgramme
from tests.simulation.hosted.urls import SHOTS, TASK, UrlProgramme
from tests.simulation.hosted.volumes import VolumesProgramme
from tests.simulation.storm.daemons import StormDispatcher, StormServer
from tests.simulation.storm.scenario import Storm

from shotline.client.testing.journal import MemoryJournal
from shotline.common.nodes import ActionNode

PULSE_ACTIONS: Final = 12  # of each pulse of the queue
SHARED_ACTIONS: Final = 16  # of each of the shots that share an mdsip server
WITH_URL: Final = 0.7  # of them
LOST_AWAY_S: Final = 0.2
CALM_AT: Final = 140.0  # the queue runs so long, whatever breaks


class QueueStormDispatcher(QueueDispatcher, StormDispatcher):
    """One life of the dispatcher, whose tree knows which pulses there are."""


class QueueStorm(Storm):
    """One seed's plans, and operators who reorder, pause, end, lock."""

    end_s = 600.0
    actions = PULSE_ACTIONS
    programme_kind = QueueProgramme
    dispatcher_kind = QueueStormDispatcher

    def _is_calm(self) -> bool:
        return super()._is_calm() and self.world.now > CALM_AT


class LostEnd(QueueStorm):
    """While the first plan runs Redis loses what it was told last, and the dispatcher dies."""

    def _plan_faults(self) -> None:
        super()._plan_faults()
        at_s = self.chance.uniform(3.2, 5.0)
        self.weather.lasts(at_s + 5.0)
        self.world.after(at_s, self._lose_end)

    def _lose_end(self) -> None:
        self.redis.end(LOST_AWAY_S, self.chance.uniform(0.1, 1.0))
        self.weather.kill_dispatcher(2 * LOST_AWAY_S)


class VolumesStorm(Storm):
    """One seed's data: its files, its watcher, its consumers."""

    end_s = 600.0
    actions = 1
    programme_kind = VolumesProgramme


class UrlStormServer(MdsipServerDaemon, StormServer):
    """One life of a server whose tasks with a url run on an mdsip server."""


class UrlStorm(Storm):
    """Two shots at the same time, most of whose actions share an mdsip server."""

    end_s = 900.0
    actions = SHARED_ACTIONS
    programme_kind = UrlProgramme
    server_kind = UrlStormServer
    shots = SHOTS

    def _new_store(self) -> MemoryJournal:
        assert isinstance(self.programme, UrlProgramme)
        self.storm_checks.runs_elsewhere = self.programme.mdsip.runs
        return super()._new_store()

    def _draw_node(self, path: str, paths: list[str]) -> ActionNode:
        node = super()._draw_node(path, paths)
        return structs.replace(node, task=TASK) if self.chance.random() < WITH_URL else node
