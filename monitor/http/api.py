"""The HTTP interface under /api: commands in, JSON out, with the right status codes.

Who may do what is `access`' decision, which routes there are is `routes`'; what the commands do is
the dispatcher's. `docs/websocket.md` describes the interface for people.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

from msgspec import structs
from pydantic import BaseModel, ValidationError
from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from shotline.client.calls import Call
from shotline.client.consumer import DELAY_S, here, passed_on
from shotline.client.errors import SupervisorError, TimedOut
from shotline.client.exports import queue_export
from shotline.client.plain import plain as shown
from shotline.common.audit_words import said, words_of
from shotline.common.base import Struct, Value, to_json
from shotline.common.command import Command
from shotline.common.commands import AnyCommand, Check, Logs
from shotline.common.dangers import Danger, NamedDanger
from shotline.common.messages import Behalf, Outcome, Reply
from shotline.common.queue.commands import QueueCommand, QueueHistory
from shotline.common.queue.plans import HistoryItem
from shotline.common.scopes import Scope
from shotline.common.settings.sections.monitor import MonitorSection
from shotline.common.views import decode_result
from shotline.common.volumes.commands import RecordsLease
from shotline.common.volumes.views import LeasesResult
from shotline.monitor.access import Identity, Refusal
from shotline.monitor.access.gate import Gate
from shotline.monitor.access.identity import behalf_of
from shotline.monitor.channels.websocket import Readers
from shotline.monitor.follower import Follower, instant
from shotline.monitor.http.page_line import NotRunnable, scope_of_line, what_it_ends
from shotline.monitor.http.requests import (
    STATUS_OF,
    BadInput,
    body_of,
    command_of,
    problems_of,
    query_of,
    status_of,
    text_of,
    with_query,
)
from shotline.monitor.http.route import Route
from shotline.monitor.http.runner import Runner
from shotline.monitor.metrics import Metrics
from shotline.monitor.models import (
    CommandAnswer,
    CommandLineRequest,
    FieldProblem,
    LogAnswer,
    LogRequest,
    MonitorAnswer,
    ProgramAnswer,
    ServerCommandRequest,
    ServerPastAnswer,
)

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

LOOKING: Final = (Scope.READ, Scope.METRICS)  # what changes nothing, by whatever method
CLOSED: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers that keep other sites and browsers from making more of an answer than it is."""
LINES_PER_PAGE: Final = 1000
HISTORY_FORMS: Final = {
    "jsonl": "application/jsonl; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
}
_UNSAFE_IN_A_FILE_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def raw_call(command: AnyCommand, behalf: Behalf | None = None) -> Call[Reply]:
    """Return the call of a command that somebody gives; one that waits takes as long as its run.

    Its reply is passed on as it came: one page, whose `next` whoever asks goes on with.
    """
    waits = command.verb == "wait" or bool(getattr(command, "wait", False))
    return Call(command, lambda reply, _: reply, waits, raw=True, behalf=behalf)


class Services(Value):
    """What the handlers share."""

    follower: Follower
    readers: Readers
    gate: Gate
    metrics: Metrics
    runner: Runner
    settings: MonitorSection
    server_classes: frozenset[str]
    document: bytes


def close(handler: RequestHandler) -> None:
    """Set those headers, and tell nobody which program answers."""
    handler.clear_header("Server")
    for name, value in CLOSED.items():
        handler.set_header(name, value)


def keep_cookie(
    handler: RequestHandler, name: str, value: str, *, secure: bool, is_secret: bool = False
) -> None:
    """Have a browser keep a cookie of ours, or forget it where it is empty.

    A secret one is for no script. None is sent along from other sites.
    """
    handler.set_cookie(
        name,
        value,
        path="/",
        samesite="Strict",
        secure=secure,
        httponly=is_secret,
        max_age=None if value else 0,
    )


class Handler(RequestHandler):
    """The base of all: who may ask, how bad input and errors are answered."""

    def initialize(self, services: Services, route: Route) -> None:
        """Take what all handlers share, and the route that leads here."""
        self.services, self.route = services, route
        self.who: Identity | None = None  # who asks, where that is known
        self._cancel: Callable[[], bool] = lambda: False

    def set_default_headers(self) -> None:
        """Let no browser guess, frame or keep what it is answered."""
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        close(self)

    async def prepare(self) -> None:
        """Refuse who may not ask."""
        method = self.request.method or ""
        scope = self.route.needs.get(method)
        changes = method not in ("GET", "HEAD") and scope not in LOOKING
        who = self.services.gate.admit(self.request, scope, changes=changes)
        if changes and isinstance(who, Identity) and scope is not None:
            who = self.services.gate.refuses_old(who) or who
        if changes and isinstance(who, Identity) and scope is not None and not self.route.is_free:
            who = self.services.gate.refuses_control(who) or who
        if isinstance(who, Refusal):
            if changes and scope is not None:
                self._note_refused(who)
            self.refuse_who(who)
        else:
            self.who = who

    def _note_refused(self, refusal: Refusal) -> None:
        """Let the audit have what somebody may not, as far as it can be read."""
        gate = self.services.gate
        who = refusal.who
        behalf = behalf_of("", gate.asked(self.request).address) if who is None else who.behalf
        gate.notes.refused(instant(), behalf, self.route.name, message=refusal.text, **self._said())

    def _said(self) -> dict[str, object]:
        """Return what the body's command says, for the audit; nothing where it is none."""
        if self.route.command is None:
            return {}
        try:
            command = command_of(self.route.command, self.request.body or b"{}")
        except BadInput:
            return {}
        shot = {"tree": getattr(command, "tree", None), "shot": getattr(command, "shot", None)}
        return {**shot, "arguments": said(command)}

    def refuse_who(self, refusal: Refusal) -> None:
        """Answer that who asks may not, and why."""
        if refusal.status == 401:
            self.set_header("WWW-Authenticate", 'Bearer realm="Shotline"')
        if refusal.retry_after_s:
            self.set_header("Retry-After", str(refusal.retry_after_s))
        self.refuse(refusal.status, Outcome.REFUSED, refusal.text)

    def body_as(self, model: type[M]) -> M:
        """Return the request's body. Raise BadInput."""
        try:
            return model.model_validate_json(self.request.body or b"{}")
        except ValidationError as error:
            raise BadInput(problems_of(error)) from None

    def query(self) -> dict[str, str]:
        """Return the query's arguments. Raise BadInput."""
        return {name: text_of(name, given) for name, given in self.request.query_arguments.items()}

    def answer(self, said: Struct) -> None:
        """Answer with a struct."""
        self.finish(to_json(said))

    def refuse(
        self,
        status: int,
        outcome: Outcome,
        message: str,
        fields: tuple[FieldProblem, ...] = (),
        notices: tuple[str, ...] = (),
    ) -> None:
        """Answer that it was not done, and why."""
        self.set_status(status)
        self.answer(CommandAnswer(outcome=outcome, message=message, fields=fields, notices=notices))

    async def waited(self, work: Awaitable[T]) -> T:
        """Wait for something; whoever goes away meanwhile waits no longer."""
        task = asyncio.ensure_future(work)
        self._cancel = task.cancel
        return await task

    def on_connection_close(self) -> None:
        """Stop waiting for an answer that nobody reads. What was asked for goes on."""
        self._cancel()

    def write_error(self, status_code: int, **kwargs: object) -> None:
        """Answer what went wrong in the same form as all else."""
        info = kwargs.get("exc_info")
        error = info[1] if isinstance(info, tuple) else None
        match error:
            case BadInput():
                self.refuse(422, Outcome.USAGE, str(error), error.fields)
            case NotRunnable():
                self.refuse(409, Outcome.REFUSED, str(error))
            case TimedOut():
                self.refuse(504, error.outcome, str(error), notices=error.notices)
            case SupervisorError():
                status = STATUS_OF[error.outcome]
                self.refuse(status, error.outcome, str(error), notices=error.notices)
            case _ if status_code == 404:
                self.refuse(404, Outcome.REFUSED, f"there is nothing at {self.request.path[:200]}")
            case _ if status_code == 405:
                words = f"{self.request.method} is not for {self.request.path[:200]}"
                self.refuse(405, Outcome.USAGE, words)
            case _:
                words = "a fault of ours; the monitor's log says more"
                self.refuse(status_code, Outcome.ERROR, words)

    def log_exception(self, typ: object, value: BaseException | None, tb: object) -> None:  # noqa: ARG002
        """Log faults of ours with their story, and nothing else."""
        if not isinstance(
            value, BadInput | NotRunnable | SupervisorError | StreamClosedError
        ) and not hasattr(value, "status_code"):
            log.error("%s %s", self.request.method, self.request.path, exc_info=value)


class CommandHandler(Handler):
    """One verb: its command is asked of the dispatcher, and the reply passed on."""

    async def post(self) -> None:
        """Carry out the command of the body; its fields may stand in the query, too."""
        body, given = self.request.body or b"{}", self.query()
        command = command_of(self._kind, body)
        await self._ask(with_query(command, given) if given else command)

    async def get(self) -> None:
        """Answer a question whose arguments are in the query."""
        if "GET" not in self.route.needs:
            self.set_header("Allow", "POST")
            self.refuse(405, Outcome.USAGE, f"{self.route.name} changes something: use POST")
            return
        command = query_of(self._kind, self.query())
        if isinstance(command, Check) and command.reset:
            raise BadInput((FieldProblem(field="reset", message="use POST to reset"),))
        await self._ask(command)

    @property
    def _kind(self) -> type[Command]:
        assert self.route.command is not None
        return self.route.command

    def _names_another(self, command: AnyCommand) -> bool:
        """Return whether a person who is known says that somebody else asks."""
        if self.who is None or self.who.via not in ("session", "proxy"):
            return False
        return isinstance(command, QueueCommand) and command.user not in ("", self.who.name)

    async def _ask(self, command: AnyCommand) -> None:
        if self._names_another(command):
            self.refuse(403, Outcome.REFUSED, f"`user`: you are known as {self.who}; leave it out")
            return
        command = self._as_asked(command)
        call = raw_call(command, None if self.who is None else self.who.behalf)
        changes = command.SCOPE is not Scope.READ and not command.ROUTINE
        given = shown(words_of(command)) if changes else ""
        if changes:
            log.info("%s gives %s", self.who, given)
        reply = await self.waited(self.services.follower.supervisor.ask(call))
        reply = await self._passed_on(command, reply)
        if changes:
            log.info("%s: %s, %s for %s", reply.outcome, shown(reply.message), self.who, given)
        self.set_status(status_of(reply))
        self.finish(body_of(reply))

    def _as_asked(self, command: AnyCommand) -> AnyCommand:
        """Return the command as the dispatcher is asked it."""
        return command

    async def _passed_on(self, command: AnyCommand, reply: Reply) -> Reply:  # noqa: ARG002
        """Return the reply as it is passed on."""
        return reply


class LeaseHandler(CommandHandler):
    """Leases of data records: of files on this machine nobody is given one that has changed.

    Where checksums are to be compared, only records of files on this machine are leased.
    """

    def _as_asked(self, command: AnyCommand) -> AnyCommand:
        assert isinstance(command, RecordsLease)
        if command.verify != "checksum":
            return command
        return structs.replace(command, files_on=here())

    async def _passed_on(self, command: AnyCommand, reply: Reply) -> Reply:
        assert isinstance(command, RecordsLease)
        result = decode_result(reply.result) if reply.result else None
        if not isinstance(result, LeasesResult):
            return reply
        found, bad = await asyncio.to_thread(passed_on, result, command.verify)
        if not bad:
            return reply
        for token, wrong in bad.items():
            await self.services.follower.supervisor.records_return(
                command.consumer, [token], delay_s=DELAY_S, reason=wrong
            )
        left = len(found.leases)
        message = f"{left} record{'' if left == 1 else 's'}; given back: {'; '.join(bad.values())}"
        return structs.replace(reply, message=message, result=to_json(found))


class LogFileHandler(Handler):
    """An attempt's output as a text file."""

    async def get(self) -> None:
        """Write the output, page by page."""
        names = ("tree", "shot", "path", "attempt")
        given = self.query()
        for name in given:
            if name not in names:
                raise BadInput((FieldProblem(field=name, message="is no argument of this"),))
        command = query_of(Logs, given)
        assert isinstance(command, Logs)
        supervisor = self.services.follower.supervisor
        since, more, begun = 0, True, False
        while more:
            page = await self.waited(
                supervisor.logs(
                    command.path,
                    command.tree,
                    command.shot,
                    attempt=command.attempt,
                    since=since,
                    limit=LINES_PER_PAGE,
                )
            )
            if not begun:
                begun = True
                self._begin(command, page.attempt)
            self.write("".join(line.text + "\n" for line in (*page.lines, *page.tails)))
            await self.flush()
            more = page.more and bool(page.lines)
            since = page.lines[-1].number + 1 if more else since

    def _begin(self, command: Logs, attempt: int) -> None:
        shot = f"{command.tree}-{command.shot}-" if command.tree else ""
        name = _UNSAFE_IN_A_FILE_NAME.sub("_", f"{shot}{command.path}-{attempt}").strip("_")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Content-Disposition", f'attachment; filename="{name}.txt"')


class HistoryFileHandler(Handler):
    """The queue's history as a file of JSON lines, or CSV."""

    async def get(self) -> None:
        """Write a line for each plan, run or action."""
        given = self.query()
        wanted = {name: given.pop(name) for name in ("form", "by") if name in given}
        form, by = wanted.get("form", "jsonl"), wanted.get("by", "plan")
        for name, value, known in (("form", form, HISTORY_FORMS), ("by", by, queue_export.COLUMNS)):
            if value not in known:
                words = f"must be one of {', '.join(known)}"
                raise BadInput((FieldProblem(field=name, message=words),))
        command = query_of(QueueHistory, given)
        assert isinstance(command, QueueHistory)
        supervisor = self.services.follower.supervisor
        asked = supervisor.queue_history(command.last, all=command.all, uid=command.uid)
        history = await self.waited(asked)
        self.set_header("Content-Type", HISTORY_FORMS[form])
        self.set_header("Content-Disposition", f'attachment; filename="history-{by}.{form}"')
        as_csv = form == "csv"
        for line in queue_export.head(by, as_csv=as_csv):
            self.write(line + "\n")
        for item in history.items:
            async for row in self._rows(item, by):
                self.write(queue_export.line(row, by, as_csv=as_csv) + "\n")
            await self.flush()

    async def _rows(self, item: HistoryItem, by: str) -> AsyncIterator[queue_export.Row]:
        if by == "plan":
            yield queue_export.plan_row(item)
            return
        for run in item.result.runs:
            if by == "run":
                yield queue_export.run_row(item, run)
                continue
            supervisor = self.services.follower.supervisor
            try:
                report = await self.waited(supervisor.wait(run.tree, run.shot, run.run))
            except SupervisorError as error:
                log.info("no actions of %s/%d run %d: %s", run.tree, run.shot, run.run, error)
                continue
            for row in queue_export.action_rows(item, run, report):
                yield row


class MonitorHandler(Handler):
    """What the monitor is connected to."""

    def get(self) -> None:
        """Answer with the system's state."""
        view = self.services.follower.view
        self.answer(MonitorAnswer(system=view.system, shots=tuple(view.all_shots())))


class ServerPastHandler(Handler):
    """What a server has run."""

    def get(self) -> None:
        """Answer with what it has run of the shots that are held."""
        given = self.query()
        if given.keys() != {"server"}:
            raise BadInput((FieldProblem(field="server", message="give it, and nothing else"),))
        past = self.services.follower.view.past_of(given["server"])
        self.answer(ServerPastAnswer(actions=tuple(past)))


class LogHandler(Handler):
    """Test messages for the live log."""

    def post(self) -> None:
        """Write a message to the live log."""
        request = self.body_as(LogRequest)
        words = shown(request.text)
        self.services.follower.say(request.level, "test message", words)
        log.info("test message (%s): %s", request.level, words)
        self.answer(LogAnswer(text=words))


class ServerCommandHandler(Handler):
    """What starts and ends servers: the site's script, or `shotline up`."""

    async def post(self) -> None:
        """Have it done for a class, or for one of its servers."""
        request = self.body_as(ServerCommandRequest)
        known = self._known()
        if request.server_class not in known:
            listed = ", ".join(sorted(known)) or "none"
            words = f"unknown server class {request.server_class}; known: {listed}"
            self.refuse(404, Outcome.REFUSED, words)
            return
        log.warning(
            "server_command %s %s %s, by %s",
            request.server_class,
            request.command,
            request.server_id,
            self.who,
        )
        answer = await self.services.runner.server_command(
            request.server_class,
            request.command,
            request.server_id,
            self.services.settings.server_command_timeout_s,
        )
        self._note(answer)
        self.answer(answer)

    def _note(self, answer: ProgramAnswer) -> None:
        assert self.who is not None
        is_done = answer.exit_code == 0
        code = "it took too long" if answer.timed_out else f"exit code {answer.exit_code}"
        self.services.gate.notes.add(
            self.who.behalf,
            time.time(),
            "server_command",
            Outcome.OK if is_done else Outcome.FAILED,
            message="" if is_done else code,
            arguments=" ".join(answer.arguments[1:]),
            duration_s=answer.duration_s,
        )

    def _known(self) -> set[str]:
        view = self.services.follower.view
        found = set(self.services.server_classes)
        found |= {server.server_class for server in view.servers.values()}
        for shot in view.shots.values():
            found |= {action.server_class for action in shot.board.actions.values()}
        return found


class CommandLineHandler(Handler):
    """A line of `shotline` that is for a page."""

    async def post(self) -> None:
        """Run the line and answer with what it wrote."""
        request = self.body_as(CommandLineRequest)
        scope = scope_of_line(request.line)
        if self.who is not None and not self.who.may(scope):
            text = f"{self.who} may not do that: it is for {scope}"
            self.services.gate.notes.refused(
                instant(), self.who.behalf, "command_line", message=text, arguments=request.line
            )
            self.refuse(403, Outcome.REFUSED, text)
            return
        if request.careful and Danger.ENDS not in request.insist:
            ending = what_it_ends(request.line)
            if ending is not None:
                self.set_status(409)
                danger = NamedDanger(danger=Danger.ENDS, text=ending)
                self.answer(
                    CommandAnswer(outcome=Outcome.REFUSED, message=ending, dangers=(danger,))
                )
                return
        log.info("custom command of %s: %s", self.who, shown(request.line))
        timeout_s = self.services.settings.command_line_timeout_s
        behalf = None if self.who is None else self.who.behalf
        running = self.services.runner.command_line(request.line, timeout_s, behalf)
        self.answer(await self.waited(running))


class NothingHere(Handler):
    """Paths that are none of ours."""

    def _nothing(self) -> None:
        self.refuse(404, Outcome.REFUSED, f"there is nothing at {self.request.path[:200]}")

    get = post = put = delete = patch = _nothing
