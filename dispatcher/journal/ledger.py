"""The gate between deciding and doing: nothing leaves before what it rests on is journalled (I4).

Decisions gather as records; one commit is in flight, the next one gathers meanwhile (group commit).
Effects wait behind the records that were gathered before them and leave in that order. Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from shotline.common.base import Struct
from shotline.common.channels import FEED
from shotline.common.records import (
    Commit,
    GlobalRecord,
    ShotKey,
    ShotRecord,
    StoredOutput,
)
from shotline.dispatcher.effects import Effect, Publish, ToReader, WriteCommit
from shotline.dispatcher.journal import EncodedCommit, encode_commit
from shotline.dispatcher.journal.layout import CommitId

OnCommit = Callable[[EncodedCommit], list[Effect]]


@dataclass(slots=True)
class _Batch:
    shots: dict[ShotKey, list[ShotRecord]] = field(default_factory=dict)
    system: list[GlobalRecord] = field(default_factory=list)
    outputs: list[StoredOutput] = field(default_factory=list)
    hosted: dict[str, list[Struct]] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)

    @property
    def has_records(self) -> bool:
        return bool(self.shots or self.system or self.outputs or self.hosted)


class Ledger:
    """Gathers records and the effects that wait for them.

    `on_commit` makes the events that tell observers of a commit's records; it is called when the
    commit is formed, so that events are numbered in the order in which they leave.
    """

    def __init__(self, term: int, on_commit: OnCommit) -> None:
        self.term = term
        self._number = 0
        self._gathering = _Batch()
        self._flying: _Batch | None = None
        self._on_commit = on_commit

    def take_unbound(self) -> list[Effect]:
        """Take out what leaves also while the journal has stopped, which may be for long (I9).

        Answers to those who only look; and beats, so that everybody knows why nothing else comes.
        """
        taken: list[Effect] = []
        for batch in (self._flying, self._gathering):
            if batch is not None:
                taken += filter(_is_unbound, batch.effects)
                batch.effects = [one for one in batch.effects if not _is_unbound(one)]
        return taken

    @property
    def gathering(self) -> str:
        """The id of the commit that gathers now."""
        return str(CommitId(self.term, self._number + 1))

    def record(self, key: ShotKey, record: ShotRecord) -> None:
        """Add a shot's record to the next commit."""
        self._gathering.shots.setdefault(key, []).append(record)

    def record_system(self, record: GlobalRecord) -> None:
        """Add a record that belongs to no shot."""
        self._gathering.system.append(record)

    def record_hosted(self, stream: str, record: Struct) -> None:
        """Add a record of a machine that the dispatcher hosts to the next commit."""
        self._gathering.hosted.setdefault(stream, []).append(record)

    def output(self, stored: StoredOutput) -> None:
        """Add output lines to the next commit."""
        self._gathering.outputs.append(stored)

    def after(self, effect: Effect) -> None:
        """Let an effect leave once all that was recorded before it is journalled."""
        self._gathering.effects.append(effect)

    def flush(self) -> list[Effect]:
        """Return what may leave now: a commit to write, or effects that wait for nothing."""
        batch = self._gathering
        if not batch.has_records:
            effects, batch.effects = batch.effects, []
            if self._flying is None:
                return effects
            self._flying.effects.extend(effects)
            return []
        if self._flying is not None:
            return []
        self._number += 1
        commit = Commit(
            self.term,
            self._number,
            {key: tuple(records) for key, records in batch.shots.items()},
            tuple(batch.system),
            tuple(batch.outputs),
            {stream: tuple(records) for stream, records in batch.hosted.items()},
        )
        encoded = encode_commit(commit)
        batch.effects.extend(self._on_commit(encoded))
        self._flying, self._gathering = batch, _Batch()
        return [WriteCommit(encoded)]

    def written(self, number: int) -> list[Effect]:
        """Return the effects that the commit held back. A repeated answer changes nothing."""
        if self._flying is None or number != self._number:
            return []
        effects = self._flying.effects
        self._flying = None
        return effects


def _is_unbound(effect: Effect) -> bool:
    if isinstance(effect, Publish):
        return effect.event.channel == FEED
    return isinstance(effect, ToReader)
