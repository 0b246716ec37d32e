"""The commands to servers: stop, restart, quit, abort (D17). Pure."""

from shotline.common import commands as c
from shotline.common.actions import ActionState, AttemptId
from shotline.common.messages import CommandServer, Outcome, ServerOrder
from shotline.common.records import ShotKey
from shotline.dispatcher.desk import Answer
from shotline.dispatcher.fleet import Server
from shotline.dispatcher.office import Office
from shotline.dispatcher.shots import IN_PROGRESS, Shot


class Orders:
    """Tells servers what to do, and ends those that were stopped once their work is done."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._core = office.core
        self._execution = office.execution
        self._answers = office.answers
        self._choice = office.choice

    def abort(self, name: str, text: str | None) -> Answer:
        """Abort what servers have, or the one action at this path."""
        aborted = []
        for shot, attempt in self._attempts_of(self._choice.servers(name)):
            if text is None or attempt.path == shot.table.find(text):
                self._execution.abort_sent(shot, attempt.path, f"aborted by server_abort {name}")
                aborted.append(attempt.path)
        if not aborted:
            return Answer(Outcome.OK, f"{name} runs nothing of that; nothing was changed")
        return Answer(Outcome.OK, f"aborting {', '.join(aborted)}")

    def _attempts_of(self, servers: list[Server]) -> list[tuple[Shot, AttemptId]]:
        found = []
        for server in servers:
            for attempt in server.attempts:
                shot = self._core.shots.get(ShotKey(attempt.tree, attempt.shot))
                live = shot.actions.get(attempt.path) if shot is not None else None
                if shot is not None and live is not None and live.state in IN_PROGRESS:
                    found.append((shot, attempt))
        return found

    def command(self, command: c.ServerStop | c.ServerQuit | c.ServerRestart) -> Answer:
        """Stop, quit or restart servers."""
        servers = self._choice.servers(command.server)
        names = ", ".join(server.name for server in servers)
        running = [attempt.path for _, attempt in self._attempts_of(servers)]
        notices: tuple[str, ...] = (f"it runs: {', '.join(running)}",) if running else ()
        if isinstance(command, c.ServerStop):
            for server in servers:
                server.stopping = True
                self._core.server_changed(server)
                self._core.fleet.note_absence(server.register.server_class, self._core.now)
            return Answer(Outcome.OK, f"{names} ends when its work is done", notices=notices)
        restart = isinstance(command, c.ServerRestart)
        verb = "restarts" if restart else "ends"
        for server in servers:
            if restart and self._core.fleet.alone(server):
                notices += self._drop_queue(server)
            self._order(server, ServerOrder.RESTART if restart else ServerOrder.QUIT)
        return Answer(Outcome.OK, f"{names} {verb}; what it runs is aborted", notices=notices)

    def _drop_queue(self, server: Server) -> tuple[str, ...]:
        """Remove what is pending for the class of a server that is alone (D17)."""
        name = server.register.server_class
        removed = []
        for shot, run in self._core.open_runs():
            for path in list(run.paths):
                live = shot.actions[path]
                pending = live.cause is None and live.state is ActionState.NOT_DISPATCHED
                if pending and shot.table.node(path).server_class == name:
                    self._execution.remove(shot, path, f"{server.name} was restarted")
                    removed.append(path)
        return (f"removed, as it is alone: {', '.join(removed)}",) if removed else ()

    def _order(self, server: Server, order: ServerOrder) -> None:
        server.leaving = True
        self._core.fleet.note_absence(server.register.server_class, self._core.now)
        self._core.server_changed(server)
        self._core.send(
            server.identity,
            CommandServer(
                term=self._core.term, order=order, reason=f"server_{order} was asked for"
            ),
        )

    def let_stopped_servers_go(self) -> None:
        """End servers that were stopped and have no work left (D17)."""
        for server in self._core.fleet.servers.values():
            if not server.stopping or server.leaving or server.is_lost or server.attempts:
                continue
            if not self._core.fleet.alone(server) or not self._has_work(server):
                self._order(server, ServerOrder.QUIT)

    def _has_work(self, server: Server) -> bool:
        name = server.register.server_class
        return any(
            shot.actions[path].cause is None and shot.table.node(path).server_class == name
            for shot, run in self._core.open_runs()
            for path in run.paths
        )
