"""The desk where commands arrive: each is answered once, a repeat gets the same answer (D15).

What the commands do is in `commands`; here is who asked, what was answered, and who still waits.
Pure.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from pydantic import ValidationError

from shotline.common.codec import describe
from shotline.common.commands import READING, AnyCommand, decode_command
from shotline.common.dangers import NamedDanger, words_of
from shotline.common.messages import Outcome, Reply, Request
from shotline.common.records import CommandDone, ShotKey
from shotline.common.views import AnyResult, encode_result
from shotline.dispatcher.core import Core
from shotline.dispatcher.reading.paging import Page
from shotline.dispatcher.shots import Run, Shot

_REPLY_BYTES_KEPT_MAX: Final = 4096
_WAITING_MAX: Final = 10_000
_REMEMBERED_ANEW: Final = 1000
ACCEPT_S: Final = 0.02  # a run that is over by then is answered once, by its end


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command's handler says."""

    outcome: Outcome
    message: str
    result: AnyResult | Page | None = None
    notices: tuple[str, ...] = ()
    unknown: bool = False  # refused, since what the command names does not exist
    dangers: tuple[NamedDanger, ...] = ()  # refused, until somebody insists on each of them


class Refused(Exception):
    """The command may not be carried out now; the text says why and what to do."""

    def answer(self) -> Answer:
        """Return the answer that says so."""
        return Answer(Outcome.REFUSED, str(self), unknown=isinstance(self, Unknown))


class Unknown(Refused):
    """What the command names does not exist; the text says what does."""


class Dangerous(Refused):
    """Somebody must insist on each of these dangers, by name."""

    def __init__(self, *dangers: NamedDanger) -> None:
        super().__init__(words_of(dangers))
        self.dangers = dangers

    def answer(self) -> Answer:
        """Return the answer that names them."""
        return Answer(Outcome.REFUSED, str(self), dangers=self.dangers)


@dataclass(slots=True)
class Asked:
    """A command that waits for its final answer."""

    id: str
    verb: str
    client: bytes
    accepted: Answer | None = None

    @property
    def is_reading(self) -> bool:
        """Whether its answer need not be kept."""
        return self.verb in READING


Handler = Callable[[Asked, AnyCommand], Answer | None]


class Desk:
    """Takes requests, remembers answers, tells those who wait for a run."""

    def __init__(self, core: Core, handler: Handler) -> None:
        self._core = core
        self._handler = handler
        self._pending: dict[str, Asked] = {}
        self._done: OrderedDict[str, Reply] = OrderedDict()
        self._waiting: dict[tuple[ShotKey, int], list[str]] = {}
        self._unsaid: dict[str, float] = {}  # accepted, and when to say so
        self._early: list[tuple[bytes, Request]] = []  # while the dispatcher recovers
        self.clock_offset_s: float | None = None  # broker's clock minus ours
        self.rebuild: Callable[[Request], AnyResult | Page | None] = lambda _request: None

    def remember(self, done: CommandDone) -> None:
        """Take an answer from the journal, at start."""
        self._keep(Reply.model_validate_json(done.reply, strict=False))

    def remembered(self) -> list[CommandDone]:
        """Return the last answers, for a journal that lost them; older ones expired long ago."""
        wall = self._core.wall
        return [
            CommandDone(time=wall, command=reply.id, reply=reply.model_dump_json())
            for reply in list(self._done.values())[-_REMEMBERED_ANEW:]
        ]

    def _keep(self, reply: Reply) -> None:
        self._done[reply.id] = reply
        while len(self._done) > self._core.settings.commands_remembered_max:
            self._done.popitem(last=False)

    def take(self, client: bytes, request: Request) -> None:
        """Carry out a command, or answer its repetition."""
        done = self._done.get(request.id)
        if done is not None:
            self._repeat(client, request, done)
            return
        asked = self._pending.get(request.id)
        if asked is not None:
            asked.client = client
            if asked.accepted is not None:
                self._send(asked, replace(asked.accepted, result=None))
            return
        asked = Asked(request.id, request.verb, client)
        if len(self._pending) + len(self._early) >= _WAITING_MAX:
            busy = Answer(Outcome.REFUSED, "too many commands wait for their answers; try again")
            self._core.send(client, self._reply(asked, busy))
            return
        if self._core.recovering and request.verb not in READING:
            self._keep_early(client, request)
            return
        answer = self._refusal(request) or self._carry_out(asked, request)
        if answer is not None:
            self.answer(asked, answer)
        else:
            self._pending[request.id] = asked

    def _refusal(self, request: Request) -> Answer | None:
        core = self._core
        if self.clock_offset_s is None:
            return None
        late_s = core.now + self.clock_offset_s - request.deadline_s
        if late_s <= 0 or core.run_of_command(request.id) is not None:
            return None
        return Answer(
            Outcome.REFUSED,
            f"{request.verb}: the command expired {late_s:.1f} s ago and was not carried "
            "out; give it again if it is still wanted",
        )

    def _keep_early(self, client: bytes, request: Request) -> None:
        """Nothing begins while servers' reports are collected: the command waits for them."""
        self._early = [pair for pair in self._early if pair[1].id != request.id]
        self._early.append((client, request))

    def take_early(self) -> None:
        """Carry out what came during the recovery."""
        early, self._early = self._early, []
        for client, request in early:
            self.take(client, request)

    def _repeat(self, client: bytes, request: Request, done: Reply) -> None:
        """Give the answer again; a report that was too large to keep is made anew."""
        was_done = done.outcome in (Outcome.OK, Outcome.FAILED)
        report = self.rebuild(request) if was_done and not done.result else None
        if report is not None:
            done = done.model_copy(update={"result": _encoded(report)})
        self._core.send(client, done)

    def _carry_out(self, asked: Asked, request: Request) -> Answer | None:
        try:
            command = decode_command(request.command)
        except (ValidationError, RecursionError) as error:
            return Answer(Outcome.USAGE, f"{request.verb[:64]}: {describe(error)}")
        if command.verb != request.verb:
            return Answer(Outcome.USAGE, "the request and its command name different verbs")
        try:
            return self._handler(asked, command)
        except Refused as refused:
            return refused.answer()

    # Answers

    def _reply(self, asked: Asked, answer: Answer) -> Reply:
        return Reply(
            id=asked.id,
            outcome=answer.outcome,
            message=answer.message,
            notices=answer.notices,
            result=_encoded(answer.result),
            unknown=answer.unknown,
            dangers=answer.dangers,
        )

    def _send(self, asked: Asked, answer: Answer) -> None:
        self._core.send(asked.client, self._reply(asked, answer))

    def answer(self, asked: Asked, answer: Answer) -> None:
        """Give the final answer, journalled with its effect unless it only read."""
        self._pending.pop(asked.id, None)
        self._unsaid.pop(asked.id, None)
        reply = self._reply(asked, answer)
        if not asked.is_reading and answer.outcome is not Outcome.USAGE:
            kept = reply
            if len(reply.result) > _REPLY_BYTES_KEPT_MAX:
                kept = reply.model_copy(update={"result": b""})
            self._keep(kept)
            self._core.put_system(
                CommandDone(time=self._core.wall, command=asked.id, reply=kept.model_dump_json())
            )
        if asked.is_reading and asked.verb != "wait":  # which tells what has come about
            self._core.send_reader(asked.client, reply)
        else:
            self._core.send(asked.client, reply)

    def accept(self, asked: Asked, answer: Answer) -> None:
        """Say that the run has begun, unless it is over in a moment; the final answer follows."""
        asked.accepted = answer
        self._unsaid[asked.id] = self._core.now + ACCEPT_S

    def wake_at(self) -> float | None:
        """Return when somebody is due to hear that a run has begun."""
        return next(iter(self._unsaid.values()), None)

    def tick(self) -> None:
        """Say what is due; the oldest comes first."""
        while self._unsaid:
            command, due = next(iter(self._unsaid.items()))
            if self._core.now < due:
                return
            del self._unsaid[command]
            asked = self._pending.get(command)
            if asked is not None and asked.accepted is not None:
                self._send(asked, asked.accepted)

    def wait_for(self, asked: Asked, shot: Shot, run: Run) -> None:
        """Let a command wait for the end of a run."""
        self._waiting.setdefault((shot.key, run.number), []).append(asked.id)

    def tell_waiting(self, shot: Shot, run: Run, answer: Answer) -> None:
        """Answer all that wait for this run."""
        for command in self._waiting.pop((shot.key, run.number), []):
            asked = self._pending.get(command)
            if asked is not None:
                told = asked.accepted.notices if asked.accepted is not None else ()
                self.answer(asked, replace(answer, notices=(*told, *answer.notices)))


def _encoded(result: AnyResult | Page | None) -> bytes:
    if isinstance(result, Page):
        return result.data
    return b"" if result is None else encode_result(result)
