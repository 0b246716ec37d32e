"""Faults of dispatcher and Redis that chance brings together too rarely."""

from typing import Final

from tests.simulation.storm.daemons import StormDispatcher
from tests.simulation.storm.redis import SECTION
from tests.simulation.storm.scenario import Storm

from shotline.dispatcher.journal.standing import patience_s

AWAY_S: Final = 10.0
LOST_S: Final = 8.0
REFUSED_S: Final = 1.0


class Replaced(Storm):
    """One seed. The first dispatcher goes on while its successor, broker and Redis are away."""

    def _draw_is_hub(self) -> bool:
        return False

    def _plan_faults(self) -> None:
        self.world.after(self.own_chance("replaced").uniform(2.2, 6.0), self._replace)

    def _replace(self) -> None:
        first = self.dispatcher
        assert isinstance(first, StormDispatcher)
        chance = self.own_chance("successor")
        if chance.random() < 0.3:  # it is awake, and has no time to look
            ends_s = chance.uniform(0.05, SECTION.retry_s)
        else:
            ends_s = patience_s(SECTION) + chance.uniform(0.5, 5.0)
            self.world.tell("the first dispatcher stands still")
            first.pause(ends_s + chance.uniform(0.0, 3.0))
        self.weather.lasts(ends_s + 3 * AWAY_S)
        self.weather._kill_broker(1.0)  # it could not tell the first of the other one's claim
        self.stand_by()
        self.world.after(ends_s, self._end_all)

    def _end_all(self) -> None:
        weather, away_s = self.weather, AWAY_S
        self.redis.end(away_s, 0.0)
        weather.kill_dispatcher(away_s)
        weather._kill_broker(1.0)
        if self.own_chance("servers").random() < 0.7:  # they would tell the broker of its term
            for name in list(self.servers):
                weather._kill_server(name, 1.5)


class Unheard(Storm):
    """One seed. The first dispatcher stands still, is replaced, and does not hear of that."""

    def _draw_is_hub(self) -> bool:
        return False

    def _plan_faults(self) -> None:
        at_s = self.own_chance("unheard").uniform(2.2, 6.0)
        self.world.after(at_s, self.weather.replace_unheard)


class Refused(Storm):
    """One seed. Redis comes back without what it was told last, and refuses commits at first."""

    def _plan_faults(self) -> None:
        self.weather.lasts(LOST_S + 3 * AWAY_S)
        self.world.after(self.own_chance("refused").uniform(3.0, LOST_S), self._lose)

    def _lose(self) -> None:
        self.redis.end(REFUSED_S, LOST_S)
        self.redis.refuse("READONLY it is a replica", 3 * REFUSED_S)
