"""What this server was given: attempts taken, queued, started once, ended, and reported. Pure.

An attempt is queued, then runs in a slot, then is a result in `reports` until the dispatcher has
answered it (I1, I2, D8, D9). What a slot's worker process goes through meanwhile is `slots`'s,
what is told of an attempt while it runs is `live`'s business.
"""

from itertools import islice
from math import inf
from typing import Final, TypeVar

from shotline.action_server.events import (
    Outlet,
    StartTask,
    TaskProven,
    WithdrawAttempt,
)
from shotline.action_server.mdsip import url_of_dispatch
from shotline.action_server.output import OutputLog
from shotline.action_server.reports import Reports
from shotline.action_server.slots import RunningAttempt, Slot, Slots, SlotState
from shotline.action_server.task.channel import Ended
from shotline.action_server.until import Until
from shotline.common.actions import AttemptId, Status
from shotline.common.machine import Instant
from shotline.common.messages import Dispatch, EndedBy, Finished, Held, HeldAs, Returned
from shotline.common.settings.sections.action_server import ActionServerSection

_SEEN_MAX: Final = 10_000  # attempts whose start is remembered
_ANSWERED_TOLD_MAX: Final = 256  # of these are told at a registration
_ABORTS_MAX: Final = 1000  # of attempts that have not come yet
_REPORT_HOLD_S: Final = 0.001  # a result waits so long for those of other short tasks
_REASON_MAX: Final = 4096
_V = TypeVar("_V")


class Attempts:
    """All attempts that this server knows of."""

    def __init__(
        self,
        section: ActionServerSection,
        out: Outlet,
        slots: Slots,
        own_url: str | None,
        until: Until,
    ) -> None:
        self.running: dict[AttemptId, RunningAttempt] = {}
        self.reports = Reports()
        self._section = section
        self._out = out
        self._slots = slots
        self._own_url = own_url
        self._queue: dict[AttemptId, Dispatch] = {}
        # Never started (again) here: when it was started, None: aborted before it was.
        self._seen: dict[AttemptId, float | None] = {}
        self._aborts: dict[AttemptId, str] = {}  # asked for before their attempts came
        # Settled, and perhaps still running in an mdsip server; the proofs that wait for the
        # answer to the result before.
        self._unproven: dict[AttemptId, None] = {}
        self._proofs: dict[AttemptId, Finished] = {}
        self.report_at = inf  # results wait until then for those of other slots
        self.until = until

    @property
    def queued(self) -> int:
        """How many wait for a slot."""
        return len(self._queue)

    @property
    def has_work(self) -> bool:
        """Whether anything was given to it that is not answered yet."""
        return bool(self.running or self._queue or len(self.reports))

    @property
    def taken(self) -> int:
        """How many attempts it has taken in all."""
        return self.reports.added + len(self.running) + len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether no work is taken: too many results wait, or no slot can ever run one (I2), or it
        has taken what it was started for.
        """
        return (
            len(self.reports) + len(self.running) + len(self._queue) >= self._section.results_max
            or self._held_bytes() >= self._section.held_bytes_max
            or not self._slots.is_any_usable
            or not self.until.left(self.taken)
        )

    def take(self, now: Instant, dispatch: Dispatch, *, is_ending: bool) -> None:
        """Take a dispatch, or say why it comes back."""
        attempt = dispatch.attempt
        if attempt in self._aborts:
            self._finish_unstarted(now, attempt, self._aborts.pop(attempt))
        elif self._holds(attempt):
            return  # what became of it is reported anyway
        elif attempt in self._seen:
            self._refuse_second_start(now, attempt)
        elif is_ending:
            self._return(attempt, "the server is ending")
        elif self.is_full:
            self._return(attempt, self._why_full())
        else:
            self._queue[attempt] = dispatch

    def abort(self, now: Instant, attempt: AttemptId, reason: str) -> None:
        """End it, take it out of the queue, or remember it for when it comes (D9)."""
        running = self.running.get(attempt)
        if running is not None:
            self.end(now, running, EndedBy.ABORT, reason)
            return
        if self._queue.pop(attempt, None) is not None:
            self._finish_unstarted(now, attempt, reason)
        elif attempt not in self.reports and attempt not in self._seen:
            _remember(self._aborts, attempt, reason, _ABORTS_MAX)

    def holding(self) -> list[Held]:
        """Return all that the server holds, for a registration (I1)."""
        queued = [Held(attempt=attempt, held_as=HeldAs.QUEUED) for attempt in self._queue]
        running = [
            Held(attempt=attempt, held_as=HeldAs.RUNNING, started_at=running.started.wall)
            for attempt, running in self.running.items()
        ]
        finished = [
            Held(attempt=result.attempt, held_as=HeldAs.FINISHED, started_at=result.started_at)
            for result in self.reports.all()
        ]
        return [*queued, *running, *finished]

    def have_ended(self) -> tuple[AttemptId, ...]:
        """Return the last that were started here and whose end was answered."""
        ended = (
            attempt
            for attempt, started_at in reversed(self._seen.items())
            if started_at is not None and not self._holds(attempt)
        )
        return tuple(islice(ended, _ANSWERED_TOLD_MAX))

    def close(self, now: Instant, ended_by: EndedBy, reason: str) -> None:
        """Give back what waits, and end what runs (D17)."""
        self.give_back(f"the server is ending: {reason}")
        self.end_all(now, ended_by, reason)

    def end_all(self, now: Instant, ended_by: EndedBy, reason: str) -> None:
        """End all that runs."""
        for running in list(self.running.values()):
            self.end(now, running, ended_by, reason)

    def _refuse_second_start(self, now: Instant, attempt: AttemptId) -> None:
        """Answer a dispatch of what was answered and forgotten before (I1)."""
        started_at = self._seen[attempt]
        if started_at is None:
            self._finish_unstarted(now, attempt, "it was aborted before")
            return
        reason = (
            "this server has started it before and does not start it again; how it ended was "
            "told then and is not known any more"
        )
        self._out.log("error", f"{attempt}: {reason}", attempt)
        finished = Finished(
            attempt=attempt,
            ended_by=EndedBy.FORGOTTEN,
            reason=reason,
            started_at=started_at,
            ended_at=now.wall,
            outcome_unknown=True,
        )
        self.reports.add(finished, None)

    def _finish_unstarted(self, now: Instant, attempt: AttemptId, reason: str) -> None:
        _remember(self._seen, attempt, None, _SEEN_MAX)
        finished = Finished(
            attempt=attempt, ended_by=EndedBy.ABORT, reason=reason[:_REASON_MAX], ended_at=now.wall
        )
        self.reports.add(finished, None)

    def _return(self, attempt: AttemptId, why: str) -> None:
        self._out.send(Returned(attempt=attempt, why=why))

    def give_back(self, why: str) -> None:
        """Give back what waits for a slot."""
        for attempt in self._queue:
            self._return(attempt, why)
        self._queue.clear()

    def let_go(self) -> None:
        """Forget what waits for a slot. The next registration, without it, gives it back."""
        self._queue.clear()

    def _why_full(self) -> str:
        if not self._slots.is_any_usable:
            return self._slots.why_unusable
        if not self.until.left(self.taken):
            return "the server has taken what it was started for"
        return "full: too many results wait to be stored"

    def _holds(self, attempt: AttemptId) -> bool:
        return attempt in self.running or attempt in self._queue or attempt in self.reports

    def _held_bytes(self) -> int:
        held = self.reports.held_bytes
        for running in self.running.values():
            if running.log is not None:
                held += running.log.held_bytes
        return held

    def start_next(self, now: Instant) -> None:
        """Start what waits in the slots that are free."""
        if not self._queue:
            return
        for slot in self._slots:
            if slot.state is SlotState.IDLE:
                self._start(now, slot, self._queue.pop(next(iter(self._queue))))
                if not self._queue:
                    return
        if not self._slots.is_any_usable:
            self.give_back(self._slots.why_unusable)

    def ended(self, now: Instant, slot: Slot, how: Ended) -> None:
        """Take a task's own end."""
        running = slot.running
        if running is None:
            return
        status = Status.SUCCESS if how.ok else Status.FAILURE
        for note in how.notes:
            self.log_of(running).note(now.wall, note)
        if slot.state is not SlotState.RUNNING:
            # It was told to end already; what it returned on the way out is no result of its own.
            running.reason += f" (it returned {status} meanwhile: {how.text})"
            return
        slot.running = None
        del self.running[running.attempt]
        self._slots.unpark(slot)
        slot.state = SlotState.IDLE
        if how.spent:
            self._slots.end(now, slot)
        if how.url_busy:
            self._settle(now, running, EndedBy.NO_SERVER, None, how.text, is_started=False)
        elif how.connection_lost:
            self._settle(now, running, EndedBy.CONNECTION_LOST, None, how.text, is_unknown=True)
        else:
            self._settle(now, running, EndedBy.RESULT, status, how.text, code=how.code)

    def end(self, now: Instant, running: RunningAttempt, ended_by: EndedBy, reason: str) -> None:
        """End a running attempt's process group; it settles when that is gone (D8, D9)."""
        if running.slot.state is not SlotState.RUNNING:
            return
        running.timeout_at = inf
        running.note_due()
        running.ended_by, running.reason = ended_by, reason
        self._slots.end(now, running.slot)

    def end_if_late(self, now: Instant, slot: Slot, how: str = "") -> None:
        """End what has run for longer than it may (D8)."""
        running = slot.running
        if running is not None and now.mono >= running.timeout_at:
            limit_s = running.timeout_at - running.started.mono
            self.end(
                now, running, EndedBy.TIMEOUT, f"ended at its time limit of {limit_s:g} s{how}"
            )

    def worker_died(self, now: Instant, slot: Slot, how: str) -> None:
        """Take the end of the worker in which it runs; it settles when its group is gone."""
        how = f"its worker process {how}"
        # MDSplus has time limits of its own, which end the process of the task.
        self.end_if_late(now, slot, f"; {how}")
        if slot.running is not None:
            self.end(now, slot.running, EndedBy.WORKER_DIED, how)

    def settle_ended(self, now: Instant, slot: Slot, *, is_unknown: bool) -> None:
        """Settle what was ended here: its process group is gone, or cannot be ended."""
        running = slot.running
        if running is None:
            return
        slot.running = None
        del self.running[running.attempt]
        is_aborted = running.ended_by in (EndedBy.ABORT, EndedBy.SERVER_ENDED)
        status = None if is_aborted else Status.FAILURE
        reason = running.reason
        if is_unknown:
            reason += f"; its process {slot.pid} could not be ended and may still be at work"
        if running.url is not None and not running.is_proven_over:
            # What we have ended is only the process that waited for it.
            is_unknown = True
            reason += f"; the mdsip server at {running.url} may still be at work on it"
            _remember(self._unproven, running.attempt, None, _SEEN_MAX)
            self._out.add(WithdrawAttempt(running.url, running.attempt))
        self._settle(now, running, running.ended_by, status, reason, is_unknown=is_unknown)

    def log_of(self, running: RunningAttempt) -> OutputLog:
        """Return the output of a running attempt, which begins here when there was none."""
        if running.log is None:
            running.log = OutputLog(running.attempt, self._section)
        return running.log

    def _start(self, now: Instant, slot: Slot, dispatch: Dispatch) -> None:
        attempt = dispatch.attempt
        assert attempt not in self._seen, f"{attempt} would start twice (I1)"
        _remember(self._seen, attempt, now.wall, _SEEN_MAX)
        timeout_s = dispatch.timeout_s
        if timeout_s is None:
            timeout_s = self._section.task_timeout_s
        url = url_of_dispatch(dispatch, self._own_url)
        slot.state = SlotState.RUNNING
        slot.failures = 0
        self.running[attempt] = slot.running = RunningAttempt(
            slot,
            attempt,
            now,
            inf if timeout_s is None else now.mono + timeout_s,
            now.mono + self._section.fold_s,
            url,
        )
        self._out.add(StartTask(slot.index, dispatch, url))

    def _settle(
        self,
        now: Instant,
        running: RunningAttempt,
        ended_by: EndedBy,
        status: Status | None,
        reason: str,
        *,
        code: int | None = None,
        is_unknown: bool = False,
        is_started: bool = True,
    ) -> None:
        if running.log is not None:
            running.log.close(now.wall)
        finished = Finished(
            attempt=running.attempt,
            ended_by=ended_by,
            status=status,
            code=code,
            reason=reason[:_REASON_MAX],
            started_at=running.started.wall if is_started else None,
            ended_at=now.wall,
            duration_s=max(0.0, now.mono - running.started.mono) if is_started else None,
            outcome_unknown=is_unknown,
            lines=running.lines,
        )
        self.reports.add(finished, running.log)
        if self.report_at == inf:
            self.report_at = now.mono + _REPORT_HOLD_S

    def report(self, now: Instant) -> None:
        """Send results; short tasks that run side by side report together."""
        if not self.reports.is_any_unsent:
            return
        if now.mono < self.report_at and self._is_another_about_to_end():
            return
        self.report_at = inf
        for message in self.reports.pump(now):
            self._out.send(message)

    def _is_another_about_to_end(self) -> bool:
        ended = self.report_at - _REPORT_HOLD_S
        short = ended - self._section.fold_s
        return any(short < running.started.mono < ended for running in self.running.values())

    def answered(self, attempt: AttemptId) -> None:
        """Forget a result that the dispatcher has; the proof of its end comes after it."""
        self.reports.answered(attempt)
        if self._proofs:
            proof = self._proofs.pop(attempt, None)
            if proof is not None:
                self.reports.add(proof, None)

    def proven(self, now: Instant, event: TaskProven) -> None:
        """Take the keeper's word that nothing of an attempt runs in its mdsip server."""
        attempt = event.attempt
        running = self.running.get(attempt)
        if running is not None:
            running.is_proven_over = True
            if running.slot.state is not SlotState.RUNNING and event.text:
                running.reason += f" (on the mdsip server meanwhile: {event.text})"
        elif attempt in self._unproven:
            del self._unproven[attempt]
            proof = Finished(
                attempt=attempt,
                ended_by=EndedBy.RESULT,
                status=event.status,
                code=event.code,
                reason=event.text[:_REASON_MAX],
                ended_at=now.wall,
                late=True,
            )
            if attempt in self.reports:
                self._proofs[attempt] = proof
            else:
                self.reports.add(proof, None)


def _remember(memory: dict[AttemptId, _V], attempt: AttemptId, value: _V, most: int) -> None:
    """Keep a value, and forget the oldest when there are too many (I8)."""
    memory[attempt] = value
    if len(memory) > most:
        del memory[next(iter(memory))]
