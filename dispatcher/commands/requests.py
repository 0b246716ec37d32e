"""Where commands arrive: each is answered once, a repeat gets the same answer (D15).

Here is who asked, what was answered, who still waits, and how a command goes on after a tree or
Redis has answered. What the commands do is in `run_commands`, `server_commands`, `tree_commands`
and `queries`. Pure.
"""

from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import Any, Final

import msgspec
from msgspec import structs
from msgspec.structs import replace

from shotline.common.codec import describe
from shotline.common.command import Command
from shotline.common.commands import READING, AnyCommand, BuildTables, decode_command
from shotline.common.messages import Outcome, Reply, Request, Vouched
from shotline.common.records import NO_RESULT, CommandDone, KeptReply, ShotKey
from shotline.common.views import AnyResult, encode_result
from shotline.dispatcher.commands import meant
from shotline.dispatcher.commands.answer import Answer, Asked, Refused, Unknown
from shotline.dispatcher.commands.audit_trail import AuditTrail, Given
from shotline.dispatcher.core import INSIDE, Core
from shotline.dispatcher.effects import ProgramDone
from shotline.dispatcher.journal import AuditRead, OutputRead, ReadShot, ShotRead
from shotline.dispatcher.past.jobs import PastDone
from shotline.dispatcher.proofs import take_end, take_proofs
from shotline.dispatcher.reading.paging import Page
from shotline.dispatcher.reading.views import Views
from shotline.dispatcher.shots import Run, Shot
from shotline.dispatcher.table import LookupFailed
from shotline.dispatcher.trees.jobs import TreeDone

_REPLY_BYTES_KEPT_MAX: Final = 4096
_WAITING_MAX: Final = 10_000
_REMEMBERED_ANEW: Final = 1000
NOBODY_KNOWN: Final = Vouched()
ACCEPT_S: Final = 0.02  # a run that is over by then is answered once, by its end

Handler = Callable[[Asked, AnyCommand], Answer | None]
Done = TreeDone | PastDone | ShotRead | OutputRead | AuditRead | ProgramDone
Continuation = Callable[[Done], Answer | None]


class Requests:
    """Takes requests, remembers answers, goes on after a tree or Redis has answered."""

    def __init__(self, core: Core, views: Views, carry_out: Handler) -> None:
        self.core = core
        self.views = views
        self._handler = carry_out
        self._pending: dict[str, Asked] = {}
        # By command, who knows what it is answered with again: the pulse queue, the ledger.
        self.made_again: dict[type[Command], Callable[[str, Any], AnyResult | None]] = {}
        self._done: OrderedDict[str, Reply] = OrderedDict()
        self._waiting: dict[tuple[ShotKey, int], list[str]] = {}
        self._unsaid: dict[str, float] = {}  # accepted, and when to say so
        self._early: list[tuple[bytes, Given]] = []  # while the dispatcher recovers
        self.audit = AuditTrail(core)
        self._continuations: dict[int, tuple[Asked, Continuation]] = {}  # by job or query

    def remember(self, done: CommandDone) -> None:
        """Take an answer from the journal, at start."""
        self._keep(_reply_of(done))

    def remembered(self) -> list[CommandDone]:
        """Return the last answers, for a journal that lost them; older ones expired long ago."""
        wall = self.core.wall
        return [
            CommandDone(time=wall, command=reply.id, reply=_kept(reply))
            for reply in list(self._done.values())[-_REMEMBERED_ANEW:]
        ]

    def _keep(self, reply: Reply) -> None:
        self._done[reply.id] = reply
        while len(self._done) > self.core.config.dispatcher.commands_remembered_max:
            self._done.popitem(last=False)

    def take(self, client: bytes, request: Request, sender: Vouched = NOBODY_KNOWN) -> None:
        """Carry out a command, or answer its repetition. `sender`: who gives it, for the audit."""
        self._take(client, Given(request, sender, self.core.now))

    def _take(self, client: bytes, given: Given) -> None:
        request = given.request
        done = self._done.get(request.id)
        if done is not None:
            self._repeat(client, request, done)
            return
        asked = self._pending.get(request.id)
        if asked is not None:
            asked.client = client
            if asked.accepted is not None:
                self._send(asked, asked.accepted)
            return
        asked = Asked(given, client)
        if len(self._pending) + len(self._early) >= _WAITING_MAX:
            busy = Answer(Outcome.REFUSED, "too many commands wait for their answers; try again")
            self.core.send(client, self._reply(asked, busy))
            return
        if self.core.recovering and request.verb not in READING:
            self._keep_early(client, given)
            return
        answer = self._unreadable(asked) or self._refusal(request) or self._carry_out(asked)
        if answer is not None:
            self.answer(asked, answer)
        else:
            self._pending[request.id] = asked

    def _refusal(self, request: Request) -> Answer | None:
        core = self.core
        if core.clock_offset_s is None:
            return None
        late_s = core.now + core.clock_offset_s - request.deadline_s
        if late_s <= 0 or core.run_of_command(request.id) is not None:
            return None
        return Answer(
            Outcome.REFUSED,
            f"{request.verb}: the command expired {late_s:.1f} s ago and was not carried "
            "out; give it again if it is still wanted",
        )

    def _keep_early(self, client: bytes, given: Given) -> None:
        """Nothing begins while servers' reports are collected: the command waits for them."""
        id_ = given.request.id
        self._early = [pair for pair in self._early if pair[1].request.id != id_]
        self._early.append((client, given))

    def take_early(self) -> None:
        """Carry out what came during the recovery."""
        early, self._early = self._early, []
        for client, given in early:
            self._take(client, given)

    def _repeat(self, client: bytes, request: Request, done: Reply) -> None:
        """Give the answer again; a report that was too large to keep is made anew."""
        was_done = done.outcome in (Outcome.OK, Outcome.FAILED)
        result = self._result_again(request) if was_done and not done.result else None
        if result is not None:
            done = structs.replace(done, result=_encoded(result))
        self.core.send(client, done)

    def _result_again(self, request: Request) -> AnyResult | Page | None:
        """Return the result of a repeated command that was too large to keep, as it stands now."""
        found = self.core.run_of_command(request.id)
        if found is not None:
            return self.views.report(*found)
        try:
            command = decode_command(request.command)
            again = self.made_again.get(type(command))
            if again is not None:
                return again(request.id, command)
            if not isinstance(command, BuildTables):
                return None
            shot = meant.shot_of(self.core, command)
            return self.views.built(shot, list_actions=command.list_actions)
        except (ValueError, RecursionError, Refused):
            return None

    def _unreadable(self, asked: Asked) -> Answer | None:
        """Read the command. Return the answer where it cannot be read."""
        request = asked.given.request
        try:
            command = decode_command(request.command)
        except (ValueError, RecursionError) as error:
            return Answer(Outcome.USAGE, f"{request.verb[:64]}: {describe(error)}")
        if command.verb != request.verb:
            return Answer(Outcome.USAGE, "the request and its command name different verbs")
        asked.command = command
        return None

    def _carry_out(self, asked: Asked) -> Answer | None:
        command = asked.command
        assert command is not None
        return _answer_of(lambda: self._handler(asked, command))

    # Going on later

    def later(self, asked: Asked, go_on: Continuation) -> int:
        """Return the number of a job after which the command goes on."""
        job = self.core.next_job()
        self._continuations[job] = (asked, go_on)
        return job

    def done(self, job: int, done: Done) -> None:
        """Go on with the command that waits for this; one that nobody waits for is dropped."""
        found = self._continuations.pop(job, None)
        if found is None:
            if done.error:  # nobody waits for it, as for a status that is written back
                self.core.say("warning", done.error)
            return
        asked, go_on = found
        answer = _answer_of(lambda: go_on(done))
        if answer is not None:
            self.answer(asked, answer)

    def on_loaded(
        self, asked: Asked, key: ShotKey, go_on: Callable[[], Answer | None]
    ) -> Answer | None:
        """Go on at once, or after a shot that is stored but not in memory was read."""
        if key in self.core.shots or key not in self.core.stored:
            return go_on()

        def loaded(done: Done) -> Answer | None:
            assert isinstance(done, ShotRead)
            if done.error:
                raise Refused(f"{key} cannot be read now: {done.error}")
            shot = Shot(key)
            for record in done.records:
                shot.apply(record)
            shot.lines.update(done.lines)
            shot = self.core.shots.setdefault(key, shot)
            for server in self.core.fleet.servers.values():
                take_proofs(self.core, shot, server.register)
            for pilot in self.core.gone:
                take_end(self.core, shot, pilot)
            self.core.unload(keep=key)
            return go_on()

        self.core.after(ReadShot(self.later(asked, loaded), key))
        return None

    def hold_back(self, asked: Asked, answer: Answer | None) -> None:
        """Say nothing, not even the answer that is there already, before `noted` adds to it."""
        asked.is_held_back, asked.answer = True, answer
        self._unsaid.pop(asked.id, None)
        if answer is not None:
            self._tell(asked, answer)

    def noted(self, asked: Asked, notices: tuple[str, ...]) -> Answer | None:
        """Add what somebody looked for meanwhile. Return the answer that was held back for it."""
        asked.is_held_back, asked.notices = False, notices
        if asked.answer is None and asked.accepted is not None:
            self._unsaid[asked.id] = self.core.now + ACCEPT_S
        return asked.answer

    # Answers

    def _reply(self, asked: Asked, answer: Answer) -> Reply:
        return Reply(
            id=asked.id,
            outcome=answer.outcome,
            message=answer.message,
            notices=(*asked.notices, *answer.notices),
            result=_encoded(answer.result),
            unknown=answer.unknown,
            dangers=answer.dangers,
        )

    def _send(self, asked: Asked, answer: Answer) -> None:
        self.core.send(asked.client, self._reply(asked, answer))

    def answer(self, asked: Asked, answer: Answer) -> None:
        """Give the final answer, journalled with its effect unless it only read."""
        if asked.is_held_back:
            asked.answer = answer
            return
        self._pending.pop(asked.id, None)
        self._unsaid.pop(asked.id, None)
        reply = self._reply(asked, answer)
        if not asked.is_reading and answer.outcome is not Outcome.USAGE:
            kept = reply
            if len(reply.result) > _REPLY_BYTES_KEPT_MAX:
                kept = structs.replace(reply, result=b"")
            self._keep(kept)
            self.core.put_system(
                CommandDone(time=self.core.wall, command=asked.id, reply=_kept(kept))
            )
        if not asked.is_told:
            self._tell(asked, answer)
        if asked.is_reading and asked.verb != "wait":  # which tells what has come about
            self.core.send_reader(asked.client, reply)
        else:
            self.core.send(asked.client, reply)

    def _tell(self, asked: Asked, answer: Answer) -> None:
        """Tell the audit of an answer, in the commit that has what was done."""
        asked.is_told = True
        outcome, message = answer.outcome, answer.message
        self.audit.answered(asked.given, asked.command, outcome, message, asked.about)

    def answer_id(self, command: str, verb: str, answer: Answer) -> None:
        """Give the final answer to a command by its id; who asks for it again later has it, too."""
        asked = self._pending.get(command)
        if asked is None:
            request = Request(id=command, verb=verb, deadline_s=0.0, command=b"")
            asked = Asked(Given(request, NOBODY_KNOWN, self.core.now), INSIDE)
        self.answer(asked, answer)

    def accept(self, asked: Asked, answer: Answer, result: Callable[[], AnyResult]) -> None:
        """Say that the run has begun, unless it is over in a moment; the final answer follows.

        `result` is made only when it is said.
        """
        asked.accepted, asked.begun = answer, result
        self.begun(asked, answer.message)
        self._unsaid[asked.id] = self.core.now + ACCEPT_S

    def begun(self, asked: Asked, message: str) -> None:
        """Tell the audit of a command whose effect comes before its answer."""
        if asked.command is not None and asked.command.changes:
            self.audit.begun(asked.given, asked.command, message, asked.about)

    @property
    def due(self) -> float:
        """When somebody is due to hear something (monotonic)."""
        return min(self.audit.due, next(iter(self._unsaid.values()), inf))

    def tick(self) -> None:
        """Say what is due; the oldest comes first."""
        self.audit.tick()
        while self._unsaid:
            command, due = next(iter(self._unsaid.items()))
            if self.core.now < due:
                return
            del self._unsaid[command]
            asked = self._pending.get(command)
            if asked is not None and asked.accepted is not None:
                result = None if asked.begun is None else asked.begun()
                self._send(asked, replace(asked.accepted, result=result))

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


def _kept(reply: Reply) -> KeptReply:
    """Return a reply as the journal keeps it."""
    return KeptReply(
        outcome=reply.outcome,
        message=reply.message,
        notices=reply.notices,
        unknown=reply.unknown,
        dangers=reply.dangers,
        result=msgspec.Raw(reply.result) if reply.result else NO_RESULT,
    )


def _reply_of(done: CommandDone) -> Reply:
    """Return the reply that the journal has kept."""
    kept = done.reply
    if isinstance(kept, str):
        fields = msgspec.json.decode(kept)
        return msgspec.convert(fields | {"result": fields.get("result", "").encode()}, Reply)
    result = bytes(kept.result)
    return Reply(
        id=done.command,
        outcome=kept.outcome,
        message=kept.message,
        notices=kept.notices,
        unknown=kept.unknown,
        dangers=kept.dangers,
        result=b"" if result == b"null" else result,
    )


def _encoded(result: AnyResult | Page | None) -> bytes:
    if isinstance(result, Page):
        return result.data
    return b"" if result is None else encode_result(result)


class Family:
    """What each family of commands acts on."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._core = requests.core
        self._views = requests.views


def _answer_of(carry_out: Callable[[], Answer | None]) -> Answer | None:
    """Return what a command is answered with, also where it is refused."""
    try:
        return carry_out()
    except LookupFailed as error:
        return Unknown(str(error)).answer()
    except Refused as refused:
        return refused.answer()
