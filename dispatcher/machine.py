"""The dispatcher's state machine: `handle(now, event)` gives the effects to carry out.

It only hands events to the parts that decide: `link` (broker), `recovery` (what servers hold),
`reports` (what they report), `aftermath` (what the tree is told then), `requests` and the families
of commands (what is asked), `execution` (runs). Nothing else changes the state in `core` (DESIGN
§6). Pure.
"""

from typing import Protocol

from msgspec import structs

from shotline.common import commands as c
from shotline.common.actions import IN_PROGRESS, ActionState
from shotline.common.alarms.commands import AnyAlarmsCommand
from shotline.common.base import to_json
from shotline.common.channels import ALARMS, LOG, QUEUE, SERVERS, VOLUMES
from shotline.common.command import OnShot
from shotline.common.fleet import commands as f
from shotline.common.machine import Instant, Tick
from shotline.common.messages import (
    Bound,
    ClaimAccepted,
    ClaimRefused,
    Dispatch,
    Finished,
    Liveness,
    LivenessState,
    LogLine,
    Message,
    Outcome,
    Output,
    Pong,
    Problem,
    Progress,
    Register,
    Request,
    Returned,
    ServerBeat,
    Started,
    SupersededNotice,
    Tail,
    TurnedAway,
    Undeliverable,
    Vouched,
    WorkersTold,
)
from shotline.common.past.commands import AnyPastCommand
from shotline.common.queue import commands as q
from shotline.common.records import PulseCreated, ShotKey
from shotline.common.settings.configuration import Config
from shotline.common.views import JournalState, LogEvent, SnapshotResult
from shotline.common.volumes.commands import AnyRecordsCommand
from shotline.dispatcher.aftermath import Aftermath
from shotline.dispatcher.alarms.host import AlarmsHost
from shotline.dispatcher.broker_link import BrokerLink
from shotline.dispatcher.commands.answer import Answer, Asked, Refused
from shotline.dispatcher.commands.past_commands import PastCommands
from shotline.dispatcher.commands.queries import Queries
from shotline.dispatcher.commands.requests import NOBODY_KNOWN, Requests
from shotline.dispatcher.commands.retention import Retention
from shotline.dispatcher.commands.run_commands import RunCommands
from shotline.dispatcher.commands.server_commands import ServerCommands
from shotline.dispatcher.commands.sources import Sources
from shotline.dispatcher.commands.tree_commands import TreeCommands
from shotline.dispatcher.commands.worker_commands import WorkerCommands
from shotline.dispatcher.core import Core
from shotline.dispatcher.effects import (
    BrokerGone,
    BrokerReached,
    Configured,
    Effect,
    Exit,
    FromBroker,
    MachineEvent,
    MalformedFrom,
    ProgramDone,
    Say,
    StopAsked,
    ToPeer,
)
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.fleet import Server
from shotline.dispatcher.journal import (
    AuditRead,
    AuditTrimmed,
    Forgotten,
    HistoryLost,
    JournalChanged,
    Loaded,
    OutputRead,
    PlaceAsked,
    ShotRead,
    TermPassed,
    Written,
)
from shotline.dispatcher.past.jobs import PastDone
from shotline.dispatcher.plans.functions import Functions
from shotline.dispatcher.plans.host import PlansHost
from shotline.dispatcher.provision import Provision
from shotline.dispatcher.reading.views import Views
from shotline.dispatcher.reading.waits import Waits
from shotline.dispatcher.recovery import Recovery
from shotline.dispatcher.reports import Results
from shotline.dispatcher.shots import Run, Shot
from shotline.dispatcher.steering.host import Steering
from shotline.dispatcher.trees.jobs import TreeDone
from shotline.dispatcher.volumes.host import VolumesHost
from shotline.fleet.events import CheckFailed


class _Part(Protocol):
    @property
    def due(self) -> float: ...  # when it is to be looked at again (monotonic)


class Dispatcher:
    """The machine. Made with a claimed term and what the journal has loaded."""

    def __init__(
        self,
        instant: Instant,
        term: int,
        config: Config,
        host: str,
        pid: int,
    ) -> None:
        self.core = Core(config, host, pid, term, instant)
        self.execution = Execution(self.core, self._run_over)
        self.aftermath = Aftermath(self.core)
        self.results = Results(self.core, self.execution, self.aftermath)
        self.views = Views(self.core)
        self.requests = Requests(self.core, self.views, self._carry_out)
        self.sources = Sources(self.requests)
        self.run_commands = RunCommands(self.requests, self.execution, self.sources)
        self.server_commands = ServerCommands(self.core, self.execution)
        self.retention = Retention(self.core)
        self.tree_commands = TreeCommands(self.requests, self.retention)
        self.queries = Queries(self.requests)
        self.past = PastCommands(self.requests)
        self.worker_commands = WorkerCommands(self.requests)
        self.functions = Functions(self.requests, self.execution)
        self.plans = PlansHost(self.requests)
        self.volumes = VolumesHost(self.requests)
        self.recovery = Recovery(self.core, self.execution, self.aftermath, self._recovered)
        self.provision = Provision(self.requests, self.recovery, self.server_commands)
        self.steering = Steering(
            self.requests, self.server_commands, self.plans.ahead, self.provision.starting
        )
        self.alarms = AlarmsHost(self.requests, self.provision.heard, self.volumes.heard)
        self.plans.warnings = self.steering.window_notices
        self.link = BrokerLink(self.core)
        self.waits = Waits(self.core, self.views)
        self._feed_at = instant.mono
        self._parts: tuple[_Part, ...] = (
            self.link,
            self.recovery,
            self.waits,
            self.plans,
            self.volumes,
            self.steering,
            self.alarms,
            self.worker_commands,
            self.requests,
            self.server_commands,
            self.sources,
            self.retention,
        )

    def load(self, loaded: Loaded) -> None:
        """Take what the journal holds, once, before the first event."""
        core = self.core
        for key, found in loaded.shots.items():
            shot = core.shots[key] = Shot(key)
            for record in found.records:
                shot.apply(record)
            shot.lines.update(found.lines)
            core.fleet.scheduling.count_anew(shot)
            for live in shot.actions.values():
                if live.url is not None and (live.outcome_unknown or live.state in IN_PROGRESS):
                    core.fleet.urls.take(live.url, shot.attempt_of(live))
        core.stored.update(dict.fromkeys(loaded.stored))
        core.newest.update(loaded.newest)
        core.current = loaded.current
        core.may_lack_end = loaded.may_lack_end
        core.seen.update((seen.server, seen) for seen in loaded.servers)
        for seen in loaded.servers:
            if seen.last_words:
                core.logs.load(seen.server, seen.last_words)
        self.requests.audit.load(loaded.audited)
        for done in loaded.commands:
            self.requests.remember(done)
        self.plans.load(loaded)
        self.volumes.load(loaded)
        self.steering.load(loaded)
        self.alarms.load(loaded)
        self.past.look_for_kept()

    # Events

    def handle(self, instant: Instant, *events: MachineEvent) -> list[Effect]:
        """Return what follows from the events of one wake-up; they are journalled together."""
        core = self.core
        core.instant = instant
        released: list[Effect] = []
        for event in events:
            released += self._take(event)
        if not all(isinstance(event, Written) for event in events):
            self._tick()
            self.worker_commands.tick()
            self.plans.tick()
            self.volumes.tick()
            self.steering.tick()
            self.steering.settle()
            self.execution.pump()
            self.server_commands.tick()
            while self.steering.settle() or self.plans.settle() or self.volumes.settle():
                self.execution.pump()
            self.alarms.tick()
            self.alarms.settle()
        self.volumes.go_on()
        left = core.take_effects() + released + core.ledger.flush()
        if core.journal_state is JournalState.STOPPED:
            left += core.ledger.take_unbound()
        return left

    def _take(self, event: MachineEvent) -> list[Effect]:
        core = self.core
        match event:
            case FromBroker():
                self._from_broker(event.source, event.messages)
            case Written():
                return self._released(core.ledger.written(event.number))
            case Tick():
                pass
            case TreeDone():
                if not self.aftermath.done(event):
                    self.requests.done(event.job, event)
            case PastDone():
                if not self.retention.done(event):
                    self.past.take(event)
            case ProgramDone():
                if not self.alarms.program_done(event):
                    self.requests.done(event.job, event)
            case ShotRead() | OutputRead() | AuditRead():
                self.requests.done(event.query, event)
            case JournalChanged():
                core.journal_state, core.journal_text = event.state, event.text
                good = event.state is JournalState.OK
                core.say("info" if good else "warning", f"journal: {event.text}")
                self.alarms.journal_changed(event.state, event.text)
                self._beat_feed()
            case HistoryLost():
                core.say("error", f"journal: {event.text}")
                self._write_anew(event.shots)
            case Forgotten():
                if event.error:
                    core.say("warning", f"old shots are not removed now: {event.error}")
                elif event.shots:
                    core.say("info", f"removed {', '.join(map(str, event.shots))}")
            case AuditTrimmed():
                if event.error:
                    core.say("warning", f"the audit is not trimmed now: {event.error}")
            case TermPassed():
                why = f"term {event.term} has taken over the journal"
                core.at_once(Exit(0, why, taken_over=True))
            case PlaceAsked():
                why = f"another dispatcher, {event.by}, has taken over"
                core.at_once(Exit(0, why, taken_over=True))
            case MalformedFrom():
                self._malformed(event)
            case BrokerReached():
                self.link.reached()
            case BrokerGone():
                self.link.gone()
            case Configured():
                core.configure(event.config)
                self.plans.configured(event.emergency_key)
                self.steering.configured()
                self.volumes.configured()
                self.alarms.configured()
            case StopAsked():
                if core.journal_state is JournalState.STOPPED:
                    core.at_once(Exit(0, "asked to end"))
                else:
                    core.leave("asked to end")
        return []

    def wake_at(self) -> float:
        """Return when a Tick is due (monotonic seconds)."""
        core = self.core
        earliest = min(self._feed_at, core.servers_due)
        for part in self._parts:
            due = part.due
            if due < earliest:
                earliest = due
        if core.recovering:
            return earliest
        limits = core.config.dispatcher
        return min(earliest, core.fleet.due(limits.server_grace_s, limits.url_wait_s))

    def _tick(self) -> None:
        core = self.core
        self.link.tick()
        self.recovery.tick()
        self.waits.tick()
        self.requests.tick()
        self.sources.tick()
        self.retention.tick()
        if core.now >= core.servers_due:
            core.publish_servers()
        if core.now >= self._feed_at:
            self._beat_feed()

    def _beat_feed(self) -> None:
        core = self.core
        self._feed_at = core.recurs_at(core.config.broker.heartbeat_s)
        for beat in core.feed.beat(core.wall, core.journal_state):
            core.after(beat)

    def _released(self, effects: list[Effect]) -> list[Effect]:
        """Note when dispatches leave, so that their delivery can be watched (DESIGN §5)."""
        for effect in effects:
            if isinstance(effect, ToPeer):
                server = self.core.fleet.by_identity(effect.target) if effect.target else None
                if server is not None:
                    self._note_dispatches(server, effect.messages)
        return effects

    def _note_dispatches(self, server: Server, messages: tuple[Message, ...]) -> None:
        for message in messages:
            if isinstance(message, Dispatch) and message.epoch == server.register.epoch:
                server.released.append((message.number, self.core.now))

    # What comes through the broker

    def _from_broker(self, source: bytes, messages: tuple[Message, ...]) -> None:
        if not source:
            for message in messages:
                self._from_broker_itself(message)
            return
        server: Server | None = None
        sender = NOBODY_KNOWN
        for message in messages:
            if isinstance(message, Request):
                self.requests.take(source, message, sender)
            elif isinstance(message, Vouched):
                sender = message
            elif isinstance(message, Register):
                self.recovery.registered(message)
            else:
                server = server or self.core.fleet.by_identity(source)
                if server is None:
                    self._problem(source, f"{message.kind}: register first")
                else:
                    self._from_server(server, message)

    def _from_broker_itself(self, message: Message) -> None:
        match message:
            case Pong():
                self.link.pong(message)
            case Liveness():
                self.recovery.judged(message)
            case Undeliverable():
                self.recovery.undeliverable(message)
            case ClaimAccepted():
                if self.link.accepted(message):
                    self.recovery.claimed()
            case ClaimRefused():
                self.link.refused(message)
            case SupersededNotice():
                self.link.superseded(message)
            case LogLine():
                self._log_line(message)
            case TurnedAway():
                self.requests.audit.turned_away(message)
            case Problem():
                # Not on the feed: what is published may be the very thing that was refused.
                self.core.at_once(Say("error", f"the broker says: {message.text}"))
            case _:
                self.core.say("error", f"the broker sent {message.kind}, which is not for us")

    def _from_server(self, server: Server, message: Message) -> None:
        server.last_seen_at = self.core.wall
        match message:
            case Finished():
                self.results.finished(server, message)
            case Output():
                self.results.output(server, message)
            case Started():
                self.results.started(server, message)
            case Progress():
                self.results.progress(server, message)
            case Tail():
                self.results.tail(server, message)
            case Returned():
                self.recovery.returned(server, message)
            case ServerBeat():
                self._server_beat(server, message)
            case Bound():
                core = self.core
                core.fleet.urls.reported(server.name, message)
                core.server_changed(server)
            case WorkersTold():
                self.worker_commands.told(server, message)
            case LogLine():
                self._server_log_line(server, message)
            case _:
                self._problem(server.identity, f"{message.kind} is not for the dispatcher")

    def _server_beat(self, server: Server, beat: ServerBeat) -> None:
        core = self.core
        was_failing, was_told = server.failing, server.told
        if server.liveness is LivenessState.SUSPECT:
            core.fleet.judged(server, LivenessState.ALIVE, "", core.now)
        if not core.fleet.beat(server, beat, core.now, core.config.dispatcher.delivery_s):
            server.released.clear()
            self.recovery.ask_anew(server, "dispatches have not arrived in time")
        elif beat.leaving:
            self.server_commands.wants_to_leave(server)
        if server.failing and not was_failing:
            self._check_failed(server)
        core.server_changed(server, is_news=server.told != was_told)

    def _check_failed(self, server: Server) -> None:
        core, health = self.core, server.facts and server.facts.health
        host = server.register.host
        core.say("warning", f"{server.name} gets nothing, host {host} fails: {server.failing}")
        if health and not health.resumes:
            core.fleet_news.append(CheckFailed(server.name, host, server.failing))

    def _server_log_line(self, server: Server, line: LogLine) -> None:
        """Keep what a server has logged; tell observers what matters to them."""
        if self.core.logs.take(server.name, line) and line.level not in ("debug", "info"):
            self._log_line(line)

    def _log_line(self, line: LogLine) -> None:
        payload = LogEvent(lines=((line.at, line.level, line.source, line.text),))
        self.core.after(self.core.feed.publish(LOG, self.core.wall, to_json(payload)))

    def _malformed(self, event: MalformedFrom) -> None:
        # What the broker calls a client's connection is told to nobody.
        whose = repr(event.source[:80]) if self.core.fleet.by_identity(event.source) else "a client"
        self.core.say("warning", f"malformed message from {whose}: {event.why[:300]}")
        if event.source:
            self._problem(event.source, event.why)

    def _problem(self, target: bytes, text: str) -> None:
        self.core.at_once(ToPeer(target, (Problem(text=text[:1000]),)))

    # Commands

    def _carry_out(self, asked: Asked, command: c.AnyCommand) -> Answer | None:
        """Carry out a command (D9 to D17). None: the answer follows. Raise Refused."""
        runs, servers, trees = self.run_commands, self.server_commands, self.tree_commands
        if command.changes and isinstance(command, OnShot | c.CreatePulse):
            self.past.refuse_kept(command)
        match command:
            case c.CreatePulse():
                return trees.create_pulse(asked, command)
            case c.BuildTables():
                return trees.build_tables(asked, command)
            case c.ReadTree():
                return trees.read_tree(asked, command)
            case c.CurrentShot():
                return trees.current_shot(asked, command)
            case c.DoPhase() | c.DoSequence():
                return runs.do_run(asked, command)
            case c.DispatchAction():
                return runs.dispatch(asked, command)
            case c.Abort(server=str()):
                return servers.abort(asked, command.server or "", command.path)
            case c.Abort():
                return runs.abort(asked, command)
            case c.AbortPending():
                return runs.abort_pending(asked, command)
            case c.WriteNodes():
                return trees.write_nodes(asked, command)
            case c.Hold() | c.Resume():
                return runs.hold_or_resume(asked, command)
            case c.Wait():
                return runs.wait(asked, command)
            case c.ServerAbort():
                return servers.abort(asked, command.server, command.path)
            case c.ServerStop() | c.ServerQuit() | c.ServerRestart():
                return servers.command(asked, command)
            case c.RunFunction():
                return self.functions.run(asked, command)
            case c.ServerWorkers():
                return self.worker_commands.take(asked, command)
            case c.ClearUrl():
                return servers.clear_url(command.url)
            case c.ProviderReport():
                return self.provision.take(command)
            case c.Rehearse():
                return self._rehearse(command)
            case c.Quit():
                return self._quit()
            case c.Snapshot(channel=channel) if channel == QUEUE:
                return self._queue_snapshot()
            case c.Snapshot(channel=channel) if channel == SERVERS:
                return self._servers_snapshot()
            case c.Snapshot(channel=channel) if channel == VOLUMES:
                return self._volumes_snapshot()
            case c.Snapshot(channel=channel) if channel == ALARMS:
                return self.alarms.snapshot()
            case _ if isinstance(command, AnyAlarmsCommand):
                return self.alarms.operate(asked, command)
            case _ if isinstance(command, f.AnyFleetCommand):
                return self.steering.operate(asked, command)
            case _ if isinstance(command, q.AnyQueueCommand):
                return self.plans.operate(asked, command)
            case _ if isinstance(command, AnyRecordsCommand):
                return self.volumes.operate(asked, command)
            case _ if isinstance(command, AnyPastCommand):
                return self.past.operate(asked, command)
            case c.Actions() | c.Show() | c.Logs() | c.Check() if self.past.of_kept(asked, command):
                return None
            case _:
                return self.queries.read(asked, command)

    def _recovered(self) -> None:
        self.steering.recovered()
        self.plans.recovered()
        self.volumes.recovered()
        self.alarms.recovered()
        self.retention.look()
        self.requests.take_early()

    def _queue_snapshot(self) -> Answer:
        core = self.core
        result = SnapshotResult(
            channel=QUEUE,
            term=core.term,
            seq=core.feed.last(QUEUE),
            queue=self.plans.snapshot(),
        )
        return Answer(Outcome.OK, "", result)

    def _servers_snapshot(self) -> Answer:
        result = self.views.snapshot(SERVERS)
        assert isinstance(result, SnapshotResult)
        return Answer(Outcome.OK, "", structs.replace(result, fleet=self.steering.view()))

    def _volumes_snapshot(self) -> Answer:
        result = self.views.snapshot(VOLUMES)
        assert isinstance(result, SnapshotResult)
        return Answer(Outcome.OK, "", structs.replace(result, ledger=self.volumes.view()))

    def _rehearse(self, command: c.Rehearse) -> Answer:
        if not self.core.config.debug.rehearsals:
            raise Refused(
                "rehearsals are off: set `rehearsals: true` under `debug` in the dispatcher's "
                "configuration, and start it again"
            )
        what = "hangs" if command.what == "hang" else "ends as by a crash"
        return Answer(Outcome.OK, f"{command.daemon} on {command.host} {what}, for a rehearsal")

    def _quit(self) -> Answer:
        self.core.leave("asked to quit by a command")
        running = sum(len(server.attempts) for server in self.core.fleet.servers.values())
        return Answer(Outcome.OK, f"the dispatcher ends; {running} actions go on in their servers")

    # Runs and history

    def _run_over(self, shot: Shot, run: Run) -> None:
        self.run_commands.run_over(shot, run)

    def _write_anew(self, only: frozenset[ShotKey] | None) -> None:
        """Write the state of these shots again, or of all and of everything else (I9)."""
        core = self.core
        # What is written last is the newest of its tree.
        shots = sorted(
            core.shots.values(), key=lambda shot: core.newest.get(shot.key.tree) == shot.key.shot
        )
        for shot in shots:
            if only is not None and shot.key not in only:
                continue
            if shot.key == core.current:
                created_at = core.wall if shot.built is None else shot.built.time
                core.ledger.record(shot.key, PulseCreated(time=created_at))
            for record in shot.records(core.wall):
                core.ledger.record(shot.key, record)
        if only is None:
            for server in core.fleet.servers.values():
                core.put_seen(server)
            for done in self.requests.remembered():
                core.put_system(done)
            self.plans.write_anew()
            self.volumes.write_anew()
            self.steering.write_anew()
            self.alarms.write_anew()

    # For tests

    def check_invariants(self) -> None:
        """Assert what must hold between any two events."""
        self.volumes.ledger.core.fold.check()
        for host in (self.plans, self.volumes, self.steering, self.alarms):
            host.deadline.check()
        for shot in self.core.shots.values():
            run = shot.open_run
            for path, live in shot.actions.items():
                if live.state in IN_PROGRESS:
                    assert live.server, live
                    assert live.attempt, live
                if live.cause is not None:
                    assert live.state not in IN_PROGRESS, live
                if live.state in (ActionState.DONE, ActionState.ABORTED, ActionState.SERVER_OFF):
                    assert live.cause is not None, live
                if run is not None and run.is_busy(path):
                    assert live.cause is None, live
