"""Histories under limits: of what is limited never more runs at a time, whatever breaks.

Seen from outside: what runs in the servers' worker processes, also in those of servers that the
dispatcher has lost or was never told about.
"""

from collections.abc import Mapping
from typing import Final

import pytest
from tests.simulation.daemons import ServerDaemon, Task
from tests.simulation.scenario import PHASES, Scenario
from tests.simulation.seeds import run_seed
from tests.simulation.supervisor import Supervisor

from shotline.common.actions import AttemptId
from shotline.common.commands import (
    Abort,
    AnyCommand,
    BuildTables,
    CreatePulse,
    DispatchAction,
    DoPhase,
    Hold,
    ServerRestart,
)

SEEDS = 60
GROUP = 20
LIMITS: Final[Mapping[str, Mapping[str, Mapping[str, object]]]] = {
    "limits": {
        "heater": {"most": 1, "classes": ["SRV_A", "SRV_B"]},
        "supply": {"most": 2, "classes": ["*"]},
    },
    "classes": {"SRV_C": {"concurrency": 1}},
}
MOST: Final = (({"SRV_A", "SRV_B"}, 1), ({"SRV_A", "SRV_B", "SRV_C"}, 2), ({"SRV_C"}, 1))


class LimitedScenario(Scenario):
    """One seed. Nobody insists on running what may still run: that is meant to pass a limit."""

    sections = LIMITS

    def __init__(self, seed: int) -> None:
        self.lives_seen: list[ServerDaemon] = []
        super().__init__(seed)

    def _new_server(self, name: tuple[str, str], ended: tuple[str, ...]) -> ServerDaemon:
        server = super()._new_server(name, ended)
        self.lives_seen.append(server)
        return server

    def _task_of(self, attempt: AttemptId) -> Task:
        # Some run for longer than it takes to lose their server.
        duration_s = self.chance.choice((0.1, 2.0, 20.0))
        return self.tasks.setdefault(attempt, Task(duration_s, self.chance.random() < 0.8))

    def _on_start(self, attempt: AttemptId, server: str) -> None:
        super()._on_start(attempt, server)
        for classes, most in MOST:
            running = [
                f"{one.path} on {':'.join(life.name)}"
                for life in self.lives_seen
                if life.name[0] in classes
                for one in life.runs.values()
            ]
            assert len(running) <= most, f"limit: {running} run, at most {most}"

    def _plan_faults(self) -> None:
        super()._plan_faults()
        for _ in range(2):
            self.world.after(self.chance.uniform(1.0, 25.0), self._silence_one_that_works)

    def _silence_one_that_works(self) -> None:
        """Let a server that runs something be lost, while what it runs goes on."""
        working = [one for one in self.servers.values() if one is not None and one.runs]
        if working:
            server = self.chance.choice(working)
            self.world.tell(f"server {server.name} is silent for 15 s")
            server.pause(15.0)

    def _plan_orders(self) -> None:
        path = self.chance.choice(self.nodes).path
        server = f"{self.chance.choice(self.nodes).server_class}:1"
        orders: tuple[AnyCommand, ...] = (
            Abort(),
            Abort(tree="T", shot=1, path=path),
            DispatchAction(tree="T", shot=1, path=path),
            Hold(),
            ServerRestart(server=server),
        )
        for order in self.chance.sample(orders, self.chance.randint(0, 3)):
            self.world.after(self.chance.uniform(3.0, 30.0), lambda o=order: self._order(o))

    def _supervise(self) -> None:
        phases = [DoPhase(tree="T", shot=1, phase=phase, wait=True) for phase in PHASES]
        again = DoPhase(tree="T", shot=1, phase="STORE", wait=True)
        steps = [CreatePulse(tree="T", shot=1), BuildTables(tree="T", shot=1), *phases, again]
        Supervisor(self, 1, steps, self._settle_down)


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_no_more_run_than_the_limits_say_from_seed(first: int) -> None:
    for seed in range(first, first + GROUP):
        run_seed(LimitedScenario, seed)
