"""The action server's machine: attempts taken, slots, timeouts, aborts, results, its own end.

`handle(now, event)` returns effects, `wake_at()` the next deadline (DESIGN I1, I2, D8, D9, D17).
Nothing else changes the state. Sockets, processes and pipes are `server`'s and `worker`'s.

The life of a slot:

    STARTING ─ ready ─→ IDLE ─ start ─→ RUNNING ─ ended ─→ IDLE
        │                 │                │
        └─ died, or must end: TERM, KILL ──┴─→ ENDING ─ gone ─→ STARTING (or GONE when we end)
                                                 └─ not gone in time ─→ STUCK ─ gone ─→ STARTING
    BROKEN: its worker does not even start; tried again after a while.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, TypeVar, cast

from shotline.action_server.contact import Contact, Identity
from shotline.action_server.events import (
    ClearUrl,
    Connected,
    Effect,
    Event,
    Exit,
    GroupGone,
    GroupSignal,
    Level,
    Log,
    Park,
    Send,
    SendFailed,
    SignalGroup,
    StartTask,
    StartWorker,
    Stop,
    TaskEnded,
    TaskOutput,
    TaskProgress,
    TaskProven,
    Unpark,
    Withdraw,
    WorkerExited,
    WorkerReady,
)
from shotline.action_server.mdsip import UrlNews, url_of
from shotline.action_server.output import OutputLog
from shotline.action_server.reports import Reports
from shotline.action_server.slot import Run, Settings, Slot, SlotState
from shotline.common.actions import AttemptId, Status
from shotline.common.machine import Instant, Tick
from shotline.common.messages import (
    AbortAttempt,
    Answered,
    Bound,
    ClearBinding,
    CommandServer,
    Dispatch,
    EndedBy,
    Finished,
    Goodbye,
    Held,
    HeldAs,
    OutputStored,
    Pong,
    Probe,
    ProbeAnswer,
    Problem,
    Progress,
    RegisterAnew,
    Registered,
    RegistrationRefused,
    Returned,
    ServerBeat,
    ServerOrder,
    Started,
)

EXIT_REFUSED: Final = 69  # EX_UNAVAILABLE: the broker does not want this server
EXIT_AT_ONCE: Final = 75  # EX_TEMPFAIL: a second request to end, results may be undelivered
_E = TypeVar("_E")
_V = TypeVar("_V")


class Slots:
    """The machine. `begin` starts it; it ends with an Exit effect."""

    def __init__(self, identity: Identity, settings: Settings) -> None:
        self._settings = settings
        self._own_url = identity.url
        self._contact = Contact(identity, settings.contact)
        self._slots = [Slot(index) for index in range(identity.slots)]
        self._queue: deque[Dispatch] = deque()
        self._runs: dict[AttemptId, Slot] = {}
        self._reports = Reports(settings.reports)
        # Never started (again) here: when it was started, None: aborted before it was.
        self._seen: dict[AttemptId, float | None] = {}
        self._aborts: dict[AttemptId, str] = {}  # asked for before their attempts came
        self._urls = UrlNews()
        # Settled, and perhaps still running in an mdsip server; the proofs that wait for the
        # answer to the result before.
        self._unproven: dict[AttemptId, None] = {}
        self._proofs: dict[AttemptId, Finished] = {}
        self._closing: ServerOrder | None = None
        self._closing_reason = ""
        self._exit_code = 0
        self._deliver_by: float | None = None
        self._has_exited = False
        self._report_at: float | None = None  # results wait until then for those of other slots
        self._effects: list[Effect] = []
        self._wake_at: float | None = None
        self._is_wake_stale = True
        self._handlers = self._make_handlers()

    # ------------------------------------------------------------------ the outside

    def begin(self, now: Instant) -> list[Effect]:
        """Start the workers. The first registration waits for a connection, but not for ever."""
        for slot in self._slots:
            self._start_worker(now, slot)
        self._contact.register_later(now)
        return self._finish(now)

    def handle(self, now: Instant, event: Event) -> list[Effect]:
        """Take one event and return what is to be done, in this order."""
        handler = self._handlers.get(type(event))
        if handler is None:
            raise TypeError(f"no event of an action server: {type(event).__name__}")
        if not self._has_exited:
            handler(now, event)
        return self._finish(now)

    def wake_at(self) -> float | None:
        """Return the monotonic time at which a Tick is needed, None for never."""
        if self._is_wake_stale:
            self._is_wake_stale = False
            self._wake_at = None if self._has_exited else min(self._deadlines(), default=None)
        return self._wake_at

    @property
    def is_registered(self) -> bool:
        """Whether the broker has accepted the current registration."""
        return self._contact.is_registered

    @property
    def busy(self) -> int:
        """How many slots run or end a task."""
        return len(self._runs)

    @property
    def stuck(self) -> int:
        """How many slots wait for a process that cannot be ended."""
        return sum(slot.state is SlotState.STUCK for slot in self._slots)

    @property
    def unanswered(self) -> int:
        """How many results wait for the dispatcher."""
        return len(self._reports)

    @property
    def is_full(self) -> bool:
        """Whether no work is taken: too many results wait, or no slot can ever run one."""
        return (
            len(self._reports) + len(self._runs) + len(self._queue) >= self._settings.results_max
            or self._held_bytes() >= self._settings.held_bytes_max
            or not self._has_usable_slot()
        )

    def story(self) -> str:
        """Return the whole state in a few words, for the log and failing tests."""
        slots = ", ".join(
            f"{slot.index}:{slot.state.name}" + (f"({slot.run.attempt})" if slot.run else "")
            for slot in self._slots
        )
        return (
            f"epoch {self._contact.epoch} registered {self._contact.is_registered} number "
            f"{self._contact.last_number} slots [{slots}] queued {len(self._queue)} unanswered "
            f"{len(self._reports)}"
        )

    # ------------------------------------------------------------------ the link

    def _on_connected(self, now: Instant, _event: Connected) -> None:
        self._contact.register_soon(now)

    def _on_send_failed(self, now: Instant, _event: SendFailed) -> None:
        self._contact.register_later(now)

    def _on_registered(self, now: Instant, event: Registered) -> None:
        contact = self._contact
        silent_s = now.mono - contact.heard_at
        was_lost = contact.is_same_broker(event) and silent_s >= self._settings.server_lost_s
        if not contact.accepted(now, event):
            return
        if was_lost and self._settings.on_return == "end":
            for slot in list(self._runs.values()):
                self._end_run(
                    now, slot, EndedBy.ABORT, f"its server was out of contact for {silent_s:.0f} s"
                )
        self._reports.send_all_again()
        self._urls.tell_all(now.mono)
        for slot in self._runs.values():
            if slot.run is not None:
                self._effects += map(Send, slot.run.log.unstored())
                slot.run.is_start_sent = False

    def _on_refused(self, now: Instant, event: RegistrationRefused) -> None:
        if not event.fatal:
            self._log(Level.WARNING, f"the broker does not register this server: {event.text}")
            self._contact.register_later(now)
            return
        self._log(Level.ERROR, f"the broker refuses this server: {event.text}")
        self._contact.give_up()
        self._exit_code = EXIT_REFUSED
        self._close(now, ServerOrder.QUIT, f"the broker refuses this server: {event.text}")

    def _on_register_anew(self, now: Instant, event: RegisterAnew) -> None:
        self._log(Level.INFO, f"registers anew: {event.why}")
        self._contact.register_anew(now)

    def _on_probe(self, _now: Instant, _event: Probe) -> None:
        self._effects.append(Send(ProbeAnswer()))

    def _on_pong(self, now: Instant, event: Pong) -> None:
        self._contact.heard(now, event)

    def _on_problem(self, _now: Instant, event: Problem) -> None:
        self._log(Level.WARNING, f"told by a peer: {event.text}")

    # ------------------------------------------------------------------ work

    def _on_dispatch(self, now: Instant, event: Dispatch) -> None:
        contact = self._contact
        if contact.is_stale(event.term) or not contact.takes(event):
            return
        if event.number <= contact.last_number:
            return
        if event.number > contact.last_number + 1:
            self._log(
                Level.WARNING,
                f"dispatch {event.number} came after {contact.last_number}: registers anew",
            )
            contact.register_soon(now)
            return
        contact.last_number = event.number
        self._take(now, event)

    def _take(self, now: Instant, event: Dispatch) -> None:
        attempt = event.attempt
        if attempt in self._aborts:
            self._finish_unstarted(now, attempt, self._aborts.pop(attempt))
        elif self._holds(attempt):
            return  # what became of it is reported anyway
        elif attempt in self._seen:
            self._refuse_second_start(now, attempt)
        elif self._closing is not None:
            self._return(attempt, "the server is ending")
        elif self.is_full:
            self._return(
                attempt,
                "full: too many results wait to be stored"
                if self._has_usable_slot()
                else "none of the server's worker processes can be used",
            )
        else:
            self._queue.append(event)

    def _refuse_second_start(self, now: Instant, attempt: AttemptId) -> None:
        """Answer a dispatch of what was answered and forgotten before (I1)."""
        started_at = self._seen[attempt]
        if started_at is None:
            self._finish_unstarted(now, attempt, "it was aborted before")
            return
        reason = "this server has started it before and does not start it again; it may have run"
        self._log(Level.ERROR, f"{attempt}: {reason}")
        finished = Finished(
            attempt=attempt,
            ended_by=EndedBy.ABORT,
            reason=reason,
            started_at=started_at,
            ended_at=now.wall,
            outcome_unknown=True,
        )
        self._reports.add(finished, None)

    def _on_abort(self, now: Instant, event: AbortAttempt) -> None:
        if self._contact.is_stale(event.term):
            return
        attempt = event.attempt
        slot = self._runs.get(attempt)
        if slot is not None:
            self._end_run(now, slot, EndedBy.ABORT, event.reason)
            return
        for queued in self._queue:
            if queued.attempt == attempt:
                self._queue.remove(queued)
                self._finish_unstarted(now, attempt, event.reason)
                return
        if attempt not in self._reports and attempt not in self._seen:
            _remember(self._aborts, attempt, event.reason, self._settings.aborts_max)

    def _on_answered(self, _now: Instant, event: Answered) -> None:
        self._reports.answered(event.attempt)
        proof = self._proofs.pop(event.attempt, None)
        if proof is not None:
            self._reports.add(proof, None)

    def _on_output_stored(self, _now: Instant, event: OutputStored) -> None:
        slot = self._runs.get(event.attempt)
        if slot is None or slot.run is None:
            self._reports.stored(event.attempt, event.through)
            return
        slot.run.log.stored(event.through)
        if slot.is_parked and slot.run.log.is_under_half_window:
            self._unpark(slot)

    def _on_command(self, now: Instant, event: CommandServer) -> None:
        if not self._contact.is_stale(event.term):
            self._close(now, event.order, event.reason)

    def _on_clear_binding(self, _now: Instant, event: ClearBinding) -> None:
        if not self._contact.is_stale(event.term):
            self._effects.append(ClearUrl(event.url))

    def _on_stop(self, now: Instant, event: Stop) -> None:
        if self._closing is not None:
            self._exit(EXIT_AT_ONCE, "asked to end a second time")
        else:
            self._close(now, event.order, event.reason)

    # ------------------------------------------------------------------ workers and tasks

    def _on_worker_ready(self, _now: Instant, event: WorkerReady) -> None:
        slot = self._slots[event.slot]
        if slot.state is SlotState.STARTING:
            slot.state = SlotState.IDLE
            slot.ready_by = None
            slot.pid = event.pid

    def _on_output(self, now: Instant, event: TaskOutput) -> None:
        slot = self._slots[event.slot]
        run = slot.run
        if run is None:
            return
        report = run.log.feed(now.wall, event.stream, event.data)
        if report is not None:
            run.progress = report
        if run.log.has_gathered and run.flush_at is None:
            run.flush_at = now.mono + self._settings.output_hold_s
        if run.log.is_batch_ready:
            self._flush(run)
        if run.log.is_over_window and not slot.is_parked and slot.state is SlotState.RUNNING:
            slot.is_parked = True
            self._effects.append(Park(slot.index))

    def _on_progress(self, _now: Instant, event: TaskProgress) -> None:
        run = self._slots[event.slot].run
        if run is not None:
            run.progress = (event.fraction, event.text)

    def _on_task_ended(self, now: Instant, event: TaskEnded) -> None:
        slot = self._slots[event.slot]
        run = slot.run
        if run is None:
            return
        for note in event.notes:
            run.log.note(now.wall, note)
        if slot.state is not SlotState.RUNNING:
            # It was told to end already; what it returned on the way out is no result of its own.
            slot.reason += f" (it returned {event.status} meanwhile: {event.text})"
            return
        slot.run = None
        del self._runs[run.attempt]
        self._unpark(slot)
        slot.state = SlotState.IDLE
        if event.spent:
            self._end_worker(now, slot)
        self._start_next(now)
        if event.url_busy:
            self._settle(now, run, EndedBy.NO_SERVER, None, event.text, is_started=False)
        elif event.connection_lost:
            self._settle(now, run, EndedBy.CONNECTION_LOST, None, event.text, is_unknown=True)
        else:
            self._settle(now, run, EndedBy.RESULT, event.status, event.text, code=event.code)

    def _on_task_proven(self, now: Instant, event: TaskProven) -> None:
        """Take the keeper's word that nothing of an attempt runs in its mdsip server."""
        attempt = event.attempt
        slot = self._runs.get(attempt)
        if slot is not None and slot.run is not None:
            slot.run.is_over_there = True
            if slot.state is not SlotState.RUNNING and event.text:
                slot.reason += f" (on the mdsip server meanwhile: {event.text})"
        elif attempt in self._unproven:
            del self._unproven[attempt]
            proof = Finished(
                attempt=attempt,
                ended_by=EndedBy.RESULT,
                status=event.status,
                code=event.code,
                reason=event.text[:4096],
                ended_at=now.wall,
                late=True,
            )
            if attempt in self._reports:
                self._proofs[attempt] = proof
            else:
                self._reports.add(proof, None)

    def _on_bound(self, now: Instant, event: Bound) -> None:
        self._urls.take(now.mono, event)

    def _on_worker_exited(self, now: Instant, event: WorkerExited) -> None:
        slot = self._slots[event.slot]
        if slot.state is SlotState.RUNNING:
            how = f"its worker process {event.how}"
            if slot.run is not None and _is_due(now, slot.run.timeout_at):
                # MDSplus has time limits of its own, which end the process of the task.
                self._end_at_limit(now, slot, slot.run, f"; {how}")
            else:
                self._end_run(now, slot, EndedBy.WORKER_DIED, how)
        elif slot.state is SlotState.STARTING:
            self._log(Level.ERROR, f"worker process {event.slot} does not start: it {event.how}")
            slot.retry_at = now.mono + self._settings.worker_retry_s
            self._end_worker(now, slot)
        elif slot.state is SlotState.IDLE:
            self._log(Level.WARNING, f"worker process {event.slot} {event.how} while idle")
            self._end_worker(now, slot)

    def _on_group_gone(self, now: Instant, event: GroupGone) -> None:
        slot = self._slots[event.slot]
        if slot.state not in (SlotState.ENDING, SlotState.STUCK):
            return
        slot.kill_at = slot.give_up_at = None
        if slot.run is not None:
            self._settle_ended(now, slot, is_unknown=False)
        self._unpark(slot)
        if slot.state is SlotState.STUCK:
            self._log(Level.INFO, f"the stuck process of slot {slot.index} is gone")
        if self._closing is not None:
            slot.state = SlotState.GONE
        elif slot.retry_at is not None:
            slot.state = SlotState.BROKEN
        else:
            self._start_worker(now, slot)

    # ------------------------------------------------------------------ time

    def _on_tick(self, now: Instant, _event: Tick) -> None:
        for slot in self._slots:
            self._tick_slot(now, slot)
        if self._contact.is_registered:
            self._effects += map(Send, self._reports.tick(now))
            self._effects += map(Send, self._urls.pop_due(now.mono))
        if self._contact.tick(now):
            self._effects.append(Send(self._beat(now)))

    def _tick_slot(self, now: Instant, slot: Slot) -> None:
        if _is_due(now, slot.kill_at):
            slot.kill_at = None
            slot.give_up_at = now.mono + self._settings.kill_wait_s
            self._effects.append(SignalGroup(slot.index, GroupSignal.KILL))
        if _is_due(now, slot.give_up_at):
            slot.give_up_at = None
            slot.state = SlotState.STUCK
            self._log(
                Level.ERROR,
                f"process group {slot.pid} of slot {slot.index} is not gone "
                f"{self._settings.kill_wait_s:g} s after KILL; the slot stays taken until it is",
            )
            if slot.run is not None:
                self._settle_ended(now, slot, is_unknown=True)
        if slot.state is SlotState.BROKEN and _is_due(now, slot.retry_at):
            self._start_worker(now, slot)
        if _is_due(now, slot.ready_by):
            self._log(Level.ERROR, f"worker process {slot.index} is not ready in time")
            slot.retry_at = now.mono
            self._end_worker(now, slot)
        run = slot.run
        if run is None:
            return
        if _is_due(now, run.timeout_at) and slot.state is SlotState.RUNNING:
            self._end_at_limit(now, slot, run)
        self._flush_due(now, run)

    def _end_at_limit(self, now: Instant, slot: Slot, run: Run, how: str = "") -> None:
        limit_s = (run.timeout_at or 0.0) - run.started.mono
        reason = f"ended at its time limit of {_seconds(limit_s)} s{how}"
        self._end_run(now, slot, EndedBy.TIMEOUT, reason)

    def _deadlines(self) -> Iterator[float]:
        registered = self._contact.is_registered
        candidates: list[float | None] = [self._contact.wake_at(), self._deliver_by]
        if registered:
            candidates += (self._reports.wake_at(), self._urls.due, self._report_at)
        for slot in self._slots:
            if slot.state is SlotState.IDLE:
                continue
            run = slot.run
            if slot.state is not SlotState.RUNNING:
                candidates += slot.deadlines()
            elif run is not None:
                candidates.append(run.timeout_at)
            if registered and run is not None:
                candidates.append(run.flush_at)
                if not run.is_start_sent:
                    candidates.append(run.started.mono + self._settings.fold_s)
                if run.progress is not None:
                    candidates.append(run.progress_at)
        return (deadline for deadline in candidates if deadline is not None)

    def _finish(self, now: Instant) -> list[Effect]:
        """Do what has become possible, and return all effects."""
        if not self._has_exited:
            self._start_next(now)
            if self._contact.is_registration_due(now):
                self._effects.append(Send(self._contact.register(now, self._holding())))
            if self._contact.is_registered and self._is_time_to_report(now):
                self._report_at = None
                self._effects += map(Send, self._reports.pump(now))
            if self._closing is not None:
                self._exit_when_done(now)
        self._is_wake_stale = True
        effects, self._effects = self._effects, []
        return effects

    def _is_time_to_report(self, now: Instant) -> bool:
        """Return False for a moment while short tasks run side by side: they report together."""
        if self._report_at is None or now.mono >= self._report_at:
            return True
        ended = self._report_at - self._settings.report_hold_s
        short = ended - self._settings.fold_s
        return not any(
            slot.run is not None and short < slot.run.started.mono < ended for slot in self._slots
        )

    # ------------------------------------------------------------------ steps

    def _start_worker(self, now: Instant, slot: Slot) -> None:
        slot.state = SlotState.STARTING
        slot.retry_at = None
        slot.ready_by = now.mono + self._settings.worker_start_s
        self._effects.append(StartWorker(slot.index))

    def _start_next(self, now: Instant) -> None:
        if not self._queue:
            return
        for slot in self._slots:
            if slot.state is SlotState.IDLE and self._queue:
                self._start(now, slot, self._queue.popleft())
        if self._queue and not self._has_usable_slot():
            while self._queue:
                attempt = self._queue.popleft().attempt
                self._return(attempt, "none of the server's worker processes can be used")

    def _start(self, now: Instant, slot: Slot, dispatch: Dispatch) -> None:
        attempt = dispatch.attempt
        assert attempt not in self._seen, f"{attempt} would start twice (I1)"
        _remember(self._seen, attempt, now.wall, self._settings.seen_max)
        timeout_s = dispatch.timeout_s
        if timeout_s is None:
            timeout_s = self._settings.task_timeout_s
        slot.state = SlotState.RUNNING
        slot.run = Run(
            dispatch,
            OutputLog(attempt, self._settings.output),
            now,
            None if timeout_s is None else now.mono + timeout_s,
            url_of(dispatch, self._own_url),
        )
        self._runs[attempt] = slot
        self._effects.append(StartTask(slot.index, dispatch, slot.run.url))

    def _end_run(self, now: Instant, slot: Slot, ended_by: EndedBy, reason: str) -> None:
        """End a running attempt's process group; it settles when that is gone (D8, D9)."""
        if slot.state is not SlotState.RUNNING:
            return
        slot.ended_by, slot.reason = ended_by, reason
        self._unpark(slot)
        self._end_worker(now, slot)

    def _end_worker(self, now: Instant, slot: Slot) -> None:
        slot.state = SlotState.ENDING
        slot.ready_by = None
        slot.kill_at = now.mono + self._settings.kill_grace_s
        self._effects.append(SignalGroup(slot.index, GroupSignal.TERM))

    def _settle_ended(self, now: Instant, slot: Slot, *, is_unknown: bool) -> None:
        run = slot.run
        assert run is not None, "nothing to settle"
        slot.run = None
        del self._runs[run.attempt]
        status = None if slot.ended_by is EndedBy.ABORT else Status.FAILURE
        reason = slot.reason
        if is_unknown:
            reason += f"; its process {slot.pid} could not be ended and may still be at work"
        if run.url is not None and not run.is_over_there:
            # What we have ended is only the process that waited for it.
            is_unknown = True
            reason += f"; the mdsip server at {run.url} may still be at work on it"
            _remember(self._unproven, run.attempt, None, self._settings.seen_max)
            self._effects.append(Withdraw(run.url, run.attempt))
        self._settle(now, run, slot.ended_by, status, reason, is_unknown=is_unknown)

    def _settle(
        self,
        now: Instant,
        run: Run,
        ended_by: EndedBy,
        status: Status | None,
        reason: str,
        *,
        code: int | None = None,
        is_unknown: bool = False,
        is_started: bool = True,
    ) -> None:
        run.log.close(now.wall)
        finished = Finished(
            attempt=run.attempt,
            ended_by=ended_by,
            status=status,
            code=code,
            reason=reason[:4096],
            started_at=run.started.wall if is_started else None,
            ended_at=now.wall,
            duration_s=max(0.0, now.mono - run.started.mono) if is_started else None,
            outcome_unknown=is_unknown,
            lines=run.log.lines,
        )
        self._reports.add(finished, run.log)
        if self._report_at is None:
            self._report_at = now.mono + self._settings.report_hold_s

    def _finish_unstarted(self, now: Instant, attempt: AttemptId, reason: str) -> None:
        _remember(self._seen, attempt, None, self._settings.seen_max)
        finished = Finished(
            attempt=attempt, ended_by=EndedBy.ABORT, reason=reason[:4096], ended_at=now.wall
        )
        self._reports.add(finished, None)

    def _return(self, attempt: AttemptId, why: str) -> None:
        self._effects.append(Send(Returned(attempt=attempt, why=why)))

    def _unpark(self, slot: Slot) -> None:
        if slot.is_parked:
            slot.is_parked = False
            self._effects.append(Unpark(slot.index))

    def _flush(self, run: Run) -> None:
        """Send what is gathered of a running attempt's output, its start first."""
        if not self._contact.is_registered:
            return
        if not run.is_start_sent:
            run.is_start_sent = True
            slot = self._runs[run.attempt]
            self._effects.append(
                Send(Started(attempt=run.attempt, started_at=run.started.wall, pid=slot.pid))
            )
        run.flush_at = None
        self._effects += map(Send, run.log.take())

    def _flush_due(self, now: Instant, run: Run) -> None:
        if not self._contact.is_registered or run.attempt not in self._runs:
            return
        is_start_due = now.mono >= run.started.mono + self._settings.fold_s
        if _is_due(now, run.flush_at) or (is_start_due and not run.is_start_sent):
            self._flush(run)
        if run.progress is not None and now.mono >= run.progress_at:
            fraction, text = run.progress
            run.progress, run.progress_at = None, now.mono + self._settings.progress_s
            self._effects.append(
                Send(Progress(attempt=run.attempt, fraction=fraction, text=text[:512]))
            )

    # ------------------------------------------------------------------ the end of the server

    def _close(self, now: Instant, order: ServerOrder, reason: str) -> None:
        """End what runs, give back what is queued, deliver results, then leave (D17)."""
        if self._closing is not None:
            return
        self._closing, self._closing_reason = order, reason
        if self._contact.is_registered:
            # Before results and returns free slots here: nothing new is to be sent to them.
            self._effects.append(Send(self._beat(now)))
        while self._queue:
            self._return(self._queue.popleft().attempt, f"the server is ending: {reason}")
        for slot in self._slots:
            if slot.state is SlotState.RUNNING:
                self._end_run(now, slot, EndedBy.ABORT, reason)
            elif slot.state in (SlotState.IDLE, SlotState.STARTING):
                self._end_worker(now, slot)
            elif slot.state is SlotState.BROKEN:
                slot.state, slot.retry_at = SlotState.GONE, None

    def _exit_when_done(self, now: Instant) -> None:
        if any(slot.state not in (SlotState.GONE, SlotState.STUCK) for slot in self._slots):
            return
        if len(self._reports):
            if self._deliver_by is None:
                can_deliver = self._exit_code != EXIT_REFUSED
                self._deliver_by = now.mono + (self._settings.deliver_s if can_deliver else 0.0)
            if now.mono < self._deliver_by:
                return
            self._log(
                Level.ERROR,
                f"{len(self._reports)} results were not answered and are lost with this process: "
                + ", ".join(str(finished.attempt) for finished in self._reports.all()[:10]),
            )
        self._exit(self._exit_code, self._closing_reason)

    def _exit(self, code: int, reason: str) -> None:
        if self._contact.is_registered:
            self._effects.append(Send(Goodbye(why=reason[:1000])))
        self._has_exited = True
        is_restart = self._closing is ServerOrder.RESTART and code == 0
        self._effects.append(Exit(is_restart, code, reason))

    # ------------------------------------------------------------------ questions

    def _holds(self, attempt: AttemptId) -> bool:
        return (
            attempt in self._runs
            or attempt in self._reports
            or any(queued.attempt == attempt for queued in self._queue)
        )

    def _holding(self) -> list[Held]:
        queued = [Held(attempt=dispatch.attempt, held_as=HeldAs.QUEUED) for dispatch in self._queue]
        running = [
            Held(attempt=attempt, held_as=HeldAs.RUNNING, started_at=slot.run.started.wall)
            for attempt, slot in self._runs.items()
            if slot.run is not None
        ]
        finished = [
            Held(attempt=result.attempt, held_as=HeldAs.FINISHED, started_at=result.started_at)
            for result in self._reports.all()
        ]
        return [*queued, *running, *finished]

    def _has_usable_slot(self) -> bool:
        unusable = (SlotState.STUCK, SlotState.BROKEN, SlotState.GONE)
        return any(slot.state not in unusable for slot in self._slots)

    def _held_bytes(self) -> int:
        running = sum(slot.run.log.held_bytes for slot in self._runs.values() if slot.run)
        return running + self._reports.held_bytes

    def _beat(self, now: Instant) -> ServerBeat:
        return ServerBeat(
            sent_s=now.mono,
            epoch=self._contact.epoch,
            last_number=self._contact.last_number,
            busy=self.busy,
            stuck=self.stuck,
            unanswered=self.unanswered,
            full=self.is_full or self._closing is not None,
            round_trip_s=self._contact.round_trip_s,
        )

    def _log(self, level: Level, text: str) -> None:
        self._effects.append(Log(level, text))

    def _make_handlers(self) -> dict[type, Callable[[Instant, Event], None]]:
        handlers: dict[type, Callable[[Instant, Event], None]] = {}

        def on(kind: type[_E], handler: Callable[[Instant, _E], None]) -> None:
            handlers[kind] = cast(Callable[[Instant, Event], None], handler)

        on(Connected, self._on_connected)
        on(SendFailed, self._on_send_failed)
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
        on(ClearBinding, self._on_clear_binding)
        on(Stop, self._on_stop)
        on(WorkerReady, self._on_worker_ready)
        on(TaskOutput, self._on_output)
        on(TaskProgress, self._on_progress)
        on(TaskEnded, self._on_task_ended)
        on(TaskProven, self._on_task_proven)
        on(Bound, self._on_bound)
        on(WorkerExited, self._on_worker_exited)
        on(GroupGone, self._on_group_gone)
        on(Tick, self._on_tick)
        return handlers


def _is_due(now: Instant, deadline: float | None) -> bool:
    return deadline is not None and now.mono >= deadline


def _seconds(duration_s: float) -> str:
    return f"{duration_s:g}"


def _remember(memory: dict[AttemptId, _V], attempt: AttemptId, value: _V, most: int) -> None:
    """Keep a value, and forget the oldest when there are too many (I8)."""
    memory[attempt] = value
    if len(memory) > most:
        del memory[next(iter(memory))]
