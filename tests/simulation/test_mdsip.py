"""Histories of two shots that share an mdsip server: it never works for both at a time.

Servers, broker and dispatcher are killed, cut off and paused as ever; what a server has asked for
goes on in the mdsip server. Only once all is quiet there does an operator clear the url.
"""

import pytest
from msgspec import structs
from tests.simulation.daemons import ServerDaemon
from tests.simulation.mdsip import MdsipServer, MdsipServerDaemon
from tests.simulation.scenario import FAULTS_UNTIL_S, PHASES, Scenario
from tests.simulation.seeds import run_seed

from shotline.common.commands import AnyCommand, BuildTables, ClearUrl, CreatePulse, DoPhase, Resume
from shotline.common.messages import Reply
from shotline.common.nodes import ActionNode, MdsplusTask
from shotline.dispatcher.machine import Dispatcher

URL = "mds:8000"
SEEDS = 75
GROUP = 25


class TwoShots(Scenario):
    """One seed."""

    end_s = 1500.0

    def __init__(self, seed: int, make: type[Dispatcher] = Dispatcher) -> None:
        self.mdsip: MdsipServer | None = None
        self._open = {1, 2}
        super().__init__(seed, make)

    def _draw(self) -> tuple[ActionNode, ...]:
        task = MdsplusTask(nid=1, task_kind="expression", text="", url=URL)
        return tuple(structs.replace(node, task=task) for node in super()._draw())

    def _new_server(self, name: tuple[str, str], ended: tuple[str, ...]) -> ServerDaemon:
        if self.mdsip is None:
            self.mdsip = MdsipServer(self.world, URL)
        return MdsipServerDaemon(
            self.mdsip,
            self.world,
            self.servers_net,
            name,
            self.chance.randint(1, 2),
            self._task_of,
            self._on_start,
            lambda gone, _restart: self._restart_server(gone.name),
            ended,
        )

    def _supervise(self) -> None:
        for shot in sorted(self._open):
            steps: list[AnyCommand] = [
                CreatePulse(tree="T", shot=shot),
                BuildTables(tree="T", shot=shot),
                *(DoPhase(tree="T", shot=shot, phase=phase, wait=True) for phase in PHASES),
                DoPhase(tree="T", shot=shot, phase="STORE", wait=True, even_if_running=True),
            ]
            self._step(shot, steps)
        self.world.after(FAULTS_UNTIL_S + 30.0, self._clear)

    def _step(self, shot: int, steps: list[AnyCommand]) -> None:
        if not steps:
            self.world.tell(f"the supervisor of shot {shot} has finished")
            self._open.discard(shot)
            if not self._open:
                self._settle_down()
            return
        self.world.tell(f"supervisor of {shot}: {steps[0].verb} {getattr(steps[0], 'phase', '')}")
        self.client.ask(steps[0], lambda reply: self._told(shot, steps, reply))

    def _told(self, shot: int, steps: list[AnyCommand], reply: Reply) -> None:
        self.world.tell(f"supervisor of {shot} is told {reply.outcome}: {reply.message}")
        message = reply.message
        if "HELD" in message:
            resume = Resume(tree="T", shot=shot)
            self.client.ask(
                resume, lambda _: self.world.after(0.5, lambda: self._step(shot, steps))
            )
            return
        again = "try again" in message or "is open" in message
        rest = steps if again else steps[1:]
        self.world.after(0.5, lambda: self._step(shot, rest))

    def _clear(self) -> None:
        """Vouch, truly, that nothing runs there."""
        assert self.mdsip is not None
        all_there = all(one is not None and not one.is_paused for one in self.servers.values())
        if self.mdsip.is_idle and all_there:
            self.client.ask(ClearUrl(url=URL), lambda reply: self.world.tell(reply.message))
        self.world.after(20.0, self._clear)


@pytest.mark.parametrize("first", range(0, SEEDS, GROUP))
def test_an_mdsip_server_works_for_one_shot_at_a_time_from_seed(first: int) -> None:
    started: set[int] = set()
    for seed in range(first, first + GROUP):
        started |= {attempt.shot for attempt in run_seed(TwoShots, seed).checks.starts}
    assert started == {1, 2}
