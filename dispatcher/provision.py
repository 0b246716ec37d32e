"""What providers say of servers on demand: who is on the way, and what it means for D6 and I1.

A report is kept in memory as long as it holds. While one says that a class can have a server, the
grace of D6 rests; what an engine's accounting proves about a pilot ends unknown outcomes as any
other proof does (`proofs`). What a class needs is said in the answer. Pure.
"""

from dataclasses import dataclass, field
from typing import Final

from shotline.common.commands import ProviderReport
from shotline.common.fleet.views import Starting
from shotline.common.messages import Outcome
from shotline.common.pilots import (
    ClassDemand,
    ClassReport,
    PilotServer,
    PilotState,
)
from shotline.common.views import DemandResult
from shotline.dispatcher.commands.answer import Answer, Refused
from shotline.dispatcher.commands.requests import Requests
from shotline.dispatcher.commands.server_commands import ServerCommands
from shotline.dispatcher.fleet import Provided
from shotline.dispatcher.recovery import Recovery

_ON_THE_WAY: Final = frozenset({PilotState.QUEUED, PilotState.STARTING})


@dataclass(slots=True)
class _Told:
    """The last report about a class."""

    life: str  # of the provider that has it
    until: float  # it holds so long, monotonic
    report: ClassReport
    troubled_since: float  # wall; that starts fail
    since: dict[str, float] = field(default_factory=dict)  # wall, by server on the way


class Provision:
    """Takes reports, and answers with what is needed."""

    def __init__(
        self, requests: Requests, recovery: Recovery, server_commands: ServerCommands
    ) -> None:
        self._core = requests.core
        self._recovery = recovery
        self._servers = server_commands
        self._told: dict[str, _Told] = {}

    def take(self, command: ProviderReport) -> Answer:
        """Take a report. Raise Refused where another provider has one of its classes."""
        core = self._core
        for report in command.classes:
            told = self._told.get(report.server_class)
            if told is not None and told.life != command.life and core.now < told.until:
                raise Refused(
                    f"class {report.server_class} is served by another provider, which was heard "
                    f"of within the last seconds; have each class served by one"
                )
        for report in command.classes:
            self._take(command, report)
        for name, told in list(self._told.items()):
            if told.life == command.life and all(
                one.server_class != name for one in command.classes
            ):
                self._forget(name)
        demand = DemandResult(
            recovering=core.recovering,
            classes=tuple(self._demand(report.server_class) for report in command.classes),
        )
        return Answer(Outcome.OK, "", demand)

    def _take(self, command: ProviderReport, report: ClassReport) -> None:
        core, name = self._core, report.server_class
        before = self._told.get(name)
        since = {} if before is None else before.since
        until = core.now + command.valid_s
        coming = [one for one in report.pilots if one.state in _ON_THE_WAY]
        self._told[name] = _Told(
            command.life,
            until,
            report,
            core.wall if before is None or before.report.able else before.troubled_since,
            {one.server: one.since or since.get(one.server, core.wall) for one in coming},
        )
        core.fleet.provided(
            name,
            Provided(
                until if report.able else core.now,
                report.start_wait_s,
                report.able,
                report.text,
                report.labels,
            ),
            core.now,
        )
        if core.recovering:
            return
        for pilot in report.pilots:
            if pilot.proof and pilot.state is PilotState.ENDED:
                self._recovery.proven(pilot.server, pilot.token, pilot.proof)
        for server in report.stop:
            self._servers.let_go(server, report.server_class)

    def _forget(self, name: str) -> None:
        """Its provider has it no more."""
        del self._told[name]
        self._core.fleet.provided(name, None, self._core.now)

    def heard(self) -> dict[str, float]:
        """Return until when the last report of each class holds (monotonic)."""
        return {f"provider of {name}": told.until for name, told in self._told.items()}

    def starting(self) -> tuple[Starting, ...]:
        """Return which classes have servers on the way, with the engine's reason."""
        found = []
        for name, told in self._told.items():
            if self._core.now >= told.until:
                continue
            coming = [one for one in told.report.pilots if one.state in _ON_THE_WAY]
            if not coming and told.report.able:
                continue
            found.append(
                Starting(
                    server_class=name,
                    pilots=len(coming),
                    reason=told.report.text,
                    since=min(told.since.values(), default=told.troubled_since),
                )
            )
        return tuple(found)

    def _demand(self, name: str) -> ClassDemand:
        core = self._core
        members = core.fleet.server_class(name)
        servers = members.servers.values()
        waiting_since = members.waiting_since
        ready, room = members.ready, core.fleet.scheduling.room(name)
        if room is not None:
            ready = min(ready, room)
        return ClassDemand(
            server_class=name,
            ready=ready,
            waiting_s=max(core.now - waiting_since, 0.0)
            if ready and waiting_since is not None
            else None,
            running=sum(len(server.attempts) for server in servers if not server.is_lost),
            free=sum(server.free for server in servers if core.fleet.takes_work(server)),
            servers=tuple(
                PilotServer(
                    server=server.name,
                    incarnation=server.register.incarnation,
                    liveness=server.liveness.value,
                    started_at=server.register.started_at,
                    busy=len(server.attempts),
                    ending=server.leaving or server.stopping or bool(server.wants_to_leave),
                )
                for server in servers
            ),
        )
