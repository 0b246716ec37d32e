"""The command about servers' workers: open, close, destroy, reload; and their answers. Pure."""

from dataclasses import dataclass, field
from math import inf
from typing import Final

from msgspec import structs

from shotline.common import commands as c
from shotline.common.messages import CommandWorkers, Outcome, WorkersAct, WorkersTold
from shotline.common.queue.records import EnvironmentServer
from shotline.common.queue.views import WorkersResult
from shotline.dispatcher.commands.answer import Answer, Asked
from shotline.dispatcher.commands.requests import Family, Requests
from shotline.dispatcher.fleet import Server

WAIT_S: Final = 90.0  # a worker has a minute to start
LOOK_S: Final = 0.5


@dataclass(slots=True)
class _Order:
    asked: Asked
    act: WorkersAct
    until: float
    servers: dict[str, EnvironmentServer] = field(default_factory=dict)


class WorkerCommands(Family):
    """Tells servers what becomes of their workers, and gathers what they say."""

    def __init__(self, requests: Requests) -> None:
        super().__init__(requests)
        self._orders: dict[str, _Order] = {}
        self.due = inf
        """When servers are looked at that have not answered (monotonic)."""

    def take(self, asked: Asked, command: c.ServerWorkers) -> Answer | None:
        """Tell the servers."""
        core = self._core
        order = _Order(asked, command.act, core.now + WAIT_S)
        for name in command.servers:
            found = core.fleet.matching(name)
            if not found:
                text = "it is not there"
                order.servers[name] = EnvironmentServer(server=name, state="away", text=text)
            for server in found:
                order.servers[server.name] = EnvironmentServer(server=server.name, state="waiting")
                core.send(
                    server.identity,
                    CommandWorkers(
                        term=core.term,
                        id=asked.id,
                        act=command.act,
                        reason=f"{command.act.value} asked by {asked.user or 'somebody'}",
                    ),
                )
        self._orders[asked.id] = order
        self.due = core.now + LOOK_S
        return self._over(order)

    def told(self, server: Server, told: WorkersTold) -> None:
        """Take what a server says of an order."""
        order = self._orders.get(told.id)
        if order is None or server.name not in order.servers:
            return
        order.servers[server.name] = EnvironmentServer(
            server=server.name, state=told.state, text=told.text, workers=told.workers
        )
        self._tell_if_over(order)

    def tick(self) -> None:
        """Wait no longer for servers that are gone, or for too long."""
        core = self._core
        if core.now < self.due:
            return
        for order in list(self._orders.values()):
            for name, one in order.servers.items():
                if one.state != "waiting":
                    continue
                server = core.fleet.servers.get(name)
                if server is None or server.is_lost:
                    gone = "it is gone" + (f": {server.why}" if server and server.why else "")
                    order.servers[name] = structs.replace(one, state="away", text=gone)
                elif core.now >= order.until:
                    text = f"no answer within {WAIT_S:g} s"
                    order.servers[name] = structs.replace(one, state="failed", text=text)
            self._tell_if_over(order)
        self.due = core.now + LOOK_S if self._orders else inf

    def _tell_if_over(self, order: _Order) -> None:
        answer = self._over(order)
        if answer is not None:
            self._requests.answer(order.asked, answer)

    def _over(self, order: _Order) -> Answer | None:
        """Return the answer when no server is waited for any more."""
        servers = tuple(order.servers.values())
        if any(one.state == "waiting" for one in servers):
            return None
        self._orders.pop(order.asked.id, None)
        bad = [one for one in servers if one.state in ("failed", "away")]
        result = WorkersResult(servers=servers)
        if bad:
            listed = "; ".join(f"{one.server}: {one.text}" for one in bad)
            return Answer(Outcome.FAILED, f"{order.act.value}: {listed}", result)
        return Answer(Outcome.OK, f"{order.act.value}: {len(servers)} servers", result)
