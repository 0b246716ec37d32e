"""The action servers of `FakeShotline`: they run nothing, and end what they have as told. Pure.

One server with one slot for each class, as an action server has without other configuration.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from shotline.common.actions import AttemptId, Status
from shotline.common.base import Value
from shotline.common.machine import Instant
from shotline.common.messages import (
    AbortAttempt,
    CommandServer,
    Dispatch,
    EndedBy,
    Finished,
    Held,
    HeldAs,
    Liveness,
    LivenessState,
    Message,
    Output,
    Register,
    RegisterAnew,
    ServerOrder,
    Started,
)
from shotline.dispatcher.effects import FromBroker


class Told(Value):
    """How an action ends; `takes_s` None: it does not end by itself."""

    ended_by: EndedBy = EndedBy.RESULT
    status: Status | None = Status.SUCCESS
    reason: str = ""
    lines: tuple[str, ...] = ()
    takes_s: float | None = 0.0


@dataclass(slots=True)
class _Running:
    dispatch: Dispatch
    started_at: Instant
    ended_by_order: str = ""  # the reason of whoever ended it


@dataclass(slots=True)
class FakeServer:
    """The server CLASS:1. `told` says how an attempt ends when it comes to its end."""

    server_class: str
    told: Callable[[AttemptId], Told]
    is_there: bool = False
    _life: int = 0
    _epoch: int = 0
    _running: dict[AttemptId, _Running] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """CLASS:ID."""
        return f"{self.server_class}:1"

    @property
    def incarnation(self) -> str:
        """Its present life."""
        return f"life{self._life}"

    @property
    def identity(self) -> bytes:
        """What the broker routes by."""
        return f"{self.name}/{self.incarnation}".encode()

    def come(self, now: Instant) -> FromBroker:
        """Begin a life, and register."""
        self.is_there = True
        self._life, self._epoch = self._life + 1, 0
        return self._register(now)

    def leave(self, now: Instant, reason: str) -> Iterator[FromBroker]:
        """End what runs, then say goodbye."""
        for attempt in list(self._running):
            self._running[attempt].ended_by_order = reason
            yield self._end(now, attempt)
        self.is_there = False
        gone = Liveness(
            server=self.name,
            incarnation=self.incarnation,
            state=LivenessState.LOST,
            why="it said goodbye",
        )
        yield FromBroker(b"", (gone,))

    def take(self, now: Instant, messages: Iterable[Message]) -> Iterator[FromBroker]:
        """Take what the dispatcher has sent."""
        for message in messages:
            match message:
                case Dispatch():
                    yield self._start(now, message)
                case AbortAttempt() if message.attempt in self._running:
                    self._running[message.attempt].ended_by_order = message.reason
                    yield self._end(now, message.attempt)
                case CommandServer():
                    yield from self.leave(now, message.reason)
                    if message.order is ServerOrder.RESTART:
                        yield self.come(now)
                case RegisterAnew():
                    yield self._register(now)

    @property
    def running(self) -> tuple[str, ...]:
        """What runs, in words."""
        return tuple(f"{attempt.path} on {self.name}" for attempt in self._running)

    def next_end(self) -> float | None:
        """Return when the next of what runs ends by itself (monotonic seconds)."""
        ends = map(self._ends_at, self._running)
        return min((at for at in ends if at is not None), default=None)

    def end_due(self, now: Instant) -> Iterator[FromBroker]:
        """End what is due."""
        for attempt in list(self._running):
            ends_at = self._ends_at(attempt)
            if ends_at is not None and ends_at <= now.mono:
                yield self._end(now, attempt)

    def _register(self, now: Instant) -> FromBroker:
        self._epoch += 1
        register = Register(
            server_class=self.server_class,
            server_id="1",
            incarnation=self.incarnation,
            epoch=self._epoch,
            slots=1,
            host="fake",
            started_at=now.wall,
            holding=tuple(
                Held(attempt=attempt, held_as=HeldAs.RUNNING, started_at=one.started_at.wall)
                for attempt, one in self._running.items()
            ),
            ended=tuple(f"life{life}" for life in range(1, self._life)),
        )
        return FromBroker(self.identity, (register,))

    def _start(self, now: Instant, dispatch: Dispatch) -> FromBroker:
        self._running[dispatch.attempt] = _Running(dispatch, now)
        started = Started(attempt=dispatch.attempt, started_at=now.wall)
        return FromBroker(self.identity, (started,))

    def _ends_at(self, attempt: AttemptId) -> float | None:
        one, told = self._running[attempt], self.told(attempt)
        takes = [s for s in (told.takes_s, one.dispatch.timeout_s) if s is not None]
        return one.started_at.mono + min(takes) if takes else None

    def _end(self, now: Instant, attempt: AttemptId) -> FromBroker:
        one, told = self._running.pop(attempt), self.told(attempt)
        limit_s = one.dispatch.timeout_s
        ended_by, status, reason = told.ended_by, told.status, told.reason
        if one.ended_by_order:
            ended_by, status, reason = EndedBy.ABORT, None, one.ended_by_order
        elif limit_s is not None and (told.takes_s is None or told.takes_s > limit_s):
            ended_by, status = EndedBy.TIMEOUT, None
            reason = f"ended at its time limit of {limit_s:g} s"
        said: list[Message] = []
        if told.lines:
            piece = (now.wall, 1, "\n".join(told.lines).encode())
            said.append(Output(attempt=attempt, first=0, pieces=(piece,)))
        said.append(
            Finished(
                attempt=attempt,
                ended_by=ended_by,
                status=status,
                reason=reason,
                started_at=one.started_at.wall,
                ended_at=now.wall,
                duration_s=round(now.mono - one.started_at.mono, 6),
                lines=sum(1 + line.count("\n") for line in told.lines),
            )
        )
        return FromBroker(self.identity, tuple(said))
