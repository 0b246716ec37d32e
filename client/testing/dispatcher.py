"""The dispatcher's own machine, driven without any process: one life of it. Pure.

The journal is in memory, the broker has few words, and the clock goes on when it is told to. What
clients, servers and observers make of what they get is a subclass's, and so is the tree.
"""

import itertools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, Self

from shotline.client.testing.journal import MemoryJournal
from shotline.client.testing.past import MemoryStore
from shotline.common.commands import AnyCommand, encode_command
from shotline.common.machine import Instant, Tick
from shotline.common.messages import (
    Claim,
    ClaimAccepted,
    Event,
    Message,
    Ping,
    Pong,
    Reply,
    Request,
)
from shotline.common.nodes import DispatchOptions, FileSource
from shotline.common.settings.configuration import Config
from shotline.common.settings.sections.experiment import ExperimentSection
from shotline.dispatcher import effects as d
from shotline.dispatcher import journal as j
from shotline.dispatcher.machine import Dispatcher
from shotline.dispatcher.past import jobs as p
from shotline.dispatcher.past.reader import Reader
from shotline.dispatcher.trees import jobs as t

BROKER_AHEAD_S: Final = 5000.0
"""The broker's clock minus the dispatcher's: two processes never have the same."""

WakeUp = tuple[d.MachineEvent, ...]
"""What the machine is told at once: it decides when it has heard all of it."""

_numbers = itertools.count(1)


def next_id() -> str:
    """Return the id of a command: no two have the same, also across lives."""
    return f"command-{next(_numbers):04d}"


def configured(*trees: str, options: DispatchOptions | None = None) -> Config:
    """Return a configuration with these experiments; without options those of the trees count."""
    source = FileSource(file="nobody reads it")
    experiments = dict.fromkeys(trees, ExperimentSection(source=source, options=options))
    return Config(experiments=experiments)


def with_keys(config: Config, **sections: Mapping[str, object]) -> Config:
    """Return a configuration that differs in keys of some of its sections.

    with_keys(config, dispatcher={"shots_loaded_max": 2}, journal={"keep_shots": 3})
    """
    changed = {}
    for name, keys in sections.items():
        section = getattr(config, name)
        if isinstance(section, Mapping):
            changed[name] = getattr(Config.model_validate({name: keys}), name)
        else:
            changed[name] = section.model_validate({**dict(section), **keys})
    return config.model_copy(update=changed)


class DrivenDispatcher(ABC):
    """Begins with what the journal holds; times are in seconds, for the caller to pass."""

    def __init__(
        self,
        config: Config,
        journal: MemoryJournal,
        *,
        now: float = 100.0,
        wall: float = 1_700_000_000.0,
    ) -> None:
        self.config = config
        self.journal = journal
        self._reader = Reader(MemoryStore(journal))
        self.now, self.wall = now, wall
        self.machine = Dispatcher(self.instant, journal.claim(), config, "here", 1)
        self.machine.load(journal.loaded())
        self.handle(Tick())

    # Time and events

    @property
    def instant(self) -> Instant:
        """The present."""
        return Instant(self.now, self.wall)

    def wake_at(self) -> float | None:
        """Return when something is due."""
        return self.machine.wake_at()

    def wake(self) -> None:
        """Do what is due."""
        self.handle(Tick())

    def pass_time(self, seconds: float) -> Self:
        """Let time pass, doing whatever falls due meanwhile."""
        until = self.now + seconds
        while (due := self.wake_at()) is not None and due <= until:
            self.set_time(max(due, self.now))
            self.wake()
        self.set_time(until)
        return self

    def set_time(self, now: float) -> None:
        """Let it be this time, whatever is due."""
        self.wall += now - self.now
        self.now = now

    def recover(self) -> Self:
        """Let the time pass in which reports are collected."""
        return self.pass_time(self.config.dispatcher.recovery_s + 0.01)

    def handle(self, *events: d.MachineEvent) -> Self:
        """Let the machine handle events, and carry out what follows, until nothing does."""
        waiting: deque[WakeUp] = deque([events])
        while waiting:
            effects = self.machine.handle(self.instant, *waiting.popleft())
            self.machine.check_invariants()
            for effect in effects:
                waiting += self.carry_out(effect)
        return self

    def request(
        self,
        command: AnyCommand,
        id: str = "",  # noqa: A002  # the wire's word
        *,
        lifetime_s: float = 60.0,
    ) -> Request:
        """Return the request that a client sends for a command."""
        return Request(
            id=id or next_id(),
            verb=command.verb,
            deadline_s=self.now + BROKER_AHEAD_S + lifetime_s,
            command=encode_command(command),
        )

    # Effects

    def carry_out(self, effect: d.Effect) -> Iterable[WakeUp]:
        """Carry out one effect; yield what the machine is told then."""
        match effect:
            case d.ToPeer():
                yield from self._to_peer(effect)
            case d.Publish():
                self.published(effect.event)
            case d.WriteCommit():
                assert self.journal.write(effect.commit)
                yield (j.Written(effect.commit.number),)
            case j.ReadShot():
                yield (self.journal.read_shot(effect),)
            case j.ReadOutput():
                yield (self.journal.read_output(effect),)
            case j.ReadAudit():
                yield (self.journal.read_audit(effect),)
            case j.TrimAudit():
                yield (j.AuditTrimmed(),)
            case j.VouchForRedis():
                self.journal.may_lack_end = False
            case j.ForgetShots() | d.Say() | d.Exit():
                self.noted(effect)
            case p.PastJob() | p.KeptJob() | p.KeepJob():
                yield (self.past_done(effect),)
            case d.RunProgram(job):
                yield (d.ProgramDone(job, error="no program is run here"),)
            case _:
                yield (self.tree_done(effect),)

    def past_done(self, job: p.AnyPastJob) -> p.PastDone:
        """Return what the worker of the past answers, out of the journal in memory."""
        if isinstance(job, p.KeepJob):
            return p.PastDone(job=job.job)
        if isinstance(job, p.KeptJob):
            return p.PastDone(job=job.job, kept=())
        return self._reader.answer(job)

    def _to_peer(self, effect: d.ToPeer) -> Iterable[WakeUp]:
        if not effect.target:
            for message in effect.messages:
                yield (d.FromBroker(b"", (self.broker_says(message),)),)
        elif effect.target.startswith(b"client/"):
            for message in effect.messages:
                assert isinstance(message, Reply)
                self.replied(effect.target, message)
        else:
            yield from self.to_server(effect.target, effect.messages)

    def broker_says(self, message: Message) -> Message:
        """Return the broker's answer to the dispatcher."""
        clock_s = self.now + BROKER_AHEAD_S
        if isinstance(message, Claim):
            return ClaimAccepted(term=message.term, broker="broker", clock_s=clock_s)
        assert isinstance(message, Ping)
        return Pong(sent_s=message.sent_s, broker="broker", clock_s=clock_s, term=message.term)

    @abstractmethod
    def tree_done(self, job: t.TreeJob) -> t.TreeDone:
        """Return what the tree worker answers."""

    @abstractmethod
    def to_server(self, identity: bytes, messages: tuple[Message, ...]) -> Iterable[WakeUp]:
        """Give a server what was sent to it; yield what follows at once."""

    @abstractmethod
    def replied(self, client: bytes, reply: Reply) -> None:
        """Give a client its reply."""

    @abstractmethod
    def published(self, event: Event) -> None:
        """Give observers an event."""

    @abstractmethod
    def noted(self, effect: j.ForgetShots | d.Say | d.Exit) -> None:
        """Take what is no message: shots that are forgotten, a line of the log, the end."""
