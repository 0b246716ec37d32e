"""The program that drives a shot of a scenario."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from shotline.common.commands import AnyCommand, Resume
from shotline.common.messages import Reply
from shotline.common.records import ShotKey
from shotline.common.views import RunReport, decode_result

if TYPE_CHECKING:
    from tests.simulation.scenario import Scenario

PAUSE_S = 0.5


class Supervisor:
    """Goes through the steps of one shot of tree T, one after the other, until it has `finished`.

    What is HELD it lets go on; what is refused for now it asks for again.
    """

    def __init__(
        self,
        scenario: "Scenario",
        shot: int,
        steps: Sequence[AnyCommand],
        finished: Callable[[], None],
    ) -> None:
        self._scenario, self._shot, self._finished = scenario, shot, finished
        self._next(list(steps))

    def _next(self, steps: list[AnyCommand]) -> None:
        scenario, world = self._scenario, self._scenario.world
        if not steps:
            world.tell(f"the supervisor of {self._shot} has finished")
            self._finished()
            return
        command, rest = steps[0], steps[1:]
        world.tell(f"supervisor of {self._shot}: {command.verb} {getattr(command, 'phase', '')}")
        scenario.client.ask(command, lambda reply: self._answered(command, rest, reply))

    def _answered(self, command: AnyCommand, rest: list[AnyCommand], reply: Reply) -> None:
        world = self._scenario.world
        world.tell(f"supervisor of {self._shot} is told {reply.outcome}: {reply.message}")
        if reply.result:
            result = decode_result(reply.result)
            if isinstance(result, RunReport):
                key = ShotKey(result.run.tree, result.run.shot)
                self._scenario.checks.reply(reply, key, result.run.run)
                if result.run.state == "held":
                    self._resume_then(rest)
                    return
        if "is HELD" in reply.message:
            self._resume_then([command, *rest])
            return
        again = "try again" in reply.message or "is open" in reply.message
        steps = [command, *rest] if again else rest
        world.after(PAUSE_S, lambda: self._next(steps))

    def _resume_then(self, rest: list[AnyCommand]) -> None:
        """Let a held run go on; the next phase is refused until it is over."""
        scenario = self._scenario
        scenario.client.ask(
            Resume(tree="T", shot=self._shot),
            lambda _reply: scenario.world.after(PAUSE_S, lambda: self._next(rest)),
        )
