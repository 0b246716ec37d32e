"""Hosts the pulse queue: gives its commands, journals its records, tells it what follows. Pure.

What the queue gives is asked for as by any client, of the name INSIDE; the replies, and what
becomes of the runs of its plan, are told to it before anything else happens (`settle`).
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, cast

from msgspec import structs
from msgspec.structs import replace

from shotline.common.actions import Cause, Status
from shotline.common.base import to_json
from shotline.common.channels import QUEUE
from shotline.common.commands import encode_command
from shotline.common.dangers import Danger
from shotline.common.machine import KeptDeadline
from shotline.common.messages import Outcome, Reply, Request
from shotline.common.queue import commands as q
from shotline.common.queue.plans import FailedAction, FailsOn, PlanRun, PulsePlan
from shotline.common.queue.records import TASKS, LockChanged, QueueKept, QueueRecord
from shotline.common.queue.views import (
    AnyQueueResult,
    QueueEvent,
    QueueHistoryResult,
    QueueRefused,
    QueueSnapshot,
    RefusalCode,
    WorkersResult,
)
from shotline.common.records import RunOutcome, ShotKey
from shotline.common.views import CurrentResult, decode_result
from shotline.dispatcher.commands.answer import Answer, Asked
from shotline.dispatcher.commands.requests import Family, Requests
from shotline.dispatcher.core import INSIDE
from shotline.dispatcher.effects import Effect
from shotline.dispatcher.journal import Loaded
from shotline.dispatcher.journal.commit import EncodedHosted
from shotline.dispatcher.journal.hosted import StreamKeeper
from shotline.dispatcher.plans.ahead import Ahead
from shotline.dispatcher.plans.catalogs import Catalogs
from shotline.dispatcher.reading.paging import Page, numbered, page
from shotline.dispatcher.shots import Run, Shot
from shotline.pulse_queue.events import (
    AnswerTo,
    CommandAnswered,
    FunctionEnded,
    Give,
    Keep,
    Opened,
    Operation,
    QueueAnswer,
    QueueInput,
    QueueOutput,
    Reconfigured,
    Recovered,
    RunNews,
    TellProgress,
    TimePassed,
)
from shotline.pulse_queue.machine import PulseQueue
from shotline.pulse_queue.refusal import QueueRefusal
from shotline.pulse_queue.telling import without_key
from shotline.pulse_queue.world import Catalog, PhaseState

FAILED_MAX: Final = 100  # actions of a run that the history tells of
_FOREVER_S: Final = 1e12


class PlansHost(Family):
    """The queue, and all that it has to do with the dispatcher. It is the queue's `World`."""

    def __init__(self, requests: Requests) -> None:
        super().__init__(requests)
        core = self._core
        self.queue = PulseQueue(core.config, self, core.instant)
        self.deadline = KeptDeadline(self.queue.wake_at)
        self._catalogs = Catalogs(requests)
        self._keeper = StreamKeeper(
            QUEUE, core.put_hosted, lambda: self.queue.core.fold.kept(core.wall)
        )
        self.ahead = Ahead(core, self.queue, self._catalogs).plans
        self.warnings: Callable[[], tuple[str, ...]] = tuple  # about what is in the queue
        self._silent_since: float | None = None
        core.tell_hosted[QUEUE] = self._events
        for kind in (q.QueueAdd, q.QueuePropose):
            requests.made_again[kind] = self._added_again

    def load(self, loaded: Loaded) -> None:
        """Take what the journal holds of the queue."""
        records = cast("tuple[QueueRecord, ...]", loaded.hosted.get(QUEUE, ()))
        if left_out := self.queue.load(records, loaded.history):
            self._core.say(
                "warning",
                f"{left_out} records of the pulse queue are left out: Redis has lost what they are "
                "about; look through `shotline queue`",
            )
        self._keeper.loaded(len(records))
        fold = self.queue.core.fold
        self._silent_since = fold.last_at
        self._watch()
        self.deadline.ask()
        shot = self._core.shots.get(self._core.watched) if self._core.watched else None
        if shot is not None and shot.last_record_at is not None:
            self._silent_since = max(self._silent_since or 0.0, shot.last_record_at)

    def recovered(self) -> None:
        """Let the queue go on: the dispatcher dispatches."""
        since = self._silent_since
        silent_s = 0.0 if since is None else self._core.wall - since
        self._tell(Recovered(silent_s, self._core.may_lack_end))

    def configured(self, emergency_key: str) -> None:
        """Take another configuration."""
        self._tell(Reconfigured(self._core.config, emergency_key))

    @property
    def due(self) -> float:
        """When the queue looks at what is due (monotonic)."""
        return self.deadline.at

    def tick(self) -> None:
        """Let the queue look at what is due."""
        if self._core.now >= self.deadline.at:
            self._tell(TimePassed())

    def settle(self) -> bool:
        """Tell the queue what has come of its commands; return whether anything has."""
        core = self._core
        any_news = False
        while core.inside[INSIDE] or core.run_news:
            any_news = True
            inside, core.inside[INSIDE] = core.inside[INSIDE], []
            for message in inside:
                if isinstance(message, Reply):
                    self._answered(message)
            runs, core.run_news = core.run_news, []
            for key, number in dict.fromkeys(runs):
                self._run_news(key, number)
        if self.queue.core.ready:
            self._keeper.shorten()
        return any_news

    def write_anew(self) -> None:
        """Journal the whole state of the queue."""
        self._keeper.write_anew()

    # Operations

    def operate(
        self, asked: Asked, command: q.AnyQueueCommand, *, anew: bool = False
    ) -> Answer | None:
        """Carry out an operation, once the models of its experiments were read."""
        match command:
            case q.QueueList():
                return Answer(Outcome.OK, "", self._list(command.since))
            case q.QueueHistory():
                return self._history(command)
            case q.QueueAdd() | q.QueuePropose():
                plans = command.plans
            case q.QueueUpdate() | q.QueueExecute():
                plans = (command.plan,)
            case q.QueueKinds(phases=True):
                plans = tuple(PulsePlan(kind=name) for name in self.queue.core.kinds)
            case _:
                plans = ()
        kinds = self.queue.core.kinds
        trees = {
            (plan.experiment or "").strip().upper()
            or (kinds[plan.kind].experiment if plan.kind in kinds else None)
            or ""
            for plan in plans
        }
        wanting = self._catalogs.wanting(sorted(trees), anew=anew)
        if wanting is not None:
            self._catalogs.read(asked, wanting, lambda: self.operate(asked, command, anew=anew))
            return None
        operation = Operation(asked.id, command, asked.user)
        answer, output = self.queue.operate(self._core.instant, operation)
        self._carry_out(output)
        if answer is None:
            return None
        refused = answer.result
        if not anew and isinstance(refused, QueueRefused):
            is_phase = refused.code is RefusalCode.UNKNOWN_PHASE
            if is_phase and self._catalogs.wanting(sorted(trees), anew=True) is not None:
                return self.operate(asked, command, anew=True)
        told = _answer(answer)
        if command.changes and answer.outcome is Outcome.OK:
            return replace(told, notices=(*told.notices, *self.warnings()))
        return told

    def _added_again(
        self, command_id: str, command: q.QueueAdd | q.QueuePropose
    ) -> AnyQueueResult | None:
        found = self.queue.added_by(command_id, len(command.plans))
        return found.result if found is not None else None

    def _list(self, since: int) -> Page:
        listed = self.queue.telling.listed()
        fold = self.queue.core.fold
        if since:
            listed = structs.replace(listed, proposals=())
        return page(
            numbered(fold.order, since, lambda uid: fold.entries[uid]),
            self._core.page_bytes,
            lambda next_: structs.replace(listed, next=next_),
        )

    def _history(self, command: q.QueueHistory) -> Answer:
        fold = self.queue.core.fold
        try:
            items = self.queue.looking.history(command)
        except QueueRefusal as refusal:
            return _answer(self.queue.refused(refusal))
        told = page(
            numbered(items, command.since, lambda item: item),
            self._core.page_bytes,
            lambda next_: QueueHistoryResult(
                version=fold.versions.history, total=fold.history_total, next=next_
            ),
        )
        return Answer(Outcome.OK, "", told)

    def snapshot(self) -> QueueSnapshot:
        """Return the whole of the channel `queue`."""
        return self.queue.telling.snapshot()

    # What goes in and out

    def _tell(self, event: QueueInput) -> None:
        self._carry_out(self.queue.handle(self._core.instant, event))

    def _carry_out(self, output: Iterable[QueueOutput]) -> None:
        core = self._core
        for one in output:
            match one:
                case Keep(record):
                    self._keeper.keep(record)
                case Give():
                    self._watch()
                    self._requests.take(INSIDE, _request(one))
                case AnswerTo(command, verb, answer):
                    self._requests.answer_id(command, verb, _answer(answer))
                case TellProgress(progress):
                    payload = to_json(QueueEvent(progress=progress))
                    core.after(core.feed.publish(QUEUE, core.wall, payload))
        self._watch()
        self.deadline.ask()

    def _watch(self) -> None:
        running = self.queue.core.fold.running
        is_made = running is not None and running.shot
        self._core.watched = ShotKey(running.tree, running.shot) if running and is_made else None

    def _events(self, encoded: EncodedHosted) -> Iterator[Effect]:
        """Yield the event that tells observers of the queue's records."""
        core = self._core
        body, view = encoded.body, to_json(self.queue.telling.view())
        kept = cast("tuple[QueueRecord, ...]", encoded.records)
        if any(isinstance(record, QueueKept | LockChanged) for record in kept):
            records = b",".join(to_json(without_key(record)) for record in kept)
            body = b"[%b]" % records
        payload = b'{"records":%b,"queue":%b,"progress":null}' % (body, view)
        yield core.feed.publish(QUEUE, core.wall, payload)

    def _answered(self, reply: Reply) -> None:
        found = self._core.run_of_command(reply.id)
        if found is not None and found[0].key.tree == TASKS:
            if not found[1].is_open:
                self._tell(_function_ended(*found))
            return
        result = decode_result(reply.result) if reply.result else None
        self._tell(
            CommandAnswered(
                command=reply.id,
                outcome=reply.outcome,
                message=reply.message,
                notices=reply.notices,
                exists=any(one.danger is Danger.PULSE_EXISTS for one in reply.dangers),
                opened=self._opened(*found) if found is not None else None,
                shot=result.shot if isinstance(result, CurrentResult) else 0,
                servers=result.servers if isinstance(result, WorkersResult) else (),
            )
        )

    def _opened(self, shot: Shot, run: Run) -> Opened:
        running = self.queue.core.fold.running
        fails_on = (running.plan.fails_on if running is not None else None) or FailsOn.ANY
        return Opened(
            run=self._plan_run(shot, run),
            is_open=run.is_open,
            held=run.held or "",
            failure="" if run.is_open else self._failures(shot, run)[fails_on.value],
        )

    def _run_news(self, key: ShotKey, number: int) -> None:
        shot = self._core.shots.get(key)
        run = shot.runs.get(number) if shot is not None else None
        if shot is None or run is None:
            return
        if key.tree == TASKS:
            if not run.is_open:
                self._tell(_function_ended(shot, run))
            return
        self._tell(
            RunNews(
                run=self._plan_run(shot, run),
                command=run.opened.command,
                is_open=run.is_open,
                held=run.held or "",
                aborted=run.ended_for_hold if run.held else (),
                failures={} if run.is_open else self._failures(shot, run),
            )
        )

    def _failed(self, shot: Shot, run: Run) -> list[str]:
        return [path for path in run.paths if path in shot.actions and shot.failed(path)]

    def _failures(self, shot: Shot, run: Run) -> dict[str, str]:
        """Return why a run counts as failed, by what a plan fails on."""
        assert run.ended is not None
        name = f"{run.opened.phase} (run {run.number} of {shot.key})"
        if run.ended.outcome is RunOutcome.ABORTED:
            return dict.fromkeys(FailsOn, f"{name} was aborted: {run.ended.reason}")
        failed = self._failed(shot, run)
        essential = [path for path in failed if shot.table.node(path).essential]
        return {
            FailsOn.ANY: _failed_words(shot, name, failed),
            FailsOn.ESSENTIAL: _failed_words(shot, name, essential),
            FailsOn.NONE: "",
        }

    def _plan_run(self, shot: Shot, run: Run) -> PlanRun:
        opened, ended = run.opened, run.ended
        found = PlanRun(
            tree=shot.key.tree,
            shot=shot.key.shot,
            run=run.number,
            phase=opened.phase,
            opened_at=opened.time,
        )
        if ended is None:
            return found
        return structs.replace(
            found,
            outcome=ended.outcome.value,
            reason=ended.reason,
            counts=ended.counts,
            failed=tuple(
                _failed_action(shot, path) for path in self._failed(shot, run)[:FAILED_MAX]
            ),
            ended_at=ended.time,
            duration_s=ended.duration_s,
        )

    # The queue's world

    def catalog(self, tree: str) -> Catalog | None:
        """Return what is known of an experiment's phases."""
        return self._catalogs.of(tree)

    def served(self) -> frozenset[str]:
        """Return the server classes that have a server, present or configured."""
        servers = self._core.fleet.servers.values()
        here = {server.register.server_class for server in servers if not server.is_lost}
        return frozenset(
            here | {name.partition(":")[0] for name in self._core.config.named_servers}
        )

    def servers_of(self, server_class: str) -> tuple[str, ...]:
        """Return the present servers of a class."""
        return tuple(
            server.name
            for server in self._core.fleet.servers.values()
            if server.register.server_class == server_class and not server.is_lost
        )

    def next_shot(self, tree: str) -> int:
        """Return the number above all shots of an experiment that are known here."""
        known = (key.shot for key in (*self._core.stored, *self._core.shots) if key.tree == tree)
        return max(known, default=0) + 1

    def phase_state(self, tree: str, shot: int, run: int) -> PhaseState | None:
        """Return how far a run is."""
        found = self._core.shots.get(ShotKey(tree, shot))
        its_run = found.runs.get(run) if found is not None else None
        if found is None or its_run is None:
            return None
        lives = [found.actions[path] for path in its_run.paths if path in found.actions]
        return PhaseState(sum(live.cause is not None for live in lives), len(lives))


def _function_ended(shot: Shot, run: Run) -> FunctionEnded:
    (path,) = run.opened.paths
    live = shot.actions[path]
    is_ok = live.status is Status.SUCCESS
    return FunctionEnded(
        command=run.opened.command,
        ok=is_ok,
        text=live.reason or f"{live.state.value} {live.cause.value if live.cause else ''}".strip(),
        server=live.server or "",
        duration_s=live.duration_s,
    )


def _request(given: Give) -> Request:
    return Request(
        id=given.id,
        verb=given.command.verb,
        deadline_s=_FOREVER_S,
        user="queue",
        command=encode_command(given.command),
    )


def _answer(answer: QueueAnswer) -> Answer:
    return Answer(
        answer.outcome, answer.message, answer.result, answer.notices, unknown=answer.unknown
    )


def _failed_words(shot: Shot, name: str, paths: list[str]) -> str:
    if not paths:
        return ""
    listed = ", ".join(shot.table.node(path).name for path in paths[:10])
    more = f" and {len(paths) - 10} more" if len(paths) > 10 else ""
    return f"{name}: {len(paths)} failed: {listed}{more}"


def _failed_action(shot: Shot, path: str) -> FailedAction:
    live = shot.actions[path]
    return FailedAction(
        path=path,
        state=live.state.value,
        status=live.status,
        cause=live.cause.value if isinstance(live.cause, Cause) else "",
        reason=live.reason,
        code=live.code,
        server=live.server or "",
        attempt=live.attempt,
        ended_at=live.ended_at,
        duration_s=live.duration_s,
    )
