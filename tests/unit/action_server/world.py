"""Everything around the action server's machine, without processes: workers, a link, a dispatcher.

It carries effects out by the rules that the real shell keeps, and checks I1 and I2 after each.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from shotline.action_server.events import (
    Connected,
    Effect,
    Event,
    Exit,
    GroupGone,
    GroupSignal,
    Log,
    Park,
    Send,
    SendFailed,
    SignalGroup,
    StartTask,
    StartWorker,
    TaskEnded,
    TaskOutput,
    Unpark,
    WorkerExited,
    WorkerReady,
)
from shotline.action_server.machine import ActionServer
from shotline.action_server.task.channel import Ended
from shotline.common.actions import AttemptId, Status
from shotline.common.machine import Instant, Tick
from shotline.common.messages import (
    AbortAttempt,
    Answered,
    Dispatch,
    Finished,
    Message,
    Output,
    OutputStored,
    Pong,
    Register,
    Registered,
    Returned,
    ServerBeat,
    Verdict,
)
from shotline.common.settings.sections.action_server import ActionServerSection
from shotline.common.settings.sections.broker import BrokerSection


@dataclass
class FakeWorker:
    is_ready: bool = False
    attempt: AttemptId | None = None
    is_parked: bool = False
    signals: list[GroupSignal] = field(default_factory=list)


class World:
    def __init__(self, section: ActionServerSection | None = None, slots: int = 2) -> None:
        self.machine = ActionServer(
            Register(server_class="SRV", server_id="1", incarnation="aa", epoch=0, slots=slots),
            section or ActionServerSection(),
            BrokerSection(),
        )
        self.now = Instant(100.0, 1e9)
        self.workers: dict[int, FakeWorker] = {}
        self.starts: Counter[AttemptId] = Counter()
        self.sent: list[Message] = []
        self.delivered: list[Message] = []  # what arrived at the other end
        self.to_answer: deque[Message] = deque()
        self.logs: list[str] = []
        self.exit: Exit | None = None
        self.link_is_up = True
        self.epoch = 0
        self.number = 0
        self.attempts = 0
        self.answered: set[AttemptId] = set()
        self.proven_unstarted: set[AttemptId] = set()
        self.dispatched: list[AttemptId] = []
        self.carry_out(self.machine.begin(self.now))
        self.handle(Connected())

    # The machine

    def handle(self, event: Event) -> None:
        self.carry_out(self.machine.handle(self.now, event))

    def carry_out(self, effects: Iterable[Effect]) -> None:
        failed = False
        for effect in effects:
            match effect:
                case Send(message):
                    failed = not self._send(message) or failed
                case StartWorker(slot):
                    assert slot not in self.workers, "a second worker in a slot"
                    self.workers[slot] = FakeWorker()
                case StartTask(slot, dispatch):
                    worker = self.workers[slot]
                    assert worker.is_ready, "a task for a worker that takes none"
                    assert worker.attempt is None, "a task for a busy worker"
                    assert not worker.signals, "a task for a worker that is being ended"
                    worker.attempt = dispatch.attempt
                    self.starts[dispatch.attempt] += 1
                    assert self.starts[dispatch.attempt] == 1, "I1: started twice"
                    assert dispatch.attempt not in self.proven_unstarted, "I1: proof was false"
                case SignalGroup(slot, signal):
                    if slot in self.workers:
                        self.workers[slot].signals.append(signal)
                case Park(slot):
                    self.workers[slot].is_parked = True
                case Unpark(slot):
                    if slot in self.workers:
                        self.workers[slot].is_parked = False
                case Log(_, text):
                    self.logs.append(text)
                case Exit():
                    self.exit = effect
        if failed:
            self.handle(SendFailed())

    def _send(self, message: Message) -> bool:
        self.sent.append(message)
        if not self.link_is_up:
            return False
        self.delivered.append(message)
        self.to_answer.append(message)
        if isinstance(message, Returned):
            self.proven_unstarted.add(message.attempt)
        if isinstance(message, Register):
            held = {one.attempt for one in message.holding}
            for attempt in self.dispatched:
                if attempt not in held:
                    if not self.starts[attempt]:
                        self.proven_unstarted.add(attempt)
                    else:
                        assert attempt in self.answered, f"I2: {attempt} was forgotten"
        return True

    def advance(self, seconds: float) -> None:
        """Let time pass, with a tick at each deadline, as the run loop does."""
        end = self.now.mono + seconds
        for _ in range(10_000):
            wake_at = self.machine.wake_at()
            if self.exit or wake_at is None or wake_at > end:
                break
            self._move_to(max(wake_at, self.now.mono))
            self.handle(Tick())
        else:
            raise AssertionError(f"the machine asks for a tick for ever: {self.machine.wake_at()}")
        self._move_to(end)

    def _move_to(self, mono: float) -> None:
        self.now = Instant(mono, self.now.wall + mono - self.now.mono)

    # Workers

    def get_ready(self) -> None:
        for slot, worker in list(self.workers.items()):
            if not worker.is_ready and not worker.signals:
                worker.is_ready = True
                self.handle(WorkerReady(slot, 1000 + slot))

    def slot_of(self, attempt: AttemptId) -> int:
        return next(slot for slot, one in self.workers.items() if one.attempt == attempt)

    def write(self, slot: int, data: bytes, stream: int = 1) -> None:
        assert not self.workers[slot].is_parked
        self.handle(TaskOutput(slot, stream, data))

    def end_task(self, slot: int, status: Status = Status.SUCCESS, **keywords: object) -> None:
        self.workers[slot].attempt = None
        ok = status is Status.SUCCESS
        self.handle(TaskEnded(slot, Ended(ok, **keywords)))  # type: ignore[arg-type]

    def exit_worker(self, slot: int, how: str = "was killed by SIGKILL") -> None:
        worker = self.workers[slot]
        worker.is_ready, worker.attempt = False, None
        worker.signals.append(GroupSignal.KILL)
        self.handle(WorkerExited(slot, how))

    def be_gone(self, slot: int) -> None:
        del self.workers[slot]
        self.handle(GroupGone(slot))

    # Broker and dispatcher

    def answer(self, *, results: bool = True, output: bool = True) -> None:
        """Answer all that has arrived, in order."""
        while self.to_answer and self.link_is_up:
            message = self.to_answer.popleft()
            if isinstance(message, Register):
                self.epoch, self.number = message.epoch, 0
                self.handle(Registered(broker="b", clock_s=0.0, epoch=message.epoch))
            elif isinstance(message, ServerBeat):
                self.handle(Pong(sent_s=message.sent_s, broker="b", clock_s=0.0))
            elif isinstance(message, Output) and output:
                lines = sum(piece.count(b"\n") + 1 for _, _, piece in message.pieces)
                self.handle(OutputStored(attempt=message.attempt, through=message.first + lines))
            elif isinstance(message, Finished) and results:
                self.answered.add(message.attempt)
                self.handle(Answered(attempt=message.attempt, verdict=Verdict.STORED))

    def lose_answers(self) -> None:
        """The connection breaks: what was on its way is lost."""
        self.to_answer.clear()

    def dispatch(
        self,
        attempt: AttemptId | None = None,
        *,
        timeout_s: float | None = None,
        number: int | None = None,
        epoch: int | None = None,
        term: int = 1,
        task: bytes = b"{}",
    ) -> AttemptId:
        if attempt is None:
            self.attempts += 1
            attempt = AttemptId("T", 1, f"A{self.attempts}", 1)
            self.dispatched.append(attempt)
        if number is None:
            self.number += 1
            number = self.number
        self.handle(
            Dispatch(
                term=term,
                epoch=self.epoch if epoch is None else epoch,
                number=number,
                attempt=attempt,
                task=task,
                timeout_s=timeout_s,
            )
        )
        return attempt

    def abort(self, attempt: AttemptId, reason: str = "enough") -> None:
        self.handle(AbortAttempt(term=1, attempt=attempt, reason=reason))

    def results(self, attempt: AttemptId) -> list[Finished]:
        return [
            one for one in self.delivered if isinstance(one, Finished) and one.attempt == attempt
        ]

    def settle(self) -> None:
        """Let faults stop: everything ends and is answered."""
        self.link_is_up = True
        self.handle(Connected())
        for _ in range(50):
            self.answer()
            for slot, worker in list(self.workers.items()):
                if worker.signals:
                    worker.attempt = None
                    self.be_gone(slot)
                elif worker.attempt is not None:
                    self.end_task(slot)
            self.get_ready()
            self.advance(2.0)
            self.answer()
