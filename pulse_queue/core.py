"""What the parts of the queue's machine share: its knowledge, and the ways out. Pure.

`put` makes a record true and journals it; whatever the queue does begins with one.
"""

from collections import deque
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from hashlib import blake2s
from typing import Final

from msgspec import structs

from shotline.common.commands import AnyCommand
from shotline.common.machine import Instant
from shotline.common.queue.fold import QueueFold
from shotline.common.queue.kinds import PlanKind
from shotline.common.queue.plans import Entry
from shotline.common.queue.records import QueueRecord
from shotline.common.queue.views import QueueChange
from shotline.common.settings.configuration import Config
from shotline.pulse_queue.events import Give, Keep, QueueOutput
from shotline.pulse_queue.world import World

CHANGES_KEPT: Final = 200


@dataclass(slots=True)
class QueueCore:
    """The queue's knowledge."""

    config: Config
    world: World
    instant: Instant
    fold: QueueFold
    ready: bool = False  # the dispatcher dispatches; nothing is given before
    emergency_key: str = ""
    changes: deque[QueueChange] = field(default_factory=lambda: deque(maxlen=CHANGES_KEPT))
    out: list[QueueOutput] = field(default_factory=list)
    _kinds: tuple[Config, dict[str, PlanKind]] | None = None

    @property
    def wall(self) -> float:
        """Wall clock of what is being handled."""
        return self.instant.wall

    def put(self, record: QueueRecord) -> None:
        """Make a record true, and journal it."""
        self.fold.apply(record)
        self.out.append(Keep(record))

    def give(self, command_id: str, command: AnyCommand) -> None:
        """Give the dispatcher a command, behind all that was recorded so far."""
        self.out.append(Give(command_id, command))

    def changed(self, by: str, text: str, uids: tuple[str, ...] = ()) -> None:
        """Remember who has changed the list, for those who did not know."""
        version = self.fold.versions.queue
        self.changes.append(
            QueueChange(version=version, time=self.wall, by=by, text=text, uids=uids)
        )

    @property
    def needs_environment(self) -> bool:
        """Whether plans run only in an open environment: required, or used by somebody."""
        return self.config.queue.environment == "required" or bool(self.fold.servers)

    @property
    def kinds(self) -> Mapping[str, PlanKind]:
        """All kinds of plans, by name; an experiment's own belong to it."""
        if self._kinds is None or self._kinds[0] is not self.config:
            self._kinds = (self.config, kinds_of(self.config))
        return self._kinds[1]

    def forget_old(self) -> None:
        """Drop items of the history that are kept no longer."""
        age_s = self.config.queue.history_age_s
        history = self.fold.history
        while age_s is not None and history and history[0].result.ended_at < self.wall - age_s:
            history.popleft()

    def entry(self, uid: str) -> Entry:
        """Return an entry or a proposal that is there."""
        return self.fold.entries[uid]


def kinds_of(config: Config) -> dict[str, PlanKind]:
    """Return the kinds of a configuration: those of the queue, and of each experiment."""
    found = dict(config.queue.kinds)
    for tree, experiment in config.experiments.items():
        for name, kind in experiment.kinds.items():
            found[name] = kind if kind.experiment else _of_experiment(kind, tree)
    return found


def _of_experiment(kind: PlanKind, tree: str) -> PlanKind:
    return structs.replace(kind, experiment=tree)


def uid_of(text: str, *, taken: Container[str]) -> str:
    """Return a uid made from a text that is never used twice: always the same for the same."""
    salt = 0
    while True:
        uid = blake2s(f"{text}:{salt}".encode(), digest_size=6).hexdigest()
        if uid not in taken:
            return uid
        salt += 1
