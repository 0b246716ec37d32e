"""The action server's shell: the broker's socket, worker processes, signals and timers in; effects
out. What is decided is `machine`'s business; reading and ending worker processes is `workers`'.

Nothing here blocks: not the socket, not a pipe, not a process that does not end. What one wake-up
brings is gathered, decided together, and sent together.
"""

import logging
import os
import platform
import secrets
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import zmq

from shotline import __version__
from shotline.action_server import kernel
from shotline.action_server.events import (
    RECEIVED,
    Connected,
    Effect,
    Event,
    Exit,
    FreeUrl,
    GroupSignal,
    Log,
    Measure,
    Measured,
    Park,
    Send,
    SendFailed,
    SignalGroup,
    StartTask,
    StartWorker,
    StoodStill,
    Stop,
    Unpark,
    WithdrawAttempt,
)
from shotline.action_server.machine import ActionServer
from shotline.action_server.task.channel import Job, Limits, Setup
from shotline.action_server.telling.health import HealthCheck
from shotline.action_server.telling.host_facts import HostMeter, mdsplus_version
from shotline.action_server.telling.log_tail import LogTail
from shotline.action_server.until import Term
from shotline.action_server.workers.keepers import Keepers
from shotline.action_server.workers.pool import Workers
from shotline.action_server.workers.state_file import StateFile
from shotline.common.codec import batches, decode_all, encode
from shotline.common.errors import MalformedMessage
from shotline.common.fleet.facts import ServerFacts
from shotline.common.machine import Tick
from shotline.common.messages import Dispatch, Message, Problem, Register, ServerOrder
from shotline.common.metrics import Metric
from shotline.common.pilots import incarnation_of
from shotline.common.process.clocks import elapsed_s
from shotline.common.process.service import Service
from shotline.common.settings.config import ActionServerSection, BrokerSection
from shotline.common.settings.sections.classes import ClassSection
from shotline.common.transport import CurveClient, Dealer, SocketLimits

log = logging.getLogger(__name__)

EXIT_RESTART: Final = -1  # of `run`: start again as a new incarnation
_LINGER_MS: Final = 1000
_ASLEEP_S: Final = 0.5  # is told to the machine
_TICK: Final = Tick()
_SIGNALS: Final = {GroupSignal.TERM: signal.SIGTERM, GroupSignal.KILL: signal.SIGKILL}


class ActionServerShell:
    """One life of the server. `run` serves until it is told to end."""

    def __init__(
        self,
        server_class: str,
        server_id: str,
        section: ActionServerSection,
        broker: BrokerSection,
        service: Service,
        curve: CurveClient | None = None,
        *,
        url_wait_s: float,
        of_class: ClassSection,
        config_hash: str,
        term: Term | None = None,
        pilot: str = "",
    ) -> None:
        self._service = service
        self._name = f"{server_class}:{server_id}"
        self._url_wait_s = url_wait_s
        self._events: list[Event] = []  # of this wake-up
        self._outbox: list[Message] = []
        self._tail = LogTail(self._name)
        logging.getLogger().addHandler(self._tail)
        self._is_restart = False
        self._is_said_registered = False
        incarnation = incarnation_of(pilot, secrets.token_hex(8))
        self._state = StateFile(section.state_folder, self._name, incarnation)
        self._identity = Register(
            server_class=server_class,
            server_id=server_id,
            incarnation=incarnation,
            epoch=0,
            slots=section.slots or os.cpu_count() or 1,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            started_at=service.instant().wall,
            url=section.mdsip_url,
            ended=self._clear_leftovers(),
            labels=section.labels,
        )
        self._keepers = Keepers(service, self._tell, section)
        # Where the configuration names no folders: the one in which the server was started.
        path = section.task_path if section.task_path is not None else (Path.cwd(),)
        folders = tuple(map(str, path))
        preload = section.preload.get(server_class, ())
        facts = ServerFacts(
            python=platform.python_version(),
            mdsplus=mdsplus_version((*sys.path, *folders)),
            config_hash=config_hash,
        )
        self._machine = ActionServer(self._identity, section, broker, facts, term)
        self._meter = HostMeter(section.disks, section.facts_s)
        self._health = HealthCheck(service, section.health, section.state_folder)
        self._measured = Measured(None)  # as the machine knows it
        most = of_class.limits or section.limits
        limits = Limits(most.memory_bytes, most.cpu_s, most.open_files, most.processes)
        setup = Setup(folders, limits, preload, of_class.nice)
        self._workers = Workers(
            service,
            self._state,
            self._tell,
            lambda: self._keepers.pids | self._health.pids,
            self._health.reaped,
            setup,
        )
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._link = Dealer(
            self._context,
            broker.servers,
            SocketLimits.of(broker),
            curve,
        )
        self._refusal = ""  # of the broker's, as it was said
        self._awake_at = elapsed_s()

    def run(self) -> int:
        """Serve. Return the exit code, EXIT_RESTART for another life."""
        service = self._service
        kernel.adopt_orphans()
        service.watch(self._link.socket, self._read_link)
        # By its descriptor, which costs a poll less for each wake-up; it is drained each time, and
        # once before, or it would never be readable.
        service.watch(self._link.connection_socket.fileno(), self._read_connection)
        self._read_connection()
        service.on_due(self._wake_at, self._tick)
        service.after_each(self._decide)
        service.on_stop(lambda: self._tell(Stop(ServerOrder.QUIT, "its process was stopped")))
        service.on_signal(signal.SIGCHLD, self._workers.reap)
        log.info(
            "action server %s (incarnation %s, %d slots) uses the broker at %s",
            self._name,
            self._identity.incarnation,
            self._identity.slots,
            self._link.address,
        )
        self._meter.start()
        self._carry_out(self._machine.begin(service.instant()))
        self._decide()
        service.ready(f"{self._name} looks for the broker at {self._link.address}")
        try:
            code = service.run()
        finally:
            self._clean_up()
        return EXIT_RESTART if self._is_restart and code == 0 else code

    def metrics(self) -> Iterable[Metric]:
        """Return what it has counted."""
        return self._machine.metrics()

    def _tell(self, event: Event) -> None:
        self._events.append(event)

    def _read_link(self) -> None:
        for frames in self._link.receive_all():
            try:
                messages = decode_all(frames)
            except MalformedMessage as error:
                self._refuse(str(error))
                continue
            for message in messages:
                if isinstance(message, RECEIVED):
                    self._events.append(message)
                else:
                    self._refuse(f"{message.kind} is not for action servers")

    def _refuse(self, why: str) -> None:
        """Tell the broker that it sent what it may not; nothing else follows from that (I7)."""
        log.warning("ignored what the broker sent: %s", why)
        self._link.send([encode([Problem(text=why[:1000])])])

    def _read_connection(self) -> None:
        if any(self._link.connection()):
            self._tell(Connected())
        if self._link.refusal != self._refusal:
            self._refusal = self._link.refusal
            log.error("%s", self._refusal or "the broker lets this key in again")
            self._service.status(self._refusal or f"{self._name} has been let in again")

    def _tick(self) -> None:
        self._workers.tick()
        self._health.tick()
        measured = Measured(self._meter.latest, self._health.latest)
        before = self._measured
        if measured.host is not before.host or measured.health != before.health:
            self._measured = measured
            self._tell(measured)
        self._tell(_TICK)
        if self._machine.is_registered is not self._is_said_registered:
            self._is_said_registered = self._machine.is_registered
            doing = "is registered with" if self._is_said_registered else "looks for"
            self._service.status(f"{self._name} {doing} the broker at {self._link.address}")

    def _wake_at(self) -> float | None:
        wake_at = self._machine.wake_at()
        look_at = min(self._workers.look_at, self._health.look_at)
        return look_at if wake_at is None else min(wake_at, look_at)

    def _decide(self) -> None:
        """Let the machine decide about all that this wake-up brought, and send what it says."""
        awake_at, self._awake_at = self._awake_at, elapsed_s()
        asleep_s = self._awake_at - awake_at
        if asleep_s >= _ASLEEP_S:
            self._events.insert(0, StoodStill(asleep_s))
        while self._events:
            events, self._events = self._events, []
            self._carry_out(self._machine.handle(self._service.instant(), *events))
            self._tell_log()
            if self._outbox:
                self._send()
        self._workers.push()

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(message):
                    self._outbox.append(message)
                    if isinstance(message, Register):
                        self._tail.tell_again()
                case StartTask(slot, dispatch, url):
                    self._workers.give(slot, self._job(dispatch, url))
                case FreeUrl(url):
                    self._keepers.clear(url)
                case WithdrawAttempt(url, attempt):
                    self._keepers.withdraw(url, attempt)
                case StartWorker(slot):
                    self._workers.start(slot)
                case SignalGroup(slot, kind):
                    self._workers.signal(slot, _SIGNALS[kind])
                case Park(slot):
                    self._workers.park(slot)
                case Unpark(slot):
                    self._workers.unpark(slot)
                case Measure():
                    self._meter.ask()
                case Log():
                    self._log(effect)
                case Exit(restart, code, reason):
                    log.info("action server %s ends: %s", self._name, reason)
                    self._is_restart = restart
                    self._service.stop(code, goes_on=restart)

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
            dispatch.variables.decode() or None,
            url,
            keeper,
            self._url_wait_s,
        )

    def _log(self, line: Log) -> None:
        level, text, attempt = line
        log.log(logging.getLevelNamesMapping()[level.upper()], "%s", text, extra={"about": attempt})

    def _tell_log(self) -> None:
        if self._machine.is_registered:
            self._outbox += self._tail.take()

    def _send(self) -> None:
        """Send what has gathered, in as few pieces as may be."""
        outbox, self._outbox = self._outbox, []
        for batch in batches(outbox):
            if not self._link.send([batch]):
                self._tell(SendFailed())
                return

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
        logging.getLogger().removeHandler(self._tail)
        self._tell_log()  # why it ends
        if self._outbox:
            self._send()
        self._meter.close()
        self._health.close()
        self._workers.close()
        self._keepers.close()
        if not len(self._workers):
            self._state.remove()
        self._link.socket.linger = _LINGER_MS
        self._link.socket.disable_monitor()
        self._link.connection_socket.close(0)
        self._link.socket.close()
        self._context.term()
