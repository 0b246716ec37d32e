"""The dispatcher's shell: broker, journal and tree workers around one machine.

One wake-up drains what is there, lets the machine decide once, begins one commit and sends. What is
decided is `machine`'s.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from typing import Final

from shotline.common.codec import BROKER, addressed, decode
from shotline.common.errors import ConfigError, JournalError, MalformedMessage
from shotline.common.files.secret_file import read_secret
from shotline.common.keys.folder import own_key
from shotline.common.machine import Tick
from shotline.common.messages import Undeliverable
from shotline.common.metrics import Histogram, Metric, gauge, histogram
from shotline.common.nodes import Source
from shotline.common.process.service import Service
from shotline.common.settings.config import Config
from shotline.common.transport import SocketLimits
from shotline.dispatcher.connection import BrokerConnection, BrokerSocket
from shotline.dispatcher.effects import (
    BrokerGone,
    BrokerReached,
    Configured,
    Effect,
    Exit,
    FromBroker,
    MachineEvent,
    MalformedFrom,
    Publish,
    RunProgram,
    Say,
    StopAsked,
    ToPeer,
    WriteCommit,
)
from shotline.dispatcher.journal import (
    JournalChanged,
    JournalQuery,
    Loaded,
    VouchForRedis,
    Written,
)
from shotline.dispatcher.journal.redis_journal import RedisJournal
from shotline.dispatcher.machine import Dispatcher
from shotline.dispatcher.outgoing import Outgoing
from shotline.dispatcher.past.host import past_host
from shotline.dispatcher.past.jobs import AnyPastJob, KeepJob, KeptJob, PastJob
from shotline.dispatcher.reading.metrics import metrics
from shotline.dispatcher.steering.programs import Programs
from shotline.dispatcher.trees.host import TreeHost
from shotline.dispatcher.trees.jobs import TreeJob
from shotline.dispatcher.volumes.metrics import metrics as of_volumes

log = logging.getLogger(__name__)

_LEVELS: Final = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_READY_S: Final = 5.0


class DispatcherServer:
    """The process. `run` waits for Redis, claims a term, loads, and serves."""

    def __init__(
        self,
        config: Config,
        service: Service,
        claim_above: int = 0,
        connection: BrokerConnection | None = None,
        on_taken_over: Callable[[], None] | None = None,
    ) -> None:
        """Make it; `connection` to the broker: by default a socket.

        `on_taken_over` is called, and nothing else ends, when another dispatcher has its place.
        """
        self._on_taken_over = on_taken_over
        self.claim_above: int | None = None  # at the end: begin again with a term above this
        self._term_above = claim_above
        self._config = config
        self._service = service
        self._events: list[MachineEvent] = []
        self._ready_at: float | None = None  # when to say so without a broker
        self._load_at: float | None = 0.0  # when to try to; None: done; infinite: never again
        self._closed = False
        self._waits_for = ""  # why it cannot load, as it was said
        self._journal = RedisJournal(
            config.redis,
            config.journal,
            config.dispatcher.commands_remembered_max,
        )
        self._trees = TreeHost(
            service,
            self._sources(),
            config.dispatcher.tree_timeout_s,
            self._events.append,
        )
        self._past = past_host(service, config, self._events.append)
        self._programs = Programs(self._events.append)
        self._connection = connection or BrokerSocket(
            config.broker, service, own_key(config.keys, "dispatcher")
        )
        self._outgoing = Outgoing(
            self._connection.send,
            self._not_sent,
            self._message_bytes_max(),
            partial(log.error, "%s"),
        )
        self._machine: Dispatcher
        self._committing = Histogram()  # seconds
        self._commit_began = 0.0

    def run(self) -> int:
        """Serve until told to end. Return the exit code."""
        try:
            self.begin()
            return self._service.run()
        finally:
            self.close()

    def begin(self) -> None:
        """Serve from now on, in the service's loop: at first wait for Redis."""
        service = self._service
        service.on_stop(self._stop)
        service.on_due(self._wake_at, self._tick)
        service.on_due(self._outgoing.due, self._flush_idle)
        service.after_each(self._decide)
        self._load_when_redis_is_there()

    def _leave(self, then: Callable[[], None]) -> None:
        """Do nothing any more: somebody else dispatches."""
        self._load_at = inf
        self._service.unwatch(self._journal.fileno())
        self.close()
        then()

    def close(self) -> None:
        """End; the last replies still leave."""
        if self._closed:
            return
        self._closed = True
        self._trees.close()
        self._past.close()
        self._programs.close()
        self._journal.close()
        self._connection.close()

    def apply(self, now: Config, read: Config) -> Config:
        """Take what can change while the dispatcher runs; return the configuration that counts.

        Those are its own section, classes and limits, experiments that are new, the options of
        those that are known (their sources are their tree workers'), shots and audit kept, what
        tasks have by default.
        """
        known = {
            name: one.model_copy(update={"options": read.experiments[name].options})
            if name in read.experiments
            else one
            for name, one in now.experiments.items()
        }
        tasks = {"task_timeout_s", "on_return"}
        kept = {"keep_shots", "audit_lines_max", "audit_days"}
        self._config = now.model_copy(
            update={
                "dispatcher": read.dispatcher,
                "classes": read.classes,
                "limits": read.limits,
                "experiments": {**read.experiments, **known},
                "journal": now.journal.model_copy(
                    update={name: getattr(read.journal, name) for name in kept}
                ),
                "action_server": now.action_server.model_copy(
                    update={name: getattr(read.action_server, name) for name in tasks}
                ),
            }
        )
        self._trees.configure(self._sources(), self._config.dispatcher.tree_timeout_s)
        self._events.append(Configured(self._config, self._emergency_key()))
        return self._config

    def metrics(self) -> Iterable[Metric]:
        """Return what it has counted and measured, once it serves."""
        if self._load_at is not None:
            return
        yield from metrics(self._machine.core)
        yield from of_volumes(self._machine.volumes.ledger)
        words = "From the start of a commit until it is safe, in Redis or in the spill file."
        yield histogram("journal_commit_seconds", words, self._committing)
        words = "Bytes of the spill file."
        yield gauge("journal_spill_bytes", words, self._journal.spilled_bytes)

    def _emergency_key(self) -> str:
        """Return the key that opens every lock of the pulse queue; "" without one."""
        file = self._config.queue.emergency_key_file
        try:
            return "" if file is None else read_secret(file)
        except ConfigError as error:
            log.error("locks have no emergency key: %s", error)
            return ""

    def _sources(self) -> dict[str, Source]:
        return {name: section.source for name, section in self._config.experiments.items()}

    def _message_bytes_max(self) -> int:
        """Return the largest message that the broker and every client take."""
        return min(self._config.broker.message_bytes_max, SocketLimits().message_bytes_max)

    def _load_when_redis_is_there(self) -> None:
        """Try to; wait for Redis as long as it takes: without it nobody knows what was running."""
        try:
            loaded = self._journal.load()
            term = loaded.term
            if term <= self._term_above:
                term = self._journal.claim_term(self._term_above)
        except JournalError as error:
            self._load_at = time.monotonic() + self._config.redis.retry_s
            if str(error) != self._waits_for:
                self._waits_for = str(error)
                log.warning("waiting for the journal: %s", error)
                self._service.status(f"waiting for the journal: {error}")
            return
        self._load_at = None
        self._load(loaded, term)

    def _load(self, loaded: Loaded, term: int) -> None:
        for warning in loaded.warnings:
            log.warning("%s", warning)
        self._machine = Dispatcher(
            self._service.instant(), term, self._config, socket.gethostname(), os.getpid()
        )
        self._machine.load(loaded)
        self._events.append(Configured(self._config, self._emergency_key()))
        log.info("term %d: %d shots loaded", term, len(loaded.shots))
        for tree in loaded.newest:
            self._trees.warm(tree)  # its tables may be run at once
        self._service.watch(self._journal.fileno(), self._read_journal)
        self._ready_at = time.monotonic() + _READY_S
        self._connection.begin(self._read_broker, self._connection_changed)
        self._events.append(Tick())
        self._decide()

    # Events

    def _read_broker(self, frames: list[bytes]) -> None:
        try:
            letters = addressed(frames)
        except MalformedMessage as error:
            self._events.append(MalformedFrom(BROKER, str(error)))
            return
        for source, batch in letters:
            try:
                self._events.append(FromBroker(source, tuple(decode(batch))))
            except MalformedMessage as error:
                self._events.append(MalformedFrom(source, str(error)))

    def _connection_changed(self, changes: list[bool]) -> None:
        if False in changes:
            self._events.append(BrokerGone())
        if changes and changes[-1]:
            self._events.append(BrokerReached())

    def _stop(self) -> None:
        if self._load_at is None:
            self._events.append(StopAsked())
        else:
            self._service.stop()

    def _read_journal(self) -> None:
        now = time.monotonic()
        events = self._journal.poll(now)
        if any(isinstance(one, Written) for one in events):
            self._committing.observe(now - self._commit_began)
        for one in events:
            if isinstance(one, JournalChanged):
                term = self._machine.core.term
                self._service.status(f"term {term}, journal {one.state.value}: {one.text}")
        self._events += events

    def _wake_at(self) -> float | None:
        if self._load_at is not None:
            return self._load_at
        earliest = self._machine.wake_at()
        for part in (self._journal, self._trees, self._past, self._programs):
            due = part.wake_at()
            if due is not None and due < earliest:
                earliest = due
        return earliest

    def _tick(self) -> None:
        if self._load_at is not None:
            self._load_when_redis_is_there()
            return
        self._read_journal()
        self._trees.tick()
        self._past.tick()
        self._programs.tick()
        self._events.append(Tick())

    def _flush_idle(self) -> None:
        if not self._events:  # no input waits
            self._outgoing.flush_idle(time.monotonic())

    # Effects

    def _decide(self) -> None:
        if self._load_at is not None:
            return
        while self._events and self._load_at is None:
            events, self._events[:] = tuple(self._events), ()
            self._carry_out(self._machine.handle(self._service.instant(), *events))
        if self._ready_at is not None:
            self._say_ready(self._ready_at)

    def _say_ready(self, at_the_latest: float) -> None:
        """Tell who started us once commands are answered; a broker may come much later, too."""
        if self._machine.core.broker is not None or time.monotonic() >= at_the_latest:
            self._ready_at = None
            self._service.ready(f"term {self._machine.core.term}")

    def _carry_out(self, effects: Iterable[Effect]) -> None:
        """Let leave first what others wait for; then tell the log, and ask who is slower."""
        outgoing = self._outgoing
        said: list[Say] = []
        asked: list[TreeJob | AnyPastJob | JournalQuery | RunProgram] = []
        ends: Exit | None = None
        for effect in effects:
            match effect:
                case ToPeer():
                    outgoing.to_peer(effect)
                case Publish():
                    if self._machine.core.broker is not None:  # nobody else would pass it on
                        outgoing.publish(effect)
                case WriteCommit():
                    self._commit_began = time.monotonic()
                    self._journal.write(self._commit_began, effect.commit)
                case VouchForRedis():
                    self._journal.vouch(time.monotonic())
                case Say():
                    said.append(effect)
                case Exit():
                    ends = effect
                case _:
                    asked.append(effect)
        outgoing.flush(time.monotonic())
        for say in said:
            log.log(_LEVELS[say.level], say.text, extra={"about": say.about})
        for one in asked:
            self._ask(one)
        if ends is not None:
            outgoing.flush_all()
            log.info("the dispatcher ends: %s", ends.why)
            self.claim_above = ends.claim_above
            if ends.taken_over and self._on_taken_over is not None:
                self._leave(self._on_taken_over)
                return
            self._service.stop(ends.code, goes_on=ends.claim_above is not None)

    def _not_sent(self, target: bytes, batch: bytes) -> None:
        """What never left is as good as the broker's own word (I1)."""
        if target:
            why = "no connection to the broker"
            undeliverable = Undeliverable(target=target, why=why, batches=(batch,))
            self._events.append(FromBroker(BROKER, (undeliverable,)))

    def _ask(self, effect: TreeJob | AnyPastJob | JournalQuery | RunProgram) -> None:
        if isinstance(effect, RunProgram):
            self._programs.run(effect)
        elif isinstance(effect, PastJob | KeptJob | KeepJob):
            self._past.do(effect)
        elif isinstance(effect, TreeJob):
            self._trees.do(effect)
        else:
            self._journal.ask(effect)
