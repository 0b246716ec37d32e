"""What is told of attempts while they run: their start, output and progress. Pure.

A short task is told in one message, its result: its start is held back for a moment, and so is
output, to travel together. Output that nobody stores parks its slot: its pipes are not read until
there is room again (I8).
"""

from math import inf
from typing import Final

from shotline.action_server.attempts import Attempts
from shotline.action_server.events import Park
from shotline.action_server.outlet import Outlet
from shotline.action_server.settings import Settings
from shotline.action_server.slot import Run, Slot, SlotState
from shotline.action_server.slots import Lifecycle
from shotline.common.actions import AttemptId
from shotline.common.machine import Instant
from shotline.common.messages import Progress, Started

TAIL_S: Final = 1.0
_TEXT_MAX: Final = 512


class Live:
    """The news of what runs."""

    def __init__(
        self, settings: Settings, out: Outlet, lifecycle: Lifecycle, attempts: Attempts
    ) -> None:
        self._settings = settings
        self._out = out
        self._lifecycle = lifecycle
        self._attempts = attempts

    def output(
        self, now: Instant, slot: Slot, stream: int, data: bytes, *, is_registered: bool
    ) -> None:
        """Take what a task has written."""
        run = slot.run
        if run is None:
            slot.words.take(data)
            return
        log = self._attempts.log_of(run)
        report = log.feed(now.wall, stream, data)
        if report is not None:
            run.progress = report
        if log.has_gathered and run.flush_at == inf:
            run.flush_at = now.mono + self._settings.output_hold_s
        if run.tail_at == inf and log.has_tail:
            run.tail_at = now.mono + TAIL_S
        run.reckon()
        if log.is_batch_ready and is_registered:
            self._flush(slot, run)
        if log.is_over_window and not slot.is_parked and slot.state is SlotState.RUNNING:
            slot.is_parked = True
            self._out.add(Park(slot.index))

    def progress(self, slot: Slot, fraction: float, text: str) -> None:
        """Take a task's own report of its progress; the latest counts."""
        if slot.run is not None:
            slot.run.progress = (fraction, text)
            slot.run.reckon()

    def stored(self, attempt: AttemptId, through: int) -> None:
        """Forget output that is journalled, of what runs or has ended."""
        slot = self._attempts.runs.get(attempt)
        if slot is None or slot.run is None:
            self._attempts.reports.stored(attempt, through)
            return
        log = slot.run.log
        if log is not None:
            log.stored(through)
            if log.is_under_half_window:
                self._lifecycle.unpark(slot)

    def tell_again(self) -> None:
        """Tell everything once more: a new registration, or another dispatcher."""
        for slot in self._attempts.runs.values():
            if slot.run is not None:
                slot.run.tell_at = slot.run.started.mono + self._settings.fold_s
                if slot.run.log is not None:
                    for message in slot.run.log.unstored():
                        self._out.send(message)
                    slot.run.log.tell_tails_again()
                    slot.run.tail_at = slot.run.started.mono + TAIL_S
                slot.run.reckon()

    def tick(self, now: Instant, slot: Slot) -> None:
        """Tell what is due of what runs in the slot."""
        run = slot.run
        if run is None:
            return
        if now.mono >= run.flush_at or now.mono >= run.tell_at:
            self._flush(slot, run)
        if now.mono >= run.tail_at:
            run.tail_at = inf
            self._flush(slot, run)  # what stands before it goes before it
            for tail in run.log.tails(now.wall) if run.log is not None else ():
                self._out.send(tail)
        if run.progress is not None and now.mono >= run.progress_at:
            fraction, text = run.progress
            run.progress, run.progress_at = None, now.mono + self._settings.progress_s
            run.reckon()
            self._out.send(Progress(attempt=run.attempt, fraction=fraction, text=text[:_TEXT_MAX]))

    def _flush(self, slot: Slot, run: Run) -> None:
        """Send what is gathered of a running attempt's output, its start first."""
        if run.tell_at != inf:
            run.tell_at = inf
            self._out.send(Started(attempt=run.attempt, started_at=run.started.wall, pid=slot.pid))
        run.flush_at = inf
        run.reckon()
        if run.log is not None:
            for message in run.log.take():
                self._out.send(message)
