"""Functions that the configuration names, run as the one action of a shot of their own. Pure.

So a function has all that actions have: it starts at most once, its output is shown and kept, it
can be aborted, and ends at its time limit.
"""

from typing import Final

from shotline.common import commands as c
from shotline.common.messages import Outcome
from shotline.common.nodes import ActionNode, DispatchOptions, Phase, PythonTask, SequenceWhen
from shotline.common.queue.records import TASKS
from shotline.common.records import RunKind, ShotKey, TableBuilt
from shotline.dispatcher.commands.answer import Answer, Asked, Unknown
from shotline.dispatcher.commands.requests import Family, Requests
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.shots import Shot

PHASE: Final = "RUN"
_CALLED: Final = "shotline.action_server.functions:called"


class Functions(Family):
    """Runs functions."""

    def __init__(self, requests: Requests, execution: Execution) -> None:
        super().__init__(requests)
        self._execution = execution

    def run(self, asked: Asked, command: c.RunFunction) -> Answer:
        """Open the run of a function; a repeated command has the same one."""
        core = self._core
        found = core.run_of_command(asked.id)
        if found is None:
            shot, number = self._open(asked, command)
        else:
            shot, number = found[0], found[1].number
        asked.about = shot.key
        return Answer(Outcome.OK, f"{command.function} runs as {shot.key} run {number}")

    def _open(self, asked: Asked, command: c.RunFunction) -> tuple[Shot, int]:
        core = self._core
        known = core.config.queue.functions
        function = known.get(command.function)
        if function is None:
            listed = ", ".join(sorted(known)) or "none is configured"
            raise Unknown(f"unknown function {command.function}; known: {listed}")
        numbers = (key.shot for key in (*core.stored, *core.shots) if key.tree == TASKS)
        key = ShotKey(TASKS, max(numbers, default=0) + 1)
        shot = core.shots[key] = Shot(key)
        name = command.function.upper()
        node = ActionNode(
            path=f"\\{TASKS}::TOP:{name}",
            name=name,
            server_class=function.server_class,
            phase=PHASE,
            when=SequenceWhen(number=1, text="1"),
            task=PythonTask(
                callable=_CALLED,
                arguments={
                    "function": function.python,
                    "positional": command.positional,
                    "arguments": command.arguments,
                },
            ),
            timeout_s=function.timeout_s,
            text=function.description,
        )
        core.put(
            shot,
            TableBuilt(
                time=core.wall,
                actions=(node,),
                phases=(Phase(name=PHASE, number=1),),
                options=DispatchOptions(),
            ),
        )
        core.used(key)
        core.newest[TASKS] = key.shot
        run = self._execution.open_run(
            shot, RunKind.PHASE, PHASE, (node.path,), command=asked.id, who=asked.user
        )
        core.unload(keep=key)
        return shot, run.number
