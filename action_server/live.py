"""What is told of attempts while they run: their start, output and progress. Pure.

A short task is told in one message, its result: its start is held back for a moment, and so is
output, to travel together. Output that nobody stores parks its slot: its pipes are not read until
there is room again (I8).
"""

from math import inf
from typing import Final

from shotline.action_server.attempts import Attempts
from shotline.action_server.events import Outlet, Park
from shotline.action_server.slots import RunningAttempt, Slot, Slots, SlotState
from shotline.common.actions import AttemptId
from shotline.common.machine import Instant
from shotline.common.messages import Progress, Started
from shotline.common.settings.sections.action_server import ActionServerSection

_TAIL_S: Final = 1.0  # a line that has not ended by then is told as it is
_PROGRESS_S: Final = 0.1  # between two reports of one attempt
_TEXT_MAX: Final = 512


class Live:
    """The news of what runs."""

    def __init__(
        self, section: ActionServerSection, out: Outlet, slots: Slots, attempts: Attempts
    ) -> None:
        self._section = section
        self._out = out
        self._slots = slots
        self._attempts = attempts

    def output(
        self, now: Instant, slot: Slot, stream: int, data: bytes, *, is_registered: bool
    ) -> None:
        """Take what a task has written."""
        running = slot.running
        if running is None:
            slot.last_words.take(data)
            return
        log = self._attempts.log_of(running)
        report = log.feed(now.wall, stream, data)
        if report is not None:
            running.progress = report
        if log.has_gathered and running.flush_at == inf:
            running.flush_at = now.mono + self._section.output_hold_s
        if running.tail_at == inf and log.has_tail:
            running.tail_at = now.mono + _TAIL_S
        running.note_due()
        if log.is_batch_ready and is_registered:
            self._flush(running)
        if log.is_over_window and not slot.is_parked and slot.state is SlotState.RUNNING:
            slot.is_parked = True
            self._out.add(Park(slot.index))

    def progress(self, slot: Slot, fraction: float, text: str) -> None:
        """Take a task's own report of its progress; the latest counts."""
        if slot.running is not None:
            slot.running.progress = (fraction, text)
            slot.running.note_due()

    def stored(self, attempt: AttemptId, through: int) -> None:
        """Forget output that is journalled, of what runs or has ended."""
        running = self._attempts.running.get(attempt)
        if running is None:
            self._attempts.reports.stored(attempt, through)
            return
        if running.log is not None:
            running.log.stored(through)
            if running.log.is_under_half_window:
                self._slots.unpark(running.slot)

    def tell_again(self) -> None:
        """Tell everything once more: a new registration, or another dispatcher."""
        for running in self._attempts.running.values():
            running.tell_at = running.started.mono + self._section.fold_s
            if running.log is not None:
                for message in running.log.unstored():
                    self._out.send(message)
                running.log.tell_tails_again()
                running.tail_at = running.started.mono + _TAIL_S
            running.note_due()

    def tick(self, now: Instant, slot: Slot) -> None:
        """Tell what is due of what runs in the slot."""
        running = slot.running
        if running is None:
            return
        if now.mono >= running.flush_at or now.mono >= running.tell_at:
            self._flush(running)
        if now.mono >= running.tail_at:
            running.tail_at = inf
            self._flush(running)  # what stands before it goes before it
            for tail in running.log.tails(now.wall) if running.log is not None else ():
                self._out.send(tail)
        if running.progress is not None and now.mono >= running.progress_at:
            fraction, text = running.progress
            running.progress, running.progress_at = None, now.mono + _PROGRESS_S
            running.note_due()
            self._out.send(
                Progress(attempt=running.attempt, fraction=fraction, text=text[:_TEXT_MAX])
            )

    def _flush(self, running: RunningAttempt) -> None:
        """Send what is gathered of a running attempt's output, its start first."""
        if running.tell_at != inf:
            running.tell_at = inf
            self._out.send(
                Started(
                    attempt=running.attempt, started_at=running.started.wall, pid=running.slot.pid
                )
            )
        running.flush_at = inf
        running.note_due()
        if running.log is not None:
            for message in running.log.take():
                self._out.send(message)
