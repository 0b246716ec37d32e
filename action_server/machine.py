"""The action server's machine: what it is told, in one place, and who takes it.

`handle(now, *events)` returns effects, `wake_at()` the next deadline (DESIGN §6). Nothing else
changes the state, which is kept by its parts:

* `contact`: the registration with the broker, epochs, heartbeats
* `attempts`: what was given to this server, from its dispatch to the answer to its result
* `live`: what is told of attempts while they run
* `slots`: the worker processes, and what runs in each
* `mdsip`: what is told of mdsip servers
* `environment`: the workers, opened and closed on demand
* `facts`: what it tells of itself and of its host
* `until`: when it has served what it was started for
* `ending`: the end of the server

Sockets and timers are `server`'s business, processes and pipes are `workers`'.
"""

from collections.abc import Callable, Iterator
from math import inf
from typing import Final, TypeVar, cast

from shotline.action_server.attempts import Attempts
from shotline.action_server.contact import Contact
from shotline.action_server.ending import Ending
from shotline.action_server.environment import Environment
from shotline.action_server.events import (
    Connected,
    Effect,
    Event,
    FreeUrl,
    GroupGone,
    Measure,
    Measured,
    Outlet,
    SendFailed,
    StoodStill,
    Stop,
    TaskEnded,
    TaskOutput,
    TaskProgress,
    TaskProven,
    WorkerExited,
    WorkerReady,
)
from shotline.action_server.live import Live
from shotline.action_server.mdsip import UrlNews
from shotline.action_server.slots import Slots, SlotState
from shotline.action_server.telling.facts import Facts
from shotline.action_server.until import Term, Until
from shotline.common.fleet.facts import ServerFacts
from shotline.common.machine import Instant, Tick
from shotline.common.messages import (
    AbortAttempt,
    Answered,
    Bound,
    ClearBinding,
    CommandBeats,
    CommandServer,
    CommandWorkers,
    Dispatch,
    EndedBy,
    OutputStored,
    Pong,
    Probe,
    ProbeAnswer,
    Problem,
    Register,
    RegisterAnew,
    Registered,
    RegistrationRefused,
    ServerBeat,
    ServerOrder,
)
from shotline.common.metrics import Metric, counter, gauge
from shotline.common.settings.sections.action_server import ActionServerSection
from shotline.common.settings.sections.broker import BrokerSection

_TROUBLE_MAX: Final = 512
_NO_FACTS: Final = ServerFacts()
_E = TypeVar("_E")


class ActionServer:
    """The machine. `begin` starts it; it ends with an Exit effect."""

    def __init__(
        self,
        identity: Register,
        section: ActionServerSection,
        broker: BrokerSection,
        facts: ServerFacts = _NO_FACTS,
        term: Term | None = None,
    ) -> None:
        self._on_return = section.on_return
        self._server_lost_s = broker.server_lost_s
        self._out = out = Outlet()
        self._contact = Contact(identity, broker)
        self._slots = Slots(identity.slots, section, out)
        self._until = Until(term or Term())
        self._attempts = Attempts(section, out, self._slots, identity.url, self._until)
        self._reports = self._attempts.reports
        self._live = Live(section, out, self._slots, self._attempts)
        self._urls = UrlNews()
        self._ending = Ending(out, self._contact, self._slots, self._reports)
        self._facts = Facts(facts)
        self._environment = Environment(out, self._slots, self._attempts)
        self._handlers = self._make_handlers()

    def begin(self, now: Instant) -> list[Effect]:
        """Start the workers. The first registration waits for a connection, but not for ever."""
        for slot in self._slots:
            self._slots.start(now, slot)
        self._contact.register_later(now)
        return self._finish(now)

    def handle(self, now: Instant, *events: Event) -> list[Effect]:
        """Take what came at once, in this order, and return what is to be done."""
        for event in events:
            handler = self._handlers.get(type(event))
            if handler is None:
                raise TypeError(f"no event of an action server: {type(event).__name__}")
            if not self._ending.has_exited:
                handler(now, event)
        return self._finish(now)

    def wake_at(self) -> float | None:
        """Return the monotonic time at which a Tick is needed, None for never."""
        if self._ending.has_exited:
            return None
        is_registered = self._contact.is_registered
        due = min(
            self._contact.wake_at(),
            self._ending.deliver_by,
            self._slots.wake_at(is_registered=is_registered),
            inf if self._ending.is_begun else self._until.wake_at(),
        )
        if is_registered:
            due = min(due, self._reports.wake_at(), self._urls.due, self._attempts.report_at)
        return None if due == inf else due

    @property
    def is_registered(self) -> bool:
        """Whether the broker has accepted the current registration."""
        return self._contact.is_registered

    @property
    def busy(self) -> int:
        """How many slots run or end a task."""
        return len(self._attempts.running)

    @property
    def stuck(self) -> int:
        """How many slots wait for a process that cannot be ended."""
        return self._slots.stuck

    @property
    def unanswered(self) -> int:
        """How many results wait for the dispatcher."""
        return len(self._reports)

    @property
    def is_full(self) -> bool:
        """Whether no work is taken."""
        return self._attempts.is_full

    def metrics(self) -> Iterator[Metric]:
        """Yield what it has counted, and how long its queues are."""
        reports = self._reports
        round_trip_s = self._contact.round_trip_s
        for name, words, value in (
            ("registered", "Whether the broker has accepted it.", self.is_registered),
            ("slots", "Actions that may run at a time.", len(self._slots)),
            ("busy_slots", "Slots that run or end a task.", self.busy),
            ("stuck_slots", "Slots whose process cannot be ended.", self.stuck),
            ("queued_attempts", "Attempts that wait for a slot.", self._attempts.queued),
            ("unanswered_results", "Results that are not stored yet.", self.unanswered),
            ("held_output_bytes", "Output of results not stored yet.", reports.held_bytes),
            ("full", "Whether no work is taken.", self.is_full),
            ("round_trip_seconds", "Of the last heartbeat.", round_trip_s or 0.0),
        ):
            yield gauge(f"action_server_{name}", words, value)
        for name, words, count in (
            ("results", "Attempts that have ended here.", reports.added),
            ("unsuccessful", "Of them those that did not succeed.", reports.failed),
            ("cpu_seconds", "Processor time of what they ran.", self._facts.cpu_time_s),
        ):
            yield counter(f"action_server_{name}", words, count)

    def _on_connected(self, now: Instant, _event: Connected) -> None:
        self._contact.register_soon(now)

    def _on_send_failed(self, now: Instant, _event: SendFailed) -> None:
        self._contact.register_later(now)

    def _on_stood_still(self, now: Instant, event: StoodStill) -> None:
        """Start nothing that was sent before: whoever waited for it may have given it up (I1)."""
        if self._contact.may_be_lost(event.for_s):
            words = "what it was sent before and has not started does not start any more"
            self._out.log("warning", f"stood still for {event.for_s:.0f} s: {words}")
            self._attempts.let_go()
            self._contact.register_soon(now)

    def _on_registered(self, now: Instant, event: Registered) -> None:
        contact = self._contact
        silent_s = now.mono - contact.heard_at
        was_lost = contact.is_same_broker(event) and silent_s >= self._server_lost_s
        if not contact.accepted(now, event):
            return
        if was_lost and self._on_return == "end":
            reason = f"its server was out of contact for {silent_s:.0f} s"
            self._attempts.end_all(now, EndedBy.SERVER_ENDED, reason)
        self._facts.tell_again()
        self._reports.send_all_again()
        self._urls.tell_all(now.mono)
        self._live.tell_again()

    def _on_refused(self, now: Instant, event: RegistrationRefused) -> None:
        if not event.fatal:
            self._out.log("warning", f"the broker does not register this server: {event.text}")
            self._contact.register_later(now)
            return
        self._out.log("error", f"the broker refuses this server: {event.text}")
        self._contact.give_up()
        self._ending.refuse()
        self._close(now, ServerOrder.QUIT, f"the broker refuses this server: {event.text}")

    def _on_register_anew(self, now: Instant, event: RegisterAnew) -> None:
        self._out.log("info", f"registers anew: {event.why}")
        self._contact.register_anew(now)

    def _on_probe(self, _now: Instant, _event: Probe) -> None:
        self._out.send(ProbeAnswer())

    def _on_pong(self, now: Instant, event: Pong) -> None:
        self._contact.heard(now, event)

    def _on_problem(self, _now: Instant, event: Problem) -> None:
        self._out.log("warning", f"told by a peer: {event.text}")

    def _on_dispatch(self, now: Instant, event: Dispatch) -> None:
        contact = self._contact
        if contact.is_stale(event.term) or not contact.takes(event):
            return
        if event.number <= contact.last_number:
            return
        if event.number > contact.last_number + 1:
            self._out.log(
                "warning",
                f"dispatch {event.number} came after {contact.last_number}: registers anew",
            )
            contact.register_soon(now)
            return
        contact.last_number = event.number
        was_full = self._attempts.is_full
        self._attempts.take(now, event, is_ending=self._ending.is_begun)
        if self._attempts.is_full and not was_full:
            self._out.send(self._beat(now))  # before a slot is free again

    def _on_abort(self, now: Instant, event: AbortAttempt) -> None:
        if not self._contact.is_stale(event.term):
            self._attempts.abort(now, event.attempt, event.reason)

    def _on_answered(self, _now: Instant, event: Answered) -> None:
        self._attempts.answered(event.attempt)

    def _on_output_stored(self, _now: Instant, event: OutputStored) -> None:
        self._live.stored(event.attempt, event.through)

    def _on_command(self, now: Instant, event: CommandServer) -> None:
        if not self._contact.is_stale(event.term):
            self._close(now, event.order, event.reason, EndedBy.ABORT)

    def _on_command_workers(self, now: Instant, event: CommandWorkers) -> None:
        if not self._contact.is_stale(event.term) and not self._ending.is_begun:
            self._environment.take(now, event)
            self._out.send(self._beat(now))  # whether it takes work

    def _on_command_beats(self, now: Instant, event: CommandBeats) -> None:
        if not self._contact.is_stale(event.term):
            self._contact.beat_every(now, event.heartbeat_s)
            self._facts.tell_again()
            self._out.send(self._beat(now))
            self._out.add(Measure())

    def _on_clear_binding(self, _now: Instant, event: ClearBinding) -> None:
        if not self._contact.is_stale(event.term):
            self._out.add(FreeUrl(event.url))

    def _on_stop(self, now: Instant, event: Stop) -> None:
        if self._ending.is_begun:
            self._ending.exit_at_once()
        else:
            self._close(now, event.order, event.reason)

    def _close(
        self,
        now: Instant,
        order: ServerOrder,
        reason: str,
        ended_by: EndedBy = EndedBy.SERVER_ENDED,
    ) -> None:
        """End what runs, give back what is queued, deliver results, then leave (D17)."""
        if not self._ending.begin(order, reason):
            return
        if self._contact.is_registered:
            # Before results and returns free slots here: nothing new is to be sent to them.
            self._out.send(self._beat(now))
        self._attempts.close(now, ended_by, reason)
        self._slots.close(now)

    def _on_worker_ready(self, _now: Instant, event: WorkerReady) -> None:
        slot = self._slots[event.slot]
        slot.cpu_s = event.cpu_s
        self._slots.is_ready(slot, event.pid)

    def _on_output(self, now: Instant, event: TaskOutput) -> None:
        self._live.output(
            now,
            self._slots[event.slot],
            event.stream,
            event.data,
            is_registered=self._contact.is_registered,
        )

    def _on_progress(self, _now: Instant, event: TaskProgress) -> None:
        self._live.progress(self._slots[event.slot], event.fraction, event.text)

    def _on_task_ended(self, now: Instant, event: TaskEnded) -> None:
        slot = self._slots[event.slot]
        self._facts.used(slot, event.how.cpu_s)
        self._attempts.ended(now, slot, event.how)

    def _on_measured(self, _now: Instant, event: Measured) -> None:
        self._facts.measured(event.host, event.health)

    def _on_task_proven(self, now: Instant, event: TaskProven) -> None:
        self._attempts.proven(now, event)

    def _on_bound(self, now: Instant, event: Bound) -> None:
        self._urls.take(now.mono, event)

    def _on_worker_exited(self, now: Instant, event: WorkerExited) -> None:
        slot = self._slots[event.slot]
        if slot.running is not None:
            self._facts.used(slot, event.cpu_s)
        if slot.state is SlotState.RUNNING:
            self._attempts.worker_died(now, slot, event.how)
        else:
            self._slots.exited(now, slot, event.how)

    def _on_group_gone(self, now: Instant, event: GroupGone) -> None:
        slot = self._slots[event.slot]
        if slot.state in (SlotState.ENDING, SlotState.STUCK):
            self._attempts.settle_ended(now, slot, is_unknown=False)
            self._slots.gone(now, slot, is_ending=self._ending.is_begun)

    def _on_tick(self, now: Instant, _event: Tick) -> None:
        is_registered = self._contact.is_registered
        for slot in self._slots:
            if slot.state is SlotState.IDLE:
                continue
            if self._slots.tick(now, slot):
                self._attempts.settle_ended(now, slot, is_unknown=True)
            self._attempts.end_if_late(now, slot)
            if is_registered:
                self._live.tick(now, slot)
        if is_registered:
            for message in (*self._reports.tick(now), *self._urls.pop_due(now.mono)):
                self._out.send(message)
        if self._contact.tick(now):
            self._out.send(self._beat(now))

    def _beat(self, now: Instant) -> ServerBeat:
        return ServerBeat(
            sent_s=now.mono,
            epoch=self._contact.epoch,
            last_number=self._contact.last_number,
            busy=self.busy,
            stuck=self.stuck,
            broken=self._slots.broken,
            trouble=(self._environment.trouble or self._slots.trouble)[:_TROUBLE_MAX],
            unanswered=self.unanswered,
            full=self.is_full or self._ending.is_begun or self._slots.closed,
            round_trip_s=self._contact.round_trip_s,
            facts=self._facts.take(
                done=self._reports.added,
                failed=self._reports.failed,
                heartbeat_s=self._contact.heartbeat_s,
                clock_offset_s=self._contact.clock_offset_s,
            ),
            leaving=self._until.reason,
        )

    def _look_whether_served(self, now: Instant) -> None:
        """Ask to be ended once it has served what it was started for; end where nobody answers."""
        attempts = self._attempts
        if self._until.look(now, attempts.taken, has_work=attempts.has_work):
            self._out.log("info", f"asks to be ended: {self._until.reason}")
            if self._contact.is_registered:
                self._out.send(self._beat(now))
        elif self._until.is_over(now):
            self._close(now, ServerOrder.QUIT, self._until.reason)

    def _finish(self, now: Instant) -> list[Effect]:
        """Do what has become possible, and return all effects."""
        if not self._ending.has_exited:
            if not self._ending.is_begun:
                self._environment.go_on(now)
            self._attempts.start_next(now)
            if self._contact.is_registered:
                self._attempts.report(now)
            elif self._contact.is_registration_due(now):
                ended, holding = self._attempts.have_ended(), self._attempts.holding()
                self._out.send(self._contact.register(now, holding, ended))
            if not self._ending.is_begun:
                self._look_whether_served(now)
            if self._ending.is_begun:
                self._ending.exit_when_done(now)
        return self._out.take()

    def _make_handlers(self) -> dict[type, Callable[[Instant, Event], None]]:
        handlers: dict[type, Callable[[Instant, Event], None]] = {}

        def on(kind: type[_E], handler: Callable[[Instant, _E], None]) -> None:
            handlers[kind] = cast(Callable[[Instant, Event], None], handler)

        on(Connected, self._on_connected)
        on(SendFailed, self._on_send_failed)
        on(StoodStill, self._on_stood_still)
        on(Registered, self._on_registered)
        on(RegistrationRefused, self._on_refused)
        on(RegisterAnew, self._on_register_anew)
        on(Probe, self._on_probe)
        on(Pong, self._on_pong)
        on(Problem, self._on_problem)
        on(Dispatch, self._on_dispatch)
        on(AbortAttempt, self._on_abort)
        on(Answered, self._on_answered)
        on(OutputStored, self._on_output_stored)
        on(CommandServer, self._on_command)
        on(CommandWorkers, self._on_command_workers)
        on(CommandBeats, self._on_command_beats)
        on(ClearBinding, self._on_clear_binding)
        on(Stop, self._on_stop)
        on(WorkerReady, self._on_worker_ready)
        on(TaskOutput, self._on_output)
        on(TaskProgress, self._on_progress)
        on(TaskEnded, self._on_task_ended)
        on(TaskProven, self._on_task_proven)
        on(Measured, self._on_measured)
        on(Bound, self._on_bound)
        on(WorkerExited, self._on_worker_exited)
        on(GroupGone, self._on_group_gone)
        on(Tick, self._on_tick)
        return handlers
