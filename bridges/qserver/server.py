"""The bridge's shell: requests in, replies, status and console out, commands to Shotline.

What a request comes to is `machine`'s, what is known of the queue `view`'s. Every request is
answered within ANSWER_S, whatever Shotline, Redis or a tree does: its clients wait no longer.
"""

import asyncio
import contextlib
import logging
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import zmq
import zmq.asyncio
import zmq.auth

from shotline.bridges.qserver import console, wire
from shotline.bridges.qserver.asking import Body, Done, Effect, Heard, Question, Step
from shotline.bridges.qserver.machine import STATUS, Machine
from shotline.bridges.qserver.method import Context
from shotline.bridges.qserver.old_dialect import OldDialect
from shotline.bridges.qserver.view import View
from shotline.client.calls import Call
from shotline.client.errors import SupervisorError, TimedOut
from shotline.client.observer import FeedStopped, News, Update, Whole
from shotline.client.serving import follow
from shotline.client.supervisor import AsyncSupervisor
from shotline.common.channels import OUTPUTS, QUEUE, output_of
from shotline.common.errors import ConfigError
from shotline.common.files.secret_file import read_secret
from shotline.common.keys.folder import own_key
from shotline.common.messages import Behalf, Outcome, Reply, Via
from shotline.common.metrics import Metric, counter, gauge
from shotline.common.process.service import EXIT_FAULT
from shotline.common.process.systemd import Systemd
from shotline.common.queue import commands as q
from shotline.common.queue.views import QueueAllowedResult, QueueEvent, QueueKindsResult
from shotline.common.settings.config import Config
from shotline.common.transport import bind
from shotline.common.views import AnyResult, OutputEvent

log = logging.getLogger(__name__)

ANSWER_S: Final = 1.5  # clients wait for 2 s
MODELS_S: Final = 5.0  # for the models of the experiments to be read, at the beginning
SEEN_S: Final = 0.5  # a reply waits so long at most until the view has what it tells
RETRY_S: Final = 0.5
TICK_S: Final = 1.0
SILENT_S: Final = 5.0
REQUEST_BYTES_MAX: Final = 16 * 1024 * 1024
CLIENTS_GROUP: Final = "primary"  # what their programs send as user_group
CLIENTS: Final = Behalf(name="a client of the queue server", via=Via.BRIDGE)
STATUS_TOPIC: Final = b"QS_Info"
CONSOLE_TOPIC: Final = b"QS_Console"

Answerer = Callable[[bytes], Awaitable[tuple[bytes | None, Effect]]]


class QserverBridge:
    """The bridge. Made inside the running event loop. Raise ConfigError where it cannot serve."""

    def __init__(self, config: Config) -> None:
        self._settings = settings = config.qserver
        self._insecure = config.security.insecure
        self._supervisor = AsyncSupervisor(
            config.broker.clients, key=own_key(config.keys, "qserver"), on_behalf_of=CLIENTS
        )
        self.view = View()
        self._machine = Machine(Context(self.view, settings))
        self._old = OldDialect(self._machine, self.view)
        self.counts: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._silent_until = 0.0
        self._told: Body = {}
        self._context = zmq.asyncio.Context()
        self._control = self._bound(zmq.ROUTER, settings.control, key=True)
        self._old_control = (
            self._bound(zmq.ROUTER, settings.old_dialect) if settings.old_dialect else None
        )
        self._info = self._bound(zmq.PUB, settings.info) if settings.info else None

    def _bound(self, kind: int, address: str, *, key: bool = False) -> zmq.asyncio.Socket:
        socket = self._context.socket(kind)
        socket.linger = 200
        socket.setsockopt(zmq.MAXMSGSIZE, REQUEST_BYTES_MAX)
        file = self._settings.key_file
        try:
            if key and file is not None:
                socket.curve_secretkey = _secret_key(read_secret(file))
                socket.curve_server = 1
            bind(socket, address, insecure=self._insecure)
        except OSError as error:
            raise ConfigError(str(error.strerror)) from None
        return socket

    async def run(self, systemd: Systemd) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        parts = [
            loop.create_task(part)
            for part in (
                self._serve(self._control, self._answer),
                self._serve(self._old_control, self._answer_old),
                follow(self._follow_once, RETRY_S, self._lost),
                self._publish(systemd),
            )
        ]
        for part in parts:
            part.add_done_callback(self._ended)
        await self._stopping.wait()
        systemd.stopping()
        fault = next((one for one in parts if one.done() and one.exception() is not None), None)
        if fault is not None:
            log.critical("the bridge ends by a fault of its own", exc_info=fault.exception())
        tasks = (*parts, *self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._supervisor.close()
        for socket in (self._control, self._old_control, self._info):
            if socket is not None:
                socket.close()
        self._context.term()
        return EXIT_FAULT if fault is not None else 0

    def _ended(self, part: asyncio.Task[None]) -> None:
        if part.cancelled() or part.exception() is not None:
            self._stopping.set()

    def metrics(self) -> Iterable[Metric]:
        """Return what it has counted."""
        yield gauge("bridge_feed_up", "Whether Shotline is followed.", self.view.known)
        yield counter("bridge_messages", "Requests of clients.", self.counts["requests"])
        yield counter("bridge_bad_messages", "Those that were none.", self.counts["bad"])
        yield counter("bridge_refused", "Requests that were refused.", self.counts["refused"])

    # Requests

    async def _serve(
        self,
        socket: zmq.asyncio.Socket | None,
        answer: Answerer,
    ) -> None:
        if socket is None:
            return
        while True:
            frames = await socket.recv_multipart()
            if time.monotonic() < self._silent_until:
                continue
            if len(frames) != 3 or frames[1]:
                self.counts["bad"] += 1
                continue
            if len(self._tasks) >= self._settings.requests_max:
                self.counts["refused"] += 1
                continue
            task = asyncio.get_running_loop().create_task(self._reply(socket, frames, answer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reply(
        self, socket: zmq.asyncio.Socket, frames: list[bytes], answer: Answerer
    ) -> None:
        self.counts["requests"] += 1
        data, effect = await answer(frames[2])
        if data is not None:
            with contextlib.suppress(zmq.ZMQError):
                await socket.send_multipart([frames[0], b"", data])
        if effect is Effect.STOP:
            log.info("a client has stopped the bridge")
            self._stopping.set()
        elif effect is Effect.FALL_SILENT:
            self._silent_until = time.monotonic() + SILENT_S

    async def _answer(self, data: bytes) -> tuple[bytes | None, Effect]:
        encoding = self._settings.encoding
        try:
            request = wire.request_of(data, encoding)
        except wire.BadRequest as error:
            return wire.encoded(self._bad(error), encoding), Effect.NONE
        if request.method in STATUS:
            return wire.encoded(self.view.status(time.time()), encoding), Effect.NONE
        done = await self._carry_out(self._machine.answer(request))
        if done.body is None:
            return None, done.effect
        self._say(console.line_of_request(request.method, done.body))
        return wire.encoded(done.body, encoding), done.effect

    async def _answer_old(self, data: bytes) -> tuple[bytes | None, Effect]:
        try:
            request = wire.request_of(data, "json")
        except wire.BadRequest as error:
            return wire.encoded(self._bad(error), "json"), Effect.NONE
        done = await self._carry_out(self._old.answer(request, time.time()))
        return None if done.body is None else wire.encoded(done.body, "json"), done.effect

    def _bad(self, error: wire.BadRequest) -> Body:
        self.counts["bad"] += 1
        log.warning("a bad request of a client was refused: %s", error)
        return {"success": False, "msg": str(error)}

    async def _carry_out(self, step: Step) -> Done:
        """Give the commands that lead to an answer, and return it."""
        deadline = time.monotonic() + ANSWER_S
        while isinstance(step, Question):
            deadline += step.longer_s
            told = await self._ask(step, deadline)
            if told.ok:
                await self._see(told.result, deadline)
            step = step.then(told)
        if step.body is not None and step.body.get("success") is False:
            self.counts["refused"] += 1
            log.info("refused: %s", step.body.get("msg"))
        return step

    async def _ask(self, ask: Question, deadline: float) -> Heard:
        try:
            call = Call(ask.command, _told)
            return await self._supervisor.ask(call, max(0.05, deadline - time.monotonic()))
        except SupervisorError as error:
            return Heard(Outcome.NOBODY, f"{error}")

    async def _see(self, result: AnyResult | None, deadline: float) -> None:
        """Wait until the view has what a reply tells of."""
        limit = min(deadline, time.monotonic() + SEEN_S)
        while not self.view.has(result) and (left := limit - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)

    # Shotline's side

    def _lost(self) -> None:
        self.view.forget()
        self._change()

    async def _follow_once(self, heard: Callable[[], None]) -> None:
        # Nobody reads the actions' output where nothing is published.
        taps = (OUTPUTS,) if self._info is not None else ()
        async with await self._supervisor.events(QUEUE, taps=taps) as stream:
            while True:
                update = await stream.get()
                for one in [] if update is None else [update, *stream.take()]:
                    await self._take(one)
                    if isinstance(one, Whole):
                        heard()
                self._change()

    async def _take(self, update: Update) -> None:
        match update:
            case Whole(snapshot=snapshot) if snapshot.queue is not None:
                await self._learn(force=True)
                self.view.begin(snapshot.queue)
                log.info("following the queue, term %d", snapshot.term)
            case News(payload=QueueEvent() as event):
                for record in self.view.take(event):
                    for line in console.lines_of(record):
                        self._say(line)
                await self._learn()
            case News(channel=channel, payload=OutputEvent() as output):
                named = output_of(channel)
                if named is not None and self.view.is_queues(named[0]):
                    self._print(output)
            case FeedStopped():
                log.warning("nothing is heard of Shotline any more")
                self.view.forget()

    async def _learn(self, *, force: bool = False) -> None:
        """Question for the kinds and groups where they may have changed."""
        versions = self.view.fold.versions
        seen = (versions.kinds, versions.groups)
        if not force and seen == self.view.learned:
            return
        supervisor = self._supervisor
        try:
            # What is asked afterwards does not wait for trees any more.
            kinds = await supervisor.ask(Call(q.QueueKinds(phases=force), _told), MODELS_S)
        except TimedOut:
            kinds = await supervisor.ask(Call(q.QueueKinds(), _told), ANSWER_S)
        group = q.QueueAllowed(group=CLIENTS_GROUP)
        allowed = await supervisor.ask(Call(group, _told), ANSWER_S)
        if isinstance(kinds.result, QueueKindsResult):
            self.view.kinds = {one.name: one for one in kinds.result.kinds}
        if isinstance(allowed.result, QueueAllowedResult):
            self.view.groups = allowed.result.groups
        elif not allowed.ok:
            log.warning("what clients may use is not known: %s", allowed.message)
            self.view.groups = None
        self.view.learned = seen

    # What is published

    def _change(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        status = self.view.status(time.time())
        if status["status_uid"] != self._told.get("status_uid"):
            self._tell(status)

    def _tell(self, status: Body) -> None:
        self._told = status
        self._send(STATUS_TOPIC, {"time": time.time(), "msg": {"status": status}})

    def _say(self, line: str) -> None:
        at = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        self._send(CONSOLE_TOPIC, {"time": at, "msg": f"[{stamp}] {line}\n"})

    def _print(self, output: OutputEvent) -> None:
        """Say what an action has printed, as it stands there."""
        for at, _, text in output.pieces:
            self._send(CONSOLE_TOPIC, {"time": at, "msg": f"{text}\n"})

    def _send(self, topic: bytes, body: Body) -> None:
        if self._info is None or time.monotonic() < self._silent_until:
            return
        with contextlib.suppress(zmq.Again):
            sending = self._info.send_multipart(
                [topic, wire.encoded(body, self._settings.encoding)], zmq.NOBLOCK
            )
            assert sending is not None

    async def _publish(self, systemd: Systemd) -> None:
        told = ""
        while True:
            if (status := self._status()) != told:
                told = status
                systemd.ready(told)
            self._tell(self.view.status(time.time()))
            await asyncio.sleep(TICK_S)

    def _status(self) -> str:
        following = "following the queue" if self.view.known else "waiting for Shotline"
        requests, bad = self.counts["requests"], self.counts["bad"]
        return f"{following}; {requests} requests, {bad} bad, {self.counts['refused']} refused"


def _told(reply: Reply, result: AnyResult | None) -> Heard:
    return Heard(reply.outcome, reply.message, result)


def _secret_key(text: str) -> bytes:
    """Return the secret key in a file's text: 40 characters, or a line `private: KEY`."""
    key = text.strip().split()[-1].encode() if text.strip() else b""
    if len(key) != 40:
        raise ConfigError("the key file of `qserver` must hold a secret key of 40 characters")
    return key
