"""The action server's shell: the broker's socket, worker processes, signals and timers in; effects
out. What is decided is `slots`' business; what a worker process is, `worker`'s.

Nothing here blocks: not the socket, not a pipe, not a process that does not end.
"""

import logging
import os
import secrets
import signal
import socket
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Final

import zmq

from shotline import __version__
from shotline.action_server import kernel
from shotline.action_server.channel import Ended, Job, Ready
from shotline.action_server.contact import ContactTimes, Identity
from shotline.action_server.events import (
    RECEIVED,
    ClearUrl,
    Connected,
    Effect,
    Event,
    Exit,
    GroupGone,
    GroupSignal,
    Level,
    Log,
    Park,
    Send,
    SendFailed,
    SignalGroup,
    StartTask,
    StartWorker,
    Stop,
    TaskEnded,
    TaskOutput,
    TaskProgress,
    Unpark,
    Withdraw,
    WorkerExited,
    WorkerReady,
)
from shotline.action_server.keepers import Keepers
from shotline.action_server.leftovers import StateFile
from shotline.action_server.output import OutputLimits, parse_report
from shotline.action_server.slot import Settings
from shotline.action_server.slots import Slots
from shotline.action_server.worker import READ_BYTES, Worker
from shotline.common.actions import Status
from shotline.common.codec import decode, encode, encode_body
from shotline.common.config import ActionServerSection, BrokerSection
from shotline.common.errors import MalformedMessage
from shotline.common.machine import Tick
from shotline.common.messages import Dispatch, LogLine, Message, Problem, ServerOrder
from shotline.common.service import Service
from shotline.common.transport import Dealer, Limits

log = logging.getLogger(__name__)

EXIT_RESTART: Final = -1  # of `run`: start again as a new incarnation
_READS_MAX: Final = 8  # of one stream in one wake-up, so that everything else has its turn
_DRAIN_MAX: Final = 256  # at a task's end: more than the pipe holds
_BATCH_MESSAGES: Final = 512
_BATCH_BYTES: Final = 1024 * 1024
_RETRY_S: Final = 0.002  # a job that did not fit into a worker's socket at once
_WATCH_S: Final = 0.1  # for the rest of a group whose worker has ended
_LINGER_MS: Final = 1000
_LEVELS: Final = {
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}


def settings_of(section: ActionServerSection, broker: BrokerSection) -> Settings:
    """Return the machine's settings of a configuration."""
    beat = broker.heartbeat_s
    return Settings(
        kill_grace_s=section.kill_grace_s,
        kill_wait_s=section.kill_wait_s,
        on_return=section.on_return,
        server_lost_s=broker.server_lost_s,
        task_timeout_s=section.task_timeout_s,
        results_max=section.results_max,
        held_bytes_max=section.held_bytes_max,
        fold_s=section.fold_s,
        output_hold_s=section.output_hold_s,
        output=OutputLimits(
            lines_max=section.output_lines_max,
            bytes_max=section.output_bytes_max,
            line_bytes_max=section.output_line_bytes_max,
            window_bytes=section.output_window_bytes,
        ),
        contact=ContactTimes(
            heartbeat_s=beat, pong_wait_s=max(3 * beat, 2.0), register_wait_s=max(beat, 1.0)
        ),
    )


class ActionServer:
    """One life of the server. `run` serves until it is told to end."""

    def __init__(
        self,
        server_class: str,
        server_id: str,
        section: ActionServerSection,
        broker: BrokerSection,
        service: Service,
        *,
        url_wait_s: float = 60.0,
    ) -> None:
        self._service = service
        self._name = f"{server_class}:{server_id}"
        self._url_wait_s = url_wait_s
        self._keepers = Keepers(service, self._handle)
        incarnation = secrets.token_hex(8)
        self._state = StateFile(section.state_folder, self._name, incarnation)
        self._identity = Identity(
            server_class=server_class,
            server_id=server_id,
            incarnation=incarnation,
            slots=section.slots or os.cpu_count() or 1,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            started_at=service.instant().wall,
            url=section.mdsip_url,
            ended=self._clear_leftovers(),
        )
        self._machine = Slots(self._identity, settings_of(section, broker))
        self._workers: dict[int, Worker] = {}
        self._parked: set[int] = set()
        self._unpushed: set[int] = set()
        self._outbox: list[Message] = []
        self._events: deque[Event] = deque()
        self._look_at: float | None = None  # when to look again at what sends no event
        self._is_restart = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._link = Dealer(
            self._context,
            broker.servers,
            f"{self._name}/{self._identity.incarnation}".encode(),
            Limits(
                high_water_mark=broker.high_water_mark,
                message_bytes_max=broker.message_bytes_max,
                heartbeat_s=broker.heartbeat_s,
            ),
        )

    def run(self) -> int:
        """Serve. Return the exit code, EXIT_RESTART for another life."""
        service = self._service
        kernel.adopt_orphans()
        service.watch(self._link.socket, self._read_link)
        service.watch(self._link.connection_socket, self._read_connection)
        service.set_wake(self._wake_at)
        service.on_tick(self._tick)
        service.after_each(self._flush)
        service.on_stop(lambda: self._handle(Stop(ServerOrder.QUIT, "its process was stopped")))
        service.on_signal(signal.SIGCHLD, self._reap)
        log.info(
            "action server %s (incarnation %s, %d slots) uses the broker at %s",
            self._name,
            self._identity.incarnation,
            self._identity.slots,
            self._link.address,
        )
        self._carry_out(self._machine.begin(service.instant()))
        service.ready(f"{self._name} looks for the broker at {self._link.address}")
        try:
            code = service.run()
        finally:
            self._clean_up()
        return EXIT_RESTART if self._is_restart and code == 0 else code

    # ------------------------------------------------------------------ in

    def _handle(self, event: Event) -> None:
        self._carry_out(self._machine.handle(self._service.instant(), event))

    def _read_link(self) -> None:
        for frames in self._link.receive_all():
            try:
                messages = decode(frames)
            except MalformedMessage as error:
                self._refuse(str(error))
                continue
            for message in messages:
                if isinstance(message, RECEIVED):
                    self._handle(message)
                else:
                    self._refuse(f"{message.KIND} is not for action servers")

    def _refuse(self, why: str) -> None:
        """Tell the broker that it sent what it may not; nothing else follows from that (I7)."""
        log.warning("ignored what the broker sent: %s", why)
        self._link.send(encode([Problem(text=why[:1000])]))

    def _read_connection(self) -> None:
        if any(self._link.connection()):
            self._handle(Connected())

    def _tick(self) -> None:
        self._look_at = None
        for slot in list(self._unpushed):
            if self._workers[slot].push():
                self._unpushed.discard(slot)
        self._check_gone()
        self._handle(Tick())

    def _wake_at(self) -> float | None:
        if self._look_at is None:
            now = self._service.instant().mono
            if self._unpushed:
                self._look_at = now + _RETRY_S
            elif any(worker.is_reaped for worker in self._workers.values()):
                self._look_at = now + _WATCH_S
        wake_at = self._machine.wake_at()
        if self._look_at is None or wake_at is None:
            return self._look_at or wake_at
        return min(self._look_at, wake_at)

    def _reap(self) -> None:
        slots = {worker.pid: slot for slot, worker in self._workers.items()}
        while True:
            try:
                pid, wait_status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            slot = slots.get(pid)
            if slot is not None:
                self._read_control(slot)  # a result that came just before counts
                how = self._workers[slot].reaped(wait_status)
                self._handle(WorkerExited(slot, how))
        self._check_gone()

    def _check_gone(self) -> None:
        """Tell the machine of the process groups that are proven gone."""
        ended = [slot for slot, worker in self._workers.items() if worker.is_reaped]
        if not ended or self._end_strays():
            return
        for slot in ended:
            worker = self._workers[slot]
            if worker.is_gone():
                self._drain(slot)
                self._forget(slot)
                self._handle(GroupGone(slot))

    def _end_strays(self) -> bool:
        """KILL what came out of the group of a worker that has ended; it is our child now."""
        workers = {worker.pid for worker in self._workers.values()}
        strays = set(kernel.children(os.getpid())) - workers - self._keepers.pids
        for pid in strays:
            log.warning("ends process %d, which a task had left outside of its group", pid)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return bool(strays)

    # ------------------------------------------------------------------ workers

    def _read_control(self, slot: int) -> None:
        worker = self._workers[slot]
        try:
            frames, is_closed = worker.frames()
        except MalformedMessage as error:
            log.error("worker process %d: %s; it is ended", worker.pid, error)
            worker.signal(signal.SIGKILL)
            frames, is_closed = [], True
        if is_closed:
            self._service.unwatch(worker.control.fileno())
        for frame in frames:
            if isinstance(frame, Ready):
                self._handle(WorkerReady(slot, frame.pid))
            elif isinstance(frame, Ended):
                self._drain(slot)
                self._handle(_ended(slot, frame))

    def _read_stream(self, slot: int, stream: int, most: int = _READS_MAX) -> None:
        worker = self._workers[slot]
        for _ in range(most):
            data = worker.read(stream)
            if data is None:
                return
            if not data:
                self._service.unwatch(worker.streams[stream])
                return
            self._handle(TaskOutput(slot, stream, data))
            if len(data) < READ_BYTES:  # that was all
                return
            if slot in self._parked and most == _READS_MAX:
                return

    def _read_progress(self, slot: int) -> None:
        reports = [parse_report(line) for line in self._workers[slot].reports()]
        known = [report for report in reports if report is not None]
        if known:
            self._handle(TaskProgress(slot, *known[-1]))

    def _drain(self, slot: int) -> None:
        """Read what the pipes still hold, also of a parked slot."""
        if not self._workers[slot].has_output():  # most often: one question instead of three
            return
        self._read_progress(slot)
        for stream in self._workers[slot].streams:
            self._read_stream(slot, stream, _DRAIN_MAX)

    def _start_worker(self, slot: int) -> None:
        try:
            worker = Worker()
        except OSError as error:
            log.error("cannot start a worker process: %s", error)
            self._events.append(WorkerExited(slot, f"cannot be started: {error}"))
            self._events.append(GroupGone(slot))
            return
        self._workers[slot] = worker
        self._state.set_workers(worker.pid for worker in self._workers.values())
        watch = self._service.watch
        watch(worker.control.fileno(), partial(self._read_control, slot))
        watch(worker.progress, partial(self._read_progress, slot))
        self._watch_output(slot)

    def _watch_output(self, slot: int) -> None:
        for stream, descriptor in self._workers[slot].streams.items():
            self._service.watch(descriptor, partial(self._read_stream, slot, stream))

    def _forget(self, slot: int) -> None:
        worker = self._workers.pop(slot)
        for descriptor in worker.descriptors:
            self._service.unwatch(descriptor)
        worker.close()
        self._parked.discard(slot)
        self._unpushed.discard(slot)
        self._state.set_workers(worker.pid for worker in self._workers.values())

    # ------------------------------------------------------------------ out

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self._carry_out_one(effect)
        while self._events:
            self._handle(self._events.popleft())

    def _carry_out_one(self, effect: Effect) -> None:
        match effect:
            case Send(message):
                self._outbox.append(message)
            case StartTask(slot, dispatch, url):
                if not self._workers[slot].give(self._job(dispatch, url)):
                    self._unpushed.add(slot)
            case ClearUrl(url):
                self._keepers.clear(url)
            case Withdraw(url, attempt):
                self._keepers.withdraw(url, attempt)
            case StartWorker(slot):
                self._start_worker(slot)
            case SignalGroup(slot, kind):
                number = signal.SIGTERM if kind is GroupSignal.TERM else signal.SIGKILL
                if slot in self._workers:
                    self._workers[slot].signal(number)
            case Park(slot):
                self._parked.add(slot)
                for descriptor in self._workers[slot].streams.values():
                    self._service.unwatch(descriptor)
            case Unpark(slot):
                self._parked.discard(slot)
                if slot in self._workers:
                    self._watch_output(slot)
            case Log(level, text):
                self._log(level, text)
            case Exit(restart, code, reason):
                log.info("action server %s ends: %s", self._name, reason)
                self._is_restart = restart
                self._service.stop(code)

    def _job(self, dispatch: Dispatch, url: str | None) -> Job:
        attempt = dispatch.attempt
        keeper = None
        if url is not None:
            try:
                keeper = self._keepers.address(url)
            except OSError as error:
                log.error("cannot start a keeper for %s: %s", url, error)
        return Job(
            dispatch.task,
            attempt.tree,
            attempt.shot,
            attempt.path,
            attempt.number,
            dispatch.folder,
            url,
            keeper,
            self._url_wait_s,
        )

    def _log(self, level: Level, text: str) -> None:
        log.log(_LEVELS[level], "%s", text)
        if level is not Level.INFO and self._machine.is_registered:
            at = self._service.instant().wall
            self._outbox.append(
                LogLine(source=self._name, level=level.value, text=text[:4096], at=at)
            )

    def _flush(self) -> None:
        """Send what has gathered in this wake-up, in as few pieces as may be."""
        outbox, self._outbox = self._outbox, []
        frames: list[bytes] = []
        size = 0
        for message in outbox:
            body = encode_body(message)
            frames += (message.KIND.encode(), body)
            size += len(body)
            if size >= _BATCH_BYTES or len(frames) >= 2 * _BATCH_MESSAGES:
                if not self._link.send(frames):
                    self._handle(SendFailed())
                    return
                frames, size = [], 0
        if frames and not self._link.send(frames):
            self._handle(SendFailed())

    def _clear_leftovers(self) -> tuple[str, ...]:
        cleared = self._state.clear()
        if cleared.ended:
            log.warning(
                "ended %d worker processes that an earlier life of %s had left: %s",
                len(cleared.ended),
                self._name,
                ", ".join(map(str, cleared.ended)),
            )
        if cleared.left:
            log.error("could not end the process groups %s", ", ".join(map(str, cleared.left)))
        if cleared.living:
            log.warning("%s also runs as process %s", self._name, cleared.living[0])
        return cleared.incarnations

    def _clean_up(self) -> None:
        for worker in self._workers.values():
            worker.signal(signal.SIGKILL)
            worker.close()
        self._keepers.close()
        if not self._workers:
            self._state.remove()
        self._link.socket.linger = _LINGER_MS
        self._link.socket.disable_monitor()
        self._link.connection_socket.close(0)
        self._link.socket.close()
        self._context.term()


def _ended(slot: int, frame: Ended) -> TaskEnded:
    return TaskEnded(
        slot,
        Status.SUCCESS if frame.ok else Status.FAILURE,
        frame.code,
        frame.text,
        frame.connection_lost,
        frame.notes,
        frame.spent,
        frame.url_busy,
    )
