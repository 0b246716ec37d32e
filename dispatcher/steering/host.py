"""Hosts the fleet's machine: carries out what it says, journals its records, shows them. Pure.

What happens to servers and runs is told to it within the same event (`core.fleet_news`), so that a
count and what it counts are one commit.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final, cast

from msgspec import structs

from shotline.common.base import to_json
from shotline.common.channels import SERVERS
from shotline.common.fleet import commands as f
from shotline.common.fleet.records import FLEET, FleetRecord
from shotline.common.fleet.views import FleetAnswer, FleetView, Starting
from shotline.common.machine import KeptDeadline
from shotline.common.messages import CommandBeats, LivenessState, Outcome, ServerOrder
from shotline.common.records import ServerSeen
from shotline.common.views import FleetResult, ServersEvent, ServerView
from shotline.dispatcher.alarms.watching import of_dismissed, of_lost
from shotline.dispatcher.commands.answer import Answer, Asked, Refused
from shotline.dispatcher.commands.requests import Done, Family, Requests
from shotline.dispatcher.commands.server_commands import ServerCommands
from shotline.dispatcher.effects import ProgramDone, RunProgram
from shotline.dispatcher.fleet import Server
from shotline.dispatcher.journal import Loaded
from shotline.dispatcher.journal.hosted import StreamKeeper
from shotline.dispatcher.reading.paging import Page, numbered, page
from shotline.fleet.events import (
    EndActions,
    FleetDone,
    FleetInput,
    FleetOutput,
    Forget,
    Keep,
    Operation,
    Order,
    Recovered,
    Registered,
    ServersChanged,
    SetHeartbeat,
    Stands,
    TimePassed,
)
from shotline.fleet.machine import FleetMachine
from shotline.fleet.selecting import Known, is_meant
from shotline.fleet.setting import answered
from shotline.fleet.showing import Showing
from shotline.fleet.world import PlanAhead, ServerState

_RECOVERS: Final = (
    "the dispatcher recovers: servers that are there are listed as soon as they have registered "
    "with it again"
)
_NOT_BACK: Final = "it has not registered since the dispatcher came back"
TELL_S: Final = 1.0
"""Observers are told of the fleet as a whole so often, where it has changed."""


class Steering(Family):
    """The fleet's machine, and all that it has to do with the dispatcher. It is its `World`."""

    def __init__(
        self,
        requests: Requests,
        servers: ServerCommands,
        plans: Callable[[], Iterable[PlanAhead]],
        starting: Callable[[], tuple[Starting, ...]],
    ) -> None:
        super().__init__(requests)
        core = self._core
        self._servers = servers
        self._plans = plans
        self._starting = starting
        self.machine = FleetMachine(self, core.instant, core.config.dispatcher.time_zone)
        self.deadline = KeptDeadline(self.machine.wake_at)
        self._showing = Showing(self.machine)
        self._keeper = StreamKeeper(
            FLEET, core.put_hosted, lambda: self.machine.core.fold.kept(core.wall)
        )
        self._shown = FleetView()
        self._tell_at = 0.0

    def load(self, loaded: Loaded) -> None:
        """Take what the journal holds of the fleet."""
        records = cast("tuple[FleetRecord, ...]", loaded.hosted.get(FLEET, ()))
        self.machine.load(records)
        self._keeper.loaded(len(records))
        self.deadline.ask()
        self._core.fleet.absent.update(self._showing.absent(()))
        self._core.steered.update(self.machine.core.fold.servers)
        for name, at in self.machine.core.fold.dismissed.items():
            self._core.fleet.scheduling.forget_server(name, at)

    def configured(self) -> None:
        """Take another configuration."""
        self.machine.setting.zone = self._core.config.dispatcher.time_zone
        self.machine.planning.zone = self._core.config.dispatcher.time_zone

    def write_anew(self) -> None:
        """Journal the whole state."""
        self._keeper.write_anew()

    def recovered(self) -> None:
        """Every server that is there has registered: what was there before, and is not, is gone."""
        core = self._core
        gone = []
        for seen in list(core.seen.values()):
            if seen.liveness == LivenessState.LOST or seen.server in core.fleet.servers:
                continue
            lost = structs.replace(seen, time=core.wall, liveness=LivenessState.LOST.value)
            core.seen[seen.server] = lost
            core.put_system(lost)
            gone.append(_last_of(seen))
            if not seen.stopping:
                core.alarm_news += of_lost(core.config.alarms, seen.server, _NOT_BACK)
        self._tell(Recovered(tuple(gone)))

    # What falls due

    @property
    def due(self) -> float:
        """When something is due (monotonic)."""
        if self._core.recovering:
            return self._tell_at
        return min(self.deadline.at, self._tell_at)

    def tick(self) -> None:
        """Let the machine look at what is due, and observers know of the whole."""
        core = self._core
        if core.recovering:
            self._tell_at = core.recurs_at(TELL_S)
            return
        if core.now >= self.deadline.at:
            self._tell(TimePassed())
        if core.now >= self._tell_at:
            self._tell_at = core.recurs_at(TELL_S)
            self._show()

    def settle(self) -> bool:
        """Tell the machine what has happened; return whether anything has."""
        core = self._core
        if not core.fleet_news and not core.steered_changed:
            return False
        while core.fleet_news or core.steered_changed:
            news, core.fleet_news = core.fleet_news, []
            changed, core.steered_changed = core.steered_changed, {}
            for event in news:
                self._tell(event)
            if changed:
                self._tell(ServersChanged(tuple(changed)))
        self._keeper.shorten()
        return True

    # Operations

    def operate(self, asked: Asked, command: f.AnyFleetCommand) -> Answer | None:
        """Carry out an operation. None: the answer follows."""
        if isinstance(command, f.FleetList):
            return Answer(
                Outcome.OK, _RECOVERS if self._core.recovering else "", self._listed(command)
            )
        if isinstance(command, f.FleetAdd):
            self._add(asked, command)
            return None
        done, output = self.machine.operate(
            self._core.instant, Operation(asked.id, command, asked.user)
        )
        self._carry_out(output)
        self._core.fleet.absent = self._showing.absent(self._core.fleet.servers)
        self._tell_at = 0.0
        return _answer(done)

    def _add(self, asked: Asked, command: f.FleetAdd) -> None:
        """Have servers started by the site's program, all at once; answer when it has ended."""
        core, section = self._core, self._core.config.dispatcher
        script = section.server_command
        answers: dict[str, FleetAnswer] = {}
        names = tuple(dict.fromkeys(command.servers))
        if script is None:
            own = {f"{one.server_class}:{one.id}" for one in core.config.up.servers}
            if found := [name for name in names if name in own]:
                raise Refused(
                    f"{', '.join(found)} is started by `shotline up start {found[0]}`, and the "
                    "configuration names no program for it (dispatcher.server_command)"
                )

        def done_for(name: str) -> Callable[[Done], Answer | None]:
            def done(done: Done) -> Answer | None:
                assert isinstance(done, ProgramDone)
                answers[name] = _started(name, done)
                if len(answers) < len(names):
                    return None
                return _answer(answered([answers[name] for name in names]))

            return done

        for name in names:
            server_class, _, server_id = name.partition(":")
            core.after(
                RunProgram(
                    self._requests.later(asked, done_for(name)),
                    "" if script is None else str(script),
                    (server_class, "START", server_id),
                    section.server_command_timeout_s,
                )
            )

    def _listed(self, command: f.FleetList) -> Page:
        views = [
            view
            for view in self._views.servers()
            if is_meant(
                command.select, Known(view.server, view.server_class, view.host, view.labels)
            )
        ]
        fleet = None if command.since else self.view()
        return page(
            numbered(views, command.since, lambda view: view),
            self._core.page_bytes,
            lambda next_: FleetResult(fleet=fleet, next=next_),
        )

    def view(self) -> FleetView:
        """Return the fleet but for its servers."""
        return self._view_of(self.views())

    def _view_of(self, views: tuple[ServerView, ...]) -> FleetView:
        view = self._showing.view(self._core.wall, views)
        return structs.replace(view, starting=self._starting())

    def window_notices(self) -> tuple[str, ...]:
        """Return where maintenance windows meet plans of the pulse queue."""
        return tuple(one.text for one in self.machine.planning.conflicts())

    # What goes in and out

    def _tell(self, event: FleetInput) -> None:
        self._carry_out(self.machine.handle(self._core.instant, event))
        if isinstance(event, Registered):
            self._tell_heartbeat(event.server)

    def _carry_out(self, output: Iterable[FleetOutput]) -> None:
        core = self._core
        for one in output:
            match one:
                case Keep(record):
                    self._keeper.keep(record)
                    core.steered.clear()
                    core.steered.update(self.machine.core.fold.servers)
                case Stands(name):
                    self._stands(core.fleet.servers[name])
                case EndActions(name, why):
                    self._servers.end_actions(core.fleet.servers[name], why)
                case Order(name, is_quit, why):
                    order = ServerOrder.QUIT if is_quit else ServerOrder.RESTART
                    self._servers.order(core.fleet.servers[name], order, why)
                case SetHeartbeat(name, every_s, _):
                    self._set_heartbeat(core.fleet.servers[name], every_s)
                case Forget(names):
                    self._forget(names)
        self.deadline.ask()

    def _stands(self, server: Server) -> None:
        core = self._core
        standing = self.machine.core.standings.get(server.name)
        if standing != server.standing:
            server.standing = standing
            server.new_shots.clear()
        kept = self.machine.core.fold.servers.get(server.name)
        server.settings = kept.settings if kept is not None else None
        core.fleet.note_absence(server.register.server_class, core.now)
        core.server_changed(server)

    def _set_heartbeat(self, server: Server, every_s: float | None) -> None:
        core = self._core
        core.send(server.identity, CommandBeats(term=core.term, heartbeat_s=every_s))

    def _tell_heartbeat(self, name: str) -> None:
        """Set a server that has registered anew to tell of itself as often as it was to."""
        server = self._core.fleet.servers.get(name)
        every_s = self.machine.core.fold.of(name).settings.heartbeat_s
        if server is not None and every_s is not None:
            self._set_heartbeat(server, every_s)

    def _forget(self, names: tuple[str, ...]) -> None:
        core = self._core
        for name in names:
            server = core.fleet.servers.get(name)
            if server is not None and server.is_lost:
                core.fleet.forget(server)
            core.fleet.scheduling.forget_server(name, core.wall)
            core.logs.forget(name)
            core.seen.pop(name, None)
            core.fleet.absent.pop(name, None)
            core.alarm_news.append(of_dismissed(name))
        self._publish(ServersEvent(servers=(), gone=names))

    # Showing

    def _show(self) -> None:
        """Tell observers of the fleet as a whole, where it is not as they know it."""
        core = self._core
        core.fleet.absent = self._showing.absent(core.fleet.servers)
        views, anew = self.views(), False
        for name, flags in self._showing.differing(views).items():
            server = core.fleet.servers.get(name)
            if server is not None and server.differs != flags:
                server.differs, anew = flags, True
                core.server_changed(server)
        view = self._view_of(self.views() if anew else views)
        if view == self._shown:
            return
        for level, text in self._showing.news(self._shown, view):
            core.say(level, text)
        self._shown = view
        core.fleet.alerts = Counter(alert.kind for alert in view.alerts)
        self._publish(ServersEvent(servers=(), fleet=view))

    def _publish(self, event: ServersEvent) -> None:
        core = self._core
        core.after(core.feed.publish(SERVERS, core.wall, to_json(event)))

    # The machine's world

    def servers(self) -> Iterator[ServerState]:
        """Return the servers that are there (lost ones are not)."""
        for server in self._core.fleet.servers.values():
            if not server.is_lost:
                yield _state(server)

    def server(self, name: str) -> ServerState | None:
        """Return one that is there."""
        server = self._core.fleet.servers.get(name)
        return _state(server) if server is not None and not server.is_lost else None

    def views(self) -> tuple[ServerView, ...]:
        """Return all servers that have registered since the dispatcher's start."""
        fleet = self._core.fleet
        return tuple(fleet.view(server) for server in fleet.servers.values())

    def plans(self) -> Iterable[PlanAhead]:
        """Return the plans of the pulse queue, in their order, the running one first."""
        return self._plans()


def _state(server: Server) -> ServerState:
    register = server.register
    return ServerState(
        name=server.name,
        server_class=register.server_class,
        host=register.host,
        labels=register.labels,
        incarnation=register.incarnation,
        slots=register.slots,
        running=len(server.attempts),
        is_alive=server.liveness is LivenessState.ALIVE and server.reported,
        is_leaving=server.leaving,
    )


def _last_of(seen: ServerSeen) -> ServerView:
    server_class, _, server_id = seen.server.partition(":")
    return ServerView(
        server=seen.server,
        server_class=server_class,
        server_id=server_id,
        liveness="absent",
        why=_NOT_BACK,
        host=seen.host,
        pid=seen.pid,
        slots=seen.slots,
        incarnation=seen.incarnation,
        epoch=seen.epoch,
        last_seen_at=seen.time,
    )


def _started(name: str, done: ProgramDone) -> FleetAnswer:
    said = f": {done.output.strip()}" if done.output.strip() else ""
    if done.error:
        return FleetAnswer(server=name, done=False, text=done.error)
    if done.code is None:
        return FleetAnswer(server=name, done=False, text=f"the program took too long{said}")
    how = "was started" if done.code == 0 else f"was not started (exit code {done.code})"
    return FleetAnswer(server=name, done=done.code == 0, text=f"{how}{said}")


def _answer(done: FleetDone) -> Answer:
    return Answer(done.outcome, done.message, done.result, done.notices, unknown=done.unknown)
