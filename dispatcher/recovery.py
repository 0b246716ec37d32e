"""What servers hold, against what is recorded: proof, loss, and whether a run may go on.

Only here is it decided that an attempt was never started, may have run, or is still running (I1).
Silence is never proof. Pure.
"""

from collections.abc import Callable
from math import inf
from typing import Final

from shotline.common.actions import IN_PROGRESS, ActionState, AttemptId
from shotline.common.codec import decode_all
from shotline.common.dangers import listed
from shotline.common.errors import MalformedMessage
from shotline.common.messages import (
    AbortAttempt,
    CommandServer,
    Dispatch,
    Held,
    HeldAs,
    Liveness,
    LivenessState,
    Register,
    RegisterAnew,
    Returned,
    Undeliverable,
)
from shotline.common.pilots import is_of
from shotline.common.records import Mark, ShotKey, Transition
from shotline.dispatcher.aftermath import Aftermath
from shotline.dispatcher.alarms.watching import of_lost, of_registered
from shotline.dispatcher.core import Core
from shotline.dispatcher.execution import Execution
from shotline.dispatcher.fleet import Server
from shotline.dispatcher.journal import VouchForRedis
from shotline.dispatcher.proofs import take_end, take_proofs
from shotline.dispatcher.shots import Run, Shot
from shotline.fleet.events import Lost
from shotline.fleet.events import Registered as FleetRegistered

_GONE_MAX: Final = 10_000
"""So many pilots are remembered as proven to have ended."""


class Recovery:
    """Judges attempts when servers register, are lost, or send something back."""

    def __init__(
        self,
        core: Core,
        execution: Execution,
        aftermath: Aftermath,
        on_recovered: Callable[[], None],
    ) -> None:
        self._core = core
        self._execution = execution
        self._aftermath = aftermath
        self._on_recovered = on_recovered
        self._collect_until = self._unreported_until = self._mark_at = inf
        self._lease_until = 0.0  # so long a silent server may still be there
        self._waits_for_witnesses = False  # all others have had their time to report

    # The dispatcher's own start, and the broker's

    def claimed(self) -> None:
        """The broker has accepted our claim: every server registers anew, from now on."""
        core = self._core
        for server in core.fleet.servers.values():
            if not server.is_lost:
                server.reported = False
        self._unreported_until = core.now + max(
            core.config.broker.server_lost_s, core.config.dispatcher.recovery_s
        )
        if core.recovering and self._collect_until == inf:
            self._collect_until = core.now + core.config.dispatcher.recovery_s
            self._lease_until = self._unreported_until
            self._hold_old_runs()

    @property
    def due(self) -> float:
        """The next deadline."""
        return min(self._collect_until, self._unreported_until, self._mark_at)

    def tick(self) -> None:
        """Carry out what is due."""
        core = self._core
        if core.now >= self._collect_until:
            if core.now < self._lease_until and self._awaited():
                self._collect_until = self._lease_until
                self._waits_for_witnesses = True
            else:
                self._collect_until = inf
                self._finish()
        if core.now >= self._unreported_until:
            self._unreported_until = inf
            for server in list(core.fleet.servers.values()):
                if not server.reported and not server.is_lost:
                    self.lost(server, "it has not registered with the broker again")
        self._mark()

    def _mark(self) -> None:
        """While a run is open, say now and then that the dispatcher lives (HELD or not)."""
        core = self._core
        running = [shot for shot, run in core.open_runs() if run.held is None]
        if not running or core.recovering:
            self._mark_at = inf
            return
        is_due = self._mark_at <= core.now
        if is_due or self._mark_at == inf:
            self._mark_at = core.recurs_at(max(core.config.dispatcher.resume_within_s / 6, 1.0))
        if is_due:
            for shot in running:
                core.put(shot, Mark(time=core.wall))

    def _finish(self) -> None:
        """Reports are in: settle what nobody holds, let runs go on or hold them."""
        core = self._core
        core.recovering = False
        core.fleet.begin(core.now)
        for shot in core.shots.values():
            known = {live.incarnation for live in shot.actions.values() if live.incarnation}
            self._aftermath.give_up(shot)
            self._lose_unreported(shot)
            if shot.open_run is not None:
                self._go_on_or_hold(
                    shot, shot.open_run, known | {seen.incarnation for seen in core.seen.values()}
                )
        core.say("info", f"term {core.term}: reports collected, dispatching")
        core.after(VouchForRedis())
        self._on_recovered()

    def _awaited(self) -> list[str]:
        """Return the servers from before that may have been sent what the journal lacks, and are
        not heard of yet.
        """
        core = self._core
        runs = [(shot, run) for shot, run in core.open_runs() if run.held is None]
        return [
            name
            for name in dict.fromkeys(name for one in runs for name in self._witnesses(*one))
            if name not in core.fleet.servers
        ]

    def _witnesses(self, shot: Shot, run: Run) -> dict[str, str]:
        """Return the servers, and the life of each, that may have been sent actions of a run as
        the last before the dispatcher's end, where the journal may lack that.
        """
        if not self._core.may_lack_end:
            return {}
        classes = {
            shot.table.node(path).server_class
            for path in run.paths
            if shot.actions[path].cause is None
            and shot.actions[path].state is ActionState.NOT_DISPATCHED
        }
        return {
            seen.server: seen.incarnation
            for seen in self._core.seen.values()
            if seen.liveness != LivenessState.LOST and seen.server.partition(":")[0] in classes
        }

    def _lose_unreported(self, shot: Shot) -> None:
        for live in list(shot.in_progress()):
            server = self._core.fleet.servers.get(live.server or "")
            if server is None or shot.attempt_of(live) not in server.attempts:
                self._execution.lose(
                    shot,
                    live.path,
                    "it did not report when the dispatcher came back",
                    proven_dead=False,
                )

    def _hold_old_runs(self) -> None:
        """Hold what was left open long ago, before reports of servers give it records of today."""
        core = self._core
        for shot in core.shots.values():
            run = shot.open_run
            if run is None or run.aborting or run.held is not None:
                continue
            last_sign_at = shot.last_record_at
            age_s = core.wall - (run.opened.time if last_sign_at is None else last_sign_at)
            if not 0 <= age_s <= core.config.dispatcher.resume_within_s:
                self._execution.hold(
                    shot,
                    run,
                    f"the dispatcher was away; the last sign of the run is {age_s:.0f} s old "
                    f"(goes on by itself within {core.config.dispatcher.resume_within_s:g} s)",
                )

    def _go_on_or_hold(self, shot: Shot, run: Run, known: set[str]) -> None:
        core = self._core
        servers = core.fleet.servers
        gone = [
            name
            for name, life in self._witnesses(shot, run).items()
            if name not in servers or servers[name].register.incarnation != life
        ]
        self._execution.drive(shot, run)
        if run.aborting:
            self._execution.abort_run(shot, run, run.aborting)
        elif run.held is None and not any(
            server.register.incarnation in known
            for server in core.fleet.servers.values()
            if not server.is_lost
        ):
            self._execution.hold(
                shot, run, "the dispatcher was away, and no server from before has reported"
            )
        elif run.held is None and gone:
            self._execution.hold(
                shot,
                run,
                "Redis was away with the dispatcher, and these servers are gone since then: "
                f"{listed(gone)}; what they were sent last may have run, and not be in the journal",
            )

    # Servers come and go

    def registered(self, register: Register) -> None:
        """Compare what a server holds with what is recorded."""
        core = self._core
        old = core.fleet.servers.get(register.server)
        if old is not None and old.register.incarnation != register.incarnation:
            self._replaced(old, register)
        server = core.fleet.registered(register, core.wall)
        if server is not old:
            self._remember_orders(server)
        if core.recovering or core.may_lack_end:
            self._take_unrecorded(server, register)
        before, server.attempts = server.attempts, {}
        for held in register.holding:
            self._take_held(server, held)
        since = self._sent_since(server)
        if any(attempt not in server.attempts for attempt in since):
            server.attempts |= since
            self.ask_anew(server, "its registration is older than what it was sent")
        for attempt in before:
            if attempt not in server.attempts:
                self._not_held(server, attempt)
        if core.recovering:
            self._not_held_after_restart(server, register)
        for shot in core.shots.values():
            take_proofs(core, shot, register)
        if core.recovering and self._waits_for_witnesses and not self._awaited():
            self._collect_until = core.now
        core.fleet_news.append(FleetRegistered(server.name, register.incarnation))
        core.alarm_news.append(of_registered(server.name))
        core.server_changed(server)
        core.put_seen(server)

    def _take_unrecorded(self, server: Server, register: Register) -> None:
        """Take what a server was sent where the journal has lost that: it never starts anew (I1).

        Nobody else makes attempts, so one that is not known was made before our start.
        """
        core = self._core
        told: dict[AttemptId, Held | None] = dict.fromkeys(register.answered)
        told.update((item.attempt, item) for item in register.holding)
        for attempt in sorted(told):
            shot = core.shots.get(ShotKey(attempt.tree, attempt.shot))
            if shot is None or not shot.lacks(attempt):
                continue
            if shot.table.node(attempt.path).server_class == register.server_class:
                words = f"{server.name} was sent {attempt}, which the journal has lost"
                core.say("warning", words, attempt)
                self._execution.adopt(shot, server, attempt, told[attempt])

    def _sent_since(self, server: Server) -> dict[AttemptId, int]:
        """Return what a server was sent after it had registered so, with the epoch of each.

        A network may deliver a registration late, or again to a new broker: it proves nothing
        about what was sent in its own epoch.
        """
        register = server.register
        return {
            shot.attempt_of(live): live.epoch
            for shot in self._core.shots.values()
            for live in shot.in_progress()
            if live.server == server.name
            and live.incarnation == register.incarnation
            and live.epoch is not None
            and live.epoch >= register.epoch
        }

    def _remember_orders(self, server: Server) -> None:
        """Go on with what a dispatcher before us was to tell this life of a server (D17)."""
        seen = self._core.seen.get(server.name)
        if seen is not None and seen.incarnation == server.register.incarnation:
            self._core.fleet.tell(server, stopping=seen.stopping, restarting=seen.restarting)

    def _replaced(self, old: Server, register: Register) -> None:
        attempts, old.attempts = old.attempts, {}
        for attempt in attempts:
            self._lose(
                old,
                attempt,
                "a new incarnation has registered",
                proven_dead=old.register.incarnation in register.ended,
            )

    def _take_held(self, server: Server, held: Held) -> None:
        """Take an attempt that the server holds: ours, or one that only holds its slot."""
        core = self._core
        if held.held_as is HeldAs.FINISHED:
            if self._current(server, held.attempt) is not None:
                server.attempts[held.attempt] = server.register.epoch  # its result follows
            return
        server.attempts[held.attempt] = server.register.epoch
        found = self._current(server, held.attempt)
        if found is None:
            if held.held_as is HeldAs.QUEUED or core.config.action_server.on_return == "end":
                core.send(
                    server.identity,
                    AbortAttempt(
                        term=core.term,
                        attempt=held.attempt,
                        reason="it is not awaited any more",
                    ),
                )
            return
        shot, live = found
        if live.state is ActionState.DISPATCHED and held.held_as is HeldAs.RUNNING:
            started_at = held.started_at or core.wall
            self._execution.started(shot, live, started_at)
        if live.aborting:
            self._execution.tell_abort(shot, live.path, live.reason)

    def _current(self, server: Server, attempt: AttemptId) -> tuple[Shot, Transition] | None:
        """Return shot and state when the attempt is this server's, current and in progress."""
        shot = self._core.shots.get(ShotKey(attempt.tree, attempt.shot))
        live = shot.actions.get(attempt.path) if shot is not None else None
        if (
            shot is None
            or live is None
            or live.attempt != attempt.number
            or live.state not in IN_PROGRESS
            or live.server != server.name
            or live.incarnation != server.register.incarnation
        ):
            return None
        return shot, live

    def _not_held(self, server: Server, attempt: AttemptId) -> None:
        """A registration without an attempt that was sent: proof that it never starts (I1).

        Unless the server has told of its end before, to a dispatcher whose journal has lost that.
        """
        found = self._current(server, attempt)
        if found is None:
            return
        shot, live = found
        is_unstarted = attempt not in server.register.answered
        if live.state is ActionState.DISPATCHED and is_unstarted:
            self._execution.requeue(shot, live.path, f"{server.name} registered without it")
        else:
            self._execution.forget(shot, live.path)

    def _not_held_after_restart(self, server: Server, register: Register) -> None:
        held = {item.attempt for item in register.holding} | server.attempts.keys()
        for shot in self._core.shots.values():
            for live in list(shot.in_progress()):
                attempt = shot.attempt_of(live)
                if live.server != server.name or attempt in held:
                    continue
                if live.incarnation == register.incarnation:
                    self._not_held(server, attempt)
                else:
                    self._execution.lose(
                        shot,
                        live.path,
                        "a new incarnation has registered",
                        proven_dead=live.incarnation in register.ended,
                    )

    def judged(self, liveness: Liveness) -> None:
        """Take the broker's judgement of a server."""
        core = self._core
        server = core.fleet.servers.get(liveness.server)
        if server is None or server.register.incarnation != liveness.incarnation:
            return
        if liveness.state is LivenessState.LOST:
            self.lost(server, liveness.why, in_order=liveness.in_order)
            return
        core.fleet.judged(server, liveness.state, liveness.why, core.now)
        core.server_changed(server)

    def proven(self, name: str, pilot: str, how: str) -> None:
        """Take an engine's proof that all lives of a pilot have ended (P3).

        One that the broker hears of is not dead, whatever is said: it is told again.
        """
        core = self._core
        server = core.fleet.servers.get(name)
        its_last = server is not None and is_of(server.register.incarnation, pilot)
        if server is not None and its_last and server.liveness is LivenessState.ALIVE:
            return
        if pilot in core.gone:
            return
        core.gone[pilot] = how
        while len(core.gone) > _GONE_MAX:
            del core.gone[next(iter(core.gone))]
        if server is not None and its_last and not server.is_lost:
            self.lost(server, how, proven_dead=True)
        for shot in core.shots.values():
            take_end(core, shot, pilot)

    def lost(
        self, server: Server, why: str, *, proven_dead: bool = False, in_order: bool = False
    ) -> None:
        """Settle what a lost server had; no other server of its class is touched (D7).

        `in_order`: it has ended as it should, and nobody needs an alarm.
        """
        core = self._core
        if not (in_order or proven_dead or server.leaving or server.stopping):
            core.alarm_news += of_lost(core.config.alarms, server.name, why)
        core.fleet.judged(server, LivenessState.LOST, why, core.now)
        if not server.leaving:
            # Should it come back later, nobody expects a restart any more.
            core.fleet.tell(server, stopping=server.stopping)
        attempts, server.attempts = server.attempts, {}
        for attempt in attempts:
            self._lose(server, attempt, why, proven_dead=proven_dead)
        core.fleet_news.append(Lost(core.fleet.view(server)))
        core.server_changed(server)
        core.put_seen(server)

    def _lose(self, server: Server, attempt: AttemptId, why: str, *, proven_dead: bool) -> None:
        found = self._current(server, attempt)
        if found is not None:
            self._execution.lose(found[0], found[1].path, why, proven_dead=proven_dead)

    # What comes back

    def returned(self, server: Server, returned: Returned) -> None:
        """The server gives an attempt back unstarted."""
        server.attempts.pop(returned.attempt, None)
        self._core.fleet.urls.answered(returned.attempt)
        self._core.server_changed(server)
        found = self._current(server, returned.attempt)
        if found is not None and found[1].state is ActionState.DISPATCHED:
            self._execution.requeue(
                found[0], found[1].path, f"{server.name} returned it: {returned.why}"
            )

    def undeliverable(self, notice: Undeliverable) -> None:
        """The broker could not deliver this, and never will."""
        server = self._core.fleet.by_identity(notice.target)
        if server is None:
            return
        try:
            messages = decode_all(notice.batches)
        except MalformedMessage as error:
            self._core.say("error", f"undeliverable to {server.name}, and not ours: {error}")
            return
        for message in messages:
            if isinstance(message, Dispatch):
                self._dispatch_came_back(server, message, notice.why)
            elif isinstance(message, CommandServer):
                self._command_came_back(server, message, notice.why)

    def _dispatch_came_back(self, server: Server, message: Dispatch, why: str) -> None:
        if server.attempts.get(message.attempt) != message.epoch:
            return  # judged already, by a later registration
        del server.attempts[message.attempt]
        self._core.fleet.urls.answered(message.attempt)
        server.liveness = LivenessState.SUSPECT  # until its next beat or the broker says more
        server.why = why
        found = self._current(server, message.attempt)
        if found is not None:
            self._execution.requeue(found[0], found[1].path, f"{server.name}: {why}")

    def _command_came_back(self, server: Server, message: CommandServer, why: str) -> None:
        """The server goes on working; a stop is tried again when it is heard of."""
        server.leaving = False
        self._core.fleet.tell(server, stopping=server.stopping)
        server.liveness, server.why = LivenessState.SUSPECT, why
        self._core.say("warning", f"server_{message.order} did not reach {server.name}: {why}")
        self._core.server_changed(server)
        self._core.put_seen(server)

    def ask_anew(self, server: Server, why: str) -> None:
        """Let a server register again: something may not have reached it (DESIGN §5)."""
        server.reported = False
        self._unreported_until = self._core.now + self._core.config.broker.server_lost_s
        self._core.send(server.identity, RegisterAnew(why=why))
