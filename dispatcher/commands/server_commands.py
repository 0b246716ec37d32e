"""The commands to servers: stop, restart, quit, abort (D17), and to forget a busy url. Pure."""

from math import inf
from typing import Final

from msgspec import structs

from shotline.common import commands as c
from shotline.common.actions import IN_PROGRESS, ActionState, AttemptId
from shotline.common.messages import (
    ClearBinding,
    CommandServer,
    LivenessState,
    Outcome,
    ServerOrder,
)
from shotline.common.records import ShotKey
from shotline.dispatcher.commands import meant
from shotline.dispatcher.commands.answer import Answer, Asked, Refused
from shotline.dispatcher.core import Core
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.fleet import Server
from shotline.dispatcher.shots import Shot
from shotline.dispatcher.table import LookupFailed
from shotline.dispatcher.urls import url_key

RESTART_WAIT_S: Final = 30.0
"""How long one server of a class that restarts is waited for before the next is left as it is."""


class ServerCommands:
    """Tells servers what to do, and ends those that were stopped once their work is done."""

    def __init__(self, core: Core, execution: Execution) -> None:
        self._core = core
        self._execution = execution

    def abort(self, asked: Asked, name: str, text: str | None) -> Answer:
        """Abort what servers have, or the one action at this path."""
        aborted, why = [], f"aborted by {asked.giver} (server_abort {name})"
        for shot, attempt in self._attempts_of(meant.servers_of(self._core, name)):
            if text is None or self._is_meant(shot, attempt.path, text):
                self._execution.abort_sent(shot, attempt.path, why)
                aborted.append(attempt.path)
        if not aborted:
            return Answer(Outcome.OK, f"{name} runs nothing of that; nothing was changed")
        return Answer(Outcome.OK, f"aborting {', '.join(aborted)}")

    @staticmethod
    def _is_meant(shot: Shot, path: str, text: str) -> bool:
        """Return whether a person means this action of a shot, which may have none of the name."""
        try:
            return shot.table.find(text) == path
        except LookupFailed:
            return False

    def _attempts_of(self, servers: list[Server]) -> list[tuple[Shot, AttemptId]]:
        """Return the current attempts that servers have; what they were given up on is left out."""
        found = []
        for server in servers:
            for attempt in server.attempts:
                shot = self._core.shots.get(ShotKey(attempt.tree, attempt.shot))
                live = shot.actions.get(attempt.path) if shot is not None else None
                if (
                    shot is not None
                    and live is not None
                    and live.state in IN_PROGRESS
                    and (live.attempt, live.server) == (attempt.number, server.name)
                ):
                    found.append((shot, attempt))
        return found

    def clear_url(self, url: str) -> Answer:
        """Forget that an mdsip server may still be busy with what was given up there."""
        core = self._core
        bound_to = core.fleet.urls.shot_of(url)
        told = self._servers_at(url)
        if bound_to is None and not told:
            bound = ", ".join(core.fleet.urls.known()) or "none is"
            raise Refused(f"{url} is bound to no shot, and no server uses it (bound: {bound})")
        for server in told:
            core.send(server.identity, ClearBinding(term=core.term, url=url))
            core.server_changed(server)
        running = {one for server in core.fleet.servers.values() for one in server.attempts}
        forgotten = core.fleet.urls.clear(url, running.__contains__)
        for attempt in forgotten:
            self._forget_url(attempt)
        names = ", ".join(server.name for server in told) or "no server"
        what = ", ".join(f"{one.path} of {one.tree}/{one.shot}" for one in forgotten) or "nothing"
        rest = core.fleet.urls.shot_of(url)
        now = f"it goes on working for {rest}" if rest is not None else "it is free for any shot"
        return Answer(Outcome.OK, f"{url}: given up on {what}; told {names}; {now}")

    def _servers_at(self, url: str) -> list[Server]:
        """Return the servers that are there and have asked, or may ask, the mdsip server at url."""
        names = self._core.fleet.urls.servers_at(url)
        return [
            server
            for server in self._core.fleet.servers.values()
            if not server.is_lost
            and (server.name in names or url_key(server.register.url or "") == url_key(url))
        ]

    def _forget_url(self, attempt: AttemptId) -> None:
        """Let also a restarted dispatcher know that this attempt binds its url no more."""
        shot = self._core.shots.get(ShotKey(attempt.tree, attempt.shot))
        live = shot.actions.get(attempt.path) if shot is not None else None
        if shot is not None and live is not None and shot.attempt_of(live) == attempt:
            cleared = structs.replace(live, time=self._core.wall, url=None)
            self._core.put(shot, cleared)

    def command(
        self, asked: Asked, command: c.ServerStop | c.ServerQuit | c.ServerRestart
    ) -> Answer:
        """Stop, quit or restart servers."""
        servers = meant.servers_of(self._core, command.server)
        names = ", ".join(server.name for server in servers)
        running = [attempt.path for _, attempt in self._attempts_of(servers)]
        notices: tuple[str, ...] = (f"it runs: {', '.join(running)}",) if running else ()
        if isinstance(command, c.ServerStop):
            for server in servers:
                self._mark(server, stopping=True)
            return Answer(Outcome.OK, f"{names} ends when its work is done", notices=notices)
        if isinstance(command, c.ServerQuit):
            for server in servers:
                self._order(server, ServerOrder.QUIT, by=asked.giver)
            return Answer(Outcome.OK, f"{names} ends; what it runs is aborted", notices=notices)
        return self._restart(asked, servers, names, notices)

    def let_go(self, name: str, server_class: str) -> None:
        """End a server in order, since its provider has no use for it any more (P2)."""
        server = self._core.fleet.servers.get(name)
        if (
            server is not None
            and server.register.server_class == server_class
            and not (server.is_lost or server.leaving or server.stopping)
        ):
            self._mark(server, stopping=True)

    def _restart(
        self, asked: Asked, servers: list[Server], names: str, notices: tuple[str, ...]
    ) -> Answer:
        """Restart one server, or several one after the other, so that their class goes on (D17)."""
        here = [server for server in servers if not server.leaving]
        if len(here) > 1:
            for server in here:
                self._mark(server, restarting=True)
            how = "restart one after the other, each when the one before is back; what they run"
            return Answer(Outcome.OK, f"{names} {how} then is aborted", notices=notices)
        for server in servers:
            if self._core.fleet.alone(server):
                notices += self._drop_queue(server)
            self._order(server, ServerOrder.RESTART, by=asked.giver)
        return Answer(Outcome.OK, f"{names} restarts; what it runs is aborted", notices=notices)

    def _mark(self, server: Server, *, stopping: bool = False, restarting: bool = False) -> None:
        """Journal what a server is to do in its time, for the next dispatcher, too."""
        self._core.fleet.tell(server, stopping=stopping, restarting=restarting)
        self._core.put_seen(server)
        self._core.server_changed(server)
        self._core.fleet.note_absence(server.register.server_class, self._core.now)

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

    def end_actions(self, server: Server, why: str) -> None:
        """Abort what a server has, as far as it is not being ended already."""
        for shot, attempt in self._attempts_of([server]):
            if not shot.actions[attempt.path].aborting:
                self._execution.abort_sent(shot, attempt.path, why)

    def _order(
        self,
        server: Server,
        order: ServerOrder,
        asked: str | None = None,
        because: str = "",
        by: str = "",
    ) -> None:
        """Give an order; `asked` is the command that it comes from, where they differ."""
        words = f"{asked or f'server_{order}'} was asked for"
        self.order(server, order, because or (f"{words} by {by}" if by else words))

    def order(self, server: Server, order: ServerOrder, reason: str) -> None:
        """Tell a server to end, or to begin anew; `reason` in words."""
        server.leaving, server.leaving_since = True, self._core.now
        server.leaving_why = reason
        self._core.fleet.note_absence(server.register.server_class, self._core.now)
        self._core.server_changed(server)
        self._core.send(
            server.identity,
            CommandServer(
                term=self._core.term,
                order=order,
                reason=reason,
            ),
        )

    def wants_to_leave(self, server: Server) -> None:
        """End a server that has served what it was started for; nothing is on its way to it."""
        if not (self._core.recovering or server.leaving or server.attempts):
            self._order(server, ServerOrder.QUIT, because=server.wants_to_leave)

    def tick(self) -> None:
        """Tell servers that were stopped, or are to restart, once their time has come (D17)."""
        if self._core.recovering or not self._core.fleet.told:
            return  # who else is there, and what is still to be done, is not known yet
        restarting: dict[str, list[Server]] = {}
        for server in self._core.fleet.told.values():
            if server.stopping and self._may_leave(server):
                self._order(server, ServerOrder.QUIT, "server_stop")
            if server.restarting:
                restarting.setdefault(server.register.server_class, []).append(server)
        for members in restarting.values():
            self._restart_next(members)

    @property
    def due(self) -> float:
        """When a server that restarts is not waited for any longer (monotonic)."""
        told = self._core.fleet.told
        if not told:
            return inf
        due = (
            server.leaving_since + RESTART_WAIT_S
            for server in told.values()
            if server.restarting and server.leaving_since is not None
        )
        return min(due, default=inf)

    def _may_leave(self, server: Server) -> bool:
        if server.leaving or server.attempts or server.liveness is not LivenessState.ALIVE:
            return False
        return not self._core.fleet.alone(server) or not self._has_work(server)

    def _restart_next(self, members: list[Server]) -> None:
        """Restart the next server of a class when the one before is back; give up without it."""
        waiting = [server for server in members if not server.leaving]
        gone = [server for server in members if server.leaving]
        for server in gone:
            if self._core.now >= (server.leaving_since or 0.0) + RESTART_WAIT_S:
                self._give_up_restart(server, [one for one in waiting if not one.is_lost])
                return
        alive = [one for one in waiting if one.liveness is LivenessState.ALIVE and one.reported]
        if alive and not gone:
            self._order(alive[0], ServerOrder.RESTART)

    def _give_up_restart(self, gone: Server, waiting: list[Server]) -> None:
        self._core.fleet.tell(gone)
        self._core.put_seen(gone)
        for server in waiting:
            self._mark(server)
        rest = ", ".join(server.name for server in waiting)
        self._core.say(
            "error",
            f"{gone.name} has not come back within {RESTART_WAIT_S:g} s of its restart"
            + (f"; not restarted, and at work again: {rest}" if waiting else ""),
        )

    def _has_work(self, server: Server) -> bool:
        name = server.register.server_class
        return any(
            shot.actions[path].cause is None and shot.table.node(path).server_class == name
            for shot, run in self._core.open_runs()
            for path in run.paths
        )
