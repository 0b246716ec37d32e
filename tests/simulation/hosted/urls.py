"""Two shots that share an mdsip server: it never works for both at a time.

What a server has asked for goes on in the mdsip server, whatever becomes of that server. Only once
all is quiet there does an operator clear the url.
"""

from msgspec import structs
from tests.simulation.daemons import ServerDaemon
from tests.simulation.hosted.mdsip import MdsipServer, MdsipServerDaemon
from tests.simulation.programme import Programme
from tests.simulation.scenario import FAULTS_UNTIL_S, PHASES, Scenario
from tests.simulation.supervisor import Supervisor

from shotline.common.commands import AnyCommand, BuildTables, ClearUrl, CreatePulse, DoPhase
from shotline.common.nodes import ActionNode, MdsplusTask

URL = "mds:8000"
SHOTS = (1, 2)
CLEAR_S = 20.0
TASK = MdsplusTask(nid=1, task_kind="expression", text="", url=URL)


class UrlProgramme(Programme):
    """Both shots, each with its supervisor, and the operator who clears the url."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._open = set(SHOTS)
        self.mdsip = MdsipServer(self.world, URL, scenario._on_end)

    def prepare_server(self, server: ServerDaemon) -> None:
        """A server is made: it works with the mdsip server."""
        assert isinstance(server, MdsipServerDaemon)
        server.mdsip = self.mdsip

    def supervise(self) -> None:
        """Go through the phases of both shots at the same time."""
        for shot in SHOTS:
            steps: list[AnyCommand] = [
                CreatePulse(tree="T", shot=shot),
                BuildTables(tree="T", shot=shot),
                *(DoPhase(tree="T", shot=shot, phase=phase, wait=True) for phase in PHASES),
                DoPhase(tree="T", shot=shot, phase="STORE", wait=True, even_if_running=True),
            ]
            Supervisor(self.scenario, shot, steps, lambda shot=shot: self._finished(shot))
        self.world.after(FAULTS_UNTIL_S + 30.0, self._clear)

    def _finished(self, shot: int) -> None:
        self._open.discard(shot)
        if not self._open:
            self.scenario._settle_down()

    def _clear(self) -> None:
        """Vouch, truly, that nothing runs there."""
        servers = self.scenario.servers.values()
        all_there = all(one is not None and not one.is_paused for one in servers)
        if self.mdsip.is_idle and all_there:
            clear = ClearUrl(url=URL)
            self.scenario.client.ask(clear, lambda reply: self.world.tell(reply.message))
        self.world.after(CLEAR_S, self._clear)


class TwoShots(Scenario):
    """One seed, with few faults: all actions have the url."""

    end_s = 1500.0
    programme_kind = UrlProgramme
    server_kind = MdsipServerDaemon

    def _draw(self) -> tuple[ActionNode, ...]:
        return tuple(structs.replace(node, task=TASK) for node in super()._draw())
