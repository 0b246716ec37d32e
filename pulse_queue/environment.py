"""The environment: the workers of the servers that the queue needs (Q7). Pure.

Each order is one of the dispatcher's own commands, under an id that the records hold.
"""

from typing import Final

from shotline.common import commands as c
from shotline.common.messages import Outcome, WorkersAct
from shotline.common.queue import commands as q
from shotline.common.queue.records import (
    EnvironmentChanged,
    EnvironmentServer,
    EnvironmentState,
    PlanEnding,
)
from shotline.common.queue.views import RefusalCode
from shotline.pulse_queue.checks import Checks
from shotline.pulse_queue.core import QueueCore
from shotline.pulse_queue.events import CommandAnswered
from shotline.pulse_queue.refusal import QueueRefusal
from shotline.pulse_queue.running import Running
from shotline.pulse_queue.table import require

_MEANWHILE: Final = {
    "open": EnvironmentState.OPENING,
    "close": EnvironmentState.CLOSING,
    "destroy": EnvironmentState.DESTROYING,
    "reload": EnvironmentState.RELOADING,
}
_ACTS: Final = {state: WorkersAct(name) for name, state in _MEANWHILE.items()}
_THEN: Final = {
    EnvironmentState.OPENING: EnvironmentState.OPEN,
    EnvironmentState.RELOADING: EnvironmentState.OPEN,
    EnvironmentState.CLOSING: EnvironmentState.CLOSED,
    EnvironmentState.DESTROYING: EnvironmentState.CLOSED,
}


class Environments:
    """Opens, closes, destroys and reloads the environment."""

    def __init__(self, core: QueueCore, checks: Checks, running: Running) -> None:
        self._core = core
        self._checks = checks
        self._running = running

    @property
    def is_changing(self) -> bool:
        """Whether an order is under way."""
        return self._core.fold.environment in _THEN

    def take(self, command_id: str, command: q.QueueEnvironment, user: str) -> None:
        """Begin to carry out an order. Raise QueueRefusal."""
        core, fold = self._core, self._core.fold
        require(command.act, fold)
        if self.is_changing and command.act != "destroy":
            text = f"the environment is {fold.environment.value}: wait, or destroy it"
            raise QueueRefusal(RefusalCode.WRONG_STATE, text)
        if command.act == "reload" and self._running.environment_is_away():
            text = f"the environment is {fold.environment.value}: open it"
            raise QueueRefusal(RefusalCode.NO_ENVIRONMENT, text)
        servers = self._servers(command)
        if command.act == "destroy" and fold.running is not None:
            self._running.end(PlanEnding.HALT, user, "the environment was destroyed")
        order = f"queue-env-{command_id}"[:64]
        core.put(
            EnvironmentChanged(
                time=core.wall,
                by=user,
                state=_MEANWHILE[command.act],
                servers=servers,
                command=order,
            )
        )
        self._give()

    def _servers(self, command: q.QueueEnvironment) -> tuple[EnvironmentServer, ...]:
        """Return the servers that an order is for, and the classes that have none."""
        fold, world = self._core.fold, self._core.world
        classes = command.classes or self._needed()
        named = [one.server for one in fold.servers if ":" in one.server]
        if command.act in ("close", "destroy") and not command.classes and named:
            return tuple(EnvironmentServer(server=name, state="waiting") for name in named)
        found: list[EnvironmentServer] = []
        for name in classes:
            servers = world.servers_of(name)
            found += [EnvironmentServer(server=one, state="waiting") for one in servers]
            if not servers:
                text = f"class {name} has no server"
                found.append(EnvironmentServer(server=name, state="away", text=text))
        return tuple(found)

    def _needed(self) -> tuple[str, ...]:
        """Return the classes that the queue's plans need, those of all kinds where it has none."""
        core, fold = self._core, self._core.fold
        plans = [fold.entries[uid].plan for uid in fold.order]
        if fold.running is not None:
            plans.append(fold.running.plan)
        resolved = [self._checks.resolved(plan) for plan in plans if plan.type == "pulse"]
        wanted = {
            (plan.experiment, phase.phase) for plan in resolved for phase in plan.phases or ()
        }
        if not wanted:
            return tuple(sorted(core.world.served()))
        classes: set[str] = set()
        for tree, phase in wanted:
            catalog = core.world.catalog(tree or "")
            classes |= catalog.classes.get(phase, frozenset()) if catalog is not None else set()
        return tuple(sorted(classes or core.world.served()))

    def recovered(self) -> None:
        """Give an order again that was under way when the dispatcher ended."""
        if self.is_changing:
            self._give()

    def _give(self) -> None:
        fold = self._core.fold
        names = tuple(one.server for one in fold.servers if one.state != "away")
        self._core.give(
            fold.environment_command,
            c.ServerWorkers(servers=names, act=_ACTS[fold.environment]),
        )

    def answered(self, answered: CommandAnswered) -> bool:
        """Take the answer to an order. False when it is another command's."""
        core, fold = self._core, self._core.fold
        if answered.command != fold.environment_command:
            return False
        if not self.is_changing:
            return True
        told = {one.server: one for one in answered.servers}
        servers = tuple(told.get(one.server, one) for one in fold.servers)
        is_ok = answered.outcome is Outcome.OK and all(
            one.state in ("ready", "ended") for one in servers
        )
        state = _THEN[fold.environment] if is_ok else EnvironmentState.FAILED
        core.put(
            EnvironmentChanged(
                time=core.wall, state=state, servers=servers, command=fold.environment_command
            )
        )
        return True

    def words(self) -> str:
        """Say how the environment stands, and why."""
        fold = self._core.fold
        bad = [one for one in fold.servers if one.state in ("failed", "away")]
        why = "; ".join(f"{one.server}: {one.text}" for one in bad)
        return f"the environment is {fold.environment.value}{f': {why}' if why else ''}"
