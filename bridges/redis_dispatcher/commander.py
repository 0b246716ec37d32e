"""Carries out what old programs ask for, by the client library, in the order they asked.

What an order is, is `translation`'s. Whatever goes wrong is logged and counted; the one answer that
old programs know is END_PHASE, and they get it for every do_phase that does not begin a run.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from typing import Final

from shotline.bridges.redis_dispatcher.changes import Change, Publish
from shotline.bridges.redis_dispatcher.mirror import Mirror
from shotline.bridges.redis_dispatcher.translation import (
    COMMANDS,
    MONITOR,
    AbortAction,
    AbortAll,
    AbortAllPending,
    BadOldMessage,
    Beat,
    Order,
    TakeQueue,
    end_phase,
    order_of_command,
    order_of_server,
    queued_action,
    verb_of,
)
from shotline.client.errors import Refused, RunNotGood, SupervisorError
from shotline.client.supervisor import AsyncSupervisor
from shotline.common import commands as c
from shotline.common.records import ShotKey
from shotline.common.redis.connection import REDIS_ERRORS
from shotline.common.views import ActionsResult

log = logging.getLogger(__name__)

WAITING_MAX: Final = 1000
LOGGED_EACH: Final = 100  # of the bad messages so many are logged, then every hundredth

Run = c.DoPhase | c.DoSequence
InOrder = c.CreatePulse | c.BuildTables | Run | c.PrintPending
TakeItems = Callable[[str, Callable[[bytes], bool]], Awaitable[list[bytes]]]


class Commander:
    """Takes old messages and sees to them. `write` hands changes to the old Redis.

    `take_items` takes out of a server class's queue what a test says is ours. `allowed` are the
    verbs of commands that old programs may give.
    """

    def __init__(
        self,
        supervisor: AsyncSupervisor,
        mirror: Mirror,
        write: Callable[[Iterable[Change]], None],
        take_items: TakeItems,
        *,
        allowed: Collection[str],
        replace_pulse: bool,
    ) -> None:
        self._supervisor = supervisor
        self._mirror = mirror
        self._write = write
        self._take_items = take_items
        self._allowed = allowed
        self._replace_pulse = replace_pulse
        self._waiting: deque[InOrder] = deque()
        self._arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter()

    def take(self, channel: bytes, data: bytes) -> None:
        """Take a message that an old program has published."""
        try:
            if channel == COMMANDS.encode():
                order = order_of_command(data, replace_pulse=self._replace_pulse)
            else:
                order = order_of_server(channel, data)
        except BadOldMessage as error:
            self.counts["messages"] += 1
            self.bad(str(error))
            if error.end_phase is not None:
                self._write([Publish(MONITOR, error.end_phase)])
            return
        # Signs of life are asked for by the bridge, too.
        self.counts["messages"] += not isinstance(order, Beat)
        verb = verb_of(order)
        if verb is None or verb in self._allowed:
            self._sort(order)
            return
        self._refused(verb, "it is not among legacy.commands of the configuration")
        self._owe(order)

    def bad(self, why: str) -> None:
        """Count what is no message of the Redis dispatcher's, and log it."""
        self.counts["bad"] += 1
        number = self.counts["bad"]
        if number <= LOGGED_EACH or number % LOGGED_EACH == 0:
            log.warning("bad message %d of an old program, nothing was changed: %s", number, why)

    async def work(self) -> None:
        """Carry out, one after the other, what must keep its order. For ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._carry_out(self._waiting.popleft())

    def close(self) -> None:
        """End what is under way here; what was sent goes on."""
        for task in self._tasks:
            task.cancel()

    def _sort(self, order: Order) -> None:
        match order:
            case c.CreatePulse() | c.BuildTables() | c.DoPhase() | c.DoSequence():
                if order.tree is not None and not self._mirror.wants(order.tree):
                    log.debug("%s of %s is not for us", order.verb, order.tree)
                    return
                self._queue(order)
            case c.PrintPending():
                self._queue(order)
            case AbortAll():
                # What was asked for before the abort must not begin after it.
                self._drop_runs()
                self._spawn("abort", self._abort_all())
            case AbortAllPending():
                self._spawn("abort_pending", self._abort_all_pending())
            case TakeQueue(server_class):
                self._spawn("dispatch", self._take_queue(server_class))
            case AbortAction(server_class, path):
                self._spawn("abort", self._abort_action(server_class, path))
            case Beat(server):
                self._beat(server)
            case c.Quit():
                self._spawn("quit", self._say(self._supervisor.quit()))
            case c.ServerRestart(server=server):
                self._spawn("server_restart", self._say(self._supervisor.server_restart(server)))
            case c.ServerStop(server=server):
                self._spawn("server_stop", self._say(self._supervisor.server_stop(server)))
            case c.ServerQuit(server=server):
                self._spawn("server_quit", self._say(self._supervisor.server_quit(server)))

    def _queue(self, order: InOrder) -> None:
        if len(self._waiting) >= WAITING_MAX:
            self._refused(order.verb, "too many commands wait")
            self._owe(order)
            return
        self._waiting.append(order)
        self._arrived.set()

    def _drop_runs(self) -> None:
        kept: deque[InOrder] = deque()
        for order in self._waiting:
            if isinstance(order, Run):
                self._refused(order.verb, f"{_named(order)}: an abort came before it began")
                self._owe(order)
            else:
                kept.append(order)
        self._waiting = kept

    def _owe(self, order: Order) -> None:
        """Answer a run that does not begin, so that nobody waits for its end."""
        if isinstance(order, Run):
            tree, shot = order.tree or "", order.shot or 0
            self._write([Publish(MONITOR, end_phase(tree, shot, order.phase))])

    def _refused(self, verb: str, why: object) -> None:
        self.counts["refused"] += 1
        log.warning("%s of an old program was not carried out: %s", verb, why)

    def _spawn(self, verb: str, work: Coroutine[None, None, None]) -> None:
        if len(self._tasks) >= WAITING_MAX:
            work.close()
            self._refused(verb, "too many commands are under way")
            return

        async def guarded() -> None:
            try:
                await work
            except SupervisorError as error:
                self._refused(verb, error)
            except REDIS_ERRORS as error:
                self._refused(verb, f"the Redis server of the old programs: {error}")

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, order: InOrder) -> None:
        try:
            match order:
                case c.CreatePulse(tree=tree, shot=shot, replace=replace):
                    answer = await self._supervisor.create_pulse(tree, shot, replace=replace)
                    _tell(answer.message, answer.notices)
                case c.BuildTables():
                    await self._build(order)
                case c.PrintPending():
                    _list(await self._supervisor.pending())
                case c.DoPhase() | c.DoSequence():
                    await self._run(order)
        except SupervisorError as error:
            self._refused(order.verb, f"{_named(order)}: {error}")
            self._owe(order)

    async def _build(self, order: c.BuildTables) -> None:
        """Build tables with all states forgotten, as the old dispatcher does.

        But what may still be running is not forgotten: only a person may decide about it.
        """
        reset = True
        try:
            before = await self._supervisor.actions(order.tree, order.shot)
        except Refused:
            pass  # none are built yet
        else:
            unsure = [
                one.path
                for one in before.actions
                if one.last.outcome_unknown or one.last.state in ("DISPATCHED", "DOING")
            ]
            if unsure:
                reset = False
                log.warning(
                    "%s: states are kept, since these may still be running: %s; see "
                    "`shotline actions`",
                    _named(order),
                    ", ".join(unsure),
                )
        built = await self._supervisor.build_tables(
            order.tree, order.shot, reset=reset, list_actions=False
        )
        log.info("%s: tables of %d actions were built", _named(order), built.shots[0].actions)

    async def _run(self, order: Run) -> None:
        shotline = self._supervisor
        try:
            if isinstance(order, c.DoSequence):
                report = await shotline.do_sequence(
                    order.phase, order.first, order.last, order.tree, order.shot, wait=False
                )
            else:
                report = await shotline.do_phase(order.phase, order.tree, order.shot, wait=False)
        except RunNotGood as error:
            # It began; its end is announced like that of any other run.
            if error.report is not None:
                began = error.report.run
                self._mirror.begun(ShotKey(began.tree, began.shot), began.run)
            log.info("%s: %s", _named(order), error)
        else:
            self._mirror.begun(ShotKey(report.run.tree, report.run.shot), report.run.run)
            _tell(report.message, report.notices)

    async def _say(self, asking: Awaitable[object]) -> None:
        answer = await asking
        _tell(str(getattr(answer, "message", answer)), getattr(answer, "notices", ()))

    async def _abort_all(self) -> None:
        if self._mirror.trees is None:
            await self._say(self._supervisor.abort(all_runs=True))
            return
        for key in await self._open_shots():
            await self._say(self._supervisor.abort(tree=key.tree, shot=key.shot))

    async def _abort_all_pending(self) -> None:
        for key in await self._open_shots():
            await self._say(self._supervisor.abort_pending(*key))

    async def _open_shots(self) -> list[ShotKey]:
        status = await self._supervisor.status()
        return [
            ShotKey(shot.tree, shot.shot)
            for shot in status.shots
            if self._mirror.wants(shot.tree) and any(run.state != "ended" for run in shot.runs)
        ]

    async def _abort_action(self, server_class: str, path: str) -> None:
        found = self._mirror.holders(server_class, path)
        if len(found) == 1:
            await self._say(self._supervisor.abort(path, *found[0]))
        elif found:
            listed = ", ".join(map(str, found))
            self._refused("abort", f"{path} is in several shots ({listed}): abort it in Shotline")
        else:
            self._refused("abort", f"{path} of {server_class} neither runs nor waits")

    async def _take_queue(self, server_class: str) -> None:
        for item in await self._take_items(server_class, self.is_ours):
            try:
                wanted = queued_action(item)
            except BadOldMessage as error:
                self.bad(f"in the queue of {server_class}: {error}")
                continue
            try:
                report = await self._supervisor.dispatch(
                    wanted.path, wanted.tree, wanted.shot, wait=False
                )
            except SupervisorError as error:
                self._refused("dispatch", error)
            else:
                _tell(report.message, report.notices)

    def is_ours(self, item: bytes) -> bool:
        """Return whether an item is to be taken out of a queue: bad ones, too, or they stay."""
        try:
            tree = queued_action(item).tree
        except BadOldMessage:
            return True
        return tree is not None and self._mirror.wants(tree)

    def _beat(self, server: str) -> None:
        beat = self._mirror.servers.beat_of(server)
        if not beat:
            log.info("no sign of life for %s: it is not alive", server)
        self._write(beat)


def _named(order: InOrder) -> str:
    if isinstance(order, c.PrintPending):
        return order.verb
    phase = f" {order.phase}" if isinstance(order, Run) else ""
    return f"{order.verb} {order.tree}/{order.shot}{phase}"


def _tell(message: str, notices: tuple[str, ...]) -> None:
    log.info("%s", "; ".join((message, *notices)))


def _list(pending: ActionsResult) -> None:
    log.info("%d actions are pending", len(pending.actions))
    for action in pending.actions:
        log.info("pending: %s waits for %s", action.path, action.waits_for)
