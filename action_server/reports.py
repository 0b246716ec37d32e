"""Results that the dispatcher has not answered yet, with their output (DESIGN I2). Pure.

Results are kept until they are answered, sent in the order in which they came, a bounded number
at a time, and sent again after each registration and when no answer comes.
"""

from dataclasses import dataclass
from math import inf
from typing import Final

from msgspec import structs

from shotline.action_server.output import OutputLog
from shotline.common.actions import AttemptId, Status
from shotline.common.machine import Instant
from shotline.common.messages import Finished, Message

_IN_FLIGHT_MAX: Final = 200
_IN_FLIGHT_BYTES_MAX: Final = 16 * 1024 * 1024
_RESEND_S: Final = 5.0  # without an answer; then twice as long each time, up to the longest
_RESEND_LONGEST_S: Final = 60.0


@dataclass(slots=True)
class _Report:
    finished: Finished
    log: OutputLog | None  # None: it never started
    is_repeat: bool  # what was taken from the log before must be sent, too
    resend_at: float = 0.0
    wait_s: float = 0.0
    sent_bytes: int = 0


class Reports:
    """The results that wait for an answer."""

    def __init__(self) -> None:
        self._waiting: dict[AttemptId, _Report] = {}
        self._in_flight: dict[AttemptId, _Report] = {}
        self._in_flight_bytes = 0
        self._with_output: dict[AttemptId, OutputLog] = {}  # those whose output is not stored yet
        self.added = 0  # so far
        self.failed = 0  # of them those that did not succeed
        self._look_at = inf  # nothing is due to be sent again before

    def __len__(self) -> int:
        return len(self._waiting) + len(self._in_flight)

    def __contains__(self, attempt: AttemptId) -> bool:
        return attempt in self._waiting or attempt in self._in_flight

    @property
    def is_any_unsent(self) -> bool:
        """Whether `pump` has something to send, or will have when answers make room."""
        return bool(self._waiting)

    @property
    def held_bytes(self) -> int:
        """Memory of the output that is not stored yet."""
        if not self._with_output:
            return 0
        return sum(log.held_bytes for log in self._with_output.values())

    def all(self) -> list[Finished]:
        """Return all results, the oldest first."""
        return [report.finished for report in (*self._in_flight.values(), *self._waiting.values())]

    def add(self, finished: Finished, log: OutputLog | None) -> None:
        """Keep a new result; `pump` sends it."""
        self.added += 1
        self.failed += finished.status is not Status.SUCCESS
        self._waiting[finished.attempt] = _Report(finished, log, is_repeat=False)
        if log is not None and log.held_bytes:
            self._with_output[finished.attempt] = log

    def answered(self, attempt: AttemptId) -> bool:
        """Forget a result. Return False for one that is not here."""
        self._with_output.pop(attempt, None)
        report = self._in_flight.pop(attempt, None)
        if report is not None:
            self._in_flight_bytes -= report.sent_bytes
            return True
        return self._waiting.pop(attempt, None) is not None

    def stored(self, attempt: AttemptId, through: int) -> None:
        """Forget output that is journalled."""
        report = self._in_flight.get(attempt) or self._waiting.get(attempt)
        if report is not None and report.log is not None:
            report.log.stored(through)
            if not report.log.held_bytes:
                self._with_output.pop(attempt, None)

    def send_all_again(self) -> None:
        """Let `pump` send everything from the beginning: a new epoch has begun."""
        for report in self._in_flight.values():
            report.wait_s = 0.0
        self._waiting = {**self._in_flight, **self._waiting}
        self._in_flight, self._in_flight_bytes = {}, 0
        for report in self._waiting.values():
            report.is_repeat = True

    def pump(self, now: Instant) -> list[Message]:
        """Return what may be sent now, output before its result."""
        messages: list[Message] = []
        sent = []
        for attempt, report in self._waiting.items():
            if self._in_flight and (
                len(self._in_flight) >= _IN_FLIGHT_MAX
                or self._in_flight_bytes >= _IN_FLIGHT_BYTES_MAX
            ):
                break
            self._send(now, report, messages)
            report.sent_bytes = report.log.held_bytes if report.log is not None else 0
            self._in_flight[attempt] = report
            self._in_flight_bytes += report.sent_bytes
            sent.append(attempt)
        for attempt in sent:
            del self._waiting[attempt]
        return messages

    def tick(self, now: Instant) -> list[Message]:
        """Return again what has waited too long for its answer."""
        messages: list[Message] = []
        if now.mono < self._look_at:
            return messages
        for report in self._in_flight.values():
            if report.resend_at <= now.mono:
                report.is_repeat = True
                self._send(now, report, messages)
        self._look_at = min((one.resend_at for one in self._in_flight.values()), default=inf)
        return messages

    def wake_at(self) -> float:
        """Return when to look at what is due to be sent again; perhaps nothing is by then."""
        return self._look_at if self._in_flight else inf

    def _send(self, now: Instant, report: _Report, messages: list[Message]) -> None:
        finished = report.finished
        if report.log is not None:
            fresh = report.log.take()
            messages += report.log.unstored() if report.is_repeat else fresh
            finished = structs.replace(finished, held_from=report.log.held_from)
        messages.append(finished)
        report.wait_s = min(report.wait_s * 2, _RESEND_LONGEST_S) or _RESEND_S
        report.resend_at = now.mono + report.wait_s
        self._look_at = min(self._look_at, report.resend_at)
